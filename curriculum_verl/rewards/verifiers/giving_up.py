"""A verifier that a response overwhelms: the response's fault is told from the task's and the verifier's."""

import dataclasses
import logging

from curriculum_verl.rewards.scoring import Component, Response, Score
from curriculum_verl.rewards.verifiers.guarding import guarded

GAVE_UP = "gave_up"  # the part that says so: 1 or 0

logger = logging.getLogger(__name__)


class GivesUp:
    """Where a response cannot be scored but an empty one to the same task can, the response scores 0.

    Else a policy could end its own run: by answers that take a verifier all its time or memory.
    """

    def __init__(self, verifier: Component):
        self._verifier = verifier

    def score(self, response: Response) -> Score:
        """The verifier's score, or 0 with the part `gave_up`; none where an empty response has none, either."""
        score = guarded(self._verifier, response)
        if score.value is not None or guarded(self._verifier, dataclasses.replace(response, text="")).value is None:
            return score
        logger.warning("a response to a task of %r scores 0: %s", response.data_source, score.failure)
        return Score(0.0, {GAVE_UP: 1.0})
