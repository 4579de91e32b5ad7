"""Buckets to parquet by polars: lines read with a schema, one expression for each column."""

import sys
from pathlib import Path

import polars as pl

TEXT = pl.String
CHOICE = pl.Struct({"message": pl.Struct({"content": TEXT})})
SCHEMA = {
    "id": TEXT,
    "data_source": TEXT,
    "prompt": pl.List(pl.Struct({"role": TEXT, "content": TEXT})),
    "response": pl.Struct({"choices": pl.List(CHOICE)}),
    "ground_truth": TEXT,
    "reward": pl.List(pl.Struct({"score": pl.Float64})),
}


def convert(path: Path, target: Path) -> None:
    scores = pl.col("reward").list.eval(pl.element().struct.field("score"))
    best = scores.list.arg_max()
    choice = pl.col("response").struct.field("choices").list.get(best)
    content = choice.struct.field("message").struct.field("content")
    extra = pl.struct(
        index=pl.int_range(pl.len()),
        id="id",
        curriculum_stage=pl.lit(path.stem),
        difficulty=-scores.list.mean() + 0.0,
        best_response=pl.struct(content=content, score=scores.list.max()),
    )
    columns = {
        "ability": pl.lit("instruction_following"),
        "reward_model": pl.struct(style=pl.lit("rule"), ground_truth="ground_truth"),
        "extra_info": extra,
    }
    rows = pl.read_ndjson(path, schema=SCHEMA).select("data_source", "prompt", **columns)
    rows.write_parquet(target / f"{path.stem}.parquet", compression="zstd")


if __name__ == "__main__":
    for bucket in sorted(Path(sys.argv[1]).glob("*.jsonl")):
        if bucket.name != "rejects.jsonl":
            convert(bucket, Path(sys.argv[2]))
