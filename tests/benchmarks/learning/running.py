"""One run: verl's trainer on a recipe until the tokens are spent, then its checkpoints on the held-out prompts."""

import fcntl
import json
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from curriculum_verl.atomic import replacing
from curriculum_verl.errors import InputError
from curriculum_verl.runs.history import History, read_history
from examples.demo.launching import running
from examples.demo.training import RECIPES, metrics_file, saved_step
from learning.arms import Arm, read_sizes
from learning.curves import Curve
from learning.preparing import MOST_TOKENS, REWARD, SCORED_BY, call, warmed_up
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
    def asked(self) -> list[str]:
        """All that a result depends on, but for the code."""
        made_of = [f"{self.setting.prompts}", self.setting.family.name, f"{self.setting.mislabelled}", f"{self.budget}"]
        return [*made_of, self.arm.recipe, f"{self.arm.buckets}", *read_sizes(), *self.arm.overrides]

    def folder(self, root: Path) -> Path:
        """Where it is done."""
        return root / self.setting.name / "runs" / self.arm.name / str(self.seed)

    def done(self, root: Path) -> bool:
        """Whether there is a result; one of another arm or setting that had the same name is refused."""
        if not (self.folder(root) / RESULT).exists():
            return False
        if self.kept(root).get("asked") != self.asked:
            raise InputError(f"{self.folder(root)}: holds a result of other settings than now; remove that folder")
        return True

    def kept(self, root: Path) -> dict[str, Any]:
        """What its run has left."""
        found: dict[str, Any] = json.loads((self.folder(root) / RESULT).read_bytes())
        return found

    def curve(self, root: Path) -> Curve:
        """The same as figures."""
        return msgspec.convert(self.kept(root), Curve)


@contextmanager
def claimed(place: Path, *, wait: bool = False) -> Iterator[bool]:
    """Whether a folder is this process's to work in, and not that of another one that was started beside it."""
    place.mkdir(parents=True, exist_ok=True)
    with (place / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True


def run(root: Path, task: Task) -> None:
    """Train, from the latest checkpoint if there is one, measure, and keep the figures only."""
    place = task.folder(root)
    _train(root, task, place)
    history = read_history(metrics_file(place))
    accuracy = _measure(root, task, place, _steps_within(task.budget, history))
    with replacing(place / RESULT) as file:
        found = msgspec.to_builtins(_curve(history, accuracy)) | {"asked": task.asked}
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
    if code:
        last = "\n".join(log.read_text(errors="replace").splitlines()[-LAST_WORDS:])
        raise InputError(f"{task.name}: verl ended with exit code {code}. Its last words:\n{last}\nAll of them: {log}")


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


def _curve(history: History, accuracy: dict[int, dict[str, float]]) -> Curve:
    steps = sorted(accuracy)
    tokens, seconds = _tokens(history), np.zeros(history.step + 1)
    told, step_seconds = history.metrics.series("timing_s/step")
    seconds[told] = step_seconds
    filtering = history.metrics.series("curriculum/filtering_rate")[1]
    levels = list(accuracy[0])
    return Curve(
        steps=steps,
        tokens=[float(tokens[step]) for step in steps],
        seconds=[float(np.cumsum(seconds)[step]) for step in steps],
        accuracy={level: [accuracy[step][level] for step in steps] for level in levels},
        informative=float(filtering.mean()) if filtering.size else float("nan"),
    )
