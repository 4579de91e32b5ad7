"""What a row holds, and that verl's own data set reads back exactly what was put in."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from preprocessing.made_up_buckets import dump, rollout, write_buckets

from curriculum_verl.preprocessing.rows import SCHEMA, prompt_with

IFEVAL = {
    "instruction_id_list": ["length_constraints:number_words", "startend:quotation"],
    "kwargs": [{"num_words": 502, "relation": "at least"}, {"end_phrase": None, "letters": ["a"]}, None],
}
TRUTHS = [
    "42",
    42,
    4.5,
    True,
    "",
    "null",
    None,
    [],
    {"b": 1, "a": [None, {"x": "ü\n"}]},
    IFEVAL,
    [IFEVAL],
    json.dumps(IFEVAL),
    '"quoted"',
    "two\nlines",
]


def test_a_row(tmp_path, make, rows):
    line = rollout(7, [0.0, 1.25, 1.25], ground_truth=IFEVAL, extra_info={"split": "train", "n": None})
    make(write_buckets(tmp_path / "b", {"easy": [line]}), train_val_split=None)
    [row] = rows("easy_train")
    truth = row["reward_model"].pop("ground_truth")
    original = row["extra_info"].pop("original")
    assert json.loads(truth) == IFEVAL
    assert json.loads(original) == line["extra_info"]
    assert row == {
        "data_source": "bucketed_curriculum",
        "prompt": line["prompt"],
        "ability": "instruction_following",
        "reward_model": {"style": "rule", "ground_truth_format": "json"},
        "extra_info": {
            "index": 0,
            "id": "k7",
            "curriculum_stage": "easy",
            "difficulty": pytest.approx(-2.5 / 3),
            "difficulty_metrics": {
                "mean_score": pytest.approx(2.5 / 3),
                "max_score": 1.25,
                "min_score": 0.0,
                "variance": pytest.approx(0.3472222222222222),
                "success_rate": pytest.approx(2 / 3),
                "num_responses": 3,
            },
            "best_response": {"content": "answer 1 to 7", "score": 1.25, "position": 1},
        },
    }


def test_every_file_has_the_same_schema_whatever_its_rows_lack(tmp_path, make):
    full = [rollout(n, data_source="d", ability="a") for n in range(9)]
    bare = [rollout(n, response=..., extra_info=..., ground_truth=...) for n in range(20, 29)]
    source = write_buckets(
        tmp_path / "b", {"full": full, "bare": bare, "dumps": [dump("x", 1.0), dump("y", 0.0, None)]}
    )
    make(source, train_val_split=None)
    tables = [pq.read_table(path) for path in sorted((tmp_path / "out").glob("*.parquet"))]
    assert len(tables) == 3
    assert all(table.schema.equals(SCHEMA) for table in tables)
    assert len(pa.concat_tables(tables)) == 20
    [row, *_] = pq.read_table(tmp_path / "out" / "bare_train.parquet").to_pylist()
    assert row["extra_info"]["best_response"] is None
    assert row["extra_info"]["original"] is None
    assert row["reward_model"] == {"style": "rule", "ground_truth": None, "ground_truth_format": None}


@pytest.mark.parametrize(("given", "kept"), [("plain text", '"plain text"'), (None, None), ([1], "[1]")])
def test_extra_info_of_any_kind_is_kept_as_json(tmp_path, make, rows, given, kept):
    make(write_buckets(tmp_path / "b", {"easy": [rollout(1, extra_info=given)]}), train_val_split=None)
    assert rows("easy_train")[0]["extra_info"]["original"] == kept


def test_flags_win_over_rows_and_rows_over_defaults(tmp_path, make, rows):
    lines = [rollout(1, data_source="gsm8k", ability="math"), rollout(2)]
    source = write_buckets(tmp_path / "b", {"easy": lines})
    make(source, "own", train_val_split=None)
    make(source, "flags", train_val_split=None, data_source="mine", ability="code")
    named = [(row["data_source"], row["ability"]) for row in rows("easy_train", "own")]
    assert named == [("gsm8k", "math"), ("bucketed_curriculum", "instruction_following")]
    assert {(row["data_source"], row["ability"]) for row in rows("easy_train", "flags")} == {("mine", "code")}


@pytest.mark.parametrize(
    ("metric", "direction"), [("mean_reward", 1), ("inverse_mean", 1), ("variance", None), ("success_rate", 1)]
)
def test_a_larger_difficulty_is_always_harder(tmp_path, make, rows, metric, direction):
    source = write_buckets(
        tmp_path / "b", {"easy": [rollout(1, [1.0, 1.0])], "hard": [rollout(2, [0.0, 1.0])]}, metric=metric
    )
    make(source, train_val_split=None)
    easy, hard = rows("easy_train")[0]["extra_info"], rows("hard_train")[0]["extra_info"]
    assert easy["difficulty"] < hard["difficulty"]


def test_difficulty_is_the_bucketings_own_and_the_success_rate_that_of_the_flag(tmp_path, make, rows):
    source = write_buckets(
        tmp_path / "b", {"easy": [rollout(1, [0.4, 0.6, 0.8, 0.9])]}, metric="success_rate", pass_threshold=0.7
    )
    make(source, train_val_split=None, pass_threshold=0.5)
    info = rows("easy_train")[0]["extra_info"]
    assert info["difficulty"] == -0.5
    assert info["difficulty_metrics"]["success_rate"] == 0.75


def test_lines_of_one_prompt_are_one_row(tmp_path, make, rows):
    lines = [dump("2+2?", 0.0), dump("2+2?", 1.0), dump("2+2?", 0.5), dump("3+3?", 0.25, "6")]
    make(write_buckets(tmp_path / "b", {"easy": lines}, chunk=1), train_val_split=None)
    first, second = rows("easy_train")
    assert first["prompt"] == [{"role": "user", "content": "2+2?"}]
    assert first["reward_model"]["ground_truth"] == "4"
    assert first["extra_info"]["difficulty_metrics"]["num_responses"] == 3
    assert first["extra_info"]["best_response"] == {"content": "because 1.0", "score": 1.0, "position": 1}
    assert [first["extra_info"]["index"], second["extra_info"]["index"]] == [0, 1]


def test_the_index_depends_on_nothing_but_the_place_in_the_bucket_folder(three, make, rows):
    make(three, "all")
    places = {}
    for name in ("easy", "medium", "hard"):
        for row in rows(f"{name}_train", "all") + rows(f"{name}_val", "all"):
            places[row["extra_info"]["id"]] = row["extra_info"]["index"]
    assert sorted(places.values()) == list(range(90))
    assert places["k5"] == 5
    assert places["k103"] == 43
    assert places["k219"] == 89
    make(three, "some", buckets=("hard", "medium"), combine=True, filter="best_only", train_val_split=0.5, seed=3)
    some = rows("combined_train", "some") + rows("combined_val", "some")
    assert len(some) == 50
    assert all(places[row["extra_info"]["id"]] == row["extra_info"]["index"] for row in some)


@pytest.mark.parametrize("chunk", [1, 700, 1 << 26])
def test_chunks_do_not_show(tmp_path, make, rows, chunk):
    lines = [rollout(n) for n in range(30)] + [dump("x", 0.0), dump("x", 1.0), dump("y", 1.0)]
    make(write_buckets(tmp_path / "b", {"easy": lines}, chunk=chunk), train_val_split=None)
    got = rows("easy_train")
    assert [row["extra_info"]["index"] for row in got] == list(range(32))
    assert [row["extra_info"]["id"] for row in got[:30]] == [f"k{n}" for n in range(30)]


MESSAGES = [
    {"role": "system", "content": "S"},
    {"role": "user", "content": "A"},
    {"role": "assistant", "content": "B"},
    {"role": "user", "content": "C"},
]


def test_a_prompt_is_left_as_it_is_by_default():
    assert prompt_with(MESSAGES, None, None) == MESSAGES


def test_a_system_prompt_takes_the_place_of_the_rows_own():
    assert prompt_with(MESSAGES, "T", None) == [{"role": "system", "content": "T"}, *MESSAGES[1:]]
    assert prompt_with(MESSAGES[1:], "T", None) == [{"role": "system", "content": "T"}, *MESSAGES[1:]]


def test_an_instruction_comes_after_the_last_words_of_the_user():
    given = [*MESSAGES, {"role": "tool", "content": "D"}]
    assert [m["content"] for m in prompt_with(given, None, "Do.")] == ["S", "A", "B", "C\n\nDo.", "D"]
    assert given[3] == {"role": "user", "content": "C"}, "the rollout itself is not changed"


READ = """
import json, sys
from omegaconf import OmegaConf
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from verl.utils.dataset.rl_dataset import RLHFDataset, collate_fn

words = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
words.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]", pad_token="[UNK]")
tokenizer.chat_template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\\n{% endfor %}"
config = OmegaConf.create({"cache_dir": sys.argv[1], "max_prompt_length": 64, "filter_overlong_prompts": True,
                           "filter_overlong_prompts_workers": None})
data = RLHFDataset(sys.argv[3:], tokenizer, config)
batch = collate_fn([data[number] for number in range(len(data))])
keys = ("data_source", "raw_prompt", "reward_model", "extra_info", "index")
with open(sys.argv[2], "w") as file:
    json.dump([dict(zip(keys, row)) for row in zip(*(batch[key].tolist() for key in keys))], file)
"""


def test_verls_own_data_set_reads_back_what_was_put_in(tmp_path: Path, make) -> None:
    pytest.importorskip("verl")
    numbers = itertools.count()
    lines = [rollout(next(numbers), ground_truth=truth) for truth in TRUTHS]
    bare = [rollout(next(numbers), response=..., extra_info=..., ground_truth=...) for _ in range(3)]
    texts = [rollout(next(numbers), ground_truth="x", prompt="only text") for _ in range(3)]
    source = write_buckets(tmp_path / "b", {"easy": bare, "medium": lines, "hard": texts}, chunk=900)
    manifest = make(source, train_val_split=None)
    files = [str(tmp_path / "out" / name) for name in manifest.train_files]
    got = tmp_path / "got.json"
    homes = {"HF_HOME": str(tmp_path / "hf"), "HF_DATASETS_CACHE": str(tmp_path / "hf" / "d"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", READ, str(tmp_path / "cache"), str(got), *files],
        env=os.environ | homes | {"HOME": str(tmp_path), "VERL_USE_EXTERNAL_PLUGINS": "none"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads(got.read_text())
    assert [row["index"] for row in rows] == list(range(len(rows))) == list(range(len(bare + lines + texts)))
    assert [row["raw_prompt"] for row in rows[:-3]] == [line["prompt"] for line in bare + lines]
    assert rows[-1]["raw_prompt"] == [{"role": "user", "content": "only text"}]
    assert [row["extra_info"]["curriculum_stage"] for row in rows] == ["easy"] * 3 + ["medium"] * len(lines) + [
        "hard"
    ] * 3
    for row, truth in zip(rows[3:], TRUTHS, strict=False):
        model = row["reward_model"]
        assert model["style"] == "rule"
        if truth is None:
            assert model["ground_truth"] is None
            assert model["ground_truth_format"] is None
        elif isinstance(truth, str):
            assert (model["ground_truth"], model["ground_truth_format"]) == (truth, "text")
        else:
            assert model["ground_truth_format"] == "json"
            back = json.loads(model["ground_truth"])
            assert back == truth
            assert type(back) is type(truth)
        assert json.loads(row["extra_info"]["original"])["split"] == "train"
    assert rows[3]["extra_info"]["best_response"] == {"content": "answer 1 to 0", "score": 1.0, "position": 1}
