"""The checks of preflight.py: each yields problems, imports what it needs by itself, and starts nothing."""
# ruff: noqa: D403, TID251  # verl's name is lower case; recipes stand above the engine

import copy
import importlib.util
import json
import logging
import os
import re
import shutil
import socket
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import Any

VERL = (0, 9)
PLUGIN, PLUGINS = "curriculum_verl", "VERL_USE_EXTERNAL_PLUGINS"
INSTALL = "pip install 'curriculum-verl[verl]' into the Python that PYTHON names"
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json")
WIDTHS = {"float64": 8, "float32": 4}  # bytes of a weight by config.json; 2 for all others
CHECKPOINT, ADAM = 4, 8  # bytes of a parameter in a checkpoint, in fp32, and of its optimizer's state
LEFT_BY_A_RUN = ("global_step_*", "latest_checkpointed_iteration.txt", "curriculum.jsonl")
Problems = Iterator[str]


def check_python() -> Problems:
    """verl in a version that is known to work, the package, and the plug-in where verl looks for it."""
    found = {}
    for name in ("verl", "curriculum-verl"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            yield f"{name} is not installed in {sys.executable}: {INSTALL}"
    numbers = tuple(int(part) for part in re.findall(r"\d+", found.get("verl", ""))[:2])
    if numbers and numbers != VERL:
        yield f"got verl {found['verl']}, expected 0.9.x: {INSTALL}"
    names = [point.name for point in entry_points(group="verl.plugins")]
    if PLUGIN not in names:
        yield f"verl cannot find the plug-in, only {', '.join(names) or 'none'}: {INSTALL}"
    allowed = os.environ.get(PLUGINS, "auto").strip().lower()
    if allowed != "auto" and PLUGIN not in [name.strip() for name in allowed.split(",")]:
        yield f"{PLUGINS}={allowed} keeps the plug-in out: unset it, or add {PLUGIN} to it"


def check_model(model: str) -> Problems:
    """A complete folder, or what can be a name on the hub."""
    folder = Path(model).expanduser()
    if not folder.is_dir():
        if not HUB_NAME.fullmatch(model):
            yield f"model {model}: there is no such folder, and it is no name on the hub such as Qwen/Qwen3-1.7B"
        return
    missing = [] if (folder / "config.json").is_file() else ["config.json"]
    if not any((folder / name).is_file() for name in TOKENIZERS):
        missing.append(f"a tokenizer ({' or '.join(TOKENIZERS)})")
    if not weights(folder):
        missing.append("weights (*.safetensors or *.bin)")
    for index in folder.glob("*.index.json"):
        shards = set(json.loads(index.read_bytes())["weight_map"].values())
        missing += sorted(shard for shard in shards if not (folder / shard).is_file())
    if missing:
        yield f"model {model}: lacks {', '.join(missing)}: save model and tokenizer there, or download it again"


def weights(folder: Path) -> list[Path]:
    """The files of weights; safetensors where both kinds are there."""
    return list(folder.glob("*.safetensors")) or list(folder.glob("*.bin"))


def parameters(model: str) -> float:
    """How many there are, by the size of the files; 0 where they are still on the hub."""
    folder = Path(model).expanduser()
    if not (folder / "config.json").is_file():
        return 0
    config = json.loads((folder / "config.json").read_bytes())
    width = WIDTHS.get(config.get("dtype") or config.get("torch_dtype") or "", 2)
    return sum(file.stat().st_size for file in weights(folder)) / width


def check_config(config: Any) -> Problems:
    """What the plug-in says of curriculum and data, verl of the rest, and what the recipe needs installed."""
    from hydra.errors import HydraException
    from verl.trainer.ppo.utils import need_critic, need_reference_policy
    from verl.utils.config import validate_config

    from curriculum_verl.errors import ConfigError
    from curriculum_verl.verl_plugin.preflight import prepare

    try:
        prepare(config)
    except ConfigError as error:
        yield from error.problems
    rollout, lora = config.actor_rollout_ref.rollout.name, config.actor_rollout_ref.model.lora_rank
    needed = [*({"vllm", "sglang"} & {rollout}), *(["peft"] if lora else [])]
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    for name in missing:
        yield f"{name} is not installed in {sys.executable}, and the recipe needs it: pip install {name}"
    try:
        if not missing:
            plain = without_curriculum(config)  # beside one, verl's check would end at the plug-in's first problem
            validate_config(plain, need_reference_policy(plain), need_critic(plain))
    except (AssertionError, ValueError, HydraException) as error:
        yield f"verl does not take the config: {error}"


def without_curriculum(config: Any) -> Any:
    """The same run in verl's own mode."""
    plain = copy.deepcopy(config)
    plain.curriculum = None
    plain.trainer.v1.trainer_mode = "sync"
    return plain


def check_devices(config: Any, address: str | None) -> Problems:
    """As many GPUs as the trainer asks for, here or in the cluster."""
    nodes, gpus = int(config.trainer.nnodes), int(config.trainer.n_gpus_per_node)
    if config.trainer.device == "cpu":
        if address:
            yield f"a run on the CPU starts a Ray of its own: leave out --ray-address, unset RAY_ADDRESS={address}"
    elif address:
        yield from _check_cluster(address, nodes, gpus)
    elif nodes > 1:
        yield f"trainer.nnodes={nodes} needs an existing Ray cluster: --ray-address ADDRESS, see README.md"
    else:
        from verl.utils.device import get_torch_device

        found = get_torch_device().device_count()
        if found < gpus:
            mend = f"trainer.n_gpus_per_node={found}" if found else "look at nvidia-smi, or train with --cpu"
            yield f"got {found} GPUs, expected {gpus} (trainer.n_gpus_per_node): {mend}"


def _check_cluster(address: str, nodes: int, gpus: int) -> Problems:
    import ray

    place = re.fullmatch(r"(?:ray://)?\[?([^/]+?)\]?:(\d+)", address)
    try:
        if place:  # a short wait: Ray's own is a minute
            socket.create_connection((place[1], int(place[2])), timeout=10).close()
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError) as error:
        yield (
            f"no Ray cluster answers at {address} ({error}): start one, see README.md; one with token authentication "
            "answers to RAY_AUTH_MODE=token and the token of its head"
        )
        return
    found = [node["Resources"].get("GPU", 0) for node in ray.nodes() if node["Alive"]]
    ray.shutdown()
    if sum(count >= gpus for count in found) < nodes:
        counts = ", ".join(f"{count:g}" for count in found)
        yield (
            f"the nodes of the cluster at {address} have {counts} GPUs, expected {nodes} nodes with {gpus}: "
            "trainer.nnodes, trainer.n_gpus_per_node"
        )


def check_output(folder: Path, resume: str | None, fresh: bool, shared: bool) -> Problems:
    """Two runs never get mixed unasked, and what is to be resumed is there."""
    left = sorted(path.name for pattern in LEFT_BY_A_RUN for path in folder.glob(pattern))
    if left and resume is None and not fresh:
        yield (
            f"{folder}: holds a run ({left[0]}): --resume goes on with it, --fresh moves it aside, "
            "trainer.experiment_name=NAME writes elsewhere"
        )
    if resume is not None and resume != "auto":
        lacks = [name for name in ("actor", "curriculum.json") if not Path(resume, name).exists()]
        if lacks or not Path(resume).name.startswith("global_step_"):
            yield f"--resume {resume}: expected a folder global_step_N that holds actor and curriculum.json"
    if shared and not folder.is_absolute():
        yield f"trainer.default_local_dir={folder}: expected an absolute path, on a disk that all nodes share"


def check_disk(config: Any, folder: Path, model: str) -> Problems:
    """Room for the checkpoints that are kept, those of the transitions, and the one that is being written."""
    trainer, block = config.trainer, config.curriculum
    count = (trainer.max_actor_ckpt_to_keep or 3) + 1 if trainer.save_freq > 0 else 0
    count += max(0, len(block.get("stages") or ()) - 1) if block.get("checkpoint_stages", True) else 0
    trained = 0 if config.actor_rollout_ref.model.lora_rank else ADAM
    needed = count * parameters(model) * (CHECKPOINT + trained)
    place = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.is_dir())
    free = shutil.disk_usage(place).free
    if free < needed:
        yield (
            f"{place}: has {free / 1e9:,.1f} GB free, {count} checkpoints take about {needed / 1e9:,.1f} GB: "
            "make room, or trainer.default_local_dir=FOLDER, trainer.max_actor_ckpt_to_keep=1, "
            "curriculum.checkpoint_stages=false"
        )
