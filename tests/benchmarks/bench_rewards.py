"""Responses a second on one core: reading, coherence, and the features and scores of curiosity, by length.

Prints a table and the goal that was set; the figures never decide the exit code.
"""

import argparse
import json
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial

from arguments import parser, whole
from machine import header, peak_memory
from measuring import Spread, Turn, run_rounds, said, spreads, timed
from report import Goal, render_goals, shown, table, write_json

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


def build_parser() -> argparse.ArgumentParser:
    made = parser(__doc__, EXAMPLES)
    made.add_argument("--tokens", type=whole(1), nargs="+", default=[200, 1000, 4000], help="lengths (default: all)")
    made.add_argument("--responses", type=whole(1), default=400, help="different responses a turn (default: 400)")
    made.add_argument("--rounds", type=whole(1), default=7, help="turns of each; medians are reported (default: 7)")
    return made


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


def contenders(tokens: int, responses: int) -> dict[tuple[str, int], Turn]:
    """What takes turns at one length; each tells its responses in a second of the processor."""
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

    actions: dict[str, Callable[[], object]] = {
        "reading": lambda: [read_trajectory(r.text, operations, r.prompt) for r in given],
        "coherence": lambda: [coherence.score(r) for r in given],
        "curiosity's features": lambda: [trace_response(r, settings, operations).encode() for r in given],
        TOGETHER: lambda: [together(r) for r in given],
        "the same, read once": lambda: [read_once(r) for r in given],
        "the same, prose alone": lambda: [together(r) for r in prose],
        "curiosity's scores": lambda: curiosity.score_groups(groups),
    }

    def turn(action: Callable[[], object]) -> dict[str, float]:
        return {"rate": responses / timed(action)["cpu_seconds"]}

    return {(name, tokens): partial(turn, action) for name, action in actions.items()}


def render(results: Mapping[tuple[str, int], Spread]) -> str:
    """The table, and the verdict where the goal's length was measured."""
    lengths = sorted({tokens for _, tokens in results})
    names = dict.fromkeys(name for name, _ in results)
    rows = [[name, *(shown(results[name, tokens]) for tokens in lengths)] for name in names]
    text = table(["responses a second", *(f"{tokens:,} tokens" for tokens in lengths)], rows)
    if GOAL_TOKENS not in lengths:
        return text
    found = results[TOGETHER, GOAL_TOKENS].median
    goal = Goal(f"{TOGETHER}, {GOAL_TOKENS:,} tokens", "", found, GOAL, at_most=False, unit="responses a second")
    return f"{text}\n\n{render_goals([goal])}"


def main(argv: Sequence[str] | None = None) -> int:
    arguments = build_parser().parse_args(argv)
    print(header("numpy"), end="\n\n")
    turns: dict[tuple[str, int], Turn] = {}
    for tokens in sorted(set(arguments.tokens)):
        turns |= contenders(tokens, arguments.responses)
    found = spreads(run_rounds(turns, arguments.rounds, said, warm_up=1))
    rates = {key: told["rate"] for key, told in found.items()}
    print(f"One core, by processor time; medians (least - most) of {arguments.rounds} shuffled rounds over all lengths")
    print(f"and contenders. A token has {BYTES_A_TOKEN} bytes. {peak_memory()}\n\n{render(rates)}")
    entries = [{"contender": name, "tokens": tokens, **asdict(rate)} for (name, tokens), rate in rates.items()]
    write_json(arguments.json, {"bytes_a_token": BYTES_A_TOKEN, "responses_a_second": entries})
    return 0


if __name__ == "__main__":
    sys.exit(main())
