import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from monitor import made_up

from curriculum_verl import cli
from curriculum_verl.commands import monitor
from curriculum_verl.errors import InputError
from curriculum_verl.monitor.downloads import downloads
from curriculum_verl.monitor.export import _on, events_csv, everything, metrics_csv
from curriculum_verl.monitor.runs import open_runs
from curriculum_verl.monitor.watch import Watch, export


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    made_up.write_run(tmp_path / "grpo", 60)
    (tmp_path / "sft").mkdir()
    (tmp_path / "sft" / "curriculum.jsonl").write_bytes(b"".join(made_up.sft(1200)))
    found = Watch(open_runs([tmp_path / "grpo", tmp_path / "sft"], [], None))
    found.refresh()
    return found


def rows(pieces: object) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(b"".join(pieces).decode())))  # type: ignore[arg-type]


def test_metrics_as_a_table_are_exactly_those_of_the_file(watch: Watch) -> None:
    found = rows(metrics_csv(watch.runs))
    assert len(found) == 1260
    assert [row["step"] for row in found if row["run"] == "sft"] == [str(step) for step in range(1, 1201)]
    for run in watch.runs:
        for name in ("curriculum/train/success_rate", "train/loss", "val/easy"):
            told = {int(row["step"]): float(row[name]) for row in found if row["run"] == run.name and row[name]}
            steps, values = run.history.metrics.series(name)
            assert told == dict(zip(steps.tolist(), values.tolist(), strict=True))
    told = {int(row["step"]): row["stage"] for row in found if row["run"] == "grpo"}
    stays = watch.runs[0].history.stays()
    assert told == {step: stay.stage for stay in stays for step in range(stay.first, stay.last + 1)}
    assert (told[15], told[16]) == tuple(made_up.STAGES[:2])  # the transition at step 15 counts from the next on
    assert found[0]["time"] == "1800000010.0"


def test_a_download_is_of_what_the_file_holds_and_leaves_the_lock_between_its_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from curriculum_verl.monitor import downloads as module

    path = made_up.write_run(tmp_path / "run", 1200)
    watch = Watch(open_runs([path.parent], [], None))  # no page was open
    held: list[bool] = []

    def seen(runs: object) -> Iterator[bytes]:
        for piece in metrics_csv(watch.runs):
            held.append(watch.lock._is_owned())  # type: ignore[attr-defined]
            yield piece

    monkeypatch.setattr(module, "metrics_csv", seen)
    content = downloads(watch)["metrics.csv"]({}).content
    pieces = [next(content), next(content)]
    assert held == [True, True]  # and no further piece is made yet
    assert not watch.lock._is_owned()  # type: ignore[attr-defined]
    again = [
        made_up.start(600, "rollouts"),
        made_up.line("step", 601, stage="everything", exit=[], metrics={"late": 1.0}),
    ]
    with path.open("ab") as file:
        file.writelines(again)
    watch.refresh()
    found = rows([*pieces, *content])
    assert [row["step"] for row in found] == [str(step) for step in range(1, 1201)]
    assert (found[599]["actor/entropy"] != "", found[601]["actor/entropy"]) == (True, "")
    assert rows(downloads(watch)["metrics.csv"]({}).content)[-1]["late"] == "1.0"
    assert b"I guess 600." in b"".join(
        downloads(Watch(open_runs([path.parent], [], None)))["text.txt"](
            {"run": "0", "step": "600", "line": "0", "response": "2"}
        ).content
    )


def test_a_step_that_comes_up_while_a_table_is_written_is_left_out() -> None:
    filled = _on(np.array([1, 5, 9]), np.array([1, 7, 9]), np.array([0.1, 0.7, 0.9]))
    assert filled[[0, 2]].tolist() == [0.1, 0.9]
    assert np.isnan(filled[1])
    assert np.isnan(_on(np.array([1, 5, 9]), np.array([7]), np.array([0.7]))).all()


def test_events_as_a_table(watch: Watch) -> None:
    found = rows(events_csv(watch.runs))
    assert [row["kind"] for row in found if row["run"] == "sft"] == ["advance"]
    [rollback] = [row for row in found if row["kind"] == "rollback"]
    assert (rollback["target"], rollback["after"]) == ("learn_coherence", "0.47")


@pytest.mark.parametrize("bad", ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\r\n=1"])
def test_a_cell_is_no_formula(tmp_path: Path, bad: str) -> None:
    path = tmp_path / f"{bad[:2]}.jsonl"
    told = made_up.line("step", 1, stage=bad, exit=[], metrics={bad: -0.5})
    path.write_bytes(made_up.line("warning", 1, message=bad) + told)
    watch = Watch(open_runs([], [path], None))
    watch.runs[0].name = bad
    watch.refresh()
    shown = "'" + bad.replace("\r\n", "\n").replace("\r", "\n")
    [event] = csv.DictReader(io.StringIO(b"".join(events_csv(watch.runs)).decode(), newline=""))
    assert (event["run"], event["message"]) == (shown, shown)
    [row] = csv.DictReader(io.StringIO(b"".join(metrics_csv(watch.runs)).decode(), newline=""))
    assert (row["run"], row["stage"], row[shown]) == (shown, shown, "-0.5")


def test_everything_as_json(watch: Watch) -> None:
    found = json.loads(b"".join(everything(watch.runs)))
    assert [run["name"] for run in found["runs"]] == ["grpo", "sft"]
    series = found["runs"][1]["metrics"]["train/loss"]
    assert series["steps"] == list(range(1, 1201))
    assert len(series["values"]) == 1200
    assert [event["kind"] for event in found["runs"][1]["events"]] == ["advance"]
    spans = found["runs"][0]["spans"]
    assert spans[0] == {"stage": "learn_goal", "first": 1, "last": 15}, "the step of the switch was drawn before it"
    told = {int(row["step"]): row["stage"] for row in rows(metrics_csv(watch.runs)) if row["run"] == "grpo"}
    assert told == {step: span["stage"] for span in spans for step in range(span["first"], span["last"] + 1)}


def test_the_report_holds_all_and_loads_nothing(watch: Watch) -> None:
    page = b"".join(downloads(watch)["report.html"]({"window": "5", "last": "0"}).content).decode()
    head = page[: page.index("<style")]
    assert "default-src &#x27;none&#x27;" in head
    assert "unsafe-inline" not in head.partition("script-src")[2].partition(";")[0]
    outside = page[: page.index("<script>/**")]
    assert "http" not in outside.replace("http-equiv", "")
    assert outside.count("<cv-chart") == 19
    assert "▼ rollback" in outside
    assert "moving averages over 5 steps" in outside


@pytest.mark.parametrize(
    "query",
    [
        {}, {"run": "9", "step": "10", "line": "0"}, {"run": "0", "step": "../10", "line": "0"},
        {"run": "0", "step": "10", "line": "-1"}, {"run": "0", "step": "11", "line": "0"},
        {"run": "1", "step": "10", "line": "0"}, {"run": "0", "step": "10", "line": "0", "response": "x"},
        {"run": "0", "step": "1" * 13, "line": "0"}, {"run": "٣", "step": "10", "line": "0"},
    ],
)  # fmt: skip
def test_texts_that_are_not_there_are_refused(watch: Watch, query: dict[str, str]) -> None:
    with pytest.raises(InputError, match=r"got|not there"):
        downloads(watch)["text.txt"](query)


def test_a_whole_text_is_given(watch: Watch) -> None:
    given = downloads(watch)["text.txt"]({"run": "0", "step": "10", "line": "0", "response": "2"})
    assert (b"".join(given.content), given.name) == (b"I guess 10.", "step_10_prompt_0_response_2.txt")


def test_the_command_exports_without_serving(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made_up.write_run(tmp_path / "run", 30)
    assert cli.main(["monitor", str(tmp_path / "run"), "--export", str(tmp_path / "out")]) == 0
    files = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert files == ["events.csv", "metrics.csv", "metrics.json", "report.html"]
    assert capsys.readouterr().out.count(str(tmp_path / "out")) == 4
    (tmp_path / "empty").mkdir()
    assert cli.main(["monitor", str(tmp_path / "empty"), "--export", str(tmp_path / "out")]) == 1
    assert "nothing to export" in capsys.readouterr().err
    with pytest.raises(InputError, match="no regular file"):
        export(Watch(open_runs([], [tmp_path / "empty"], None)), tmp_path / "out")


def test_wrong_arguments_are_refused_before_anything_is_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, words in ((["--port", "70000"], "from 0 to 65535"), (["--port", "-1"], "from 0 to 65535")):
        with pytest.raises(SystemExit):
            monitor.main(["run", *arguments])
        assert words in capsys.readouterr().err
    assert cli.main(["monitor", "no/such/folder"]) == 1
    assert "expected the folder of a run" in capsys.readouterr().err


def test_without_the_extra_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from curriculum_verl.web import extra

    monkeypatch.setattr(extra, "find_spec", lambda name: None if name == "gradio" else object())
    assert cli.main(["monitor", str(tmp_path)]) == 1
    assert "needs gradio" in (said := capsys.readouterr().err)
    assert "pip install 'curriculum-verl[monitor]'" in said
