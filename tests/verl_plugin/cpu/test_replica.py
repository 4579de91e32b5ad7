"""How weights travel from the training worker to the server, and what the replica refuses."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from curriculum_verl.verl_plugin.cpu.replica import HfReplica, ServerAdapter


class Server:
    """Notes what it is told, as a Ray actor's handle would pass it on."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        async def remote(*arguments: Any) -> None:
            self.told.append((name, arguments))

        return SimpleNamespace(remote=remote)


def adapter(bucket_bytes: int, server: Server) -> ServerAdapter:
    made = ServerAdapter.__new__(ServerAdapter)
    made._bucket_bytes, made._found = bucket_bytes, server
    return made


def test_weights_go_in_buckets_between_begin_and_end() -> None:
    server = Server()
    weights = ((f"w{n}", torch.zeros(10)) for n in range(5))  # 40 bytes each
    asyncio.run(adapter(80, server).update_weights(weights, global_steps=3, peft_config={"r": 4}))
    assert [name for name, _ in server.told] == ["begin_weights", *["receive_weights"] * 3, "end_weights"]
    assert [list(arguments[0]) for name, arguments in server.told[1:-1]] == [["w0", "w1"], ["w2", "w3"], ["w4"]]
    assert server.told[-1] == ("end_weights", ({"r": 4}, 3))


def test_deltas_are_refused() -> None:
    server = Server()
    with pytest.raises(ValueError, match="delta_flush"):
        asyncio.run(adapter(80, server).update_weights(iter([]), wire_format="delta_flush"))
    assert server.told == []


def test_tensor_parallelism_is_refused() -> None:
    replica = HfReplica.__new__(HfReplica)
    replica.world_size = 2
    with pytest.raises(ValueError, match="tensor_model_parallel_size=1"):
        asyncio.run(replica.launch_servers())
