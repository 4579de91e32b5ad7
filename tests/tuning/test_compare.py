"""Recipes side by side: what is played is the engine itself, the spread is that over the seeds, files are complete."""

import csv
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from made_up_traces import eventful, two_bucket_config, uneventful
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.image import imread
from tuning.recipes import TEXT, write_recipe, write_rollouts

from curriculum_verl import cli
from curriculum_verl.curriculum import load_config
from curriculum_verl.palette import shades, style
from curriculum_verl.simulation.comparing import Compared, compare, remarks, side_by_side
from curriculum_verl.simulation.comparison_files import write
from curriculum_verl.simulation.comparison_picture import LONGEST, draw_comparison, picture_of
from curriculum_verl.simulation.labels import told_apart
from curriculum_verl.simulation.prompts import Prompts
from curriculum_verl.simulation.run import RunSettings, Trace, simulate
from curriculum_verl.simulation.setup import Setup
from curriculum_verl.simulation.worlds import invented_learner

QUICK = ["--steps", "60", "--prompts", "100", "--batch", "16", "--responses", "4"]
SETUP = Setup(RunSettings(5, 8, 4, 2, 50, 7, {"hard": 3}), learner={"learn_rate": 0.1, "transfer": 0.2, "forget": 0.3})


def of_traces(*traces: Trace) -> Compared:
    return Compared(two_bucket_config(), SETUP, dict(enumerate(traces)))


def made_up() -> dict[str, Compared]:
    """One that differs by its seeds, and one that does not."""
    return {
        "runs/a.yaml": of_traces(eventful(), eventful(0.2, stop=None), uneventful()),
        "runs/b.yaml": of_traces(uneventful(), uneventful(), uneventful()),
    }


def run(tmp_path: Path, *arguments: str) -> tuple[int, list[dict[str, str]], dict[str, Any]]:
    """Play; the picture, which takes its time, has tests of its own."""
    out = tmp_path / "out"
    with mock.patch("curriculum_verl.simulation.comparison_picture.draw_comparison", lambda _, path: path.touch()):
        code = cli.main(["compare", *arguments, *QUICK, "--out", str(out), "--overwrite"])
    with (out / "comparison.csv").open() as file:
        rows = list(csv.DictReader(file))
    return code, rows, json.loads((out / "comparison.json").read_text())


@pytest.fixture
def recipes(tmp_path: Path) -> list[str]:
    """The same but for the step at which the first stage ends, and one whose second stage is never reached."""
    texts = [TEXT, TEXT.replace("at_least: 30", "at_least: 20"), TEXT.replace("at_least: 30", "at_least: 3000")]
    return [str(write_recipe(tmp_path / name, text)) for name, text in zip("abc", texts, strict=True)]


# What is played


def test_what_is_compared_is_what_the_engine_does(recipes: list[str], tmp_path: Path) -> None:
    code, rows, document = run(tmp_path, *recipes, "--seeds", "2", "--seed", "3", "--validation-trials", "70")
    assert code == 0
    config = load_config(recipes[0], ["easy", "hard"])
    for seed in (0, 1):
        world = invented_learner({"easy": 100, "hard": 100}, 3)
        trace = simulate(dataclasses.replace(config, seed=seed), world, RunSettings(60, 16, 4, 10, 70, 3 + seed))
        found = document["recipes"][0]["seeds"][seed]
        assert [(t["step"], t["kind"]) for t in found["transitions"]] == [(t.step, t.kind) for t in trace.transitions]
        assert found["measured"]["prompts"] == dict(zip(trace.buckets, trace.prompts.sum(axis=0).tolist(), strict=True))
        told = {
            (r["measure"], r["of"]): r["value"] for r in rows if r["recipe"] == recipes[0] and r["seed"] == f"{seed}"
        }
        assert float(told["pass rate at the end", "hard"]) == trace.pass_rates[-1, 1]
        assert float(told["entered after step", "second"]) == trace.transitions[0].step
    setup = document["recipes"][0]["setup"]
    assert (setup["validate_every"], setup["validation_trials"]) == (10, 70)
    assert (setup["steps"], setup["batch"], setup["responses"], setup["seed"], setup["learns"]) == (60, 16, 4, 3, True)


def test_a_seed_is_that_of_the_recipe_too_and_prompts_stay() -> None:
    config = load_config({"seed": 5, "stages": [{"name": "a", "mix": {"easy": 1.0}}]})
    setup = Setup(RunSettings(2, 10, 4, seed=11))
    seen = []

    class Watched(Prompts):
        def world(self, pass_threshold: float, setup: Setup) -> Any:
            world = super().world(pass_threshold, setup)
            seen.append(world)
            return world

    compared = compare({"r": config}, Watched({"easy": 50}), {"r": setup}, range(2))
    assert (seen[0].offset == seen[1].offset).all(), "the prompts are the same"
    for seed in (0, 1):
        world = invented_learner({"easy": 50}, 11)
        trace = simulate(dataclasses.replace(config, seed=5 + seed), world, RunSettings(2, 10, 4, seed=11 + seed), None)
        assert (trace.pass_rates == compared["r"].traces[seed].pass_rates).all()
    world = invented_learner({"easy": 50}, 11)
    other = simulate(config, world, RunSettings(2, 10, 4, seed=12), None)
    assert (other.pass_rates != compared["r"].traces[1].pass_rates).any(), "the recipe's own seed counts"


def test_every_recipe_is_played_on_the_same_prompts_and_answers(recipes: list[str], tmp_path: Path) -> None:
    _, _, document = run(tmp_path, recipes[0], str(write_recipe(tmp_path / "copy")), "--seeds", "2")
    one, other = document["recipes"]
    assert one["seeds"] == other["seeds"]
    assert one["seeds"][0]["measured"] != one["seeds"][1]["measured"]


@pytest.mark.parametrize(("flag", "value"), [("--learn-rate", "0"), ("--transfer", "3"), ("--forget", "0.5")])
def test_the_learner_is_the_one_that_is_asked_for(flag: str, value: str, recipes: list[str], tmp_path: Path) -> None:
    ends = []
    for more in ([], [flag, value]):
        _, _, document = run(tmp_path, recipes[0], "--seeds", "1", *more)
        ends.append(document["recipes"][0])
    assert ends[1]["setup"][flag[2:].replace("-", "_")] == float(value)
    measured = [end["seeds"][0]["measured"]["pass rate at the end"] for end in ends]
    assert measured[0] != measured[1]


def test_rollouts_are_where_the_learner_starts_unless_as_logged(recipes: list[str], tmp_path: Path) -> None:
    log = str(write_rollouts(tmp_path / "log"))
    ends = []
    for more in ([], ["--as-logged"]):
        _, _, document = run(tmp_path, recipes[0], "--rollouts", log, "--seeds", "1", *more)
        assert document["recipes"][0]["setup"]["learns"] is not bool(more)
        ends.append(document["recipes"][0]["seeds"][0]["measured"]["pass rate at the end"])
    assert ends[0]["hard"] > 0.3
    assert ends[1] == pytest.approx({"easy": 0.75, "hard": 0.25})


def test_recipes_with_thresholds_of_their_own_have_pass_rates_of_their_own(tmp_path: Path) -> None:
    log = str(write_rollouts(tmp_path / "log"))
    easy = TEXT.replace("curriculum:\n", "curriculum:\n  pass_threshold: -1.0\n")
    recipes = [str(write_recipe(tmp_path / "half")), str(write_recipe(tmp_path / "all", easy))]
    _, _, document = run(tmp_path, *recipes, "--rollouts", log, "--seeds", "2", "--as-logged")
    for recipe, hard in zip(document["recipes"], (0.25, 1.0), strict=True):
        ends = [seed["measured"]["pass rate at the end"]["hard"] for seed in recipe["seeds"]]
        assert ends == pytest.approx([hard, hard])


def test_each_recipe_is_the_run_that_it_asks_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = TEXT.replace("trainer: {total_epochs: 3}", "trainer: {total_training_steps: 6}\ndata: {train_batch_size: 5}")
    small = write_recipe(tmp_path / "small", text.replace("  replay_floor", "  group_size: {easy: 3}\n  replay_floor"))
    usual = write_recipe(tmp_path / "usual")
    command = ["compare", str(small), str(usual), "--seeds", "1", "--prompts", "50", "--out", str(tmp_path / "out")]
    assert cli.main(command) == 0
    out = capsys.readouterr().out
    assert (
        f"{small}\n  run: steps 6 (recipe.yaml), prompts a step 5 (recipe.yaml), responses a prompt 8 (default)" in out
    )
    assert f"{usual}\n  run: steps 300 (default), prompts a step 64 (default)" in out
    found = json.loads((tmp_path / "out" / "comparison.json").read_text())["recipes"]
    assert found[0]["setup"]["group_size"] == {"easy": 3}
    assert found[0]["seeds"][0]["measured"]["all tokens"] == {"": 6 * 5 * 3 * 256}
    assert found[1]["seeds"][0]["measured"]["steps"] == {"": 300}


def test_recipes_over_different_data_are_not_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipes = []
    for number in (1, 2):
        manifest, recipe = tmp_path / f"m{number}.json", tmp_path / f"r{number}.yaml"
        data = {"version": 1, "ids_hash": f"{number}", "buckets": [{"name": "easy", "prompts": 9}]}
        manifest.write_text(json.dumps(data))
        recipe.write_text(f"curriculum:\n  data: {manifest}\n  stages: [{{name: a, mix: {{easy: 1.0}}}}]\n")
        recipes.append(str(recipe))
    command = ["compare", *recipes, "--steps", "2", "--seeds", "1"]
    assert cli.main(command) == 1
    assert "got recipes with different data" in capsys.readouterr().err
    assert cli.main([*command, "--buckets", "easy"]) == 0


# What is told


def test_the_table_has_means_and_the_spread_over_the_seeds() -> None:
    assert (
        side_by_side(made_up())
        == """\
                                   a.yaml                   b.yaml
-------------------------------------------------------------------------
steps                              4.667 (4 to 5)           4
stage 2 after step                 second: 2, 2 of 3 seeds  second: never
stage 3 after step                 third: never             third: never
rollbacks                          0.667 (0 to 1)           0
alerts                             1.333 (0 to 2)           0
forgetting alarms                  1.333 (0 to 2)           0
prompts of easy                    24 (16 to 28)            16
prompts of hard                    13.3 (12 to 16)          16
tokens of easy                     2,400 (1,600 to 2,800)   1,600
tokens of hard                     3,867 (3,600 to 4,400)   4,400
pass rate at the end of easy       0.767 (0.700 to 0.800)   0.700
pass rate at the end of hard       0.700 (0.500 to 0.900)   0.500
all tokens                         6,267 (6,000 to 6,400)   6,000
mean pass rate at the end          0.733 (0.600 to 0.850)   0.600
tokens to a mean pass rate of 0.5  3,400 (3,000 to 3,600)   3,000
tokens to a mean pass rate of 0.7  6,400, 2 of 3 seeds      never
tokens to a mean pass rate of 0.9  never                    never"""
    )


def test_stages_that_only_one_recipe_has_are_a_dash_for_the_others() -> None:
    config = load_config({"stages": [{"name": "only", "mix": {"easy": 0.5, "hard": 0.5}}]})
    table = side_by_side({"a": of_traces(eventful()), "b": Compared(config, SETUP, {0: uneventful()})})
    assert next(line for line in table.splitlines() if line.startswith("stage 2")).split() == [
        *("stage", "2", "after", "step", "second:", "2", "-")
    ]
    assert "stage 2" not in side_by_side({"b": Compared(config, SETUP, {0: uneventful()})})


def test_what_was_warned_of_is_told_once_with_its_seeds() -> None:
    assert remarks(made_up()) == [
        "a.yaml: warning: metric reward/coherence is unknown (in 2 of 3 seeds)",
        "a.yaml: forgetting: bucket easy (in 2 of 3 seeds, first at step 3)",
        "a.yaml: alert stuck (in 2 of 3 seeds, first at step 4)",
        "a.yaml: stopped (in 1 of 3 seeds, first at step 5)",
    ]
    assert remarks({"a": of_traces(eventful(stop=None))})[0].endswith("(in 1 of 1 seed)")


def test_an_advance_is_no_rollback_and_of_several_seeds_the_earliest_is_told() -> None:
    late = dataclasses.replace(eventful(), transitions=eventful().transitions[:1], alarms=((4, "hard"),))
    early = dataclasses.replace(late, alarms=((2, "hard"), (3, "hard")))
    compared = {"a": of_traces(late, early, late)}
    assert next(line for line in side_by_side(compared).splitlines() if line.startswith("rollbacks")).split()[1] == "0"
    assert "a: forgetting: bucket hard (in 3 of 3 seeds, first at step 2)" in remarks(compared)


def test_a_metric_that_is_never_known_is_warned_of_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = TEXT.replace("exit: {metric: stage/steps, at_least: 25}", "exit: {metric: reward/coherence, above: 0.5}")
    _, _, document = run(tmp_path, str(write_recipe(tmp_path, text)), "--seeds", "1", "--steps", "120")
    out = capsys.readouterr().out
    assert "Means over 1 seed, with" in out
    warnings = document["recipes"][0]["seeds"][0]["warnings"]
    assert any("reward/coherence" in warning for warning in warnings)
    assert f"recipe.yaml: warning: {warnings[0]} (in 1 of 1 seed" in out


def test_what_is_played_on_is_said_first(
    recipes: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, *recipes, "--seeds", "3")
    out = capsys.readouterr().out
    assert out.splitlines()[:3] == [
        "prompts: invented, screened with 8 responses each; easiest bucket first: easy (100), hard (100)",
        "tokens: 256 a response, as nothing is generated",
        "model: a learner",
    ]
    assert "Means over 3 seeds, with the least and the greatest." in out
    assert out.splitlines()[-3:] == [
        f"written: {tmp_path / 'out'}/comparison.{kind}" for kind in ("json", "csv", "png")
    ]


@pytest.mark.parametrize(
    ("recipes", "labels"),
    [
        (["a/b/x.yaml"], ["x.yaml"]),
        (["a/b/x.yaml", "a/b/y.yaml"], ["x.yaml", "y.yaml"]),
        (["/one/of/many/recipe.yaml", "/two/of/many/recipe.yaml"], ["one", "two"]),
        (["a/x/r.yaml", "a/y/r.yaml", "b/y/r.yaml"], ["a/x", "a/y", "b/y"]),
        (["x/r.yaml", "x/sub/r.yaml"], ["r.yaml", "sub/r.yaml"]),
        (["\u202ea.yaml", "b.yaml"], ["\\u202ea.yaml", "b.yaml"]),
    ],
)
def test_recipes_are_named_by_what_tells_them_apart(recipes: list[str], labels: list[str]) -> None:
    assert told_apart(recipes) == labels


# Files


def test_the_document_has_everything_by_recipe_and_seed(tmp_path: Path) -> None:
    assert write(made_up(), tmp_path / "new") == ["comparison.json", "comparison.csv", "comparison.png"]
    found = json.loads((tmp_path / "new" / "comparison.json").read_text())["recipes"]
    assert [(one["recipe"], len(one["seeds"])) for one in found] == [("runs/a.yaml", 3), ("runs/b.yaml", 3)]
    first = found[0]
    assert first["stages"] == ["first", "second", "third"]
    assert first["buckets"] == ["easy", "hard"]
    assert first["setup"] == {
        **{"steps": 5, "batch": 8, "responses": 4, "validate_every": 2, "validation_trials": 50, "seed": 7},
        **{"group_size": {"hard": 3}, "learn_rate": 0.1, "transfer": 0.2, "forget": 0.3, "learns": True},
    }
    assert first["seeds"][0] == {
        "seed": 0,
        "measured": {
            "steps": {"": 5},
            "entered after step": {"second": 2, "third": None},
            "rollbacks": {"": 1},
            "alerts": {"": 2},
            "forgetting alarms": {"": 2},
            "prompts": {"easy": 28, "hard": 12},
            "tokens": {"easy": 2800, "hard": 3600},
            "pass rate at the end": {"easy": 0.8, "hard": 0.7},
            "all tokens": {"": 6400},
            "mean pass rate at the end": {"": 0.75},
            "tokens to a mean pass rate": {"0.5": 3600, "0.7": 6400, "0.9": None},
        },
        "transitions": [
            {
                "step": 2,
                "kind": "advance",
                "source": "first",
                "target": "second",
                "reason": "stage/steps at_least 2 (2)",
            },
            {"step": 4, "kind": "rollback", "source": "second", "target": "first", "reason": "dropped by 0.08"},
        ],
        "warnings": ["metric reward/coherence is unknown"],
        "alerts": [
            {"step": 4, "name": "stuck", "reason": "stage/steps at_least 2 (2)"},
            {"step": 5, "name": "stuck", "reason": "stage/steps at_least 2 (3)"},
        ],
        "forgetting": [{"step": 3, "bucket": "easy"}, {"step": 4, "bucket": "easy"}],
        "stop": "enough",
    }
    assert first["seeds"][1]["stop"] is None


def test_the_rows_are_the_numbers_of_the_document(tmp_path: Path) -> None:
    write(made_up(), tmp_path / "new")
    with (tmp_path / "new" / "comparison.csv").open(newline="") as file:
        rows = [tuple(row) for row in csv.reader(file)]
    assert rows[0] == ("recipe", "seed", "measure", "of", "value")
    expected = [
        (one["recipe"], str(seed["seed"]), measure, of, "" if value is None else str(value))
        for one in json.loads((tmp_path / "new" / "comparison.json").read_text())["recipes"]
        for seed in one["seeds"]
        for measure, values in seed["measured"].items()
        for of, value in values.items()
    ]
    assert rows[1:] == expected
    assert ("runs/a.yaml", "0", "entered after step", "third", "") in rows


def test_a_name_that_a_spreadsheet_takes_for_a_formula_is_marked_as_text(tmp_path: Path) -> None:
    block = {
        "stages": [
            {"name": "first", "mix": {"@hard": 1.0}, "exit": {"metric": "stage/steps", "at_least": 1}},
            {"name": '=HYPERLINK("x")', "mix": {"@hard": 1.0}},
        ]
    }
    trace = simulate(load_config(block), invented_learner({"@hard": 9}, 0), RunSettings(3, 4, 2), None)
    write({"=cmd.yaml": Compared(load_config(block), SETUP, {0: trace})}, tmp_path / "new")
    with (tmp_path / "new" / "comparison.csv").open(newline="") as file:
        cells = {cell for row in csv.reader(file) for cell in row}
    assert not any(cell.startswith(("=", "@")) for cell in cells)
    assert {"'=cmd.yaml", "'@hard", '\'=HYPERLINK("x")'} <= cells


def test_a_folder_that_is_used_is_refused_before_anything_is_played(
    recipes: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "comparison.csv").write_text("mine")
    command = ["compare", recipes[0], "--seeds", "1", *QUICK, "--out", str(out)]
    with monkeypatch.context() as patched:
        patched.setattr("curriculum_verl.simulation.comparing.simulate", None)
        assert cli.main(command) == 1
    assert "holds comparison.csv; expected a new or empty folder" in capsys.readouterr().err
    assert (out / "comparison.csv").read_text() == "mine"
    assert cli.main([*command, "--overwrite"]) == 0
    assert sorted(file.name for file in out.iterdir()) == ["comparison.csv", "comparison.json", "comparison.png"]
    assert (out / "comparison.csv").read_text().startswith("recipe,seed")


def test_where_nothing_can_be_written_nothing_is_played(
    recipes: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("curriculum_verl.simulation.comparing.simulate", None)
    (tmp_path / "file").write_text("")
    assert cli.main(["compare", recipes[0], "--out", str(tmp_path / "file" / "deeper")]) == 1
    err = capsys.readouterr().err
    assert "file" in err
    assert "Traceback" not in err


def test_without_out_nothing_is_written(recipes: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.chdir(tmp_path)
    assert cli.main(["compare", recipes[0], "--seeds", "1", *QUICK]) == 0
    assert sorted(tmp_path.rglob("*")) == before


# The picture


def bars_at(axes: Axes, row: float) -> list[tuple[float, float, str]]:
    """Where the bars of a row begin, how long they are, and their colours."""
    found = [bar for bar in axes.patches if bar.get_y() + bar.get_height() / 2 == pytest.approx(row)]
    return [(bar.get_x(), bar.get_width(), to_hex(bar.get_facecolor())) for bar in found]


def test_the_picture_has_a_bar_for_each_time_in_a_stage_and_a_mark_for_each_rollback() -> None:
    timelines, _, _ = picture_of(made_up()).axes
    first, second, _ = shades(3)
    assert bars_at(timelines, 0) == bars_at(timelines, 1) == [(0, 2, first), (2, 2, second), (4, 1, first)]
    for row in (2, 4, 5, 6):
        assert bars_at(timelines, row) == [(0, 4, first)]
    assert len(timelines.patches) == 3 + 3 + 4
    marks = [tuple(point) for line in timelines.lines for point in line.get_xydata().tolist()]
    assert marks == [(4, 0), (4, 1)]
    assert {line.get_marker() for line in timelines.lines} == {"<"}
    assert [tick.get_text() for tick in timelines.get_yticklabels()] == ["a.yaml", "b.yaml"]
    assert list(timelines.get_yticks()) == [1, 5]
    assert [(text.get_text(), text.get_position()) for text in timelines.texts] == [
        ("first", (1, 0)),
        ("second", (3, 0)),
        ("first", (4.5, 0)),
        ("first", (2, 4)),
    ]
    assert timelines.get_xlim() == (0, 5)


def test_the_picture_has_the_mean_over_the_seeds_and_a_band_as_wide_as_they_differ() -> None:
    compared = {"a": of_traces(eventful(), eventful(0.2)), "b": of_traces(uneventful())}
    _, curve, _ = picture_of(compared).axes
    spent = np.concatenate([[0], np.cumsum(eventful().tokens.sum(axis=1))])
    rates = (eventful().pass_rates.mean(axis=1) + eventful(0.2).pass_rates.mean(axis=1)) / 2
    drawn = curve.lines[0].get_xydata()
    assert drawn[:, 0] == pytest.approx(np.linspace(0, 6400, len(drawn)))
    assert drawn[:, 1] == pytest.approx(np.interp(drawn[:, 0], spent, rates))
    assert drawn[-1, 1] == pytest.approx(0.8)
    band = curve.collections[0].get_paths()[0].vertices
    at_end = band[np.isclose(band[:, 0], 6400)][:, 1]
    assert (at_end.min(), at_end.max()) == pytest.approx((0.75, 0.85))
    assert curve.lines[1].get_xydata()[-1].tolist() == pytest.approx([6000, 0.6])
    assert [line.get_label() for line in curve.lines] == ["a", "b"]
    looks = [style(place, 2) for place in (0, 1)]
    assert [to_hex(line.get_color()) for line in curve.lines] == [look.colour.lower() for look in looks]


def test_the_picture_has_the_pass_rates_at_the_end_with_their_reach() -> None:
    _, _, bars = picture_of({"a": of_traces(eventful(), eventful(0.2)), "b": of_traces(uneventful())}).axes
    assert [bar.get_height() for bar in bars.patches] == pytest.approx([0.8, 0.8, 0.7, 0.5])
    places = [bar.get_x() + bar.get_width() / 2 for bar in bars.patches]
    assert places == pytest.approx([-0.2, 0.8, 0.2, 1.2])
    assert [to_hex(bar.get_facecolor()) for bar in bars.patches[::2]] == [style(n, 2).colour.lower() for n in (0, 1)]
    reach = [segment.tolist() for segment in bars.collections[0].get_segments()]
    assert np.array(reach) == pytest.approx(np.array([[[-0.2, 0.8], [-0.2, 0.8]], [[0.8, 0.7], [0.8, 0.9]]]))
    assert [tick.get_text() for tick in bars.get_xticklabels()] == ["easy", "hard"]


def test_long_names_keep_both_ends_and_are_numbered_where_they_are_still_alike() -> None:
    names = [f"{start}/{'x' * 40}/{end}" for start, end in (("a", "r.yaml"), ("b", "r.yaml"), ("a", "s.yaml"))]
    compared = {name: of_traces(uneventful()) for name in names}
    labels = [tick.get_text() for tick in picture_of(compared).axes[0].get_yticklabels()]
    assert len(set(labels)) == 3
    assert labels[0].startswith("a/x")
    assert labels[0].endswith("x/r.yaml")
    assert all(len(label) <= LONGEST + 1 for label in labels)
    alike = {f"{'x' * 30}{middle}{'x' * 30}": of_traces(uneventful()) for middle in "ab"}
    labels = [tick.get_text() for tick in picture_of(alike).axes[0].get_yticklabels()]
    assert [label[:3] for label in labels] == ["1: ", "2: "]


def test_the_picture_is_written_whatever_the_names(tmp_path: Path) -> None:
    odd = dataclasses.replace(uneventful(), buckets=("$\\frac{$", "<b>"))
    draw_comparison({"$x_{ <b>\u202e.yaml": of_traces(odd), "other": of_traces(odd)}, tmp_path / "picture.png")
    assert imread(tmp_path / "picture.png").shape[0] > 500


# What is refused


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{a}", "--as-logged"], "--as-logged: needs --rollouts"),
        (["{a}", "--out", "{a}"], "is a file, expected a folder"),
        (["{a}", "--overwrite"], "--overwrite: needs --out"),
        (["{a}", "--seeds", "0"], "expected a whole number of at least 1"),
        ([], "RECIPE"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_refused(
    arguments: Sequence[str], message: str, recipes: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["compare", *(argument.format(a=recipes[0]) for argument in arguments)])
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_all_mistakes_of_all_recipes_are_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = write_recipe(tmp_path / "a", TEXT.replace("above: 0.99", "abov: 1").replace("hard: 0.75", "hard: 7"))
    other = write_recipe(tmp_path / "b", TEXT.replace("replay_floor: 0.1", "replay_flor: 0.1"))
    assert cli.main(["compare", str(wrong), str(other), str(write_recipe(tmp_path / "c"))]) == 1
    err = capsys.readouterr().err
    assert f"{wrong}: " in err
    assert f"{other}: 1 problem" in err
    assert "unknown key 'abov'" in err
    assert "got 7" in err
    assert "replay_flor" in err
