"""A prompt's way from a request to its line: responses come, are scored, and perhaps more are asked for."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from curriculum_verl.generation.backend import Generated, Request
from curriculum_verl.generation.data import Reject
from curriculum_verl.generation.job import Job
from curriculum_verl.generation.journal import NOTHING, Entry
from curriculum_verl.generation.prompts import Prompt
from curriculum_verl.generation.refusals import RefusedError
from curriculum_verl.inference.seeding import fold
from curriculum_verl.preprocessing.original import original_extra
from curriculum_verl.rewards.scoring import Score

SOLVED, HOPELESS = "all_right", "all_wrong"
UNSCORED = "unscored"  # why a prompt is a reject


@dataclass(slots=True)
class Progress:
    """What a prompt has by now."""

    position: int
    prompt: Prompt
    responses: list[Generated] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)
    stopped: str | None = None

    def next_request(self, job: Job) -> Request | None:
        """The responses to ask for now, if any are wanted."""
        have = len(self.responses)
        count = job.first if have == 0 and job.first is not None else job.count - have
        if count <= 0 or self.stopped is not None:
            return None
        return Request(
            self.prompt.id,
            self.prompt.messages,
            count,
            fold(job.seed, self.prompt.id),
            first=have,
            tools=self.prompt.tools,
        )

    def take(self, responses: Sequence[Generated], scores: Sequence[Score], job: Job, threshold: float) -> None:
        """Take scored responses, and see whether there is any doubt left."""
        self.responses += responses
        self.scores += scores
        if job.first is not None and len(self.responses) < job.count:
            self.stopped = _agreed([score.value for score in self.scores], threshold)

    @property
    def failure(self) -> str | None:
        """Why there is not a single score."""
        return None if any(score.value is not None for score in self.scores) else self.scores[0].failure

    def entry(self, job: Job) -> Entry:
        """The finished prompt; without a single score it is a reject, since it would be nobody's rollout."""
        counted = [response.tokens for response in self.responses if response.tokens is not None]
        unscored = sum(score.value is None for score in self.scores)
        left = job.count - len(self.responses)
        nothing = unscored == len(self.scores)
        content = msgspec.Raw(msgspec.json.encode(self._reject() if nothing else self._line(job)))
        return Entry(
            position=self.position,
            responses=len(self.responses),
            tokens=sum(counted),
            uncounted=len(self.responses) - len(counted),
            filtered=sum(response.finish == "content_filter" for response in self.responses),
            unscored=unscored,
            stopped=self.stopped,
            saved_responses=left,
            saved_tokens=round(left * sum(counted) / len(counted)) if counted else 0,
            line=NOTHING if nothing else content,
            reject=content if nothing else NOTHING,
        )

    def _line(self, job: Job) -> dict[str, Any]:
        """The rollout, as bucketing reads it."""
        prompt = self.prompt
        scored = [pair for pair in zip(self.responses, self.scores, strict=True) if pair[1].value is not None]
        line: dict[str, Any] = {
            "id": prompt.id,
            "prompt": prompt.messages,
            "response": [response.text for response, _ in scored],
            "reward": [score.value for _, score in scored],
            "ground_truth": prompt.truth,
            "data_source": prompt.data_source,
            "extra_info": original_extra(prompt.extra),
            "tokens": [response.tokens for response, _ in scored],
            "finish": [response.finish for response, _ in scored],
            "responses_asked": job.count,
            "responses_made": len(self.responses),
            "stopped_early": self.stopped,
        }
        if prompt.ability is not None:
            line["ability"] = prompt.ability
        if len(scored) < len(self.responses):
            line["unscored"] = [
                {"number": number, "reason": score.failure, "response": response.text}
                for number, (response, score) in enumerate(zip(self.responses, self.scores, strict=True))
                if score.value is None
            ]
        return line

    def _reject(self) -> Reject:
        reason = f"none of {len(self.scores)} responses could be scored: {self.scores[0].failure}"
        texts = [response.text for response in self.responses]
        return Reject(*self.prompt.place, UNSCORED, reason, id=self.prompt.id, responses=texts)


def refused(position: int, prompt: Prompt, error: RefusedError) -> Entry:
    """The entry of a prompt that could not be answered."""
    reject = Reject(*prompt.place, error.kind, error.reason, id=prompt.id)
    return Entry(position, reject=msgspec.Raw(msgspec.json.encode(reject)))


def _agreed(values: Sequence[float | None], threshold: float) -> str | None:
    """Whether all responses are right, or all are wrong; where one has no score, nobody knows."""
    passed = {None if value is None else value >= threshold for value in values}
    return SOLVED if passed == {True} else HOPELESS if passed == {False} else None
