"""A GRPO run and a run of fine-tuning as the monitor reads them, made up, with everything that can happen in one."""

import json
import math
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

STAGES, BUCKETS = ["learn_goal", "learn_coherence", "everything"], ["easy", "medium", "hard"]
MIX = {"learn_goal": (0.8, 0.2, 0.0), "learn_coherence": (0.4, 0.4, 0.2), "everything": (0.2, 0.3, 0.5)}
TOOLS = ("ZOOM_IN", "READ_TEXT", "GET_PROPERTIES", "SEGMENT_OBJECT_AT")
HOSTILE = (
    "<script>window.stolen = 1</script><img src=x onerror='window.stolen = 2'> **bold** [a](javascript:alert(1)) "
    "\x1b[31mred\x1b[0m ${window.stolen = 3} {{this}} </pre></cv-feed>\u202ereversed"
)
RESPONSE = """<think>The picture shows two objects on a table. The left one is larger, so I look closer.</think>
<tool_call>{"name": "ZOOM_IN", "arguments": {"x": 120, "y": 80}}</tool_call>
The object is a red cup with a handle on its right side.
<tool_call>{"name": "READ_TEXT", "arguments": {"x": 130}}</tool_call>
<tool_call>{"name": "READ_TEXT", "arguments": {"x": </tool_call>
Its label reads 42.
<answer>42</answer>"""


def line(kind: str, step: int, **content: Any) -> bytes:
    """A line of the metrics file; a step takes ten seconds."""
    return json.dumps({"kind": kind, "step": step, "time": 1.8e9 + 10 * step, **content}).encode() + b"\n"


def start(step: int = 0, rollouts: str | None = None) -> bytes:
    ends = {"learn_goal": "train/success_rate is above 0.7 or stage/steps is at least 50"}
    return line("start", step, stages=STAGES, ends=ends, buckets=BUCKETS, rollouts=rollouts)


def grpo(steps: int, seed: int = 0, rollouts: str | None = None, first: int = 1) -> Iterator[bytes]:
    """A run that advances twice, is rolled back once, and forgets a bucket."""
    r = random.Random(seed)
    third = max(3, steps // 4)
    stage, switches = STAGES[0], {third: STAGES[1], 2 * third: STAGES[2], 2 * third + third // 2: STAGES[1]}
    switches[3 * third] = STAGES[2]
    if first == 1:
        yield start(0, rollouts)
    for step in range(1, steps + 1):
        target = switches.get(step, stage)
        if target != stage and step >= first:
            back = STAGES.index(target) < STAGES.index(stage)
            reason = (
                "val/score fell from 0.55 to 0.47"
                if back
                else f"train/success_rate over 10 above 0.7 ({0.7 + step / 9000:.3f})"
            )
            yield line(
                "rollback" if back else "advance", step, source=stage, target=target, reason=reason,
                before=0.55, after=0.47 if back else None,
            )  # fmt: skip
        stage = target
        metrics = grpo_metrics(step, steps, stage, r)
        if step >= first:
            if step == 2 * third + 2:
                yield line("alarm", step, bucket="easy")
                yield line("warning", step, message="metric reward/curiosity has had no value for 100 steps")
                yield line("alert", step, name="kl", reason="actor/ppo_kl over 10 above 0.2 (0.31)")
            if step % 5 == 0:
                held_out = {f"val/{bucket}": metrics[f"curriculum/train/{bucket}/success_rate"] for bucket in BUCKETS}
                yield line("validation", step, stage=stage, metrics=held_out)
            yield line("step", step, stage=stage, exit=exit_tests(stage, metrics, step), metrics=metrics)


def exit_tests(stage: str, metrics: dict[str, float], step: int) -> list[dict[str, Any]]:
    if stage == STAGES[-1]:
        return []
    success = metrics["curriculum/train/success_rate"]
    return [
        {
            "metric": "train/success_rate over 10",
            "test": "above",
            "value": success,
            "threshold": 0.7,
            "met": success > 0.7,
        },
        {"metric": "reward/coherence", "test": "slope below", "value": None, "threshold": 0.001, "met": False},
        {"metric": "stage/steps", "test": "at_least", "value": float(step % 50), "threshold": 50.0, "met": False},
    ]


def grpo_metrics(step: int, steps: int, stage: str, r: random.Random) -> dict[str, float]:
    t = step / steps
    rates = [min(0.98, 0.35 + 0.6 * t), min(0.95, 0.15 + 0.6 * t), 0.05 + 0.45 * t * t]
    shares = MIX[stage]
    found: dict[str, float] = {}
    for bucket, rate, share in zip(BUCKETS, rates, shares, strict=True):
        rate = min(1.0, max(0.0, rate + r.gauss(0, 0.04)))
        found |= {f"curriculum/share/{bucket}": share, f"curriculum/train/{bucket}/success_rate": rate}
        found |= {
            f"curriculum/tokens/{bucket}": share * 40_000 * (1 + t),
            f"curriculum/response_length/{bucket}": 150 + 90 * t,
        }
        if step % 5 == 0:
            found[f"curriculum/forgetting/{bucket}"] = -0.1 * (1 - rate) * abs(math.sin(step / 9))
    success = sum(
        share * found[f"curriculum/train/{bucket}/success_rate"] for bucket, share in zip(BUCKETS, shares, strict=True)
    )
    coherence, curiosity = 0.2 + 0.5 * t + r.gauss(0, 0.03), 0.15 + 0.1 * math.sin(step / 15)
    found |= {
        "curriculum/train/success_rate": success, "curriculum/train/score": success,
        "reward/final": success, "reward/coherence": coherence, "reward/curiosity": curiosity,
        "reward_weighted/final": success,
        "reward_weighted/coherence": 0.1 * coherence * (stage != STAGES[0]),
        "reward_weighted/curiosity": 0.05 * curiosity * (stage == STAGES[2]),
        "critic/score/mean": success + 0.1 * coherence,
        "curriculum/filtering_rate": min(1.0, 0.9 - 0.5 * t + r.gauss(0, 0.05)),
        "actor/ppo_kl": 0.002 + 0.02 * t * r.random(), "actor/kl_loss": 0.001 + 0.05 * t + r.gauss(0, 0.003),
        "response_length/mean": 180 + 60 * t + r.gauss(0, 8), "actor/entropy": 0.8 - 0.5 * t + r.gauss(0, 0.02),
        "actor/pg_loss": r.gauss(0, 0.02), "actor/grad_norm": abs(r.gauss(0.6, 0.1)),
        "actor/lr": 1e-6 * min(1.0, step / 20),
        "curriculum/rollbacks": 0.0, "curriculum/stage": float(STAGES.index(stage)),
    }  # fmt: skip
    parts = [0.2 + r.random() for _ in TOOLS]
    return found | {
        f"curriculum/curiosity/tools/{tool}": part / sum(parts) for tool, part in zip(TOOLS, parts, strict=True)
    }


def sft(steps: int, seed: int = 1) -> Iterator[bytes]:
    """A run of fine-tuning: losses and scores, no reward, no rollouts."""
    r = random.Random(seed)
    yield line("start", 0, stages=["simple", "all"], buckets=["simple", "hard"], rollouts=None)
    for step in range(1, steps + 1):
        stage = "simple" if step <= steps // 2 else "all"
        if step == steps // 2:
            yield line(
                "advance",
                step,
                source="simple",
                target="all",
                reason="val/score over 3 above 0.75 (0.8)",
                before=0.8,
                after=None,
            )
        metrics = {
            "train/loss": 2.5 * math.exp(-3 * step / steps) + r.gauss(0, 0.05),
            "train/learning_rate": 2e-4 * (1 - step / steps),
        }
        metrics |= {
            "curriculum/share/simple": 1.0 if stage == "simple" else 0.4,
            "curriculum/share/hard": 0.0 if stage == "simple" else 0.6,
        }
        metrics |= {
            "curriculum/train/success_rate": step / steps,
            "curriculum/train/score": step / steps,
            "train/grad_norm": r.random(),
        }
        if step % 10 == 0:
            metrics |= {
                "val/simple": 0.9 * step / steps,
                "val/hard": 0.5 * step / steps,
                "eval/loss": 2.0 - step / steps,
            }
        yield line("step", step, stage=stage, exit=[], metrics=metrics)


def rollout(
    step: int, prompt: str, bucket: str, responses: Sequence[str], rewards: Sequence[float], stage: int = 0
) -> bytes:
    """A line of the rollout log."""
    count = len(responses)
    return json.dumps(
        {
            "id": prompt, "prompt": [{"role": "user", "content": f"What does the label of {prompt} read?"}],
            "response": list(responses), "reward": list(rewards), "ground_truth": "42", "data_source": "toy",
            "extra_info": {}, "bucket": bucket, "stage": stage, "weights": {"final": 1.0, "coherence": 0.1},
            "weighted_reward": [reward + 0.02 for reward in rewards],
            "components": {
                "final": list(rewards), "final/success": list(rewards),
                "coherence": [0.2 + 0.1 * place for place in range(count)],
            },
            "step": step,
        }
    ).encode() + b"\n"  # fmt: skip


def write_rollouts(folder: Path, steps: Sequence[int]) -> None:
    """A file for each step: a few prompts of every bucket, of which p0 and a hostile one are in all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    wrong = RESPONSE.replace("<answer>42", "<answer>41")
    for step in steps:
        lines = [
            rollout(
                step,
                f"p{place}" if place == 0 else f"{bucket}-{step}-{place}",
                bucket,
                [RESPONSE, wrong, f"I guess {step}."],
                [1.0, 0.0, 0.0],
            )
            for bucket in BUCKETS
            for place in range(0 if bucket == "easy" else 1, 3)
        ]
        lines.append(rollout(step, f"hostile {HOSTILE}", "hard", [HOSTILE, "x" * 1_000_000], [0.0, 1.0]))
        (folder / f"rollout_{step:06d}.jsonl").write_bytes(b"".join(lines))


def write_run(folder: Path, steps: int, seed: int = 0) -> Path:
    """A whole GRPO run with its rollout log; returns the metrics file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "curriculum.jsonl"
    path.write_bytes(b"".join(grpo(steps, seed, "rollouts")))
    write_rollouts(folder / "rollouts", [*range(10, steps + 1, 10)])
    return path
