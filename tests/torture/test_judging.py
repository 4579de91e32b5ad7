"""Every judge of the torture says so when something is not as it should be."""

import json
import os
import signal
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from fuzzing.targets import TARGETS
from torture import command, engine, fuzzing, real
from torture.cases import CASES
from torture.comparing import differences
from torture.engine import grown
from torture.faults import both, told_badly
from torture.killing import Training, next_run
from torture.outcome import Record
from torture.processes import Ended, Moment, Times, run, standing, started, wait_until_begun
from torture.runs import lines_of, metrics_differ
from torture.tools import OUT, Tool, rerun, wrongly_taken
from torture.training_faults import ALONE as SCRIPT
from torture.training_faults import told_with_traceback
from torture.work import Work


def test_one_other_byte_is_noticed(tmp_path):
    for name in ("made", "whole"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "easy.jsonl").write_text('{"id": 1}\n')
        (tmp_path / name / "report.png").write_bytes(b"abc")
    assert differences(tmp_path / "made", tmp_path / "whole") == []
    (tmp_path / "made" / "report.png").write_bytes(b"abd")
    (tmp_path / "made" / "more").touch()
    (tmp_path / "whole" / "lost").touch()
    assert differences(tmp_path / "made", tmp_path / "whole") == [
        "lost is missing",
        "more is there, and not in the undisturbed run",
        "report.png differs from the undisturbed run's",
    ]
    (tmp_path / "made" / "report.png").write_bytes(b"abc")
    (tmp_path / "made" / "easy.jsonl").write_text('{"id": 1, "time": 4}\n')
    assert len(differences(tmp_path / "made", tmp_path / "whole", more=True)) == 1, "the lost one; times do not count"


WRITER = "import pathlib, sys; pathlib.Path('out/made.json').write_text('[' + sys.argv[1] + ']')"


def test_a_tool_that_writes_another_byte_is_found_out(tmp_path, monkeypatch):
    """A tool whose rerun says 2 where the undisturbed run said 1, and one that leaves half of it."""
    work = Work(tmp_path)
    (work.folder / "inputs").mkdir()
    place, whole = work.fresh("place"), work.fresh("whole")
    for folder in (place / OUT, whole / "plain"):
        folder.mkdir()
    (whole / "plain" / "made.json").write_text("[1]")
    tool = Tool("writer", "", lambda out: json.loads((out / "made.json").read_text()), "inputs")
    monkeypatch.setattr(Tool, "words", lambda self, inputs, *more: [sys.executable, "-c", WRITER, said])
    said = "1"
    assert rerun(work, tool, place, whole) == []
    assert wrongly_taken(tool, place, whole) == []
    said = "2"
    assert rerun(work, tool, place, whole) == ["made.json differs from the undisturbed run's"]
    assert wrongly_taken(tool, place, whole)[0].startswith("the next step would take this for a result: made.json")
    (place / OUT / "made.json").write_text("[1")
    assert wrongly_taken(tool, place, whole) == [], "half of it is taken for nothing"


def test_what_a_tool_goes_on_from_is_no_part_of_its_result(tmp_path):
    place, whole = tmp_path / "place", tmp_path / "whole"
    for folder in (place / OUT, whole / "plain"):
        (folder / "kept").mkdir(parents=True)
        (folder / "made.json").write_text("[1]")
    (whole / "plain" / "kept" / "one.json").write_text("1")
    tool = Tool("writer", "", lambda out: json.loads((out / "made.json").read_text()), "inputs", "kept")
    assert wrongly_taken(tool, place, whole) == []
    assert wrongly_taken(replace(tool, store=""), place, whole) == [
        "the next step would take this for a result: kept/one.json is missing"
    ]


def test_what_goes_while_one_looks_is_borne_with(tmp_path, monkeypatch):
    """As the files and folders of a tool that has just ended do: listed, and gone before one comes to them."""
    for name in ("stays", "going"):
        (tmp_path / name).touch()
    (tmp_path / "folder").mkdir()
    list_folder, stat = os.scandir, Path.stat

    def list_too_late(folder):
        if Path(folder).name == "folder":
            Path(folder).rmdir()
        return list_folder(folder)

    def stat_too_late(path, **options):
        if path.name == "going":
            path.unlink(missing_ok=True)
        return stat(path, **options)

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", list_too_late)
        patched.setattr(Path, "stat", stat_too_late)
        found = standing(tmp_path)
    assert list(found) == [str(tmp_path / "stays")]
    assert list(tmp_path.iterdir()) == [tmp_path / "stays"]


def test_a_run_that_ends_with_all_it_has_started_does_so_when_torture_is_interrupted(tmp_path):
    """What it has started is in a group of its own, which a signal to its own group does not reach."""
    sleeps = f"import os, pathlib, time; pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid())); "
    words = [sys.executable, str(SCRIPT), sys.executable, "-c", sleeps + "time.sleep(600)"]
    with suppress(KeyboardInterrupt), started(words, tmp_path, tmp_path / "log") as process:
        wait_until_begun(process, lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
        pid = int((tmp_path / "pid").read_text())
        assert psutil.pid_exists(pid)
        raise KeyboardInterrupt
    assert not psutil.pid_exists(pid)


ALONE = """import os, sys, time
try:
    os.close(os.open("mark", os.O_CREAT | os.O_EXCL))
except FileExistsError:
    sys.exit("curriculum-verl writer: another one works here")
time.sleep(float(sys.argv[1]))
"""


@pytest.mark.parametrize(
    ("code", "seconds", "wrong"),
    [
        (ALONE, "3", []),
        ("pass", "", ["neither was refused, 3 times"]),
        ("open('mark', 'a').close(); import time; time.sleep(.3)", "", ["neither was refused, 3 times"]),
    ],
    ids=["the second is refused", "there never were two", "both work"],
)
def test_two_processes_in_one_folder_are_judged(tmp_path, code, seconds, wrong):
    work = Work(tmp_path)
    place, found = both([sys.executable, "-c", code, seconds], lambda: work.fresh("place"), "another")
    assert place == tmp_path / "place"
    assert [failure.partition(":")[0] for failure in found[:1]] == wrong


def test_a_kill_takes_the_whole_group(tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    child = (
        "import subprocess, sys; print(subprocess.Popen(['sleep', '600']).pid, flush=True); open('sign', 'w'); input()"
    )
    words = [sys.executable, "-c", "import os; os.dup2(os.pipe()[0], 0)\n" + child]
    ended = run(words, place, moment=Moment(0.2, begun=True))
    assert ended.code is None
    with suppress(psutil.NoSuchProcess):
        assert psutil.Process(int(ended.said)).status() == psutil.STATUS_ZOMBIE


SLEEPER = "import subprocess, time; subprocess.Popen(['sleep', '600']); open('sign', 'w'); time.sleep(%s)"


@pytest.mark.parametrize("moment", [None, Moment(0.2, begun=True, alone=True)], ids=["it ends", "it is killed alone"])
def test_what_a_run_leaves_running_is_told(tmp_path, monkeypatch, moment):
    monkeypatch.setattr("torture.processes.PATIENCE", 0.3)
    place = tmp_path / "place"
    place.mkdir()
    ended = run([sys.executable, "-c", SLEEPER % ("0.5" if moment is None else "60")], place, moment=moment)
    assert ended.code == (0 if moment is None else None)
    assert ended.wrong == ["still running after it: sleep"]
    assert list(told_badly(ended, ended.code)) == list(told_with_traceback(ended, 0))[:1] == ended.wrong


@pytest.mark.parametrize("moment", [None, Moment(1, begun=True)], ids=["to its end", "to be killed"])
def test_what_hangs_is_killed_and_told(tmp_path, monkeypatch, moment):
    monkeypatch.setattr("torture.processes.LONGEST", 0.2)
    place = tmp_path / "place"
    place.mkdir()
    ended = run([sys.executable, "-c", "import time; time.sleep(600)"], place, moment=moment)
    assert ended.code == -signal.SIGALRM
    assert ended.wrong == ["it hangs: "]
    assert ended.times.seconds < 60


def test_a_run_that_ends_before_its_moment_was_not_killed(tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    ended = run([sys.executable, "-c", "print('done'); raise SystemExit(3)"], place, moment=Moment(60, begun=False))
    assert (ended.code, ended.said) == (3, "done\n")


def test_a_message_that_is_none_is_told_of():
    well = Ended(1, "curriculum-verl bucket: out: the disk is full\n", Times(1, 0))
    assert list(told_badly(well, 1, "the disk is full")) == []
    assert len(list(told_badly(well, 130))) == 1
    before = Ended(1, "going on from checkpoint-34\ncurriculum_verl.train: [Errno 22] Invalid argument\n", Times(1, 0))
    assert len(list(told_badly(before, 1, "checkpoint-34"))) == 1, "the error itself must name it"
    assert len(list(told_badly(well, 1, "out", "rights"))) == 1
    assert len(list(told_badly(Ended(1, "Traceback (most recent call last):\n  x\n", Times(1, 0)), 1))) == 1
    assert list(told_badly(Ended(-signal.SIGINT, "interrupted", Times(1, 0)), 130)) == [], "a shell says 130 to both"


def made_to_train(*codes: int | None) -> Training:
    """Starts end so, one after the other; a run leaves nothing."""
    left = list(codes)
    return Training(
        "toy",
        "sft",
        ("plain",),
        lambda work, recipe: ([], work.fresh("place")),
        lambda *_, **__: Ended(left.pop(0), "words", Times(9.0, 1.0)),
        (),
        lambda made, whole, kills: ["weights differ"] if kills == 2 else [],
    )


@pytest.mark.parametrize(
    ("codes", "kills", "wrong"),
    [
        ((0, None, 0, 0), 1, ()),
        ((0, 0, 0), 0, ()),
        ((0, None, None, None, None, None, 0), 5, ()),
        ((0, None, None, 0, 0), 2, ("weights differ",)),
        ((0, None, 1, 0), 1, ("it ended by itself with exit code 1: words",)),
        ((0, None, 0, 1), 1, ("the resume: it ended by itself with exit code 1: words",)),
        ((0, -signal.SIGALRM, 0), 0, ("it hangs: words",)),
    ],
    ids=["killed once", "too late", "five times", "other weights", "a start fails", "the last fails", "it hangs"],
)
def test_a_training_run_that_is_killed_is_judged(tmp_path, codes, kills, wrong):
    record = next_run(made_to_train(*codes), Work(tmp_path), [])
    assert record is not None
    assert (len(record.kills), record.failures) == (kills, wrong)
    assert (record.skipped is not None) == (not kills and not wrong)


def test_kills_that_never_come_end_a_case(tmp_path):
    training, work = made_to_train(*[0] * 99), Work(tmp_path, kills=1)
    assert next_run(training, work, []) is not None
    assert next_run(training, work, [Record("too late")] * 3) is None


def test_what_cannot_be_compared_is_a_failure_of_its_part(tmp_path):
    def lacks(made: Path, whole: Path, kills: int) -> list[str]:
        raise FileNotFoundError("no final weights")

    record = next_run(replace(made_to_train(0, None, 0, 0), differ=lacks), Work(tmp_path), [])
    assert record is not None
    assert record.failures == ("what it left cannot be compared: FileNotFoundError: no final weights",)


def write_metrics(path: Path, *lines: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def step(number: int, value: float) -> dict[str, object]:
    return {"kind": "step", "step": number, "stage": "one", "metrics": {"loss": value, "timing_s/step": number * 7.0}}


def test_metrics_of_a_resumed_run_count_once_and_must_be_those_of_the_whole(tmp_path):
    start, end = {"kind": "start", "step": 0}, {"kind": "end", "step": 3, "time": 1.5}
    switch = {"kind": "advance", "step": 2, "target": "two", "before": 0.5}
    lines = [step(1, 0.5), step(2, 0.25), switch, step(3, 0.125), end]
    whole = write_metrics(tmp_path / "w.jsonl", start, *lines)

    def differs(*told: dict[str, object], lost: int = 0) -> list[str]:
        made = write_metrics(tmp_path / "m.jsonl", start, *told)
        return [text.removeprefix("m.jsonl ") for text in metrics_differ(made, whole, lost)]

    again = [step(1, 0.5), step(2, 9.0), start | {"step": 1}, step(2, 0.25), switch, step(3, 0.125), end]
    assert differs(*again) == []
    assert [line["step"] for line in lines_of(tmp_path / "m.jsonl")] == [1, 2, 2, 3, 3]
    assert differs(*lines, start | {"step": 3}, end | {"time": 2.5}) == [], "an end is told again"
    assert differs(step(1, 0.5), step(2, 0.26), switch, step(3, 0.125), end) == ["says other things of step 2: loss"]
    assert differs(step(1, 0.5), step(2, 0.25), switch | {"before": 0.6}, *lines[3:]) == [
        "says other things of advance 2: before"
    ]
    assert differs(*lines[1:], lost=1) == []
    assert differs(*lines[1:]) == ["says nothing of step 1"]
    assert differs(*lines[2:], lost=1) == ["says nothing of step 1, step 2"]
    alarm = {"kind": "alarm", "step": 3}
    assert differs(*lines, alarm) == ["tells of alarm 3, which the undisturbed run does not"]
    assert differs(*lines[:3], step(3, 0.125) | {"metrics": {"loss": 0.125, "more": 1.0}}, end) == [
        "says other things of step 3: more"
    ]


def test_what_grows_is_told_of():
    flat = {f"{when} {what}": 5.0 for when in ("early", "late") for what in ("MB", "state bytes", "files")}
    flat |= {"early metrics bytes": 1000.0, "late metrics bytes": 5000.0, "early ms a save": 1.0, "late ms a save": 9.0}
    assert grown(flat, 5000) == [], "what a busy machine takes is no failure"
    assert len(grown(flat | {"late MB": 6.0, "late metrics bytes": 10_000.0}, 5000)) == 2


def test_the_shortest_run_of_the_engine_is_flat_and_a_shorter_one_is_refused(tmp_path, capsys):
    record = engine.next_run(Work(tmp_path, steps=2000, prompts=3000, seed=1), [])
    assert record is not None
    assert record.failures == ()
    with pytest.raises(SystemExit):
        command.build_parser(CASES).parse_args(["--steps", "1999"])
    assert "got 1,999, expected at least 2,000" in capsys.readouterr().err


def test_a_long_run_of_verl_is_told_by_what_grew():
    early = {"files": 50.0, "bytes of files": 1e6, "trainer MB": 500.0, "raylet MB": 38.0, "all MB": 600.0}
    assert real.grown(early, early | {"trainer MB": 520.0, "raylet MB": 50.0, "ray::IDLE MB": 300.0}) == []
    more = {"files": 51.0, "bytes of files": 1.1e6, "raylet MB": 70.0, "all MB": 700.0}
    assert real.grown(early, early | more) == [
        "all MB grew from 600 to 700",
        "bytes of files grew from 1,000,000 to 1,100,000",
        "files grew from 50 to 51",
        "raylet MB grew from 38 to 70",
    ]


def test_what_grows_by_a_line_a_step_is_no_file_of_a_run(tmp_path):
    (tmp_path / "checkpoints" / "global_step_2").mkdir(parents=True)
    (tmp_path / "rollouts").mkdir()
    for name in (
        "console.log",
        "checkpoints/curriculum.jsonl",
        "rollouts/1.jsonl",
        "checkpoints/global_step_2/data.pt",
    ):
        (tmp_path / name).write_text("more")
    (tmp_path / "checkpoints" / "global_step_2" / "curriculum.json").write_text("four")
    assert real.files_of(tmp_path) == {"files": 1, "bytes of files": 4}


def test_too_few_inputs_of_the_long_form_are_a_failure(tmp_path, monkeypatch):
    monkeypatch.setattr(fuzzing, "made_up", lambda work, path: Record(path.name, figures={"inputs": 10.0}))
    done = [Record("x", figures={"inputs": 10.0})] * (len(fuzzing.files()) - 1)
    last = fuzzing.next_file(Work(tmp_path), done)
    assert last is not None
    assert last.failures == (f"{10 * len(fuzzing.files())} inputs in all, expected 1,000,000 in the long form",)
    short = fuzzing.next_file(Work(tmp_path, examples=100), done)
    assert short is not None
    assert short.failures == ()


def test_every_reader_is_fuzzed_by_coverage_or_it_is_said_why_not(tmp_path, monkeypatch):
    monkeypatch.setattr(fuzzing, "find_spec", lambda name: None)
    made = [Record("x")] * len(fuzzing.files())
    told: list[str] = []
    while (record := fuzzing.next_file(Work(tmp_path), made + [Record("y")] * len(told))) is not None:
        assert record.skipped == "Atheris is not installed"
        told.append(record.what.removesuffix(", guided by coverage"))
    assert told == list(TARGETS)


def test_a_kill_is_the_same_for_the_same_seed_and_the_shares_add_up():
    work = Work(Path(), seed=4, kills=10)
    assert work.random("sft", 3).random() == Work(Path(), seed=4).random("sft", 3).random()
    assert work.random("sft", 3).random() != work.random("sft", 4).random()
    assert [work.kills_of(name) for name in ("tools", "sft", "grpo")] == [10, 8, 2]


def test_fuzz_tests_are_found_and_their_inputs_counted():
    names = {path.name for path in fuzzing.files()}
    assert {"test_readers.py", "test_fuzz.py", "test_trajectory.py"} <= names
    older = "  - 20 passing examples, 1 failing examples, 4 invalid examples\n"
    said = older + "    - 5 passing, 0 failing, and 2 invalid test cases\n"
    assert fuzzing.counted(said) == {"inputs": 26}
