"""What a path holds that is to be evaluated: a model, an adapter, or verl's checkpoint, which has to be merged."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from curriculum_verl.errors import InputError
from curriculum_verl.generation.fingerprint import fingerprint
from curriculum_verl.generation.job import Job, Source
from curriculum_verl.generation.models import ADAPTER, CONFIG, find_model

SHOWN = 6  # names in a message
LORA_META, LORA_FOLDER = "lora_train_meta.json", "lora_adapter"  # of a verl checkpoint, and beside its actor folder
WEIGHTS = ("*.safetensors", "*.bin")
SHARDS = "model_world_size_*_rank_*.pt"
EXPECTED = (
    "expected a folder of a Hugging Face model or of a LoRA adapter, a checkpoint of an SFT run (checkpoint-N, final, "
    "stages/NN_NAME/global_step_N), or one of verl's FSDP engine (global_step_N, or its actor folder)"
)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`ready` is loaded from its folder; `merge` is an actor folder of verl, `adapter` one whose LoRA is taken out."""

    kind: Literal["ready", "merge", "adapter"]
    model: str
    base_model: str | None = None

    def fingerprint(self) -> dict[str, str]:
        """By what it is known again."""
        if self.kind == "ready":
            return fingerprint(find_model(self.model, self.base_model).folders)
        base = {} if self.base_model is None else find_model(self.base_model).folders
        parts = fingerprint({"actor": Path(self.model)}, (SHARDS, LORA_META))
        return parts | fingerprint({"huggingface": Path(self.config), **base})

    @property
    def config(self) -> str:
        """A folder with the model's config and tokenizer, whether or not its weights have to be merged first."""
        return str(Path(self.model) / "huggingface") if self.kind != "ready" else self.model

    def asked(self, job: Job, path: str) -> Job:
        """The job with this as its model, under the path that the user gave; what has to be merged is not yet."""
        base = self.base_model if self.kind == "ready" else None
        source = None if self.kind == "ready" else Source(path, self.fingerprint())
        return replace(job, backend=replace(job.backend, model=self.config, base_model=base), source=source)


def find_checkpoint(path: str, base_model: str | None = None) -> Checkpoint:
    """What is there; an InputError says what was found instead. A name on the hub is taken as it is."""
    folder = Path(path)
    if not folder.is_dir():
        if folder.exists():
            raise InputError(f"{path}: is a file, {EXPECTED}")
        if path.count("/") == 1 and folder.parent.is_dir():
            raise InputError(f"{path}: there is no such folder; {folder.parent} holds {_names(folder.parent)}")
        return _ready(path, None)
    if (folder / ADAPTER).is_file():
        return _ready(path, base_model)
    if (folder / CONFIG).is_file():
        if not _has_weights(folder):
            raise InputError(f"{path}: has a {CONFIG} and no weights (*.safetensors, *.bin), {EXPECTED}")
        return _ready(path, None)
    actor = folder / "actor" if (folder / "actor").is_dir() else folder
    if any(actor.glob(SHARDS)):
        return _of_verl(actor, base_model)
    raise InputError(_wrong(folder, actor))


def _ready(path: str, base_model: str | None) -> Checkpoint:
    find_model(path, base_model)
    return Checkpoint("ready", path, base_model)


def _of_verl(actor: Path, base_model: str | None) -> Checkpoint:
    if actor.name == "critic":
        raise InputError(f"{actor}: is a critic, expected the actor; name {actor.parent / 'actor'}")
    _require_whole(actor)
    kept = actor.parent / LORA_FOLDER
    if (kept / ADAPTER).is_file():  # of a stage's checkpoint: verl's merger would round it to bfloat16
        base = base_model or json.loads((kept / ADAPTER).read_text()).get("base_model_name_or_path")
        if base and Path(base).is_dir():
            return _ready(str(kept), base)
    if (actor / LORA_META).is_file():
        return Checkpoint("merge" if base_model is None else "adapter", str(actor), base_model)
    if _has_weights(actor / "huggingface"):  # checkpoint.save_contents has hf_model
        return _ready(str(actor / "huggingface"), None)
    return Checkpoint("merge", str(actor))


def _require_whole(actor: Path) -> None:
    try:
        count = int(json.loads((actor / "fsdp_config.json").read_text())["world_size"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{actor / 'fsdp_config.json'}: cannot be read ({error}); the checkpoint is not whole"
        ) from error
    missing = [name for rank in range(count) if not (actor / (name := _shard(count, rank))).is_file()]
    if not (actor / "huggingface" / CONFIG).is_file():
        missing.append(f"huggingface/{CONFIG}")
    if missing:
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        raise InputError(f"{actor}: the checkpoint is not whole, there is no {', '.join(missing[:SHOWN])}{more}")


def _shard(count: int, rank: int) -> str:
    return f"model_world_size_{count}_rank_{rank}.pt"


def _wrong(folder: Path, actor: Path) -> str:
    if (actor / "model").is_dir() or (actor / "dist_ckpt").is_dir():
        return (
            f"{folder}: looks like a checkpoint of verl's Megatron engine; merge it (python -m verl.model_merger merge "
            "--backend megatron ...) and name the folder that comes out"
        )
    inside = sorted(
        entry.name
        for pattern in ("global_step_*", "checkpoint-*", "final", "stages", "checkpoints")
        for entry in folder.glob(pattern)
    )
    if inside:
        found = _list(inside)
        return f"{folder}: holds checkpoints and is none: {found}; name one of them, or all stages by --run {folder}"
    return f"{folder}: holds {_names(folder)}; {EXPECTED}"


def _has_weights(folder: Path) -> bool:
    return any(any(folder.glob(pattern)) for pattern in WEIGHTS)


def _names(folder: Path) -> str:
    return _list(sorted(entry.name for entry in folder.iterdir()))


def _list(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more or "nothing"
