"""A tiny model for the tests of generation, as fixtures."""

from collections.abc import Callable, Iterator

import pytest

torch = pytest.importorskip("torch")

from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As the server computes: with two, a sum depends on the load of the machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def make_model() -> Callable[..., PreTrainedModel]:
    """A random model of a family."""

    def make(family: str = "qwen2", seed: int = 0, **settings: object) -> PreTrainedModel:
        torch.manual_seed(seed)
        sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
        config = AutoConfig.for_model(
            family,
            **{"vocab_size": 97, "num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 128}
            | sizes
            | settings,
        )
        return AutoModelForCausalLM.from_config(config, attn_implementation="sdpa").eval()

    return make


@pytest.fixture(scope="session")
def model(make_model: Callable[..., PreTrainedModel]) -> PreTrainedModel:
    return make_model()
