from types import SimpleNamespace

import pytest

pytest.importorskip("transfer_queue")

from curriculum_verl.verl_plugin import store


class Buffer:
    """A replay buffer as far as it drops groups."""

    def __init__(self) -> None:
        self.partitions = {"train": {"u_0_0": {"response_len": 3}, "u_1_0": {}, "v_0_0": {}}, "val": {"u_0_0": {}}}
        self.cleared: list[tuple] = []

    def _clear_groups(self, partition_id, uids) -> None:
        self.cleared.append((partition_id, uids))


def test_groups_are_shown_before_they_are_cleared_and_only_those_of_training(monkeypatch):
    monkeypatch.setattr(store, "_read", lambda keys, tags, partition: list(zip(keys, tags, strict=True)))
    buffer, shown = Buffer(), []
    store.before_clearing(buffer, shown.append)
    buffer._clear_groups("train", {"u"})
    buffer._clear_groups("val", {"u"})
    buffer._clear_groups("train", set())
    assert shown == [[("u_0_0", {"response_len": 3}), ("u_1_0", {})]]
    assert buffer.cleared == [("train", {"u"}), ("val", {"u"}), ("train", set())]


def test_a_sampler_of_the_users_own_is_let_be():
    sampler = SimpleNamespace()
    store.before_clearing(sampler, print)
    assert vars(sampler) == {}
