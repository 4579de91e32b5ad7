"""verl's FSDP2 engines, registered for the CPU."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import verl.utils.model
from transformers import AutoModelForTokenClassification
from verl.workers.engine import EngineRegistry
from verl.workers.engine.fsdp.transformer_impl import FSDPEngineWithLMHead, FSDPEngineWithValueHead


@contextmanager
def _not_forward_only(config: Any) -> Iterator[None]:
    """Hide it from verl, which offloads such a module (the reference) to pinned memory: pinning asks for a GPU."""
    was = config.forward_only
    object.__setattr__(config, "forward_only", False)  # verl's configs are frozen
    try:
        yield
    finally:
        object.__setattr__(config, "forward_only", was)


def _load_value_model(local_path: str, torch_dtype: Any, model_config: Any, trust_remote_code: bool) -> Any:
    """As verl's load_valuehead_model, which insists on flash attention."""
    return AutoModelForTokenClassification.from_pretrained(
        local_path,
        dtype=torch_dtype,
        config=model_config,
        attn_implementation="sdpa",
        trust_remote_code=trust_remote_code,
    )


class _OnCpu:
    engine_config: Any

    def initialize(self) -> None:
        """Seed first: new weights (LoRA, value head) are then the same in every run, which verl leaves to chance."""
        torch.manual_seed(self.engine_config.seed)
        super().initialize()  # type: ignore[misc]  # a mixin: the engine comes after it

    def _build_fsdp_module(self, module: torch.nn.Module) -> torch.nn.Module:
        with _not_forward_only(self.engine_config):
            return super()._build_fsdp_module(module)  # type: ignore[misc,no-any-return]


@EngineRegistry.register(model_type="language_model", backend="fsdp2", device="cpu")
class LanguageModelEngine(_OnCpu, FSDPEngineWithLMHead):
    """Actor and reference policy."""


@EngineRegistry.register(model_type="value_model", backend="fsdp2", device="cpu")
class ValueModelEngine(_OnCpu, FSDPEngineWithValueHead):
    """Critic."""

    def _build_module(self) -> Any:
        verls = verl.utils.model.load_valuehead_model
        verl.utils.model.load_valuehead_model = _load_value_model
        try:
            return super()._build_module()
        finally:
            verl.utils.model.load_valuehead_model = verls
