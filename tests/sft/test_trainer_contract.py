"""What curriculum_verl/sft/trainer.py takes for granted of the Trainer: a failure says what a version changed."""

import inspect

from transformers import Trainer, TrainerCallback
from transformers.trainer_callback import CallbackHandler

from curriculum_verl.sft.callback import CurriculumCallback
from curriculum_verl.sft.trainer import CurriculumTrainer

OWN = {"take_feedback", "restore_weights", "reshard", "stage_folder", "root", "_by_bucket", "_judged", "_keep_stage"}
USED = ["_load_from_checkpoint", "_load_optimizer_and_scheduler", "_prepare_inputs", "get_total_train_batch_size"]


def test_every_hook_is_one_of_the_trainers() -> None:
    ours = {name for name, value in vars(CurriculumTrainer).items() if inspect.isroutine(value)} - {"__init__"}
    assert ours - OWN == {name for name in ours if hasattr(Trainer, name)}
    assert all(hasattr(Trainer, name) for name in USED)
    events = {name for name in vars(CurriculumCallback) if name.startswith("on_")}
    assert all(hasattr(TrainerCallback, name) for name in events)


def test_a_step_logs_then_evaluates_then_saves() -> None:
    source = inspect.getsource(Trainer._maybe_log_save_evaluate)
    places = [source.index(call) for call in ("self.log(", "self._evaluate(", "self._save_checkpoint(")]
    assert places == sorted(places)
    assert "should_evaluate = False" in inspect.getsource(CallbackHandler.on_evaluate), "what a nested one would clear"


def test_the_state_of_the_trainer_is_the_last_file_of_a_checkpoint() -> None:
    source = inspect.getsource(Trainer._save_checkpoint)
    assert source.index("save_to_json") > max(
        source.index(f"self.{call}(") for call in ("save_model", "_save_rng_state")
    )
