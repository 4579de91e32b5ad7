"""Buckets by polars: rewards read with a schema that names nothing else, then lines copied as they are."""

import sys
from pathlib import Path

import polars as pl
from cutting import NAMES, buckets_of

SCHEMA = {"reward": pl.List(pl.Struct({"score": pl.Float64}))}

if __name__ == "__main__":
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    scores = pl.element().struct.field("score")
    mean = pl.col("reward").list.eval(scores).list.mean()
    means = pl.scan_ndjson(source, schema=SCHEMA).select(mean).collect(engine="streaming")
    buckets = buckets_of(means["reward"].to_numpy())
    del means
    lines = pl.read_lines(source)
    for number, name in enumerate(NAMES):
        lines.filter(pl.Series(buckets == number)).write_csv(
            target / f"{name}.jsonl", include_header=False, quote_style="never"
        )
