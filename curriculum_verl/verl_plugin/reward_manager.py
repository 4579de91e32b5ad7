"""The reward manager: components scored one by one, summed with the weights that came with the prompt."""

import logging
import math
from collections.abc import Mapping
from typing import Any

from verl import DataProto
from verl.experimental.reward_loop.reward_manager.naive import NaiveRewardManager

from curriculum_verl.verl_plugin.feedback import COMPONENT, FAILURE, SUCCESS
from curriculum_verl.verl_plugin.settings import engine_block, plugin_settings
from curriculum_verl.verl_plugin.tickets import FIELD
from curriculum_verl.verl_plugin.time_limit import TimeLimit
from curriculum_verl.verl_plugin.validation import BUCKET

logger = logging.getLogger(__name__)

FINAL = "final"


class CurriculumRewardManager(NaiveRewardManager):
    """Scores `final` as verl's naive manager does: by the user's custom_reward_function, or by verl's default.

    A response is weighed by the stage its prompt was drawn in, whatever the run's stage is by now: the weights travel
    with the prompt, and this process needs no state. A component that raises, hangs, or gives no finite number costs
    that response the component; the trainer, who sees every response, ends the run when there are too many.
    """

    def __init__(self, config: Any, tokenizer: Any, compute_score: Any, *args: Any, **kwargs: Any):
        super().__init__(config, tokenizer, compute_score, *args, **kwargs)
        self._pass_threshold = float(engine_block(config).get("pass_threshold", 0.5))
        self._limit = TimeLimit(self.loop, plugin_settings(config).reward_timeout)

    async def run_single(self, data: DataProto) -> dict[str, Any]:
        """The weighted reward of one response, with every raw component, success and bucket as extra values."""
        fields = data[-1:][0].non_tensor_batch
        weights, bucket = origin(fields)
        failures: list[str] = []
        raw, extra = await self._final(data, fields, failures)
        components = {FINAL: raw}
        return {
            "reward_score": weigh(components, weights),
            "reward_extra_info": {
                **extra,
                **{f"{COMPONENT}{name}": value for name, value in components.items()},
                SUCCESS: None if raw is None else float(raw >= self._pass_threshold),
                FAILURE: "; ".join(failures),
                BUCKET: bucket,
            },
        }

    async def _final(
        self, data: DataProto, fields: Mapping[str, Any], failures: list[str]
    ) -> tuple[float | None, dict[str, Any]]:
        try:
            result = await self._limit.run(lambda: NaiveRewardManager.run_single(self, data))
            score = float(result["reward_score"])
            if not math.isfinite(score):
                raise ValueError(f"gave {score}, expected a finite number")
            return score, dict(result["reward_extra_info"])
        except Exception as error:  # the user's function may fail in any way: it costs one response, not the run
            prompt = (fields.get("extra_info") or {}).get("id", fields.get("index"))
            failures.append(f"{FINAL} of prompt {prompt}: {type(error).__name__}: {error}")
            logger.warning("reward component %s", failures[-1])
            return None, {}


def origin(fields: Mapping[str, Any]) -> tuple[Mapping[str, float], str | None]:
    """The weights by which a response is scored, and its bucket: its ticket's, or in validation `final` alone."""
    ticket = fields.get(FIELD)
    if ticket is not None:
        return ticket["weights"], ticket["bucket"]
    return {FINAL: 1.0}, (fields.get("extra_info") or {}).get("curriculum_stage")


def weigh(components: Mapping[str, float | None], weights: Mapping[str, float]) -> float:
    """The weighted sum of what could be scored."""
    return math.fsum(weights.get(name, 0.0) * value for name, value in components.items() if value is not None)
