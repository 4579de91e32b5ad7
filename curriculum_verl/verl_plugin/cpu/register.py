"""Everything that verl must know before it can use a CPU."""

import os
from types import ModuleType
from typing import Any

import ray

from curriculum_verl.verl_plugin.cpu import patches
from curriculum_verl.verl_plugin.importing import when_imported

ROLLOUT = "hf_cpu"
_registered = False


def register() -> None:
    """Register platform, engines and rollout; what is heavy waits until verl itself imports its counterpart."""
    global _registered
    if _registered:
        return
    import curriculum_verl.verl_plugin.cpu.platform  # noqa: F401  # registers itself

    if not ray.is_initialized():
        # Ray refuses to start with more logical GPUs, which the CPU's pools need, than are said to be visible here.
        os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    when_imported("verl.utils.distributed", patches.mend_process_group)
    when_imported("verl.trainer.ppo.v1.replay_buffer", patches.mend_replay_buffer)
    when_imported("verl.workers.engine", _register_engines)
    when_imported("verl.workers.rollout.replica", _register_replica)
    when_imported("verl.workers.rollout.base", _register_adapter)
    _registered = True


def _register_engines(_: ModuleType) -> None:
    import curriculum_verl.verl_plugin.cpu.engine  # noqa: F401  # registers itself


def _register_replica(replica: ModuleType) -> None:
    def load() -> type[Any]:
        from curriculum_verl.verl_plugin.cpu.replica import HfReplica

        return HfReplica

    replica.RolloutReplicaRegistry.register(ROLLOUT, load)


def _register_adapter(base: ModuleType) -> None:
    base._ROLLOUT_REGISTRY[ROLLOUT, "async"] = "curriculum_verl.verl_plugin.cpu.replica.ServerAdapter"
