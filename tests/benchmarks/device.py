"""Where models are measured: on one thread of the CPU, or on a GPU."""

import argparse
import os
import sys
import time
from dataclasses import dataclass

CPU, CUDA = "cpu", "cuda"


@dataclass(frozen=True, slots=True)
class Device:
    """`gpu` says which one, and nothing of a CPU."""

    name: str
    gpu: str = ""

    def now(self) -> float:
        """Seconds of the processor; of a GPU, which works on behind one's back, those of the clock when it is done."""
        if self.name == CPU:
            return time.process_time()
        import torch

        torch.cuda.synchronize()
        return time.perf_counter()

    def held(self) -> str:
        """The most of a GPU's memory that this process ever took, in words."""
        if self.name == CPU:
            return ""
        import torch

        return f" On the GPU it took {torch.cuda.max_memory_allocated() / 1e9:,.1f} GB at most."


def add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", choices=[CPU, CUDA], default=CPU, help=f"where it is measured (default: {CPU})")


def take_device(name: str) -> Device:
    """The device that was asked for, and no other; to be called before anything imports torch."""
    if name == CPU:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    import torch

    if name == CPU:
        torch.set_num_threads(1)
        return Device(CPU)
    if not torch.cuda.is_available():
        found = f"torch {torch.__version__} finds none"
        sys.exit(f"--device {CUDA}: {found}, expected an NVIDIA GPU here and a torch that is built for it")
    return Device(CUDA, torch.cuda.get_device_name())
