"""Where workers run: in this process, in several with a share of the GPUs each, or on Ray with GPUs of their own."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curriculum_verl.errors import InputError
from curriculum_verl.generation.job import Job
from curriculum_verl.generation.processes import run_all
from curriculum_verl.generation.worker import Work, run_worker
from curriculum_verl.parallel import RETRIES, runner


@dataclass(frozen=True, slots=True)
class Placing:
    """`workers` processes (None: one, or on Ray as many as there are GPUs), and the address of a Ray cluster."""

    workers: int | None = None
    ray_address: str | None = None

    def run(self, job: Job, state: Path, positions: range) -> None:
        """Have all workers do their shares; the first error ends the run."""
        if self.ray_address is not None:
            self._on_ray(job, state, positions, self.ray_address)
            return
        count = self.workers or 1
        if count == 1:
            run_worker(Work(job, state, positions))
            return
        gpus = share_gpus(count, job.backend.tensor_parallel, visible_gpus())
        run_all(run_worker, [Work(job, state, positions, number, count, gpus[number]) for number in range(count)])

    def _on_ray(self, job: Job, state: Path, positions: range, address: str) -> None:
        with runner(ray_address=address):
            import ray

            resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
            gpus_each = job.backend.tensor_parallel if resources.get("GPU") else 0
            room = resources["GPU"] // gpus_each if gpus_each else 1
            count = self.workers or max(1, int(room))
            remote: Any = ray.remote(_work_in).options(num_gpus=gpus_each, max_retries=RETRIES)
            here = Path.cwd()
            tasks = [remote.remote(here, Work(job, state, positions, number, count)) for number in range(count)]
            try:
                ray.get(tasks)
            except ray.exceptions.RayTaskError as error:
                raise error.cause if isinstance(error.cause, Exception) else error from None
            except ray.exceptions.RayError as error:
                raise InputError(f"--ray: a worker was lost, and again when it was repeated: {error}") from error


def _work_in(folder: Path, work: Work) -> None:
    """Where the command was started, so that the names of files mean the same there."""
    if folder.is_dir():
        os.chdir(folder)
    run_worker(work)


def visible_gpus() -> list[str]:
    """The GPUs of this machine, as CUDA_VISIBLE_DEVICES names them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name for name in named.split(",") if name]
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]


def share_gpus(workers: int, each: int, gpus: Sequence[str]) -> list[str | None]:
    """What each worker may see of the GPUs: `each` of its own if there are enough, else it shares one with others."""
    if not gpus:
        return [None] * workers
    if workers * each <= len(gpus):
        return [",".join(gpus[number * each : (number + 1) * each]) for number in range(workers)]
    if each > 1:
        raise InputError(
            f"--workers: got {workers} with {each} GPUs each, but there are {len(gpus)}; use fewer workers"
        )
    return [gpus[number % len(gpus)] for number in range(workers)]
