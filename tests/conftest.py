"""Fixtures for all tests."""

import signal
from collections.abc import Callable, Mapping
from typing import Any

import hypothesis
import msgspec
import numpy as np
import pytest

# A slow machine is no reason for a test to fail.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")


def pytest_runtest_setup() -> None:
    """What is started in the background ignores Ctrl-C, and so would all that a test starts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def through_json() -> Callable[[Any], Any]:
    """What comes back from a state that was saved: plain values through JSON, arrays as copies."""

    def travel(state: Any) -> Any:
        if isinstance(state, np.ndarray):
            return state.copy()
        if isinstance(state, Mapping):
            return {key: travel(value) for key, value in state.items()}
        return msgspec.json.decode(msgspec.json.encode(state))

    return travel


@pytest.fixture
def user_module(tmp_path, monkeypatch) -> Callable[[str, str], str]:
    """Writes a user's own module where it can be imported; returns its name."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name: str, source: str) -> str:
        (tmp_path / f"{name}.py").write_text(source)
        return name

    return write
