"""verl's own default_compute_score, for the data sources that it knows."""

import importlib
from dataclasses import dataclass
from typing import Any

from curriculum_verl.errors import InputError
from curriculum_verl.rewards.scoring import Response, Score
from curriculum_verl.rewards.verifiers.function import as_score

# verl runs the programs of these unguarded when it has no sandbox: the verifier `code` is for them.
CODE_SOURCES = ("codecontests", "apps", "codeforces", "taco")
SOURCES = (
    "openai/gsm8k",
    *("lighteval/MATH", "DigitalLearningGmbH/MATH-lighteval", "HuggingFaceH4/MATH-500"),
    *("math_dapo", "math", "math_dapo_reasoning"),
    *("numina_aops_forum", "numina_synthetic_math", "numina_amc_aime", "numina_synthetic_amc", "numina_cn_k12"),
    "numina_olympiads",
    "hiyouga/geometry3k",
    *("searchR1_nq", "searchR1_triviaqa", "searchR1_popqa", "searchR1_hotpotqa", "searchR1_2wikimultihopqa"),
    *("searchR1_musique", "searchR1_bamboogle"),
)
_PREFIX = "aime"


def knows(data_source: str) -> bool:
    """Whether verl has a scorer of its own for this data source that runs no programs."""
    return data_source in SOURCES or data_source.startswith(_PREFIX)


@dataclass(frozen=True, slots=True)
class VerlVerifier:
    """Scores as a run without a custom reward function would."""

    def prepare(self) -> None:
        """Import verl, which takes seconds."""
        _scorer()

    def score(self, response: Response) -> Score:
        """Verl's score; what verl gives beside it becomes parts."""
        if response.data_source in CODE_SOURCES:
            raise InputError(
                f"verl would run {response.data_source}'s programs without a sandbox; use the verifier 'code'"
            )
        if not knows(response.data_source):
            raise InputError(f"verl has no scorer for the data source {response.data_source!r}; name another verifier")
        if response.ground_truth is None:
            raise InputError("the ground truth is missing")
        return as_score(
            _scorer()(
                data_source=response.data_source,
                solution_str=response.text,
                ground_truth=response.ground_truth,
                extra_info=dict(response.extra),
            )
        )


def _scorer() -> Any:
    return importlib.import_module("verl.utils.reward_score").default_compute_score
