"""A Hugging Face model in this process; each response is drawn with numbers of its own, whatever is beside it."""

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from transformers import AutoModelForCausalLM
from transformers.utils.logging import disable_progress_bar

from curriculum_verl.errors import InputError
from curriculum_verl.generation.backend import Generated, Request, Sampling
from curriculum_verl.generation.chats import Chats
from curriculum_verl.generation.facts import facts_of
from curriculum_verl.generation.models import Model, find_model
from curriculum_verl.generation.refusals import Refusals, too_long
from curriculum_verl.generation.settings import BackendSettings
from curriculum_verl.generation.stopping import StoppingGenerator, cut
from curriculum_verl.generation.waiting import Waiting
from curriculum_verl.inference.attention import leave_cudnn_attention
from curriculum_verl.inference.generator import Request as Sequence
from curriculum_verl.inference.lanes import Lanes
from curriculum_verl.inference.sampling import Settings
from curriculum_verl.inference.seeding import fold

LANES = 16
SHORTEST = 64  # tokens of a lane
AHEAD = 64  # responses for each lane that wait at most, so that those of like length find each other


class HuggingFace:
    """Generates all requests of like length together, a token a step; who is finished makes room for the next.

    A sequence is computed in a lane whose length follows from the prompt and the most tokens of a response alone. With
    one thread on a CPU a response is therefore the same, to the last bit, in whatever company it was made.
    """

    name = "hf"

    def __init__(self, settings: BackendSettings):
        self._settings = settings
        self._lanes = settings.batch or LANES
        self._device = torch.device(_device(settings.device))
        if self._device.type == "cpu":
            torch.set_num_threads(settings.threads)
        leave_cudnn_attention()
        found = find_model(settings.model, settings.base_model)
        self._chats = Chats(found.tokenizer, settings.template)
        self._model = _load(found, settings.dtype, self._device)
        most = getattr(self._model.config, "max_position_embeddings", None)
        contexts = [context for context in (settings.context, most) if context]
        if not contexts:
            raise InputError(f"{found.base}: says nothing of its longest context; set one with --context")
        self._context = min(contexts)
        try:
            Lanes(self._model, 1, self._context)
        except (ValueError, AttributeError) as error:  # the latter from the config of a model for more than text
            hint = "take --backend vllm for it, or a --context that fits"
            raise InputError(f"{found.base}: {error}; {hint}") from error
        self._stop_tokens = _stop_tokens(self._model, self._chats.tokenizer)
        self.refused = Refusals(settings.refused)

    def sample(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[tuple[Request, list[Generated]]]:
        """Every request with its responses, as they are finished."""
        source, queues, waiting = iter(requests), _Queues(), Waiting()
        while True:
            yield from self._pull(source, queues, waiting, sampling)
            if not waiting:
                return
            length = queues.longest()
            generator = self._generator(length, sampling)
            while queues.feed(generator, length) or generator.busy:
                yield from self._step(generator, waiting, sampling)
                yield from self._pull(source, queues, waiting, sampling)

    def _pull(
        self, source: Iterator[Request], queues: "_Queues", waiting: Waiting, sampling: Sampling
    ) -> Iterator[tuple[Request, list[Generated]]]:
        """Take requests while there is room; those that can never be answered are given back at once."""
        while len(queues) < self._lanes * AHEAD and (request := next(source, None)) is not None:
            prompt = tuple(self._chats.tokens(request))
            room = self._context - len(prompt)
            if room < 1:
                yield self.refused.take(request, too_long(request, len(prompt), self._context))
                continue
            limit = min(sampling.max_tokens, room)
            length = min(lane_length(len(prompt) + limit), self._context)
            for name, number in waiting.add(request):
                queues.add(length, _Named(prompt, _settings(sampling), fold(request.seed, number), limit, name=name))

    def _generator(self, length: int, sampling: Sampling) -> StoppingGenerator:
        generator = StoppingGenerator(self._model, self._stop_tokens, self._lanes, length)
        generator.stops, generator.text = sampling.stop, self._chats.text
        return generator

    def _step(
        self, generator: StoppingGenerator, waiting: Waiting, sampling: Sampling
    ) -> Iterator[tuple[Request, list[Generated]]]:
        for sequence in generator.step():
            assert isinstance(sequence, _Named)
            if complete := waiting.take(sequence.name, self._generated(sequence, sampling)):
                yield complete

    def _generated(self, sequence: Sequence, sampling: Sampling) -> Generated:
        whole = self._chats.text(sequence.tokens)
        text = cut(whole, sampling.stop)
        ended = sequence.stop_reason != "length" or text != whole  # by a stop string in the last token
        return Generated(text, len(sequence.tokens), "stop" if ended else "length")

    def describe(self) -> dict[str, Any]:
        """Model, versions and whatever else says how the responses came about."""
        return facts_of(self._settings)

    def close(self) -> None:
        """Give back memory."""
        with suppress(AttributeError):  # closed before
            del self._model
        if self._device.type == "cuda":
            torch.cuda.empty_cache()


@dataclass(slots=True, eq=False)
class _Named(Sequence):
    """A sequence that knows whose it is."""

    name: str = ""


class _Queues:
    """Sequences that wait, by the length of the lane they need."""

    def __init__(self) -> None:
        self._waiting: dict[int, deque[_Named]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def add(self, length: int, sequence: _Named) -> None:
        """Queue a sequence."""
        self._waiting.setdefault(length, deque()).append(sequence)

    def longest(self) -> int:
        """The length for which most sequences wait."""
        return max(self._waiting, key=lambda length: (len(self._waiting[length]), length))

    def feed(self, generator: StoppingGenerator, length: int) -> bool:
        """Hand over as many as there are free lanes, so that the rest still counts as waiting; whether any was."""
        queue = self._waiting.get(length)
        if queue is None:
            return False
        while queue and generator.unstarted < generator.free:
            generator.add(queue.popleft())
        if not queue:
            del self._waiting[length]
        return True


def lane_length(tokens: int) -> int:
    """The least power of two, or one and a half times one, that holds so many tokens."""
    power = SHORTEST
    while power < tokens:
        power *= 2
    return 3 * power // 4 if power > SHORTEST and tokens <= 3 * power // 4 else power


def _device(wanted: str) -> str:
    if wanted != "auto":
        return wanted
    return "cuda" if torch.cuda.is_available() else "cpu"


def _load(found: Model, dtype: str, device: torch.device) -> Any:
    disable_progress_bar()  # type: ignore[no-untyped-call]  # of many small tensors; a run has a bar of its own
    kind = "float32" if dtype == "auto" and device.type == "cpu" else dtype
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(
            found.base, dtype=kind if kind == "auto" else getattr(torch, kind), attn_implementation="sdpa"
        )
        if found.adapter is not None:
            from peft import PeftModel

            model = PeftModel.from_pretrained(model, str(found.adapter)).merge_and_unload()
    except ImportError as error:
        raise InputError(f"{found.adapter}: a LoRA adapter needs PEFT: pip install peft ({error})") from error
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(f"{found.adapter or found.base}: the model cannot be loaded: {error}") from error
    return model.to(device).eval()


def _stop_tokens(model: Any, tokenizer: Any) -> set[int]:
    """The tokens that end a response: the model's own, and the tokenizer's."""
    found: set[int | None] = set()
    for stop in (getattr(model.generation_config, "eos_token_id", None), tokenizer.eos_token_id):
        found |= set(stop) if isinstance(stop, list | tuple) else {stop}
    return {stop for stop in found if stop is not None}


def _settings(sampling: Sampling) -> Settings:
    return Settings(sampling.temperature, sampling.top_p, sampling.top_k if sampling.top_k > 0 else -1)
