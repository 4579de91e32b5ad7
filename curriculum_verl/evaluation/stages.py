"""The checkpoints of a run in the order of its stages, each named by the stage that it was trained in last."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curriculum_verl.errors import InputError
from curriculum_verl.runs.stage_checkpoints import STAGES, STATE
from curriculum_verl.verl_plugin.folders import TRACKER

TRAINED = "trainer_state.json"  # the last file of a whole checkpoint of an SFT run
_STEP = re.compile(r"(?:global_step_|checkpoint-)(\d+)$")


@dataclass(frozen=True, slots=True)
class Named:
    """A model that is to be evaluated, by the name that it has in every output."""

    name: str
    path: str


def parse_model(text: str) -> Named:
    """NAME=PATH, or a path alone, which has no name yet."""
    name, found, path = text.partition("=")
    if found and name and "/" not in name:
        if not re.fullmatch(r"[\w.@+:-]+", name):
            raise InputError(f"--model {text}: got the name {name!r}, expected letters, digits and any of . _ - + @ :")
        if not path:
            raise InputError(f"--model {text}: got a name without a path, expected NAME=PATH")
        return Named(name, path)
    return Named("", text)


def with_names(models: list[Named]) -> list[Named]:
    """Give a name to every model that has none: the end of its path, as long as it takes to tell them apart."""
    taken = [model.name for model in models if model.name]
    twice = sorted({name for name in taken if taken.count(name) > 1})
    if twice:
        raise InputError(f"--model: the name {', '.join(twice)} stands twice, expected every name once")
    bare = [model.path for model in models if not model.name]
    if len(set(bare)) < len(bare):
        raise InputError("--model: a path stands twice; give each a name of its own, NAME=PATH, or leave one out")
    parts = {path: [part for part in Path(path).parts if part not in ("/", "..")] or [path] for path in bare}
    depth = dict.fromkeys(bare, 1)
    while True:
        names = {path: "/".join(parts[path][-depth[path] :]) for path in bare}
        count = Counter([*names.values(), *taken])
        longer = [path for path in bare if count[names[path]] > 1 and depth[path] < len(parts[path])]
        if not longer:
            break
        for path in longer:
            depth[path] += 1
    if any(number > 1 for number in count.values()):
        raise InputError("--model: two models would have the same name; give each one, NAME=PATH")
    return [model if model.name else Named(names[model.path], model.path) for model in models]


def find_stages(run: Path) -> list[Named]:
    """The checkpoints that a run kept of its stages, oldest first, and its last one."""
    root = next((root for root in (run, run / "checkpoints") if (root / STAGES).is_dir() or _last(root)), None)
    if root is None:
        raise InputError(
            f"{run}: expected the folder of a run: trainer.default_local_dir of verl or training.output of SFT, with "
            f"{STAGES}/ (checkpoint_stages: true keeps them), or a folder that holds it as checkpoints/"
        )
    kept = sorted(root.glob(f"{STAGES}/*/global_step_*"), key=lambda path: (_step(path), path.parent.name))
    found = [Named(_begun(path), str(path)) for path in kept]
    last = _last(root)
    if last is not None and (_STEP.search(last.name) is None or not kept or _step(last) > _step(kept[-1])):
        found.append(Named(_reached(last), str(last)))
    return found


def _last(root: Path) -> Path | None:
    """Where the run stands: verl's latest checkpoint, or the final model of SFT, or its last whole checkpoint."""
    tracker = root / TRACKER
    if tracker.is_file():
        latest = root / f"global_step_{tracker.read_text().strip()}"
        return latest if latest.is_dir() else None
    if (root / "final").is_dir():
        return root / "final"
    whole = [path for path in root.glob("checkpoint-*") if _STEP.search(path.name) and (path / TRAINED).is_file()]
    return max(whole, key=_step, default=None)


def _begun(checkpoint: Path) -> str:
    """The name of the weights with which a stage begins: what they were trained in until then."""
    transitions = list(_manager(checkpoint, "transitions"))
    if not transitions:
        return f"before_{checkpoint.parent.name}@{_step(checkpoint)}"
    last = transitions[-1]
    if last["kind"] == "rollback":
        return f"back_to_{last['target']}@{last['step']}"
    return f"{last['source']}@{last['step']}"


def _reached(checkpoint: Path) -> str:
    if _STEP.search(checkpoint.name) is None:
        return checkpoint.name
    stages = list(_state(checkpoint).get("config", {}).get("stages", ()))
    number = _state(checkpoint).get("manager", {}).get("stage")
    name = stages[number]["name"] if stages and number is not None else "last"
    return f"{name}@{_step(checkpoint)}"


def _manager(checkpoint: Path, key: str) -> Iterator[dict[str, Any]]:
    yield from _state(checkpoint).get("manager", {}).get(key, ())


def _state(checkpoint: Path) -> dict[str, Any]:
    """The curriculum's state as far as it is JSON; empty where there is none."""
    file = checkpoint / STATE
    if not file.is_file():
        return {}
    try:
        state: dict[str, Any] = json.loads(file.read_text())["state"]
    except (ValueError, KeyError) as error:
        raise InputError(f"{file}: not a curriculum state ({error}); the checkpoint is damaged") from error
    return state


def _step(checkpoint: Path) -> int:
    found = _STEP.search(checkpoint.name)
    return int(found[1]) if found else 0
