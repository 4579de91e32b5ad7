"""What kinds of tasks there are, and how a model is warmed up for them."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from examples.demo import tasks
from learning import kinds

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Family:
    """Tasks of several levels. `chats`: by level, in which bucket the warm-up is shown it, and how many."""

    name: str
    make: Callable[[int, random.Random], tasks.Task]
    level_name: Callable[[int], str]
    chats: Mapping[int, tuple[str, int]]
    warm_up: Path


SUMS = Family(
    "sums",
    tasks.make_task,
    "digits_{}".format,
    {  # of three digits there are not many more
        3: ("short", 400),
        4: ("short", 3000),
        5: ("middle", 3000),
        6: ("middle", 3000),
        8: ("long", 2000),
        10: ("long", 2000),
    },
    HERE / "warm_up_sums.yaml",
)
KINDS = Family(
    "kinds",
    kinds.make_task,
    kinds.NAMES.__getitem__,
    {kind: (name, 3000) for kind, name in enumerate(kinds.NAMES)},
    HERE / "warm_up_kinds.yaml",
)
