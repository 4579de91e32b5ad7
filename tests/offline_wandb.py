"""Reads back what W&B wrote offline: records in blocks of 32 KiB, each part with its checksum, length and type."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BLOCK, HEADER = 32768, struct.Struct("<IHB")
FULL, LAST = 1, 4


def records(path: Path) -> Iterator[Any]:
    """Every record of a .wandb file."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, whole = path.read_bytes(), HEADER.size, b""
    while at + HEADER.size <= len(data):
        rest = BLOCK - at % BLOCK
        _, length, kind = HEADER.unpack_from(data, at)
        if rest < HEADER.size or (length, kind) == (0, 0):  # padding up to the next block
            at += rest
            continue
        whole += data[at + HEADER.size : at + HEADER.size + length]
        at += HEADER.size + length
        if kind in (FULL, LAST):
            yield Record.FromString(whole)
            whole = b""


def history(folder: Path) -> list[dict[str, Any]]:
    """The rows that the one offline run below a folder has logged, in order."""
    [path] = folder.rglob("*.wandb")
    rows = [record.history for record in records(path) if record.WhichOneof("record_type") == "history"]
    return [{item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in row.item} for row in rows]
