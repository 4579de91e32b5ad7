"""Instruction following: the checkers of IFEval and IFBench, each instruction scored strictly and loosely."""

import functools
import logging
import sys
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

from curriculum_verl.errors import InputError
from curriculum_verl.rewards.scoring import Response, Score
from curriculum_verl.rewards.verifiers import language_data
from curriculum_verl.rewards.verifiers.answers import after_thinking
from curriculum_verl.rewards.verifiers.data import from_json, mapping_in, plain, unknown_of_many
from curriculum_verl.rewards.verifiers.libraries import optional

_IDS, _ARGUMENTS = "instruction_id_list", "kwargs"


@dataclass(frozen=True, slots=True)
class InstructionsVerifier:
    """The share of instructions followed or, without partial credit, whether all are.

    Loosely, an instruction is followed when it is without the first line, the last, or the asterisks.
    """

    mode: Literal["strict", "loose"] = "strict"
    partial_credit: bool = False

    def prepare(self) -> None:
        """Load the checkers."""
        _checkers()

    def score(self, response: Response) -> Score:
        """One part for each instruction and mode, and the shares."""
        wanted = list(_instructions(response))
        checkers = [(name, _build(name, arguments)) for name, arguments in wanted]
        text = after_thinking(response.text)
        variants = set(optional("if_verifiable.common").get_loose_transformations(text)) - {text}
        parts: dict[str, float] = {}
        for number, (name, checker) in enumerate(checkers):
            label = f"{name}#{number}" if f"strict/{name}" in parts else name
            strict = _follows(checker, text)
            parts[f"strict/{label}"] = float(strict)
            parts[f"loose/{label}"] = float(strict or any(_follows(checker, variant) for variant in variants))
        shares = {
            mode: sum(value for name, value in parts.items() if name.startswith(f"{mode}/")) / len(checkers)
            for mode in ("strict", "loose")
        }
        value = shares[self.mode]
        return Score(value if self.partial_credit else float(value == 1), {**parts, **shares})


def _instructions(response: Response) -> Iterator[tuple[str, dict[str, Any]]]:
    """The names with their arguments: from the ground truth, or from extra_info where it holds them."""
    source: Any = response.extra if _IDS in response.extra else response.ground_truth
    example = f"{{{_IDS}: [...], {_ARGUMENTS}: [...]}}"
    if source is None:
        raise InputError(f"the ground truth is missing, expected {example}")
    task = mapping_in(source, "ground truth", example)
    names = plain(from_json(task.get(_IDS), _IDS))
    arguments = plain(from_json(task.get(_ARGUMENTS), _ARGUMENTS))
    if not isinstance(names, list) or not names:
        raise InputError(f"{_IDS}: got {names!r}, expected a list of instructions")
    arguments = [{}] * len(names) if arguments is None else arguments
    if not isinstance(arguments, list) or len(arguments) != len(names):
        raise InputError(f"{_ARGUMENTS}: got {str(arguments)[:60]}, expected a list of {len(names)} mappings")
    for name, given in zip(names, arguments, strict=True):
        if given is not None and not isinstance(given, Mapping):
            raise InputError(f"{_ARGUMENTS} of {name}: got {type(given).__name__}, expected a mapping")
        yield str(name), {key: value for key, value in (given or {}).items() if value is not None}


def _build(name: str, arguments: dict[str, Any]) -> Any:
    known = _checkers()
    if name not in known:
        raise InputError(unknown_of_many("instruction of IFEval and IFBench", name, known))
    checker = known[name](name)
    try:
        checker.build_description(**arguments)
    except InputError as error:
        raise InputError(f"instruction {name}: got {arguments}, which leaves a value to chance") from error
    except Exception as error:  # the checkers do not look at what they are given
        raise InputError(f"instruction {name}: got {arguments}: {type(error).__name__}: {error}") from error
    return checker


def _follows(checker: Any, text: str) -> bool:
    """An empty text follows nothing; neither does one that the checker stumbles over."""
    try:
        return bool(text.strip() and checker.check_following(text))
    except (ValueError, TypeError, LookupError, AttributeError, AssertionError, ArithmeticError, RecursionError):
        return False
    except Exception as error:
        if type(error).__module__ in ("_csv", "re", "langdetect.lang_detect_exception"):
            return False
        raise


class _NoChance:
    """In place of the module `random` in the checkers: a value that the task lacks must not be made up."""

    def __getattr__(self, name: str) -> Any:
        raise InputError("a value is missing")


@functools.cache
def _checkers() -> dict[str, Any]:
    """All checkers by name, deterministic and without a download."""
    _skip_package_init("if_verifiable")
    language_data.forbid_downloads()
    known: dict[str, Any] = {}
    for benchmark in ("ifeval", "ifbench"):
        utilities = optional(f"if_verifiable.{benchmark}.instructions_util")
        checkers = optional(f"if_verifiable.{benchmark}.instructions")
        language_data.install(utilities)
        utilities.random = checkers.random = _NoChance()
        known |= optional(f"if_verifiable.{benchmark}.instructions_registry").INSTRUCTION_DICT
    optional("langdetect").DetectorFactory.seed = 0
    logging.getLogger().setLevel(logging.CRITICAL)  # the checkers log whole responses
    return known


def _skip_package_init(name: str) -> None:
    """The package's own __init__ loads the library `datasets`, which no checker needs."""
    spec = find_spec(name)
    if name in sys.modules or spec is None or spec.submodule_search_locations is None:
        return
    package = types.ModuleType(name)
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules[name] = package
