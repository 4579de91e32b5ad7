"""Three runs as training leaves them, a reader for lines by hand, and a tiny model."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from analysis.made_up import HABITS, write_lines, write_run

from curriculum_verl import cli
from curriculum_verl.analysis.analysis import Analysis, analyze
from curriculum_verl.analysis.measuring import Judging
from curriculum_verl.analysis.runs import find_run
from curriculum_verl.analysis.selection import Selection
from curriculum_verl.analysis.tasks import Reading
from curriculum_verl.parallel import InProcess
from curriculum_verl.rollouts.fields import ROLES

Analyzed = Callable[..., Analysis]
Command = Callable[..., int]


@pytest.fixture(scope="session")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """base/, coherence/ and full/, each a run with its metrics file and rollouts."""
    folder = tmp_path_factory.mktemp("logged")
    for run in HABITS:
        write_run(folder, run)
    return folder


@pytest.fixture
def analyzed(tmp_path: Path) -> Analyzed:
    """An analysis of lines that are given by the names of their runs."""

    def run_it(selection: Selection | None = None, **runs: Sequence[Any]) -> Analysis:
        reading = Reading(Judging(), selection or Selection(), ROLES)
        found = [
            find_run(name, write_lines(tmp_path / f"{name}.jsonl", list(rows)), reading.selection)
            for name, rows in runs.items()
        ]
        return analyze(found, reading, tmp_path, InProcess())

    return run_it


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """The command, into out/."""

    def run_it(*arguments: str) -> int:
        return cli.main(["analyze", "--out", str(tmp_path / "out"), *arguments])

    return run_it


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch")
    from integration.verl_toy import write_model

    folder = tmp_path_factory.mktemp("model")
    write_model(folder, hidden=32, layers=1)
    return folder
