"""Scores of responses by the verifiers: chosen by the task, or one for all."""

import hashlib
import importlib.util
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from curriculum_verl.errors import ConfigError, InputError
from curriculum_verl.generation.facts import versions
from curriculum_verl.generation.prompts import Prompt
from curriculum_verl.preprocessing.original import all_extra
from curriculum_verl.rewards.scorer import ScoringSettings
from curriculum_verl.rewards.scoring import Response, Score
from curriculum_verl.rewards.verifiers.answers import accepted_answers
from curriculum_verl.rewards.verifiers.guarding import guarded
from curriculum_verl.rewards.verifiers.registry import FinalVerifier, build_verifier, choose
from curriculum_verl.rewards.verifiers.settings import FinalSettings
from curriculum_verl.schema import Reader

TRUTHLESS = ("instructions",)  # verifiers that may take what they need from elsewhere than the ground truth
LIBRARIES = ("if-verifiable", "math-verify", "reasoning-gym", "verl")


@dataclass(frozen=True, slots=True)
class Scoring:
    """`verifier` scores every response; without it, `final` says which verifier is for which task."""

    final: FinalSettings = field(default_factory=FinalSettings)
    verifier: str | None = None

    def facts(self) -> dict[str, Any]:
        """Plain data that says how scores came about, with versions and hashes of the user's own functions."""
        named = {*self.final.sources.values(), *self.final.styles.values(), self.final.default, self.verifier}
        functions = sorted(name for name in named if name is not None and ":" in name)
        return {
            "verifier": self.verifier,
            "final": asdict(self.final),
            "versions": {**versions(LIBRARIES), **{name: _source_hash(name) for name in functions}},
        }


class Judge:
    """Scores from any thread; a response that no verifier can score has none, and the reason."""

    def __init__(self, scoring: Scoring):
        self._forced, self._final = scoring.verifier, scoring.final
        verifier = build_verifier(scoring.final)
        assert isinstance(verifier, FinalVerifier)
        self._verifier = verifier
        self.threshold = scoring.final.pass_threshold
        if scoring.verifier is not None:
            self._verifier.use(scoring.verifier)  # an error now, if it is none

    def score(self, prompt: Prompt, text: str) -> Score:
        """What a response is worth."""
        verifier = self._verifier if self._forced is None else self._verifier.use(self._forced)
        return guarded(verifier, _response(prompt, text))

    def problem(self, prompt: Prompt) -> str | None:
        """Why no response to the prompt can have a score, as far as that shows before there is one."""
        try:
            name = self._forced or choose(self._final, _response(prompt, ""))
            if ":" not in name and name not in TRUTHLESS:  # a user's own function may do without
                accepted_answers(prompt.ground_truth)
        except InputError as error:
            return str(error)
        return None

    def close(self) -> None:
        """End the verifiers' processes."""
        self._verifier.close()


def _response(prompt: Prompt, text: str) -> Response:
    return Response(text, prompt.ground_truth, prompt.data_source, prompt.style, prompt.text, all_extra(prompt.extra))


def check_scoring(scoring: Scoring) -> None:
    """An error now if a verifier that the settings name cannot be had."""
    with closing(Judge(scoring)):
        pass


def read_scoring(path: Path) -> FinalSettings:
    """`final` of the scoring block in a YAML file: of a recipe, or by itself."""
    try:
        raw = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    for key in ("curriculum", "scoring"):
        if isinstance(raw, Mapping) and key in raw:
            raw = raw[key]
    reader = Reader()
    settings = reader.construct(ScoringSettings, raw, "scoring")
    if reader.problems:
        raise ConfigError(reader.problems, str(path))
    assert isinstance(settings, ScoringSettings)
    if settings.final is None:
        raise InputError(f"{path}: scoring has no `final`, expected it to say which verifier scores what")
    return settings.final


def _source_hash(name: str) -> str | None:
    """Of the file that a user's function stands in."""
    module = name.rpartition(":")[0]
    path = Path(module)
    if not path.suffix:
        found = importlib.util.find_spec(module)
        path = Path(found.origin) if found is not None and found.origin else path
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}" if path.is_file() else None
