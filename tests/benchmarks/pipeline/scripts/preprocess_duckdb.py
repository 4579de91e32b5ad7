"""Buckets to parquet by DuckDB: one query a bucket."""

import sys
from pathlib import Path

import duckdb

COLUMNS = (
    "{id: 'VARCHAR', data_source: 'VARCHAR', prompt: 'STRUCT(role VARCHAR, content VARCHAR)[]', "
    "response: 'STRUCT(choices STRUCT(message STRUCT(content VARCHAR))[])', ground_truth: 'VARCHAR', "
    "reward: 'STRUCT(score DOUBLE)[]'}"
)
QUERY = """
COPY (
    WITH scored AS (
        SELECT *, list_transform(reward, lambda r: r.score) AS scores
        FROM read_json('{source}', format = 'newline_delimited', columns = {columns}, maximum_object_size = 268435456)
    ), best AS (SELECT *, list_position(scores, list_max(scores)) AS best FROM scored)
    SELECT
        data_source, prompt, 'instruction_following' AS ability,
        {{style: 'rule', ground_truth: ground_truth}} AS reward_model,
        {{
            index: row_number() OVER () - 1, id: id, curriculum_stage: '{stage}',
            difficulty: -list_aggregate(scores, 'favg') + 0.0,
            best_response: {{content: response.choices[best].message.content, score: scores[best]}}
        }} AS extra_info
    FROM best
) TO '{target}' (FORMAT parquet, COMPRESSION zstd)
"""

if __name__ == "__main__":
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    for path in sorted(source.glob("*.jsonl")):
        if path.name != "rejects.jsonl":
            out = target / f"{path.stem}.parquet"
            duckdb.sql(QUERY.format(source=path, columns=COLUMNS, stage=path.stem, target=out))
