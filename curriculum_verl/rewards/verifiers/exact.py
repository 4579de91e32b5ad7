"""Exact match: the marked answer, or the whole response, is one of the accepted answers."""

import unicodedata
from dataclasses import dataclass

from curriculum_verl.rewards.scoring import Response, Score
from curriculum_verl.rewards.verifiers.answers import accepted_answers, after_thinking, marked_answer, spellings


@dataclass(frozen=True, slots=True)
class ExactVerifier:
    """White space, quotes around the answer and a full stop after it do not count."""

    ignore_case: bool = True

    def score(self, response: Response) -> Score:
        """1 for an accepted answer, else 0."""
        answers = accepted_answers(response.ground_truth)
        accepted = {self._normal(text) for answer in answers for text in spellings(answer)}
        text = after_thinking(response.text)
        marked = marked_answer(text)
        answer = self._normal(text if marked is None else marked)
        return Score(float(answer in accepted), {"marked": float(marked is not None)})

    def _normal(self, text: str) -> str:
        text = " ".join(unicodedata.normalize("NFKC", text).split()).strip("\"'`").removesuffix(".")
        return text.casefold() if self.ignore_case else text
