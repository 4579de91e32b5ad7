"""`curriculum-verl tune` until its page is there."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from chromium import Visit
from tuning.recipes import TEXT, write_recipe
from tuning.tuned import tuning_of

from curriculum_verl import cli
from curriculum_verl.commands.tune import build_parser
from curriculum_verl.errors import ConfigError, InputError


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{a}", "--as-logged"], "--as-logged: needs --rollouts"),
        (["{a}", "--out", "{a}.d/x.yaml"], "--out: there is no folder"),
        (["{a}", "--out", "{folder}"], "is no plain file"),
        (["{a}", "--port", "70000"], "expected a port"),
        ([], "recipe"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_refused(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = str(write_recipe(tmp_path))
    with pytest.raises(SystemExit) as end:
        cli.main(["tune", *(argument.format(a=recipe, folder=tmp_path) for argument in arguments)])
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_without_the_extra_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("curriculum_verl.web.extra.find_spec", lambda name: None if name == "gradio" else object())
    assert cli.main(["tune", str(write_recipe(tmp_path))]) == 1
    assert "pip install 'curriculum-verl[monitor]'" in capsys.readouterr().err


def test_help_and_arguments_import_nothing_heavy() -> None:
    code = (
        "import sys; from curriculum_verl.commands import compare, tune\n"
        "tune.build_parser(), compare.build_parser()\n"
        "print(sorted({'numpy', 'yaml', 'gradio', 'matplotlib', 'plotly'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_recipe_that_is_wrong_is_refused_before_a_page_is_shown(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="hard: got 7"):
        tuning_of(write_recipe(tmp_path, TEXT.replace("hard: 0.75", "hard: 7")))


def test_a_run_that_is_too_long_for_a_page_is_refused_before_it_is_shown(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="steps: got 6000, expected a whole number from 1 to 5000"):
        tuning_of(write_recipe(tmp_path), "--steps", "6000")


def test_it_listens_to_this_machine_alone_unless_told() -> None:
    assert build_parser().parse_args(["x.yaml"]).host == "127.0.0.1"


def test_out_may_lie_elsewhere(tmp_path: Path) -> None:
    recipe, out = write_recipe(tmp_path / "a"), tmp_path / "mine.yaml"
    saving = tuning_of(recipe, "--out", str(out)).saving
    assert (saving.folder, saving.suggestion) == (tmp_path, "mine.yaml")


def test_ctrl_c_ends_it_whatever_is_being_played(tmp_path: Path, browser: Any) -> None:
    recipe = write_recipe(tmp_path, TEXT.replace("name: mixture", "name: posterior"))
    command = [sys.executable, "-m", "curriculum_verl.cli", "tune", str(recipe), "--port", "0"]
    long = ["--steps", "5000", "--batch", "100", "--responses", "8"]
    with subprocess.Popen([*command, *long], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            with Visit(browser, server.stdout.readline().strip()) as page:
                page.until("#standing", "Simulating")
                server.send_signal(signal.SIGINT)
                _, errors = server.communicate(timeout=60)
        finally:
            server.kill()
    assert (server.returncode, errors) == (0, "")
