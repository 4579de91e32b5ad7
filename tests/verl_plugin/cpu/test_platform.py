"""The CPU as a platform of verl, in processes of their own: a platform is chosen once in a process."""

import os
import pickle
import subprocess
import sys

import pytest
import torch

from curriculum_verl.verl_plugin.cpu.platform import DEVICE, DEVICE_ID, CpuPlatform


def outcome(code: str, **env: str) -> str:
    """What a fresh process prints last."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("VERL_")}
    run = subprocess.run([sys.executable, "-c", code], env=clean | env, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


CHOSEN = "import verl; from verl.plugin.platform import get_platform; print(type(get_platform()).__name__)"


def test_it_is_chosen_by_name() -> None:
    assert outcome(CHOSEN, VERL_PLATFORM="cpu") == "CpuPlatform"


def test_it_never_wins_where_nobody_asked() -> None:
    registered = "import verl, curriculum_verl.verl_plugin.cpu.platform;" + CHOSEN
    assert outcome(registered) == outcome(CHOSEN) == "PlatformCUDA", "verl's own choice without a GPU"


@pytest.mark.parametrize(("wish", "available"), [("cpu", True), (" CPU ", True), ("nvidia", False), ("", False)])
def test_it_is_available_when_asked_for(monkeypatch: pytest.MonkeyPatch, wish: str, available: bool) -> None:
    monkeypatch.setenv("VERL_PLATFORM", wish)
    assert CpuPlatform().is_available() is available
    assert CpuPlatform().is_platform_available(use_smi_check=True) is available


def test_the_device_serves_both_ways_in_which_verl_uses_it() -> None:
    assert torch.ones(1).to(DEVICE_ID).device.type == "cpu"
    assert torch.ones(1).to(f"cpu:{DEVICE_ID}").device.type == "cpu"
    assert torch.device(DEVICE_ID).type == "cpu"
    travelled = pickle.loads(pickle.dumps(DEVICE_ID))
    assert (travelled, f"{travelled}") == ("cpu", "0")


def test_the_device_answers_what_torch_cuda_answers() -> None:
    free, total = DEVICE.mem_get_info()
    assert 0 < free < total
    assert DEVICE.memory_allocated() > 0
    assert DEVICE.max_memory_allocated() > 0
    state = DEVICE.get_rng_state()
    first = torch.rand(3)
    DEVICE.set_rng_state(state)
    assert torch.equal(torch.rand(3), first)
    assert DEVICE.synchronize() is None
    assert DEVICE.empty_cache() is None
    assert DEVICE.is_available() is False
