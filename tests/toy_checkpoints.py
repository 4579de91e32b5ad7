"""Checkpoints of verl's FSDP engine without a training run: saved by verl's own manager, on as many ranks as wanted.

python tests/toy_checkpoints.py MODEL FOLDER RANK RANKS    # once for every rank
"""

import subprocess
import sys
from pathlib import Path

import pytest

RANKS = 2
KINDS = ("full", "lora", "lora_only")  # the last as with checkpoint.save_lora_only


@pytest.fixture(scope="session")
def adapter(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adapter")
    changed_model(model, "lora").save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def verl_checkpoints(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """full/, lora/ and lora_only/, each with a global_step_3 that two ranks wrote."""
    pytest.importorskip("verl")
    folder = tmp_path_factory.mktemp("verl")
    write_checkpoints(model, folder)
    return folder


def write_checkpoints(model: Path, folder: Path) -> None:
    """FOLDER/KIND/global_step_3/actor, each from a model whose weights differ from those of the toy's."""
    ranks = [
        subprocess.Popen([sys.executable, __file__, str(model), str(folder), str(rank), str(RANKS)])
        for rank in range(RANKS)
    ]
    assert [rank.wait() for rank in ranks] == [0] * RANKS


def changed_model(model: Path, kind: str) -> object:
    """The toy's model, moved by numbers that are exact in bfloat16: verl's merger rounds to it."""
    import peft
    import torch
    from transformers import AutoModelForCausalLM

    made = AutoModelForCausalLM.from_pretrained(model)
    with torch.no_grad():
        for weight in made.parameters():
            weight.copy_(weight.bfloat16())
    torch.manual_seed(7)
    if kind == "full":
        with torch.no_grad():
            made.lm_head.weight.copy_(torch.randint(-8, 8, made.lm_head.weight.shape) / 32)
        return made
    config = peft.LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")
    adapted = peft.get_peft_model(made, config)
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_" in name:
                weight.copy_(torch.randint(-8, 8, weight.shape) / 32)
    return adapted


def main(model: str, folder: str, rank: str, ranks: str) -> None:
    import torch.distributed as dist
    from omegaconf import OmegaConf
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard
    from transformers import AutoTokenizer
    from verl.utils.checkpoint.fsdp_checkpoint_manager import FSDPCheckpointManager

    store = dist.FileStore(str(Path(folder) / "store"), int(ranks))
    dist.init_process_group("gloo", store=store, rank=int(rank), world_size=int(ranks))
    mesh = init_device_mesh("cpu", (int(ranks),), mesh_dim_names=("fsdp",))
    for kind in KINDS:
        sharded = changed_model(Path(model), kind)
        fully_shard(sharded, mesh=mesh)
        contents = {"save_contents": ["model"], "load_contents": ["model"], "save_lora_only": kind == "lora_only"}
        manager = FSDPCheckpointManager(
            sharded,
            processing_class=AutoTokenizer.from_pretrained(model),
            checkpoint_config=OmegaConf.create(contents),
        )
        manager.save_checkpoint(str(Path(folder) / kind / "global_step_3" / "actor"), global_step=3)
    dist.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
