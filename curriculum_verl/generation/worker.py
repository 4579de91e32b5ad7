"""One worker: its share of the prompts through a backend and the verifiers, into a journal of its own."""

import itertools
import os
from collections import Counter, deque
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
from curriculum_verl.generation.journal import Entry, Journal, finished
from curriculum_verl.generation.judging import Judge
from curriculum_verl.generation.prompts import Prompt
from curriculum_verl.generation.refusals import Refusals, RefusedError
from curriculum_verl.generation.rounds import UNSCORED, Progress, refused
from curriculum_verl.rewards.scoring import Score

SCORERS = 4  # threads; most verifiers wait for a process of theirs
WAITING = 256  # requests whose scores are waited for at most
HOPELESS = 32  # prompts of which not one can be scored, after which the rest is not tried


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
    done = finished(work.state)
    prompts = work.prompts(dict.fromkeys(done))
    first = next(prompts, None)
    if first is None:
        return
    try:
        _do(work, itertools.chain([first], prompts), any(bytes(place.entry().line) for place in done.values()))
    except RefusedError as error:
        raise InputError(f"{error}; --on-invalid reject puts such prompts into the rejects") from error


def _do(work: Work, prompts: Iterator[tuple[int, Prompt]], hopeful: bool) -> None:
    with closing(Judge(work.job.scoring)) as judge, closing(Journal(work.state)) as journal:
        book = _Book(journal, hopeful)
        prompts = _scorable(prompts, judge, book)
        first = next(prompts, None)
        if first is None:
            return
        with closing(build_backend(work.job.backend)) as backend, ThreadPoolExecutor(SCORERS) as pool:
            sampler = _Sampler(work.job, judge, book, pool, itertools.chain([first], prompts))
            while sampler.busy:
                for request, responses in backend.sample(sampler.requests(), work.job.sampling):
                    sampler.take(request, responses, backend)
                sampler.settle(everything=True)


class _Book:
    """Writes down finished prompts, until it is clear that none can be scored; `hopeful`: one was, before."""

    def __init__(self, journal: Journal, hopeful: bool):
        self._journal, self._hopeful = journal, hopeful
        self._failures: Counter[str] = Counter()

    def write(self, entry: Entry, failure: str | None = None) -> None:
        """One prompt, with the reason if it has no score at all."""
        self._journal.write(entry)
        self._hopeful = self._hopeful or bool(bytes(entry.line))
        if failure is not None:
            self._failures[failure] += 1
        if not self._hopeful and self._failures.total() >= HOPELESS:
            raise InputError(
                f"not one of {HOPELESS} prompts could be scored: {self._failures.most_common(1)[0][0]}; mend the data, "
                "or name a verifier that fits them with --verifier or --scoring"
            )


def _scorable(prompts: Iterator[tuple[int, Prompt]], judge: Judge, book: _Book) -> Iterator[tuple[int, Prompt]]:
    """The prompts that are worth sampling; the others are written down."""
    for position, prompt in prompts:
        problem = judge.problem(prompt)
        if problem is None:
            yield position, prompt
        else:
            book.write(refused(position, prompt, RefusedError(prompt.id, UNSCORED, problem)), problem)


class _Sampler:
    """Asks for responses, hands them to the verifiers, and writes down the prompts that are finished."""

    def __init__(
        self,
        job: Job,
        judge: Judge,
        book: _Book,
        pool: ThreadPoolExecutor,
        prompts: Iterator[tuple[int, Prompt]],
    ):
        self._job, self._judge, self._book, self._pool = job, judge, book, pool
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
            self._book.write(refused(progress.position, progress.prompt, refusals.pop(request.id)))
            return
        scores = [self._pool.submit(self._judge.score, progress.prompt, response.text) for response in responses]
        self._scoring.append((progress, list(responses), scores))
        self.settle()

    def settle(self, *, everything: bool = False) -> None:
        """Write down, or ask for more of, what is scored by now; too much of what is not is waited for."""
        while self._scoring:
            progress, responses, scores = self._scoring[0]
            wait = everything or len(self._scoring) > WAITING
            if not wait and not all(score.done() for score in scores):
                return
            self._scoring.popleft()
            progress.take(responses, [score.result() for score in scores], self._job, self._judge.threshold)
            request = progress.next_request(self._job)
            if request is not None:
                self._again.append(request)
                continue
            del self._making[progress.prompt.id]
            self._book.write(progress.entry(self._job), progress.failure)
