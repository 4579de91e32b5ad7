"""A function that waits for a module."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from curriculum_verl.verl_plugin.importing import when_imported


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    name = "waited_for_by_a_test"
    (tmp_path / f"{name}.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = list(sys.meta_path)
    yield name
    sys.modules.pop(name, None)
    assert sys.meta_path == before, "no finder is left behind"


def test_it_waits_and_sees_the_complete_module(module: str) -> None:
    seen: list[int] = []
    when_imported(module, lambda imported: seen.append(imported.value))
    assert seen == []
    imported = importlib.import_module(module)
    assert seen == [1]
    assert type(imported.__loader__).__module__ != when_imported.__module__, "its own loader is back in its place"
    assert imported.__spec__.loader is imported.__loader__


def test_a_module_that_is_there_is_not_waited_for(module: str) -> None:
    importlib.import_module(module)
    seen: list[int] = []
    when_imported(module, lambda imported: seen.append(imported.value))
    assert seen == [1]


def test_two_can_wait_for_one(module: str) -> None:
    seen: list[str] = []
    when_imported(module, lambda _: seen.append("first"))
    when_imported(module, lambda _: seen.append("second"))
    importlib.import_module(module)
    assert sorted(seen) == ["first", "second"]


def test_a_module_that_imports_itself_in_a_circle_is_complete_when_seen(module: str, tmp_path: Path) -> None:
    (tmp_path / f"{module}.py").write_text("import other_of_a_test\nvalue = 2\n")
    (tmp_path / "other_of_a_test.py").write_text(f"import {module}\n")
    seen: list[int] = []
    when_imported(module, lambda imported: seen.append(imported.value))
    importlib.import_module(module)
    sys.modules.pop("other_of_a_test")
    assert seen == [2]


def test_what_the_function_raises_is_not_swallowed(module: str) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("no")

    when_imported(module, fail)
    with pytest.raises(RuntimeError, match="no"):
        importlib.import_module(module)
