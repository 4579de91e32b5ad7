from pathlib import Path

import pytest
from sft.toy_sft import recipe

from curriculum_verl.errors import InputError
from curriculum_verl.sft.model_path import require_model
from curriculum_verl.sft.run import load_tokenizer


def test_a_folder_that_is_not_there_is_named_with_the_nearest(toy: Path, tmp_path: Path) -> None:
    wrong = recipe(toy, tmp_path, f"model.path={toy / 'modle'}")
    with pytest.raises(InputError, match=rf"model.path: there is no folder {toy}/modle, .*did you mean {toy}/model\?"):
        load_tokenizer(wrong)
    with pytest.raises(InputError, match=r"expected one with a model, or a name on the hub$"):
        require_model(str(tmp_path / "a" / "b"))


@pytest.mark.parametrize("path", ["./nowhere", "~/nowhere", "runs/sft/nowhere", "/nowhere"])
def test_what_can_only_be_a_folder_is_no_name_on_the_hub(path: str) -> None:
    with pytest.raises(InputError, match="there is no folder"):
        require_model(path)


@pytest.mark.parametrize("path", ["gpt2", "owner/name", "."])
def test_names_on_the_hub_and_folders_are_let_through(path: str) -> None:
    assert require_model(path) is None
