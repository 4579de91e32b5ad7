"""The LoRA adapter alone, out of a checkpoint of verl's FSDP engine, as PEFT loads it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig
from safetensors.torch import save_file
from torch.distributed.tensor import DTensor

from curriculum_verl.errors import StateError

META = "lora_train_meta.json"  # verl writes it into checkpoints of models with LoRA
FOLDER = "lora_adapter"


def export_adapter(actor: Path, into: Path, base_model: str) -> bool:
    """Write the adapter of a checkpoint's actor folder; false if it has none. Weights keep their type."""
    if not (actor / META).is_file():
        return False
    meta = json.loads((actor / META).read_text())
    shards = [_lora_weights(path) for path in _in_rank_order(actor)]
    weights = {
        name.replace(".default.weight", ".weight"): _whole([shard[name] for shard in shards]).contiguous()
        for name in shards[0]
    }
    targets = sorted({name.split(".lora_")[0].rsplit(".", 1)[-1] for name in weights})
    config = LoraConfig(
        r=meta["r"],
        lora_alpha=meta["lora_alpha"],
        target_modules=targets,
        task_type=meta.get("task_type"),
        base_model_name_or_path=base_model,
        inference_mode=True,
    )
    into.mkdir(parents=True, exist_ok=True)
    save_file(weights, into / "adapter_model.safetensors")
    config.save_pretrained(str(into))
    return True


def _in_rank_order(actor: Path) -> list[Path]:
    paths = sorted(actor.glob("model_world_size_*_rank_*.pt"), key=lambda path: int(path.stem.rsplit("_", 1)[1]))
    if not paths:
        raise StateError(f"{actor}: got no model_world_size_*_rank_*.pt, expected the checkpoint of verl's FSDP engine")
    return paths


def _lora_weights(path: Path) -> dict[str, Any]:
    """The adapter's tensors of one rank; the rest of the file is mapped and never read."""
    # A checkpoint that this run wrote itself; DTensors cannot be loaded as plain weights.
    state = torch.load(path, map_location="cpu", weights_only=False, mmap=True)
    return {name: tensor for name, tensor in state.items() if ".lora_" in name}


def _whole(parts: Sequence[Any]) -> torch.Tensor:
    """A tensor put together from its shards, one of every rank."""
    first = parts[0]
    if not isinstance(first, DTensor):
        return torch.as_tensor(first)
    locals_by_rank = [part._local_tensor for part in parts]
    return _join(locals_by_rank, first.device_mesh.mesh, first.placements)


def _join(shards: Sequence[torch.Tensor], mesh: torch.Tensor, placements: Sequence[Any]) -> torch.Tensor:
    """Join along the mesh's first dimension what was joined along the others."""
    if mesh.ndim == 0:
        return shards[int(mesh)]
    parts = [_join(shards, row, placements[1:]) for row in mesh]
    return parts[0] if placements[0].is_replicate() else torch.cat(parts, dim=placements[0].dim)
