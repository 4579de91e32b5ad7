"""What a recipe says of its run to verl: in its own file, or in those beside it that it names under `defaults`."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from curriculum_verl.curriculum.sources import read_block, read_yaml
from curriculum_verl.verl_plugin.settings import read_settings

PLACES = {
    "steps": ("trainer", "total_training_steps"),
    "batch": ("data", "train_batch_size"),
    "responses": ("actor_rollout_ref", "rollout", "n"),
    "validate_every": ("trainer", "test_freq"),
}


class Said(NamedTuple):
    """A number, and the name of the file that says it."""

    number: int
    file: str


def run_of(recipe: Path) -> dict[str, Said]:
    """What is said, by the name of the simulation's setting; a later file has the last word, as Hydra has it.

    Null, ???, an interpolation or -1 leave a number open.
    """
    files = list(_composed(recipe, ()))
    found = {}
    for name, place in PLACES.items():
        said = [(value, path) for path, content in files if (value := _at(content, place)) is not _NOT_THERE]
        if said and type(said[-1][0]) is int and said[-1][0] >= 1:
            found[name] = Said(said[-1][0], said[-1][1].name)
    return found


def group_sizes(recipe: Path) -> dict[str, int]:
    """The responses of buckets that get others than the rest."""
    return read_settings(read_block(recipe)).group_size


_NOT_THERE = object()


def _composed(path: Path, above: tuple[Path, ...]) -> Iterator[tuple[Path, Any]]:
    """The files of a recipe from the first to the last word; groups and what lies elsewhere, as verl's own, are not."""
    content = read_yaml(path)
    named = content.get("defaults") if isinstance(content, Mapping) else None
    names = [name for name in named if isinstance(name, str)] if isinstance(named, list) else []
    for name in names if "_self_" in names else [*names, "_self_"]:
        beside = path.parent / f"{name}.yaml"
        if name == "_self_":
            yield path, content
        elif beside.is_file() and beside not in (*above, path):
            yield from _composed(beside, (*above, path))


def _at(content: Any, place: tuple[str, ...]) -> Any:
    for key in place:
        if not isinstance(content, Mapping) or key not in content:
            return _NOT_THERE
        content = content[key]
    return content
