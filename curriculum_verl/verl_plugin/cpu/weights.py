"""The actor's weights, as verl sends them, into the rollout's model."""

import math
from collections.abc import Mapping
from typing import Any

import torch

WRAPPERS = ("_fsdp_wrapped_module.", "base_model.model.")


def plain_name(name: str) -> str:
    """A parameter's name in the model itself, without what FSDP and PEFT wrap around it."""
    for wrapper in WRAPPERS:
        name = name.replace(wrapper, "")
    return name.replace(".base_layer.", ".")


class Weights:
    """A model's parameters, replaced from outside. LoRA adapters are merged, always into the weights without them."""

    def __init__(self, model: torch.nn.Module) -> None:
        self._own = model.state_dict()
        self._parameters = {name: parameter.data_ptr() for name, parameter in model.named_parameters()}
        self._before_merge: dict[str, torch.Tensor] = {}
        self._received: set[int] = set()
        self._adapter: dict[str, torch.Tensor] = {}

    @torch.no_grad()
    def receive(self, named: Mapping[str, torch.Tensor]) -> None:
        """Take one bucket. Adapters wait for `finish`, because the halves of a pair may come in two buckets."""
        for name, tensor in named.items():
            plain = plain_name(name)
            if "lora_" in plain:
                self._adapter[plain] = tensor.clone()
                continue
            if plain not in self._own:
                raise ValueError(f"the actor sent weights {name!r}, but the rollout's model has no {plain!r}")
            self._own[plain].copy_(tensor)
            self._received.add(self._own[plain].data_ptr())

    def finish(self, peft_config: Mapping[str, Any] | None = None) -> None:
        """All buckets are here: merge an adapter, or check that no parameter was left out."""
        received, adapter = self._received, self._adapter
        self._received, self._adapter = set(), {}
        if received:
            missing = [name for name, pointer in self._parameters.items() if pointer not in received]
            if missing:
                raise ValueError(
                    f"the actor sent no weights for {len(missing)} parameters, the first is {missing[0]!r}"
                )
            self._before_merge.clear()
        if adapter:
            if peft_config is None:
                raise ValueError("the actor sent a LoRA adapter without its configuration")
            self._merge(adapter, peft_config)

    @torch.no_grad()
    def _merge(self, adapter: Mapping[str, torch.Tensor], peft_config: Mapping[str, Any]) -> None:
        scale = _scale(peft_config)
        downs = {name: tensor for name, tensor in adapter.items() if ".lora_A." in name}
        if len(adapter) != 2 * len(downs):
            raise ValueError(f"only LoRA pairs A and B can be merged, got {sorted(adapter)[:4]} ...")
        for name, down in downs.items():
            target = name.partition(".lora_A.")[0] + ".weight"
            base = self._before_merge.setdefault(target, self._own[target].clone())
            up = adapter[name.replace(".lora_A.", ".lora_B.")]
            self._own[target].copy_(base + (up.to(base.dtype) @ down.to(base.dtype)) * scale)


def _scale(peft_config: Mapping[str, Any]) -> float:
    """What PEFT multiplies the adapter with."""
    other = [key for key in ("use_dora", "rank_pattern", "alpha_pattern", "fan_in_fan_out") if peft_config.get(key)]
    if other:
        raise ValueError(
            f"the rollout hf_cpu merges plain LoRA only, got {other}; set model.lora.merge=True for others"
        )
    rank = peft_config["r"]
    return float(peft_config["lora_alpha"] / (math.sqrt(rank) if peft_config.get("use_rslora") else rank))
