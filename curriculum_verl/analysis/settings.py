"""How responses are judged, read from a recipe: its scoring block and its pass threshold."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from curriculum_verl.analysis.measuring import Judging
from curriculum_verl.errors import ConfigError, InputError
from curriculum_verl.rewards.scorer import ScoringSettings
from curriculum_verl.schema import Reader


def read_judging(recipe: Path | None, pass_threshold: float | None = None) -> Judging:
    """By the scoring block of a recipe, or of a file that is one; a threshold that is given goes first."""
    if recipe is None:
        return Judging(pass_threshold=Judging().pass_threshold if pass_threshold is None else pass_threshold)
    try:
        raw: Any = yaml.safe_load(recipe.read_text())
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{recipe}: cannot be read: {error}") from error
    threshold: Any = Judging().pass_threshold
    for key in ("curriculum", "scoring"):
        if isinstance(raw, Mapping):
            threshold = raw.get("pass_threshold", threshold)
            raw = raw.get(key, raw)
    if isinstance(raw, Mapping) and "stages" in raw:
        raise InputError(f"{recipe}: has no block `scoring`, expected one that names operations; see docs/rewards.md")
    reader = Reader()
    settings = reader.construct(ScoringSettings, raw, "scoring")
    if not isinstance(threshold, int | float) or isinstance(threshold, bool):
        reader.problems.append(f"pass_threshold: got {threshold!r}, expected a number")
    if reader.problems:
        raise ConfigError(reader.problems, str(recipe))
    return Judging(settings, float(threshold) if pass_threshold is None else pass_threshold)
