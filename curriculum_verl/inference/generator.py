"""Generation of many requests at once, one token a step; knows nothing of Ray, asyncio or verl."""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import PreTrainedModel

from curriculum_verl.inference.lanes import Lanes
from curriculum_verl.inference.sampling import Settings, draw
from curriculum_verl.inference.seeding import uniform

REMEMBERED_PROMPTS = 16


@dataclass(slots=True, eq=False)
class Request:
    """One response in the making. `stop_reason` is None until it is finished."""

    prompt: tuple[int, ...]
    settings: Settings
    seed: int
    limit: int
    tokens: list[int] = field(default_factory=list)
    log_probs: list[float] = field(default_factory=list)
    stop_reason: str | None = None

    def random(self) -> float:
        """The number that draws the next token."""
        return uniform(self.seed, len(self.prompt) + len(self.tokens))


class Generator:
    """Requests wait until a lane is free, then get one token a step. Not thread-safe: its owner calls one at a time."""

    def __init__(self, model: PreTrainedModel, stop_tokens: set[int], lanes: int, length: int) -> None:
        self.length = length
        self._lanes = Lanes(model, lanes, length)
        self._stop_tokens = stop_tokens
        self._waiting: deque[Request] = deque()
        self._running: dict[int, Request] = {}
        self._prompts: OrderedDict[tuple[int, ...], tuple[torch.Tensor, Any]] = OrderedDict()

    @property
    def busy(self) -> bool:
        """Whether there is anything to do."""
        return bool(self._waiting or self._running)

    def add(self, request: Request) -> None:
        """Queue a request."""
        self._waiting.append(request)

    def stop_all(self) -> list[Request]:
        """End what has begun, with the tokens that it has; what still waits goes on waiting."""
        stopped = list(self._running.values())
        for lane in list(self._running):
            self._release(lane, "aborted")
        return stopped

    def drop_waiting(self) -> list[Request]:
        """Give back what has not begun."""
        dropped = list(self._waiting)
        self._waiting.clear()
        for request in dropped:
            request.stop_reason = "aborted"
        return dropped

    def forget(self) -> None:
        """Forget the prompts' caches: the weights have changed. Responses in the making keep theirs."""
        self._prompts.clear()

    @torch.inference_mode()
    def step(self) -> list[Request]:
        """One more token for everyone; those that are finished now."""
        finished = self._admit()
        if self._running:
            tokens = [0] * self._lanes.count
            for lane, request in self._running.items():
                tokens[lane] = request.tokens[-1]
            lanes = list(self._running)
            logits = self._lanes.decode(tokens, lanes)
            finished += self._sample(lanes, logits[lanes])
        return finished

    def _admit(self) -> list[Request]:
        """Give the free lanes to those who wait, with the first token of each."""
        lanes, logits = [], []
        free = [lane for lane in range(self._lanes.count) if lane not in self._running]
        while self._waiting and free:
            lane, request = free.pop(0), self._waiting.popleft()
            row, cache = self._prompt(request.prompt)
            self._lanes.fill(lane, cache)
            self._running[lane] = request
            lanes.append(lane)
            logits.append(row)
        return self._sample(lanes, torch.stack(logits)) if lanes else []

    def _prompt(self, prompt: tuple[int, ...]) -> tuple[torch.Tensor, Any]:
        """A prompt's logits and cache; computed once for all samples of a group."""
        if prompt not in self._prompts:
            self._prompts[prompt] = self._lanes.prefill(prompt)
            if len(self._prompts) > REMEMBERED_PROMPTS:
                self._prompts.popitem(last=False)
        return self._prompts[prompt]

    def _sample(self, lanes: list[int], logits: torch.Tensor) -> list[Request]:
        requests = [self._running[lane] for lane in lanes]
        drawn = draw(logits, [r.settings for r in requests], [r.random() for r in requests])
        finished = []
        for lane, request, token, log_prob in zip(lanes, requests, *drawn, strict=True):
            request.tokens.append(token)
            request.log_probs.append(log_prob)
            if token in self._stop_tokens and not request.settings.ignore_eos:
                self._release(lane, "completed")
            elif len(request.tokens) >= request.limit:
                self._release(lane, "length")
            if request.stop_reason:
                finished.append(request)
        return finished

    def _release(self, lane: int, reason: str) -> None:
        self._running.pop(lane).stop_reason = reason
        self._lanes.free(lane)
