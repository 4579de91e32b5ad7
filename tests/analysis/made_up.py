"""Runs that never were: a base model that loops, one that was rewarded for coherence, and one that explores."""

import json
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

BUCKETS = ("easy", "medium", "hard")
STAGES = ("goal", "coherence", "everything")
# By run: the chance to be stuck in a loop, of a tool at all, of another one after it, and what is added to success.
HABITS = {"base": (0.3, 0.45, 0.5, 0.0), "coherence": (0.08, 0.5, 0.55, 0.12), "full": (0.02, 0.85, 0.7, 0.22)}
TOOLS = ("ZOOM_IN", "SEGMENT_OBJECT_AT", "GET_PROPERTIES", "READ_TEXT", "TRACK_OBJECT")
SAID = (
    "The cup on the left is partly behind the blue box.",
    "So the label must be read from a closer view.",
    "The object near the edge has a longer shadow than the others.",
    "Comparing both regions, the second one holds more red pixels.",
    "That leaves only two candidates for the answer.",
    "The number on the sign seems to be larger than ten.",
    "Its outline does not touch the table at any point.",
    "In the last frame it has moved to the right side.",
)


def call(rng: random.Random) -> str:
    return f"{rng.choice(TOOLS)}(x={rng.randrange(1000)}, y={rng.randrange(1000)})"


def looping(rng: random.Random) -> str:
    """The same call and the same sentence, over and over."""
    once = [rng.choice(SAID), f"ZOOM_IN(x={rng.randrange(1000)}, y={rng.randrange(1000)})"]
    return "\n".join(once * rng.randrange(4, 9))


def exploring(rng: random.Random, habits: tuple[float, float, float, float], answer: int) -> str:
    """Sentences that differ, calls of several tools, an answer."""
    lines = rng.sample(SAID, rng.randrange(2, 6))
    if rng.random() < habits[1]:
        lines.insert(1, call(rng))
        while rng.random() < habits[2]:
            lines.insert(rng.randrange(1, len(lines)), call(rng))
    if rng.random() < 0.05:
        lines.append("<tool_call>{not a call}</tool_call>")
    return "\n".join([*lines, f"<answer>{answer}</answer>"])


def rollout(run: str, number: int, step: int, rng: random.Random, responses: int = 4) -> dict[str, Any]:
    """One line of the log: a prompt with responses and scores."""
    habits, bucket = HABITS[run], BUCKETS[number % 3]
    chance = min(0.95, 0.7 - 0.25 * (number % 3) + habits[3])
    texts, scores = [], []
    for _ in range(responses):
        if rng.random() < habits[0]:
            texts.append(looping(rng))
            scores.append(0.0)
        else:
            right = rng.random() < chance
            texts.append(exploring(rng, habits, number if right else number + 1))
            scores.append(float(right))
    return {
        "id": f"task-{number}",
        "prompt": [{"role": "user", "content": f"How many objects of kind {number} are there?"}],
        "response": texts,
        "reward": scores,
        "ground_truth": str(number),
        "bucket": bucket,
        "stage": min(2, 3 * step // 12),
        "step": step,
    }


def lines(run: str, prompts: int = 60, steps: int = 12, seed: int = 0, responses: int = 4) -> Iterator[dict[str, Any]]:
    """Every prompt is drawn twice, in an early and in a late step."""
    rng = random.Random(f"{run} {seed}")
    for turn in range(2):
        for number in range(prompts):
            step = 1 + turn * steps // 2 + number * (steps // 2) // prompts
            yield rollout(run, number, step, rng, responses)


def write_run(folder: Path, run: str, **more: Any) -> Path:
    """A run as training leaves it: a metrics file that names a folder with a file for every step."""
    by_step: dict[int, list[dict[str, Any]]] = {}
    for line in lines(run, **more):
        by_step.setdefault(line["step"], []).append(line)
    log = folder / run / "rollouts"
    log.mkdir(parents=True)
    for step, found in by_step.items():
        write_lines(log / f"rollout_{step:06d}.jsonl", found)
    start = {"kind": "start", "step": 0, "stages": STAGES, "buckets": BUCKETS, "rollouts": "../rollouts"}
    told = [start, *({"kind": "step", "step": step, "stage": "goal", "metrics": {}} for step in sorted(by_step))]
    (folder / run / "checkpoints").mkdir()
    write_lines(folder / run / "checkpoints" / "curriculum.jsonl", told)
    return folder / run


def write_lines(path: Path, rows: list[Any] | Iterator[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows))
    return path
