import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from offline_wandb import history
from sft.toy_sft import recipe, told

from curriculum_verl.sft.run import build_trainer
from curriculum_verl.sft.trackers import Trackers


def test_tensorboard_shows_the_stage_and_the_reasons_by_their_own_names(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorboard")
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "board"))
    trainer = build_trainer(
        recipe(toy, tmp_path / "run", "training.trackers=[tensorboard]", "training.max_steps=4", "training.log_every=1")
    )
    trainer.train()
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(tmp_path / "board"))
    board.Reload()
    stages = {event.step: event.value for event in board.Scalars("curriculum/stage")}
    assert stages == {1: 0, 2: 0, 3: 0, 4: 1}
    assert [event.step for event in board.Scalars("curriculum/event/advance")] == [3]
    assert "eval/hard_score" in board.Tags()["scalars"]
    assert "curriculum/reason/text_summary" in board.Tags()["tensors"]


@pytest.mark.slow  # failed twice in twelve runs on a loaded machine, for a reason not found yet
def test_an_offline_run_of_wandb_shows_stages_events_and_scores(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wandb = pytest.importorskip("wandb")
    for name, value in {"MODE": "offline", "DIR": str(tmp_path), "SILENT": "true", "_DISABLE_STATS": "1"}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    alert = "curriculum.alerts=[{name: late, metric: train/grad_norm, above: 0.0}]"
    more = ["training.trackers=[wandb]", "training.max_steps=5", "training.log_every=1", alert]
    trainer = build_trainer(recipe(toy, tmp_path / "run", *more))
    trainer.train()
    wandb.finish()
    by_step: dict[int, dict[str, object]] = {}
    for row in history(tmp_path):
        by_step.setdefault(int(row["train/global_step"]), {}).update(row)
    assert [by_step[step]["curriculum/stage"] for step in range(1, 6)] == [0, 0, 0, 1, 1]
    names = {step: row["curriculum/stage_name"] for step, row in by_step.items() if "curriculum/stage_name" in row}
    assert names == {1: "first", 3: "second"}
    assert [step for step, row in by_step.items() if "curriculum/event/advance" in row] == [3]
    assert str(by_step[3]["curriculum/reason"]).startswith("advance from first to second: ")
    assert {"curriculum/rollbacks", "eval/simple_score"} <= by_step[4].keys()
    assert [step for step, row in by_step.items() if "curriculum/event/alert/late" in row] == [2]
    [told_alert] = told(tmp_path / "run", "alert")
    assert (told_alert["step"], told_alert["name"]) == (2, "late"), "logged after step 1, looked at with step 2"


def test_wandb_gets_numbers_and_text_beside_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[dict[str, object]] = []
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(run=object(), log=logged.append))
    trackers = Trackers(["wandb"], [])
    trackers.log({"curriculum/stage": 1.0}, 7)
    trackers.log({"curriculum/reason": "because"}, 8, backend=("wandb", "file"))
    trackers.log({"x": 1}, 9, backend=("file",))
    assert logged == [
        {"curriculum/stage": 1.0, "train/global_step": 7},
        {"curriculum/reason": "because", "train/global_step": 8},
    ]


def test_without_trackers_nothing_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)  # an import would fail
    Trackers([], []).log({"curriculum/stage": 1.0}, 7)
    assert Trackers([], []).logger == {}
