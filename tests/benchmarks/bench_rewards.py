"""Responses a second on one core: reading, coherence, and the features and scores of curiosity, by length.

Prints a table and the goal that was set; the figures never decide the exit code.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

EXAMPLES = """examples:
  python tests/benchmarks/bench_rewards.py                                   200, 1,000 and 4,000 tokens
  python tests/benchmarks/bench_rewards.py --tokens 1000 --rounds 3          a quick look
  python tests/benchmarks/bench_rewards.py --json build/bench_rewards.json   the same, with JSON
"""
BYTES_A_TOKEN = 4
GOAL_TOKENS, GOAL = 1000, 2000.0
GROUP = 8  # responses to one prompt
TOGETHER = "coherence + curiosity's features"
TEXT = (
    "the of and to in is that it for as on with at by from this which or be are an left right above below cup table "
    "window label number sum product equals therefore because first second next object region colour value compute "
    "check picture frame text word line count distance between larger smaller result so then we find need know given"
)
WORDS = TEXT.split()


def count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a whole number of at least 1")
    return int(text)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tokens", type=count, nargs="+", default=[200, 1000, 4000], help="lengths (default: all)")
    parser.add_argument("--responses", type=count, default=400, help="different responses a turn (default: 400)")
    parser.add_argument("--rounds", type=count, default=7, help="turns of each; medians are reported (default: 7)")
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write all figures to this file")
    return parser


def made_up_response(rng: random.Random, tokens: int, prose: bool) -> str:
    """A thought, then lines with a call after every fourth, then an answer; `prose` is a thought and nothing else."""
    size = tokens * BYTES_A_TOKEN
    lines = ["<think>"]
    while sum(map(len, lines)) + len(lines) < size * (1.0 if prose else 0.4):
        lines.append(_sentence(rng))
    lines.append("</think>")
    number = 0
    while not prose and sum(map(len, lines)) + len(lines) < size:
        number += 1
        lines.append(_call(rng) if number % 4 == 0 else _sentence(rng))
    return "\n".join([*lines, "<answer>42</answer>"])


def _sentence(rng: random.Random) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(6, 20))).capitalize() + "."


def _call(rng: random.Random) -> str:
    x, y = rng.randrange(1000), rng.randrange(1000)
    if rng.random() < 0.5:
        return f"ZOOM_IN(x={x}, y={y}, size=[64, 64])"
    call = {"name": rng.choice(["SEGMENT_OBJECT_AT", "READ_TEXT"]), "arguments": {"x": x, "y": y}}
    return f"<tool_call>{json.dumps(call)}</tool_call>"


def measure(tokens: int, responses: int, rounds: int) -> dict[str, float]:
    """Responses a second of each contender: the median over the rounds, each of which lets all take a turn."""
    from curriculum_verl.rewards.coherence import Coherence
    from curriculum_verl.rewards.curiosity import Curiosity, trace_response
    from curriculum_verl.rewards.scoring import Response
    from curriculum_verl.rewards.settings import CuriositySettings, Operations
    from curriculum_verl.rewards.trajectory import read_trajectory
    from curriculum_verl.rewards.usage import Trace

    rng = random.Random(tokens)
    given = [Response(made_up_response(rng, tokens, prose=False), prompt="What is shown?") for _ in range(responses)]
    prose = [Response(made_up_response(rng, tokens, prose=True)) for _ in range(responses)]
    operations, settings = Operations(), CuriositySettings()
    coherence, curiosity = Coherence(operations=operations), Curiosity(operations=operations)
    traces = [trace_response(response, settings, operations) for response in given]
    groups = [traces[start : start + GROUP] for start in range(0, len(traces), GROUP)]

    def together(response: Response) -> None:
        coherence.score(response)
        trace_response(response, settings, operations).encode()

    def read_once(response: Response) -> None:
        trajectory = read_trajectory(response.text, operations, response.prompt)
        coherence.judge(trajectory)
        Trace.of(trajectory, operations, settings.digits).encode()

    contenders: dict[str, Callable[[], object]] = {
        "reading": lambda: [read_trajectory(r.text, operations, r.prompt) for r in given],
        "coherence": lambda: [coherence.score(r) for r in given],
        "curiosity's features": lambda: [trace_response(r, settings, operations).encode() for r in given],
        TOGETHER: lambda: [together(r) for r in given],
        "the same, read once": lambda: [read_once(r) for r in given],
        "the same, prose alone": lambda: [together(r) for r in prose],
        "curiosity's scores": lambda: curiosity.score_groups(groups),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, contender in contenders.items():
            start = time.process_time()
            contender()
            if turn:  # the first round warms up
                seconds[name].append(time.process_time() - start)
    return {name: responses / median(found) for name, found in seconds.items()}


def render(results: dict[int, dict[str, float]]) -> str:
    """The table, and the verdict where the goal's length was measured."""
    head = "| responses a second | " + " | ".join(f"{tokens:,} tokens" for tokens in results) + " |"
    lines = [head, "| --- |" + " ---: |" * len(results)]
    for name in next(iter(results.values())):
        lines.append(f"| {name} | " + " | ".join(f"{found[name]:,.0f}" for found in results.values()) + " |")
    if GOAL_TOKENS in results:
        found = results[GOAL_TOKENS][TOGETHER]
        verdict = "met" if found >= GOAL else "NOT MET"
        lines += ["", f"goal: {TOGETHER} at {GOAL_TOKENS:,} tokens >= {GOAL:,.0f}: {found:,.0f}, {verdict}"]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    arguments = build_parser().parse_args(argv)
    results: dict[int, dict[str, float]] = {
        tokens: measure(tokens, arguments.responses, arguments.rounds) for tokens in sorted(set(arguments.tokens))
    }
    print(render(results))
    if arguments.json is not None:
        document: dict[str, Any] = {"bytes_a_token": BYTES_A_TOKEN, "responses_a_second": results}
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        print(f"\nwritten: {arguments.json}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
