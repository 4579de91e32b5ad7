"""Cumulative stages of the data's buckets: the recipe of each, and what decides about the whole."""

import argparse
import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import evaluations
import yaml

from curriculum_verl import __version__
from curriculum_verl.errors import ConfigError, InputError
from curriculum_verl.generation.fingerprint import fingerprint
from curriculum_verl.generation.models import find_model
from curriculum_verl.manifest import file_hash, read_manifest
from curriculum_verl.verl_plugin.folders import TRACKER, is_whole

METRICS = "curriculum.jsonl"
# What the stages are made of, or what they go on with; and the option that says it.
OWN_KEYS = {
    **dict.fromkeys(f"curriculum.{key}" for key in ("stages", "stop", "advance", "rollback", "probation", "resume")),
    **dict.fromkeys(f"curriculum.{key}" for key in ("checkpoint_stages", "metrics_file")),
    **dict.fromkeys(("trainer.resume_mode", "trainer.resume_from_path")),
    "curriculum.data": "--data",
    "actor_rollout_ref.model.path": "--model",
    "trainer.default_local_dir": "--output",
    "trainer.n_gpus_per_node": "--gpus",
    "trainer.total_training_steps": "--steps",
}


@dataclass(frozen=True, slots=True)
class Planned:
    """A stage: steps `start` + 1 to `end` of the whole, on `buckets`, by a recipe of its own."""

    name: str
    folder: Path
    buckets: tuple[str, ...]
    start: int
    end: int
    content: dict[str, Any]

    @property
    def recipe(self) -> Path:
        """Where its recipe is."""
        return self.folder / "recipe.yaml"

    @property
    def checkpoint(self) -> Path:
        """What it ends with."""
        return self.folder / f"global_step_{self.end}"

    @property
    def step(self) -> int:
        """That of its last checkpoint; 0 if there is none."""
        tracker = self.folder / TRACKER
        text = tracker.read_text().strip() if tracker.is_file() else "0"
        if not text.isdigit():  # a kill between two system calls of verl
            raise InputError(f"{tracker}: is empty, expected the number of the last checkpoint there; write it")
        return int(text)

    @property
    def begun(self) -> bool:
        """Whether it has a checkpoint to go on from."""
        return self.step > 0

    @property
    def done(self) -> bool:
        """Whether its last checkpoint is there."""
        return self.step == self.end and is_whole(self.checkpoint)

    def in_words(self) -> str:
        """Its steps and buckets."""
        return f"steps {self.start + 1} to {self.end} on {', '.join(self.buckets)}"


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole; a run with other `settings` is another one. `evaluation` are options of the command."""

    model: str
    before: str
    data: Path
    output: Path
    cpu: bool
    overrides: tuple[str, ...]
    evaluation: tuple[str, ...]
    stages: tuple[Planned, ...]
    settings: dict[str, Any]

    @property
    def told(self) -> list[str]:
        """What run.sh tells verl of model and data."""
        return [f"curriculum.data={quoted(str(self.data))}", f"actor_rollout_ref.model.path={quoted(self.model)}"]


def read_plan(args: argparse.Namespace, evaluation: Sequence[str]) -> Plan:
    """The plan of a command line; a ConfigError has all that is wrong with it."""
    recipe, data, output = Path(args.recipe), Path(args.data), Path(args.output)
    overrides = {text.lstrip("+~").partition("=")[0]: text for text in args.overrides}
    files = {path.stem: _read(path) for path in _files_of(recipe)}
    known = {**_values(files), **{key: yaml.safe_load(text.partition("=")[2]) for key, text in overrides.items()}}
    manifest = read_manifest(data)
    steps = [int(number) for number in args.steps.split(",")]
    problems = [*_problems(files[recipe.stem], known, overrides, evaluation)]
    if len(steps) not in (1, len(manifest.buckets)):
        problems.append(
            f"--steps: got {len(steps)} numbers, expected 1 or {len(manifest.buckets)}, one for each bucket"
        )
    problems += [f"{data}: bucket {name} has no prompts" for name, prompts in manifest.sizes.items() if not prompts]
    if problems:
        raise ConfigError(problems, "arguments")
    steps = steps if len(steps) > 1 else steps * len(manifest.buckets)
    before = evaluations.beginning(known, args.model)
    responses = args.eval_responses
    options = list(evaluations.options(known, recipe, responses, evaluation, cpu=args.cpu, gpus=args.gpus))
    settings = {
        "package": __version__,
        "model": {"path": args.model, "fingerprint": _fingerprint(args.model)},
        "data": {"path": args.data, "hash": file_hash(data)},
        "recipe": {"path": args.recipe, **files},
        "steps": steps,
        "gpus": args.gpus,
        "cpu": args.cpu,
        "overrides": overrides,
        "evaluation": options,
    }
    stages = _stages(manifest.sizes, steps, output, files[recipe.stem], args.gpus, recipe.parent)
    return Plan(
        args.model, before, data, output, args.cpu, tuple(args.overrides), tuple(options), tuple(stages), settings
    )


def quoted(text: str) -> str:
    """As a value of Hydra, whatever is in it."""
    return "'" + text.replace("'", "\\'") + "'"


def _files_of(recipe: Path) -> Iterator[Path]:
    """The recipe, and what it names under `defaults` that lies beside it."""
    yield recipe
    for name in _read(recipe).get("defaults", ()):
        if isinstance(name, str) and (path := recipe.with_name(f"{name}.yaml")).is_file():
            yield path


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise InputError(f"{path}: cannot be read as a recipe: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: got {type(content).__name__}, expected a recipe")
    return content


def _values(files: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What the files say, by dotted key; the first, the recipe itself, over the others."""
    found: dict[str, Any] = {}
    for content in reversed(files.values()):
        found |= evaluations.flat(content)
    return found


def _problems(
    recipe: Mapping[str, Any], known: Mapping[str, Any], overrides: Mapping[str, str], evaluation: Sequence[str]
) -> Iterator[str]:
    for key in overrides:
        for own, option in OWN_KEYS.items():
            if key == own or key.startswith(f"{own}."):
                yield f"{key}: this script sets it, {f'say it by {option}' if option else 'leave it out'}"
    yield from evaluations.problems(evaluation)
    if int(known.get("trainer.save_freq", -1)) <= 0:
        yield "trainer.save_freq: is not above 0, but a stage goes on from the last checkpoint of the one before"
    if len({str(weights) for weights in _rewards(recipe)}) > 1:
        yield "--recipe: its stages differ in `rewards`, expected the same in all, as only the data change here"


def _rewards(recipe: Mapping[str, Any]) -> list[Any]:
    return [stage.get("rewards") for stage in (recipe.get("curriculum") or {}).get("stages") or ()]


def _fingerprint(model: str) -> dict[str, str] | None:
    """By which a model in a folder is known again."""
    return fingerprint(find_model(model).folders) if Path(model).is_dir() else None


def _stages(
    sizes: Mapping[str, int],
    steps: Sequence[int],
    output: Path,
    recipe: Mapping[str, Any],
    gpus: int | None,
    home: Path,
) -> Iterator[Planned]:
    """One stage a bucket; the recipe of each names those before it too, from whose state it goes on."""
    names, ends = list(sizes), [sum(steps[: number + 1]) for number in range(len(steps))]
    rewards = next((weights for weights in _rewards(recipe) if weights), None)
    blocks: list[dict[str, Any]] = []
    for number, end in enumerate(ends):
        taken = names[: number + 1]
        total = sum(sizes[name] for name in taken)
        name = re.sub(r"[^\w.-]+", "-", "_".join(taken))
        block: dict[str, Any] = {"name": name, "mix": {bucket: sizes[bucket] / total for bucket in taken}}
        blocks.append(block if rewards is None else block | {"rewards": rewards})
        exits = [{"exit": {"metric": "run/steps", "at_least": earlier}} for earlier in ends[:number]]
        stages = [*(stage | exit for stage, exit in zip(blocks, exits, strict=False)), blocks[-1]]
        folder = output / f"{number + 1:02d}_{name}"
        trainer = {
            "default_local_dir": str(folder),
            "experiment_name": f"{output.name}-{folder.name}",
            "total_training_steps": ends[-1],  # of all stages: the learning rate has one schedule
            **({} if number == 0 else {"val_before_train": False}),  # the stage before has ended with a validation
            **({} if gpus is None else {"n_gpus_per_node": gpus}),
        }
        curriculum = {
            "stages": stages,
            "stop": {"metric": "run/steps", "at_least": end},
            "advance": {"check_every": 1},
            "rollback": None,
            "probation": None,
            "checkpoint_stages": False,  # the last checkpoint of every stage stays anyway
            "metrics_file": str(output / METRICS),
        }
        yield Planned(name, folder, tuple(taken), end - steps[number], end, _content(recipe, curriculum, trainer, home))


def _content(
    recipe: Mapping[str, Any], curriculum: Mapping[str, Any], trainer: Mapping[str, Any], home: Path
) -> dict[str, Any]:
    """The recipe with a stage's own curriculum and trainer."""
    content = copy.deepcopy(dict(recipe))
    content["curriculum"] = {**(content.get("curriculum") or {}), **curriculum}
    content["trainer"] = {**(content.get("trainer") or {}), **trainer}
    hydra = content.setdefault("hydra", {})
    hydra["searchpath"] = [*hydra.get("searchpath", ()), f"file://{home}"]  # for what it names under `defaults`
    return content
