"""A key-value cache of lanes: sequences of any length side by side, each computed as if it were alone."""

from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.cache_utils import Cache, CacheLayerMixin, DynamicCache


class _LaneLayer(CacheLayerMixin):
    """One layer's keys and values, (lane, head, position, size). Each lane writes at its own position."""

    keys: torch.Tensor
    values: torch.Tensor

    def __init__(self, positions: torch.Tensor, length: int) -> None:
        super().__init__()
        self._positions, self._length = positions, length
        self._every = torch.arange(len(positions), device=positions.device)

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Make room once the sizes are known."""
        _, heads, _, size = key_states.shape
        shape = len(self._positions), heads, self._length
        self.keys = key_states.new_zeros(*shape, size)
        self.values = value_states.new_zeros(*shape, value_states.shape[-1])
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Store one new token per lane; the mask hides what lies beyond a lane's position."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        self.keys[self._every, :, self._positions] = key_states[:, :, 0]
        self.values[self._every, :, self._positions] = value_states[:, :, 0]
        return self.keys, self.values

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self._length, 0

    def get_seq_length(self) -> int:
        return self._length

    def get_max_length(self) -> int:
        return self._length

    get_max_cache_shape = get_max_length  # its name in transformers before 5.16


class Lanes:
    """A fixed number of lanes of a fixed length, decoded together.

    Every step computes all lanes at full length, the idle ones too. A matrix product of another shape adds up in
    another order; with one shape, a lane's logits do not depend, to the last bit, on what the others hold.
    """

    def __init__(self, model: PreTrainedModel, count: int, length: int) -> None:
        _refuse_other_attention(model, length)
        self.count, self.length = count, length
        self._model, self._device = model, model.device
        self._positions = torch.zeros(count, dtype=torch.long, device=self._device)
        self._layers = [_LaneLayer(self._positions, length) for _ in range(model.config.num_hidden_layers)]
        self._cache = Cache(layers=list(self._layers))
        self._places = torch.arange(length, device=self._device)

    def prefill(self, prompt: tuple[int, ...]) -> tuple[torch.Tensor, Any]:
        """Logits after a prompt, and its cache; alone, so that its length is the only shape it depends on."""
        cache = DynamicCache(config=self._model.config)
        tokens = torch.tensor([prompt], device=self._device)
        out = self._model(input_ids=tokens, past_key_values=cache, use_cache=True, logits_to_keep=1)
        return out.logits[0, -1], cache

    def fill(self, lane: int, cache: Any) -> None:
        """Put a prompt's cache into a lane."""
        for ours, theirs in zip(self._layers, cache.layers, strict=True):
            if not ours.is_initialized:
                ours.lazy_initialization(theirs.keys, theirs.values)
            tokens = theirs.keys.shape[2]
            ours.keys[lane, :, :tokens] = theirs.keys[0]
            ours.values[lane, :, :tokens] = theirs.values[0]
        self._positions[lane] = cache.get_seq_length()

    def free(self, lane: int) -> None:
        """Let a lane idle: it computes on at position 0, and nobody looks."""
        self._positions[lane] = 0

    def decode(self, tokens: list[int], active: list[int]) -> torch.Tensor:
        """Logits of every lane after one more token each."""
        mask = (self._places <= self._positions[:, None])[:, None, None]
        out = self._model(
            input_ids=torch.tensor(tokens, device=self._device)[:, None],
            attention_mask=mask,
            position_ids=self._positions[:, None].clone(),
            past_key_values=self._cache,
            use_cache=True,
        )
        self._positions[active] += 1
        logits: torch.Tensor = out.logits[:, -1]
        return logits


def _refuse_other_attention(model: PreTrainedModel, length: int) -> None:
    """A sliding window, a recurrent state or a mixture of layers needs a cache of its own, which nobody wrote yet."""
    config, name = model.config, type(model).__name__
    kinds = set(getattr(config, "layer_types", None) or {"full_attention"})
    if kinds != {"full_attention"}:
        raise ValueError(
            f"the rollout hf_cpu runs models whose layers all attend to the full context; "
            f"{name} has layers of kind {sorted(kinds)}"
        )
    window = getattr(config, "sliding_window", None)
    if window is not None and window < length:  # in models that do not list their layers it holds for all of them
        raise ValueError(
            f"the rollout hf_cpu runs models whose layers all attend to the full context; {name} attends to the last "
            f"{window} tokens, and sequences may have {length}: limit them to {window}"
        )
    if getattr(config, "alibi", False):
        raise ValueError(f"the rollout hf_cpu runs models with position embeddings; {name} has ALiBi")
