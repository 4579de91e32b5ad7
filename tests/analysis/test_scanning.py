import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from analysis.conftest import Analyzed
from analysis.made_up import lines, write_lines

from curriculum_verl.analysis import scanning, tasks
from curriculum_verl.analysis.gathering import Gathered, gather
from curriculum_verl.analysis.measuring import Judging
from curriculum_verl.analysis.rows import sums
from curriculum_verl.analysis.runs import find_run
from curriculum_verl.analysis.selection import Selection
from curriculum_verl.analysis.tally import joined
from curriculum_verl.analysis.tasks import Reading, piece_lines, pieces_of
from curriculum_verl.errors import InputError
from curriculum_verl.parallel import InProcess, runner
from curriculum_verl.rollouts.fields import ROLES

READING = Reading(Judging(), Selection(), ROLES)


def gathered(path: Path, folder: Path, reading: Reading = READING, workers: int = 1) -> Gathered:
    with runner(workers) as run:
        [found], _ = gather([find_run("a", path, reading.selection)], reading, folder, run)
    return found


def essence(found: Gathered) -> Any:
    """All that must not depend on how the work was cut."""
    whole = joined(found.cells.values())
    sketches = {name: sketch.counts.tolist() for name, sketch in whole.sketches.items()}
    numbers = [np.round(found.rows[name], 9).tolist() for name in ("key", "bucket", "stage", "responses", "sums")]
    counts = (found.lines, found.responses, found.buckets, found.stages, found.skipped, whole.tools, whole.follows)
    return counts, sketches, numbers


@pytest.mark.parametrize("size", [100, 1000, 5000, 10**9])
def test_every_line_is_in_one_piece_whatever_the_size(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_lines(tmp_path / "a.jsonl", lines("base", 5))
    monkeypatch.setattr(tasks, "PIECE", size)
    read = [line for piece in pieces_of(path) for _, line in piece_lines(piece)]
    assert b"".join(read) == path.read_bytes()


@pytest.mark.parametrize("size", [3000, 10**9])
def test_the_cut_changes_nothing_nor_do_several_processes(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_lines(tmp_path / "a.jsonl", lines("base", 20))
    expected = essence(gathered(path, tmp_path))
    monkeypatch.setattr(tasks, "PIECE", size)
    assert essence(gathered(path, tmp_path)) == expected
    if size == 3000:
        monkeypatch.undo()
        assert essence(gathered(path, tmp_path, workers=2)) == expected


def test_compressed_files_arrays_and_parquet_are_read_as_plain_ones(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = list(lines("full", 6))
    expected = essence(gathered(write_lines(tmp_path / "a.jsonl", rows), tmp_path))
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress((tmp_path / "a.jsonl").read_bytes()))
    (tmp_path / "a.json").write_text(json.dumps(rows))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    for name in ("a.jsonl.gz", "a.json", "a.parquet"):
        assert essence(gathered(tmp_path / name, tmp_path)) == expected, name


def test_bad_lines_are_counted_with_the_first_of_each_reason_and_its_line(tmp_path: Path) -> None:
    good = json.dumps(next(lines("base", 1)))
    bad = ["", "{not json", '{"id": "a", "prompt": "?", "reward": [1.0]}', "[]", '{"id": "b", "reward": []}', "{again"]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join([good, *bad, good]) + "\n")
    found = gathered(path, tmp_path)
    assert found.lines == 7, "a blank line is none"
    assert found.responses == 8
    assert {reason: count for reason, (count, _) in found.skipped.items()} == {
        "not_json": 2,
        "no_response": 1,
        "wrong_type": 1,
        "no_responses": 1,
    }
    assert found.skipped["not_json"][1].startswith(f"{path}:3: is not JSON")
    assert found.skipped["no_response"][1].startswith(f"{path}:4: got no responses")


def test_a_bad_line_beyond_the_first_piece_has_its_number_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [json.dumps(line) for line in lines("base", 10)]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join([*rows[:15], "{bad", *rows[15:]]) + "\n")
    monkeypatch.setattr(tasks, "PIECE", 2000)
    assert gathered(path, tmp_path).skipped["not_json"][1].startswith(f"{path}:16: ")


def test_verls_dumps_are_put_together_by_prompt(tmp_path: Path) -> None:
    rows = [
        {"input": f"prompt {n % 3}", "output": f"step one of {n}.\nAnd two.", "score": float(n % 2), "step": n}
        for n in range(12)
    ]
    found = gathered(write_lines(tmp_path / "a.jsonl", rows), tmp_path)
    assert found.rows["responses"].tolist() == [4, 4, 4]
    assert sums(found.rows, "passed").tolist() == [2, 2, 2]
    assert (found.buckets, found.stages) == (["(none)"], [])


def test_tokens_count_only_where_every_response_has_them(tmp_path: Path) -> None:
    rows = [{**line, "tokens": [7] * 4} for line in lines("base", 3)]
    assert gathered(write_lines(tmp_path / "a.jsonl", rows), tmp_path).has_tokens
    rows[1]["tokens"] = [7] * 3
    assert not gathered(write_lines(tmp_path / "b.jsonl", rows), tmp_path).has_tokens


def test_transitions_of_a_tool_add_up_to_one_and_are_those_that_were_made(analyzed: Analyzed) -> None:
    text = "ZOOM_IN(x=1)\nREAD_TEXT(x=2)\nZOOM_IN(x=3)\n<tool_call>{</tool_call>"
    row = {"id": "a", "prompt": "?", "response": [text, "nothing"], "reward": [1.0, 0.0]}
    [run] = analyzed(a=[row]).runs
    cell = joined(run.cells.values())
    assert cell.tools == Counter({"ZOOM_IN": 2, "READ_TEXT": 1, "(malformed)": 1})
    assert cell.transitions() == {
        ("(start)", "ZOOM_IN"): 0.5,
        ("(start)", "(end)"): 0.5,
        ("ZOOM_IN", "READ_TEXT"): 0.5,
        ("ZOOM_IN", "(malformed)"): 0.5,
        ("READ_TEXT", "ZOOM_IN"): 1.0,
        ("(malformed)", "(end)"): 1.0,
    }


def test_buckets_are_easiest_first_by_what_runs_say_or_by_success(tmp_path: Path) -> None:
    rows = [
        {
            "id": f"{b}{n}",
            "prompt": "?",
            "response": ["a"],
            "reward": [float(n < passing)],
            **({"bucket": b} if b else {}),
        }
        for b, passing in (("w", 1), ("", 5), ("v", 4))
        for n in range(5)
    ]
    assert gathered(write_lines(tmp_path / "a.jsonl", rows), tmp_path).buckets == ["v", "w", "(none)"]


def test_names_of_buckets_that_are_really_ids_end_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "MOST_NAMES", 3)
    rows = [{"id": str(n), "prompt": "?", "response": ["a"], "reward": [1.0], "bucket": str(n)} for n in range(5)]
    with pytest.raises(InputError, match="more than 3 buckets and stages, such as '3'"):
        gathered(write_lines(tmp_path / "a.jsonl", rows), tmp_path)


def test_files_of_rows_are_gone_afterwards(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    gathered(write_lines(tmp_path / "a.jsonl", lines("base", 3)), tmp_path / "work")
    assert not list((tmp_path / "work").iterdir())


def test_a_selection_leaves_out_and_counts(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", lines("base", 30))
    reading = Reading(Judging(), Selection(steps=(1, 3), buckets=frozenset({"easy"})), ROLES)
    [found], _ = gather([find_run("a", path, reading.selection)], reading, tmp_path, InProcess())
    assert found.buckets == ["easy"]
    assert found.left_out["other steps"] + found.left_out["other buckets"] + len(found.rows) == 60
    for name in ("stages", "buckets"):
        reading = Reading(Judging(), Selection(**{name: frozenset({"esy"})}), ROLES)
        with pytest.raises(InputError, match=rf"--{name[:-1]}: unknown {name[:-1]} 'esy'"):
            gather([find_run("a", path, reading.selection)], reading, tmp_path, InProcess())
    reading = Reading(Judging(), Selection(prompts=frozenset({"nobody"})), ROLES)
    with pytest.raises(InputError, match="got no rollout of those asked for: 60 lines of other prompts"):
        gather([find_run("a", path, reading.selection)], reading, tmp_path, InProcess())


def test_runs_have_one_order_of_buckets_between_them(analyzed: Analyzed) -> None:
    def rows(easy: float, hard: float) -> list[dict[str, Any]]:
        row = {"prompt": "?", "response": ["a"]}
        return [{**row, "id": b, "bucket": b, "reward": [score]} for b, score in (("easy", easy), ("hard", hard))]

    runs = analyzed(a=rows(0.0, 1.0), b=rows(1.0, 0.0), c=rows(1.0, 0.0)).runs
    assert [run.buckets for run in runs] == [["easy", "hard"]] * 3
