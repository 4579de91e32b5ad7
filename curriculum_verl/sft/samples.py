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
    where: str = ""  # file and line


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
                if isinstance(row, InputError):
                    raise row
                sample = _sample(row, buckets, bucket_field, vision=vision)
                if store is not None:
                    sample = _with_images(sample, row.get("images") or (), path, number, store)
                samples.append(replace(sample, where=f"{path}:{number}"))
            except InputError as error:
                problems.append(f"{path}:{number}: {error}")
    refuse(problems)
    order = {bucket: number for number, bucket in enumerate(buckets)}
    return sorted(samples, key=lambda sample: order[sample.bucket])


def refuse(problems: Sequence[str], what: str = "samples that cannot be used") -> None:
    """One error for all problems, if there are any; the first ones are shown."""
    if problems:
        rest = len(problems) - SHOWN
        lines = [*problems[:SHOWN], *([f"and {rest} more"] if rest > 0 else [])]
        raise InputError("\n  ".join([f"got {len(problems)} {what}:", *lines]))


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
    """Rows with their numbers; in the place of a line that is no JSON stands what is wrong with it."""
    try:
        if path.suffix == ".jsonl":
            with path.open(encoding="utf-8-sig") as lines:
                yield from ((number, _line(line)) for number, line in enumerate(lines, 1) if line.strip())
            return
        if path.suffix == ".json":
            rows = json.loads(path.read_text("utf-8-sig"))
            if not isinstance(rows, list):
                raise InputError(f"{path}: got {type(rows).__name__}, expected a list of chats; take .jsonl for lines")
            yield from enumerate(rows, 1)
            return
        import pyarrow.parquet as pq

        with pq.ParquetFile(path) as file:
            batches = file.iter_batches(batch_size=BATCH)
            yield from enumerate((row for batch in batches for row in batch.to_pylist()), 1)
    except ValueError as error:  # of pyarrow's errors, too
        raise InputError(f"{path}: not valid {path.suffix[1:]}: {error}") from error


def _line(line: str) -> Any:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        return InputError(f"not valid JSON: {error.msg} at column {error.colno}")


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
    messages = [_message(message, vision=vision) for message in _listed(row.get("messages"), "messages")]
    if not messages or messages[-1]["role"] != "assistant":
        raise InputError("messages: expected a list that ends with a message of the assistant")
    truth = row.get("ground_truth")
    return Sample(
        messages,
        str(bucket),
        text_of(messages[-1]) if truth is None else truth,
        _listed(row.get("tools"), "tools") or None,
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
    if isinstance(content, list) and not vision:
        content = _joined(content)
    if content is not None and not isinstance(content, str | list if vision else str):
        raise InputError(
            f"messages: got {raw['content']!r:.60} as content, expected text{'' if vision else f'; {FOR_VISION}'}"
        )
    given = {key: value for key, value in raw.items() if value is not None}  # parquet fills up with nulls
    if "tool_calls" in given:
        given["tool_calls"] = _listed(given["tool_calls"], "tool_calls")
    return given | {"content": content or ""}


def _joined(parts: list[Any]) -> Any:
    """The text of parts that are all text."""
    texts = [part.get("text") if isinstance(part, Mapping) and part.get("type") == "text" else None for part in parts]
    return "".join(map(str, texts)) if all(isinstance(text, str) for text in texts) else parts


def _listed(value: Any, what: str) -> list[Any]:
    """A list of mappings, also as JSON, as which parquet holds one whose mappings have different keys."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError as error:
            raise InputError(f"{what}: got {value!r:.60}, expected a list, or a list as JSON: {error.msg}") from error
    if value is not None and not (isinstance(value, list) and all(isinstance(one, Mapping) for one in value)):
        raise InputError(f"{what}: got {value!r:.60}, expected a list of mappings")
    return value or []
