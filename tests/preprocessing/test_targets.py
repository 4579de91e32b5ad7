"""Names of what is written, and what happens to what is there already."""

import json
from pathlib import Path

import pytest
from preprocessing.made_up_buckets import rollout, write_buckets

from curriculum_verl.errors import InputError
from curriculum_verl.manifest import check_files, read_manifest
from curriculum_verl.preprocessing.settings import Settings
from curriculum_verl.preprocessing.targets import targets_of


def names(folder):
    return sorted(path.name for path in folder.iterdir())


SEPARATE = [f"{bucket}_{side}.parquet" for bucket in ("easy", "hard", "medium") for side in ("train", "val")]


def test_a_file_for_each_bucket_and_side(three, make, tmp_path):
    manifest = make(three)
    assert names(tmp_path / "out") == [*SEPARATE[:4], "manifest.json", *SEPARATE[4:], "prompts.npy"]
    assert manifest.names == ["easy", "medium", "hard"]
    assert [bucket.train for bucket in manifest.buckets] == [[f"{name}_train.parquet"] for name in manifest.names]
    assert [bucket.validation for bucket in manifest.buckets] == [[f"{name}_val.parquet"] for name in manifest.names]
    for bucket, total in zip(manifest.buckets, (40, 30, 20), strict=True):
        assert bucket.prompts + bucket.validation_prompts == total


def test_combined_rows_stand_easiest_first_whatever_the_order_of_the_names(three, make, rows):
    manifest = make(three, combine=True, buckets=("hard", "easy"))
    assert manifest.names == ["easy", "hard"]
    assert manifest.train_files == ["combined_train.parquet"]
    assert manifest.validation_files == ["combined_val.parquet"]
    stages = [row["extra_info"]["curriculum_stage"] for row in rows("combined_train")]
    sizes = manifest.sizes
    assert stages == ["easy"] * sizes["easy"] + ["hard"] * sizes["hard"]


def test_the_guides_three_calls_go_into_one_folder(three, make, tmp_path):
    make(three, buckets=("easy",), combine=True, output_name="stage1")
    make(three, buckets=("easy", "medium"), combine=True, output_name="stage2")
    make(three, buckets=("easy", "medium", "hard"), combine=True, output_name="stage3")
    for number, buckets in enumerate((["easy"], ["easy", "medium"], ["easy", "medium", "hard"]), 1):
        manifest = read_manifest(tmp_path / "out" / f"stage{number}.manifest.json")
        assert manifest.names == buckets
        check_files(manifest, tmp_path / "out", hashes=True)
    assert len(names(tmp_path / "out")) == 12


def test_cumulative_is_the_same_as_those_three_calls(three, make, tmp_path):
    made = {"easy": ("easy",), "easy+medium": ("easy", "medium"), "easy+medium+hard": ("easy", "medium", "hard")}
    for name, buckets in made.items():
        make(three, "calls", buckets=buckets, combine=True, output_name=name)
    make(three, "cumulative", cumulative=True)
    assert names(tmp_path / "calls") == names(tmp_path / "cumulative")
    for name in names(tmp_path / "calls"):
        one, other = ((tmp_path / folder / name).read_bytes() for folder in ("calls", "cumulative"))
        if name.endswith("manifest.json"):
            one, other = ({**json.loads(content), "settings": None} for content in (one, other))
        assert one == other, name


def test_what_is_there_is_not_replaced(three, make, tmp_path):
    make(three)
    before = {name: (tmp_path / "out" / name).read_bytes() for name in names(tmp_path / "out")}
    with pytest.raises(InputError, match=r"holds easy_train.parquet, .* and 2 more; choose .*--overwrite"):
        make(three, seed=3)
    with pytest.raises(InputError, match=r"holds hard_train.parquet, hard_val.parquet, manifest.json, prompts.npy;"):
        make(three, buckets=("hard",))
    assert {name: (tmp_path / "out" / name).read_bytes() for name in names(tmp_path / "out")} == before
    make(three, combine=True)
    assert read_manifest(tmp_path / "out" / "combined.manifest.json").names == ["easy", "medium", "hard"]


def test_overwrite_replaces_all_of_the_run_before_and_leaves_all_else(three, make, tmp_path):
    out = tmp_path / "out"
    make(three)
    (out / "mine.txt").write_text("mine")
    (out / "easy_train-00000-of-00002.parquet").write_text("a part of an older run")
    (out / "rejects.jsonl").write_text("of an older run")
    make(three, overwrite=True, train_val_split=None, buckets=("easy", "medium"))
    assert names(out) == [
        "easy_train.parquet",
        "manifest.json",
        "medium_train.parquet",
        "mine.txt",
        "prompts.npy",
    ]
    manifest = read_manifest(out / "manifest.json")
    assert manifest.names == ["easy", "medium"]
    check_files(manifest, out, hashes=True)


def test_a_file_that_another_manifest_names_is_not_replaced_under_it(three, make, tmp_path):
    make(three)
    with pytest.raises(InputError, match=r"holds easy_train.parquet, easy_val.parquet, which manifest.json names too"):
        make(three, cumulative=True, overwrite=True)
    check_files(read_manifest(tmp_path / "out" / "manifest.json"), tmp_path / "out", hashes=True)


def test_an_error_leaves_what_was_there(three, make, tmp_path):
    make(three)
    before = {name: (tmp_path / "out" / name).read_bytes() for name in names(tmp_path / "out")}
    with pytest.raises(InputError, match="nothing was written"):
        make(three, overwrite=True, filter="passing_only")
    assert {name: (tmp_path / "out" / name).read_bytes() for name in names(tmp_path / "out")} == before
    with pytest.raises(InputError, match="nothing was written"):
        make(three, "new/folders/out", filter="passing_only")
    assert names(tmp_path) == ["bucketed", "out"]


def test_the_bucket_folder_is_no_place_for_output(three, make, tmp_path):
    for out in ("bucketed", "bucketed/../bucketed/"):
        with pytest.raises(InputError, match="is the bucket folder itself"):
            make(three, out, overwrite=True)
    (tmp_path / "link").symlink_to(three)
    with pytest.raises(InputError, match="is the bucket folder itself"):
        make(three, "link", overwrite=True, combine=True)
    other = write_buckets(tmp_path / "other", {"easy": [rollout(1)]})
    with pytest.raises(InputError, match="is a bucket folder, expected another"):
        make(three, "other", overwrite=True)
    assert names(other) == ["easy.jsonl", "manifest.json"]


def test_output_may_go_into_a_folder_of_the_bucket_folder_or_beside(three, make, tmp_path):
    make(three, "bucketed/preprocessed")
    make(three, "new/folders/out")
    assert "manifest.json" in names(tmp_path / "new" / "folders" / "out")


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "..", ".hidden"])
def test_a_name_that_is_no_file_name(name):
    with pytest.raises(InputError, match="for a file, expected one without"):
        targets_of(Settings(combine=True, output_name=name), ["easy"])


def test_bucket_names_become_file_names_too(tmp_path, make):
    source = write_buckets(tmp_path / "b", {"easy": [rollout(1)]})
    path = source / "manifest.json"
    path.write_text(path.read_text().replace('"name":"easy"', '"name":"../easy"'))
    with pytest.raises(InputError, match="expected one without '/'"):
        make(source)
    assert make(source, combine=True, train_val_split=None).names == ["../easy"]


def test_a_combination_of_many_buckets_is_named_by_its_ends():
    buckets = [f"a_rather_long_name_{number:02d}" for number in range(12)]
    made = targets_of(Settings(cumulative=True), buckets)
    assert [target.name for target in made[:6]] == ["+".join(buckets[:end]) for end in range(1, 7)]
    assert [target.name for target in made[6:]] == [f"{buckets[0]}..{buckets[end]}" for end in range(6, 12)]
    assert [len(target.buckets) for target in made] == list(range(1, 13))
    assert len({target.name for target in made}) == 12


def test_many_long_buckets_in_files(tmp_path, make):
    names = [f"bucket_{number}_{'x' * 60}" for number in range(4)]
    source = write_buckets(tmp_path / "b", {name: [rollout(n)] for n, name in enumerate(names)})
    make(source, cumulative=True, train_val_split=None)
    assert read_manifest(tmp_path / "out" / f"{names[0]}..{names[3]}.manifest.json").names == names


@pytest.mark.parametrize(("name", "fits"), [("x" * 211, True), ("x" * 212, False), ("\u4e00" * 71, False)])
def test_a_name_that_is_too_long_for_a_file(name, fits):
    for settings, buckets in ((Settings(combine=True, output_name=name), ["easy"]), (Settings(), [name])):
        if fits:
            targets_of(settings, buckets)
        else:
            with pytest.raises(InputError, match=r"for a file, expected at most 211; .*--output-name"):
                targets_of(settings, buckets)


def test_a_bucket_folder_without_buckets(tmp_path, make):
    source = write_buckets(tmp_path / "b", {})
    with pytest.raises(InputError, match="got no buckets"):
        make(source)


def test_an_unknown_bucket_is_told_the_nearest(three, make):
    with pytest.raises(
        InputError, match=r"--buckets: unknown bucket 'esy', expected one of easy, medium, hard; did you"
    ):
        make(three, buckets=("esy",))


def test_a_bucket_that_the_bucketing_left_empty(tmp_path, make):
    source = write_buckets(tmp_path / "b", {"easy": [rollout(1)], "hard": []})
    with pytest.raises(InputError, match=r"bucket hard: got no prompts, .*--buckets easy"):
        make(source, train_val_split=None)
    make(source, train_val_split=None, buckets=("easy",))


def test_a_folder_without_a_manifest_is_no_bucket_folder(tmp_path, make, three):
    with pytest.raises(InputError, match=r"none/manifest.json: cannot be read"):
        make(tmp_path / "none")
    make(three)
    with pytest.raises(InputError, match="is not the manifest of a bucket folder"):
        make(tmp_path / "out", "again")
    (three / "hard.jsonl").unlink()
    with pytest.raises(InputError, match=r"hard.jsonl: there is no such file"):
        make(three, "more")


def test_wherever_putting_in_place_stops_no_manifest_lies(three, make, tmp_path, monkeypatch):
    """Every move and removal in turn is the last one before the power goes."""
    make(three, cumulative=True)
    replace, unlink = Path.replace, Path.unlink
    stopped = 0
    while True:
        left = stopped

        def count() -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise PowerCut

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", lambda *given: [count(), replace(*given)][1])
            patch.setattr(Path, "unlink", lambda *given, **more: [count(), unlink(*given, **more)][1])
            try:
                make(three, cumulative=True, overwrite=True, seed=stopped)
                break
            except PowerCut:
                stopped += 1
        for path in (tmp_path / "out").glob("*manifest.json"):
            check_files(read_manifest(path), path.parent, hashes=True)
    assert stopped > 12
    assert len(list((tmp_path / "out").glob("*manifest.json"))) == 3


class PowerCut(BaseException):
    pass
