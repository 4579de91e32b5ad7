"""Buckets by DuckDB: scores taken out of the JSON text, then lines copied as they are."""

import sys
from pathlib import Path

import duckdb
import pyarrow as pa
from cutting import NAMES, buckets_of

SCORES = "CAST(json_extract(json, '$.reward[*].score') AS DOUBLE[])"
AS_THEY_ARE = "FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER E'\\x01'"

if __name__ == "__main__":
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    lines = f"read_ndjson_objects('{source}', maximum_object_size=268435456)"
    duck = duckdb.connect()
    means = duck.sql(f"SELECT list_aggregate({SCORES}, 'favg') AS mean FROM {lines}").fetchnumpy()["mean"]
    chosen = pa.table({"bucket": buckets_of(means)})
    duck.register("chosen", chosen)
    for number, name in enumerate(NAMES):
        duck.sql(
            f"COPY (SELECT json FROM {lines} POSITIONAL JOIN chosen WHERE bucket = {number}) "
            f"TO '{target / name}.jsonl' ({AS_THEY_ARE})"
        )
