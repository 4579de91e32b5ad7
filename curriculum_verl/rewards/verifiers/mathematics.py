"""Mathematics: math-verify compares what the expressions mean, not how they are written."""

import logging
from dataclasses import dataclass
from typing import Any

from curriculum_verl.errors import InputError
from curriculum_verl.rewards.scoring import Response, Score
from curriculum_verl.rewards.verifiers.answers import accepted_answers, after_thinking, as_text, marked_answer
from curriculum_verl.rewards.verifiers.libraries import optional

_LONGEST = 2_000  # characters of a marked answer that is looked at by itself
_TAIL = 20_000  # characters at the end of a response in which math-verify looks for the answer


@dataclass(frozen=True, slots=True)
class MathVerifier:
    """Runs in a worker process, whose time limit stands for math-verify's own: signals, which only main threads get.

    SymPy reads expressions with `eval`: one more reason for a process of its own.
    """

    def prepare(self) -> None:
        """Load math-verify, and let it warn of the limits that are off once, unheard."""
        library = optional("math_verify")
        logging.getLogger("math_verify").setLevel(logging.CRITICAL)
        library.verify(*[library.parse("$1$", parsing_timeout=None)] * 2, timeout_seconds=None)

    def score(self, response: Response) -> Score:
        """1 when the answer equals an accepted one, else 0."""
        library = optional("math_verify")
        accepted = [_read_truth(as_text(answer)) for answer in accepted_answers(response.ground_truth)]
        text = after_thinking(response.text)
        marked = marked_answer(text)
        found = _read(f"\\boxed{{{marked}}}") if marked and len(marked) <= _LONGEST else []
        found = found or _read(text[-_TAIL:])
        right = any(library.verify(truth, found, timeout_seconds=None) for truth in accepted if found)
        return Score(float(right), {"marked": float(marked is not None), "found": float(bool(found))})


def _read_truth(text: str) -> list[Any]:
    text = text.strip()
    marked = marked_answer(text)
    text = text if marked is None else marked
    forms = [text] if "$" in text else [f"${text}$", text]
    for form in forms:
        expressions = _read(form)
        if expressions:
            return expressions
    raise InputError(f"ground truth: got {text[:60]!r}, which math-verify cannot read")


def _read(text: str) -> list[Any]:
    expressions: list[Any] = optional("math_verify").parse(text, parsing_timeout=None)
    return expressions
