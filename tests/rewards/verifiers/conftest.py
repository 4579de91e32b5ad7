"""One verifier with warm workers for all tests: starting a worker takes most of a second."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from curriculum_verl.rewards.scoring import Response, Score
from curriculum_verl.rewards.verifiers.registry import FinalVerifier, build_verifier
from curriculum_verl.rewards.verifiers.settings import FinalSettings, WorkerSettings

Scorer = Callable[..., Score]


@pytest.fixture(scope="session")
def final() -> Iterator[FinalVerifier]:
    verifier = build_verifier(FinalSettings(partial_credit=True, workers=WorkerSettings(seconds=60)))
    yield verifier
    verifier.close()


@pytest.fixture(scope="session")
def score(final) -> Scorer:
    """Scores a text against a ground truth, in a style."""

    def score_text(style: str, text: Any, truth: Any, **fields: Any) -> Score:
        return final.score(Response(text, truth, style=style, **fields))

    return score_text
