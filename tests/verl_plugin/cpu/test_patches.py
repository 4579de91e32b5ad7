"""What is mended in verl, on stand-ins; the contract tests say that verl is like them."""

from types import SimpleNamespace
from typing import Any

import pytest

from curriculum_verl.verl_plugin.cpu import patches


class Buffer:
    """As verl's: takes rows in the order in which they finished."""

    def __init__(self, rows: dict[str, int], sent: list[str], poll_interval: float = 2.0) -> None:
        self.rows, self.poll_interval = rows, poll_interval
        self.prompt_global_steps = {"train": dict.fromkeys(sent, 1)}

    def _select_prompt_uids(self, partition_id: str, sampleable_keys: Any, batch_size: int) -> Any:
        return list(sampleable_keys)[:batch_size], self.rows, self.prompt_global_steps[partition_id]


@pytest.fixture
def mended() -> type[Buffer]:
    fresh = type("Fresh", (Buffer,), {"__init__": Buffer.__init__, "_select_prompt_uids": Buffer._select_prompt_uids})
    patches.mend_replay_buffer(SimpleNamespace(ReplayBuffer=fresh))
    return fresh


def test_the_buffer_looks_often_unless_told_otherwise(mended: type[Buffer]) -> None:
    assert mended({}, []).poll_interval == patches.POLL_SECONDS
    assert mended({}, [], poll_interval=1.0).poll_interval == 1.0


def test_rows_come_as_their_prompts_were_sent(mended: type[Buffer]) -> None:
    finished = ["c_0_0", "a_10_0", "b_0_0", "a_2_1", "gone_0_0", "a_2_0"]
    buffer = mended(dict.fromkeys(finished, 0), ["a", "b", "c"])
    selected, rows, _ = buffer._select_prompt_uids("train", {"c", "b", "a"}, 2)
    assert selected == ["a", "b"]
    assert list(rows) == ["a_2_0", "a_2_1", "a_10_0", "b_0_0", "c_0_0", "gone_0_0"]


def test_a_verl_that_waits_otherwise_is_refused() -> None:
    class Other:
        def __init__(self, rows: object) -> None: ...

        def _select_prompt_uids(self, partition_id: str, sampleable_keys: object, batch_size: int) -> None: ...

    with pytest.raises(RuntimeError, match="poll_interval"):
        patches.mend_replay_buffer(SimpleNamespace(ReplayBuffer=Other))


def test_the_process_group_names_gloo_once() -> None:
    asked: list[Any] = []

    def initialize(timeout_second: Any = None, backend: Any = None) -> None:
        asked.append((timeout_second, backend))

    distributed = SimpleNamespace(initialize_global_process_group_ray=initialize)
    patches.mend_process_group(distributed)
    distributed.initialize_global_process_group_ray(timeout_second=3)
    distributed.initialize_global_process_group_ray(backend="cpu:mpi")
    assert asked == [(3, "cpu:gloo"), (None, "cpu:mpi")]


def test_a_process_group_without_a_backend_is_refused() -> None:
    with pytest.raises(RuntimeError, match="backend"):
        patches.mend_process_group(SimpleNamespace(initialize_global_process_group_ray=lambda timeout_second: None))
