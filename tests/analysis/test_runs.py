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


START = {"kind": "start", "step": 0, "stages": ["goal"], "buckets": ["easy"], "rollouts": "../rollouts"}


def resumed(folder: Path, *told: dict[str, object]) -> Path:
    """A run whose files are of steps 1 to 12, and whose metrics file says this."""
    run = write_run(folder, "base")
    write_lines(run / "checkpoints" / "curriculum.jsonl", list(told))
    return run


def steps(*numbers: int) -> list[dict[str, object]]:
    return [{"kind": "step", "step": number} for number in numbers]


def test_steps_that_a_resumed_run_took_back_or_never_told_are_left_out_and_said(tmp_path: Path) -> None:
    folder = resumed(tmp_path, START, *steps(*range(1, 12)), START | {"step": 9}, *steps(10))
    metrics = folder / "checkpoints" / "curriculum.jsonl"
    metrics.write_text(metrics.read_text() + '{"kind": "st')
    run = find_run("base", folder, ALL)
    assert names(run) == [f"rollout_{step:06d}.jsonl" for step in range(1, 11)]
    assert run.warnings == (
        "base: 2 files left out, of steps that the run did not finish or took back when it was resumed "
        "(rollout_000011.jsonl, rollout_000012.jsonl)",
    )
    (folder / "rollouts" / "rollout_000011.jsonl").unlink()
    assert "base: 1 file left out" in find_run("base", folder, ALL).warnings[0]


def test_of_a_run_that_was_resumed_without_a_log_the_files_before_it_count(tmp_path: Path) -> None:
    without = START | {"step": 3, "rollouts": None}
    folder = resumed(tmp_path, START, *steps(*range(1, 7)), without, *steps(4, 5, 6))
    assert names(find_run("base", folder, ALL)) == [f"rollout_{step:06d}.jsonl" for step in (1, 2, 3)]


def test_a_run_that_has_told_of_no_step_with_rollouts_is_an_error(tmp_path: Path) -> None:
    folder = resumed(tmp_path, START)
    with pytest.raises(InputError, match=r"tells of no step whose rollouts are in .*base=FOLDER"):
        find_run("base", folder, ALL)
    assert len(find_run("base", folder / "rollouts", ALL).files) == 12


@pytest.mark.parametrize("place", [".", "checkpoints", "run", "run/checkpoints"])
def test_a_run_is_found_where_the_monitor_finds_it(tmp_path: Path, place: str) -> None:
    folder = tmp_path / place
    folder.mkdir(parents=True, exist_ok=True)
    write_lines(folder / "curriculum.jsonl", [START | {"rollouts": "log"}, *steps(1)])
    (folder / "log").mkdir()
    write_lines(folder / "log" / "rollout_000001.jsonl", [{}])
    run = find_run("base", tmp_path, ALL)
    assert (run.stages, names(run)) == (("goal",), ["rollout_000001.jsonl"])


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
