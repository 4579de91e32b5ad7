"""The bucketing command, run in this process."""

from collections.abc import Callable

import pytest

from curriculum_verl.commands import bucket
from curriculum_verl.commands.running import run


@pytest.fixture
def bucketed(tmp_path, monkeypatch, capsys) -> Callable[..., tuple[int, str, str]]:
    """Runs the command in tmp_path; returns exit code, what it printed, and what it complained about."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: object) -> tuple[int, str, str]:
        code = run("bucket", bucket.main, [str(argument) for argument in arguments])
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return code, printed.out, printed.err

    return command
