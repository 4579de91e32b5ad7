"""A server that speaks OpenAI's chat completions: vLLM's, SGLang's, llama.cpp's, a company's."""

import os
import queue
import sys
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from curriculum_verl.errors import InputError, unknown_name
from curriculum_verl.generation.backend import Generated, Request, Sampling
from curriculum_verl.generation.backends.choices import check, generated
from curriculum_verl.generation.backends.http import REFUSALS, Answer, Client
from curriculum_verl.generation.facts import facts_of
from curriculum_verl.generation.refusals import Refusals, RefusedError
from curriculum_verl.generation.settings import BackendSettings
from curriculum_verl.inference.seeding import fold

SHOWN = 10  # names of models in a message

_Finished = tuple[Request, list[Generated] | BaseException]


class OpenAi:
    """Several requests at once. Responses come by `n` in one call, or by as many as a server gives at most."""

    name = "openai"

    def __init__(self, settings: BackendSettings):
        assert settings.url is not None
        self._settings = settings
        self._client = Client(
            settings.url,
            os.environ.get(settings.api_key),
            key_name=settings.api_key,
            retries=settings.retries,
            timeout=settings.timeout,
            per_minute=settings.requests_per_minute,
        )
        self._most = sys.maxsize  # responses in one call
        self._limit_name = "max_tokens"
        self.refused = Refusals(settings.refused)
        self._check_model()

    def _check_model(self) -> None:
        """An error now, if the server lists its models and this is none of them."""
        answer = self._client.once("GET", "models")
        listed = answer.content.get("data") if answer.status == 200 else None
        names = [str(model["id"]) for model in listed or () if isinstance(model, dict) and "id" in model]
        if names and self._settings.model not in names:
            shown = names if len(names) <= SHOWN else [*names[:SHOWN], "..."]
            raise InputError(f"{self._settings.url}: {unknown_name('model', self._settings.model, shown)}")

    def sample(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[tuple[Request, list[Generated]]]:
        """Every request with its responses, as they are finished."""
        source, running = iter(requests), 0
        finished: queue.SimpleQueue[_Finished] = queue.SimpleQueue()
        try:
            while True:
                while running < self._settings.concurrency and (request := next(source, None)) is not None:
                    # A thread that ends with the process: a pool's would hold up its end for as long as a call takes.
                    threading.Thread(target=self._answer, args=(request, sampling, finished), daemon=True).start()
                    running += 1
                if not running:
                    return
                request, result = finished.get()
                running -= 1
                if isinstance(result, RefusedError):
                    yield self.refused.take(request, result)
                elif isinstance(result, BaseException):
                    raise result
                else:
                    yield request, result
        finally:
            if running:  # after an error, or when nobody wants the rest
                self._client.stop()

    def _answer(self, request: Request, sampling: Sampling, finished: "queue.SimpleQueue[_Finished]") -> None:
        try:
            finished.put((request, self._responses(request, sampling)))
        except BaseException as error:  # it is raised where the responses are waited for
            finished.put((request, error))

    def _responses(self, request: Request, sampling: Sampling) -> list[Generated]:
        """All responses to a request, in as many calls as that takes; a server may give fewer than it is asked for."""
        made: list[Generated] = []
        while len(made) < request.count:
            wanted = min(self._most, request.count - len(made))
            answer = self._ask(request, sampling, request.first + len(made), wanted)
            if answer.status in REFUSALS and wanted > 1:
                answer = self._ask(request, sampling, request.first + len(made), 1)
                if answer.status == 200:  # so many were too many; else the request itself is at fault
                    self._most = min(self._most, wanted // 2)
            if answer.status in REFUSALS:
                reason = f"the server refuses it with {answer.status}: {answer.words()}"
                raise RefusedError(request.id, "server_refused", reason)
            made += generated(answer.content)[: request.count - len(made)]
        return made

    def _ask(self, request: Request, sampling: Sampling, number: int, count: int) -> Answer:
        answer = self._client.post("chat/completions", self._body(request, sampling, number, count), check)
        if answer.status == 400 and self._limit_name == "max_tokens" and "max_completion_tokens" in answer.words():
            self._limit_name = "max_completion_tokens"
            answer = self._client.post("chat/completions", self._body(request, sampling, number, count), check)
        return answer

    def _body(self, request: Request, sampling: Sampling, number: int, count: int) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._settings.model,
            "messages": request.messages,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            self._limit_name: sampling.max_tokens,
            "seed": fold(request.seed, number) >> 32,  # 31 bits: not all servers take more
        }
        # What a server need not know is left out where it says nothing: some refuse what they do not know.
        more = {
            "n": count if count > 1 else None,
            "stop": list(sampling.stop),
            "top_k": sampling.top_k,
            "tools": request.tools,
            "chat_template_kwargs": self._settings.template,
        }
        return body | {name: value for name, value in more.items() if value}

    def describe(self) -> dict[str, Any]:
        """Model, versions and whatever else says how the responses came about."""
        return facts_of(self._settings)

    def close(self) -> None:
        """End what still waits."""
        self._client.stop()
