"""All prompts of a run: from files of every kind, each id once, what cannot be used told with file and line."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from generation.conftest import write_lines

from curriculum_verl.errors import InputError
from curriculum_verl.generation.data import Data, Reject, read_catalogue, read_prompts
from curriculum_verl.generation.tasks import Task
from curriculum_verl.preprocessing.settings import Settings


def ids(data: Data) -> list[str]:
    return [prompt.id for prompt in read_prompts(data)]


def test_files_and_tasks_come_in_the_order_they_are_named(tmp_path: Path) -> None:
    pytest.importorskip("reasoning_gym")
    one = write_lines(tmp_path / "b.jsonl", [{"id": "b", "prompt": "b"}])
    pq.write_table(
        pa.Table.from_pylist([{"id": "a", "prompt": [{"role": "user", "content": "a"}]}]), tmp_path / "a.parquet"
    )
    data = Data((str(one), str(tmp_path / "*.parquet")), (Task("lcm", 1),))
    assert ids(data) == ["b", "a", "reasoning_gym/lcm/000000"]
    catalogue = read_catalogue(data)
    assert catalogue.prompts == 3
    assert list(catalogue.sources) == [str(one), str(tmp_path / "a.parquet"), "reasoning_gym/lcm"]


def test_a_bad_line_is_an_error_with_its_place_or_a_reject(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "d.jsonl", [{"id": "a", "prompt": "a"}, {"id": "b"}, {"id": "c", "prompt": "c"}])
    data = Data((str(path),))
    with pytest.raises(InputError, match=rf"{path}:2: got no prompt.*--on-invalid reject"):
        read_catalogue(data)
    catalogue = read_catalogue(replace(data, on_invalid="reject"))
    assert catalogue.prompts == 2
    [reject] = catalogue.rejects
    assert (reject.file, reject.line, reject.reason, reject.begins) == (str(path), 2, "no_prompt", '{"id": "b"}\n')


def test_an_id_that_stands_twice_is_an_error_with_both_places_or_a_reject(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "d.jsonl", [{"id": "a", "prompt": "1"}, {"id": "a", "prompt": "2"}])
    data = Data((str(path),))
    with pytest.raises(InputError, match=rf"{path}:2: id 'a' stands in {path}:1 as well; .*--on-duplicate first"):
        read_catalogue(data)
    kept = replace(data, on_duplicate="first")
    assert [prompt.text for prompt in read_prompts(kept)] == ["1"]
    assert read_catalogue(kept).rejects == [
        Reject(str(path), 2, "duplicate", f"id 'a' stands in {path}:1 as well", id="a")
    ]


def test_nothing_at_all_is_an_error(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "d.jsonl", [{"id": "b"}])
    with pytest.raises(InputError, match="got no prompt that can be used"):
        read_catalogue(Data((str(path),), on_invalid="reject"))


def test_the_hash_is_over_what_decides_and_nothing_else(tmp_path: Path) -> None:
    rows = [{"id": "a", "prompt": "1", "ground_truth": "2"}, {"id": "b", "prompt": "2", "other": 1}]
    one = read_catalogue(Data((str(write_lines(tmp_path / "1.jsonl", rows)),))).hash
    moved = read_catalogue(Data((str(write_lines(tmp_path / "2.jsonl", [rows[0], {**rows[1], "other": 2}])),))).hash
    changed = read_catalogue(
        Data((str(write_lines(tmp_path / "3.jsonl", [{**rows[0], "ground_truth": "3"}, rows[1]])),))
    )
    assert one == moved != changed.hash


def test_a_limit_a_system_message_and_an_instruction(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "d.jsonl", [{"id": str(n), "prompt": str(n)} for n in range(5)])
    data = Data((str(path),), limit=2, system_prompt="Be short.", instruction="Use \\boxed{}.")
    assert [[message["content"] for message in prompt.messages] for prompt in read_prompts(data)] == [
        ["Be short.", f"{number}\n\nUse \\boxed{{}}."] for number in range(2)
    ]


@pytest.fixture
def preprocessed(tmp_path: Path) -> Path:
    """Data for training, as `curriculum-verl preprocess` makes them."""
    from curriculum_verl.bucketing.run import bucket_rollouts
    from curriculum_verl.bucketing.settings import Settings as BucketSettings
    from curriculum_verl.parallel import InProcess
    from curriculum_verl.preprocessing.run import preprocess

    rows = [
        {"id": str(n), "prompt": f"{n}?", "reward": [n % 3 / 2, 0.0], "response": ["a", "b"], "ground_truth": [n]}
        for n in range(30)
    ]
    source = write_lines(tmp_path / "rollouts.jsonl", rows)
    bucket_rollouts([source], tmp_path / "buckets", BucketSettings(), InProcess(), report=False)
    preprocess(tmp_path / "buckets", tmp_path / "data", Settings(train_val_split=0.7), InProcess())
    return tmp_path / "data"


def test_the_manifest_of_preprocessed_data_names_its_files(preprocessed: Path) -> None:
    by_file, by_folder = Data((str(preprocessed / "manifest.json"),)), Data((str(preprocessed),))
    train, val = ids(by_file), ids(replace(by_file, sides="val"))
    assert train == ids(by_folder)
    assert train
    assert val
    assert sorted(map(int, train + val)) == list(range(30))
    assert sorted(ids(replace(by_file, sides="all"))) == sorted(train + val)
    assert [prompt.truth for prompt in read_prompts(by_file)] == [[int(number)] for number in train]


def test_a_file_that_is_missing_is_named(preprocessed: Path) -> None:
    next(preprocessed.glob("*_train.parquet")).unlink()
    with pytest.raises(InputError, match="there is no such file"):
        read_catalogue(Data((str(preprocessed / "manifest.json"),)))
