"""From settings to the verifier of R_final: every response goes to the verifier that its task names."""

import dataclasses
import threading
from collections.abc import Callable, Mapping

from curriculum_verl.errors import ConfigError, CurriculumError, InputError, unknown_name
from curriculum_verl.rewards.sandbox.choosing import build_sandbox
from curriculum_verl.rewards.scoring import Component, Response, Score
from curriculum_verl.rewards.verifiers import verl_score
from curriculum_verl.rewards.verifiers.code import CodeVerifier
from curriculum_verl.rewards.verifiers.exact import ExactVerifier
from curriculum_verl.rewards.verifiers.function import FunctionVerifier, load_function
from curriculum_verl.rewards.verifiers.giving_up import GAVE_UP, GivesUp
from curriculum_verl.rewards.verifiers.guarding import failed, guarded
from curriculum_verl.rewards.verifiers.instructions import InstructionsVerifier
from curriculum_verl.rewards.verifiers.mathematics import MathVerifier
from curriculum_verl.rewards.verifiers.numeric import NumericVerifier
from curriculum_verl.rewards.verifiers.reasoning import ReasoningVerifier
from curriculum_verl.rewards.verifiers.settings import FinalSettings
from curriculum_verl.rewards.verifiers.verl_score import VerlVerifier
from curriculum_verl.rewards.verifiers.workers import Isolated, Pool

VERIFIERS: dict[str, Callable[[FinalSettings, Pool], Component]] = {
    "exact": lambda settings, pool: ExactVerifier(settings.ignore_case),
    "numeric": lambda settings, pool: NumericVerifier(settings.numeric),
    "math": lambda settings, pool: GivesUp(Isolated(MathVerifier(), pool)),
    "instructions": lambda settings, pool: GivesUp(
        Isolated(InstructionsVerifier(settings.instructions, settings.partial_credit), pool)
    ),
    "reasoning_gym": lambda settings, pool: GivesUp(Isolated(ReasoningVerifier(), pool)),
    "code": lambda settings, pool: CodeVerifier(build_sandbox(settings.sandbox), settings.partial_credit),
    "verl": lambda settings, pool: GivesUp(Isolated(VerlVerifier(), pool)),
}
STYLES = {name: name for name in VERIFIERS} | {"ifeval": "instructions", "ifbench": "instructions"}
SOURCES = {
    **dict.fromkeys(verl_score.SOURCES, "verl"),
    **dict.fromkeys(verl_score.CODE_SOURCES, "code"),
    **dict.fromkeys(("google/IFEval", "ifeval", "allenai/IFBench_test", "ifbench"), "instructions"),
}
_REASONING = "reasoning_gym"


def build_verifier(settings: FinalSettings) -> Component:
    """The verifier of R_final; ConfigError with all mistakes of the settings, before anything is scored."""
    verifier = FinalVerifier(settings)
    problems = []
    for path, name in _named(settings):
        try:
            verifier.use(name)
        except CurriculumError as error:
            problems.append(f"{path}: {error}")
    if problems:
        raise ConfigError(problems, "final reward")
    return verifier


def _named(settings: FinalSettings) -> list[tuple[str, str]]:
    named = [(f"sources.{source}", name) for source, name in settings.sources.items()]
    named += [(f"styles.{style}", name) for style, name in settings.styles.items()]
    return named if settings.default is None else [*named, ("default", settings.default)]


class FinalVerifier:
    """Scores from any thread, many at once, and never raises; `success` and `gave_up` are parts of every score."""

    def __init__(self, settings: FinalSettings):
        self._settings = settings
        self._pool = Pool(settings.workers)
        self._built: dict[str, Component] = {}
        self._lock = threading.Lock()

    def score(self, response: Response) -> Score:
        """The raw score of the task's verifier, or none with the reason."""
        try:
            verifier = self.use(choose(self._settings, response))
        except CurriculumError as error:
            return failed(str(error))
        except Exception as error:  # the data source or the style may be of any type
            return failed(f"{type(error).__name__}: {error}")
        score = guarded(verifier, response)
        if score.value is None:
            return score
        success = float(score.value >= self._settings.pass_threshold)
        return dataclasses.replace(score, parts={GAVE_UP: 0.0, **score.parts, "success": success})

    def use(self, name: str) -> Component:
        """The verifier of this name, built when it is first asked for; InputError when it cannot be."""
        with self._lock:
            if name not in self._built:
                self._built[name] = self._build(name)
            return self._built[name]

    def _build(self, name: str) -> Component:
        if ":" in name:
            load_function(name)
            return Isolated(FunctionVerifier(name), self._pool)
        if name not in VERIFIERS:
            raise InputError(unknown_name("verifier", name, [*VERIFIERS, "package.module:name", "file.py:name"]))
        return VERIFIERS[name](self._settings, self._pool)

    def close(self) -> None:
        """End the worker processes; those of a verifier that nobody holds any more end by themselves."""
        self._pool.close()


def choose(settings: FinalSettings, response: Response) -> str:
    """The verifier's name: by the settings' sources, their styles, the style, the known data source, the default."""
    lookups: list[tuple[Mapping[str, str], str]] = [
        (settings.sources, response.data_source),
        (settings.styles, response.style),
        (STYLES, response.style),
        (SOURCES, response.data_source),
    ]
    for mapping, key in lookups:
        if key in mapping:
            return mapping[key]
    if response.data_source.startswith(_REASONING):
        return _REASONING
    if verl_score.knows(response.data_source):
        return "verl"
    if settings.default is not None:
        return settings.default
    raise InputError(
        f"no verifier for data source {response.data_source!r} with reward_model.style {response.style!r}; "
        f"name one under sources, styles or default: {', '.join(VERIFIERS)}, package.module:name or file.py:name"
    )
