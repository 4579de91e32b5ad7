"""What a checkpoint that is loaded does with the curriculum; whole runs are in tests/integration."""

import errno
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("verl")
from made_up_runs import make

from curriculum_verl.errors import InputError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from curriculum_verl.verl_plugin import checkpoints
    from curriculum_verl.verl_plugin.checkpoints import CheckpointMixin
    from curriculum_verl.verl_plugin.trainer import CurriculumMixin


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


@pytest.mark.parametrize(
    ("resumed", "kept"),
    [("global_step_2", True), ("stages/00_two/global_step_2", False), ("../other/stages/01_two/global_step_2", True)],
)
def test_a_stages_checkpoint_is_made_up_for_wherever_the_run_lies(tmp_path: Path, resumed: str, kept: bool) -> None:
    """A folder above the run may be called as that of the stages is."""
    root = tmp_path / "stages" / "run"
    folder = root / resumed
    (folder / "lora_adapter").mkdir(parents=True)
    (folder / "lora_adapter" / "adapter_config.json").touch()
    target = root / "stages" / "01_two" / "global_step_2"
    curriculum = SimpleNamespace(transitions=[SimpleNamespace(step=2)], config=SimpleNamespace(checkpoint_stages=True))
    trainer: Any = SimpleNamespace(
        global_steps=2, curriculum=curriculum, _root=root, _stage_folder=lambda: target, _finish=lambda into: None
    )
    CheckpointMixin._make_up_for_stage(trainer, folder)
    assert target.exists() == kept
    assert not (target / "lora_adapter").exists(), "it would be shared, and written over"


def test_a_second_run_in_the_same_folder_is_refused_before_it_touches_anything(tmp_path: Path) -> None:
    first, second = (SimpleNamespace(_root=tmp_path / "run") for _ in range(2))
    for trainer in (first, second):
        trainer._claim_folder = lambda trainer=trainer: CheckpointMixin._claim_folder(trainer)
    first._claim_folder()
    words = r"run: another run trains there; wait for it, or choose another trainer\.default_local_dir"
    with pytest.raises(InputError, match=words):
        CurriculumMixin._init_dataloader(second)
    assert [path.name for path in (tmp_path / "run").iterdir()] == [".lock"]
    first._lock.close()
    second._claim_folder()
    second._lock.close()


def test_a_folder_that_cannot_be_made_is_told_of_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(path: Path, *args: Any, **kwargs: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "mkdir", read_only)
    trainer: Any = SimpleNamespace(_root=tmp_path / "run")
    words = r"Read-only file system: '.*/run'; that disk cannot be written to: take another folder"
    with pytest.raises(InputError, match=words):
        CheckpointMixin._claim_folder(trainer)
