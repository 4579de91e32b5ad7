"""verl's FSDP2 engines, registered for the CPU."""

from contextlib import contextmanager
from collections.abc import Iterator
from typing import Any

import torch
from verl.workers.engine import EngineRegistry
from verl.workers.engine.fsdp.transformer_impl import FSDPEngineWithLMHead, FSDPEngineWithValueHead


@contextmanager
def _not_forward_only(config: Any) -> Iterator[None]:
    """verl offloads a forward-only module (the reference) to pinned memory, and pinning asks for an accelerator."""
    was = config.forward_only
    object.__setattr__(config, "forward_only", False)  # verl's configs are frozen
    try:
        yield
    finally:
        object.__setattr__(config, "forward_only", was)


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
class LanguageModelEngine(_OnCpu, FSDPEngineWithLMHead):  # type: ignore[misc]
    """Actor and reference policy."""


@EngineRegistry.register(model_type="value_model", backend="fsdp2", device="cpu")
class ValueModelEngine(_OnCpu, FSDPEngineWithValueHead):  # type: ignore[misc]
    """Critic."""
