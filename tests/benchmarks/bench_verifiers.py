"""Responses per second of every verifier, at 200 and at 4,000 tokens (of four characters each).

One thread asks, so that a figure is what one worker process, or one sandbox at a time, gives.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from arguments import parser, whole
from machine import header, peak_memory
from measuring import run_rounds, said, spreads
from report import shown, table, write_json

EXAMPLES = """examples:
  python tests/benchmarks/bench_verifiers.py                                all
  python tests/benchmarks/bench_verifiers.py --only math exact --rounds 1   a quick look
"""
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
    made = parser(__doc__, EXAMPLES)
    made.add_argument("--seconds", type=float, default=0.6, help="of one turn (default: 0.6)")
    made.add_argument("--rounds", type=whole(1), default=5, help="turns of each (default: 5)")
    made.add_argument("--only", nargs="+", choices=list(TASKS), default=list(TASKS), metavar="NAME", help="verifiers")
    return made


def response_of(tokens: int, ending: str, turn: int) -> str:
    """A text of so many tokens; each turn gives another, so that no cache answers."""
    size = max(0, tokens * CHARACTERS - len(ending))
    body = f"Attempt {turn}. " + FILLER * (size // len(FILLER) + 1)
    return f"{body[:size]}\n{ending}"


class Asking:
    """Scores one response after the other, each of which is new; a turn tells how many a second."""

    def __init__(self, verifier: Any, name: str, tokens: int, seconds: float):
        self._verifier, self._task, self._tokens, self._seconds = verifier, TASKS[name], tokens, seconds
        self._asked = 0

    def turn(self) -> dict[str, float]:
        first, started = self._asked, time.perf_counter()
        while (elapsed := time.perf_counter() - started) < self._seconds or self._asked == first:
            if failure := self.score():
                raise RuntimeError(f"{self._task}: {failure}")
        return {"rate": (self._asked - first) / elapsed}

    def score(self) -> str | None:
        """Score the next response; why that failed, if it did."""
        from curriculum_verl.rewards.scoring import Response

        style, source, ending, truth = self._task
        result = self._verifier.score(Response(response_of(self._tokens, ending, self._asked), truth, source, style))
        self._asked += 1
        return result.failure


def main(argv: Sequence[str] | None = None) -> int:
    arguments = build_parser().parse_args(argv)
    print(header("math-verify", "if-verifiable", "reasoning-gym", "textblob", "verl"), end="\n\n")
    from curriculum_verl.rewards.verifiers.registry import FinalVerifier
    from curriculum_verl.rewards.verifiers.settings import FinalSettings

    verifier = FinalVerifier(FinalSettings(partial_credit=True))
    left_out = {name: why for name in arguments.only if (why := Asking(verifier, name, 1, 0).score())}
    names = [name for name in arguments.only if name not in left_out]
    turns = {
        (name, tokens): Asking(verifier, name, tokens, arguments.seconds).turn for name in names for tokens in TOKENS
    }
    found = spreads(run_rounds(turns, arguments.rounds, said, warm_up=1))
    verifier.close()
    rates = {key: told["rate"] for key, told in found.items()}
    rounds = f"{arguments.rounds} shuffled rounds of {arguments.seconds:g} s"
    print(f"One calling thread; medians (least - most) of {rounds}.")
    print(f"A token has {CHARACTERS} characters. {peak_memory(started=True)}\n")
    rows = [[name, *(shown(rates[name, tokens]) for tokens in TOKENS)] for name in names]
    print(table(["responses a second", *(f"{tokens:,} tokens" for tokens in TOKENS)], rows))
    print("".join(f"\n- {name}: left out, {why}" for name, why in left_out.items()), end="")
    write_json(arguments.json, [{"verifier": n, "tokens": t, **asdict(rate)} for (n, t), rate in rates.items()])
    return 0


if __name__ == "__main__":
    sys.exit(main())
