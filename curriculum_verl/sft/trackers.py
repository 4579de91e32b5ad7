"""W&B and TensorBoard beside Hugging Face's own callbacks, which would put train/ before every name of ours."""

from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any

from transformers.integrations.integration_utils import TensorBoardCallback


class Trackers:
    """Logs under the names it is given; in the shape of verl's Tracking, which the Reporter knows."""

    def __init__(self, names: Iterable[str], callbacks: Iterable[Any]):
        self._names = tuple(names)
        self._boards = [callback for callback in callbacks if isinstance(callback, TensorBoardCallback)]

    @property
    def logger(self) -> dict[str, Any]:
        """What can be written to directly; TensorBoard's writer is there once training has begun."""
        writers = [board.tb_writer for board in self._boards if board.tb_writer is not None]
        return {"tensorboard": SimpleNamespace(writer=writers[0])} if writers else {}

    def log(self, data: Mapping[str, Any], step: int, backend: Iterable[str] | None = None) -> None:
        """Log numbers, or text where the backend takes it."""
        wanted = self._names if backend is None else [name for name in self._names if name in backend]
        if "wandb" in wanted:
            import wandb

            if wandb.run is not None:
                wandb.log({**data, "train/global_step": step})
        if "tensorboard" in wanted and "tensorboard" in self.logger:
            for name, value in data.items():
                self.logger["tensorboard"].writer.add_scalar(name, value, step)
