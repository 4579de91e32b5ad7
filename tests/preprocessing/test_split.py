"""No prompt is in both training and validation: in any bucket, combination, rerun, and as data grows."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from preprocessing.made_up_buckets import rollout, write_buckets

from curriculum_verl.errors import InputError
from curriculum_verl.parallel import InProcess
from curriculum_verl.preprocessing.normal import normal_text
from curriculum_verl.preprocessing.run import preprocess
from curriculum_verl.preprocessing.settings import Settings

NAMES = ["easy", "medium", "hard"]
texts = st.sampled_from([f"Prompt {number}" for number in range(12)] + ["prompt  3", "PROMPT 5\n", "\uff30rompt 7"])
buckets = st.lists(st.lists(texts, min_size=1, max_size=8), min_size=2, max_size=3)


@contextmanager
def folder_of(texts: list[list[str]]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        count = iter(range(1000))
        lines = {
            name: [rollout(next(count), prompt=text) for text in bucket]
            for name, bucket in zip(NAMES, texts, strict=False)
        }
        yield write_buckets(Path(folder) / "bucketed", lines, chunk=500)


def sides(source: Path, **given) -> dict[str, set[str]]:
    """The normal texts of each side of what was made."""
    out = Path(tempfile.mkdtemp(dir=source.parent))
    with suppress(InputError):  # a bucket may fall to validation as a whole
        preprocess(source, out, Settings(**given), InProcess())
    found: dict[str, set[str]] = {"train": set(), "val": set()}
    for side, seen in found.items():
        for path in out.glob(f"*_{side}.parquet"):
            for prompt in pq.read_table(path)["prompt"].to_pylist():
                user = [m | {"content": m["content"].split("\n\nAnswer.")[0]} for m in prompt if m["role"] == "user"]
                seen.add(normal_text(user))
    return found


@settings(max_examples=25)
@given(buckets, st.floats(0.1, 0.9), st.integers(0, 5))
def test_no_prompt_is_on_both_sides_of_anything(texts, share, seed):
    with folder_of(texts) as source:
        split = {"train_val_split": share, "seed": seed}
        names = NAMES[: len(texts)]
        everything = [
            sides(source, **split),
            sides(source, **split, combine=True),
            sides(source, **split, cumulative=True),
            sides(source, **split, buckets=(names[-1], names[0]), combine=True),
            sides(source, **split, buckets=(names[1],)),
            sides(source, **split, instruction="Answer.", system_prompt="Be short."),
        ]
    train = set().union(*(found["train"] for found in everything))
    validation = set().union(*(found["val"] for found in everything))
    assert not train & validation


@settings(max_examples=25)
@given(buckets, buckets)
def test_growing_data_moves_no_prompt_to_the_other_side(first, second):
    with folder_of(first) as source:
        before = sides(source, train_val_split=0.5)
    with folder_of([[*b, *a] for a, b in zip(first, second, strict=False)]) as source:
        after = sides(source, train_val_split=0.5)
    assert not before["train"] & after["val"]
    assert not before["val"] & after["train"]


def test_the_checks_above_would_see_a_leak(monkeypatch):
    count = iter(range(1000))
    monkeypatch.setattr("curriculum_verl.preprocessing.convert.is_for_training", lambda *given: next(count) % 3 != 1)
    with folder_of([["Prompt 1", "prompt  1", "Prompt 2"], ["Prompt 1"] * 3]) as source:
        found = sides(source)
    assert found["train"] & found["val"]


def test_a_rerun_writes_the_same_bytes(three, make, tmp_path):
    make(three, "one")
    make(three, "two")
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert len(names) == 8
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_no_validation(three, make, tmp_path):
    manifest = make(three, train_val_split=None)
    assert [bucket.prompts for bucket in manifest.buckets] == [40, 30, 20]
    assert manifest.validation_files == []
    assert not list((tmp_path / "out").glob("*_val*"))


def test_a_bucket_that_falls_to_validation_as_a_whole_is_an_error(tmp_path, make):
    source = write_buckets(tmp_path / "b", {"easy": [rollout(n) for n in range(50)], "hard": [rollout(99, prompt="x")]})
    seed = next(
        seed
        for seed in range(1000)
        if sides(source, seed=seed, buckets=("hard",))["val"] == set()
        and not sides(source, seed=seed, buckets=("hard",))["train"]
    )
    with pytest.raises(InputError) as caught:
        make(source, seed=seed)
    message = str(caught.value)
    assert "bucket hard: all that is left, 1 prompt, falls to validation" in message
    assert "--train-val-split than 0.9, another --seed, or --no-val-split" in message
    assert "--buckets easy" in message
    assert not (tmp_path / "out").exists()
