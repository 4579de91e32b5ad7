"""vLLM's offline engine in this process: on GPUs, or on a CPU where that build is installed."""

import importlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from curriculum_verl.errors import InputError
from curriculum_verl.generation.backend import Generated, Request, Sampling
from curriculum_verl.generation.chats import Chats
from curriculum_verl.generation.facts import facts_of
from curriculum_verl.generation.models import Model, adapter_rank, find_model
from curriculum_verl.generation.refusals import Refusals, too_long
from curriculum_verl.generation.settings import BackendSettings
from curriculum_verl.generation.waiting import Waiting
from curriculum_verl.inference.seeding import fold

AHEAD = 512  # responses that vLLM knows of: enough to fill its batches
RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # that vLLM makes room for


class Vllm:
    """Every response is a sequence with a seed of its own; those of a prompt share its prefix in vLLM's cache."""

    name = "vllm"

    def __init__(self, settings: BackendSettings):
        self._settings = settings
        found = find_model(settings.model, settings.base_model)
        self._chats = Chats(found.tokenizer, settings.template)
        try:
            vllm: Any = importlib.import_module("vllm")
        except ImportError as error:
            raise InputError(f"--backend vllm: vLLM cannot be imported: {error}; see its installation guide") from error
        self._vllm = vllm
        try:
            self._llm: Any = vllm.LLM(**_arguments(settings, found))
        except (ValueError, RuntimeError, OSError) as error:
            raise InputError(f"--backend vllm: {found.base} cannot be loaded: {error}") from error
        self._engine: Any = self._llm.llm_engine
        self._context = int(self._engine.model_config.max_model_len)
        self._adapter = None
        if found.adapter is not None:
            lora: Any = importlib.import_module("vllm.lora.request")
            self._adapter = lora.LoRARequest("adapter", 1, str(found.adapter.absolute()))
        self.refused = Refusals(settings.refused)

    def sample(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[tuple[Request, list[Generated]]]:
        """Every request with its responses, as they are finished."""
        source = iter(requests)
        waiting = Waiting()
        while True:
            while len(waiting) < AHEAD and (request := next(source, None)) is not None:
                tokens = self._chats.tokens(request)
                if len(tokens) >= self._context:
                    yield self.refused.take(request, too_long(request, len(tokens), self._context))
                else:
                    self._add(request, tokens, sampling, waiting)
            if not waiting:
                return
            for output in self._engine.step():
                if output.finished and (complete := waiting.take(output.request_id, _generated(output))):
                    yield complete

    def _add(self, request: Request, tokens: list[int], sampling: Sampling, waiting: Waiting) -> None:
        for name, number in waiting.add(request):
            params = self._vllm.SamplingParams(
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                top_k=sampling.top_k or -1,
                max_tokens=min(sampling.max_tokens, self._context - len(tokens)),
                stop=list(sampling.stop),
                seed=fold(request.seed, number),
            )
            self._engine.add_request(name, {"prompt_token_ids": tokens}, params, lora_request=self._adapter)

    def describe(self) -> dict[str, Any]:
        """Model, versions and whatever else says how the responses came about."""
        return facts_of(self._settings)

    def close(self) -> None:
        """End the engine's processes."""
        with suppress(AttributeError):  # one that runs in this process, or was closed before
            self._engine.engine_core.shutdown()
        self._engine = self._llm = None


def _arguments(settings: BackendSettings, found: Model) -> dict[str, Any]:
    """What vllm.LLM is told."""
    arguments: dict[str, Any] = {
        "model": str(found.base),
        "tokenizer": str(found.tokenizer),
        "dtype": settings.dtype,
        "tensor_parallel_size": settings.tensor_parallel,
        "gpu_memory_utilization": settings.gpu_memory,
        "enforce_eager": settings.eager,
    }
    if settings.context is not None:
        arguments["max_model_len"] = settings.context
    if settings.batch is not None:
        arguments["max_num_seqs"] = settings.batch
    if found.adapter is not None:
        rank = adapter_rank(found.adapter)
        arguments |= {"enable_lora": True, "max_lora_rank": next((room for room in RANKS if room >= rank), rank)}
    return arguments


def _generated(output: Any) -> Generated:
    [made] = output.outputs
    return Generated(made.text, len(made.token_ids), "length" if made.finish_reason == "length" else "stop")
