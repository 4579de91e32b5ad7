"""All that scores one response by itself, chosen once: shared by reward workers, evaluation and rollout generation.

scorer = Scorer(ScoringSettings(), ["final", "coherence"], pass_threshold=0.5)
scorer.score(Response("...", ground_truth="7"))        # {"final": Score(...), "coherence": Score(...)}
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from curriculum_verl.dotted import load_dotted
from curriculum_verl.errors import ConfigError, CurriculumError
from curriculum_verl.rewards.coherence import Coherence
from curriculum_verl.rewards.curiosity import trace_response
from curriculum_verl.rewards.scoring import Component, Response, Score
from curriculum_verl.rewards.settings import CoherenceSettings, CuriositySettings, Normalisation, Operations
from curriculum_verl.rewards.verifiers.guarding import guarded
from curriculum_verl.rewards.verifiers.registry import build_verifier
from curriculum_verl.rewards.verifiers.settings import FinalSettings

FINAL, COHERENCE, CURIOSITY = "final", "coherence", "curiosity"


@dataclass(frozen=True, slots=True)
class ScoringSettings:
    """How components score. Without `final`, the caller has its own way to score the task.

    `normalise` is by component; `parameters`, by component of the user's own, go to its class.
    """

    final: FinalSettings | None = None
    operations: Operations = field(default_factory=Operations)
    coherence: CoherenceSettings = field(default_factory=CoherenceSettings)
    curiosity: CuriositySettings = field(default_factory=CuriositySettings)
    normalise: dict[str, Normalisation] = field(default_factory=dict)
    parameters: dict[str, dict[str, Any]] = field(default_factory=dict)


class Scorer:
    """Scores every component that is asked for and needs no other response; none of them can raise."""

    def __init__(
        self,
        settings: ScoringSettings,
        names: Iterable[str],
        custom: Mapping[str, str] | None = None,
        pass_threshold: float = 0.5,
    ):
        self._settings = settings
        wanted = list(names)
        custom = {name: path for name, path in (custom or {}).items() if name in wanted}
        built_in: dict[str, Callable[[], Component]] = {
            COHERENCE: lambda: Coherence(settings.coherence, settings.operations)
        }
        if settings.final is not None:
            final = replace(settings.final, pass_threshold=pass_threshold)
            built_in[FINAL] = lambda: build_verifier(final)
        problems: list[str] = []
        self._components: dict[str, Component] = {}
        for name in wanted:
            try:
                if name in built_in:
                    self._components[name] = built_in[name]()
                elif name in custom:
                    self._components[name] = build_component(custom[name], settings.parameters.get(name, {}))
            except CurriculumError as error:
                problems += error.problems if isinstance(error, ConfigError) else [f"{name}: {error}"]
        if problems:
            raise ConfigError(problems, "scoring")

    @property
    def names(self) -> list[str]:
        """The components that are scored here."""
        return list(self._components)

    def score(self, response: Response) -> dict[str, Score]:
        """The raw score of every component."""
        return {name: self.score_one(name, response) for name in self._components}

    def score_one(self, name: str, response: Response) -> Score:
        """The raw score of one component."""
        return guarded(self._components[name], response)

    def trace(self, response: Response) -> str:
        """What curiosity, which judges all responses to a prompt together, needs of this one."""
        return trace_response(response, self._settings.curiosity, self._settings.operations).encode()


def build_component(path: str, parameters: Mapping[str, Any]) -> Component:
    """A component of the user's own: a class with `score`, called with its parameters."""
    try:
        component = load_dotted(path)(**parameters)
    except CurriculumError:
        raise
    except Exception as error:  # the user's constructor may fail in any way
        raise ConfigError([f"{path}: cannot be built: {type(error).__name__}: {error}"], "scoring") from error
    if not callable(getattr(component, "score", None)):
        raise ConfigError([f"{path}: has no method score(response), expected a component"], "scoring")
    built: Component = component
    return built
