"""The pictures of what was learned: a line for every arm, of the runs that are kept and of no others."""

from pathlib import Path

import msgspec
import pytest
from PIL import Image

DOCS = Path(__file__).resolve().parents[2] / "docs"


def drawn_of(path: Path) -> str:
    """The mark of the curves that a picture was drawn of."""
    with Image.open(path) as image:
        return image.text["curves"]


def test_a_picture_is_drawn_where_it_is_shown(learning, made_up, tmp_path):
    setting, picture = learning("settings").SETTINGS["skew"], learning("picture")
    runs = {"uniform_16x4": {0: one_run(learning, made_up, 0.4)}, "posterior": {0: one_run(learning, made_up, 0.8)}}
    assert picture.drawn(setting, runs, tmp_path / "images").endswith("](images/learning_skew.png)")
    assert drawn_of(tmp_path / "images" / "learning_skew.png") == picture.mark(runs)
    other = runs | {"posterior": {0: one_run(learning, made_up, 0.9)}}
    assert picture.mark(other) != picture.mark(runs)


def one_run(learning, made_up, end: float):
    """With what is easiest on skew as its only level."""
    curve = made_up(0.1, end, end)
    return msgspec.structs.replace(curve, accuracy={"digits_3": next(iter(curve.accuracy.values()))})


@pytest.mark.parametrize("name", ["main", "skew", "noisy", "kinds"])
def test_the_pictures_of_the_page_are_of_the_runs_that_are_kept(learning, name):
    lines = (DOCS / "learning_runs.jsonl").read_bytes().splitlines()
    runs = [msgspec.json.decode(line, type=learning("records").Record) for line in lines]
    arms = [arm for arm in learning("arms").read_arms() if any((run.setting, run.arm) == (name, arm) for run in runs)]
    curves = {arm: {run.seed: run.curve for run in runs if (run.setting, run.arm) == (name, arm)} for arm in arms}
    assert drawn_of(DOCS / "images" / f"learning_{name}.png") == learning("picture").mark(curves)
    assert f"](images/learning_{name}.png)" in (DOCS / "benchmarks.md").read_text()
