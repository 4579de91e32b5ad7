"""verl's own trainer on a CPU, to be killed and resumed: rollouts, rewards, switches and weights are equal.

A run is killed with all that it started, Ray's processes too, which leave its group: examples/demo/launching.py.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from integration.curriculum_runs import BY_BUCKET, curriculum_recipe, make_data
from integration.verl_runs import tensors, with_overrides
from integration.verl_toy import Toy, make_toy
from torture.killing import Training
from torture.processes import LONGEST, SIGKILL, Ended, Moment, Times, orphans, wait_until_begun
from torture.runs import METRICS, STATE, metrics_differ, states_differ, tells_of_a_step, tensors_differ
from torture.work import GRPO, Work

from examples.demo.launching import running

STEPS = 8
RAYS_PATIENCE = 180.0  # seconds; when all is gone at once, its agents look for the others for a while
CHECKPOINTS, ROLLOUTS, LOG = "checkpoints", "rollouts", "console.log"
EXACT = ("actor/pg_loss", "actor/grad_norm", "reward/", "curriculum/", "val/")  # others are sums in any order
MARKS = ("id", "step", "bucket", "stage", "response", "reward", "weights", "weighted_reward", "components")
# By recipe: what takes the place of parts of the block in curriculum_runs.py, and of verl's settings.
ADAPTIVE = {
    "policy": {"name": "posterior"},
    "admission": {"retry_after": 3},
    "replay_floor": 0.2,
    "stages": [
        {"name": "first", "mix": {"easy": 1.0}, "exit": {"metric": "train/score", "window": 2, "above": 0.6}},
        {"name": "second", "mix": {"easy": 0.4, "medium": 0.6}},
    ],
    "rollback": {"threshold": -0.1, "restore": "weights", "interval_factor": 2.0},
}
RECIPES: dict[str, dict[str, Any]] = {"stages": {}, "adaptive": ADAPTIVE}


def data(work: Work) -> Path:
    """The manifest of what it trains on."""
    return work.once("data-grpo", make_data) / "data" / "manifest.json"


def ready(work: Work, recipe: str) -> tuple[list[str], Path]:
    """An empty folder, and the command."""
    place = work.fresh("place-grpo")
    return write_recipe(work, place, STEPS, recipe), place


def write_recipe(work: Work, place: Path, steps: int, recipe: str = "stages", **overrides: object) -> list[str]:
    """The recipe of a run in this folder, beside it and the same for every start of it; the command."""
    folder = work.once("toy-grpo", make_toy)
    toy = Toy(folder / "model", folder / "train.parquet", folder / "val.parquet", folder / "reward.py")
    beside = work.fresh(f"{place.name}.recipe")
    places = {
        "trainer.default_local_dir": str(place / CHECKPOINTS),
        "trainer.total_training_steps": steps,
        "trainer.save_freq": 1,
        "trainer.logger": ["console"],
    }
    if block := RECIPES[recipe]:
        (beside / "reward.py").write_text(BY_BUCKET)
        places["reward.custom_reward_function.path"] = str(beside / "reward.py")
    made = curriculum_recipe(toy, data(work), rollout_log=str(place / ROLLOUTS), **block)
    (beside / "recipe.yaml").write_text(yaml.safe_dump(with_overrides(made, places | overrides)))
    return [
        sys.executable,
        "-u",
        "-m",
        "verl.trainer.main_ppo",
        "--config-path",
        str(beside),
        "--config-name",
        "recipe",
    ]


def start(
    words: Sequence[str],
    place: Path,
    moment: Moment | None = None,
    signals: Sequence[int] = SIGKILL,
    env: Mapping[str, str] | None = None,
) -> Ended:
    """It has begun when it tells of a step. The signals go to its group, as Ctrl-C in a terminal does."""
    log, since, first = place / LOG, time.monotonic(), 0.0
    before = log.stat().st_size if log.exists() else 0
    begun = tells_of_a_step(place / CHECKPOINTS / METRICS)
    changed = [f"{name}={value}" for name, value in (env or {}).items()]
    hit, code, left = False, -signal.SIGALRM, ()
    with running(place, ["env", *changed, *words], log) as process, suppress(subprocess.TimeoutExpired):  # it hangs
        if moment is None:
            wait_until_begun(process, begun)
            first = time.monotonic() - since
        elif hit := moment.reached(process, begun):
            for number in signals if signals != SIGKILL else ():
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
                time.sleep(1.0)
        if hit and signals == SIGKILL:
            code = -signal.SIGKILL  # by the end of this block, with all that it has started
        else:
            code = process.wait(LONGEST)
            left = orphans(process, place, RAYS_PATIENCE)
    said = log.read_bytes()[before:].decode(errors="replace")
    killed = hit and code == -signal.SIGKILL
    return Ended(None if killed else code, said, Times(time.monotonic() - since, first), left)


def differ(made: Path, whole: Path, kills: int) -> Iterator[str]:
    """Two runs that went to the end."""
    for step in range(1, STEPS + 1):
        ours, theirs = (_rollouts(folder / ROLLOUTS / f"rollout_{step:06d}.jsonl") for folder in (made, whole))
        if ours != theirs:
            yield f"prompts, responses or rewards of step {step} differ"
    last = f"global_step_{STEPS}"
    ours, theirs = (folder / CHECKPOINTS / last for folder in (made, whole))
    yield from tensors_differ(tensors(ours / "actor", "model"), tensors(theirs / "actor", "model"))
    yield from states_differ(ours / STATE, theirs / STATE)
    yield from metrics_differ(made / CHECKPOINTS / METRICS, whole / CHECKPOINTS / METRICS, kills, EXACT)


def _rollouts(path: Path) -> list[str]:
    """Every prompt of a step with what was drawn, said and scored; the order of a batch is not that of its lines."""
    rows = map(json.loads, path.read_text().splitlines())
    return sorted(json.dumps({key: row[key] for key in MARKS}, sort_keys=True) for row in rows)


TRAINING = Training("GRPO", GRPO, tuple(RECIPES), ready, start, (CHECKPOINTS, ROLLOUTS), differ)
