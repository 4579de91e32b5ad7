"""The docs are true: their commands run, and every key and parameter stands there with its default."""

import dataclasses
import inspect
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from curriculum_verl.curriculum.config import (
    AdmissionConfig,
    Advance,
    CurriculumConfig,
    MetricCondition,
    Patience,
    Plateau,
    Probation,
    Rollback,
    Stage,
)
from curriculum_verl.curriculum.policies import POLICIES

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "CONTRIBUTING.md"]
# What sets the project up is what CI itself runs before any test.
SET_UP = ("git clone", "make test")


def blocks(language: str) -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for code in re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
            found.append((page.name, code))
    return found


def commands() -> list[tuple[str, str]]:
    lines = [(page, line.split("#")[0].strip()) for page, code in blocks("bash") for line in code.splitlines()]
    return [(page, line) for page, line in lines if line and not line.startswith(SET_UP)]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def must_run(command: list[str] | str, folder: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        shell=isinstance(command, str),
        cwd=folder,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    assert done.stdout.strip(), f"{command} printed nothing"


@pytest.mark.parametrize(("page", "command"), commands())
def test_every_command_in_the_docs_runs(page: str, command: str, checkout: Path) -> None:
    must_run(command, checkout)


@pytest.mark.parametrize(("page", "code"), blocks("python"))
def test_every_python_block_in_the_docs_runs(page: str, code: str, checkout: Path) -> None:
    must_run([sys.executable, "-c", code], checkout)


@pytest.mark.parametrize("script", ["examples/quickstart.py", "-m examples.custom_metric"])
def test_every_example_runs(script: str, checkout: Path) -> None:
    must_run([sys.executable, *script.split()], checkout)


def test_there_is_something_to_run() -> None:
    assert len(commands()) >= 5
    assert blocks("python")


TABLES = {
    CurriculumConfig: "# The recipe, key by key",
    Stage: "## A stage",
    Advance: "## `advance`",
    Rollback: "## `rollback`",
    Probation: "## `probation`",
}


@pytest.mark.parametrize("config", TABLES)
def test_every_key_of_a_recipe_is_documented_with_its_default(config: type) -> None:
    page = (ROOT / "docs" / "recipe.md").read_text()
    section = re.search(rf"^{re.escape(TABLES[config])}$.*?(?=^## |\Z)", page, re.DOTALL | re.MULTILINE)
    assert section is not None
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]*?) \|", section.group(), re.MULTILINE))
    assert {field.name for field in dataclasses.fields(config)} == rows.keys()
    for field in dataclasses.fields(config):
        shown = rows[field.name].strip("`")
        if isinstance(field.default, bool):
            assert shown == str(field.default).lower()
        elif isinstance(field.default, int | float):
            assert float(shown) == field.default
        elif isinstance(field.default, str):
            assert shown == field.default
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            assert shown == "required"


@pytest.mark.parametrize("config", [MetricCondition, Plateau, Patience, AdmissionConfig])
def test_every_key_of_a_condition_and_of_admission_is_documented(config: type) -> None:
    page = (ROOT / "docs" / "recipe.md").read_text()
    assert all(re.search(rf"\b{field.name}\b", page) for field in dataclasses.fields(config))


@pytest.mark.parametrize("name", POLICIES)
def test_every_parameter_of_a_policy_is_documented_with_its_default(name: str) -> None:
    page = (ROOT / "docs" / "policies.md").read_text()
    section = re.search(rf"^\| `{name}` \| `.*?(?=^\| `\w+` \| `|\Z)", page, re.DOTALL | re.MULTILINE)
    parameters = [p for p in inspect.signature(POLICIES[name]).parameters.values() if p.name != "pools"]
    if not parameters:
        assert name in ("uniform", "mixture")
        return
    assert section is not None
    for parameter in parameters:
        row = re.search(rf"^\|[^|]*\| `{parameter.name}` \| ([^|]*) \|", section.group(), re.MULTILINE)
        assert row is not None, parameter.name
        if isinstance(parameter.default, float | int):
            assert float(row.group(1)) == parameter.default


def test_every_link_between_pages_leads_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            assert "://" in target or (page.parent / target).exists(), f"{page.name}: {target}"
