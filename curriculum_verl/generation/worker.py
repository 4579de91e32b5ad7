"""One worker: its share of the prompts through a backend and the verifiers, into a journal of its own."""

import itertools
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from curriculum_verl.errors import InputError
from curriculum_verl.generation.backend import Generated, Request
from curriculum_verl.generation.building import build_backend
from curriculum_verl.generation.data import read_prompts
from curriculum_verl.generation.job import Job
from curriculum_verl.generation.journal import Journal, finished
from curriculum_verl.generation.judging import Judge
from curriculum_verl.generation.prompts import Prompt
from curriculum_verl.generation.refusals import Refusals, RefusedError
from curriculum_verl.generation.rounds import Progress, refused
from curriculum_verl.rewards.scoring import Score

SCORERS = 4  # threads; most verifiers wait for a process of theirs
UNSCORED = 256  # requests whose scores are waited for at most


@dataclass(frozen=True, slots=True)
class Work:
    """The share of one worker; `gpus` is what it may see of them, if that has to be said."""

    job: Job
    state: Path
    positions: range
    number: int = 0
    of: int = 1
    gpus: str | None = None

    def prompts(self, done: Sequence[int] | dict[int, object]) -> Iterator[tuple[int, Prompt]]:
        """Its prompts that are not done yet, with their positions."""
        for position, prompt in enumerate(read_prompts(self.job.data)):
            if position >= self.positions.stop:
                return
            if position in self.positions and position % self.of == self.number and position not in done:
                yield position, prompt


def run_worker(work: Work) -> None:
    """Do a share; what an earlier attempt has finished is kept."""
    if work.gpus is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = work.gpus
    prompts = work.prompts(dict.fromkeys(finished(work.state)))
    first = next(prompts, None)
    if first is None:
        return
    try:
        _do(work, first, prompts)
    except RefusedError as error:
        raise InputError(f"{error}; --on-invalid reject puts such prompts into the rejects") from error


def _do(work: Work, first: tuple[int, Prompt], rest: Iterator[tuple[int, Prompt]]) -> None:
    with (
        closing(Judge(work.job.scoring)) as judge,
        closing(build_backend(work.job.backend)) as backend,
        closing(Journal(work.state)) as journal,
        ThreadPoolExecutor(SCORERS) as pool,
    ):
        sampler = _Sampler(work.job, judge, journal, pool, itertools.chain([first], rest))
        while sampler.busy:
            for request, responses in backend.sample(sampler.requests(), work.job.sampling):
                sampler.take(request, responses, backend)
            sampler.settle(everything=True)


class _Sampler:
    """Asks for responses, hands them to the verifiers, and writes down the prompts that are finished."""

    def __init__(
        self,
        job: Job,
        judge: Judge,
        journal: Journal,
        pool: ThreadPoolExecutor,
        prompts: Iterator[tuple[int, Prompt]],
    ):
        self._job, self._judge, self._journal, self._pool = job, judge, journal, pool
        self._prompts: Iterator[tuple[int, Prompt]] | None = prompts
        self._making: dict[str, Progress] = {}
        self._again: deque[Request] = deque()
        self._scoring: deque[tuple[Progress, list[Generated], list[Future[Score]]]] = deque()

    @property
    def busy(self) -> bool:
        """Whether anything is left to ask for."""
        return bool(self._again) or self._prompts is not None

    def requests(self) -> Iterator[Request]:
        """What to ask for now: more responses to prompts that were begun, then new prompts."""
        while True:
            self.settle()
            if self._again:
                yield self._again.popleft()
                continue
            found = next(self._prompts, None) if self._prompts is not None else None
            if found is None:
                self._prompts = None
                return
            progress = Progress(*found)
            request = progress.next_request(self._job)
            assert request is not None
            self._making[request.id] = progress
            yield request

    def take(self, request: Request, responses: Sequence[Generated], backend: object) -> None:
        """Take what came back for a request."""
        progress = self._making[request.id]
        refusals: Refusals | None = getattr(backend, "refused", None)
        if not responses and refusals is not None:
            del self._making[request.id]
            self._journal.write(refused(progress.position, progress.prompt, refusals.pop(request.id)))
            return
        scores = [self._pool.submit(self._judge.score, progress.prompt, response.text) for response in responses]
        self._scoring.append((progress, list(responses), scores))
        self.settle()

    def settle(self, *, everything: bool = False) -> None:
        """Write down, or ask for more of, what is scored by now; too much of what is not is waited for."""
        while self._scoring:
            progress, responses, scores = self._scoring[0]
            wait = everything or len(self._scoring) > UNSCORED
            if not wait and not all(score.done() for score in scores):
                return
            self._scoring.popleft()
            progress.take(responses, [score.result() for score in scores], self._job, self._judge.threshold)
            request = progress.next_request(self._job)
            if request is not None:
                self._again.append(request)
                continue
            del self._making[progress.prompt.id]
            self._journal.write(progress.entry(self._job))
