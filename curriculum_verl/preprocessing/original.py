"""What the rollouts' own extra_info was: preprocessing keeps it as JSON in `original` of the one that verl gets."""

import json
from collections.abc import Mapping
from typing import Any


def original_extra(extra: Mapping[str, Any]) -> dict[str, Any]:
    """extra_info as the rollouts had it that training data were made of; any other as it is."""
    if "original" not in extra or "curriculum_stage" not in extra:
        return dict(extra)
    try:
        found = json.loads(extra["original"] or "{}")
    except (ValueError, TypeError):  # not written by us, so it is a field like any other
        return dict(extra)
    return found if isinstance(found, dict) else {}


def all_extra(extra: Mapping[str, Any]) -> dict[str, Any]:
    """What verifiers look into: both, of which ours has the last word."""
    return {**original_extra(extra), **extra}
