"""Going on: the branch that is trained is the run, whatever a folder holds; what differs or is missing is said."""

import json
import logging
import shutil
from pathlib import Path

import pytest
import torch
from sft.toy_sft import recipe, same, told, weights

from curriculum_verl.errors import InputError, StateError, TrainingError
from curriculum_verl.sft.resuming import locked
from curriculum_verl.sft.run import build_trainer, run_sft
from curriculum_verl.sft.trainer import CurriculumTrainer

RUN = ("training.eval_every=2", "training.save_every=2")
WEIGHTS = ("curriculum.advance={validate_now: false}", "curriculum.rollback={threshold: -9, restore: weights}")


@pytest.fixture
def run(toy: Path, tmp_path: Path) -> Path:
    """Eight steps, with a checkpoint after every second."""
    run_sft(recipe(toy, tmp_path / "run", *RUN))
    return tmp_path / "run"


def test_later_checkpoints_are_set_aside_and_never_taken_for_the_runs_own(toy: Path, run: Path) -> None:
    before = weights(run / "checkpoint-6")
    more = ("training.max_steps=6", "training.final={of: last, count: 3}")
    run_sft(recipe(toy, run, *RUN, *more), str(run / "checkpoint-4"))
    assert sorted(path.name for path in (run / "superseded").iterdir()) == ["checkpoint-6", "checkpoint-8"]
    assert not (run / "checkpoint-8").exists()
    assert same(weights(run / "superseded" / "checkpoint-6"), before)
    mean = {name: sum(weights(run / f"checkpoint-{step}")[name].double() for step in (3, 4, 6)) / 3 for name in before}
    final = weights(run / "final")
    assert all(torch.allclose(final[name].double(), mean[name]) for name in mean), "none of the other branch is in it"


def test_a_checkpoint_that_has_lost_its_optimizer_is_not_gone_on_from(
    toy: Path, run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = weights(run / "final")
    (run / "checkpoint-8" / "optimizer.pt").unlink()
    run_sft(recipe(toy, run, *RUN), "auto")
    assert "checkpoint-8: is damaged and not gone on from: optimizer.pt is lost" in caplog.text
    assert same(weights(run / "final"), before), "the steps after the checkpoint before it were done again"


def test_what_a_kill_left_of_a_removed_checkpoint_is_none_that_rotation_would_keep(toy: Path, run: Path) -> None:
    (run / "checkpoint-2" / "trainer_state.json").unlink()  # rotation takes it for the newest: it was changed last
    run_sft(recipe(toy, run, *RUN, "training.keep=3", "training.max_steps=10"), "auto")
    assert [path.name for path in (run / "superseded").iterdir()] == ["checkpoint-2"]
    assert "checkpoint-10" in {path.name for path in run.glob("checkpoint-*")}


def test_a_folder_with_another_run_is_not_written_over(toy: Path, run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "other")
    with pytest.raises(InputError, match="holds another run; choose another"):
        run_sft(recipe(toy, run, *RUN), str(tmp_path / "other" / "checkpoint-4"))
    with pytest.raises(InputError, match="holds a run; go on with it by --resume"):
        run_sft(recipe(toy, run, *RUN))
    for path in run.glob("checkpoint-*"):
        shutil.rmtree(path)
    with pytest.raises(InputError, match="holds a run"):  # killed before its first checkpoint
        run_sft(recipe(toy, run, *RUN))


def test_what_decides_what_is_learned_may_not_change_on_the_way(
    toy: Path, run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    changed = ("training.learning_rate=0.5", "data.max_length=63", "evaluation.score=negative_loss")
    free = ("training.device_batch_size=4", "training.keep=7", "training.max_steps=5")
    with pytest.raises(StateError) as error:
        run_sft(recipe(toy, run, *RUN, *changed, *free), str(run / "checkpoint-4"))
    differences = [line.strip() for line in str(error.value).splitlines()[1:-1]]
    assert sorted(line.split(":")[0] for line in differences) == [
        "data.max_length",
        "evaluation.score",
        "training.learning_rate",
    ]
    assert "training.learning_rate: saved 0.01, now 0.5" in differences
    other = tmp_path / "validation.jsonl"
    other.write_text("".join((toy / "validation.jsonl").read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(StateError, match=r"data\.validation: saved 'xxh3"):
        run_sft(recipe(toy, run, *RUN, f"data.validation={other}"), str(run / "checkpoint-4"))
    with caplog.at_level(logging.WARNING):
        run_sft(recipe(toy, run, *RUN, *changed[:1], "training.resume=force", *free), str(run / "checkpoint-4"))
    assert "the resumed run differs: training.learning_rate" in caplog.text
    assert told(run)[-1]["step"] == 5


def test_two_runs_do_not_share_a_folder(toy: Path, tmp_path: Path) -> None:
    with locked(tmp_path, first=True), pytest.raises(InputError, match="another run trains there; wait for it"):
        run_sft(recipe(toy, tmp_path))
    run_sft(recipe(toy, tmp_path, "training.max_steps=1"))


def test_a_kill_before_the_stage_was_kept_is_made_up_for(toy: Path, run: Path, tmp_path: Path) -> None:
    whole = tmp_path / "weights"
    run_sft(recipe(toy, whole, *RUN, *WEIGHTS))
    kept = whole / "stages" / "01_second" / "global_step_3"
    before = weights(kept)
    shutil.rmtree(whole / "stages")
    run_sft(recipe(toy, whole, *RUN, *WEIGHTS), str(whole / "checkpoint-3"))
    assert same(weights(kept), before)
    assert json.loads((kept / "curriculum.json").read_text()) == json.loads(
        (whole / "checkpoint-3" / "curriculum.json").read_text()
    )
    shutil.rmtree(whole / "stages")
    with pytest.raises(StateError, match="global_step_3: the checkpoint of the stage that is rolled back is not there"):
        run_sft(recipe(toy, whole, *RUN, *WEIGHTS), str(whole / "checkpoint-4"))


def test_a_stage_is_brought_along_to_another_folder(toy: Path, tmp_path: Path) -> None:
    run_sft(recipe(toy, tmp_path / "one", *RUN, *WEIGHTS))
    run_sft(recipe(toy, tmp_path / "two", *RUN, *WEIGHTS), str(tmp_path / "one" / "checkpoint-4"))
    kept = Path("stages") / "01_second" / "global_step_3"
    assert same(weights(tmp_path / "two" / kept), weights(tmp_path / "one" / kept))


def test_nothing_to_go_on_from_and_nothing_left_are_said(
    toy: Path, run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        run_sft(recipe(toy, tmp_path / "new", "training.max_steps=1"), "auto")
        assert "holds no checkpoint to go on from; the run begins at step 1" in caplog.text
        run_sft(recipe(toy, run, *RUN, "training.max_steps=4"), str(run / "checkpoint-8"))
        assert "nothing is left to train: step 8 of 4" in caplog.text


def test_a_loss_that_is_not_finite_ends_the_run_and_leaves_its_checkpoints(toy: Path, tmp_path: Path) -> None:
    trainer = build_trainer(recipe(toy, tmp_path, *RUN))
    compute = trainer.compute_loss

    def broken(model: torch.nn.Module, *args: object, **kwargs: object) -> object:
        loss = compute(model, *args, **kwargs)
        return loss * float("nan") if model.training and trainer.state.global_step == 3 else loss

    trainer.compute_loss = broken
    with pytest.raises(TrainingError, match="step 4: the loss is nan, and with it the weights; lower training"):
        trainer.train()
    assert sorted(path.name for path in tmp_path.glob("checkpoint-*")) == ["checkpoint-2", "checkpoint-3"]


def test_the_loss_of_a_step_is_its_own_however_often_is_logged(toy: Path, tmp_path: Path) -> None:
    runs = []
    for every in (1, 4):
        run_sft(recipe(toy, tmp_path / str(every), f"training.log_every={every}"))
        runs.append([line["metrics"]["train/loss"] for line in told(tmp_path / str(every))])
    assert runs[0] == runs[1]
    assert len(set(runs[0])) == 8


def test_the_line_of_a_step_is_there_before_its_checkpoint(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(self: CurriculumTrainer, checkpoint: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(CurriculumTrainer, "_keep_stage", killed)
    with pytest.raises(KeyboardInterrupt):
        run_sft(recipe(toy, tmp_path, *RUN))
    assert (tmp_path / "checkpoint-3" / "trainer_state.json").exists()
    assert told(tmp_path)[-1]["step"] == 3


def test_the_best_model_is_kept_even_between_two_checkpoints(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = {1: 0.1, 2: 0.9, 3: 0.2, 4: 0.3, 5: 0.3}  # step 3 has a checkpoint anyway, as a stage begins
    evaluate = CurriculumTrainer._by_bucket

    def scripted(self: CurriculumTrainer, prediction: object) -> dict[str, float]:
        return evaluate(self, prediction) | {"score": scores.get(self.state.global_step, 0.0)}

    monkeypatch.setattr(CurriculumTrainer, "_by_bucket", scripted)
    more = (
        "training.max_steps=5",
        "training.eval_every=1",
        "training.save_every=5",
        "training.final={of: best, count: 1}",
    )
    run_sft(recipe(toy, tmp_path, *more))
    assert same(weights(tmp_path / "final"), weights(tmp_path / "checkpoint-2"))


def test_test_data_are_looked_at_before_training(toy: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        build_trainer(recipe(toy, tmp_path, "data.test=[/nowhere/test.jsonl]"))


def test_prompts_that_are_learned_and_judged_by_are_counted(
    toy: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        build_trainer(recipe(toy, tmp_path, f"data.test={toy / 'train.jsonl'}"))
    assert "data.test: 36 of 36 prompts are in the training data, too" in caplog.text
