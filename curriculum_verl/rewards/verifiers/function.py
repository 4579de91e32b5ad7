"""A user's own function as a verifier."""

import functools
import importlib.util
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curriculum_verl.dotted import load_dotted
from curriculum_verl.errors import InputError
from curriculum_verl.rewards.scoring import Response, Score

_VERL_STYLE = "solution_str"


@dataclass(frozen=True, slots=True)
class FunctionVerifier:
    """The function takes a Response, or verl's data_source, solution_str, ground_truth and extra_info.

    It gives a number, a mapping with `score` and other numbers, or a Score.
    """

    path: str

    def prepare(self) -> None:
        """Import the user's module."""
        load_function(self.path)

    def score(self, response: Response) -> Score:
        """What the function gives."""
        function = load_function(self.path)
        if not _takes_verl_arguments(function):
            return as_score(function(response))
        return as_score(
            function(
                data_source=response.data_source,
                solution_str=response.text,
                ground_truth=response.ground_truth,
                extra_info=dict(response.extra),
            )
        )


@functools.cache
def load_function(path: str) -> Callable[..., Any]:
    """The callable at package.module:name, or at file.py:name."""
    source, _, name = path.rpartition(":")
    return _from_file(path, Path(source), name) if source.endswith(".py") else load_dotted(path)


def _from_file(path: str, source: Path, name: str) -> Callable[..., Any]:
    if not source.is_file():
        raise InputError(f"{path}: there is no file {source}; expected file.py:name")
    spec = importlib.util.spec_from_file_location(f"user_verifier_{source.stem}", source)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        found = getattr(module, name)
    except (Exception, SystemExit) as error:  # this runs the user's module, which may fail in any way
        raise InputError(
            f"{path}: cannot be imported ({type(error).__name__}: {error}); expected file.py:name"
        ) from error
    if not callable(found):
        raise InputError(f"{path}: got {type(found).__name__}, expected something that can be called")
    loaded: Callable[..., Any] = found
    return loaded


def _takes_verl_arguments(function: Callable[..., Any]) -> bool:
    try:
        return _VERL_STYLE in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False


def as_score(result: Any) -> Score:
    """What a function of a user, or of verl, gave: a number, a mapping with `score`, or a Score."""
    if isinstance(result, Score):
        return result
    if isinstance(result, Mapping):
        if "score" not in result:
            raise InputError(f"the function gave a mapping with {sorted(map(str, result))}, expected the key 'score'")
        parts = {str(name): value for name, value in result.items() if name != "score"}
        numbers = {name: float(value) for name, value in parts.items() if isinstance(value, int | float)}
        return Score(result["score"], numbers)
    if result is None:
        raise InputError("the function gave nothing, expected a number")
    return Score(float(result))
