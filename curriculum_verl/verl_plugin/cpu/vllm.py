"""vLLM's worker on a CPU, made to take the actor's weights after every step; named in platform/cpu_vllm.yaml."""

from typing import Any

import torch
from vllm.model_executor.layers import utils  # type: ignore[import-not-found]  # installed by `make test-vllm` only
from vllm.v1.worker.cpu_worker import CPUWorker  # type: ignore[import-not-found]


class Worker(CPUWorker):  # type: ignore[misc]  # see above
    """Multiplies with the weights as they are.

    vLLM's own worker packs them for oneDNN or AMX once they are loaded and throws the originals away: what the actor
    sends then has no parameter to go to, and the engine dies.
    """

    def load_model(self, **kwargs: Any) -> None:
        """Load as vLLM does, but for the packing."""
        pack = utils.dispatch_cpu_unquantized_gemm

        def leave_plain(layer: Any, remove_weight: bool) -> None:
            if layer.weight.ndim == 2:
                layer.cpu_linear = torch.nn.functional.linear
            else:
                pack(layer, remove_weight)  # convolutions and experts are no linear layers

        utils.dispatch_cpu_unquantized_gemm = leave_plain
        super().load_model(**kwargs)
