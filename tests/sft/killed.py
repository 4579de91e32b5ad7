"""A run in a process of its own that is killed in the middle of a step."""

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = """
import importlib, os, signal, sys
from pathlib import Path
import torch
from curriculum_verl.sft.run import run_sft
from curriculum_verl.sft.trainer import CurriculumTrainer

torch.set_num_threads(1)
module, name, step, *arguments = sys.argv[1:]
take = CurriculumTrainer.take_feedback
def kill(self):
    if self.state.global_step == int(step):
        os.kill(os.getpid(), signal.SIGKILL)
    return take(self)
CurriculumTrainer.take_feedback = kill
run_sft(getattr(importlib.import_module(module), name)(Path(arguments[0]), Path(arguments[1]), *arguments[2:]))
"""


def run_and_kill(recipe: str, step: int, data: Path, output: Path, *overrides: str) -> None:
    """Run what `module:function` of these tests makes of data, output and overrides; it dies after so many steps."""
    env = os.environ | {"PYTHONPATH": f"{ROOT / 'tests'}:{ROOT}", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", SCRIPT, *recipe.split(":"), str(step), data, output, *overrides]
    killed = subprocess.run(command, env=env, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
