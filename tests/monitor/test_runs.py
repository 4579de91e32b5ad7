from pathlib import Path

import pytest
from monitor import made_up

from curriculum_verl.errors import InputError
from curriculum_verl.monitor import panels
from curriculum_verl.monitor.runs import names_of, open_runs
from curriculum_verl.monitor.watch import Watch


def test_names_are_short_and_differ() -> None:
    def named(*paths: str) -> list[str]:
        return names_of([Path(path) for path in paths])

    assert named("/out/run/checkpoints/curriculum.jsonl") == ["run"]
    assert named("/out/a/checkpoints/curriculum.jsonl", "/out/b/checkpoints/curriculum.jsonl") == ["a", "b"]
    assert named("/x/seed1/full/curriculum.jsonl", "/x/seed2/full/curriculum.jsonl") == ["seed1/full", "seed2/full"]
    assert named("/x/one.jsonl", "/x/two.jsonl") == ["one", "two"]
    assert len(set(named("/x/a/curriculum.jsonl", "/x/a/checkpoints/curriculum.jsonl"))) == 2


def test_what_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="got no run"):
        open_runs([], [], None)
    with pytest.raises(InputError, match="several runs"):
        open_runs([tmp_path], [tmp_path / "x.jsonl"], tmp_path)
    with pytest.raises(InputError, match="no folder"):
        open_runs([tmp_path], [], tmp_path / "nowhere")


def test_responses_of_a_process_that_was_resumed_before_them_are_void(tmp_path: Path) -> None:
    path = made_up.write_run(tmp_path / "run", 40)
    [run] = open_runs([tmp_path / "run"], [], None)
    assert run.rollouts is None
    run.followed.refresh()
    assert run.rollout_steps() == [10, 20, 30, 40]
    with path.open("ab") as file:
        file.write(made_up.start(20, "rollouts"))
    run.followed.refresh()
    assert run.rollout_steps() == [10, 20]


def test_a_run_that_cannot_be_read_says_so_and_the_others_go_on(tmp_path: Path) -> None:
    made_up.write_run(tmp_path / "good", 5)
    (tmp_path / "folder").mkdir()
    watch = Watch(open_runs([tmp_path / "good"], [tmp_path / "folder"], None))
    before = watch.refresh()
    good, bad = watch.runs
    assert (good.history.step, panels.state(good)) == (5, "Running.")
    assert panels.state(bad) == f"{tmp_path / 'folder'} cannot be read: it is no regular file."
    (tmp_path / "folder").rmdir()
    after = watch.refresh()
    assert after[0] == before[0]
    assert after[1] != before[1]
    assert panels.state(bad) == f"Waiting for {tmp_path / 'folder'}."


def test_what_may_not_be_looked_at_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a path that belongs to somebody else; whoever runs this may be root, who may look everywhere."""
    [run] = open_runs([], [tmp_path / "curriculum.jsonl"], None)

    def refused(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", refused)
    monkeypatch.setattr(Path, "is_dir", refused)
    monkeypatch.setattr("os.open", refused)
    run.followed.refresh()
    assert run.is_there()
    assert panels.state(run) == f"{run.followed.path} cannot be read: Permission denied."
    with pytest.raises(InputError, match="may not look there"):
        open_runs([], [tmp_path / "curriculum.jsonl"], tmp_path)
