"""Evaluation sets: the prompts that training data must not hold."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from curriculum_verl.errors import InputError
from curriculum_verl.preprocessing.normal import normal_text, text_hash
from curriculum_verl.rollouts.content import Message
from curriculum_verl.rollouts.files import rollout_files
from curriculum_verl.rollouts.lines import BOM, HashedFile, Piece, open_piece

KEYS = ("prompt", "messages", "question", "problem", "instruction", "input", "text")


class _Part(msgspec.Struct):
    text: str | None = None


class _Message(msgspec.Struct):
    role: str
    content: str | list[str | _Part] | None = None


def benchmark_files(given: Iterable[str]) -> list[Path]:
    """The files among the paths, in the folders and for the globs among them."""
    try:
        return rollout_files(given)
    except InputError as error:
        raise InputError(f"--benchmark: {error}") from error


def read_benchmarks(files: Iterable[Path]) -> dict[int, int]:
    """The hash of every prompt's normal text -> the number of the first file in which it stands."""
    found: dict[int, int] = {}
    for number, file in enumerate(files):
        for text in _normal_texts(file):
            found.setdefault(text_hash(text), number)
    return found


def _normal_texts(path: Path) -> Iterator[str]:
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    size = path.stat().st_size
    texts = number = 0
    with HashedFile(path, 0, size) as raw:
        try:
            for number, line in enumerate(open_piece(Piece(path, 0, size), raw)[0], 1):
                if line := line.removeprefix(BOM).strip():
                    text = normal_text(_messages(decode(line), f"{path}:{number}"))
                    texts += bool(text)
                    yield text
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise InputError(f"{path}:{number}: is not a JSON object: {error}; {_expected()}") from error
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error}; expected an intact file") from error
    if not texts:
        raise InputError(f"{path}: got no prompts; {_expected()}")


def _messages(row: dict[str, Any], where: str) -> list[Message]:
    """The prompt of a row: text, or messages."""
    key = next((key for key in KEYS if row.get(key) is not None), None)
    if key is None:
        raise InputError(f"{where}: got the keys {', '.join(row) or '(none)'}; {_expected()}")
    try:
        prompt = msgspec.convert(row[key], str | list[_Message])
    except msgspec.ValidationError as error:
        raise InputError(f"{where}: got {key} that is neither text nor messages with role and content") from error
    if isinstance(prompt, str):
        return [{"role": "user", "content": prompt}]
    return [{"role": message.role, "content": _text(message.content)} for message in prompt]


def _text(content: str | list[str | _Part] | None) -> str:
    if isinstance(content, str):
        return content
    return "".join(part if isinstance(part, str) else part.text or "" for part in content or ())


def _expected() -> str:
    return f"expected JSON lines or parquet, with the prompt in one of {', '.join(KEYS)}"
