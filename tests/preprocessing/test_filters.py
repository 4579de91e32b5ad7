import pytest
from preprocessing.made_up_buckets import rollout, write_buckets

from curriculum_verl.errors import InputError
from curriculum_verl.preprocessing.filters import FILTERS


@pytest.mark.parametrize(
    ("name", "best", "threshold", "stays"),
    [
        ("all", -3.0, 0.5, True),
        ("best_only", 0.0, -1.0, False),
        ("best_only", 0.01, 0.5, True),
        ("passing_only", 0.5, 0.5, True),
        ("passing_only", 0.49, 0.5, False),
        ("passing_only", 0.0, -1.0, True),
    ],
)
def test_what_stays(name, best, threshold, stays):
    assert FILTERS[name](best, threshold) is stays


def ids(rows):
    return [row["extra_info"]["id"] for row in rows]


def test_the_best_response_decides(tmp_path, make, rows):
    lines = [rollout(0, [0.0, 0.0]), rollout(1, [0.0, 0.3]), rollout(2, [0.5, 0.0]), rollout(3, [-1.0])]
    source = write_buckets(tmp_path / "b", {"easy": lines})
    for name, kept in (("all", "0123"), ("best_only", "12"), ("passing_only", "2")):
        manifest = make(source, name, filter=name, train_val_split=None)
        assert ids(rows("easy_train", name)) == [f"k{digit}" for digit in kept]
        assert sum(manifest.removed.values()) == 4 - len(kept)
    assert manifest.removed == {"filter: passing_only": 3}


def test_the_threshold_is_the_bucketings_unless_one_is_given(tmp_path, make, rows):
    source = write_buckets(tmp_path / "b", {"easy": [rollout(0, [0.3]), rollout(1, [0.9])]}, pass_threshold=0.8)
    manifest = make(source, "a", filter="passing_only", train_val_split=None)
    assert ids(rows("easy_train", "a")) == ["k1"]
    assert manifest.settings["pass_threshold"] == 0.8
    manifest = make(source, "b2", filter="passing_only", train_val_split=None, pass_threshold=0.2)
    assert ids(rows("easy_train", "b2")) == ["k0", "k1"]
    assert manifest.settings["pass_threshold"] == 0.2


def test_a_bucket_that_a_filter_empties_is_an_error_that_says_why(tmp_path, make):
    lines = {
        "easy": [rollout(n, [1.0]) for n in range(9)],
        "medium": [rollout(n, [0.4]) for n in range(20, 23)],
        "hard": [rollout(n, [0.0, -1.0]) for n in range(30, 35)],
    }
    source = write_buckets(tmp_path / "b", lines)
    with pytest.raises(InputError) as caught:
        make(source, filter="passing_only", train_val_split=None)
    message = str(caught.value)
    assert message.startswith("nothing was written")
    assert "bucket medium: nothing is left of 3 prompts; removed: 3 by filter: passing_only" in message
    assert "bucket hard: nothing is left of 5 prompts; removed: 5 by filter: passing_only" in message
    assert "a score of 0.5 or more is needed, the best score is 0.4; use --filter all or a lower" in message
    assert "the best score is 0;" in message
    assert "--buckets easy" in message
    assert "bucket easy" not in message
    assert not (tmp_path / "out").exists()
    make(source, buckets=("easy",), filter="passing_only", train_val_split=None)


def test_best_only_names_itself(tmp_path, make):
    source = write_buckets(tmp_path / "b", {"easy": [rollout(1, [0.0])]})
    with pytest.raises(InputError, match=r"a score above 0 is needed, the best score is 0; use --filter all$"):
        make(source, filter="best_only")
