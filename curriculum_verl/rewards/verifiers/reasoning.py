"""Tasks of reasoning-gym, scored by the scorers that come with their generators."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from curriculum_verl.errors import InputError
from curriculum_verl.rewards.scoring import Response, Score
from curriculum_verl.rewards.verifiers.answers import after_thinking, marked_answer
from curriculum_verl.rewards.verifiers.data import from_json, mapping_in, unknown_of_many
from curriculum_verl.rewards.verifiers.libraries import optional

_NO_REFERENCE = "reasoning-gym 0.1.25 gives no reference answer for it, so that nothing shows that its scores are right"
REFUSED = {
    "boxnet": _NO_REFERENCE,
    "graph_color": _NO_REFERENCE,
    "propositional_logic": _NO_REFERENCE,
    "rubiks_cube": _NO_REFERENCE,
    "rush_hour": _NO_REFERENCE,
    "composite": "it is a mix; name the task that an entry comes from",
}
_BOARDS = ("arc_agi", "rearc")  # compare tuples, which JSON and Parquet turn into lists
_SOURCE = "reasoning_gym/"


@dataclass(frozen=True, slots=True)
class ReasoningVerifier:
    """The ground truth is the generator's entry, as a mapping or JSON; or its answer, with `metadata` in extra_info."""

    def prepare(self) -> None:
        """Load all generators."""
        optional("reasoning_gym")

    def score(self, response: Response) -> Score:
        """The scorer's own value; an answer that the scorer stumbles over is 0."""
        task, entry = _entry(response)
        scorer = _scorer(task)
        text = after_thinking(response.text)
        marked = marked_answer(text)
        answer = text if marked is None else marked
        parts = {"marked": float(marked is not None)}
        try:
            return Score(float(scorer(answer, entry)), parts)
        except Exception as error:  # some scorers expect an answer that can be read
            if _reference_passes(scorer, entry):
                return Score(0.0, parts)
            reason = f"{type(error).__name__}: {error}"
            raise InputError(f"reasoning-gym's {task} cannot score its own reference answer: {reason}") from error


def _entry(response: Response) -> tuple[str, dict[str, Any]]:
    truth = response.ground_truth
    if isinstance(truth, str) and truth.lstrip().startswith("{"):
        truth = from_json(truth, "ground truth")
    whole = isinstance(truth, Mapping) and "metadata" in truth
    entry = dict(truth) if whole else {"answer": truth, "metadata": response.extra.get("metadata")}
    if entry.get("answer") is None:
        raise InputError("the ground truth is missing, expected an entry of reasoning-gym or its answer")
    metadata = dict(mapping_in(entry["metadata"], "metadata", "the entry's metadata, as a mapping or as JSON"))
    entry["metadata"] = metadata
    entry.setdefault("question", response.prompt)
    named = response.data_source.removeprefix(_SOURCE) if response.data_source.startswith(_SOURCE) else None
    task = metadata.get("source_dataset") or response.extra.get("task") or named
    if not isinstance(task, str):
        raise InputError(f"reasoning-gym: the task has no name, expected metadata.source_dataset or {_SOURCE}NAME")
    if task in _BOARDS:
        entry["metadata"] = _tuples(metadata)
    return task, entry


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value


@functools.cache
def _scorer(task: str) -> Any:
    if task in REFUSED:
        raise InputError(f"reasoning-gym's {task} is refused: {REFUSED[task]}")
    known = optional("reasoning_gym.factory").DATASETS
    if task not in known:
        raise InputError(unknown_of_many("task of reasoning-gym", task, set(known) - set(REFUSED)))
    return optional("reasoning_gym").get_score_answer_fn(task)


def _reference_passes(scorer: Any, entry: dict[str, Any]) -> bool:
    try:
        return float(scorer(entry["answer"], entry)) == 1
    except Exception:  # then the entry is broken, which the caller says
        return False
