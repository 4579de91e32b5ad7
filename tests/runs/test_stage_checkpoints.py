import os
from pathlib import Path

import pytest

from curriculum_verl.curriculum.config import Stage
from curriculum_verl.curriculum.decisions import Decision, Transition
from curriculum_verl.errors import StateError
from curriculum_verl.runs.stage_checkpoints import (
    STATE,
    begins_stage,
    keep_checkpoint,
    require_checkpoint,
    restored_checkpoint,
    stage_folder,
    unshare,
)
from curriculum_verl.verl_plugin.folders import is_whole


@pytest.fixture
def checkpoint(tmp_path) -> Path:
    folder = tmp_path / "global_step_3"
    for name, text in (("actor/model.pt", "weights"), (STATE, "old"), (f"{STATE}.0.npz", "old"), ("data.pt", "d")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def save(folder: Path) -> None:
    (folder / STATE).write_text("new")


def files(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}


def test_a_folder_says_stage_and_step_whatever_the_name(tmp_path):
    assert stage_folder(tmp_path, 2, "learn / all", 7) == tmp_path / "stages" / "02_learn_all" / "global_step_7"


def test_what_is_kept_has_the_weights_and_the_present_state(tmp_path, checkpoint):
    target = stage_folder(tmp_path, 1, "second", 3)
    keep_checkpoint(checkpoint, target, save)
    assert files(target) == {"actor/model.pt": "weights", "data.pt": "d", STATE: "new"}
    assert [path.name for path in target.parent.iterdir()] == ["global_step_3"], "nothing is left beside it"


def test_it_takes_no_space_and_outlives_the_checkpoint(tmp_path, checkpoint):
    target = stage_folder(tmp_path, 1, "second", 3)
    keep_checkpoint(checkpoint, target, save)
    assert (checkpoint / "actor/model.pt").samefile(target / "actor/model.pt")
    (checkpoint / "actor/model.pt").unlink()
    assert (target / "actor/model.pt").read_text() == "weights"


def test_writing_the_checkpoint_again_leaves_what_is_kept_alone(tmp_path, checkpoint):
    target = stage_folder(tmp_path, 1, "second", 3)
    keep_checkpoint(checkpoint, target, save)
    unshare(checkpoint)
    assert (checkpoint / STATE).exists(), "what is not shared stays"
    (checkpoint / "actor/model.pt").write_text("others")
    assert (target / "actor/model.pt").read_text() == "weights"


def test_a_run_that_comes_there_again_replaces_it(tmp_path, checkpoint):
    target = stage_folder(tmp_path, 1, "second", 3)
    keep_checkpoint(checkpoint, target, save)
    (checkpoint / "actor/model.pt").unlink()
    (checkpoint / "actor/other.pt").write_text("x")
    keep_checkpoint(checkpoint, target, save, without=("data.pt",))
    assert files(target) == {"actor/other.pt": "x", STATE: "new"}


def test_where_links_cannot_be_made_it_is_a_copy(tmp_path, checkpoint, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    target = stage_folder(tmp_path, 1, "second", 3)
    keep_checkpoint(checkpoint, target, save)
    assert files(target)["actor/model.pt"] == "weights"
    assert not (checkpoint / "actor/model.pt").samefile(target / "actor/model.pt")


def test_a_failure_leaves_nothing_under_the_name(tmp_path, checkpoint):
    def fail(path: Path) -> None:
        raise OSError("disk full")

    target = stage_folder(tmp_path, 1, "second", 3)
    with pytest.raises(OSError, match="disk full"):
        keep_checkpoint(checkpoint, target, fail)
    with pytest.raises(StateError, match="is not there; keep the stages folder"):
        require_checkpoint(target, is_whole)
    keep_checkpoint(checkpoint, target, save)
    assert require_checkpoint(target, is_whole) == target
    keep_checkpoint(tmp_path / "nothing", target, save)
    with pytest.raises(StateError, match="is not there"):
        require_checkpoint(target, is_whole)  # a state alone is no checkpoint


def test_a_decision_says_whether_a_stage_begins_and_which_weights_come_back(tmp_path, checkpoint):
    stages = [Stage("first", {"easy": 1.0}), Stage("second", {"easy": 1.0})]
    advance = Transition(3, "advance", "first", "second", "", None, None)
    back = Transition(3, "rollback", "second", "first", "", None, None)
    assert begins_stage(Decision(3, transitions=(advance,), checkpoint=True))
    assert not begins_stage(Decision(3, transitions=(advance,)))
    assert not begins_stage(Decision(3, transitions=(advance, back), checkpoint=True)), "taken back at once"
    assert not begins_stage(Decision(3, checkpoint=True))
    later = Decision(5, transitions=(back,), checkpoint=True, restore_step=3)
    assert begins_stage(later)
    keep_checkpoint(checkpoint, stage_folder(tmp_path, 1, "second", 3), save)
    assert restored_checkpoint(tmp_path, stages, later, is_whole) == stage_folder(tmp_path, 1, "second", 3)
