"""How verl launches the CPU rollout, and how the actor reaches it."""

import os
from collections.abc import Mapping
from typing import Any

import ray
import torch
from verl.workers.rollout.base import BaseRollout
from verl.workers.rollout.replica import RolloutReplica
from verl.workers.rollout.utils import ensure_async_iterator

from curriculum_verl.verl_plugin.cpu.register import ROLLOUT
from curriculum_verl.verl_plugin.cpu.server import HfServer


def _actor_name(replica_rank: int, suffix: str = "") -> str:
    return f"{ROLLOUT}_server_{replica_rank}{suffix}"


class HfReplica(RolloutReplica):
    """One server on one logical device; a CPU gains nothing from tensor parallelism."""

    async def launch_servers(self) -> None:
        """Start the Ray actor."""
        if self.world_size != 1:
            raise ValueError(
                f"the rollout {ROLLOUT} runs on one device, got {self.world_size}; "
                "set tensor_model_parallel_size=1 and data_parallel_size=1 in actor_rollout_ref.rollout"
            )
        actor: Any = ray.remote(HfServer).options(
            name=_actor_name(self.replica_rank, self.name_suffix), max_concurrency=self.max_concurrency, num_cpus=0
        )
        self._server_handle = actor.remote(self.config, self.model_config, self.replica_rank)
        self._server_address = _actor_name(self.replica_rank, self.name_suffix)
        self.servers = [self._server_handle]


class ServerAdapter(BaseRollout):
    """Lives in the training worker; hands the actor's weights to the server of its rank."""

    def __init__(self, config: Any, model_config: Any, device_mesh: Any, replica_rank: int = -1) -> None:
        super().__init__(config, model_config, device_mesh)
        self.replica_rank = int(os.environ["RANK"]) if replica_rank == -1 else replica_rank
        self.is_leader_rank = True
        self._bucket_bytes = self.config.checkpoint_engine.update_weights_bucket_megabytes << 20
        self._found: Any = None

    @property
    def _server(self) -> Any:
        if self._found is None:  # the server starts after the training workers
            self._found = ray.get_actor(_actor_name(self.replica_rank))
        return self._found

    async def resume(self, tags: list[str]) -> None:
        """Nothing was released."""

    async def release(self) -> None:
        """A CPU has one memory for training and rollout."""

    async def update_weights(
        self,
        weights: Any,
        wire_format: str = "named_tensors",
        global_steps: int | None = None,
        peft_config: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Send the weights bucket by bucket; every rank drains the generator, which gathers across ranks."""
        if wire_format != "named_tensors":
            raise ValueError(f"the rollout {ROLLOUT} takes named tensors, got weights as {wire_format!r}")
        await self._server.begin_weights.remote()
        bucket: dict[str, torch.Tensor] = {}
        size = 0
        async for name, tensor in ensure_async_iterator(weights):
            bucket[name] = tensor.detach()
            size += tensor.nbytes
            if size >= self._bucket_bytes:
                await self._server.receive_weights.remote(bucket)
                bucket, size = {}, 0
        await self._server.receive_weights.remote(bucket)
        await self._server.end_weights.remote(peft_config, global_steps)
