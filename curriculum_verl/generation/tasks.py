"""Tasks made on the spot by reasoning-gym, in levels; the same ones for the same seed."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import yaml

from curriculum_verl.errors import InputError
from curriculum_verl.generation.prompts import Prompt
from curriculum_verl.inference.seeding import fold
from curriculum_verl.rewards.verifiers.data import unknown_of_many
from curriculum_verl.rewards.verifiers.libraries import optional
from curriculum_verl.rewards.verifiers.reasoning import REFUSED

PREFIX = "reasoning_gym"
LARGEST_SEED = 2**31  # some generators hand theirs on to NumPy


@dataclass(frozen=True, slots=True)
class Task:
    """So many tasks of one generator: at a level of its own curriculum, if one is named, with config on top."""

    name: str
    size: int
    level: int | None = None
    config: dict[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What tells its tasks from those of others: also the beginning of their ids."""
        level = [] if self.level is None else [f"level-{self.level}"]
        return "/".join([PREFIX, self.name, *level, *(f"{key}={value}" for key, value in sorted(self.config.items()))])


def parse_tasks(texts: Sequence[str], size: int, levels: Sequence[int]) -> list[Task]:
    """`reasoning_gym:NAME`, with `,size=`, `,level=` and config as `,key=value`; each at every level."""
    return [task for text in texts for task in _parse(text, size, levels)]


def _parse(text: str, size: int, levels: Sequence[int]) -> Iterator[Task]:
    head, *given = text.split(",")
    prefix, _, name = head.partition(":")
    if prefix != PREFIX or not name:
        raise InputError(f"--tasks {text}: expected {PREFIX}:NAME, such as {PREFIX}:chain_sum,size=50,level=2")
    config: dict[str, Any] = {}
    for pair in given:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise InputError(f"--tasks {text}: got {pair!r}, expected key=value")
        config[key] = yaml.safe_load(value)
    size, own = config.pop("size", size), config.pop("level", None)
    for key, number in (("size", size), ("level", own)):
        if number is not None and (type(number) is not int or number < (key == "size")):
            raise InputError(f"--tasks {text}: got {key}={number!r}, expected a whole number")
    for level in [own] if own is not None or not levels else levels:
        yield Task(name, size, level, config)


def make_prompts(task: Task, seed: int) -> Iterator[Prompt]:
    """The prompts of a task; InputError when they cannot be made."""
    if task.name in REFUSED:
        raise InputError(f"--tasks {PREFIX}:{task.name} is refused: {REFUSED[task.name]}")
    gym, factory = optional("reasoning_gym"), optional("reasoning_gym.factory")
    if task.name not in factory.DATASETS:
        known = set(factory.DATASETS) - set(REFUSED)
        raise InputError(f"--tasks: {unknown_of_many('task of reasoning-gym', task.name, known)}")
    config = {**_level(task, factory), **task.config, "size": task.size}
    try:
        entries = gym.create_dataset(task.name, seed=fold(seed, task.title) % LARGEST_SEED, **config)
        for number, entry in enumerate(entries):
            yield _prompt(task, number, entry)
    except (AssertionError, TypeError, ValueError) as error:
        keys = ", ".join(entry.name for entry in dataclasses.fields(factory.DATASETS[task.name][1]))
        raise InputError(f"--tasks {task.title}: {error}; it takes {keys}") from error


def _level(task: Task, factory: Any) -> dict[str, Any]:
    """The config of a level, which is that level alone and none of those below."""
    if task.level is None:
        return {}
    if not factory.has_curriculum(task.name):
        raise InputError(f"--tasks {PREFIX}:{task.name}: has no levels of its own; give its config, as key=value")
    base = optional("reasoning_gym.coaching.base_curriculum")
    curriculum = factory.create_curriculum(task.name)
    most = max(len(attribute.levels) for attribute in curriculum.attributes.values()) - 1
    if task.level > most:
        raise InputError(f"--tasks {PREFIX}:{task.name}: got level {task.level}, expected 0 to {most}")
    for name, attribute in curriculum.attributes.items():
        curriculum.set_attr_level(name, min(task.level, len(attribute.levels) - 1))
    only = base.DefaultCurriculumContext(mode=base.RangeAttributeMode.UPPER_BOUND)
    config = dataclasses.asdict(curriculum.generate_configuration(context=only))
    return {key: value for key, value in config.items() if key not in ("seed", "size")}


def _prompt(task: Task, number: int, entry: Any) -> Prompt:
    plain = msgspec.json.decode(msgspec.json.encode(entry, enc_hook=str))  # as it will be read again
    extra = {"task": task.name, "index": number} | ({} if task.level is None else {"level": task.level})
    return Prompt(
        id=f"{task.title}/{number:06}",
        messages=[{"role": "user", "content": plain["question"]}],
        ground_truth=plain,
        data_source=f"{PREFIX}/{task.name}",
        extra=extra,
        place=(task.title, number + 1),
    )
