"""Buckets to parquet by a plain script: json.loads for every line, then a pandas frame a bucket."""

import sys
from pathlib import Path

import pandas as pd
from plain import buckets, rows

if __name__ == "__main__":
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    for path in buckets(source):
        pd.DataFrame(rows(path)).to_parquet(target / f"{path.stem}.parquet", compression="zstd")
