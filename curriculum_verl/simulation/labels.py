"""Names of recipes, stages and buckets for people: as short as tells them apart, and nothing but texts."""

from collections.abc import Sequence
from pathlib import PurePath

from curriculum_verl.words import printable


def told_apart(recipes: Sequence[str]) -> list[str]:
    """Paths without the folders that all of them have at the beginning, nor the names that all have at the end."""
    parts = [PurePath(recipe).parts for recipe in recipes]
    if len(parts) < 2:
        return [PurePath(recipe).name for recipe in recipes]
    first = _alike(parts, 1)
    last = _alike([part[first:] for part in parts], -1)
    kept = [part[first : len(part) - last] for part in parts]
    return [printable("/".join(part)).replace("\n", "\\n") for part in kept]


def in_picture(name: str) -> str:
    """A name as matplotlib shows it: dollars are no mathematics."""
    return printable(name).replace("\n", " ").replace("$", r"\$")


def short(name: str, longest: int) -> str:
    """A name without the middle of a long one."""
    half = longest // 2
    return name if len(name) <= longest else f"{name[:half]}…{name[-half:]}"


def _alike(parts: Sequence[Sequence[str]], way: int) -> int:
    """How many places from one end on all have in common; each keeps one at least."""
    count = 0
    while all(len(part) > count + 1 for part in parts) and len({part[::way][count] for part in parts}) == 1:
        count += 1
    return count
