"""Finding the answer in a response, in time that grows with its length alone."""

from typing import Any

from curriculum_verl.errors import InputError

_BOX = "\\boxed{"
_OPEN, _CLOSE = "<answer>", "</answer>"
_HASHES = "####"
_EXACT = 2**53  # below it a float that is whole is one whole number


def after_thinking(text: str) -> str:
    """What follows the last closing think tag; nothing when the thinking never ends."""
    _, closed, rest = text.rpartition("</think>")
    if closed:
        return rest.strip()
    return "" if text.lstrip().startswith("<think>") else text.strip()


def marked_answer(text: str) -> str | None:
    """The last answer that is marked as one: <answer>...</answer>, \\boxed{...} or the line after ####."""
    found = [(text.rfind(mark), mark) for mark in (_OPEN, _BOX, _HASHES)]
    place, mark = max(found)
    if place < 0:
        return None
    rest = text[place + len(mark) :]
    if mark == _OPEN:
        return rest.partition(_CLOSE)[0].strip()
    if mark == _BOX:
        return _until_closed(rest).strip()
    return rest.partition("\n")[0].strip()


def _until_closed(text: str) -> str:
    depth = 1
    for position, character in enumerate(text):
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return text[:position]
    return text


def accepted_answers(truth: Any) -> list[Any]:
    """The answers that the ground truth accepts: itself, or each of a list."""
    if hasattr(truth, "tolist"):  # NumPy, as Parquet files are read
        truth = truth.tolist()
    answers = list(truth) if isinstance(truth, list | tuple | set) else [truth]
    answers = [answer for answer in answers if answer is not None and answer != ""]
    if not answers:
        raise InputError("the ground truth is missing")
    return answers


def spellings(answer: Any) -> list[str]:
    """An accepted answer as text; a whole float also as a whole number, which it was before Parquet or pandas."""
    texts = [as_text(answer)]
    if isinstance(answer, float) and answer.is_integer() and abs(answer) < _EXACT:
        texts.append(str(int(answer)))
    return texts


def as_text(answer: Any) -> str:
    """An accepted answer as text; numbers and truth values as Python writes them."""
    if not isinstance(answer, str | int | float):
        raise InputError(f"ground truth: got {type(answer).__name__}, expected text or a number")
    return str(answer)
