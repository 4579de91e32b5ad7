"""The Ray actor behind the rollout `hf_cpu`: token-in, token-out, as verl's other inference servers."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from verl.utils.config import omega_conf_to_dataclass
from verl.workers.rollout.replica import TokenOutput

from curriculum_verl.inference.generator import Generator, Request
from curriculum_verl.inference.sampling import Settings
from curriculum_verl.inference.seeding import fold
from curriculum_verl.verl_plugin.cpu.weights import Weights

logger = logging.getLogger(__name__)


class HfServer:
    """Generates with a Hugging Face model. One lock is held by a step of generation or by a change of weights."""

    def __init__(self, config: Any, model_config: Any, replica_rank: int) -> None:
        self.config = omega_conf_to_dataclass(config)
        model_config = omega_conf_to_dataclass(model_config)
        # One thread does all the computing: two split a matrix product by the load of the moment, and the sum with it.
        threads = (self.config.engine_kwargs.get("hf_cpu") or {}).get("threads", 1)
        self._compute = ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(threads,))
        self._model = _load(self.config, model_config)
        self._weights = Weights(self._model)
        length = self.config.max_model_len or self.config.prompt_length + self.config.response_length
        self._generator = Generator(self._model, _stop_tokens(model_config), self.config.max_num_seqs, length)
        self._futures: dict[Request, asyncio.Future[Request]] = {}
        self._unseeded: Counter[tuple[int, ...]] = Counter()
        self._lock, self._open, self._rejecting = asyncio.Lock(), asyncio.Event(), False
        self._open.set()
        self._loop: asyncio.Task[None] | None = None
        self.global_steps: int | None = None

    async def generate(
        self,
        request_id: str,
        *,
        prompt_ids: list[int],
        sampling_params: Mapping[str, Any],
        image_data: Any = None,
        video_data: Any = None,
        **_: Any,
    ) -> TokenOutput:
        """Generate one response. A stopped server keeps requests until it resumes, unless it is to reject them."""
        if image_data is not None or video_data is not None:
            raise ValueError("the rollout hf_cpu generates from text only, got images or video")
        request = self._request(tuple(prompt_ids), Settings.of(sampling_params))
        if self._rejecting:
            request.stop_reason = "aborted"
            return self._output(request)
        self._futures[request] = future = asyncio.get_running_loop().create_future()
        self._generator.add(request)
        if self._loop is None or self._loop.done():
            self._loop = asyncio.create_task(self._run())
        return self._output(await future)

    def _request(self, prompt: tuple[int, ...], settings: Settings) -> Request:
        room = self._generator.length - len(prompt)
        if room < 1:
            raise ValueError(
                f"a prompt of {len(prompt)} tokens leaves no room in {self._generator.length}; "
                "raise actor_rollout_ref.rollout.max_model_len or data.max_prompt_length"
            )
        seed = settings.seed
        if seed is None:
            # Without our agent loop's seed: alike prompts are told apart by their order, all else by what they are.
            seed = fold(self.config.seed, self.global_steps, prompt, self._unseeded[prompt])
            self._unseeded[prompt] += 1
        if settings.max_tokens is None:
            limit = min(self.config.response_length, room)
        else:
            limit = max(1, min(settings.max_tokens, room))
        return Request(prompt, settings, seed, limit)

    def _output(self, request: Request) -> TokenOutput:
        return TokenOutput(
            token_ids=request.tokens,
            log_probs=request.log_probs,
            stop_reason=request.stop_reason,
            num_preempted=0,
            extra_fields={"global_steps": self.global_steps},
        )

    async def _run(self) -> None:
        """Generate as long as there is something to generate."""
        while self._generator.busy:
            await self._open.wait()
            async with self._lock:
                if self._open.is_set():
                    await self._step()

    async def _computed(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._compute, function, *arguments)

    async def _step(self) -> None:
        try:
            self._settle(await self._computed(self._generator.step))
        except Exception as error:
            logger.exception("generation failed")
            for request in self._generator.stop_all() + self._generator.drop_waiting():
                self._futures.pop(request).set_exception(error)

    def _settle(self, requests: list[Request]) -> None:
        for request in requests:
            future = self._futures.pop(request)
            if not future.done():
                future.set_result(request)

    async def abort_all_requests(self, reject_request: bool = False) -> None:
        """Stop generating: what has begun is returned as it is, and goes on elsewhere or after the resume."""
        self._open.clear()
        self._rejecting = reject_request
        async with self._lock:
            self._settle(self._generator.stop_all())
            if reject_request:
                self._settle(self._generator.drop_waiting())

    async def resume_generation(self) -> None:
        """Go on with what waits."""
        self._rejecting = False
        self._open.set()

    async def begin_weights(self) -> None:
        """No token is generated between here and `end_weights`: half-new weights are nobody's policy."""
        await self._lock.acquire()

    async def receive_weights(self, named: Mapping[str, torch.Tensor]) -> None:
        """Take one bucket."""
        await self._computed(self._weights.receive, named)

    async def end_weights(self, peft_config: Mapping[str, Any] | None, global_steps: int | None) -> None:
        """Use the new weights from now on."""
        try:
            await self._computed(self._weights.finish, peft_config)
            self._generator.forget()
            self._unseeded.clear()
            if global_steps is not None:
                self.global_steps = global_steps
        finally:
            self._lock.release()

    async def nothing(self, *_: Any, **__: Any) -> None:
        """What verl tells a server on a GPU: there is no memory to give back, and no profiler."""

    wake_up = sleep = nothing
    clear_kv_cache = release_kv_cache = resume_kv_cache = nothing
    start_profile = stop_profile = nothing


def _load(config: Any, model_config: Any) -> PreTrainedModel:
    """The model as the actor loads it; `dummy` has its shape only, the weights come with the first synchronisation."""
    dtype = getattr(torch, config.dtype)
    if config.load_format == "dummy":
        hf_config = AutoConfig.from_pretrained(model_config.local_path)
        model = AutoModelForCausalLM.from_config(hf_config, dtype=dtype, attn_implementation="sdpa")
    else:
        model = AutoModelForCausalLM.from_pretrained(model_config.local_path, dtype=dtype, attn_implementation="sdpa")
    return model.eval()  # type: ignore[no-any-return]


def _stop_tokens(model_config: Any) -> set[int]:
    """The tokens that end a response: the model's own, else the tokenizer's."""
    generation = model_config.generation_config
    stop = generation.eos_token_id if generation is not None else None
    if stop is None:
        stop = model_config.tokenizer.eos_token_id
    if stop is None:
        return set()
    return set(stop) if isinstance(stop, list | tuple) else {stop}
