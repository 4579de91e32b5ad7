"""The places where verl offers no hook to a CPU, mended in memory; applied only with VERL_PLATFORM=cpu.

Each refuses a verl that it does not know; tests/verl_plugin/test_verl_contract.py says whether verl still needs it.
"""

import functools
import inspect
from typing import Any

POLL_SECONDS = 0.02


def mend_process_group(distributed: Any) -> None:
    """Name gloo once: verl asks for "cpu:gloo,cpu:gloo" on a CPU, which torch rejects."""
    original = distributed.initialize_global_process_group_ray
    _require(original, "backend", "chooses the process group's backend")

    @functools.wraps(original)
    def initialize_global_process_group_ray(timeout_second: int | None = None, backend: str | None = None) -> Any:
        return original(timeout_second=timeout_second, backend=backend or "cpu:gloo")

    distributed.initialize_global_process_group_ray = initialize_global_process_group_ray


def mend_replay_buffer(replay_buffer: Any) -> None:
    """Look for finished responses often, and hand them over in the order in which their prompts were sent.

    verl looks every 2 s, which on a tiny model is the step; and it takes rows as they finish, so that two runs of
    the same seed train on the same rows in another order.
    """
    buffer = replay_buffer.ReplayBuffer
    original_init, original_select = buffer.__init__, buffer._select_prompt_uids
    _require(original_init, "poll_interval", "waits for responses")
    _require(original_select, "sampleable_keys", "selects prompts")

    @functools.wraps(original_init)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("poll_interval", POLL_SECONDS)
        original_init(self, *args, **kwargs)

    @functools.wraps(original_select)
    def select(self: Any, partition_id: str, sampleable_keys: set[str], batch_size: int) -> Any:
        sent = {uid: place for place, uid in enumerate(self.prompt_global_steps[partition_id])}
        ordered = sorted(sampleable_keys, key=sent.__getitem__)
        selected, rows, steps = original_select(self, partition_id, ordered, batch_size)
        return selected, {key: rows[key] for key in sorted(rows, key=lambda key: _place(key, sent))}, steps

    buffer.__init__, buffer._select_prompt_uids = init, select


def _place(key: str, sent: dict[str, int]) -> tuple[int, ...]:
    """Where a row "{uid}_{sample}_{turn}" belongs; rows of prompts that are gone come last and are not taken."""
    uid, *rest = key.split("_")
    return sent.get(uid, len(sent)), *map(int, rest)


def _require(function: Any, parameter: str, does: str) -> None:
    if parameter not in inspect.signature(function).parameters:
        raise RuntimeError(
            f"verl's {function.__qualname__} takes no {parameter!r} any more; "
            f"curriculum_verl/verl_plugin/cpu/patches.py must learn how this version of verl {does}"
        )
