"""Chat samples out of JSONL, JSON and parquet files, sorted into buckets."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import xxhash

from curriculum_verl.errors import InputError, unknown_name
from curriculum_verl.sft.chat import text_of
from curriculum_verl.sft.pictures import Picture, Store, place_images

KINDS = (".jsonl", ".json", ".parquet")
FOR_VISION = "for a model that sees say model.vision=true"
SHOWN = 5  # problems in one message
BATCH = 64  # rows of parquet at a time: they may hold images


@dataclass(frozen=True, slots=True)
class Sample:
    """One chat; `ground_truth` is what a generated answer is verified against, by default the last message.

    The content of a message is a text, or for a model that sees a list of parts, in which `images` have their places.
    """

    messages: list[dict[str, Any]]
    bucket: str
    ground_truth: Any
    tools: Any = None
    data_source: str = ""
    style: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    images: tuple[Picture, ...] = ()


def read_samples(
    paths: Sequence[str], buckets: Sequence[str], bucket_field: str, *, vision: bool = False
) -> list[Sample]:
    """All samples, easiest bucket first and otherwise in the order of the files; every bad line is named."""
    samples: list[Sample] = []
    problems: list[str] = []
    store = Store() if vision else None
    for path in _files(paths):
        for number, row in _rows(path):
            try:
                sample = _sample(row, buckets, bucket_field, vision=vision)
                if store is not None:
                    sample = _with_images(sample, row.get("images") or (), path, number, store)
                samples.append(sample)
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
        images = [[image.identity for image in sample.images]] if sample.images else []
        whole.update(msgspec.json.encode([sample.bucket, sample.messages, sample.tools, *images]))
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

        with pq.ParquetFile(path) as file:
            batches = file.iter_batches(batch_size=BATCH)
            yield from enumerate((row for batch in batches for row in batch.to_pylist()), 1)
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


def _sample(row: Any, buckets: Sequence[str], bucket_field: str, *, vision: bool) -> Sample:
    if not isinstance(row, Mapping):
        raise InputError(f"got {type(row).__name__}, expected a mapping with messages and {bucket_field}")
    if row.get("videos"):
        raise InputError("got videos, expected text or images: models are not trained on videos here")
    if row.get("images") and not vision:
        raise InputError(f"got images, expected text; {FOR_VISION}")
    bucket = row.get(bucket_field)
    if bucket not in buckets:
        raise InputError(f"{bucket_field}: {unknown_name('bucket', str(bucket), buckets)}")
    messages = [_message(message, vision=vision) for message in row.get("messages") or ()]
    if not messages or messages[-1]["role"] != "assistant":
        raise InputError("messages: expected a list that ends with a message of the assistant")
    truth = row.get("ground_truth")
    return Sample(
        messages,
        str(bucket),
        text_of(messages[-1]) if truth is None else truth,
        row.get("tools") or None,
        str(row.get("data_source") or ""),
        str(row.get("style") or ""),
        row.get("extra_info") or {},
    )


def _with_images(sample: Sample, images: Sequence[Any], path: Path, number: int, store: Store) -> Sample:
    messages, found = place_images(sample.messages, images, path.parent, store, f"{path}:{number}")
    return replace(sample, messages=messages, images=found)


def _message(raw: Any, *, vision: bool) -> dict[str, Any]:
    if not isinstance(raw, Mapping) or not isinstance(raw.get("role"), str):
        raise InputError(f"messages: got {raw!r:.60}, expected mappings with role and content")
    content = raw.get("content")
    if content is not None and not isinstance(content, str | list if vision else str):
        raise InputError(
            f"messages: got {content!r:.60} as content, expected text{'' if vision else f'; {FOR_VISION}'}"
        )
    given = {key: value for key, value in raw.items() if value is not None}  # parquet fills up with nulls
    return given | {"content": content or ""}
