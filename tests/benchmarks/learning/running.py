"""One run: verl's trainer on a recipe until the tokens are spent, then its checkpoints on the held-out prompts."""

import json
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from machine import told as told_of_machine

from curriculum_verl.atomic import replacing
from curriculum_verl.errors import InputError
from curriculum_verl.runs.history import History, read_history
from examples.demo.launching import running
from examples.demo.training import RECIPES, metrics_file, saved_step
from learning.arms import Arm, read_sizes
from learning.curves import Curve
from learning.preparing import MOST_TOKENS, REWARD, SCORED_BY, agree, call, made_of, warmed_up
from learning.settings import Setting

MEASURED_WITH = 4  # responses to each held-out prompt
LOOK_EVERY = 1.0  # seconds
LAST_WORDS = 25
RESULT = "result.json"
FIRST = "step_0"


@dataclass(frozen=True, slots=True)
class Task:
    """One cell of the benchmark."""

    setting: Setting
    arm: Arm
    seed: int

    @property
    def budget(self) -> int:
        """Generated tokens."""
        return self.setting.late_budget if self.arm.goes_on else self.setting.budget

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.setting.name}, {self.arm.name}, seed {self.seed}"

    @property
    def asked(self) -> dict[str, Any]:
        """All that a run depends on, but for the code and what its setting was made of."""
        own = {"recipe": self.arm.recipe, "written": self.arm.written, "buckets": self.arm.buckets}
        told = dict(override.partition("=")[::2] for override in (*read_sizes(), *self.arm.overrides))
        return {**own, "told": told, "budget": self.budget, "measured_with": MEASURED_WITH}

    def folder(self, root: Path) -> Path:
        """Where it is done."""
        return root / self.setting.name / "runs" / self.arm.name / str(self.seed)

    def done(self, root: Path) -> bool:
        """Whether there is a result; one of another arm or setting that had the same name is refused."""
        found = (self.folder(root) / RESULT).exists()
        if found:
            self.agree(root)
        return found

    def agree(self, root: Path) -> None:
        """Refuse what was begun as something else."""
        agree(root / self.setting.name, made_of(self.setting))
        agree(self.folder(root), self.asked)

    def kept(self, root: Path) -> dict[str, Any]:
        """What its run has left."""
        found: dict[str, Any] = json.loads((self.folder(root) / RESULT).read_bytes())
        return found

    def curve(self, root: Path) -> Curve:
        """The same as figures."""
        return msgspec.convert(self.kept(root), Curve)


def run(root: Path, task: Task) -> None:
    """Train, from the latest checkpoint if there is one, measure, and keep the figures only."""
    place = task.folder(root)
    task.agree(root)
    _train(root, task, place)
    history = read_history(metrics_file(place))
    accuracy = _measure(root, task, place, _steps_within(task.budget, history))
    with replacing(place / RESULT) as file:
        found = msgspec.to_builtins(_curve(history, accuracy, task.setting.budget)) | {
            "done_on": told_of_machine("torch", "verl", "transformers")
        }
        file.write(msgspec.json.encode(found))
    shutil.rmtree(place / "checkpoints" / "stages", ignore_errors=True)
    for checkpoint in place.glob("checkpoints/global_step_*"):
        shutil.rmtree(checkpoint)


def arguments(root: Path, task: Task) -> list[str]:
    """The command line after `python -m verl.trainer.main_ppo`; who comes later has the last word."""
    place = task.folder(root).resolve()
    data = (root / task.setting.name / f"data_{task.arm.buckets}" / "manifest.json").resolve()
    own = [
        f"actor_rollout_ref.model.path={warmed_up(root, task.setting.family).resolve()}",
        f"curriculum.data={data}",
        f"reward.custom_reward_function.path={REWARD}",
        f"trainer.default_local_dir={place / 'checkpoints'}",
        f"++curriculum.seed={task.seed}",
        f"actor_rollout_ref.rollout.seed={task.seed}",
        f"data.seed={task.seed}",
    ]
    return ["--config-path", str(RECIPES), "--config-name", task.arm.recipe, *read_sizes(), *task.arm.overrides, *own]


def _train(root: Path, task: Task, place: Path) -> None:
    words = [sys.executable, "-u", "-m", "verl.trainer.main_ppo", *arguments(root, task)]
    if _spent(place) >= task.budget:
        return
    log = place / "console.log"
    with running(place, words, log) as process:
        while process.poll() is None and _spent(place) < task.budget:
            time.sleep(LOOK_EVERY)
        code = process.poll()
    if code or (_spent(place) < task.budget and not read_history(metrics_file(place)).ended):
        last = "\n".join(log.read_text(errors="replace").splitlines()[-LAST_WORDS:])
        spent = f"{_spent(place):,.0f} of {task.budget:,} tokens"
        raise InputError(
            f"{task.name}: verl ended with exit code {code} after {spent}. Its last words:\n{last}\nAll of them: {log}"
        )


def _spent(place: Path) -> float:
    """Tokens that were generated for training, those that a filter dropped included."""
    history = read_history(metrics_file(place))
    return float(_tokens(history)[-1]) if history.step else 0.0


def _tokens(history: History) -> np.ndarray:
    """Tokens so far, after every step."""
    total = np.zeros(history.step + 1)
    for bucket in history.buckets:
        steps, tokens = history.metrics.series(f"curriculum/tokens/{bucket}")
        total[steps] += tokens
    return np.cumsum(total)


def _steps_within(budget: int, history: History) -> list[int]:
    """The steps that were done when the budget was spent, or before."""
    tokens = _tokens(history)
    return [step for step in range(1, history.step + 1) if tokens[step - 1] < budget]


def _measure(root: Path, task: Task, place: Path, steps: list[int]) -> dict[int, dict[str, float]]:
    """The success on held-out prompts by level, of every checkpoint of these steps and of the model before."""
    whole = saved_step(place)  # a later one may be half written
    checkpoints = {step: place / "checkpoints" / f"global_step_{step}" for step in steps if step <= whole}
    models = {FIRST: warmed_up(root, task.setting.family)} | {
        f"step_{step}": path for step, path in checkpoints.items() if path.exists()
    }
    out = place / "evaluation.json"
    levels = task.setting.levels
    given = ["--data", root / task.setting.name / "tasks" / "held_out.jsonl", "--bucket-field", "level"]
    sampling = ["-n", MEASURED_WITH, "--k", 1, "--max-tokens", MOST_TOKENS, "--verifier", SCORED_BY, "--batch", 128]
    named = [f"{name}={path}" for name, path in models.items()]
    call("evaluate", "--model", *named, *given, "--buckets", *levels, *sampling, "--seed", 0, "--out", out)
    accuracy: dict[int, dict[str, float]] = {int(name.rpartition("_")[2]): {} for name in models}
    for figures in json.loads(out.read_text())["figures"]:
        if figures["bucket"] in levels:
            accuracy[int(figures["model"].rpartition("_")[2])][figures["bucket"]] = figures["success"]["value"]
    return accuracy


def _curve(history: History, accuracy: dict[int, dict[str, float]], budget: int) -> Curve:
    steps = sorted(accuracy)
    tokens, seconds = _tokens(history), np.zeros(history.step + 1)
    told, step_seconds = history.metrics.series("timing_s/step")
    seconds[told] = step_seconds
    drawn, filtering = history.metrics.series("curriculum/filtering_rate")
    filtering = filtering[tokens[drawn] <= budget]
    levels = list(accuracy[0])
    return Curve(
        steps=steps,
        tokens=[float(tokens[step]) for step in steps],
        seconds=[float(np.cumsum(seconds)[step]) for step in steps],
        accuracy={level: [accuracy[step][level] for step in steps] for level in levels},
        informative=float(filtering.mean()) if filtering.size else float("nan"),
    )
