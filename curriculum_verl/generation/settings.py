"""What a backend is told: which model, where it runs, how much at once."""

from dataclasses import dataclass, field
from typing import Any, Literal

from curriculum_verl.errors import ConfigError

Kind = Literal["hf", "vllm", "openai"]
KINDS: tuple[Kind, ...] = ("hf", "vllm", "openai")
DTYPES = ("auto", "float32", "bfloat16", "float16")


@dataclass(frozen=True, slots=True)
class BackendSettings:
    """`model` is a folder of a Hugging Face model, a folder with a LoRA adapter, or a name on the hub; for `openai` it
    is the server's name of the model.

    `base_model` stands under an adapter in place of the one that its adapter_config.json names. `batch` is how many
    responses are in the making at once; `context` how many tokens a prompt and its response may have together (None:
    what the model takes). The last six are for `openai` alone, the three before them for `vllm`.

    A request that can never be answered, such as a prompt longer than the context, is a RefusedError; with
    `refused="skip"` it comes back without responses instead, and the reason stands in the backend's `refused`.
    """

    kind: Kind
    model: str
    base_model: str | None = None
    dtype: str = "auto"  # float32 on a CPU, else what the model was saved in
    device: str = "auto"  # a GPU if there is one; `hf` only
    batch: int | None = None  # 16 for `hf`, vLLM's own for `vllm`
    context: int | None = None
    threads: int = 1  # of `hf` on a CPU; with more the last bits, and so some tokens, depend on the moment
    template: dict[str, Any] = field(default_factory=dict)  # more for the chat template, such as enable_thinking
    refused: Literal["error", "skip"] = "error"
    tensor_parallel: int = 1
    gpu_memory: float = 0.9  # share of it that vLLM may use
    eager: bool = False  # vLLM without CUDA graphs
    url: str | None = None  # such as http://localhost:8000/v1
    api_key: str = "OPENAI_API_KEY"  # the environment variable that holds it
    concurrency: int = 8
    requests_per_minute: float | None = None
    retries: int = 6
    timeout: float = 600.0  # seconds that a request may take

    def __post_init__(self) -> None:
        problems = []
        if self.kind not in KINDS:
            problems.append(f"kind: got {self.kind!r}, expected one of {', '.join(KINDS)}")
        if self.dtype not in DTYPES:
            problems.append(f"dtype: got {self.dtype!r}, expected one of {', '.join(DTYPES)}")
        for name in ("batch", "threads", "tensor_parallel", "concurrency"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                problems.append(f"{name}: got {getattr(self, name)}, expected at least 1")
        if self.kind == "openai" and not self.url:
            problems.append("url: is missing, expected the server's base URL, such as http://localhost:8000/v1")
        if self.kind == "openai" and self.base_model:
            problems.append("base_model: has no meaning for a server, which knows its models by name")
        if self.requests_per_minute is not None and self.requests_per_minute <= 0:
            problems.append(f"requests_per_minute: got {self.requests_per_minute:g}, expected a number above 0")
        if self.retries < 0 or self.timeout <= 0:
            problems.append("retries and timeout: expected at least 0, and above 0")
        if problems:
            raise ConfigError(problems, "backend")
