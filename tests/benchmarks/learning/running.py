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
VALIDATIONS = "validations"
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
        arm = self.arm
        own = {"recipe": arm.recipe, "written": arm.written, "buckets": arm.buckets, "policy": arm.decided_by}
        told = dict(override.partition("=")[::2] for override in (*read_sizes(), *arm.told))
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
        validation = _validated(root, task, place, max(_steps_within(task.setting.budget, history), default=0))
        found = msgspec.to_builtins(_curve(history, accuracy, task.setting.budget, validation)) | {
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
        f"trainer.validation_data_dir={place / VALIDATIONS}",
        f"++curriculum.seed={task.seed}",
        f"actor_rollout_ref.rollout.seed={task.seed}",
        f"data.seed={task.seed}",
    ]
    return ["--config-path", str(RECIPES), "--config-name", task.arm.recipe, *read_sizes(), *task.arm.told, *own]


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
    """Tokens so far, after every step; one whose line a kill has lost counts as much as the others do on average."""
    total = np.zeros(history.step + 1)
    for bucket in history.buckets:
        steps, tokens = history.metrics.series(f"curriculum/tokens/{bucket}")
        total[steps] += tokens
    return np.cumsum(_filled(total))


def _seconds(history: History) -> np.ndarray:
    """The same of seconds."""
    told, seconds = history.metrics.series("timing_s/step")
    each = np.zeros(history.step + 1)
    each[told] = seconds
    return np.cumsum(_filled(each))


def _filled(by_step: np.ndarray) -> np.ndarray:
    """What was spent in every step, in those that are not told of as much as in the others on average."""
    lost = by_step == 0
    lost[0] = False  # before the first step
    if not lost[1:].all():
        by_step[lost] = by_step[1:][~lost[1:]].mean()
    return by_step


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


def _validated(root: Path, task: Task, place: Path, last: int) -> int:
    """Tokens that verl's own validations took up to a step, each response with the one that ends it."""
    files = [file for file in (place / VALIDATIONS).glob("*.jsonl") if int(file.stem) <= last]
    told = [json.loads(line)["output"] for file in files for line in file.read_text().splitlines()]
    if not told:
        return 0
    from transformers import AutoTokenizer

    lengths = map(len, AutoTokenizer.from_pretrained(warmed_up(root, task.setting.family))(told)["input_ids"])
    return sum(min(length + 1, MOST_TOKENS) for length in lengths)


def _curve(history: History, accuracy: dict[int, dict[str, float]], budget: int, validation: int) -> Curve:
    steps = sorted(accuracy)
    tokens, seconds = _tokens(history), _seconds(history)
    levels = list(accuracy[0])
    return Curve(
        steps=steps,
        tokens=[float(tokens[step]) for step in steps],
        seconds=[float(seconds[step]) for step in steps],
        accuracy={level: [accuracy[step][level] for step in steps] for level in levels},
        informative=_informative(history, tokens <= budget),
        validation=validation,
    )


def _informative(history: History, within: np.ndarray) -> float:
    """The share of groups whose rewards differed, those that a filter dropped included."""
    told, share = history.metrics.series("curriculum/filtering_rate")
    drawn = np.zeros(history.step + 1)
    for bucket in history.buckets:
        steps, total = history.metrics.series(f"curriculum/drawn/{bucket}")
        drawn[steps] += total
    # A step whose line a kill has taken counts as the one that was told after it.
    groups = np.diff(drawn[told], prepend=0.0) * within[told]
    return float(np.average(share, weights=groups)) if groups.any() else float("nan")
