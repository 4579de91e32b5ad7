"""What the plug-in relies on in verl without verl promising it; each test names the thing and when it was last true.

Read with verl 0.9.1. When one fails, the file that it names must learn what the new version does.
"""

import inspect
import warnings
from importlib.metadata import version

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("verl")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import verl.experimental.agent_loop.agent_loop as agent_loop
    import verl.trainer.ppo.v1.agent_loop_tq as agent_loop_tq
    import verl.trainer.ppo.v1.replay_buffer as replay_buffer
    import verl.utils.distributed as distributed
    import verl.workers.engine.fsdp.transformer_impl as transformer_impl
    import verl.workers.rollout.base as rollout_base
    from verl.workers.rollout.replica import RolloutReplica, RolloutReplicaRegistry

VERL = f"verl {version('verl')} is not as 0.9.1 was: "


def parameters(function: object) -> list[str]:
    """A function's parameters; Ray adds one of its own to the methods of actors."""
    return [name for name in inspect.signature(function).parameters if name != "_ray_trace_ctx"]  # type: ignore[arg-type]


def test_cpu_process_group_backend() -> None:
    """cpu/patches.py: verl asks for a backend of each device; torch rejects "cpu" twice."""
    assert parameters(distributed.initialize_global_process_group_ray) == ["timeout_second", "backend"], VERL
    source = inspect.getsource(distributed.initialize_global_process_group_ray)
    assert 'f"cpu:gloo,{get_device_name()}:{get_nccl_backend()}"' in source, VERL + "is the patch still needed?"
    with pytest.raises(ValueError, match="cpu"):
        torch.distributed.distributed_c10d.BackendConfig("cpu:gloo,cpu:gloo")


def test_cpu_replay_buffer_polls_slowly() -> None:
    """cpu/patches.py: the buffer takes poll_interval, nobody passes it."""
    assert inspect.signature(replay_buffer.ReplayBuffer.__init__).parameters["poll_interval"].default == 2.0, VERL
    assert "time.sleep(self.poll_interval)" in inspect.getsource(replay_buffer.ReplayBuffer._wait_for_next_poll), VERL


def test_cpu_replay_buffer_takes_rows_in_any_order() -> None:
    """cpu/patches.py: rows come in the order of the dict that _select_prompt_uids returns."""
    buffer = replay_buffer.ReplayBuffer
    assert parameters(buffer._select_prompt_uids) == ["self", "partition_id", "sampleable_keys", "batch_size"], VERL
    assert "for key, tag in partition_snapshot.items()" in inspect.getsource(buffer._materialize_batch), VERL
    assert "_select_prompt_uids" not in vars(replay_buffer.ReplayBufferAsync), VERL
    assert 'f"{uid}_{session_id}_{i}"' in inspect.getsource(agent_loop_tq), VERL + "rows have other keys"


def test_cpu_engine_offloads_the_reference_to_pinned_memory() -> None:
    """cpu/engine.py: forward_only is what chooses the offload, inside _build_fsdp_module."""
    source = inspect.getsource(transformer_impl.FSDPEngine._build_fsdp_module)
    assert "self.engine_config.offload_policy or self.engine_config.forward_only" in source, VERL
    assert "CPUOffloadPolicy(pin_memory=True)" in source, VERL
    assert callable(transformer_impl.FSDPEngine.initialize), VERL


def test_cpu_value_model_insists_on_flash_attention() -> None:
    """cpu/engine.py: the loader is looked up where it is replaced, and still needs to be."""
    import verl.utils.model

    assert "from verl.utils.model import load_valuehead_model" in inspect.getsource(
        transformer_impl.FSDPEngine._build_module
    ), VERL
    assert 'attn_implementation="flash_attention_2"' in inspect.getsource(verl.utils.model.load_valuehead_model), VERL
    expected = ["local_path", "torch_dtype", "model_config", "trust_remote_code"]
    assert parameters(verl.utils.model.load_valuehead_model) == expected, VERL


def test_cpu_rollout_registries() -> None:
    """cpu/register.py: two registries, one of them private."""
    assert rollout_base._ROLLOUT_REGISTRY["vllm", "async"].endswith(".ServerAdapter"), VERL
    assert parameters(RolloutReplicaRegistry.register) == ["name", "loader"], VERL


def test_cpu_replica_attributes() -> None:
    """cpu/replica.py: what launch_servers must set, and what it may read."""
    source = inspect.getsource(RolloutReplica)
    for name in ("_server_handle", "_server_address", "servers", "world_size", "name_suffix", "max_concurrency"):
        assert name in source, VERL + name


def test_cpu_agent_loop_worker_under_its_actor() -> None:
    """cpu/agent_loop.py: the class that @ray.remote hides, the one method that is overridden, and its callers."""
    worker = agent_loop_tq.AgentLoopWorkerTQ.__ray_actor_class__
    assert issubclass(worker, agent_loop.AgentLoopWorker), VERL
    run = parameters(agent_loop.AgentLoopWorker._run_agent_loop)
    assert run == ["self", "sampling_params", "trajectory", "agent_name", "trace", "kwargs"], VERL
    assert "session_id=i" in inspect.getsource(worker._run_prompt), VERL
    source = inspect.getsource(agent_loop_tq.AgentLoopManagerTQ)
    assert "self.agent_loop_workers_class = AgentLoopWorkerTQ" in source, VERL
    calling_super = {
        name
        for name, method in inspect.getmembers(worker, inspect.isfunction)
        if "__class__" in method.__code__.co_freevars
    }
    assert calling_super <= {"__init__"}, VERL + "Ray would send these by value; define them in SeededWorker"


def test_cpu_agent_loop_passes_sampling_parameters_on() -> None:
    """cpu/agent_loop.py: the seed travels inside them, through verl's own agent loops."""
    import verl.experimental.agent_loop.single_turn_agent_loop as single
    import verl.experimental.agent_loop.tool_agent_loop as tools

    for module in (single, tools):
        assert "sampling_params=" in inspect.getsource(module), VERL + module.__name__
