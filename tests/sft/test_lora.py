import json
from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM

from curriculum_verl.errors import ConfigError
from curriculum_verl.sft.config import LoraConfig
from curriculum_verl.sft.lora import add_adapters


@pytest.fixture
def model(toy: Path):
    return AutoModelForCausalLM.from_pretrained(toy / "model")


def write(folder: Path, **content: object) -> str:
    path = folder / "lora_rank_config.json"
    path.write_text(json.dumps(content))
    return str(path)


def ranks(model) -> dict[str, int]:
    return {
        name.split(".lora_A")[0].rsplit(".", 1)[-1]: parameter.shape[0]
        for name, parameter in model.named_parameters()
        if "lora_A" in name
    }


def test_every_linear_module_has_an_adapter_which_alone_is_trained(model) -> None:
    made = add_adapters(model, LoraConfig(rank=3))
    assert set(ranks(made)) == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    assert set(ranks(made).values()) == {3}
    assert all("lora_" in name for name, parameter in made.named_parameters() if parameter.requires_grad)


def test_modules_have_the_ranks_and_scales_of_the_file(model, tmp_path: Path) -> None:
    path = write(
        tmp_path,
        r=4,
        target_modules=["q_proj", "v_proj", "up_proj"],
        rank_pattern={"q_proj": 8, "layers.0.mlp.up_proj": 2},
        alpha_pattern={"q_proj": 32},
    )
    made = add_adapters(model, LoraConfig(rank=16, ranks=path))
    assert ranks(made) == {"q_proj": 8, "v_proj": 4, "up_proj": 2}
    layer = made.base_model.model.model.layers[0]
    assert layer.self_attn.q_proj.scaling["default"] == 32 / 8
    assert layer.self_attn.v_proj.scaling["default"] == 1.0


def test_a_module_that_the_model_lacks_is_named_with_the_nearest(model, tmp_path: Path) -> None:
    path = write(tmp_path, rank_pattern={"q_prj": 8, "up_proj": 2}, alpha_pattern={"attention.query": 3})
    with pytest.raises(ConfigError) as caught:
        add_adapters(model, LoraConfig(ranks=path))
    wrong, far = caught.value.problems
    assert wrong.startswith("rank_pattern.q_prj: no module")
    assert "did you mean q_proj" in wrong
    assert far.startswith("alpha_pattern.attention.query: no module")


def test_targets_are_ends_of_names_and_patterns_may_be_regular_expressions(model, tmp_path: Path) -> None:
    path = write(tmp_path, target_modules=["q_.*", "proj"], rank_pattern={"[": 2})
    with pytest.raises(ConfigError) as caught:
        add_adapters(model, LoraConfig(ranks=path))
    first, second, third = caught.value.problems
    assert first.startswith("target_modules.q_.*: no module that gets an adapter has that name")
    assert second.startswith("target_modules.proj: no module")
    assert third.startswith("rank_pattern.[: expected the end of a module's name or a regular expression: ")
    path = write(tmp_path, r=2, target_modules=["self_attn.q_proj", "v_proj"], rank_pattern={"[qk]_.*": 5})
    assert ranks(add_adapters(model, LoraConfig(ranks=path))) == {"q_proj": 5, "v_proj": 2}


def test_a_pattern_for_a_module_without_an_adapter_is_a_mistake(model, tmp_path: Path) -> None:
    path = write(tmp_path, rank_pattern={"up_proj": 8})
    with pytest.raises(ConfigError, match=r"rank_pattern\.up_proj: no module that gets an adapter"):
        add_adapters(model, LoraConfig(target=("q_proj",), ranks=path))


def test_a_file_with_mistakes_is_refused_with_all_of_them(model, tmp_path: Path) -> None:
    path = write(tmp_path, rank_pattern={"q_proj": 0}, ranks={})
    with pytest.raises(ConfigError) as caught:
        add_adapters(model, LoraConfig(ranks=path))
    assert len(caught.value.problems) == 2
