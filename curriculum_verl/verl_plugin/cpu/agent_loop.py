"""verl's agent loops, with a seed for every response in its sampling parameters."""

from typing import Any

import ray
import torch
from verl.trainer.ppo.v1.agent_loop_tq import AgentLoopManagerTQ, AgentLoopWorkerTQ

from curriculum_verl.inference.seeding import PromptSeeds, fold

FIELD = "__sampling_seed__"


class SeededWorker(AgentLoopWorkerTQ.__ray_actor_class__):  # type: ignore[misc,name-defined]  # the class under the actor
    """Turns a prompt's seed and the number of the sample into the request's seed; every agent loop passes it on.

    Ray sends inherited methods by value, and with a method that calls super() a second copy of its class; so every
    such method of verl's worker must be defined here too (a contract test lists them).
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)

    async def _run_agent_loop(self, sampling_params: dict[str, Any], trajectory: dict[str, Any], **kwargs: Any) -> Any:
        seed = fold(int(kwargs.pop(FIELD)), kwargs["session_id"])
        return await super()._run_agent_loop({**sampling_params, "seed": seed}, trajectory, **kwargs)


class SeededAgentLoopManager(AgentLoopManagerTQ):
    """Gives each prompt its seed where it is sent, because this is the only place that sees all of them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.agent_loop_workers_class = ray.remote(SeededWorker)
        self._seeds = PromptSeeds(self.rollout_config.seed)

    def generate_sequences(self, prompts: Any) -> None:
        """Send prompts to the workers, each with its seed."""
        validate = bool(prompts["validate"]) if "validate" in prompts else False
        known = list(zip(map(_plain, prompts["index"]), map(_plain, prompts["raw_prompt"]), strict=True))
        seeds = self._seeds.seeds(int(prompts["global_steps"]), validate, known)
        prompts[FIELD] = torch.tensor(seeds, dtype=torch.int64)
        super().generate_sequences(prompts)


def _plain(value: Any) -> Any:
    """A value without tensordict's wrapping."""
    return getattr(value, "data", value)
