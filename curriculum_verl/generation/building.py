"""From settings to a backend.

with closing(build_backend(BackendSettings("hf", "path/to/model"))) as backend:
    asked = Request("a", [{"role": "user", "content": "2+2="}], count=4, seed=0)
    for request, responses in backend.sample([asked], Sampling(max_tokens=64)):
        ...
"""

from curriculum_verl.generation.backend import Backend
from curriculum_verl.generation.settings import BackendSettings


def build_backend(settings: BackendSettings) -> Backend:
    """A model that is loaded, or a server that has answered; InputError when it cannot be had. Close it after use."""
    if settings.kind == "hf":
        from curriculum_verl.generation.backends.hugging_face import HuggingFace

        return HuggingFace(settings)
    if settings.kind == "vllm":
        from curriculum_verl.generation.backends.vllm import Vllm

        return Vllm(settings)
    from curriculum_verl.generation.backends.openai import OpenAi

    return OpenAi(settings)
