"""Packing: the chats of a device batch one behind the other in one row, none of which sees another."""

import inspect
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from curriculum_verl.errors import InputError
from curriculum_verl.sft.data import IGNORED, ROWS

PLACES = "position_ids"
BY_CHAT = "sdpa_by_chat"


class PackingCollator:
    """One row without padding; positions begin anew with each chat, by which the model keeps them apart.

    There is no attention mask: with one, models of transformers take the row for a single chat.
    """

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """A batch; the first token of a chat has no loss, or the chat before would be asked for it."""
        labels = [torch.cat([torch.tensor([IGNORED]), row["labels"][1:]]) for row in rows]
        return {
            "input_ids": torch.cat([row["input_ids"] for row in rows])[None],
            "labels": torch.cat(labels)[None],
            PLACES: torch.cat([torch.arange(len(row["input_ids"])) for row in rows])[None],
            ROWS: torch.tensor([row[ROWS] for row in rows]),
        }


def attend_by_chat(model: Any) -> None:
    """Have sdpa attend to each chat alone where nothing but causality masks: one mask over a row costs its square."""
    config = model.config
    kinds = getattr(config, "layer_types", None) or ["full_attention"]
    windows = getattr(config, "sliding_window", None) or any(kind != "full_attention" for kind in kinds)
    if config._attn_implementation == "sdpa" and not windows:
        AttentionInterface.register(BY_CHAT, _attention)
        AttentionMaskInterface.register(BY_CHAT, _mask)
        model.set_attn_implementation(BY_CHAT)


def _mask(attention_mask: Any = None, allow_is_causal_skip: bool = True, **kwargs: Any) -> Any:
    if attention_mask is None and not allow_is_causal_skip:
        return None  # a packed row
    return sdpa_mask(attention_mask=attention_mask, allow_is_causal_skip=allow_is_causal_skip, **kwargs)


def _attention(module: Any, query: Any, key: Any, value: Any, attention_mask: Any, **kwargs: Any) -> Any:
    places = kwargs.get(PLACES)
    if attention_mask is not None or places is None or places.shape[0] != 1 or places.shape[1] != key.shape[2]:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
    chats = zip(*(states.split(_lengths(places), dim=2) for states in (query, key, value)), strict=True)
    return torch.cat([sdpa_attention_forward(module, q, k, v, None, **kwargs)[0] for q, k, v in chats], dim=1), None


def _lengths(places: torch.Tensor) -> list[int]:
    """How long each chat of a row is; read off a GPU once for all layers of a forward pass, which share the tensor."""
    known: list[int] | None = getattr(places, "lengths_of_chats", None)
    if known is None:
        bounds = [*torch.nonzero(places[0] == 0)[:, 0].tolist(), places.shape[1]]
        known = [end - begin for begin, end in pairwise(bounds)]
        places.lengths_of_chats = known  # type: ignore[attr-defined]
    return known


def require_packing(model: Any, device: torch.device) -> None:
    """Refuse a model that cannot keep the chats of a row apart; whether it does is tried, as no class tells."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    name = type(base).__name__
    if PLACES not in inspect.signature(base.forward).parameters:
        raise InputError(f"data.packing: {name} takes no {PLACES}, expected a model that does; leave data.packing out")
    if any(parameter.device != device for parameter in base.parameters()):  # FSDP brings it there later
        return
    training = base.training
    base.eval()
    with torch.no_grad():
        one, other = (_logits_of_last(base, before, [1, 2, 3]) for before in ([1, 2, 3, 4], [4, 3, 2, 1]))
    base.train(training)
    noise = 8 * torch.finfo(one.dtype).eps * float(one.abs().max())  # experts are multiplied in other groups
    if not torch.allclose(one, other, rtol=0, atol=noise):
        raise InputError(
            f"data.packing: in {name} with attention {base.config._attn_implementation!r} a chat sees the one before "
            "it in the row; leave data.packing out, or take another model.attention such as sdpa"
        )


def _logits_of_last(model: Any, before: list[int], last: list[int]) -> torch.Tensor:
    """What is predicted in the second of two chats in one row."""
    chats = [{"input_ids": tokens, "labels": tokens, ROWS: 0} for tokens in map(torch.tensor, (before, last))]
    batch = {name: value.to(model.device) for name, value in PackingCollator()(chats).items() if name != ROWS}
    logits: torch.Tensor = model(**batch, use_cache=False).logits
    return logits[:, len(before) :]
