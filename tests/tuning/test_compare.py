"""Recipes side by side: what is played is the engine itself, the spread is that over the seeds, files are complete."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from tuning.recipes import TEXT, write_recipe, write_rollouts

from curriculum_verl import cli
from curriculum_verl.curriculum import load_config
from curriculum_verl.simulation.run import Settings, simulate
from curriculum_verl.simulation.worlds import invented_learner
from curriculum_verl.tuning.comparing import side_by_side

QUICK = ["--steps", "60", "--prompts", "100", "--batch", "16", "--responses", "4"]


def run(tmp_path: Path, *arguments: str) -> tuple[int, list[dict[str, str]], dict]:
    out = tmp_path / "out"
    code = cli.main(["compare", *arguments, *QUICK, "--out", str(out)])
    with (out / "comparison.csv").open() as file:
        rows = list(csv.DictReader(file))
    return code, rows, json.loads((out / "comparison.json").read_text())


@pytest.fixture
def recipes(tmp_path: Path) -> list[str]:
    """The same but for the step at which the first stage ends, and one whose second stage is never reached."""
    texts = [TEXT, TEXT.replace("at_least: 30", "at_least: 20"), TEXT.replace("at_least: 30", "at_least: 3000")]
    return [str(write_recipe(tmp_path / name, text)) for name, text in zip("abc", texts, strict=True)]


def test_what_is_compared_is_what_the_engine_does(recipes: list[str], tmp_path: Path) -> None:
    code, rows, document = run(tmp_path, *recipes, "--seeds", "2")
    assert code == 0
    world = invented_learner({"easy": 100, "hard": 100}, 0)
    trace = simulate(load_config(recipes[0], ["easy", "hard"]), world, Settings(60, 16, 4))
    first = document["recipes"][0]["seeds"][0]
    assert [(t["step"], t["kind"]) for t in first["transitions"]] == [(t.step, t.kind) for t in trace.transitions]
    assert first["measured"]["prompts"] == dict(zip(trace.buckets, trace.prompts.sum(axis=0).tolist(), strict=True))
    told = {(r["measure"], r["of"]): r["value"] for r in rows if r["recipe"] == recipes[0] and r["seed"] == "0"}
    assert float(told["pass rate at the end", "hard"]) == trace.pass_rates[-1, 1]
    assert float(told["entered after step", "second"]) == trace.transitions[0].step


def test_the_table_has_means_and_the_spread_over_the_seeds(
    recipes: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, rows, _ = run(tmp_path, *recipes, "--seeds", "3")
    out = capsys.readouterr().out
    assert "Means over 3 seeds" in out
    stages = next(line for line in out.splitlines() if line.startswith("stage 2 after step"))
    assert "second: 30" in stages
    assert "second: 20" in stages
    assert "second: never" in stages
    ends = [
        float(r["value"]) for r in rows if r["recipe"] == recipes[0] and r["measure"] == "mean pass rate at the end"
    ]
    assert len(set(ends)) == 3, "the seeds differ"
    assert f"{np.mean(ends):.3f} ({min(ends):.3f} to {max(ends):.3f})" in out
    assert {r["value"] for r in rows if r["recipe"] == recipes[2] and r["measure"] == "entered after step"} == {""}
    assert code == 0


def test_every_recipe_is_played_on_the_same_prompts_and_answers(recipes: list[str], tmp_path: Path) -> None:
    _, _, document = run(tmp_path, recipes[0], str(write_recipe(tmp_path / "copy")), "--seeds", "2")
    one, other = document["recipes"]
    assert one["seeds"] == other["seeds"]
    assert one["seeds"][0]["measured"] != one["seeds"][1]["measured"]


def test_rollouts_are_where_the_learner_starts_unless_as_logged(recipes: list[str], tmp_path: Path) -> None:
    log = str(write_rollouts(tmp_path / "log"))
    ends = []
    for more in ([], ["--as-logged"]):
        _, _, document = run(tmp_path, recipes[0], "--rollouts", log, "--seeds", "1", *more)
        ends.append(document["recipes"][0]["seeds"][0]["measured"]["pass rate at the end"])
    assert ends[0]["hard"] > 0.3
    assert ends[1] == pytest.approx({"easy": 0.75, "hard": 0.25})


def test_the_picture_shows_every_recipe_whatever_its_name(tmp_path: Path) -> None:
    odd = tmp_path / "$x_1$ <b>\u202e.yaml"
    write_recipe(tmp_path).rename(odd)
    code, _, _ = run(tmp_path, str(odd), str(Path(__file__).parents[2] / "examples" / "uniform.yaml"), "--seeds", "2")
    picture = imread(tmp_path / "out" / "comparison.png")
    assert code == 0
    assert picture.shape[0] > 500
    assert (picture[..., :3].min(axis=2) < 0.9).mean() > 0.1, "it is not empty"


def test_without_out_nothing_is_written(recipes: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.chdir(tmp_path)
    assert cli.main(["compare", recipes[0], "--seeds", "1", *QUICK]) == 0
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{a}", "--as-logged"], "--as-logged: needs --rollouts"),
        (["{a}", "--out", "{a}"], "is a file, expected a folder"),
        (["{a}", "--seeds", "0"], "expected a whole number of at least 1"),
        ([], "RECIPE"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_refused(
    arguments: list[str], message: str, recipes: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["compare", *(argument.format(a=recipes[0]) for argument in arguments)])
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_a_recipe_that_is_wrong_ends_it_with_all_its_mistakes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = write_recipe(tmp_path, TEXT.replace("above: 0.99", "abov: 1").replace("hard: 0.75", "hard: 7"))
    assert cli.main(["compare", str(wrong)]) == 1
    err = capsys.readouterr().err
    assert "unknown key 'abov'" in err
    assert "got 7" in err


def test_a_table_of_nothing_reached_says_never() -> None:
    from curriculum_verl.tuning.comparing import Compared

    config = load_config({"stages": [{"name": "a", "mix": {"easy": 1.0}}]})
    trace = simulate(config, invented_learner({"easy": 5}, 0), Settings(3, 4, 2), None)
    assert "stage 2" not in side_by_side({"x": Compared(config, {0: trace})})
