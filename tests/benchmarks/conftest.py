"""Modules of the benchmarks, imported as the scripts do it."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Import a module by its name in this folder; nothing of it stays for other tests."""
    monkeypatch.syspath_prepend(str(HERE))
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(f"{HERE}/"):
            del sys.modules[name]


@pytest.fixture
def learning(load: Callable[[str], ModuleType]) -> Callable[[str], ModuleType]:
    """Import a module of the package of the benchmark of learning."""
    return lambda name: load(f"learning.{name}")


@pytest.fixture
def made_up(learning: Callable[[str], ModuleType]) -> Callable[..., object]:
    """The curve of a run that has these accuracies after so many tokens each, in both of its buckets."""

    def made(*accuracy: float, every: int = 100) -> object:
        steps = list(range(len(accuracy)))
        return learning("curves").Curve(
            steps=[10 * step for step in steps],
            tokens=[float(every * step) for step in steps],
            seconds=[float(step) for step in steps],
            accuracy={"one": list(accuracy), "two": list(accuracy)},
            informative=0.5,
        )

    return made
