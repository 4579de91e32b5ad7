"""Places in a curriculum block, plain dicts and lists: what stands there, and the block with something else there."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

Place = tuple[str | int, ...]


def get(block: Any, place: Place) -> Any:
    """What stands there; None where nothing does."""
    for key in place:
        if isinstance(block, Mapping):
            block = block.get(key)
        elif isinstance(block, list) and isinstance(key, int) and key < len(block):
            block = block[key]
        else:
            return None
    return block


def has_room(block: Any, place: Place) -> bool:
    """Whether something can be put there: what it lies in is a mapping or a list, or not there yet."""
    for key in place:
        if block is None:
            return True
        if not isinstance(block, Mapping if isinstance(key, str) else list):
            return False
        block = get(block, (key,))
    return True


def put(block: Any, place: Place, value: Any) -> Any:
    """The block with the value there; None takes the key away. What a place lies in is made where it is missing."""
    made = deepcopy(block)
    inside = made
    for key in place[:-1]:
        if get(inside, (key,)) is None:
            if value is None:
                return made
            inside[key] = {}
        inside = inside[key]
    if value is not None:
        inside[place[-1]] = value
    elif isinstance(inside, dict):
        inside.pop(place[-1], None)
    return made


def numbers(block: Any, place: Place) -> list[Place]:
    """The places of all numbers below a place, in order."""
    return [found for found, value in _leaves(get(block, place), place) if type(value) in (int, float)]


def _leaves(value: Any, place: Place) -> Iterator[tuple[Place, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, (*place, key))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _leaves(item, (*place, position))
    else:
        yield place, value


@dataclass(frozen=True, slots=True)
class Change:
    """At a place of a block: another value, or none any more; `old` is what stood there."""

    place: Place
    value: Any
    gone: bool = False
    old: Any = None


def changes(old: Any, new: Any, place: Place = ()) -> Iterator[Change]:
    """What makes the new block of the old one, as deep inside as it goes."""
    if isinstance(old, Mapping) and isinstance(new, Mapping) and (old.keys() & new.keys() or not place):
        for key, value in new.items():
            if key in old:
                yield from changes(old[key], value, (*place, key))
            else:
                yield Change((*place, key), value)
        yield from (Change((*place, key), None, gone=True) for key in old if key not in new)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for position, pair in enumerate(zip(old, new, strict=True)):
            yield from changes(*pair, (*place, position))
    elif type(old) is not type(new) or old != new:
        yield Change(place, new, old=old)
