"""Chat samples out of JSONL, JSON and parquet files, sorted into buckets."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import xxhash

from curriculum_verl.errors import InputError, unknown_name

KINDS = (".jsonl", ".json", ".parquet")
SHOWN = 5  # problems in one message


@dataclass(frozen=True, slots=True)
class Sample:
    """One chat; `ground_truth` is what a generated answer is verified against, by default the last message."""

    messages: list[dict[str, Any]]
    bucket: str
    ground_truth: Any
    tools: Any = None
    data_source: str = ""
    style: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)


def read_samples(paths: Sequence[str], buckets: Sequence[str], bucket_field: str) -> list[Sample]:
    """All samples, easiest bucket first and otherwise in the order of the files; every bad line is named."""
    samples: list[Sample] = []
    problems: list[str] = []
    for path in _files(paths):
        for number, row in _rows(path):
            try:
                samples.append(_sample(row, buckets, bucket_field))
            except InputError as error:
                problems.append(f"{path}:{number}: {error}")
    if problems:
        rest = len(problems) - SHOWN
        lines = [*problems[:SHOWN], *([f"and {rest} more"] if rest > 0 else [])]
        raise InputError("\n  ".join([f"got {len(problems)} samples that cannot be used:", *lines]))
    order = {bucket: number for number, bucket in enumerate(buckets)}
    return sorted(samples, key=lambda sample: order[sample.bucket])


def identity(samples: Sequence[Sample]) -> str:
    """A hash over all samples in order, by which a resumed run knows its data."""
    whole = xxhash.xxh3_128()
    for sample in samples:
        whole.update(msgspec.json.encode([sample.bucket, sample.messages, sample.tools]))
    return f"xxh3-128:{whole.hexdigest()}"


def _files(paths: Sequence[str]) -> list[Path]:
    found: list[Path] = []
    for name in paths:
        path = Path(name)
        inside = sorted(file for file in path.iterdir() if file.suffix in KINDS) if path.is_dir() else [path]
        if not inside or not all(file.is_file() and file.suffix in KINDS for file in inside):
            raise InputError(f"{path}: expected a file, or a folder of files, of the kinds {', '.join(KINDS)}")
        found += inside
    return found


def _rows(path: Path) -> Iterator[tuple[int, Any]]:
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        for number, row in enumerate(pq.read_table(path).to_pylist(), 1):
            yield number, row
        return
    try:
        if path.suffix == ".json":
            yield from enumerate(json.loads(path.read_text("utf-8-sig")), 1)
            return
        with path.open(encoding="utf-8-sig") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield number, json.loads(line)
    except ValueError as error:
        raise InputError(f"{path}: not valid JSON: {error}") from error


def _sample(row: Any, buckets: Sequence[str], bucket_field: str) -> Sample:
    if not isinstance(row, Mapping):
        raise InputError(f"got {type(row).__name__}, expected a mapping with messages and {bucket_field}")
    if row.get("images") or row.get("videos"):
        raise InputError("got images or videos, expected text: models that see are not trained here yet")
    bucket = row.get(bucket_field)
    if bucket not in buckets:
        raise InputError(f"{bucket_field}: {unknown_name('bucket', str(bucket), buckets)}")
    messages = [_message(message) for message in row.get("messages") or ()]
    if not messages or messages[-1]["role"] != "assistant":
        raise InputError("messages: expected a list that ends with a message of the assistant")
    truth = row.get("ground_truth")
    return Sample(
        messages,
        str(bucket),
        messages[-1].get("content") if truth is None else truth,
        row.get("tools") or None,
        str(row.get("data_source") or ""),
        str(row.get("style") or ""),
        row.get("extra_info") or {},
    )


def _message(raw: Any) -> dict[str, Any]:
    if not isinstance(raw, Mapping) or not isinstance(raw.get("role"), str):
        raise InputError(f"messages: got {raw!r:.60}, expected mappings with role and content")
    content = raw.get("content")
    if content is not None and not isinstance(content, str):
        raise InputError("messages: got content that is no text: models that see are not trained here yet")
    given = {key: value for key, value in raw.items() if value is not None}  # parquet fills up with nulls
    return given | {"content": content or ""}
