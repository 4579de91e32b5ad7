"""Whether the parquet files of a run are the data of its manifest, row by row."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curriculum_verl.errors import InputError
from curriculum_verl.manifest import AGAIN, Manifest, check_files

INDEX, BUCKET, ID = "index", "curriculum_stage", "id"


def paths(files: Any) -> list[Path]:
    """The files of a run, which verl takes as one name or a list."""
    if files is None:
        return []
    return [Path(name) for name in ([files] if isinstance(files, str) else files)]


def data_problems(manifest: Manifest, folder: Path, train: Sequence[Path], validation: Sequence[Path]) -> Iterator[str]:
    """All in which the files of a run differ from what its manifest says of them."""
    try:
        check_files(manifest, folder, hashes=True)
    except InputError as error:
        yield str(error)
        return
    yield from _other_files("data.train_files", [folder / name for name in manifest.train_files], train)
    yield from _other_files("data.val_files", [folder / name for name in manifest.validation_files], validation)
    yield from _train_problems(manifest, train)
    yield from _validation_problems(manifest, validation)


def _other_files(key: str, expected: Sequence[Path], got: Sequence[Path]) -> Iterator[str]:
    if expected and [path.resolve() for path in expected] != [path.resolve() for path in got]:
        names, wanted = (", ".join(map(str, files)) or "none" for files in (got, expected))
        yield f"{key}: got {names}, expected the manifest's in their order: {wanted}; leave it out"


def _train_problems(manifest: Manifest, files: Sequence[Path]) -> Iterator[str]:
    try:
        columns = _columns(files)
    except InputError as error:
        yield str(error)
        return
    rows, total = len(columns[INDEX]), sum(manifest.sizes.values())
    if rows != total:
        yield f"data.train_files: got {rows:,} rows, the manifest says {total:,}; {AGAIN}"
        return
    for name in (INDEX, ID):
        values = columns[name]
        missing = values.null_count
        if missing and name == INDEX:
            yield f"data.train_files: {missing:,} rows have no extra_info.{name}, which tells prompts apart; {AGAIN}"
        elif not missing and len(values.unique()) < rows:
            yield f"data.train_files: extra_info.{name} {_twice(values)} stands twice, expected every one once; {AGAIN}"
    got = columns[BUCKET].to_pylist()
    if any(got):
        expected = [bucket.name for bucket in manifest.buckets for _ in range(bucket.prompts)]
        wrong = next((row for row, pair in enumerate(zip(got, expected, strict=True)) if pair[0] != pair[1]), None)
        if wrong is not None:
            what = f"got row {wrong} in bucket {got[wrong]!r}, the manifest says {expected[wrong]!r}"
            yield f"data.train_files: {what}; {AGAIN}"


def _validation_problems(manifest: Manifest, files: Sequence[Path]) -> Iterator[str]:
    expected = {bucket.name: bucket.validation_prompts for bucket in manifest.buckets if bucket.validation_prompts}
    if not files:
        return
    try:
        found = Counter(_columns(files)[BUCKET].to_pylist())
    except InputError as error:
        yield str(error)
        return
    for bucket, prompts in expected.items():
        if found[bucket] != prompts:
            yield (
                f"data.val_files: got {found[bucket]:,} rows with extra_info.{BUCKET} {bucket!r}, "
                f"the manifest says {prompts:,}; {AGAIN}"
            )


def _columns(files: Sequence[Path]) -> dict[str, pa.ChunkedArray]:
    """What tells rows and buckets apart, as text, of all files in order; what a file lacks is null."""
    tables = [_read(path) for path in files]
    return {
        name: pa.chunked_array([_field(table, name) for table in tables], pa.string()) for name in (INDEX, BUCKET, ID)
    }


def _read(path: Path) -> pa.Table:
    try:
        with pq.ParquetFile(path.expanduser()) as file:
            return file.read(columns=[f"extra_info.{name}" for name in (INDEX, BUCKET, ID)])
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: cannot be read as parquet: {error}; {AGAIN}") from error


def _field(table: pa.Table, name: str) -> pa.Array:
    if "extra_info" not in table.column_names:
        return pa.nulls(table.num_rows, pa.string())
    column = table["extra_info"].combine_chunks()
    if column.type.get_field_index(name) < 0:
        return pa.nulls(table.num_rows, pa.string())
    return pc.struct_field(column, name).cast(pa.string())


def _twice(values: pa.ChunkedArray) -> str:
    counts = pc.value_counts(values)
    return str(counts.field("values")[int(np.argmax(counts.field("counts").to_numpy()))])
