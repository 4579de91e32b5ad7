"""Runs of verl's stock trainer as a user starts them: a recipe in YAML, a process of its own, nothing left behind.

toy = make_toy(folder)                                       # once a session
run = train(tmp_path, toy_recipe(toy), {"trainer.save_freq": 3})
assert run.code == 0 and not run.errors
run.series("actor/loss"), run.responses(step=2), run.validation(step=2)

with launch(tmp_path, recipe) as running:                    # to kill a run
    running.wait_for_step(2)
    run = running.kill()                                     # a second launch in the same folder resumes
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psutil
import yaml
from integration.verl_toy import Toy

# What a log must not say, even when the process exits with 0.
ERRORS = re.compile(r"\bERROR\b|\bCRITICAL\b|Traceback \(most recent call last\)|dtype mismatch|Failed to load plugin")
# How far the probabilities of a response have moved since it was generated: 0 where actor and rollout share weights.
DIFFERENCE = "training/rollout_probs_diff_max"
SEARCH_PATH = ["pkg://verl.trainer.config", "pkg://curriculum_verl.verl_plugin.config"]


@dataclass(frozen=True)
class Run:
    """What a launch left: exit code (None if it was killed), console, metrics by step, and errors in any log."""

    folder: Path
    code: int | None
    seconds: float
    console: str
    metrics: dict[int, dict[str, Any]]
    errors: list[str]
    _rollouts: Path = field(repr=False)
    _validations: Path = field(repr=False)

    def series(self, name: str) -> dict[int, float]:
        """One metric by step, where it was logged."""
        return {step: values[name] for step, values in self.metrics.items() if name in values}

    def responses(self, step: int) -> list[tuple[str, str, float]]:
        """(prompt, response, score) of a training step, sorted; verl's own dump."""
        return _dumped(self._rollouts / f"{step}.jsonl")

    def validation(self, step: int) -> list[tuple[str, str, float]]:
        """The same of the validation after a step; step 0 is before training."""
        return _dumped(self._validations / f"{step}.jsonl")

    def explain(self) -> str:
        """For the message of an assertion."""
        return f"exit code {self.code} after {self.seconds:.0f} s\n" + "\n".join(self.errors or [self.console[-6000:]])


def _dumped(path: Path) -> list[tuple[str, str, float]]:
    rows = map(json.loads, path.read_text().splitlines())
    return sorted((row["input"], row["output"], row["score"]) for row in rows)


def toy_recipe(toy: Toy) -> dict[str, Any]:
    """A GRPO run of three steps, 8 prompts of 4 responses each. Only what the toy is: the CPU has its config group."""
    return {
        "defaults": ["ppo_trainer", {"optional platform": "${oc.env:VERL_PLATFORM,none}"}, "_self_"],
        "hydra": {"searchpath": SEARCH_PATH, "run": {"dir": "hydra"}},
        "algorithm": {"adv_estimator": "grpo"},
        "data": {
            "train_files": str(toy.train),
            "val_files": str(toy.val),
            "train_batch_size": 8,
            "max_prompt_length": 32,
            "max_response_length": 4,
            "seed": 1,
        },
        "actor_rollout_ref": {
            "model": {"path": str(toy.model)},
            "actor": {"ppo_mini_batch_size": 4, "ppo_micro_batch_size_per_gpu": 8, "optim": {"lr": 1e-3}},
            "ref": {"log_prob_micro_batch_size_per_gpu": 16},
            "rollout": {"n": 4, "log_prob_micro_batch_size_per_gpu": 16},
        },
        "reward": {"custom_reward_function": {"path": str(toy.reward)}},
        "trainer": {
            "logger": ["console", "file"],
            "total_training_steps": 3,
            "total_epochs": 100,
            "test_freq": -1,
            "save_freq": -1,
            "val_before_train": False,
        },
    }


def with_overrides(recipe: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """A copy with values set at dotted paths."""
    made: dict[str, Any] = json.loads(json.dumps(recipe))
    for path, value in overrides.items():
        *parents, last = path.split(".")
        node = made
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = value
    return made


def train(
    folder: Path,
    recipe: Mapping[str, Any],
    overrides: Mapping[str, Any] | None = None,
    *,
    env: Mapping[str, str] | None = None,
    timeout: float = 900,
) -> Run:
    """Run to the end."""
    with launch(folder, recipe, overrides, env=env) as running:
        return running.wait(timeout)


def launch(
    folder: Path,
    recipe: Mapping[str, Any],
    overrides: Mapping[str, Any] | None = None,
    *,
    env: Mapping[str, str] | None = None,
) -> "Running":
    """Start `python -m verl.trainer.main_ppo` on a recipe; a second launch in the same folder resumes the first."""
    number = len(list(folder.glob("recipe_*.yaml"))) + 1 if folder.exists() else 1
    folder.mkdir(parents=True, exist_ok=True)
    places = {
        "trainer.default_local_dir": str(folder / "checkpoints"),
        "trainer.rollout_data_dir": str(folder / f"rollouts_{number}"),
        "trainer.validation_data_dir": str(folder / f"validations_{number}"),
    }
    name = f"recipe_{number}"
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(with_overrides(recipe, places | dict(overrides or {}))))
    return launch_arguments(folder, ["--config-path", str(folder), "--config-name", name], env=env, number=number)


def launch_arguments(
    folder: Path,
    arguments: Sequence[str],
    *,
    module: str = "verl.trainer.main_ppo",
    env: Mapping[str, str] | None = None,
    number: int = 1,
) -> "Running":
    """Start main_ppo, or what starts it, with a command line of one's own, for instance on a shipped recipe."""
    temporary = Path(tempfile.mkdtemp(prefix="v", dir="/tmp"))  # Ray's sockets need a short path
    settings = {
        "VERL_PLATFORM": "cpu",
        "VERL_FILE_LOGGER_PATH": str(folder / f"metrics_{number}.jsonl"),
        "RAY_TMPDIR": str(temporary),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_DEDUP_LOGS": "0",
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    console = folder / f"console_{number}.log"
    with console.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", module, *arguments],
            cwd=folder,
            env={**os.environ, **settings, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Running(process, folder, number, temporary, console)


def tensors(actor: Path, kind: str) -> dict[str, Any]:
    """Tensors of a checkpoint by name, of the model or of the optimizer."""
    import torch

    [path] = actor.glob(f"{kind}_world_size_1_rank_0.pt")
    loaded = torch.load(path, weights_only=False)
    if kind == "optim":
        loaded = {f"{name}.{key}": value for name, entry in loaded["state"].items() for key, value in entry.items()}
    return {name: getattr(value, "_local_tensor", value) for name, value in loaded.items() if torch.is_tensor(value)}


class Running:
    """A launched run. Leaving its context ends whatever it started, by process id."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path, number: int, temporary: Path, console: Path):
        self._process, self._folder, self._number = process, folder, number
        self._temporary, self._console = temporary, console
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end_all()
        shutil.rmtree(self._temporary, ignore_errors=True)

    def metrics(self) -> dict[int, dict[str, Any]]:
        """What was logged so far, by step; a step may be logged in several lines."""
        path = self._folder / f"metrics_{self._number}.jsonl"
        found: dict[int, dict[str, Any]] = {}
        for line in path.read_bytes().splitlines(keepends=True) if path.exists() else []:
            if line.endswith(b"\n"):  # the last one may be half written
                row = json.loads(line)
                found.setdefault(row["step"], {}).update(row["data"])
        return found

    def wait_for_step(self, step: int, timeout: float = 900) -> None:
        """Until this step's metrics are logged."""
        self.wait_until(lambda: step in self.metrics(), timeout)

    def wait_until(self, reached: Callable[[], bool], timeout: float = 900) -> None:
        """Until a condition holds; a run that ends or stalls before is an error."""
        end = time.monotonic() + timeout
        while not reached():
            if self._process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"the run did not get there: {self._result(self._process.poll()).explain()}")
            time.sleep(0.02)

    def wait(self, timeout: float = 900) -> Run:
        """Until it ends by itself."""
        with suppress(subprocess.TimeoutExpired):
            return self._result(self._process.wait(timeout))
        self._end_all()
        raise AssertionError(f"the run took more than {timeout} s: {self._result(None).explain()}")

    def kill(self) -> Run:
        """SIGKILL for all of its processes, as when a machine dies."""
        self._end_all()
        return self._result(None)

    def processes(self) -> list[psutil.Process]:
        """All that it started: Ray's processes leave the process tree, but not the working or temporary folder."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        with suppress(psutil.Error, OSError):
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                return False
            return (
                process.pid == self._process.pid
                or process.cwd() == str(self._folder)
                or any(str(self._temporary) in part for part in process.cmdline())
            )
        return False

    def _end_all(self) -> None:
        for _ in range(10):
            alive = self.processes()
            if not alive:
                break
            for process in alive:
                with suppress(psutil.Error):
                    process.kill()
            psutil.wait_procs(alive, timeout=5)
        self._process.wait()

    def _result(self, code: int | None) -> Run:
        console = self._console.read_text(errors="replace")
        return Run(
            self._folder,
            code,
            time.monotonic() - self._started,
            console,
            self.metrics(),
            self._errors(console),
            self._folder / f"rollouts_{self._number}",
            self._folder / f"validations_{self._number}",
        )

    def _errors(self, console: str) -> list[str]:
        """Lines of the console and of the workers' logs that tell of an error, with the file that has them.

        Ray's own servers are left out: they quarrel about ports with those of another run, and settle it.
        """
        logs = (self._temporary / "ray").glob("session_2*/logs/worker-*")
        texts = {"console": console} | {path.name: path.read_text(errors="replace") for path in logs}
        return [
            f"{name}: {line.strip()[:300]}"
            for name, text in texts.items()
            for line in text.splitlines()
            if ERRORS.search(line)
        ]
