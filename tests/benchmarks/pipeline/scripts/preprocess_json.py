"""Buckets to parquet by a plain script: json.loads for every line, then a table of pyarrow a bucket."""

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from plain import buckets, rows

if __name__ == "__main__":
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    for path in buckets(source):
        pq.write_table(pa.Table.from_pylist(rows(path)), target / f"{path.stem}.parquet", compression="zstd")
