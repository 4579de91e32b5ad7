from pathlib import Path
from typing import Any

import pytest
from monitor import made_up

pytest.importorskip("gradio")

from curriculum_verl.monitor.runs import open_runs
from curriculum_verl.monitor.updates import NONE, TABS, Updates
from curriculum_verl.monitor.watch import Watch

PARTS = ("pictures", "standing", "exits", "events", "table", "metric", "seen")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return made_up.write_run(tmp_path / "run", 20)


@pytest.fixture
def updates(path: Path) -> Updates:
    return Updates(Watch(open_runs([path.parent], [], None)))


def told(answer: tuple[Any, ...]) -> set[str]:
    """The parts of the page that an answer changes."""
    return {name for name, part in zip(PARTS, answer, strict=True) if part != {"__type__": "update"}}


def test_nothing_is_told_twice(updates: Updates, path: Path) -> None:
    first = updates([], 20, 0, "overview", "", None, None)
    assert told(first) == {"pictures", "standing", "exits", "seen"}
    assert told(updates([], 20, 0, "overview", "", None, first[-1])) == set()
    with path.open("ab") as file:
        file.write(made_up.line("step", 21, stage="everything", exit=[], metrics={"actor/ppo_kl": 0.1})[:-1])
    assert told(updates([], 20, 0, "overview", "", None, first[-1])) == set()  # half a line
    with path.open("ab") as file:
        file.write(b"\n")
    assert told(updates([], 20, 0, "overview", "", None, first[-1])) == {"pictures", "standing", "exits", "seen"}


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        (([], 5, 0, "overview", "", None), {"pictures", "exits", "seen"}),
        (([], 20, 100, "overview", "", None), {"pictures", "exits", "seen"}),
        (([], 20, 0, "training", "", None), {"pictures", "seen"}),
        (([], 20, 0, "curriculum", "", None), {"pictures", "events", "seen"}),
        (([], 20, 0, "trajectories", "", None), {"seen"}),
        (([], 20, 0, "metrics", "kl", "actor/ppo_kl"), {"pictures", "table", "metric", "seen"}),
        (([], 20, 0, "no such tab", "", None), set()),
    ],
)
def test_every_control_changes_what_its_tab_shows(updates: Updates, given: tuple[Any, ...], parts: set[str]) -> None:
    first = updates([], 20, 0, "overview", "", None, None)
    assert told(updates(*given, first[-1])) == parts


def test_without_a_run_that_is_checked_nothing_is_shown(path: Path, tmp_path: Path) -> None:
    made_up.write_run(tmp_path / "other", 5)
    updates = Updates(Watch(open_runs([path.parent, tmp_path / "other"], [], None)))
    for tab in ("overview", "metrics", "curriculum"):
        answer = dict(zip(PARTS, updates([], 20, 0, tab, "", "actor/ppo_kl", None), strict=True))
        assert NONE in answer["standing"]
        assert NONE in answer["pictures"]
        assert "bdata" not in answer["pictures"]
        assert '"data":[{' not in answer["pictures"]
        assert NONE in answer["events"]
    both = dict(zip(PARTS, updates(["run", "other"], 20, 0, "overview", "", None, None), strict=True))
    assert NONE not in both["standing"]
    assert '"data":[{' in both["pictures"]


def test_every_chart_has_a_tab(updates: Updates) -> None:
    shown = [name for tab in ("overview", "training", "curriculum") for name in TABS[tab]]
    assert sorted(shown) == sorted(TABS["export"])
