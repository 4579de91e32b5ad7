"""The actor's weights in the rollout's model."""

from collections.abc import Callable

import pytest
import torch
from peft import LoraConfig, get_peft_model
from peft.utils.save_and_load import get_peft_model_state_dict
from transformers import PreTrainedModel

from curriculum_verl.verl_plugin.cpu.weights import Weights, plain_name

Make = Callable[..., PreTrainedModel]


def test_wrappers_fall_off() -> None:
    name = "base_model.model._fsdp_wrapped_module.model.layers.0.self_attn.q_proj.base_layer.weight"
    assert plain_name(name) == "model.layers.0.self_attn.q_proj.weight"


def test_full_weights_in_buckets(make_model: Make) -> None:
    model, actor = make_model(seed=0), make_model(seed=1)
    weights, sent = Weights(model), list(actor.state_dict().items())
    for start in range(0, len(sent), 3):
        weights.receive(dict(sent[start : start + 3]))
    weights.finish()
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in sent)


def test_tied_weights_need_come_once(make_model: Make) -> None:
    model, actor = make_model(seed=0, tie_word_embeddings=True), make_model(seed=1, tie_word_embeddings=True)
    weights = Weights(model)
    weights.receive({name: tensor for name, tensor in actor.state_dict().items() if name != "lm_head.weight"})
    weights.finish()
    assert torch.equal(model.lm_head.weight, actor.lm_head.weight)


def test_a_parameter_left_out_is_an_error(make_model: Make) -> None:
    weights = Weights(make_model(seed=0))
    sent = make_model(seed=1).state_dict()
    del sent["model.norm.weight"]
    weights.receive(sent)
    with pytest.raises(ValueError, match=r"model\.norm\.weight"):
        weights.finish()


def test_an_unknown_parameter_is_an_error(make_model: Make) -> None:
    with pytest.raises(ValueError, match="nonsense"):
        Weights(make_model(seed=0)).receive({"nonsense.weight": torch.zeros(1)})


def adapted(make: Make, seed: int, **settings: object) -> tuple[torch.nn.Module, dict[str, object]]:
    """A base model with an adapter that is not zero."""
    config = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", **settings)
    peft = get_peft_model(make(seed=0), config)
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in peft.named_parameters():
            if "lora_" in name:
                parameter.normal_(std=0.1)
    return peft, peft.peft_config["default"].to_dict()


@pytest.mark.parametrize("settings", [{}, {"use_rslora": True}])
def test_merged_lora_is_what_peft_merges(make_model: Make, settings: dict[str, object]) -> None:
    model = make_model(seed=0)
    weights = Weights(model)
    for seed in (1, 2, 3):  # a second adapter replaces the first, it is not added to it
        peft, config = adapted(make_model, seed, **settings)
        weights.receive(get_peft_model_state_dict(peft))
        weights.finish(config)
        expected = peft.merge_and_unload().state_dict()
        ours = model.state_dict()
        assert expected.keys() == ours.keys()
        assert all(torch.allclose(ours[name], tensor, atol=1e-7, rtol=0) for name, tensor in expected.items())


def test_an_adapter_follows_new_base_weights(make_model: Make) -> None:
    model = make_model(seed=5)
    weights = Weights(model)
    peft, config = adapted(make_model, seed=1)
    weights.receive(get_peft_model_state_dict(peft))
    weights.finish(config)
    weights.receive(make_model(seed=0).state_dict())
    weights.finish(config)
    weights.receive(get_peft_model_state_dict(peft))
    weights.finish(config)
    expected = peft.merge_and_unload().state_dict()
    assert all(torch.allclose(model.state_dict()[n], t, atol=1e-7, rtol=0) for n, t in expected.items())


def test_an_adapter_without_its_configuration_is_an_error(make_model: Make) -> None:
    peft, _ = adapted(make_model, seed=1)
    weights = Weights(make_model(seed=0))
    weights.receive(get_peft_model_state_dict(peft))
    with pytest.raises(ValueError, match="without its configuration"):
        weights.finish()


def test_an_adapter_of_another_kind_is_refused(make_model: Make) -> None:
    peft, config = adapted(make_model, seed=1)
    weights = Weights(make_model(seed=0))
    weights.receive(get_peft_model_state_dict(peft))
    with pytest.raises(ValueError, match="use_dora"):
        weights.finish(config | {"use_dora": True})
