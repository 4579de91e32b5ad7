"""Rollouts made up for tests: lines as users have them, and files of them."""

import gzip
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


def rollout(number: int, scores: Sequence[float], **more: Any) -> dict[str, Any]:
    """One prompt with its scored responses, as the pipeline guide shows it."""
    return {
        "num": number,
        "key": f"k{number}",
        "prompt": [{"role": "user", "content": f'Question {number}, with "quotes", \n and 中文?'}],
        "response": {"choices": [{"message": {"content": f"answer {n}"}} for n in range(len(scores))]},
        "reward": [{"score": score, "V_i": score / 2} for score in scores],
        "ground_truth": str(number),
    } | more


def solved(passing: int, of: int = 4) -> list[float]:
    """Scores of which so many pass."""
    return [1.0] * passing + [0.0] * (of - passing)


def of_every_kind(count: int = 50, of: int = 4) -> list[dict[str, Any]]:
    """Prompts of all pass rates, mixed."""
    return [rollout(number, solved(number * 7 % (of + 1), of)) for number in range(count)]


def dump_lines(prompts: int, responses: int, steps: int = 1) -> list[dict[str, Any]]:
    """What verl's trainer dumps: a line for each response, the responses of a prompt apart from each other."""
    return [
        {
            "input": f"user\nQ {prompt}\nassistant\n",
            "output": f"A {prompt} {response}",
            "gts": str(prompt),
            "score": float(response < prompt % (responses + 1)),
            "step": step,
            "uid": f"{step}-{prompt}",
            "acc": True,
            "reward": 0.5,
        }
        for step in range(steps)
        for response in range(responses)
        for prompt in range(prompts)
    ]


def text(lines: Iterable[Any]) -> bytes:
    """Lines as a file's bytes: bytes as they are, all else as JSON."""
    encoded = (line if isinstance(line, bytes) else json.dumps(line, ensure_ascii=False).encode() for line in lines)
    return b"".join(line + b"\n" for line in encoded)


def write(path: Path, lines: Iterable[Any]) -> Path:
    """Write lines to a file, packed as its name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(list(lines)), path)
        return path
    content = text(lines)
    if path.suffix == ".gz":
        content = gzip.compress(content)
    if path.suffix == ".zst":
        stream = pa.BufferOutputStream()
        with pa.CompressedOutputStream(stream, "zstd") as out:
            out.write(content)
        content = stream.getvalue().to_pybytes()
    path.write_bytes(content)
    return path


def lines_of(path: Path) -> list[bytes]:
    """A file's lines, without their ends."""
    content = path.read_bytes()
    assert not content or content.endswith(b"\n")
    return content.split(b"\n")[:-1]


def rows_of(path: Path) -> list[dict[str, Any]]:
    """A file's lines, read."""
    return [json.loads(line) for line in lines_of(path)]
