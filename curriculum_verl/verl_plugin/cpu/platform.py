"""The CPU as a platform of verl."""
# ruff: noqa: D102  # what each method is for is said by torch.cuda and by verl's base class

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import psutil  # type: ignore[import-untyped]  # comes with Ray and PEFT
import torch
from verl.plugin.platform import PlatformBase, PlatformRegistry

from curriculum_verl.verl_plugin.entry import cpu_requested


class DeviceId(str):
    """The one device. verl writes both `x.to(id)` and f"{name}:{id}": as a string it is "cpu", formatted it is "0"."""

    __slots__ = ()

    def __new__(cls) -> "DeviceId":
        return super().__new__(cls, "cpu")

    def __format__(self, spec: str) -> str:
        return format("0", spec)

    def __reduce__(self) -> tuple[type["DeviceId"], tuple[()]]:
        return DeviceId, ()


class Device(ModuleType):
    """What torch.cuda is to a GPU. What it lacks comes from torch.cpu; memory is that of this process."""

    def __init__(self) -> None:
        super().__init__("curriculum_verl_cpu_device")

    def __getattr__(self, name: str) -> Any:
        return getattr(torch.cpu, name)

    def is_available(self) -> bool:
        """False: verl asks this before it empties caches and pins memory, which a CPU has not."""
        return False

    def device_count(self) -> int:
        return 1

    def current_device(self) -> int:
        return 0

    def get_device_name(self, *_: Any) -> str:
        return "CPU"

    def nothing(self, *_: Any, **__: Any) -> None:
        """What a CPU has no need of."""

    set_device = synchronize = empty_cache = ipc_collect = nothing
    reset_peak_memory_stats = reset_accumulated_memory_stats = set_per_process_memory_fraction = nothing

    def manual_seed(self, seed: int) -> None:
        torch.manual_seed(seed)

    manual_seed_all = manual_seed

    def get_rng_state(self, *_: Any) -> torch.Tensor:
        return torch.get_rng_state()

    def set_rng_state(self, state: torch.Tensor, *_: Any) -> None:
        torch.set_rng_state(state)

    def memory_allocated(self, *_: Any) -> int:
        return int(psutil.Process().memory_info().rss)

    memory_reserved = memory_allocated

    def max_memory_allocated(self, *_: Any) -> int:
        """The most this process has held; Linux counts it in KiB, macOS in bytes."""
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

    max_memory_reserved = max_memory_allocated

    def mem_get_info(self, *_: Any) -> tuple[int, int]:
        memory = psutil.virtual_memory()
        return memory.available, memory.total


DEVICE, DEVICE_ID = Device(), DeviceId()


@PlatformRegistry.register(platform="cpu")
class CpuPlatform(PlatformBase):
    """The CPU. Available only when asked for: the head node of a GPU cluster often has no GPU, and is no laptop."""

    device_name = "cpu"
    vendor_name = "cpu"
    device_module = DEVICE

    def is_available(self) -> bool:
        return cpu_requested()

    def current_device(self) -> DeviceId:  # type: ignore[override]  # verl promises an int, and hands it to .to()
        return DEVICE_ID

    def device_count(self) -> int:
        return 1

    def set_device(self, device_index: int) -> None:
        """There is one."""

    def synchronize(self, device_index: int | None = None) -> None:
        """Nothing runs behind our back."""

    def manual_seed(self, seed: int) -> None:
        torch.manual_seed(seed)

    def manual_seed_all(self, seed: int) -> None:
        torch.manual_seed(seed)

    def set_allocator_settings(self, settings: str) -> None:
        """The system's allocator takes none."""

    def empty_cache(self) -> None:
        """There is none."""

    def get_device_capability(self, device_index: int = 0) -> tuple[int | None, int | None]:
        return None, None

    def communication_backend_name(self) -> str:
        return "gloo"

    def visible_devices_envvar(self) -> str:
        return "CUDA_VISIBLE_DEVICES"

    @contextmanager
    def nvtx_range(self, msg: str) -> Iterator[None]:
        yield

    def profiler_start(self) -> None:
        """No profiler."""

    def profiler_stop(self) -> None:
        """No profiler."""

    def ray_resource_name(self) -> str:
        """Logical GPUs, declared in the config: verl's resource pools count nothing but "GPU" and "NPU"."""
        return "GPU"

    def ray_noset_envvars(self) -> list[str]:
        return []

    def is_ipc_supported(self) -> bool:
        return False

    def cudart(self) -> None:
        return None
