"""What a model's path may be, and that a changed model is known as another."""

import json
import shutil
from pathlib import Path

import pytest

from curriculum_verl.errors import InputError
from curriculum_verl.generation.models import adapter_rank, find_model


@pytest.fixture
def adapter(tmp_path: Path, model: Path) -> Path:
    folder = tmp_path / "adapter"
    folder.mkdir()
    config = {"base_model_name_or_path": str(model), "r": 4, "rank_pattern": {"q_proj": 16}}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    (folder / "adapter_model.safetensors").write_bytes(b"12")
    return folder


def test_a_model_and_an_adapter(model: Path, adapter: Path) -> None:
    assert find_model(str(model)).base == model
    found = find_model(str(adapter))
    assert (found.base, found.adapter, found.tokenizer) == (model, adapter, model)
    assert adapter_rank(adapter) == 16
    (adapter / "tokenizer_config.json").write_text("{}")
    assert found.tokenizer == adapter


def test_a_base_of_the_users_choice(model: Path, adapter: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(model, moved)
    assert find_model(str(adapter), str(moved)).base == moved
    with pytest.raises(InputError, match="a base model has no meaning"):
        find_model(str(model), str(moved))


def test_what_is_no_model(tmp_path: Path, adapter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="there is no such folder"):
        find_model(str(tmp_path / "none"))
    with pytest.raises(InputError, match=r"neither config.json nor adapter_config.json"):
        find_model(str(tmp_path))
    (tmp_path / "model_world_size_1_rank_0.pt").touch()
    with pytest.raises(InputError, match="has to be merged first"):
        find_model(str(tmp_path))
    (adapter / "adapter_config.json").write_text("{}")
    with pytest.raises(InputError, match="--base-model"):
        find_model(str(adapter))


def test_a_hub_that_cannot_be_reached_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match=r"nobody/nothing: .* and the hub does not give it either"):
        find_model("nobody/nothing")


def test_the_base_of_an_adapter_that_was_moved_can_be_named(model: Path, adapter: Path, tmp_path: Path) -> None:
    config = adapter / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"base_model_name_or_path": "/old/place"}))
    with pytest.raises(InputError, match=f"{adapter}: is an adapter of /old/place, which is not there; .*--base-model"):
        find_model(str(adapter))
    assert find_model(str(adapter), str(model)).base == model
