"""The main job: verl's stock trainer on the three-stage recipe, followed step by step, resumed where it was killed."""

import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from curriculum_verl.errors import InputError
from curriculum_verl.runs.following import Lines
from curriculum_verl.runs.history import History, read_history
from curriculum_verl.runs.lines import TRANSITIONS, Line, read_line
from examples.demo.history import Validation, read_validations
from examples.demo.launching import running

HERE = Path(__file__).parent
RECIPES = HERE.parent.parent / "recipes" / "grpo_curriculum"
RECIPE = "three_stages"
LOOK_EVERY = 0.3  # seconds between two looks at the metrics file
SETTLED = 1.0  # seconds after which a dump is no longer being written
LAST_WORDS = 25  # lines of the log in an error message


def overrides(model: Path, data: Path, folder: Path, seed: int) -> dict[str, Any]:
    """All that differs from the recipe: sizes from cpu.yaml, what a user gives, and where things go."""
    sizes: dict[str, Any] = yaml.safe_load((HERE / "cpu.yaml").read_text())
    return sizes | {
        "actor_rollout_ref.model.path": str(model.resolve()),
        "curriculum.data": str((data / "manifest.json").resolve()),
        "reward.custom_reward_function.path": str(HERE / "reward.py"),
        "trainer.default_local_dir": str(folder.resolve() / "checkpoints"),
        "trainer.validation_data_dir": str(folder.resolve() / "validations"),
        "++curriculum.seed": seed,
        "actor_rollout_ref.rollout.seed": seed,
    }


def command(recipe: str, given: Mapping[str, Any]) -> list[str]:
    """What a user would type."""
    words = [f"{key}={str(value).lower() if isinstance(value, bool) else value}" for key, value in given.items()]
    start = ["python", "-u", "-m", "verl.trainer.main_ppo"]
    return [*start, "--config-path", str(RECIPES), "--config-name", recipe, *words]


def shown(words: Sequence[str]) -> str:
    """A command as one pastes it, an override a line."""
    start = next(number for number, word in enumerate(words) if "=" in word)
    return " \\\n      ".join([shlex.join(words[:start]), *map(shlex.quote, words[start:])])


def metrics_file(folder: Path) -> Path:
    """Where the plug-in writes what happens, unless it is told otherwise."""
    return folder / "checkpoints" / "curriculum.jsonl"


def saved_step(folder: Path) -> int:
    """The step of verl's latest checkpoint; 0 if there is none."""
    path = folder / "checkpoints" / "latest_checkpointed_iteration.txt"
    return int(path.read_text()) if path.exists() else 0


def results(folder: Path) -> tuple[History, list[Validation]]:
    """What the training in this folder has left so far."""
    history = read_history(metrics_file(folder))
    return history, read_validations(folder / "validations", history.buckets)


def train(folder: Path, model: Path, data: Path, seed: int) -> None:
    """Train to the end, from verl's latest checkpoint if there is one."""
    given = overrides(model, data, folder, seed)
    words, log, total = command(RECIPE, given), folder / "console.log", int(given["trainer.total_training_steps"])
    print(f"  $ VERL_PLATFORM=cpu {shown(words)}\n  all that verl says goes to {log}")
    saved = saved_step(folder)
    begin = f"from the checkpoint of step {saved}" if saved else "with the validation of step 0"
    print(f"  Ray, the model and the workers start in about a minute, {begin}", flush=True)
    code = _run(folder, [sys.executable, *words[1:]], log, Progress(folder, total))
    # A run killed after its last checkpoint has lost that step's line of metrics, and has nothing more to train.
    reached = max(saved_step(folder), read_history(metrics_file(folder)).step)
    if code != 0 or reached < total:
        last = "\n".join(log.read_text(errors="replace").splitlines()[-LAST_WORDS:])
        raise InputError(
            f"verl ended with exit code {code} after step {reached} of {total}. Its last words:\n{last}\n"
            f"All of them: {log}. If a process was killed: about 5 GB of memory are needed. If the state of an older "
            f"run does not fit: remove {folder} to train anew."
        )


def _run(folder: Path, words: list[str], log: Path, progress: "Progress") -> int:
    with running(folder, words, log) as process:
        while process.poll() is None:
            progress.show()
            time.sleep(LOOK_EVERY)
        progress.show()
        return process.returncode


class Progress:
    """Prints a line for every step, validation and switch, as they come."""

    def __init__(self, folder: Path, total: int):
        self._lines = Lines(metrics_file(folder), only_new=True)
        self._history = read_history(metrics_file(folder))
        self._validations = folder / "validations"
        self._total = total
        self._seen = {path.name for path in self._validations.glob("*.jsonl")}
        self._times: list[float] = []

    def show(self) -> None:
        """Print what is new."""
        for line in filter(None, map(read_line, self._lines.new().lines)):
            self._history.take(line)
            if line.kind == "step":
                self._times.append(line.time)
                print(self._step(line), flush=True)
            elif line.kind in TRANSITIONS:
                print(f"  == {line.kind} from {line.source} to {line.target}: {line.reason}", flush=True)
        self._show_validations()

    def _step(self, line: Line) -> str:
        metrics, step = line.metrics, line.step
        success = metrics.get("curriculum/train/success_rate", metrics.get("reward/final", float("nan")))
        recent = self._times[-10:]
        left = (self._total - step) * (recent[-1] - recent[0]) / max(1, len(recent) - 1)
        seconds = metrics.get("timing_s/step", float("nan"))
        eta = f"about {left / 60:.1f} min left" if len(recent) > 1 else ""
        return f"  step {step:>3}/{self._total}  {line.stage:<12} success {success:4.0%}  {seconds:4.1f} s  {eta}"

    def _show_validations(self) -> None:
        new = {
            path.name
            for path in self._validations.glob("*.jsonl")
            if path.name not in self._seen and time.time() - path.stat().st_mtime > SETTLED
        }
        for found in read_validations(self._validations, self._history.buckets) if new else []:
            if f"{found.step}.jsonl" in new:
                scores = "  ".join(f"{bucket} {found.rate(bucket):.0%}" for bucket in found.passed)
                print(f"  -- held out, after step {found.step}: {scores}", flush=True)
        self._seen |= new
