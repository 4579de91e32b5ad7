"""Checkpoints of verl as models that can be loaded: merged by verl's own merger, or their adapter taken out."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from curriculum_verl.errors import InputError
from curriculum_verl.generation.checkpoints import LORA_FOLDER, LORA_META, Checkpoint
from curriculum_verl.generation.job import Job
from curriculum_verl.generation.models import ADAPTER

TAIL = 12  # lines of the merger's output in a message


def loadable(checkpoint: Checkpoint, into: Path) -> tuple[str, str | None]:
    """Model and base model for a backend. What has to be made first is made in `into`, once: all of it, or nothing."""
    if checkpoint.kind == "ready":
        return checkpoint.model, checkpoint.base_model
    if checkpoint.kind == "adapter":
        _made(into, lambda made: _export(checkpoint, made))
        return str(into), checkpoint.base_model
    _made(into, lambda made: _merge(Path(checkpoint.model), made))
    adapter = into / LORA_FOLDER
    return (str(adapter), str(into)) if (adapter / ADAPTER).is_file() else (str(into), None)


@contextmanager
def loaded_from(job: Job, checkpoint: Checkpoint | None, into: Path, *, keep: bool = False) -> Iterator[Job]:
    """The job with a model that can be loaded: one of verl is made in `into`, and gone afterwards unless it is kept."""
    if checkpoint is None or job.source is None:
        yield job
        return
    if not keep:
        shutil.rmtree(into, ignore_errors=True)  # of a run that was killed, perhaps of other weights
    print(f"{job.source.path}: is put together from verl's checkpoint", file=sys.stderr)
    try:
        path, base = loadable(checkpoint, into)
        yield replace(job, backend=replace(job.backend, model=path, base_model=base))
    finally:
        if not keep:
            shutil.rmtree(into, ignore_errors=True)


def _made(target: Path, make: Callable[[Path], None]) -> None:
    if target.exists():
        return
    aside = target.with_name(f".{target.name}.partial")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        make(aside)
        aside.rename(target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _export(checkpoint: Checkpoint, into: Path) -> None:
    from curriculum_verl.verl_plugin.adapter import export_adapter

    if not export_adapter(Path(checkpoint.model), into, checkpoint.base_model or ""):
        raise InputError(f"{checkpoint.model}: has no {LORA_META}, expected a checkpoint of a run with LoRA")


def _merge(actor: Path, into: Path) -> None:
    command = [sys.executable, "-m", "verl.model_merger", "merge", "--backend", "fsdp"]
    command += ["--local_dir", str(actor), "--target_dir", str(into)]
    # The merger trains nothing: plug-ins, ours among them, stay out.
    env = os.environ | {"VERL_USE_EXTERNAL_PLUGINS": "none", "PYTHONUNBUFFERED": "1"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        told = "\n".join(f"  {line}" for line in (done.stdout + done.stderr).strip().splitlines()[-TAIL:])
        hint = ""
        if (actor / LORA_META).is_file():
            hint = "\nif that run saved its adapters alone (save_lora_only), name the model under them: --base-model"
        raise InputError(f"{actor}: verl's merger could not merge it (exit code {done.returncode}):\n{told}{hint}")
