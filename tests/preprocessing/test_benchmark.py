import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from preprocessing.made_up_buckets import rollout, write_buckets

from curriculum_verl.errors import InputError
from curriculum_verl.preprocessing.benchmark import benchmark_files, read_benchmarks
from curriculum_verl.preprocessing.normal import text_hash

HASH = text_hash("what is 3 plus 3?")
ASKED = "What is  3 PLUS 3?"


def write(path, *rows):
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    elif path.suffix == ".zst":
        with pa.CompressedOutputStream(str(path), "zstd") as file:
            file.write(text.encode())
    else:
        path.write_text(text)
    return str(path)


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": ASKED},
        {"prompt": [{"role": "system", "content": "x"}, {"role": "user", "content": ASKED}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": ASKED}]}]},
        {"question": ASKED, "answer": "text"},
        {"text": "no", "problem": ASKED},
        {"instruction": ASKED, "input": ""},
        {"input": ASKED},
        {"text": ASKED},
        {"prompt": None, "question": ASKED},
    ],
)
def test_the_prompt_stands_in_the_first_field_there_is(tmp_path, row):
    assert read_benchmarks([tmp_path / "b.jsonl"] if write(tmp_path / "b.jsonl", row) else []) == {HASH: 0}


@pytest.mark.parametrize("name", ["b.jsonl", "b.jsonl.gz", "b.jsonl.zst"])
def test_every_kind_of_file(tmp_path, name):
    write(tmp_path / name, {"question": "other"}, {"question": ASKED})
    assert HASH in read_benchmarks(benchmark_files([str(tmp_path / name)]))


def test_parquet_in_verls_own_format(tmp_path):
    pq.write_table(pa.table({"prompt": [[{"role": "user", "content": ASKED}]], "n": [1]}), tmp_path / "b.parquet")
    assert read_benchmarks([tmp_path / "b.parquet"]) == {HASH: 0}


def test_blank_lines_and_a_bom_are_passed_over(tmp_path):
    (tmp_path / "b.jsonl").write_bytes(b"\xef\xbb\xbf\n\n" + json.dumps({"text": ASKED}).encode())
    assert read_benchmarks([tmp_path / "b.jsonl"]) == {HASH: 0}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            '{"text": "a"}\n{"id": 1, "answer": "x"}\n',
            r"b.jsonl:2: got the keys id, answer; expected .* prompt, messages",
        ),
        ("{}\n", r"b.jsonl:1: got the keys \(none\)"),
        ('{"text": "a"}\n[]\n', "b.jsonl:2: is not a JSON object"),
        ("not json\n", "b.jsonl:1: is not a JSON object"),
        ("", "b.jsonl: got no prompts"),
        ('{"prompt": 3}\n', "b.jsonl:1: got prompt that is neither text nor messages"),
        ('{"prompt": [{"content": "x"}]}\n', "neither text nor messages with role and content"),
        ('{"prompt": [{"role": "user", "content": 1}]}\n', "neither text nor messages"),
        ('{"prompt": [{"role": "user", "content": [3]}]}\n', "neither text nor messages"),
        ('{"prompt": {"role": "user"}}\n', "neither text nor messages"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path, content, message):
    (tmp_path / "b.jsonl").write_text(content)
    with pytest.raises(InputError, match=message):
        read_benchmarks([tmp_path / "b.jsonl"])


def test_a_file_that_is_damaged_or_missing(tmp_path):
    (tmp_path / "b.parquet").write_text("no parquet")
    with pytest.raises(InputError, match=r"b.parquet.*cannot be read as parquet"):
        read_benchmarks([tmp_path / "b.parquet"])
    with pytest.raises(InputError, match=r"--benchmark: .*none.jsonl"):
        benchmark_files([str(tmp_path / "none.jsonl")])
    (tmp_path / "b.jsonl.gz").write_text("no gzip")
    with pytest.raises(InputError, match=r"b.jsonl.gz: cannot be unpacked.*damaged"):
        read_benchmarks([tmp_path / "b.jsonl.gz"])


@pytest.fixture
def source(tmp_path):
    lines = {"easy": [rollout(n) for n in range(10)], "hard": [rollout(n) for n in (3, 20, 21, 22)]}
    for line in lines["hard"]:
        line["key"] += "-again"
    return write_buckets(tmp_path / "b", lines, chunk=900)


def test_by_default_an_overlap_is_an_error_that_names_places(tmp_path, make, source):
    one = write(tmp_path / "one.jsonl", {"question": ASKED}, {"question": "elsewhere"})
    two = write(tmp_path / "two.jsonl", {"question": ASKED}, {"question": "What is 20 plus 20?"})
    with pytest.raises(InputError) as caught:
        make(source, benchmark=(one, two), train_val_split=None)
    message = str(caught.value)
    assert f"found 3 prompts of an evaluation set: {one} (2), {two} (1)" in message
    assert f"{source.absolute() / 'easy.jsonl'}:4 (id 'k3')" in message
    assert f"{source.absolute() / 'hard.jsonl'}:1 (id 'k3-again')" in message
    assert "--on-benchmark drop leaves them out" in message
    assert not (tmp_path / "out").exists()


def test_drop(tmp_path, make, rows, source):
    one = write(tmp_path / "one.jsonl", {"question": ASKED})
    manifest = make(source, benchmark=(one,), on_benchmark="drop", train_val_split=None)
    assert manifest.removed == {"benchmark": 2}
    assert manifest.sizes == {"easy": 9, "hard": 3}
    assert "k3" not in {row["extra_info"]["id"] for row in rows("easy_train")}
    assert manifest.settings["benchmark"] == [one]


def test_report_keeps_them(tmp_path, make, source):
    one = write(tmp_path / "one.jsonl", {"question": ASKED})
    manifest = make(source, benchmark=(one,), on_benchmark="report", train_val_split=None)
    assert manifest.removed == {}
    assert manifest.sizes == {"easy": 10, "hard": 4}


@pytest.mark.parametrize("on_benchmark", ["error", "report", "drop"])
def test_a_prompt_that_the_filter_removes_is_no_overlap(tmp_path, make, on_benchmark):
    source = write_buckets(tmp_path / "b", {"easy": [rollout(3, [0.0]), *(rollout(n) for n in range(4, 9))]})
    one = write(tmp_path / "one.jsonl", {"question": ASKED})
    manifest = make(source, benchmark=(one,), on_benchmark=on_benchmark, filter="passing_only", train_val_split=None)
    assert manifest.removed == {"filter: passing_only": 1}
    assert manifest.sizes == {"easy": 5}


def test_what_is_added_to_a_prompt_does_not_hide_it(tmp_path, make, source):
    one = write(tmp_path / "one.jsonl", {"question": ASKED})
    with pytest.raises(InputError, match="found 2 prompts of an evaluation set"):
        make(source, benchmark=(one,), instruction="Think.", system_prompt="Be good.", train_val_split=None)


def test_no_overlap_is_no_error(tmp_path, make, source):
    one = write(tmp_path / "one.jsonl", {"question": "elsewhere"})
    assert make(source, benchmark=(one,), train_val_split=None).sizes == {"easy": 10, "hard": 4}
