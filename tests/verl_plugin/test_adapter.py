import json
from types import SimpleNamespace

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")
import torch
from torch.distributed.tensor import Replicate, Shard

from curriculum_verl.errors import StateError
from curriculum_verl.verl_plugin.adapter import _join, export_adapter

NAME = "base_model.model.model.layers.0.self_attn.q_proj.lora_{}.default.weight"


def test_shards_are_joined_in_the_order_of_the_mesh():
    whole = torch.arange(20.0).reshape(5, 4)
    shards = list(whole.split(2))  # 2, 2 and 1 rows: the last shard of FSDP is the smaller one
    assert torch.equal(_join(shards, torch.tensor([0, 1, 2]), [Shard(0)]), whole)
    twice = [shards[0], shards[1], shards[2]] * 2  # two replicas of three shards
    assert torch.equal(_join(twice, torch.tensor([[0, 1, 2], [3, 4, 5]]), [Replicate(), Shard(0)]), whole)


def test_a_checkpoint_without_lora_has_no_adapter(tmp_path):
    assert not export_adapter(tmp_path, tmp_path / "out", "model")
    assert not (tmp_path / "out").exists()


def test_the_adapter_is_written_as_peft_names_it(tmp_path):
    from safetensors.torch import load_file

    weights = {NAME.format("A"): torch.rand(4, 8), NAME.format("B"): torch.rand(8, 4), "model.embed": torch.rand(2)}
    torch.save(weights, tmp_path / "model_world_size_1_rank_0.pt")
    meta = {"r": 4, "lora_alpha": 8, "task_type": "CAUSAL_LM"}
    (tmp_path / "lora_train_meta.json").write_text(json.dumps(meta))
    assert export_adapter(tmp_path, tmp_path / "out", "the/model")
    saved = load_file(tmp_path / "out" / "adapter_model.safetensors")
    assert saved.keys() == {name.replace(".default", "") for name in weights if "lora" in name}
    assert torch.equal(saved[NAME.format("B").replace(".default", "")], weights[NAME.format("B")])
    config = SimpleNamespace(**json.loads((tmp_path / "out" / "adapter_config.json").read_text()))
    assert (config.r, config.lora_alpha, config.target_modules) == (4, 8, ["q_proj"])
    assert config.base_model_name_or_path == "the/model"


def test_a_checkpoint_of_another_engine_is_named(tmp_path):
    (tmp_path / "lora_train_meta.json").write_text('{"r": 4, "lora_alpha": 8}')
    with pytest.raises(StateError, match="expected the checkpoint of verl's FSDP engine"):
        export_adapter(tmp_path, tmp_path / "out", "model")
