"""The entry point: found by verl, cheap where it is not wanted, loud where it fails."""

import os
import subprocess
import sys
from importlib.metadata import entry_points

import pytest

pytest.importorskip("verl")


def python(code: str, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("VERL_")}
    return subprocess.run([sys.executable, "-c", code], env=clean | env, capture_output=True, text=True, check=False)


def test_verl_finds_it() -> None:
    [found] = entry_points(group="verl.plugins", name="curriculum_verl")
    assert found.value == "curriculum_verl.verl_plugin.entry"


def test_it_costs_nothing_where_it_is_not_wanted() -> None:
    code = """
import sys
before = set(sys.modules)
import curriculum_verl.verl_plugin.entry
print(sorted(name.split(".")[0] for name in set(sys.modules) - before if not name.startswith("curriculum_verl")))
"""
    modules = python(code).stdout.strip()
    assert not {"torch", "verl", "ray", "transformers", "numpy"} & set(eval(modules)), modules


def test_installing_it_changes_nothing_in_verl() -> None:
    code = """
import verl
from verl.plugin.platform import PlatformRegistry
from verl.workers.rollout.replica import RolloutReplicaRegistry
from verl.workers.rollout.base import _ROLLOUT_REGISTRY
from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer
print(PlatformRegistry.registered_names(), sorted(RolloutReplicaRegistry._registry), sorted(_ROLLOUT_REGISTRY),
      ReplayBuffer.__init__.__module__, hasattr(ReplayBuffer.__init__, "__wrapped__"))
"""
    with_it, without = python(code), python(code, VERL_USE_EXTERNAL_PLUGINS="none")
    assert with_it.returncode == 0, with_it.stderr
    assert with_it.stdout == without.stdout
    assert "hf_cpu" not in with_it.stdout


def test_a_run_without_a_curriculum_is_validated_as_by_verl_alone() -> None:
    code = """
import sys, verl, verl.utils.config as config
from omegaconf import OmegaConf
try:
    config.validate_config(OmegaConf.create({"trainer": {"v1": {"trainer_mode": "sync"}}}), False, False)
except Exception as error:
    print(type(error).__name__, error)
print("curriculum_verl.curriculum" in sys.modules)
"""
    with_it, without = python(code), python(code, VERL_USE_EXTERNAL_PLUGINS="none")
    assert with_it.stdout == without.stdout
    assert with_it.stdout.splitlines()[-1] == "False"


def test_it_registers_the_cpu_where_it_is_wanted_and_loads_engines_only_with_verls() -> None:
    code = """
import sys, verl
print("verl.workers.engine" in sys.modules)
from verl.workers.engine import EngineRegistry
from verl.workers.rollout.base import get_rollout_class
from verl.workers.rollout.replica import get_rollout_replica_class
for kind in ("language_model", "value_model"):
    print(EngineRegistry.get_engine_cls(kind, "fsdp2").__name__)
print(get_rollout_class("hf_cpu").__name__, get_rollout_replica_class("hf_cpu").__name__)
"""
    run = python(code, VERL_PLATFORM="cpu")
    assert run.stdout.splitlines() == [
        "False",
        "LanguageModelEngine",
        "ValueModelEngine",
        "ServerAdapter HfReplica",
    ], run.stderr


def test_a_failure_is_told() -> None:
    code = """
import sys
sys.modules["curriculum_verl.verl_plugin.cpu.platform"] = None
import verl
"""
    run = python(code, VERL_PLATFORM="cpu")
    assert "curriculum_verl could not register its CPU platform" in run.stderr
    assert "curriculum_verl.verl_plugin.cpu.platform" in run.stderr, "and why"
