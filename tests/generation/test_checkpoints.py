"""What a path holds: real folders of a model, an adapter and verl's checkpoints, and those that are none of them."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from toy_checkpoints import changed_model

from curriculum_verl.errors import InputError
from curriculum_verl.generation.checkpoints import Checkpoint, find_checkpoint
from curriculum_verl.generation.merging import loadable


def logits(model: str, base: str | None) -> torch.Tensor:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    made: Any = AutoModelForCausalLM.from_pretrained(base or model, dtype=torch.float32)
    made = made if base is None else PeftModel.from_pretrained(made, model)
    return logits_of(made)


def logits_of(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return model.eval()(input_ids=torch.arange(3, 20)[None]).logits


def test_a_model_and_an_adapter_are_taken_as_they_are(model: Path, adapter: Path, tmp_path: Path) -> None:
    assert find_checkpoint(str(model)) == Checkpoint("ready", str(model))
    assert find_checkpoint(str(adapter)) == Checkpoint("ready", str(adapter))
    moved = shutil.copytree(adapter, tmp_path / "moved")
    config = json.loads((moved / "adapter_config.json").read_text())
    (moved / "adapter_config.json").write_text(json.dumps(config | {"base_model_name_or_path": None}))
    with pytest.raises(InputError, match="--base-model"):
        find_checkpoint(str(moved))
    assert find_checkpoint(str(moved), str(model)) == Checkpoint("ready", str(moved), str(model))


@pytest.mark.parametrize("inside", ["global_step_3", "global_step_3/actor"])
def test_a_checkpoint_of_verl_is_merged_to_the_weights_that_were_saved(
    verl_checkpoints: Path, model: Path, tmp_path: Path, inside: str
) -> None:
    found = find_checkpoint(str(verl_checkpoints / "full" / inside))
    assert (found.kind, Path(found.model).name) == ("merge", "actor")
    if inside.endswith("actor"):
        return
    made = loadable(found, tmp_path / "merged")
    assert made == (str(tmp_path / "merged"), None)
    assert torch.equal(logits(*made), logits_of(changed_model(model, "full")))
    assert not torch.equal(logits(*made), logits(str(model), None))
    before = (tmp_path / "merged" / "config.json").stat().st_mtime_ns
    assert loadable(found, tmp_path / "merged") == made
    assert (tmp_path / "merged" / "config.json").stat().st_mtime_ns == before, "merged once"
    assert [entry.name for entry in tmp_path.iterdir()] == ["merged"]


def test_a_checkpoint_with_lora_is_merged_to_a_base_and_its_adapter(
    verl_checkpoints: Path, model: Path, tmp_path: Path
) -> None:
    made = loadable(find_checkpoint(str(verl_checkpoints / "lora" / "global_step_3")), tmp_path / "merged")
    assert made == (str(tmp_path / "merged" / "lora_adapter"), str(tmp_path / "merged"))
    assert torch.equal(logits(*made), logits_of(changed_model(model, "lora")))


def test_with_a_base_model_the_adapter_alone_is_taken_out(
    verl_checkpoints: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subprocess.run", None)  # nothing is merged
    found = find_checkpoint(str(verl_checkpoints / "lora_only" / "global_step_3"), str(model))
    made = loadable(found, tmp_path / "taken")
    assert made == (str(tmp_path / "taken"), str(model))
    assert torch.allclose(logits(*made), logits_of(changed_model(model, "lora")), atol=2e-2)
    assert not torch.allclose(logits(*made), logits(str(model), None), atol=0.2)


def test_a_checkpoint_of_adapters_alone_asks_for_the_model_under_them(verl_checkpoints: Path, tmp_path: Path) -> None:
    found = find_checkpoint(str(verl_checkpoints / "lora_only" / "global_step_3"))
    with pytest.raises(InputError, match=r"(?s)exit code 1.*no complete model weights.*--base-model"):
        loadable(found, tmp_path / "merged")
    assert list(tmp_path.iterdir()) == [], "what was half made is gone"


def test_the_adapter_that_a_stage_kept_is_used_where_its_base_is_there(
    verl_checkpoints: Path, adapter: Path, model: Path, tmp_path: Path
) -> None:
    step = shutil.copytree(verl_checkpoints / "lora" / "global_step_3", tmp_path / "global_step_3")
    shutil.copytree(adapter, step / "lora_adapter")
    found = find_checkpoint(str(step))
    assert found == Checkpoint("ready", str(step / "lora_adapter"), str(model))
    config = json.loads((adapter / "adapter_config.json").read_text()) | {"base_model_name_or_path": "/not/there"}
    (step / "lora_adapter" / "adapter_config.json").write_text(json.dumps(config))
    assert find_checkpoint(str(step)).kind == "merge"


def test_a_whole_model_beside_the_shards_needs_no_merging(verl_checkpoints: Path, model: Path, tmp_path: Path) -> None:
    step = shutil.copytree(verl_checkpoints / "full" / "global_step_3", tmp_path / "global_step_3")
    for file in model.glob("*.safetensors"):
        shutil.copy(file, step / "actor" / "huggingface")
    assert find_checkpoint(str(step)) == Checkpoint("ready", str(step / "actor" / "huggingface"))


def test_a_checkpoint_that_is_not_whole_is_named_with_what_is_missing(verl_checkpoints: Path, tmp_path: Path) -> None:
    step = shutil.copytree(verl_checkpoints / "full" / "global_step_3", tmp_path / "global_step_3")
    (step / "actor" / "model_world_size_2_rank_1.pt").unlink()
    with pytest.raises(InputError, match=r"not whole, there is no model_world_size_2_rank_1\.pt$"):
        find_checkpoint(str(step))
    (step / "actor" / "fsdp_config.json").unlink()
    with pytest.raises(InputError, match=r"fsdp_config\.json: cannot be read"):
        find_checkpoint(str(step))


def make(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((), "holds nothing; expected a folder of a Hugging Face model"),
        (("a.txt", "b.txt"), r"holds a\.txt, b\.txt; expected"),
        (("config.json",), "no weights"),
        (("actor/model/dist_ckpt/x",), "Megatron"),
        (("checkpoint-4/x", "final/x", "stages/00_a/x"), r"checkpoint-4, final, stages; name one of them, or .* --run"),
    ],
)
def test_what_is_no_model_is_told_with_what_was_found(tmp_path: Path, names: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        find_checkpoint(str(make(tmp_path, *names)))


def test_a_critic_a_file_and_a_misspelt_path_are_told_apart(
    verl_checkpoints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    critic = shutil.copytree(verl_checkpoints / "full" / "global_step_3" / "actor", tmp_path / "critic")
    with pytest.raises(InputError, match="is a critic, expected the actor"):
        find_checkpoint(str(critic))
    with pytest.raises(InputError, match="is a file, expected"):
        find_checkpoint(str(make(tmp_path, "model.bin") / "model.bin"))
    make(tmp_path, "runs/final/x")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="there is no such folder; runs holds final"):
        find_checkpoint("runs/finl")


def test_a_model_is_known_again_until_its_weights_are_others(model: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(model, tmp_path / "copy")
    before = find_checkpoint(str(copy)).fingerprint()
    weights = copy / "model.safetensors"
    os.utime(weights, ns=(0, 0))  # as a backup that was put back has them
    assert find_checkpoint(str(copy)).fingerprint() == before
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert find_checkpoint(str(copy)).fingerprint() != before


@pytest.mark.parametrize("kind", ["full", "lora"])
def test_a_checkpoint_of_verl_is_known_by_its_model_and_not_by_its_optimizer(
    verl_checkpoints: Path, tmp_path: Path, kind: str
) -> None:
    copy = shutil.copytree(verl_checkpoints / kind / "global_step_3", tmp_path / "global_step_3")
    before = find_checkpoint(str(copy)).fingerprint()
    (copy / "actor" / "optim_world_size_2_rank_0.pt").write_bytes(b"a state of an optimizer")
    assert find_checkpoint(str(copy)).fingerprint() == before
    shard = next((copy / "actor").glob("model_world_size_*_rank_0.pt"))
    shard.write_bytes(shard.read_bytes()[:-1] + b"!")
    assert find_checkpoint(str(copy)).fingerprint() != before
