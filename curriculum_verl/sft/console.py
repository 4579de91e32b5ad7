"""What people see of a run: a line for every log and evaluation, and on a terminal a bar."""

import sys
from collections.abc import Mapping
from typing import Any

from tqdm import tqdm
from transformers import PrinterCallback, ProgressCallback, TrainerCallback

from curriculum_verl.curriculum import Curriculum
from curriculum_verl.sft.scoring import SCORE


class Console(TrainerCallback):
    """In place of the Trainer's own lines, which are whole dictionaries."""

    def __init__(self, curriculum: Curriculum):
        self._curriculum = curriculum

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Training and evaluations log in turns."""
        said = line(logs or {}, self._curriculum)
        if said and state.is_world_process_zero:
            tqdm.write(f"step {state.global_step:>5}/{state.max_steps}  {said}", file=sys.stdout)
            sys.stdout.flush()


class _Bar(ProgressCallback):
    """Without lines."""

    def on_log(self, *args: Any, **kwargs: Any) -> None:
        """They are the console's."""


def line(logs: Mapping[str, Any], curriculum: Curriculum) -> str:
    """What a log says in few words; nothing of what stands in the files at the end."""
    if "loss" in logs:
        return f"{curriculum.stage.name}  loss {logs['loss']:.4g}  learning rate {logs['learning_rate']:.2g}"
    for prefix in ("eval_", "test_"):
        if f"{prefix}{SCORE}" in logs:
            names = curriculum.index.names
            scores = [f"{n} {logs[key]:.3f}" for n in names if (key := f"{prefix}{n}_{SCORE}") in logs]
            kind = "evaluation" if prefix == "eval_" else "final evaluation"
            return (
                f"{kind}: score {logs[f'{prefix}{SCORE}']:.3f} ({', '.join(scores)}), loss {logs[f'{prefix}loss']:.4g}"
            )
    return ""


def speak_plainly(trainer: Any) -> None:
    """Put the console in place of the Trainer's callbacks that print."""
    had_bar = trainer.pop_callback(ProgressCallback) is not None
    trainer.pop_callback(PrinterCallback)
    if had_bar:
        trainer.add_callback(_Bar)
    trainer.add_callback(Console(trainer.curriculum))
