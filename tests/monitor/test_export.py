import csv
import io
import json
from pathlib import Path

import pytest
from monitor import made_up

from curriculum_verl import cli
from curriculum_verl.commands import monitor
from curriculum_verl.monitor.downloads import downloads
from curriculum_verl.monitor.export import events_csv, everything, metrics_csv
from curriculum_verl.monitor.runs import open_runs
from curriculum_verl.monitor.watch import Watch


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
    assert {row["stage"] for row in found if row["run"] == "grpo"} == set(made_up.STAGES)
    assert found[0]["time"] == "1800000010.0"


def test_events_as_a_table(watch: Watch) -> None:
    found = rows(events_csv(watch.runs))
    assert [row["kind"] for row in found if row["run"] == "sft"] == ["advance"]
    [rollback] = [row for row in found if row["kind"] == "rollback"]
    assert (rollback["target"], rollback["after"]) == ("learn_coherence", "0.47")


def test_a_cell_is_no_formula(tmp_path: Path) -> None:
    path = tmp_path / "curriculum.jsonl"
    path.write_bytes(made_up.line("warning", 1, message="=HYPERLINK(1)"))
    watch = Watch(open_runs([], [path], None))
    watch.refresh()
    assert rows(events_csv(watch.runs))[0]["message"] == "'=HYPERLINK(1)"


def test_everything_as_json(watch: Watch) -> None:
    found = json.loads(b"".join(everything(watch.runs)))
    assert [run["name"] for run in found["runs"]] == ["grpo", "sft"]
    series = found["runs"][1]["metrics"]["train/loss"]
    assert series["steps"] == list(range(1, 1201))
    assert len(series["values"]) == 1200
    assert [event["kind"] for event in found["runs"][1]["events"]] == ["advance"]
    assert found["runs"][0]["spans"][0] == {"stage": "learn_goal", "first": 1, "last": 14}


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
    from curriculum_verl.errors import InputError

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
