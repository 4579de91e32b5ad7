"""Made-up rollouts: about 14 KB a row, awkward texts, scores with many ties; the same bytes for the same rows.

Short rows are for how much memory a row takes, which its length has no part in.
"""

import json
import random
from pathlib import Path

SEED = 11
RESPONSES = 8
WORDS = 2000
FRAGMENTS = 1 << 14  # pieces of text; more than a compressor or a dictionary of parquet remembers
FRAGMENT_BYTES = 270
PER_RESPONSE = 5
PER_WRITE = 64  # rows
# What trips readers that look for a field by its name, count braces, or escape and unescape on the way.
AWKWARD = (
    'He said "no", then wrote \\boxed{7} and C:\\new\\table.',
    'The log read {"reward":[{"score":99}],"id":"row-0000000"} before it broke off: {"reward": [',
    "First line\nsecond line\r\n\ttabbed, and a lone \\ at the end \\\\",
    "数学题：求 x 的值，使得 x² + 2x + 1 = 0。答案是 −1。",  # noqa: RUF001  that is the point
    "emoji 🎲🧮👩🏽‍🔬 and the separators \u2028 and \u2029, a NUL \x00, a DEL \x7f, a BOM \ufeff",
    "</script> <b>&amp;</b> %s {0} $HOME `rm`",
    "الجواب هو ٤٢ — Ответ: 42, größer als √2 ≈ 1.41421356",
)


def generate(path: Path, rows: int) -> None:
    """Write the file."""
    rng = random.Random(SEED)
    words = ["".join(rng.choices("etaoinshrdlucmfw", k=rng.randrange(1, 11))) for _ in range(WORDS)]
    fragments = [_fragment(rng, words) for _ in range(FRAGMENTS)]
    with path.open("wb") as file:
        for first in range(0, rows, PER_WRITE):
            numbers = range(first, min(first + PER_WRITE, rows))
            file.write(b"".join(_row(number, rng, fragments) for number in numbers))


def generate_short(path: Path, rows: int) -> None:
    """Write a file of rows of less than 200 bytes."""
    rng = random.Random(SEED)
    with path.open("wb") as file:
        for number in range(rows):
            rewards = [float(rng.random() < 0.5) for _ in range(RESPONSES)]
            row = {"id": row_id(number), "prompt": "1 + 1", "response": ["2"] * RESPONSES, "reward": rewards}
            file.write(_json(row) + b"\n")


def row_id(number: int) -> str:
    """The id of a row."""
    return f"row-{number:07}"


def _fragment(rng: random.Random, words: list[str]) -> bytes:
    """The inside of a JSON string."""
    parts = rng.choices(AWKWARD, k=rng.randrange(2))
    while sum(len(part.encode()) + 1 for part in parts) < FRAGMENT_BYTES:
        parts.append(" ".join(rng.choices(words, k=12)) + ".")
    rng.shuffle(parts)
    return _json("\n".join(parts), ascii_only=rng.random() < 0.1)[1:-1]  # some loggers escape all that is not ASCII


def _json(value: object, ascii_only: bool = False) -> bytes:
    return json.dumps(value, ensure_ascii=ascii_only).encode()


def _row(number: int, rng: random.Random, fragments: list[bytes]) -> bytes:
    pieces = rng.choices(fragments, k=PER_RESPONSE * RESPONSES + 1)
    choices = (
        b'{"index": 0, "message": {"role": "assistant", "content": "%b"}, "finish_reason": "stop"}'
        % b" ".join(pieces[PER_RESPONSE * place : PER_RESPONSE * (place + 1)])
        for place in range(RESPONSES)
    )
    truth = str(number % 97) if number % 3 else json.dumps({"instruction_id_list": ["a:b"], "kwargs": [{"n": number}]})
    rewards = [{"score": score, "reason": 'matched "x"'} for score in _scores(number, rng)]
    return (
        b'{"id": "%b", "data_source": "made_up", "prompt": [{"role": "user", "content": "Task %d. %b"}], '
        b'"response": {"choices": [%b]}, "ground_truth": %b, "reward": %b}\n'
        % (row_id(number).encode(), number, pieces[-1], b", ".join(choices), _json(truth), _json(rewards))
    )


def _scores(number: int, rng: random.Random) -> list[float]:
    """Right or wrong, tenths, or sevenths with all their digits: means of which many are equal but for rounding."""
    chance = rng.random()
    parts = (1, 10, 7)[number % 3]
    return [round(sum(rng.random() < chance for _ in range(parts)) / parts, 16) for _ in range(RESPONSES)]
