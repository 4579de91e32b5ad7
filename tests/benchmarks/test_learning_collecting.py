"""Runs of several machines make one report."""

import subprocess
import sys
from pathlib import Path

import pytest

from curriculum_verl.errors import InputError

SCRIPT = Path(__file__).parent / "bench_learning.py"


@pytest.fixture
def collecting(learning, tmp_path, made_up):
    """Collect runs of `posterior` on main by their seeds; every one has this accuracy."""
    arms, records, task = learning("arms").read_arms(), learning("records"), learning("running").Task
    setting = learning("settings").SETTINGS["main"]

    def run(seed: int, accuracy: float) -> object:
        asked, made_of = task(setting, arms["posterior"], seed).asked, learning("preparing").made_of(setting)
        curve = made_up(accuracy, accuracy)
        return records.Record("main", "posterior", seed, asked, made_of, 1000, "- machine: one", curve)

    def collect(*own: tuple[int, float]) -> list[tuple[int, float]]:
        found = records.collect(tmp_path / "runs.jsonl", [run(*one) for one in own], arms)
        return [(record.seed, record.curve.accuracy["one"][0]) for record in found]

    return collect


def test_runs_of_several_folders_are_collected_and_ones_own_come_first(collecting, tmp_path):
    assert collecting((1, 0.5), (0, 0.5)) == [(0, 0.5), (1, 0.5)]
    assert collecting((1, 0.75), (2, 0.75)) == [(0, 0.5), (1, 0.75), (2, 0.75)]
    assert collecting() == [(0, 0.5), (1, 0.75), (2, 0.75)], "they are in the file"
    shown = subprocess.run(
        [sys.executable, SCRIPT, "--report", "--folder", tmp_path, "--collect", tmp_path / "runs.jsonl"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "- machine: one\n- runs: 3\n" in shown.stdout
    assert "| `posterior` | 3 | 0.67 | 0.67 | 0.67 | 0.67 |" in shown.stdout
    assert "Bucketing took 1,000 generated tokens" in shown.stdout


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("actor_rollout_ref.actor.optim.lr", "lr", "main, posterior, seed 1 ran with other settings than now (told)"),
        ('"held_out":48', '"held_out":49', "seed 1 ran with other settings than now (held_out)"),
        ('"arm":"posterior"', '"arm":"prior"', "there is no main or no prior any more"),
        ('"seed":1', '"seed":"one"', "is no run of this benchmark (Expected `int`, got `str` - at `$.seed`)"),
    ],
)
def test_what_was_collected_of_other_settings_is_refused(collecting, tmp_path, old, new, words):
    collecting((0, 0.5), (1, 0.5))
    path = tmp_path / "runs.jsonl"
    first, second = path.read_text().splitlines()
    assert old in second
    path.write_text(f"{first}\n{second.replace(old, new)}\n")
    before = path.read_bytes()
    with pytest.raises(InputError) as refused:
        collecting((0, 0.75))
    assert str(refused.value).startswith(f"{path}: line 2")
    assert words in str(refused.value)
    assert str(refused.value).endswith("; remove the line")
    assert path.read_bytes() == before
