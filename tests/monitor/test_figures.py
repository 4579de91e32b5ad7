import json
import re
from collections.abc import Iterable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from monitor import made_up

from curriculum_verl.monitor.figures import CHARTS, draw
from curriculum_verl.monitor.runs import Run, open_runs
from curriculum_verl.monitor.view import View
from curriculum_verl.web.charts import Chart, encoded


def run_of(folder: Path, lines: Iterable[bytes]) -> Run:
    folder.mkdir(parents=True)
    (folder / "curriculum.jsonl").write_bytes(b"".join(lines))
    [run] = open_runs([folder], [], None)
    run.followed.refresh()
    return run


@pytest.fixture(scope="module")
def grpo(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_of(tmp_path_factory.mktemp("runs") / "grpo", made_up.grpo(200))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_of(tmp_path_factory.mktemp("runs") / "other", made_up.grpo(120, seed=4))


@pytest.fixture(scope="module")
def sft(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_of(tmp_path_factory.mktemp("runs") / "sft", made_up.sft(100))


def made(lines: Iterable[bytes], folder: Path) -> View:
    return View((run_of(folder / "made", lines),), window=1)


def step(number: int, stage: str = "learn_goal", exits: list | None = None, **metrics: float) -> bytes:
    named = {name.replace("__", "/"): value for name, value in metrics.items()}
    return made_up.line("step", number, stage=stage, exit=exits or [], metrics=named)


def trace(chart: Chart, name: str) -> dict:
    return [one for one in chart.data if one.get("name") == name][-1]


@pytest.mark.parametrize("name", CHARTS)
def test_every_chart_says_in_words_what_it_shows(name: str, grpo: Run, sft: Run, other: Run, tmp_path: Path) -> None:
    """Of a run of GRPO, of fine-tuning, of several, and before there is anything."""
    nothing = run_of(tmp_path / "nothing", [])
    begun = run_of(tmp_path / "begun", [made_up.start()])
    for runs in ((grpo,), (sft,), (grpo, other), (grpo, sft), (nothing,), (begun,), (nothing, grpo)):
        for view in (View(runs), View(runs, window=1, last=30)):
            chart = CHARTS[name](view)
            assert chart.title
            assert chart.summary.endswith("."), chart.summary
            assert "nan" not in chart.summary
            assert chart.data or chart.summary.startswith("Nothing to show yet: "), chart.summary
            assert json.loads(encoded({name: chart}))[name]["title"] == chart.title
    assert CHARTS[name](View((nothing,))).data == []


def test_charts_of_a_full_run_are_all_drawn(grpo: Run) -> None:
    assert {name for name, chart in draw(View((grpo,)), CHARTS).items() if not chart.data} == {"exit"}  # the last stage


def test_the_moving_average_is_drawn_over_the_values(tmp_path: Path) -> None:
    view = made([made_up.start(), *(step(n, actor__ppo_kl=float(n)) for n in (1, 2, 3, 4))], tmp_path)
    pale, main = CHARTS["kl"](View(view.runs, window=2)).data
    assert pale["y"].tolist() == [1.0, 2.0, 3.0, 4.0]
    assert main["y"].tolist() == [1.0, 1.5, 2.5, 3.5]
    assert pale["opacity"] < 1
    [only] = CHARTS["kl"](view).data
    assert only["y"].tolist() == [1.0, 2.0, 3.0, 4.0]
    shown = CHARTS["kl"](View(view.runs, window=2, last=2)).data[-1]
    assert (shown["x"].tolist(), shown["y"].tolist()) == ([3, 4], [2.5, 3.5])


def test_the_reward_is_a_ring_while_every_component_adds_and_bars_when_one_takes_away(tmp_path: Path) -> None:
    told = {"reward_weighted__final": 0.6, "reward_weighted__coherence": 0.2, "reward_weighted__x": 0.0}
    lines = [made_up.start(), step(1, **told)]
    ring = CHARTS["reward-now"](made(lines, tmp_path / "ring"))
    assert ring.data[0]["type"] == "pie"
    assert (ring.data[0]["labels"], ring.data[0]["values"]) == (["final", "coherence"], [0.6, 0.2])
    assert "final +0.6, coherence +0.2, x +0, together 0.8 (step 1)." in ring.summary
    stack = CHARTS["reward-weighted"](made(lines, tmp_path / "stack"))
    assert {one["stackgroup"] for one in stack.data} == {"all"}
    lines = [made_up.start(), step(1, reward_weighted__final=0.6, reward_weighted__coherence=-0.2)]
    bars = CHARTS["reward-now"](made(lines, tmp_path / "bars"))
    assert [(one["type"], one["y"]) for one in bars.data] == [("bar", [0.6]), ("bar", [-0.2])]
    assert "stackgroup" not in CHARTS["reward-weighted"](made(lines, tmp_path / "lines")).data[0]


def test_tools_are_those_of_the_metrics_else_those_of_the_log(tmp_path: Path) -> None:
    told = [made_up.start(), step(1, curriculum__curiosity__tools__LOOK=0.75, curriculum__curiosity__tools__ASK=0.25)]
    [bar] = CHARTS["tools"](made(told, tmp_path / "told")).data
    assert (bar["y"], bar["x"]) == (["LOOK", "ASK"], [0.75, 0.25])
    made_up.write_rollouts(tmp_path / "logged" / "made" / "rollouts", [1])
    folder = tmp_path / "logged" / "made"
    (folder / "curriculum.jsonl").write_bytes(made_up.start(0, "rollouts") + step(1))
    [run] = open_runs([folder], [], None)
    run.followed.refresh()
    [bar] = CHARTS["tools"](View((run,))).data
    assert dict(zip(bar["y"], bar["x"], strict=True)) == {"ZOOM_IN": 0.5, "READ_TEXT": 0.5}


def test_the_timeline_has_every_stay_and_every_transition_with_its_reason(grpo: Run) -> None:
    chart = CHARTS["timeline"](View((grpo,)))
    bars = next(one for one in chart.data if one["type"] == "bar")
    stays = list(zip(bars["y"], bars["base"], bars["x"], strict=True))
    assert stays == [
        ("learn_goal", 0, 50),
        ("learn_coherence", 50, 50),
        ("everything", 100, 25),
        ("learn_coherence", 125, 25),
        ("everything", 150, 50),
    ]
    marks = next(one for one in chart.data if one.get("mode") == "markers")
    assert marks["x"].count(125) == 1
    assert any("rollback from everything to learn_coherence: val/score fell" in text for text in marks["customdata"])
    assert {"triangle-right", "triangle-left", "x", "diamond-tall"} <= set(marks["marker"]["symbol"])
    assert "Stage everything, entered at step 150; 3 advances, 1 rollback so far." in chart.summary
    dashes = [shape["line"]["dash"] for shape in CHARTS["success"](View((grpo,))).layout["shapes"]]
    assert dashes == ["solid", "solid", "dot", "solid"]


def test_tests_that_end_the_stage_are_drawn_with_their_thresholds(tmp_path: Path) -> None:
    exits = made_up.exit_tests("learn_goal", {"curriculum/train/success_rate": 0.4}, 7)
    lines = [made_up.start(), step(1, exits=exits), step(2, exits=exits)]
    chart = CHARTS["exit"](made(lines, tmp_path))
    assert [one["name"] for one in chart.data] == ["train/success_rate over 10 above 0.7", "stage/steps at_least 50"]
    assert [shape["y0"] for shape in chart.layout["shapes"]] == [0.7, 50.0]
    assert "reward/coherence slope below 0.001: no value yet" in chart.summary


def test_tokens_are_added_up_and_shares_are_as_they_were_told(tmp_path: Path) -> None:
    told = {"curriculum__tokens__easy": 100.0, "curriculum__share__easy": 0.75, "curriculum__share__medium": 0.25}
    view = made([made_up.start(), step(1, **told), step(2, **told)], tmp_path)
    assert trace(CHARTS["tokens"](view), "easy")["y"].tolist() == [100.0, 200.0]
    shares = CHARTS["shares"](view)
    assert [one["name"] for one in shares.data] == ["easy", "medium", "hard"]
    np.testing.assert_allclose(sum(one["y"] for one in shares.data), 1)
    assert "easy 75%, medium 25%, hard 0%" in shares.summary


def test_validation_and_alarms_of_forgetting(grpo: Run) -> None:
    validation = CHARTS["validation"](View((grpo,)))
    assert trace(validation, "hard")["x"].tolist() == list(range(5, 201, 5))
    forgetting = CHARTS["forgetting"](View((grpo,)))
    assert trace(forgetting, "alarm: easy")["x"] == [102]
    assert "Crosses: forgetting alarms, 1 so far." in forgetting.summary


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Three runs that are watched together."""
    folder = tmp_path_factory.mktemp("several")
    for seed, name in enumerate(("grpo", "other", "third")):
        (folder / name).mkdir()
        (folder / name / "curriculum.jsonl").write_bytes(b"".join(made_up.grpo(60, seed)))
    found = open_runs([folder / name for name in ("grpo", "other", "third")], [], None)
    for run in found:
        run.followed.refresh()
    return found


def test_a_run_keeps_its_look_whichever_others_are_shown(several: list[Run]) -> None:
    def looks(chart: Chart) -> dict[str, object]:
        found = {}
        for one in chart.data:
            drawn = one.get("line") or one["marker"]
            if one["type"] == "bar" or one.get("mode") != "markers":
                found[one["name"]] = (drawn["color"], drawn.get("dash"), drawn.get("pattern"))
        return found

    for name in ("success", "timeline", "tools", "entropy", "gradient"):
        whole = looks(CHARTS[name](View(tuple(several), window=1)))
        assert len({look[0] for look in whole.values()}) == 3, name
        for kept in ([0, 2], [1, 2], [2]):
            part = looks(CHARTS[name](View(tuple(several[place] for place in kept), window=1)))
            assert part == {run: look for run, look in whole.items() if run in part}, (name, kept)
            assert len(part) == len(kept)
    pair = CHARTS["bucket-success"](View(tuple(several[1:]), window=1))
    assert "Dashed: other; dotted: third." in pair.summary
    assert {one["line"]["dash"] for one in pair.data} == {"6px,2px", "2px,2px"}


def test_several_runs_differ_without_colour(several: list[Run]) -> None:
    grpo, other, _ = several
    success = CHARTS["success"](View((grpo, other), window=1))
    assert len({one["line"]["dash"] for one in success.data}) == 2
    assert [one["name"] for one in success.data] == ["grpo", "other"]
    buckets = CHARTS["bucket-success"](View((grpo, other), window=1))
    assert sum(one["showlegend"] for one in buckets.data) == 3
    assert {one["line"]["dash"] for one in buckets.data if "other" in one["hovertemplate"]} == {"6px,2px"}
    assert "Solid: grpo; dashed: other." in buckets.summary


def test_buckets_differ_without_colour(grpo: Run) -> None:
    for name in ("bucket-success", "tokens", "forgetting"):
        lines = [one for one in CHARTS[name](View((grpo,), window=1)).data if one.get("line", {}).get("dash")]
        assert len({one["line"]["dash"] for one in lines}) == 3, name
    assert len({one["fillpattern"]["shape"] for one in CHARTS["shares"](View((grpo,))).data}) == 3


def test_names_that_a_file_holds_are_no_markup(tmp_path: Path) -> None:
    bad = "<a href='https://example.org'>easy</a>\x1b[31m"
    lines = [
        made_up.line("start", 0, stages=[bad], buckets=[bad], rollouts=None),
        made_up.line("advance", 1, source=bad, target=bad, reason=bad, before=None, after=None),
        made_up.line(
            "step", 1, stage=bad, exit=[], metrics={f"curriculum/share/{bad}": 1.0, f"reward_weighted/{bad[:5]}": 1.0}
        ),
    ]
    view = made(lines, tmp_path)
    for chart in draw(view, CHARTS).values():
        for one in chart.data:
            drawn = msgspec.json.encode([one, chart.layout], enc_hook=lambda array: array.tolist()).decode()
            assert "\\u001b" not in drawn
            assert not re.search(r"<(?!extra>|/extra>|br>)", drawn), drawn


def test_a_run_with_many_events_shows_its_latest(tmp_path: Path) -> None:
    alarms = [made_up.line("alarm", n, bucket="easy") for n in range(1, 1001)]
    told = [step(n, curriculum__forgetting__easy=-0.1) for n in range(1, 1001)]
    view = made([made_up.start(), *told, *alarms], tmp_path)
    marks = CHARTS["timeline"](view).data[-1]
    assert (len(marks["x"]), marks["x"][-1], set(marks["y"])) == (500, 1000, {"learn_goal"})
    forgetting = CHARTS["forgetting"](view)
    assert len(forgetting.data) == 61
    assert "Crosses: forgetting alarms, 1,000 so far." in forgetting.summary


def test_two_tests_with_the_same_words_are_two_lines(tmp_path: Path) -> None:
    test = {"metric": "val/score", "test": "slope below", "threshold": 0.001, "met": False}
    exits = [[test | {"value": n / 10}, test | {"value": n / 5}] for n in (1, 2)]
    chart = CHARTS["exit"](made([made_up.start(), step(1, exits=exits[0]), step(2, exits=exits[1])], tmp_path))
    assert [(one["name"], one["y"].tolist()) for one in chart.data] == [
        ("val/score slope below 0.001", [0.1, 0.2]),
        ("val/score slope below 0.001 (2)", [0.2, 0.4]),
    ]
    assert "0.001: 0.2; val/score slope below 0.001 (2): 0.4 (step 2)." in chart.summary


def test_pictures_say_what_they_are_of(several: list[Run]) -> None:
    chart = draw(View(tuple(several[:2]), last=30), ["success"])["success"]
    assert chart.of == "grpo (to step 60), other (to step 60), the last 30 steps"


def test_long_runs_are_thinned(tmp_path: Path) -> None:
    lines = (step(number, curriculum__train__success_rate=number % 7 / 7) for number in range(1, 5001))
    view = made([made_up.start(), *lines], tmp_path)
    for name in ("success", "shares"):
        for one in CHARTS[name](View(view.runs)).data:
            assert len(one["x"]) <= 1200
    assert len(encoded(draw(View(view.runs), CHARTS))) < 200_000


def test_captions_say_the_step_that_told_the_value(grpo: Run, tmp_path: Path) -> None:
    told = made_up.line("validation", 1, stage="learn_goal", metrics={"val/easy": 0.5})
    later = made_up.line("validation", 2, stage="learn_goal", metrics={"val/medium": 0.25})
    lines = [made_up.start(), told, step(1), later, *(step(n, actor__entropy=1.0) for n in (2, 3))]
    view = made(lines, tmp_path)
    assert "Latest value: easy 0.5 (step 1), medium 0.25 (step 2)." in CHARTS["validation"](view).summary
    assert "Latest value: 1 (step 3)." in CHARTS["entropy"](view).summary.replace("entropy ", "")
    both = CHARTS["validation"](View((grpo, view.runs[0]))).summary
    assert "(step 200); made: easy 0.5 (step 1), medium 0.25 (step 2)." in both


def test_shares_are_drawn_as_they_were_told_whatever_the_window(tmp_path: Path) -> None:
    lines = [made_up.start(), step(1, curriculum__share__easy=1.0), step(2), step(3, curriculum__share__hard=1.0)]
    view = made(lines, tmp_path)
    chart = CHARTS["shares"](View(view.runs, window=20))
    assert trace(chart, "easy")["x"].tolist() == [1, 3]
    assert trace(chart, "easy")["y"].tolist() == [1.0, 0.0]
    assert trace(chart, "hard")["y"].tolist() == [0.0, 1.0]
    assert "easy 0%, medium 0%, hard 100% (step 3)." in chart.summary
    nothing = CHARTS["shares"](View((made([made_up.start(), lines[1], step(2)], tmp_path / "b").runs[0],), last=1))
    assert nothing.summary == "Nothing to show yet: no step that is shown has told its shares."


def test_parts_of_a_whole_are_those_of_one_step(tmp_path: Path) -> None:
    early = {"reward_weighted__final": 0.9, "reward_weighted__curiosity": 0.3}
    early |= {"curriculum__curiosity__tools__LOOK": 0.75, "curriculum__curiosity__tools__ASK": 0.25}
    late = {"reward_weighted__final": 0.6, "curriculum__curiosity__tools__ASK": 1.0}
    view = made([made_up.start(), step(1, **early), step(2, **late), step(3)], tmp_path)
    now = CHARTS["reward-now"](view)
    assert now.summary == "final +0.6, together 0.6 (step 2)."
    assert now.data[0]["labels"] == ["final"]
    assert "final 0.6, together 0.6 (step 2)." in CHARTS["reward-weighted"](view).summary
    tools = CHARTS["tools"](view)
    assert (tools.data[0]["y"], tools.data[0]["x"]) == (["ASK"], [1.0])
    assert tools.summary.endswith("ASK 100% (step 2).")
