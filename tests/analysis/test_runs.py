import json
from pathlib import Path

import pytest
from analysis.made_up import write_lines, write_run

from curriculum_verl.analysis.runs import find_run, parse_runs
from curriculum_verl.analysis.selection import Selection
from curriculum_verl.errors import InputError

ALL = Selection()


def names(run: object) -> list[str]:
    return [file.name for file in run.files]  # type: ignore[attr-defined]


def test_a_run_is_found_by_its_folder_its_checkpoints_or_its_metrics_file(tmp_path: Path) -> None:
    folder = write_run(tmp_path, "base")
    for place in (folder, folder / "checkpoints", folder / "checkpoints" / "curriculum.jsonl"):
        run = find_run("base", place, ALL)
        assert (run.stages, run.buckets) == (("goal", "coherence", "everything"), ("easy", "medium", "hard"))
        assert names(run) == [f"rollout_{step:06d}.jsonl" for step in range(1, 13)]
    assert run.stage_name(1) == "coherence"
    assert run.stage_name(7) == "stage 7"
    assert run.stage_name(None) == ""


def test_a_folder_or_file_of_rollouts_will_do(tmp_path: Path) -> None:
    folder = write_run(tmp_path, "base") / "rollouts"
    assert len(find_run("base", folder, ALL).files) == 12
    assert names(find_run("base", folder / "rollout_000003.jsonl", ALL)) == ["rollout_000003.jsonl"]


def test_only_files_of_the_steps_that_are_asked_for_are_read(tmp_path: Path) -> None:
    folder = write_run(tmp_path, "base")
    run = find_run("base", folder, Selection(steps=(3, 4)))
    assert names(run) == ["rollout_000003.jsonl", "rollout_000004.jsonl"]
    with pytest.raises(InputError, match="has steps 1 to 12, none of those asked for"):
        find_run("base", folder, Selection(steps=(13, None)))


def test_steps_that_a_resumed_run_took_back_are_left_out_and_said(tmp_path: Path) -> None:
    folder = write_run(tmp_path, "base")
    metrics = folder / "checkpoints" / "curriculum.jsonl"
    resumed = [{"kind": "start", "step": 9}, {"kind": "step", "step": 10}]
    metrics.write_text(metrics.read_text() + "".join(json.dumps(line) + "\n" for line in resumed) + '{"kind": "st')
    run = find_run("base", folder, ALL)
    assert names(run)[-1] == "rollout_000010.jsonl"
    assert run.warnings == (
        "base: 2 files of steps that a resumed run took back are left out (rollout_000011.jsonl, rollout_000012.jsonl)",
    )
    assert run.stages == ("goal", "coherence", "everything"), "the second start did not say"


def test_a_run_without_rollouts_says_what_to_set(tmp_path: Path) -> None:
    write_lines(tmp_path / "curriculum.jsonl", [{"kind": "start", "step": 0, "rollouts": None}])
    with pytest.raises(InputError, match=r"set curriculum\.rollout_log: FOLDER .* or sample fresh .* --generate"):
        find_run("base", tmp_path, ALL)
    write_lines(tmp_path / "curriculum.jsonl", [{"kind": "start", "step": 0, "rollouts": "gone"}])
    with pytest.raises(InputError, match="where there is no folder; put it back, or name the folder"):
        find_run("base", tmp_path, ALL)


def test_an_empty_folder_and_a_missing_one_are_errors(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="got no rollouts, expected files that end in"):
        find_run("a", tmp_path / "empty", ALL)
    with pytest.raises(InputError, match="there is no such file or folder"):
        find_run("a", tmp_path / "none", ALL)


def test_bucket_folders_name_their_buckets(tmp_path: Path) -> None:
    from curriculum_verl import cli

    rows = [
        {"id": f"p{n}", "prompt": "?", "response": ["a"] * 4, "reward": [1.0] * (n % 5) + [0.0] * (4 - n % 5)}
        for n in range(40)
    ]
    data = write_lines(tmp_path / "rows.jsonl", rows)
    arguments = ["-i", str(data), "-o", str(tmp_path / "buckets"), "-n", "2", "--bucket-names", "easy", "hard"]
    assert cli.main(["bucket", *arguments]) == 0
    run = find_run("a", tmp_path / "buckets", ALL)
    assert run.buckets == ("easy", "hard")
    assert sorted(run.bucket_of_file.values()) == ["easy", "hard"]


def test_names_and_paths_are_parsed() -> None:
    assert parse_runs(["base=a/b", "x@1=c=d"]) == [("base", Path("a/b")), ("x@1", Path("c=d"))]


@pytest.mark.parametrize("text", ["base", "=path", "base=", "a b=c", "a/b=c"])
def test_what_is_no_name_with_a_path_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="expected NAME=PATH"):
        parse_runs([text])


def test_a_name_that_stands_twice_is_refused() -> None:
    with pytest.raises(InputError, match="the name base stands twice"):
        parse_runs(["base=a", "base=b", "full=c"])


def test_stages_come_in_the_order_of_the_run_and_numbers_as_numbers(tmp_path: Path) -> None:
    run = find_run("base", write_run(tmp_path, "base"), ALL)
    assert run.stage_order(["stage 10", "everything", "stage 9", "goal"]) == [
        "goal",
        "everything",
        "stage 9",
        "stage 10",
    ]
