"""verl's own trainer on a CPU, killed at random moments and resumed: rollouts, rewards, switches and weights are equal.

A run is killed with all that it started, Ray's processes too, which leave its group: examples/demo/launching.py.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import yaml
from integration.curriculum_runs import curriculum_recipe, make_data
from integration.verl_runs import tensors, with_overrides
from integration.verl_toy import Toy, make_toy
from torture.outcome import Record, TroubleError, killed
from torture.processes import LONGEST, Moment, Times, random_moment, read_times, shorten, write_times
from torture.runs import METRICS, metrics_differ, states_differ, tensors_differ
from torture.sft import TOO_LATE
from torture.work import GRPO, Work

from examples.demo.launching import running

STEPS = 8
AT_MOST = 5  # kills of one run
LOOK_EVERY = 0.1
CHECKPOINTS, ROLLOUTS, LOG = "checkpoints", "rollouts", "console.log"
EXACT = ("actor/pg_loss", "actor/grad_norm", "reward/", "curriculum/", "val/")  # others are sums in any order
MARKS = ("id", "step", "bucket", "stage", "response", "reward", "weights", "weighted_reward", "components")


def write_recipe(work: Work, place: Path, steps: int, **overrides: object) -> list[str]:
    """The recipe of a run in this folder, which is the same for every start of it; the command."""
    folder = work.once("toy-grpo", make_toy)
    toy = Toy(folder / "model", folder / "train.parquet", folder / "val.parquet", folder / "reward.py")
    data = work.once("data-grpo", make_data) / "data" / "manifest.json"
    places = {
        "trainer.default_local_dir": str(place / CHECKPOINTS),
        "trainer.total_training_steps": steps,
        "trainer.save_freq": 1,
        "trainer.logger": ["console"],
    }
    recipe = curriculum_recipe(toy, data, rollout_log=str(place / ROLLOUTS))
    (place / "recipe.yaml").write_text(yaml.safe_dump(with_overrides(recipe, places | overrides)))
    return [sys.executable, "-u", "-m", "verl.trainer.main_ppo", "--config-path", str(place), "--config-name", "recipe"]


@dataclass(frozen=True, slots=True)
class Start:
    """How one start of a run ended: code None if it was killed."""

    code: int | None
    times: Times
    last: str


def begun(place: Path, before: int) -> bool:
    """Whether this process has told of a step; `before` is how long the metrics file was when it started."""
    path = place / CHECKPOINTS / METRICS
    return path.exists() and b'"kind":"step"' in path.read_bytes()[before:]


def start(words: Sequence[str], place: Path, moment: Moment | None = None) -> Start:
    """Start a run in its folder, to its end or to a moment."""
    metrics = place / CHECKPOINTS / METRICS
    before = metrics.stat().st_size if metrics.exists() else 0
    since, first = time.monotonic(), 0.0
    with running(place, words, place / LOG) as process:
        while process.poll() is None and time.monotonic() - since < LONGEST:
            if not first and begun(place, before):
                first = time.monotonic() - since
            if moment is not None and (first or not moment.begun):
                left = moment.after + (first if moment.begun else 0.0) - (time.monotonic() - since)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(max(0.0, left))
                break
            time.sleep(LOOK_EVERY)
        code = process.poll()
    last = "\n".join((place / LOG).read_text(errors="replace").splitlines()[-15:])
    return Start(code, Times(time.monotonic() - since, first), last[-1500:])


def undisturbed(work: Work) -> tuple[Path, Times]:
    """What the run leaves when nothing happens."""

    def make(folder: Path) -> None:
        place = work.fresh("place-grpo")
        done = start(write_recipe(work, place, STEPS), place)
        if done.code != 0:
            raise TroubleError(f"the undisturbed run of GRPO: exit code {done.code}; its last words {done.last!r}")
        for name in (CHECKPOINTS, ROLLOUTS):
            shutil.copytree(place / name, folder / name)
        write_times(folder, done.times)

    whole = work.once("whole-grpo", make)
    return whole, read_times(whole)


def next_run(work: Work, records: Sequence[Record]) -> Record | None:
    """One run, killed a few times on its way."""
    left = work.kills_of(GRPO) - killed(records)
    if left <= 0:
        return None
    whole, times = undisturbed(work)
    place, rng = work.fresh("place-grpo"), work.random(GRPO, len(records))
    words = write_recipe(work, place, STEPS)
    kills: list[str] = []
    for _ in range(min(AT_MOST, left)):
        moment = random_moment(rng, times)
        ended = start(words, place, moment)
        if ended.code is not None:
            break
        kills.append(f"GRPO, {moment.words}")
    what = f"a run of GRPO, killed {len(kills)} times ({'; '.join(kills)})" if kills else "a run of GRPO"
    if not kills:
        shorten(whole, ended.times.seconds)
    done = start(words, place)
    if done.code != 0:
        return Record(what, tuple(kills), failures=(f"the resume ended with exit code {done.code}: {done.last}",))
    failures = tuple(differ(place, whole, lost=len(kills)))
    return Record(what, tuple(kills), failures=failures, skipped=None if kills or failures else TOO_LATE)


def differ(made: Path, whole: Path, lost: int) -> Iterator[str]:
    """Two runs that went to the end."""
    for step in range(1, STEPS + 1):
        ours, theirs = (_rollouts(folder / ROLLOUTS / f"rollout_{step:06d}.jsonl") for folder in (made, whole))
        if ours != theirs:
            yield f"prompts, responses or rewards of step {step} differ"
    last = f"global_step_{STEPS}"
    ours, theirs = (folder / CHECKPOINTS / last for folder in (made, whole))
    yield from tensors_differ(tensors(ours / "actor", "model"), tensors(theirs / "actor", "model"))
    yield from states_differ(ours / "curriculum.json", theirs / "curriculum.json")
    yield from metrics_differ(made / CHECKPOINTS / METRICS, whole / CHECKPOINTS / METRICS, lost, EXACT)


def _rollouts(path: Path) -> list[str]:
    """Every prompt of a step with what was drawn, said and scored; the order of a batch is not that of its lines."""
    rows = map(json.loads, path.read_text().splitlines()) if path.exists() else ()
    return sorted(json.dumps({key: row[key] for key in MARKS if key in row}, sort_keys=True) for row in rows)
