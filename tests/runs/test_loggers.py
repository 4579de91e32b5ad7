"""What people see in W&B and TensorBoard, read back from what verl's own trackers wrote."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from offline_wandb import history

pytest.importorskip("verl")
pytest.importorskip("wandb")
STAGES = [0, 1, 1, 0, 0, 0]
SCRIPT = Path(__file__).with_name("tracked_run.py")
DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that was told to every tracker."""
    folder = tmp_path_factory.mktemp("tracked")
    offline = {"WANDB_MODE": "offline", "WANDB_DIR": str(folder), "WANDB_SILENT": "true", "WANDB__DISABLE_STATS": "1"}
    done = subprocess.run(
        [sys.executable, str(SCRIPT)], cwd=folder, env=os.environ | offline, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def rows(tracked: Path) -> dict[int, dict[str, Any]]:
    """W&B's rows by step."""
    return {row["_step"]: row for row in history(tracked)}


def test_wandb_shows_the_stage_at_every_step_and_its_name_when_it_switches(rows: dict[int, dict[str, Any]]) -> None:
    assert sorted(rows) == [1, 2, 3, 4, 5, 6]
    assert [rows[step]["curriculum/stage"] for step in rows] == STAGES
    assert [rows[step]["curriculum/stage/warm up"] for step in rows] == [1 - stage for stage in STAGES]
    names = {step: row["curriculum/stage_name"] for step, row in rows.items() if "curriculum/stage_name" in row}
    assert names == {1: "warm up", 2: "all", 4: "warm up"}


def test_wandb_shows_events_their_reasons_and_what_they_cost(rows: dict[int, dict[str, Any]]) -> None:
    events = {(step, name) for step, row in rows.items() for name in row if name.startswith("curriculum/event/")}
    assert events == {
        (2, "curriculum/event/advance"),
        (4, "curriculum/event/rollback"),
        (5, "curriculum/event/alert/kl"),
    }
    reasons = {step: row["curriculum/reason"] for step, row in rows.items() if "curriculum/reason" in row}
    assert reasons[2].startswith("advance from warm up to all: stage/steps")
    assert reasons[4] == "rollback from all to warm up: score 0.75 -> 0.375: -0.375 is below -0.2"
    assert reasons[5] == "alert kl in stage warm up: actor/ppo_kl above 0.2 (0.5)"
    assert [rows[step]["curriculum/rollbacks"] for step in rows] == [0, 0, 0, 1, 1, 1]
    drops = {step: row["curriculum/performance_drop"] for step, row in rows.items() if step >= 4}
    assert drops == {4: -0.375, 5: -0.375, 6: -0.375}
    assert [rows[step]["curriculum/alert/kl"] for step in rows] == [0, 0, 0, 0, 1, 0]


def test_tensorboard_shows_the_same(tracked: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    [folder] = {path.parent for path in tracked.rglob("events.out.tfevents.*")}
    board = EventAccumulator(str(folder))
    board.Reload()
    assert [event.value for event in board.Scalars("curriculum/stage")] == STAGES
    for event, step in (("advance", 2), ("rollback", 4), ("alert/kl", 5)):
        assert [point.step for point in board.Scalars(f"curriculum/event/{event}")] == [step]
    reasons = board.Tensors("curriculum/reason/text_summary")
    assert [point.step for point in reasons] == [2, 4, 5]
    assert b"score 0.75 -> 0.375" in reasons[1].tensor_proto.string_val[0]
    assert [point.step for point in board.Tensors("curriculum/stage_name/text_summary")] == [1, 2, 4]


def test_the_chart_of_the_docs_draws_what_wandb_has(rows: dict[int, dict[str, Any]]) -> None:
    """It names fields as `${field:...}`; the table above it says which key of the run each of them is."""
    page = (DOCS / "ALERTS_AND_LOGGERS.md").read_text()
    [chart] = [code for code in re.findall(r"```json\n(.*?)```", page, re.DOTALL) if "vega-lite" in code]
    assert json.loads(chart)["layer"]
    keys = dict(re.findall(r"^\| `(\w+)` \| `([\w/]+)` \| `[\w/]+` \|$", page, re.MULTILINE))
    assert set(re.findall(r"\$\{field:(\w+)\}", chart)) == keys.keys() == {"step", "stage", "score"}
    complete = [step for step, row in rows.items() if set(keys.values()) <= row.keys()]
    assert complete == [2, 4, 6], "the steps with a validation"


def test_every_name_of_the_docs_is_logged(rows: dict[int, dict[str, Any]]) -> None:
    page = (DOCS / "ALERTS_AND_LOGGERS.md").read_text()
    [section] = re.findall(r"^\| known elsewhere as .*?\n\n", page, re.DOTALL | re.MULTILINE)
    ours = [name for row in section.strip().splitlines()[2:] for name in re.findall(r"`([^`]+)`", row.split("|")[2])]
    names = {name.replace("...", "curriculum/event").replace("/NAME", "") for name in ours} - {
        "curriculum/event/forgetting"  # no bucket is forgotten in this run
    }
    logged = {name for row in rows.values() for name in row}
    assert len(names) >= 10
    for name in names:
        assert any(given == name or given.startswith(name + "/") for given in logged), name
