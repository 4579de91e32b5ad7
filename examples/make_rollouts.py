"""Rollouts to try the commands on: arithmetic that gets harder, sampled from a stand-in for a model.

Run: python examples/make_rollouts.py    (writes examples/rollouts/arithmetic.jsonl, the same bytes every time)
"""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "rollouts" / "arithmetic.jsonl"
SEED = 18  # with this one, every bucket that the guides make has prompts for validation
RESPONSES = 8
LEVELS = 9
TASKS_PER_LEVEL = 6
# Format rules in the manner of IFEval: what is asked, how it is checked, with what arguments.
RULES: dict[str, tuple[str, dict[str, Any]]] = {
    "change_case:english_lowercase": ("Use small letters only.", {}),
    "punctuation:no_comma": ("Use no commas.", {}),
    "length_constraints:number_words": ("Use at least 8 words.", {"relation": "at least", "num_words": 8}),
}


def arithmetic(randomness: random.Random) -> Iterator[dict[str, Any]]:
    """Sums and products; the right answer scores 1, any other 0."""
    for level in range(1, LEVELS + 1):
        for number in range(TASKS_PER_LEVEL):
            a, b = (randomness.randrange(10 ** (level // 2), 10 ** (level // 2 + 1)) for _ in range(2))
            sign, answer = ("+", a + b) if number % 2 else ("*", a * b)
            chance = (LEVELS - level + number % 2) / LEVELS  # sums are easier than products
            right = [randomness.random() < chance for _ in range(RESPONSES)]
            texts = [f"{a} {sign} {b} = {answer if good else answer + randomness.randrange(1, 20)}" for good in right]
            yield rollout(
                f"arithmetic-{level}-{number}",
                f"What is {a} {sign} {b}?",
                texts,
                [float(good) for good in right],
                ground_truth=str(answer),
                data_source="arithmetic",
                extra_info={"level": level},
            )


def with_rules(randomness: random.Random) -> Iterator[dict[str, Any]]:
    """Tasks with two rules each; a response scores the share of the rules that it keeps."""
    for number in range(6):
        names = sorted(randomness.sample(sorted(RULES), 2))
        chance = (number + 1) / 7
        texts, scores = [], []
        for _ in range(RESPONSES):
            kept = {name: randomness.random() < chance for name in names}
            texts.append(sentence(kept))
            scores.append(sum(kept.values()) / len(names))
        rules = " ".join(RULES[name][0] for name in names)
        yield rollout(
            f"rules-{number}",
            f"Say whether {randomness.randrange(10, 99)} is even. {rules}",
            texts,
            scores,
            ground_truth={"instruction_id_list": names, "kwargs": [RULES[name][1] for name in names]},
            data_source="rules",
            extra_info={"rules": len(names)},
        )


def sentence(kept: dict[str, bool]) -> str:
    """An answer that keeps the rules that it should, and no others of its task."""
    small = kept.get("change_case:english_lowercase", True)
    long = kept.get("length_constraints:number_words", True)
    comma = "" if kept.get("punctuation:no_comma", True) else ","
    words = f"well{comma} to be quite sure of it I would divide it by two" if long else f"well{comma} divide it"
    return words.lower() if small else words.upper()


def rollout(name: str, question: str, texts: list[str], scores: list[float], **more: Any) -> dict[str, Any]:
    """A line of the file."""
    return {
        "id": name,
        "prompt": [{"role": "user", "content": question}],
        "response": {"choices": [{"message": {"role": "assistant", "content": text}} for text in texts]},
        "reward": [{"score": score} for score in scores],
        **more,
    }


if __name__ == "__main__":
    source = random.Random(SEED)
    rows = [*arithmetic(source), *with_rules(source)]
    source.shuffle(rows)
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    print(f"{FILE}: {len(rows)} prompts, {len(rows) * RESPONSES} responses, {FILE.stat().st_size / 1000:.0f} kB")
