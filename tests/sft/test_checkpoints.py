import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from curriculum_verl.curriculum.decisions import Transition
from curriculum_verl.errors import InputError, StateError
from curriculum_verl.runs.stage_checkpoints import require_checkpoint
from curriculum_verl.sft.checkpoints import (
    best,
    checkpoints,
    damage,
    find_checkpoint,
    is_whole,
    mean_weights,
    seal,
    step_of,
    taken_back,
)
from curriculum_verl.sft.trainer import said_where


def make(root: Path, step: int, *, whole: bool = True, value: float = 0.0, name: str = "w") -> Path:
    folder = root / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    save_file({name: torch.full((2,), value, dtype=torch.bfloat16)}, folder / "model.safetensors")
    (folder / "curriculum.json").write_text("{}")
    (folder / "trainer_state.json").write_text(json.dumps({}) if whole else '{"half": ')
    return folder


def test_only_whole_checkpoints_count_and_by_number(tmp_path: Path) -> None:
    made = [make(tmp_path, step) for step in (9, 10, 100)]
    make(tmp_path, 101, whole=False)
    (make(tmp_path, 102) / "curriculum.json").unlink()
    (tmp_path / "checkpoint-best").mkdir()
    assert checkpoints(tmp_path) == made
    assert find_checkpoint(tmp_path, "auto") == made[-1]
    assert find_checkpoint(tmp_path, str(made[0])) == made[0]
    assert find_checkpoint(tmp_path / "new", "auto") is None
    assert find_checkpoint(tmp_path / "new", None) is None
    with pytest.raises(InputError, match="holds a run; go on with it by --resume"):
        find_checkpoint(tmp_path, None)
    with pytest.raises(InputError, match="expected a whole checkpoint"):
        find_checkpoint(tmp_path, str(tmp_path / "checkpoint-101"))


def sealed(root: Path, step: int) -> Path:
    folder = make(root, step)
    (folder / "optimizer.pt").write_bytes(b"moments")
    seal(folder)
    assert is_whole(folder)
    return folder


@pytest.mark.parametrize("name", ["optimizer.pt", "model.safetensors", "curriculum.json"])
def test_what_is_lost_after_it_was_written_is_missed(tmp_path: Path, name: str) -> None:
    folder = sealed(tmp_path, 5)
    (folder / name).unlink()
    assert damage(folder) == f"{name} is lost"
    with pytest.raises(InputError, match=f"{name} is lost; expected a whole checkpoint"):
        find_checkpoint(tmp_path, str(folder))


def test_what_is_cut_off_is_not_gone_on_from(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    earlier, later = sealed(tmp_path, 5), sealed(tmp_path, 10)
    (later / "optimizer.pt").write_bytes(b"mom")
    assert find_checkpoint(tmp_path, "auto") == earlier
    assert "checkpoint-10: is damaged and not gone on from: optimizer.pt has 3 bytes, expected 7" in caplog.text
    (later / "files.json").write_text('{"optimizer')
    assert "cannot be read" in str(damage(later))


@pytest.mark.parametrize("listed", ["[]", "7", '{"optimizer.pt": "7"}', '{"optimizer.pt": null}', '{"a": {}}'])
def test_a_list_of_files_that_is_none_is_damage(tmp_path: Path, listed: str) -> None:
    folder = sealed(tmp_path, 5)
    (folder / "files.json").write_text(listed)
    assert "expected the size of each file by its name" in str(damage(folder))


def test_the_curriculums_own_files_may_be_written_again(tmp_path: Path) -> None:
    folder = sealed(tmp_path, 5)
    (folder / "curriculum.json").write_text('{"step": 5}')
    assert is_whole(folder)


def test_a_stage_that_is_not_whole_cannot_be_restored(tmp_path: Path) -> None:
    whole = make(tmp_path, 1)
    assert require_checkpoint(whole, is_whole) == whole
    with pytest.raises(StateError, match="is not there; keep the stages folder"):
        require_checkpoint(make(tmp_path, 2, whole=False), is_whole)


def test_the_best_are_by_the_evaluation_of_their_step(tmp_path: Path) -> None:
    made = [make(tmp_path, step) for step in (1, 2, 3, 4, 5)]
    history = [{"step": s, "eval_score": v} for s, v in ((1, 0.5), (2, 0.9), (3, 0.9), (4, 0.95))]
    history.append({"step": 5, "loss": 9.0})
    assert [step_of(path) for path in best(made, history, 2)] == [4, 3], "of equals the later"
    assert [step_of(path) for path in best(made, history, 2, without={4})] == [3, 2]


def test_the_mean_is_of_every_weight_in_its_own_type(tmp_path: Path) -> None:
    mean = mean_weights([make(tmp_path, 1, value=1.0), make(tmp_path, 2, value=2.0), make(tmp_path, 3, value=6.0)])
    assert mean["w"].tolist() == [3.0, 3.0]
    assert mean["w"].dtype == torch.bfloat16


def test_checkpoints_of_different_models_have_no_mean(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds other weights"):
        mean_weights([make(tmp_path, 1), make(tmp_path, 2, name="v")])
    with pytest.raises(InputError, match="got no checkpoint to average"):
        mean_weights([])


def test_steps_that_were_taken_back_are_those_between_the_advance_and_its_rollback() -> None:
    def switch(step: int, kind: str) -> Transition:
        return Transition(step, kind, "a", "b", "")  # type: ignore[arg-type]

    history = [switch(3, "advance"), switch(6, "rollback"), switch(9, "advance"), switch(11, "advance")]
    assert taken_back(history) == {4, 5}
    assert taken_back([]) == set()


@pytest.mark.parametrize(("free", "said"), [(999_999, "the disk is full"), (1_000_000, "unexpected pos 64 vs 0")])
def test_a_checkpoint_that_cannot_be_written_says_where_and_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, said: str
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))
    with pytest.raises(StateError, match=f"{tmp_path}: cannot be written: {said}; make room"), said_where(tmp_path):
        raise RuntimeError("unexpected pos 64 vs 0")
