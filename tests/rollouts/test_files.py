import os
from pathlib import Path

import pytest

from curriculum_verl.errors import InputError
from curriculum_verl.rollouts.files import kind_of, rollout_files


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Makes files by their names in the folder in which the test stands."""
    monkeypatch.chdir(tmp_path)

    def make(*names: str) -> Path:
        for name in names:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_text(name)
        return tmp_path

    return make


def names(*given: str | Path) -> list[str]:
    return list(map(str, rollout_files(given)))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.jsonl", "plain"), ("a.jsonl.gz", "gzip"), ("a.gz", "gzip"), ("a.jsonl.zst", "zstd"),
        ("a.parquet", "parquet"), ("a.json", "plain"), ("a", "plain"), ("a.gz.jsonl", "plain"),
    ],
)  # fmt: skip
def test_the_ending_says_how_a_file_is_read(name, kind):
    assert kind_of(Path("some.gz") / name) == kind


def test_a_folder_gives_its_rollouts_in_order(made):
    made("r/b.jsonl", "r/a.parquet", "r/c.jsonl.gz", "r/d.jsonl.zst", "r/notes.txt", "r/e.json", "r/deeper/f.jsonl")
    assert names("r") == ["r/a.parquet", "r/b.jsonl", "r/c.jsonl.gz", "r/d.jsonl.zst"]


def test_hidden_files_rejects_and_folders_are_passed_over(made):
    made("r/a.jsonl", "r/.b.jsonl", "r/rejects.jsonl", "r/.r.partial/c.jsonl", "r/d.jsonl/e.jsonl")
    assert names("r") == ["r/a.jsonl"]
    assert names("r/*.jsonl") == ["r/a.jsonl", "r/d.jsonl/e.jsonl"]
    assert names("r/rejects.jsonl", "r/.b.jsonl") == ["r/rejects.jsonl", "r/.b.jsonl"], "by name anything is read"


def test_files_come_in_the_order_given_and_none_twice(made):
    folder = made("r/a.jsonl", "r/b.jsonl", "other.txt")
    os.link("r/a.jsonl", "hard.jsonl")
    Path("link.jsonl").symlink_to("r/a.jsonl")
    assert names("r/b.jsonl", "r", "r/*.jsonl", folder / "r/a.jsonl", "link.jsonl", "other.txt") == [
        "r/b.jsonl",
        "r/a.jsonl",
        "other.txt",
    ]


def test_globs_find_files_and_folders_as_in_a_shell(made):
    folder = made("r/1/b.jsonl", "r/1/a.jsonl", "r/2/a.jsonl", "r/2/notes.txt", "r/3/notes.txt", "r/c.jsonl")
    assert names("r/*/a.jsonl") == ["r/1/a.jsonl", "r/2/a.jsonl"]
    assert names("r/*") == ["r/1/a.jsonl", "r/1/b.jsonl", "r/2/a.jsonl", "r/c.jsonl"]
    assert names("r/**/*.jsonl") == ["r/1/a.jsonl", "r/1/b.jsonl", "r/2/a.jsonl", "r/c.jsonl"]
    assert names(f"{folder}/r/[12]/a.jsonl") == [f"{folder}/r/1/a.jsonl", f"{folder}/r/2/a.jsonl"]


def test_names_that_look_like_globs_are_names_first(made):
    made("r[1]/a*.jsonl", "r1/ab.jsonl")
    assert names("r[1]", "r[1]/a*.jsonl") == ["r[1]/a*.jsonl"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("missing.jsonl", r"missing\.jsonl: got no rollouts, there is no such file or folder; expected a file"),
        ("r/*.gz", r"r/\*\.gz: got no rollouts, no file matches; expected a file, a folder or a glob in quotes"),
        ("r/deeper*", r"got no rollouts, no file matches"),
        ("empty", r"empty: got no rollouts, expected files that end in \.jsonl, \.jsonl\.gz, \.jsonl\.zst, \.parquet$"),
        ("r", r"further down: 'r/\*\*/\*\.jsonl\.gz'$"),
        ("only rejects", r"\.parquet$"),
    ],
)  # fmt: skip
def test_nothing_to_read_is_an_error(made, given, message):
    made("r/rejects.jsonl", "r/notes.txt", "r/deeper/still/v1.2.jsonl.gz", "only rejects/rejects.jsonl")
    made("only rejects/.hidden/a.jsonl", "only rejects/deeper/rejects.jsonl")
    Path("empty").mkdir()
    with pytest.raises(InputError, match=message):
        rollout_files([given])


def test_what_the_error_suggests_works(made):
    made("r [1]/deeper/a.jsonl")
    with pytest.raises(InputError, match="further down") as caught:
        rollout_files(["r [1]"])
    assert names(str(caught.value).split("'")[1]) == ["r [1]/deeper/a.jsonl"]


def test_a_broken_link_is_not_passed_over_in_silence(made):
    made("r/a.jsonl")
    Path("r/b.jsonl").symlink_to("/gone/b.jsonl")
    with pytest.raises(InputError, match=r"r/b\.jsonl: is a link to /gone/b\.jsonl, which is not there"):
        rollout_files(["r"])
