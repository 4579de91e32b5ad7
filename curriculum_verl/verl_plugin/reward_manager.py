"""The reward manager: components scored one by one, summed with the weights that came with the prompt."""

import asyncio
import logging
import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from verl import DataProto
from verl.experimental.reward_loop.reward_manager.naive import NaiveRewardManager

from curriculum_verl.curriculum.loading import load_config
from curriculum_verl.preprocessing.original import all_extra
from curriculum_verl.rewards.running import normalised
from curriculum_verl.rewards.scorer import CURIOSITY, FINAL, Scorer
from curriculum_verl.rewards.scoring import Response, Score
from curriculum_verl.verl_plugin.feedback import COMPONENT, FAILURE, SUCCESS, TRACE
from curriculum_verl.verl_plugin.settings import engine_block, plugin_settings, weighed
from curriculum_verl.verl_plugin.tickets import FIELD
from curriculum_verl.verl_plugin.time_limit import THREADS, TimeLimit
from curriculum_verl.verl_plugin.validation import BUCKET

logger = logging.getLogger(__name__)


class CurriculumRewardManager(NaiveRewardManager):
    """Scores every component that a stage weighs; `final` by curriculum.scoring.final, or else as verl's naive manager
    does: by the user's custom_reward_function, or by verl's default.

    A response is weighed by the stage its prompt was drawn in, whatever the run's stage is by now: the weights travel
    with the prompt, and this process needs no state. A component that raises, hangs, or gives no finite number costs
    that response the component; the trainer, who sees every response, ends the run when there are too many.
    """

    def __init__(self, config: Any, tokenizer: Any, compute_score: Any, *args: Any, **kwargs: Any):
        super().__init__(config, tokenizer, compute_score, *args, **kwargs)
        curriculum, settings = load_config({"curriculum": engine_block(config)}), plugin_settings(config)
        self.tokenizer: Any = tokenizer
        names = weighed(curriculum)
        self._pass_threshold = curriculum.pass_threshold
        self._scorer = Scorer(settings.scoring, names, curriculum.components, curriculum.pass_threshold)
        self._curious = CURIOSITY in names
        self._limit = TimeLimit(self.loop, settings.reward_timeout)
        self._verifying = ThreadPoolExecutor(THREADS, thread_name_prefix="final")

    async def run_single(self, data: DataProto) -> dict[str, Any]:
        """The weighted reward of one response, with every raw component, success and bucket as extra values."""
        item = data[-1:][0]
        fields = item.non_tensor_batch
        ticket = ticket_of(fields)
        response = await self.loop.run_in_executor(None, lambda: self._response(item))
        extra: dict[str, Any] = {TRACE: self._scorer.trace(response)} if self._curious else {}
        scores = dict(zip(self._scorer.names, await asyncio.gather(*self._components(response)), strict=True))
        if FINAL not in scores:
            scores[FINAL], more = await self._as_verl(data)
            extra |= more
        final = scores[FINAL].value
        return {
            "reward_score": weigh(scores, ticket["weights"], ticket["scales"]),
            "reward_extra_info": {
                **extra,
                **told(scores),
                SUCCESS: None if final is None else float(final >= self._pass_threshold),
                FAILURE: self._failures(scores, fields),
                BUCKET: ticket["bucket"],
            },
        }

    def _response(self, item: Any) -> Response:
        fields, ids = item.non_tensor_batch, item.batch["responses"]
        length = int(item.batch["attention_mask"][-ids.shape[-1] :].sum())
        model = fields.get("reward_model") or {}
        return Response(
            self.tokenizer.decode(ids[:length], skip_special_tokens=True),
            model.get("ground_truth"),
            fields.get("data_source", ""),
            model.get("style", ""),
            prompt_text(fields.get("raw_prompt", ())),
            all_extra(fields.get("extra_info") or {}),
        )

    def _components(self, response: Response) -> list[Any]:
        """Every component of the scorer, each in a thread and within the limit.

        A verifier has limits of its own, and the wait for its workers is no response's fault: it may take longer.
        """
        return [
            self.loop.run_in_executor(self._verifying, self._scorer.score_one, name, response)
            if name == FINAL
            else self._within_limit(name, response)
            for name in self._scorer.names
        ]

    async def _within_limit(self, name: str, response: Response) -> Score:
        try:
            return await self._limit.run(
                lambda: self.loop.run_in_executor(None, self._scorer.score_one, name, response)
            )
        except TimeoutError as error:
            return Score(None, failure=str(error))

    async def _as_verl(self, data: DataProto) -> tuple[Score, dict[str, Any]]:
        """`final` by verl's naive manager, with the extra values of the user's function."""
        try:
            result = await self._limit.run(lambda: NaiveRewardManager.run_single(self, data))
            score = float(result["reward_score"])
            if not math.isfinite(score):
                raise ValueError(f"gave {score}, expected a finite number")
            return Score(score), dict(result["reward_extra_info"])
        except Exception as error:  # the user's function may fail in any way: it costs one response, not the run
            return Score(None, failure=f"{type(error).__name__}: {error}"), {}

    def _failures(self, scores: Mapping[str, Score], fields: Mapping[str, Any]) -> str:
        """Why components could not be scored, if any; also in the log, with the prompt's id."""
        prompt = (fields.get("extra_info") or {}).get("id", fields.get("index"))
        failures = [f"{n} of prompt {prompt}: {s.failure}" for n, s in scores.items() if s.value is None]
        for failure in failures:
            logger.warning("reward component %s", failure)
        return "; ".join(failures)


def ticket_of(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """What came with the prompt; in validation, where nothing is drawn, `final` alone counts."""
    drawn: Mapping[str, Any] | None = fields.get(FIELD)
    if drawn is not None:
        return drawn
    bucket = (fields.get("extra_info") or {}).get("curriculum_stage")
    return {"weights": {FINAL: 1.0}, "scales": {}, "bucket": bucket}


def weigh(scores: Mapping[str, Score], weights: Mapping[str, float], scales: Mapping[str, list[float]]) -> float:
    """The weighted sum of what could be scored."""
    return math.fsum(
        weights.get(name, 0.0) * normalised(score.value, scales.get(name))
        for name, score in scores.items()
        if score.value is not None
    )


def told(scores: Mapping[str, Score]) -> dict[str, float | None]:
    """Raw values and their parts, by name."""
    found: dict[str, float | None] = {f"{COMPONENT}{name}": score.value for name, score in scores.items()}
    for name, score in scores.items():
        found |= {f"{COMPONENT}{name}/{part}": value for part, value in score.parts.items()}
    return found


def prompt_text(messages: Any) -> str:
    """The text of a prompt's messages; verl may hand them over in one more array."""
    flat = [message for row in messages for message in (row if isinstance(row, list | tuple) else [row])]
    return "\n".join(str(message.get("content", "")) for message in flat if isinstance(message, Mapping))
