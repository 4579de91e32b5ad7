"""Lines that cannot be used, and bucket files that are not what the manifest says."""

import itertools
import json

import pytest
from preprocessing.made_up_buckets import dump, part_hash, rollout, write_buckets

from curriculum_verl.errors import InputError

BAD = {
    "no_prompt": {"prompt": "", "messages": ...},
    "wrong_type": {"prompt": 5},
    "not_text": {"prompt": [{"role": "user", "content": [{"type": "image_url"}]}]},
    "responses_do_not_match": {"response": {"choices": ["only one"]}},
}


@pytest.fixture(params=BAD)
def reason(request):
    return request.param


@pytest.fixture
def spoiled(tmp_path, reason):
    lines = [rollout(n) for n in range(20)]
    lines[12] = rollout(12, **BAD[reason])
    return write_buckets(tmp_path / "b", {"easy": lines, "hard": [rollout(50)]}, chunk=900)


def test_a_bad_line_is_an_error_with_its_place(tmp_path, make, spoiled, reason):
    with pytest.raises(InputError) as caught:
        make(spoiled, train_val_split=None)
    assert str(caught.value).startswith(f"{spoiled.absolute() / 'easy.jsonl'}:13: ")
    assert "--on-invalid reject" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_or_it_is_put_aside_and_counted(tmp_path, make, rows, spoiled, reason):
    manifest = make(spoiled, train_val_split=None, on_invalid="reject")
    assert manifest.removed == {f"rejected: {reason}": 1}
    assert manifest.sizes == {"easy": 19, "hard": 1}
    [reject] = [json.loads(line) for line in (tmp_path / "out" / "rejects.jsonl").read_text().splitlines()]
    assert reject.pop("message")
    assert reject == {"file": str(spoiled.absolute() / "easy.jsonl"), "line": 13, "reason": reason}
    assert [row["extra_info"]["index"] for row in rows("easy_train")] == [*range(12), *range(13, 20)]
    assert rows("hard_train")[0]["extra_info"]["index"] == 20


def test_rejects_go_with_the_combination_that_would_hold_them(tmp_path, make):
    source = write_buckets(
        tmp_path / "b", {"easy": [rollout(1), rollout(2)], "hard": [rollout(3), rollout(4, prompt=5)]}
    )
    make(source, train_val_split=None, on_invalid="reject", cumulative=True)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [
        "easy+hard.manifest.json",
        "easy+hard.prompts.npy",
        "easy+hard.rejects.jsonl",
        "easy+hard_train.parquet",
        "easy.manifest.json",
        "easy.prompts.npy",
        "easy_train.parquet",
    ]


def test_a_prompt_is_used_with_all_its_lines_or_not_at_all(tmp_path, make, rows):
    merged = [rollout(1, [1.0]), rollout(1, [0.0], prompt=5), rollout(1, [0.0])]
    source = write_buckets(tmp_path / "b", {"easy": [dump("2+2", 1.0), dump("2+2", 0.0), *merged]}, chunk=10)
    manifest = make(source, train_val_split=None, on_invalid="reject")
    assert manifest.sizes == {"easy": 1}
    assert manifest.removed == {"rejected: wrong_type": 1}
    rejects = [json.loads(line) for line in (tmp_path / "out" / "rejects.jsonl").read_text().splitlines()]
    reasons = [(reject["line"], reject["reason"]) for reject in rejects]
    assert reasons == [(3, "other_line_rejected"), (4, "wrong_type"), (5, "other_line_rejected")]
    assert not any(character.isdigit() for character in rejects[0]["message"]), "it knows no line of the file"
    with pytest.raises(InputError, match=r"easy.jsonl:4: .*--on-invalid reject"):
        make(source, "other", train_val_split=None)


SAME = "x" * 200
DIFFERING = {
    "messages": (
        [rollout(1, key="k"), rollout(2, key="k", ground_truth="2")],
        "prompts differ: 'user: What is 1 plus 1?' and 'user: What is 2 plus 2?'",
    ),
    "roles": (
        [rollout(1, prompt=[{"role": role, "content": "Go"}]) for role in ("user", "system")],
        "prompts differ: 'user: Go' and 'system: Go'",
    ),
    "far in": (
        [rollout(1, prompt=SAME + end) for end in ("one", "two")],
        f"prompts differ: '...{SAME[:20]}one' and '...{SAME[:20]}two'",
    ),
    "truths": ([rollout(1), rollout(1, ground_truth="3")], "ground truths differ: 'text 2' and 'text 3'"),
    "kinds": ([rollout(1), rollout(1, ground_truth=2)], "ground truths differ: 'text 2' and 'JSON 2'"),
    "no truth": ([rollout(1), rollout(1, ground_truth=...)], "ground truths differ: 'text 2' and '(none)'"),
    "the last": ([rollout(1), rollout(1), rollout(1, ground_truth="3")], "'text 2' and 'text 3'"),
    "dumps": ([dump("2+2", 1.0), dump("2+2", 0.0, "5")], "ground truths differ: 'text 4' and 'text 5'"),
}


@pytest.mark.parametrize("case", DIFFERING)
def test_lines_that_are_not_of_one_prompt_are_not_pooled(tmp_path, make, case):
    lines, message = DIFFERING[case]
    source = write_buckets(tmp_path / "b", {"easy": [rollout(8), *lines, rollout(9)]})
    with pytest.raises(InputError) as caught:
        make(source, train_val_split=None)
    assert f"{source.absolute() / 'easy.jsonl'}:2: got lines of one prompt (id " in str(caught.value)
    assert message in str(caught.value)
    manifest = make(source, train_val_split=None, on_invalid="reject")
    assert manifest.removed == {"rejected: lines_differ": 1}
    assert manifest.sizes == {"easy": 2}
    rejects = [json.loads(line) for line in (tmp_path / "out" / "rejects.jsonl").read_text().splitlines()]
    assert [reject["line"] for reject in rejects] == [*range(2, 2 + len(lines))]
    assert all(reject["reason"] == "lines_differ" and message in reject["message"] for reject in rejects)


def test_a_ground_truth_may_be_written_in_two_ways(tmp_path, make):
    one, other = (
        json.dumps(rollout(1, ground_truth=0)).replace('"ground_truth": 0', f'"ground_truth": {text}').encode() + b"\n"
        for text in ('{"a": 1, "b": [2]}', '{"b":[2],"a":1}')
    )
    source = write_buckets(tmp_path / "b", {"easy": [one, other]})
    assert make(source, train_val_split=None).sizes == {"easy": 1}


def test_an_instruction_needs_a_user(tmp_path, make):
    lines = [rollout(0), rollout(1, prompt=[{"role": "system", "content": "x"}])]
    source = write_buckets(tmp_path / "b", {"easy": lines})
    with pytest.raises(InputError, match=r"easy.jsonl:2: got no message of the user"):
        make(source, train_val_split=None, instruction="Do.")
    manifest = make(source, train_val_split=None, instruction="Do.", on_invalid="reject")
    assert manifest.removed == {"rejected: no_user_message": 1}
    make(source, "other", train_val_split=None)


@pytest.mark.parametrize("value", ["nan", "1 / 0"])
def test_a_metric_that_fails_is_an_error_with_its_place(tmp_path, make, user_module, value):
    name = user_module(
        f"own_{len(value)}",
        f"nan = float('nan')\ndef mine(s, t):\n    return {value}\nmine.direction = 'low_is_easy'\n",
    )
    source = write_buckets(tmp_path / "b", {"easy": [rollout(0)]}, metric=f"{name}:mine")
    with pytest.raises(InputError, match=r"easy.jsonl:1: own_\d:mine"):
        make(source, train_val_split=None)


def test_a_metric_that_ends_the_program_is_an_error_with_its_place(tmp_path, make, user_module):
    name = user_module("leaving", "import sys\ndef mine(s, t):\n    sys.exit(7)\nmine.direction = 'low_is_easy'\n")
    source = write_buckets(tmp_path / "b", {"easy": [rollout(0)]}, metric=f"{name}:mine")
    with pytest.raises(InputError, match=r"easy.jsonl:1: leaving:mine of 2 scores: SystemExit: 7"):
        make(source, train_val_split=None)


@pytest.mark.parametrize("change", ["sort()", "clear()", "append(9.0)"])
def test_a_metric_cannot_change_the_scores(tmp_path, make, rows, user_module, change):
    name = user_module(
        f"changing_{change[:3]}",
        f"def mine(s, t):\n    best = max(s)\n    try:\n        s.{change}\n    except AttributeError:\n"
        "        pass\n    return best\nmine.direction = 'high_is_easy'\n",
    )
    source = write_buckets(tmp_path / "b", {"easy": [rollout(0, [1.0, 0.0, 0.5])]}, metric=f"{name}:mine")
    make(source, train_val_split=None)
    [row] = rows("easy_train")
    assert row["extra_info"]["best_response"]["position"] == 0
    assert row["extra_info"]["difficulty_metrics"]["num_responses"] == 3
    assert row["extra_info"]["difficulty_metrics"]["max_score"] == 1.0


CHANGES = {
    "a score": (b'{"score": 0.0, "V_i": 0.5}', b'{"score": 0.9, "V_i": 0.5}'),
    "a prompt": (b"What is 3 plus 3?", b"What is 4 plus 3?"),
    "an unused field": (
        b'"extra_info": {"split": "train", "number": 3',
        b'"extra_info": {"split": "trial", "number": 3',
    ),
    "a prompt that is none": (
        b'"prompt": [{"role": "user", "content": "What is 3',
        b'"prompt": [{"rule": "user", "content": "What is 3',
    ),
    "a key": (b'"k3"', b'"k9"'),
    "broken": (b'{"num": 3,', b'{"num": 3 '),
    "two lines": (b'}\n{"num": 3,', b'},{"num": 3,'),
    "a blank line": (b'{"num": 3, "key": "k3"', b'\n"num": 3, "key": "k3"'),
    "scores": (
        b'"reward": [{"score": 0.0, "V_i": 0.5}, {"score": 1.0',
        b'"rewart": [{"score": 0.0, "V_i": 0.5}, {"score": 1.0',
    ),
}


@pytest.mark.parametrize("on_invalid", ["error", "reject"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_bucket_file_that_changed_is_an_error(tmp_path, make, change, on_invalid):
    source = write_buckets(tmp_path / "b", {"easy": [rollout(n) for n in range(8)]}, chunk=900)
    path = source / "easy.jsonl"
    old, new = CHANGES[change]
    content = path.read_bytes()
    assert old in content
    assert len(old) == len(new)
    path.write_bytes(content.replace(old, new))
    with pytest.raises(InputError, match=r"easy.jsonl.*changed since the bucketing: run bucket_rollouts"):
        make(source, train_val_split=None, on_invalid=on_invalid)
    assert not (tmp_path / "out").exists()


def test_a_start_that_is_none_is_a_change(tmp_path, make):
    lines = [rollout(0), rollout(1, [0.0], key="k1"), rollout(1, [1.0], key="k1"), rollout(2)]
    source = write_buckets(tmp_path / "b", {"easy": lines}, chunk=1)
    path = source / "manifest.json"
    sizes = [len(json.dumps(line)) + 1 for line in lines]
    [found] = (manifest := json.loads(path.read_text()))["buckets"][0]["files"]
    at = [0, sum(sizes[:2]), sum(sizes[:3]), sum(sizes)]
    assert [start for start, *_ in found["starts"]] == [0, sizes[0], at[2]]
    hashes = [part_hash(source / "easy.jsonl", *ends) for ends in itertools.pairwise(at)]
    found["starts"] = [[start, number, digest] for number, (start, digest) in enumerate(zip(at, hashes, strict=False))]
    path.write_text(json.dumps(manifest))
    with pytest.raises(
        InputError, match=r"easy.jsonl: got 2 prompts from byte 0 to .*, expected 1; the file has changed"
    ):
        make(source, train_val_split=None)


def test_prompts_in_another_order_are_a_change(tmp_path, make):
    source = write_buckets(tmp_path / "b", {"easy": [rollout(n) for n in range(8)]})
    path = source / "easy.jsonl"
    path.write_bytes(b"".join(reversed(path.read_bytes().splitlines(keepends=True))))
    with pytest.raises(InputError, match="has changed since the bucketing"):
        make(source, train_val_split=None)


def test_the_input_is_never_changed(three, make, tmp_path):
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in three.iterdir()}
    make(three, train_val_split=0.5)
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in three.iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bucketed", "out"]
