"""The reward manager: components scored one by one, summed with the weights that came with the prompt."""

import logging
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from verl import DataProto
from verl.experimental.reward_loop.reward_manager.naive import NaiveRewardManager

from curriculum_verl.errors import CurriculumError
from curriculum_verl.verl_plugin.feedback import COMPONENT, SUCCESS
from curriculum_verl.verl_plugin.settings import split_block
from curriculum_verl.verl_plugin.tickets import FIELD
from curriculum_verl.verl_plugin.validation import BUCKET

logger = logging.getLogger(__name__)

FINAL = "final"
FAILED = "reward_failed"  # how many components of this response could not be scored
LEAST_SCORED = 50  # responses after which the share of failures can end the run


class CurriculumRewardManager(NaiveRewardManager):
    """Scores `final` as verl's naive manager does: by the user's custom_reward_function, or by verl's default.

    A response is weighed by the stage its prompt was drawn in, whatever the run's stage is by now: the weights travel
    with the prompt, and this process needs no state. A component that raises, or gives no finite number, costs that
    response the component; beyond a share of failures the run ends.
    """

    def __init__(self, config: Any, tokenizer: Any, compute_score: Any, *args: Any, **kwargs: Any):
        super().__init__(config, tokenizer, compute_score, *args, **kwargs)
        block, settings = split_block(config)
        self._most_failures = settings.most_reward_failures
        self._pass_threshold = float(block.get("pass_threshold", 0.5))
        self._counts: Counter[str] = Counter()

    async def run_single(self, data: DataProto) -> dict[str, Any]:
        """The weighted reward of one response, with every raw component, success and bucket as extra values."""
        fields = data[-1:][0].non_tensor_batch
        weights, bucket = origin(fields)
        raw, extra = await self._final(data, fields)
        components = {FINAL: raw}
        return {
            "reward_score": weigh(components, weights),
            "reward_extra_info": {
                **extra,
                **{f"{COMPONENT}{name}": value for name, value in components.items()},
                SUCCESS: float(raw is not None and raw >= self._pass_threshold),
                FAILED: float(sum(value is None for value in components.values())),
                BUCKET: bucket,
            },
        }

    async def _final(self, data: DataProto, fields: Mapping[str, Any]) -> tuple[float | None, dict[str, Any]]:
        self._counts["scored"] += 1
        try:
            result = await super().run_single(data)
            score = float(result["reward_score"])
            if not math.isfinite(score):
                raise ValueError(f"gave {score}, expected a finite number")
            return score, dict(result["reward_extra_info"])
        except Exception as error:  # the user's function may fail in any way: it costs one response, not the run
            self._failed(FINAL, fields, error)
            return None, {}

    def _failed(self, name: str, fields: Mapping[str, Any], error: Exception) -> None:
        self._counts["failed"] += 1
        prompt = (fields.get("extra_info") or {}).get("id", fields.get("index"))
        reason = f"{type(error).__name__}: {error}"
        logger.warning("reward component %s of prompt %s: %s", name, prompt, reason)
        scored, failed = self._counts["scored"], self._counts["failed"]
        if scored >= LEAST_SCORED and failed > self._most_failures * scored:
            raise CurriculumError(
                f"reward component {name} failed for {failed} of {scored} responses, expected at most "
                f"{self._most_failures:.0%}; the last: {reason}; mend the reward function, or raise "
                "curriculum.most_reward_failures"
            ) from error


def origin(fields: Mapping[str, Any]) -> tuple[Mapping[str, float], str | None]:
    """The weights by which a response is scored, and its bucket: its ticket's, or in validation `final` alone."""
    ticket = fields.get(FIELD)
    if ticket is not None:
        return ticket["weights"], ticket["bucket"]
    return {FINAL: 1.0}, (fields.get("extra_info") or {}).get("curriculum_stage")


def weigh(components: Mapping[str, float | None], weights: Mapping[str, float]) -> float:
    """The weighted sum of what could be scored."""
    return math.fsum(weights.get(name, 0.0) * value for name, value in components.items() if value is not None)
