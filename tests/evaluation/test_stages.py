from collections.abc import Sequence
from pathlib import Path

import pytest

from curriculum_verl.curriculum import Curriculum, PromptIndex
from curriculum_verl.errors import InputError
from curriculum_verl.evaluation.stages import Named, find_stages, parse_model, with_names

RECIPE = {
    "stages": [
        {"name": "goal", "mix": {"easy": 1.0}, "exit": {"metric": "stage/steps", "at_least": 2}},
        {"name": "all", "mix": {"easy": 0.5, "hard": 0.5}},
    ],
}


def curriculum() -> Curriculum:
    return Curriculum.from_config(RECIPE, PromptIndex.build({"easy": 8, "hard": 8}))


def step(it: Curriculum, number: int, scores: Sequence[float] = (1.0,)) -> None:
    it.observe(number, it.draw(2).prompts, [list(scores)] * 2)


def checkpoint(folder: Path, it: Curriculum | None = None) -> Path:
    folder.mkdir(parents=True)
    if it is not None:
        it.save(folder / "curriculum.json")
    return folder


def advanced() -> Curriculum:
    it = curriculum()
    for number in (1, 2):
        step(it, number)
    assert it.stage.name == "all"
    return it


def test_a_run_of_verl_is_its_stages_and_its_last_checkpoint(tmp_path: Path) -> None:
    it = advanced()
    kept = checkpoint(tmp_path / "checkpoints" / "stages" / "01_all" / "global_step_2", it)
    step(it, 3)
    last = checkpoint(tmp_path / "checkpoints" / "global_step_3", it)
    checkpoint(tmp_path / "checkpoints" / "global_step_4", it)  # not marked: it was being written at a kill
    (tmp_path / "checkpoints" / "latest_checkpointed_iteration.txt").write_text("3")
    expected = [Named("goal@2", str(kept)), Named("all@3", str(last))]
    assert find_stages(tmp_path) == expected
    assert find_stages(tmp_path / "checkpoints") == expected


def test_a_run_that_ended_with_a_transition_has_it_once(tmp_path: Path) -> None:
    it = advanced()
    checkpoint(tmp_path / "stages" / "01_all" / "global_step_2", it)
    checkpoint(tmp_path / "global_step_2", it)
    (tmp_path / "latest_checkpointed_iteration.txt").write_text("2")
    assert [model.name for model in find_stages(tmp_path)] == ["goal@2"]


def test_stages_come_in_the_order_of_their_steps_whatever_their_number(tmp_path: Path) -> None:
    for number, name, at in ((0, "goal", 40), (1, "all", 5), (1, "all", 100)):
        checkpoint(tmp_path / "stages" / f"{number:02d}_{name}" / f"global_step_{at}")
    names = [model.name for model in find_stages(tmp_path)]
    assert names == ["before_01_all@5", "before_00_goal@40", "before_01_all@100"]


def test_a_run_of_sft_ends_with_its_final_model(tmp_path: Path) -> None:
    kept = checkpoint(tmp_path / "stages" / "01_all" / "global_step_2", advanced())
    for number in (4, 12):
        (checkpoint(tmp_path / f"checkpoint-{number}", advanced()) / "trainer_state.json").touch()
    checkpoint(tmp_path / "checkpoint-16")  # not finished
    assert find_stages(tmp_path)[-1] == Named("all@12", str(tmp_path / "checkpoint-12"))
    final = checkpoint(tmp_path / "final")
    assert find_stages(tmp_path) == [Named("goal@2", str(kept)), Named("final", str(final))]


def test_a_folder_without_stages_says_what_a_run_is(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"checkpoint_stages: true"):
        find_stages(tmp_path)


def test_a_damaged_state_is_named(tmp_path: Path) -> None:
    (checkpoint(tmp_path / "stages" / "01_all" / "global_step_2") / "curriculum.json").write_text("{")
    with pytest.raises(InputError, match=r"curriculum\.json: not a curriculum state"):
        find_stages(tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("before=models/base", Named("before", "models/base")),
        ("runs/lr=0.1/final", Named("", "runs/lr=0.1/final")),
        ("a=runs/lr=0.1", Named("a", "runs/lr=0.1")),
        ("Qwen/Qwen2.5-0.5B", Named("", "Qwen/Qwen2.5-0.5B")),
    ],
)
def test_a_model_may_have_a_name(text: str, expected: Named) -> None:
    assert parse_model(text) == expected


@pytest.mark.parametrize(("text", "message"), [("a b=x", "'a b'"), ("a=", "without a path")])
def test_a_name_that_cannot_be_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_model(text)


def test_models_without_a_name_get_as_much_of_their_path_as_tells_them_apart() -> None:
    models = [Named("", "runs/a/final"), Named("", "runs/b/final/"), Named("base", "x"), Named("", "other")]
    assert [model.name for model in with_names(models)] == ["a/final", "b/final", "base", "other"]
    assert [m.name for m in with_names([Named("final", "x"), Named("", "b/final")])] == ["final", "b/final"]


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ([Named("a", "x"), Named("a", "y")], "name a stands twice"),
        ([Named("", "x"), Named("", "x")], "path stands twice"),
        ([Named("x", "y"), Named("", "x")], "same name"),
    ],
)
def test_models_that_cannot_be_told_apart_are_refused(models: list[Named], message: str) -> None:
    with pytest.raises(InputError, match=message):
        with_names(models)
