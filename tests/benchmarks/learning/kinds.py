"""Tasks of unlike kinds: what is learned of one kind says little about the next.

1730112*******=   is answered   211037   (kind 1: backwards)
"""

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate

from examples.demo.tasks import WIDTH, Task

DIGITS = 6


def _changed_by(sequence: Sequence[int]) -> Iterator[int]:
    """How far each is from the one before, modulo 10."""
    return ((here - before) % 10 for before, here in zip((0, *sequence), sequence, strict=False))


KINDS: dict[str, Callable[[Sequence[int]], Iterator[int] | Sequence[int]]] = {
    "copied": lambda digits: digits,
    "backwards": lambda digits: digits[::-1],
    "sums": lambda digits: accumulate(digits, lambda total, digit: (total + digit) % 10),
    "sorted": sorted,
    "changes": _changed_by,
}
NAMES = tuple(KINDS)


def make_task(kind: int, randomness: random.Random) -> Task:
    """A task of this kind, which its first character tells."""
    digits = [randomness.randint(0, 9) for _ in range(DIGITS)]
    prompt = f"{kind}{''.join(map(str, digits))}".ljust(WIDTH - 1, "*") + "="
    return Task(prompt, "".join(map(str, KINDS[NAMES[kind]](digits))), kind)
