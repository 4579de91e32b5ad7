"""What a checkpoint that is loaded does with the curriculum; whole runs are in tests/integration."""

import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("verl")
from made_up_runs import make

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from curriculum_verl.verl_plugin import checkpoints
    from curriculum_verl.verl_plugin.checkpoints import CheckpointMixin


def test_a_curriculum_that_begins_on_a_checkpoint_without_one_begins_at_its_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "clear_in_flight", lambda: 0)
    resumed: Any = SimpleNamespace(
        global_steps=400,
        settings=SimpleNamespace(resume="force"),
        curriculum=make(advance={}, rollback=None, probation=None),
        _restored_tq_prompt_count=5,
    )
    CheckpointMixin._resume(resumed, tmp_path)
    assert resumed.curriculum.step == 400
    assert resumed._restored_tq_prompt_count == 0, "what was in flight was drawn by no curriculum"
    resumed.curriculum.observe(401)
    assert resumed.curriculum.metrics()["stage_steps"] == 1
