"""A long run of the curriculum without a model, in a process of its own: prints what it measured as JSON.

python tests/torture/engine_run.py FOLDER STEPS PROMPTS SEED
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from curriculum_verl.curriculum import Curriculum, Rate
from curriculum_verl.runs.metrics_file import METRICS
from curriculum_verl.runs.reporting import Reporter
from curriculum_verl.simulation.worlds import invented_learner

BUCKETS = ("easy", "medium", "hard")
BATCH, RESPONSES, SAVE_EVERY, VALIDATE_EVERY, TRIALS = 64, 8, 10, 10, 200
STATE = "curriculum.json"
SETTLED = 1000  # steps until what a curriculum remembers of the last steps is all there


def early_step(steps: int) -> int:
    """When a run is looked at first, as the state grows until it has settled."""
    return max(SETTLED, steps // 10)


def block(steps: int) -> dict[str, Any]:
    """Stages that switch by a test or after a fifth of the run, all of what a recipe can have beside them."""
    long = {"metric": "stage/steps", "at_least": max(1, steps // 5)}
    test = {"metric": "train/success_rate", "window": 50, "above": 0.7}
    return {
        "policy": {"name": "posterior"},
        "admission": {},
        "replay_floor": 0.1,
        "rollback": {"threshold": -0.3, "restore": "data"},
        "stages": [
            {"name": "one", "mix": {"easy": 1.0}, "exit": {"any": [test, long]}},
            {"name": "two", "mix": {"easy": 0.5, "medium": 0.5}, "exit": {"any": [test, long]}},
            {"name": "three", "mix": {"easy": 0.2, "medium": 0.3, "hard": 0.5}},
        ],
    }


def state_files(folder: Path) -> list[Path]:
    return [folder / STATE, *folder.glob(f"{STATE}.*")]


def play(folder: Path, steps: int, prompts: int, seed: int) -> dict[str, float]:
    """Memory, sizes and times early in the run and after all of it."""
    share = prompts // len(BUCKETS)
    sizes = dict.fromkeys(BUCKETS[:-1], share) | {BUCKETS[-1]: prompts - share * (len(BUCKETS) - 1)}
    world = invented_learner(sizes, seed)
    curriculum = Curriculum.from_config(block(steps) | {"seed": seed}, world.index)
    reporter = Reporter(folder / METRICS, curriculum)
    random, counts = np.random.default_rng(seed), np.full(BATCH, RESPONSES)
    reporter.begin(0)
    early, window = early_step(steps), steps // 10
    spent, saving, found = [], [], {}
    for step in range(1, steps + 1):
        start = time.process_time()
        draw = curriculum.draw(BATCH)
        spent.append(time.process_time() - start)
        answers = world.respond(draw.prompts, counts, random)
        world.learn(draw.prompts, answers.pass_rates)
        start = time.process_time()
        reporter.decision(curriculum.observe(step, draw.prompts, answers.by_prompt(answers.scores)), None)
        if step % VALIDATE_EVERY == 0 or curriculum.awaits_validation:
            rates = dict(zip(BUCKETS, world.pass_rates().tolist(), strict=True))
            passed = {name: Rate(random.binomial(TRIALS, rate) / TRIALS, TRIALS) for name, rate in rates.items()}
            reporter.decision(curriculum.evaluate(step, passed), None)
        reporter.step(step, curriculum.metrics())
        spent[-1] += time.process_time() - start
        if step % SAVE_EVERY == 0:
            start = time.process_time()
            curriculum.save(folder / STATE)
            saving.append(time.process_time() - start)
        if step in (early, steps):
            when = "early" if step == early else "late"
            found[f"{when} MB"] = psutil.Process().memory_info().rss / 1e6
            found[f"{when} state bytes"] = sum(path.stat().st_size for path in state_files(folder))
            found[f"{when} metrics bytes"] = (folder / METRICS).stat().st_size
            found[f"{when} files"] = len(list(folder.iterdir()))
            found[f"{when} ms a step"] = 1e3 * float(np.mean(spent[-window:]))
            found[f"{when} ms a save"] = 1e3 * float(np.mean(saving[-window // SAVE_EVERY :] or [0.0]))
    return found | {"switches": len(curriculum.transitions)}


if __name__ == "__main__":
    folder, *given = sys.argv[1:]
    print(json.dumps(play(Path(folder), *map(int, given))))
