"""FSDP in two processes: real sharding over gloo, on the CPU.

Accelerate shards on accelerators only, although torch can on a CPU: it is told that these are several GPUs.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from sft.toy_sft import recipe, same, told, weights, write_toy
from sft.two_processes import run_in_two

from curriculum_verl.errors import InputError
from curriculum_verl.sft.run import build_trainer, run_sft

PROCESS = """
import json, sys
from pathlib import Path
import torch
from accelerate import Accelerator
from accelerate.state import DistributedType, PartialState
from torch.distributed.fsdp import FSDPModule
from sft.toy_sft import BUCKETS, recipe
from curriculum_verl.sft import callback
from curriculum_verl.sft.run import build_trainer, run_sft

torch.set_num_threads(1)
init = PartialState.__init__
def as_gpus(self, *args, **kwargs):
    init(self, *args, **kwargs)
    if self.distributed_type == DistributedType.MULTI_CPU:
        self.distributed_type = DistributedType.MULTI_GPU
PartialState.__init__ = as_gpus
Accelerator.end_training = lambda self: None  # only after the last run

toy, root = map(Path, sys.argv[1:3])
for name, resume, scores, *overrides in json.loads(sys.argv[3]):
    config = recipe(toy, root / name, "training.device_batch_size=1", "training.log_every=1", *overrides)
    if scores:
        trainer = build_trainer(config)
        scripted = lambda *_, rates: dict.fromkeys(BUCKETS, scores.get(str(trainer.state.global_step), 0.5))
        callback.scores_of = scripted
        trainer.train()
    else:
        trainer = run_sft(config, resume and str(root / resume))
    assert trainer.is_fsdp_enabled
    layers = [module for module in trainer.model.modules() if isinstance(module, FSDPModule)]
    assert len(layers) > 1, "model and layer are sharded"
torch.distributed.destroy_process_group()
"""

WEIGHTS = (
    "training.max_steps=6",
    "training.eval_every=2",
    "training.save_every=1",
    "curriculum.advance={validate_now: false}",
    "curriculum.rollback={threshold: -0.05, restore: weights, cooldown: 100}",
)
LONG = ("training.max_steps=6", "training.eval_every=2", "training.save_every=2", "training.final={of: last, count: 2}")
ANSWERS = ("evaluation.score=answers", "evaluation.max_new_tokens=2")
LORA = "lora={rank: 2}"
FSDP, LAST = "training.fsdp=true", "training.final={of: last, count: 1}"


def losses(output: Path) -> list[float]:
    return [line["metrics"]["train/loss"] for line in told(output)]


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Without dropout, which would differ with the number of processes."""
    return write_toy(tmp_path_factory.mktemp("toy"), dropout=0.0)


@pytest.fixture(scope="module")
def runs(toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole model, a resumed run, one that goes back, adapters: all in the same two processes."""
    root = tmp_path_factory.mktemp("fsdp")
    wanted: list[list[Any]] = [
        ["whole", None, None, FSDP, *LONG, *ANSWERS],
        ["resumed", "whole/checkpoint-4", None, FSDP, *LONG, *ANSWERS, LAST],
        ["adapters", None, None, FSDP, *LONG, LORA],
        ["back", None, {"2": 0.9, "4": 0.1}, FSDP, *WEIGHTS],
    ]
    run_in_two(root, PROCESS, toy, root, json.dumps(wanted))
    return root


@pytest.mark.parametrize(("name", "more"), [("whole", ANSWERS), ("adapters", (LORA,))])
def test_losses_and_the_averaged_model_are_those_of_one_process(
    toy: Path, runs: Path, tmp_path: Path, name: str, more: tuple[str, ...]
) -> None:
    run_sft(recipe(toy, tmp_path, "training.device_batch_size=1", "training.log_every=1", *LONG, *more))
    assert losses(runs / name) == pytest.approx(losses(tmp_path), abs=1e-5)
    one, other = weights(tmp_path / "final"), weights(runs / name / "final")
    assert one.keys() == other.keys()
    assert all(torch.allclose(one[key], other[key], atol=1e-5) for key in one)
    assert not same(other, weights(runs / name / "checkpoint-6")), "the mean of two"
    reports = [json.loads((folder / "evaluation.json").read_text()) for folder in (tmp_path, runs / name)]
    assert reports[0]["mean"]["score"] == pytest.approx(reports[1]["mean"]["score"], abs=1e-5)


def test_a_resumed_run_is_the_same(runs: Path) -> None:
    assert losses(runs / "resumed") == losses(runs / "whole")[4:]
    assert same(weights(runs / "resumed" / "final"), weights(runs / "whole" / "checkpoint-6"))


def test_weights_and_optimizer_are_taken_back(runs: Path) -> None:
    back = runs / "back"
    assert [line["step"] for line in told(back, "rollback")] == [4]
    kept, restored = back / "stages" / "01_second" / "global_step_3", back / "checkpoint-4"
    assert same(weights(restored), weights(kept))
    assert not same(weights(back / "checkpoint-2"), weights(kept)), "the weights do move"
    assert not same(weights(back / "checkpoint-5"), weights(restored)), "training goes on from there"


@pytest.mark.slow
def test_checkpoints_in_parts_are_resumed_from_and_the_final_model_is_whole(
    toy: Path, runs: Path, tmp_path: Path
) -> None:
    by_accelerate = {
        "ACCELERATE_USE_FSDP": "true",
        "FSDP_VERSION": "2",
        "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
        "FSDP_STATE_DICT_TYPE": "SHARDED_STATE_DICT",
    }
    wanted = [["parts", None, None, *LONG, *ANSWERS, LAST], ["on", "parts/checkpoint-4", None, *LONG, *ANSWERS, LAST]]
    run_in_two(tmp_path, PROCESS, toy, tmp_path, json.dumps(wanted), env=by_accelerate)
    assert not list((tmp_path / "parts" / "checkpoint-4").glob("*.safetensors"))
    for name in ("parts", "on"):
        assert same(weights(tmp_path / name / "final"), weights(runs / "whole" / "checkpoint-6"))


def test_where_nothing_can_be_sharded_it_is_refused(toy: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a model is spread over several processes; start one a GPU"):
        build_trainer(recipe(toy, tmp_path, FSDP))
