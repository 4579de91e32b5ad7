"""The GRPO launch script: what is missing is said before anything starts, and nothing outlives Ctrl-C."""

import json
import os
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

FOLDER = Path(__file__).parent.parent / "recipes" / "grpo_curriculum"
SCRIPT = FOLDER / "run.sh"
PATIENCE = 60  # seconds until a stand-in must have got to work, or have ended
# In the place of Python: its looks at the run find nothing wrong, and the run itself is the stand-in below.
PYTHON = """#!/usr/bin/env bash
case "$*" in
    "-c "*) exit 0 ;;
    *preflight.py*)
        if [[ -n ${{problems-}} ]]; then echo "$problems" && exit 1; fi
        echo "$PWD/a folder/out"
        ;;
    *final_evaluation.py*)
        if [[ "$*" == *--dry-run* ]]; then echo "an evaluation" && exit; fi
        printf '%s\\n' "$@" >evaluated
        if [[ -n ${{evaluation_waits-}} ]]; then exec {python} {child} "$@"; fi
        exit "${{evaluation_ends-0}}"
        ;;
    *) exec {python} {child} "$@" ;;
esac
"""
# A trainer with what Ray leaves behind: processes in sessions of their own, known by their environment or by their log.
CHILD = """
import json, os, signal, subprocess, sys
from pathlib import Path

Path("started.json").write_text(json.dumps({"arguments": sys.argv[1:], "environment": dict(os.environ)}))
if "ends" in os.environ:
    scratch = os.environ.get("RAY_TMPDIR")
    if scratch:
        logs = Path(scratch, "ray", "session_2026", "logs")
        logs.mkdir(parents=True)
        (logs / "worker.err").write_text("the reason")
    sys.exit(int(os.environ["ends"]))

sleep = [sys.executable, "-c", "import signal; signal.pause()"]
stubborn = [sys.executable, "-c", "import signal; signal.signal(15, signal.SIG_IGN); signal.pause()"]
log = open(os.environ["RAY_TMPDIR"] + "/raylet.log", "w") if "RAY_TMPDIR" in os.environ else None
children = [subprocess.Popen(sleep)]
if log:
    children.append(subprocess.Popen(sleep, start_new_session=True))
    deaf = "ignored" in os.environ
    children.append(subprocess.Popen(stubborn if deaf else sleep, start_new_session=True, env={}, stdout=log))
if "ignored" in os.environ:
    for number in map(int, os.environ["ignored"].split(",")):
        signal.signal(number, signal.SIG_IGN)
try:
    Path("pipe").write_text(" ".join(str(child.pid) for child in children))
    signal.pause()
    if "ignored" in os.environ:
        signal.pause()
except KeyboardInterrupt:
    Path("interrupted").touch()
    sys.exit(130)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a run starts: a stand-in for Python, and names with blanks."""
    folder = tmp_path / "a folder"
    folder.mkdir()
    (folder / "child.py").write_text(CHILD)
    python = folder / "python"
    python.write_text(PYTHON.format(python=shlex.quote(sys.executable), child=shlex.quote(str(folder / "child.py"))))
    python.chmod(0o755)
    return folder


def start(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "VERL_"))}
    return subprocess.Popen(
        [SCRIPT, "three_stages", "--model", "Qwen/Qwen3-1.7B", "--data", "my data/manifest.json", *arguments],
        cwd=folder,
        env=bare | {"PYTHON": str(folder / "python")} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def run(folder: Path, *arguments: str, code: int = 0, **environment: str) -> str:
    with start(folder, *arguments, **environment) as running:
        try:
            out, _ = running.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            running.terminate()  # ends all that it started
            raise
    assert running.returncode == code, out
    return out


def started(folder: Path) -> Any:
    return json.loads((folder / "started.json").read_text())


def test_overrides_arrive_as_they_were_given(folder: Path) -> None:
    given = [
        "trainer.logger=[console,file]",
        "trainer.project_name='two words'",
        "+note=\"it's $HOME, {a: 1} * 'x'\"",
        "~data.seed",
        "++curriculum.stages.0.mix={easy: 0.5, medium: 0.5}",
    ]
    run(folder, *given, ends="0")
    arguments = started(folder)["arguments"]
    assert arguments[:3] == ["-u", "-m", "verl.trainer.main_ppo"]
    assert arguments[3:7] == ["--config-path", str(FOLDER), "--config-name", "three_stages"]
    assert arguments[-len(given) :] == given
    assert f"curriculum.data='{folder}/my data/manifest.json'" in arguments
    assert "actor_rollout_ref.model.path='Qwen/Qwen3-1.7B'" in arguments
    assert started(folder)["environment"]["RAY_TMPDIR"].startswith("/tmp/r")
    assert "VERL_PLATFORM" not in started(folder)["environment"]


def test_a_run_ends_with_an_evaluation_that_is_told_what_the_run_is(folder: Path) -> None:
    told = ("--cpu", "a=b", "--eval-responses", "4", "--", "--verifier", "math")
    said = run(folder, *told, ends="0")
    assert "the run is done; its final evaluation begins" in said
    words = (folder / "evaluated").read_text().splitlines()
    assert words[0] == str(FOLDER / "final_evaluation.py")
    given = {"--model": "Qwen/Qwen3-1.7B", "--data": f"{folder}/my data/manifest.json", "--responses": "4"}
    assert {name: words[words.index(name) + 1] for name in given} == given
    assert {"--evaluate-with=--verifier", "--evaluate-with=math", "--cpu", "a=b"} <= set(words)
    assert words.index(str(FOLDER / "three_stages.yaml")) < words.index("a=b")
    assert "--verifier" not in started(folder)["arguments"], "verl is not told"


def test_an_evaluation_can_be_left_out_and_follows_no_run_that_failed(folder: Path) -> None:
    run(folder, "--eval-responses", "0", ends="0")
    run(folder, ends="3", code=3)
    assert not (folder / "evaluated").exists()
    said = run(folder, ends="0", evaluation_ends="5", code=5)
    assert "the run is done, its final evaluation ended with code 5; --resume tries that again" in said
    assert "--eval-responses many: expected a number" in run(folder, "--eval-responses", "many", code=2)


def test_a_dry_run_prints_a_command_that_a_shell_can_read_and_starts_nothing(folder: Path) -> None:
    said = run(folder, "--dry-run", "--cpu", "+a='b [c]'", "--resume")
    assert said.splitlines()[-2] == "an evaluation"
    words = shlex.split(said.splitlines()[-1])
    assert words[:4] == ["VERL_PLATFORM=cpu", str(folder / "python"), "-u", "-m"]
    assert words[-2:] == ["trainer.resume_mode=auto", "+a='b [c]'"]
    assert not (folder / "started.json").exists()


@pytest.mark.parametrize("name", ["it's here", "a,b", "{x}=[y]", "back\\slash", "${no}"])
def test_hydra_reads_a_path_as_it_is(folder: Path, name: str) -> None:
    (folder / name).mkdir()
    said = run(folder, "--dry-run", "--data", f"{name}/manifest.json")
    words = shlex.split(said.splitlines()[-1])
    override = OverridesParser.create().parse_override(next(word for word in words if word.startswith("curriculum")))
    assert str(override.value()).replace("\\$", "$") == f"{folder}/{name}/manifest.json"


def test_the_cpu_and_a_cluster_are_asked_for_in_the_environment(folder: Path) -> None:
    run(folder, "--cpu", ends="0")
    assert started(folder)["environment"]["VERL_PLATFORM"] == "cpu"
    for arguments, environment in ((["--ray-address", "head:6379"], {}), ([], {"RAY_ADDRESS": "head:6379"})):
        run(folder, *arguments, ends="0", **environment)
        assert started(folder)["environment"]["RAY_ADDRESS"] == "head:6379"
        assert "RAY_TMPDIR" not in started(folder)["environment"], "the cluster has its own"


def test_a_resume_names_what_it_goes_on_with(folder: Path) -> None:
    run(folder, "--resume", "runs/x/global_step_20", "a=b", ends="0")
    arguments = started(folder)["arguments"]
    assert f"trainer.resume_from_path='{folder}/runs/x/global_step_20'" in arguments
    assert "trainer.resume_mode=resume_path" in arguments
    assert arguments[-1] == "a=b"


def test_fresh_moves_the_earlier_run_aside(folder: Path) -> None:
    output = folder / "a folder" / "out"
    output.mkdir(parents=True)
    (output / "global_step_2").touch()
    run(folder, "--fresh", "--dry-run")
    assert (output / "global_step_2").exists()
    assert "is in" in run(folder, "--fresh", ends="0")
    assert not output.exists()
    moved = list(output.parent.glob("out.*/global_step_2"))
    assert len(moved) == 1


def test_the_exit_code_is_that_of_the_run_and_its_logs_are_kept(folder: Path) -> None:
    said = run(folder, code=7, ends="7")
    assert "the run ended with code 7" in said
    logs = list((folder / "a folder" / "out").glob("ray_logs_*/worker.err"))
    assert [log.read_text() for log in logs] == ["the reason"]
    assert str(logs[0].parent) in said
    assert not Path(started(folder)["environment"]["RAY_TMPDIR"]).exists()


@contextmanager
def at_work(folder: Path, *arguments: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A run whose stand-in is at work, and the processes that it started."""
    os.mkfifo(folder / "pipe")
    pipe = os.open(folder / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    running = start(folder, *arguments, **environment)
    assert select.select([pipe], [], [], PATIENCE)[0], "it never got to work"
    children = [*map(int, os.read(pipe, 1000).split()), *(p.pid for p in psutil.Process(running.pid).children())]
    try:
        yield running, children
    finally:
        os.close(pipe)
        for number in [running.pid, *children]:
            with suppress(psutil.NoSuchProcess):
                psutil.Process(number).kill()


def alive(numbers: list[int]) -> list[str]:
    found = [psutil.Process(number) for number in numbers if psutil.pid_exists(number)]
    return [str(process) for process in found if process.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture
def bystander(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another Ray on the same machine, with a log and an environment of its own."""
    other = tmp_path / "rOTHER"
    other.mkdir()
    with (other / "raylet.log").open("w") as log:
        sleep = [sys.executable, "-c", "import signal; signal.pause()"]
        process = subprocess.Popen(sleep, env={"RAY_TMPDIR": str(other)}, stdout=log)
        yield process
        process.kill()
        process.wait()


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_all_of_the_run_and_nothing_else(
    folder: Path, bystander: subprocess.Popen[bytes], sent: signal.Signals, code: int
) -> None:
    with at_work(folder) as (running, children):
        assert len(alive(children)) >= 4
        os.killpg(running.pid, sent)  # as a terminal does it
        said, _ = running.communicate(timeout=PATIENCE)
        assert running.returncode == code, said
        assert alive(children) == []
    assert (folder / "interrupted").exists(), "it had the time to end by itself"
    assert f"stopped by {sent.name}; --resume goes on" in said
    assert bystander.poll() is None
    assert not Path(started(folder)["environment"]["RAY_TMPDIR"]).exists()


@pytest.mark.parametrize("ignored", ["2", "2,15"])
def test_a_run_that_does_not_listen_is_terminated_and_then_killed(folder: Path, ignored: str) -> None:
    with at_work(folder, ignored=ignored, GRACE="0") as (running, children):
        running.send_signal(signal.SIGINT)
        said, _ = running.communicate(timeout=PATIENCE)
        assert running.returncode == 130, said
        assert alive(children) == []


def test_a_second_signal_does_not_wait(folder: Path) -> None:
    with at_work(folder, ignored="2,15", GRACE="1000") as (running, children):
        running.send_signal(signal.SIGINT)
        assert running.stdout is not None
        assert "once more kills it at once" in running.stdout.readline()
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=PATIENCE)
        assert running.returncode == 130
        assert alive(children) == []


def test_a_run_in_a_cluster_is_ended_alone(folder: Path, bystander: subprocess.Popen[bytes]) -> None:
    with at_work(folder, "--ray-address", "head:6379") as (running, children):
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=PATIENCE)
        assert running.returncode == 130
        assert alive(children) == []
    assert bystander.poll() is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--modle", "x"], "--modle: no such option"),
        (["--data"], "--data: got nothing"),
        (["another"], "another: expected key=value after the recipe three_stages"),
        (["--fresh", "--resume"], "expected one of them"),
    ],
)
def test_wrong_usage_is_said(folder: Path, arguments: list[str], words: str) -> None:
    assert words in run(folder, *arguments, code=2)
    assert not (folder / "started.json").exists()


def test_a_recipe_that_is_not_there_is_said_with_those_that_are(folder: Path) -> None:
    command = [SCRIPT, "four_stages", "--model", "x", "--data", "y"]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert said.returncode == 2
    assert "expected one of adarft, cumulative, " in said.stderr
    assert "_base" not in said.stderr


def test_help_needs_no_python(tmp_path: Path) -> None:
    said = subprocess.run([SCRIPT, "--help"], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"}, check=True)
    assert said.stdout.startswith("usage: run.sh RECIPE")
    options = set(re.findall(r"^ +(-[\w-]+)(?= ?\| ?(?:--[\w-]+))?", SCRIPT.read_text(), re.MULTILINE))
    for option in {*options, "--model", "--data", "--ray-address", "--resume", "--fresh", "--cpu", "--dry-run"} - {
        "-h"
    }:
        assert option in said.stdout, option
    lacking = subprocess.run(
        [SCRIPT, "lora", "--model", "x", "--data", "y"],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHON": str(tmp_path / "none")},
    )
    assert lacking.returncode == 1
    assert "no Python was found" in lacking.stderr


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_shellcheck_finds_nothing() -> None:
    assert subprocess.run(["shellcheck", SCRIPT], capture_output=True, text=True).stdout == ""


def test_every_command_of_the_readme_is_one(folder: Path) -> None:
    text = (FOLDER / "README.md").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.startswith("recipes/grpo_curriculum/run.sh ")]
    assert len(lines) >= 4
    parser = OverridesParser.create()
    for line in lines:
        _, *words = shlex.split(line)
        done = subprocess.run(
            [SCRIPT, "--dry-run", *words],
            cwd=folder,
            env=os.environ | {"PYTHON": str(folder / "python")},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        ours = words[: words.index("--")] if "--" in words else words
        parser.parse_overrides([word for word in ours if "=" in word])


def test_problems_end_the_script_before_anything_starts(folder: Path) -> None:
    said = run(folder, "--fresh", code=1, problems="  - one\n  - two")
    assert said.endswith("run.sh: nothing was started:\n  - one\n  - two\n")
    assert not (folder / "started.json").exists()
