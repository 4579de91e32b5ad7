"""Responses per second of every verifier, at 200 and at 4,000 tokens (of four characters each).

One thread asks, so that a figure is what one worker process, or one sandbox at a time, gives.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

TOKENS = (200, 4000)
CHARACTERS = 4
FILLER = "First we look at what is given, and then we work out the next part of it.\n"
CODE = "def f(n):\n    return n * n\n"
INSTRUCTIONS = {
    "instruction_id_list": ["punctuation:no_comma", "length_constraints:number_words", "detectable_format:title"],
    "kwargs": [{}, {"num_words": 50, "relation": "at least"}, {}],
}
CAPITALS = {"capital_frequency": 9, "capital_relation": "less than"}
WORDS = {"instruction_id_list": ["format:title_case", "change_case:capital_word_frequency"], "kwargs": [{}, CAPITALS]}
ENTRY = {"question": "2 + 2", "answer": "4", "metadata": {"source_dataset": "chain_sum"}}
# name: (style, data source, what ends a right response, ground truth)
TASKS: dict[str, tuple[str, str, str, Any]] = {
    "exact": ("exact", "", "<answer>4</answer>", "4"),
    "numeric": ("numeric", "", "<answer>4</answer>", "4"),
    "math": ("math", "", r"so it is $\boxed{\frac{8}{2}}$", "4"),
    "instructions": ("instructions", "", "", INSTRUCTIONS),
    "instructions, words": ("instructions", "", "", WORDS),
    "reasoning_gym": ("reasoning_gym", "", "<answer>4</answer>", ENTRY),
    "verl (gsm8k)": ("", "openai/gsm8k", "#### 4", "4"),
    "code, 1 test": ("code", "", f"```python\n{CODE}```", {"fn_name": "f", "inputs": [[2]], "outputs": [4]}),
    "code, 10 tests": (
        "code",
        "",
        f"```python\n{CODE}```",
        {"fn_name": "f", "inputs": [[2]] * 10, "outputs": [4] * 10},
    ),
}


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="to measure each figure for (default: 3)")
    parser.add_argument("--only", nargs="+", choices=list(TASKS), default=list(TASKS), metavar="NAME", help="verifiers")
    return parser


def response_of(tokens: int, ending: str, turn: int) -> str:
    """A text of so many tokens; each turn gives another, so that no cache answers."""
    size = max(0, tokens * CHARACTERS - len(ending))
    body = f"Attempt {turn}. " + FILLER * (size // len(FILLER) + 1)
    return f"{body[:size]}\n{ending}"


def rate(score: Callable[[int], Any], seconds: float) -> float:
    score(0)
    turn, started = 1, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds:
        score(turn)
        turn += 1
    return (turn - 1) / elapsed


def main(argv: Sequence[str] | None = None) -> int:
    arguments = build_parser().parse_args(argv)
    from curriculum_verl.rewards.scoring import Response
    from curriculum_verl.rewards.verifiers.registry import FinalVerifier
    from curriculum_verl.rewards.verifiers.settings import FinalSettings

    verifier = FinalVerifier(FinalSettings(partial_credit=True))
    print(json.dumps({"python": platform.python_version(), "machine": platform.platform(), "cores": os.cpu_count()}))
    print(f"{'responses a second':20}" + "".join(f"{f'{tokens} tokens':>14}" for tokens in TOKENS))
    for name in arguments.only:
        style, source, ending, truth = TASKS[name]

        def score(turn: int, tokens: int) -> None:
            result = verifier.score(Response(response_of(tokens, ending, turn), truth, source, style))  # noqa: B023
            assert result.failure is None, result.failure

        rates = [rate(lambda turn, tokens=tokens: score(turn, tokens), arguments.seconds) for tokens in TOKENS]
        print(f"{name:20}" + "".join(f"{value:14,.0f}" for value in rates), flush=True)
    verifier.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
