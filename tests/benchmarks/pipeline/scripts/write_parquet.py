"""The tables of preprocessed data written again, from memory; the seconds of the writing alone go to seconds.json."""

import json
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq


def row_groups(path: Path) -> list[int]:
    metadata = pq.read_metadata(path)
    return [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]


if __name__ == "__main__":
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    seconds = cpu_seconds = 0.0
    for path in sorted(source.glob("*.parquet")):
        table, sizes = pq.read_table(path), row_groups(path)
        start, cpu_start = time.perf_counter(), time.process_time()
        with pq.ParquetWriter(target / path.name, table.schema, compression="zstd") as writer:
            first = 0
            for size in sizes:
                writer.write_table(table.slice(first, size))
                first += size
        seconds += time.perf_counter() - start
        cpu_seconds += time.process_time() - cpu_start
    (target / "seconds.json").write_text(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds}))
