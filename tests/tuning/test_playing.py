"""Playing beside the editing: what is not wanted any more ends, and nothing waits for it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tuning.recipes import TEXT, write_recipe
from tuning.tuned import say, tuning_of

from curriculum_verl.errors import InputError
from curriculum_verl.tuning.desk import Desk
from curriculum_verl.tuning.figures import draw
from curriculum_verl.tuning.panels import standing, story
from curriculum_verl.tuning.trial import LIMITS, Abandoned, read_setup

ALERT = "# the end\n  alerts: [{name: slow, metric: stage/steps, at_least: 20}]\n"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tuning_of(write_recipe(tmp_path, TEXT.replace("# the end\n", ALERT))))


def test_a_simulation_ends_with_the_next_change(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from curriculum_verl.tuning import trial

    simulate, steps = trial.simulate, []

    def changed_at_five(config: Any, world: Any, run: Any, label: None) -> Any:
        respond = world._world.respond

        def counting(*arguments: Any) -> Any:
            steps.append(len(steps))
            if len(steps) == 5:
                say(desk, replay_floor="0.2")
            return respond(*arguments)

        monkeypatch.setattr(type(world._world), "respond", lambda self, *arguments: counting(*arguments))
        return simulate(config, world, run, label)

    monkeypatch.setattr(trial, "simulate", changed_at_five)
    with pytest.raises(Abandoned):
        desk.playing.play()
    assert len(steps) == 5


def test_a_recipe_that_cannot_be_played_says_so(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise InputError("got no luck")

    monkeypatch.setattr("curriculum_verl.tuning.trial.simulate", fail)
    desk.playing.shown = desk.playing.play()
    assert (desk.playing.shown.now.problem, desk.playing.shown.now.trace) == ("got no luck", None)
    assert "✗ got no luck" in standing(desk)


def test_group_sizes_of_the_text_are_played(desk: Desk) -> None:
    def tokens_of_hard() -> float:
        trace = desk.playing.play().now.trace
        return float(trace.tokens[:, 1].sum() / trace.prompts[:, 1].sum())

    before = tokens_of_hard()
    say(desk, text=desk.editing.text.replace("# the end", "  group_size: {hard: 16}"))
    assert tokens_of_hard() == 2 * before
    say(desk, text=desk.editing.text.replace("{hard: 16}", "{hard: 1600000}"))
    assert "expected at most 4,000,000 on a page" in desk.playing.play().now.problem


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("steps", "0", "steps: got 0, expected a whole number from 1 to 5000"),
        ("steps", "1" * 9, "expected a whole number from 1 to 5000"),
        ("batch", "1.5", "batch: got 1.5"),
        ("forget", "", "forget: got nothing"),
        ("seed", "x", "seed: got the text 'x'"),
        ("batch", "4096", "expected at most 4,000,000 on a page"),
    ],
)
def test_a_run_that_is_too_long_for_a_page_is_refused(name: str, value: str, message: str, desk: Desk) -> None:
    values = {one: desk.sheets[0].values[f"run_{one}"] for one in (*LIMITS, "learns")}
    setup, wrong = read_setup({**values, "steps": "4000", name: value})
    assert setup is None
    assert message in " ".join(wrong.values())
    assert list(read_setup({**values, "steps": "0", "seed": "-1"})[1]) == ["steps", "seed"]


def test_beside_the_recipe_as_it_was_opened_stands_what_it_is_now(desk: Desk) -> None:
    desk.playing.shown = desk.playing.play()
    assert not desk.playing.stale
    say(desk, knob_2="20", rollback=False)
    assert desk.playing.stale
    assert "tune-old" in standing(desk)
    shown = desk.playing.play()
    told = story(shown)
    cells = told[told.index("stage 2 after step") :].partition("</tr>")[0]
    assert cells.index(">30<") < cells.index(">20<")
    rates = [f"{one.trace.pass_rates[-1].mean():.3f}" for one in (shown.opened, shown.now)]
    cells = told[told.index("mean pass rate at the end") :].partition("</tr>")[0]
    assert cells.index(rates[0]) < cells.index(rates[1])
    heads = told[told.index("Beside the recipe") :]
    assert heads.index("as opened") < heads.index("now<")


def test_pictures_have_alerts_and_tokens_that_add_up(desk: Desk) -> None:
    shown = desk.playing.play()
    trace = shown.now.trace
    charts = draw(shown.now, shown.opened.trace)
    [marks] = [one for one in charts["batch"].data if one["name"] == "alerts and alarms"]
    assert marks["x"][0] == 20
    assert "alert slow" in marks["customdata"][0]
    for bucket, line in enumerate(charts["spent"].data):
        assert line["y"][-1] == trace.tokens[:, bucket].sum() > 0
        assert np.all(np.diff(line["y"]) >= 0)
    assert charts["spent"].data[0]["y"][0] == 0
