import re
from pathlib import Path

import pytest

from curriculum_verl.errors import ConfigError, InputError
from curriculum_verl.sft.config import apply_overrides, read_config

RECIPE = Path(__file__).parents[2] / "recipes" / "sft_curriculum" / "sft.yaml"
NEEDED = ["model.path=m", "data.train=a.jsonl", "data.validation=[b.jsonl, c.jsonl]"]


def test_the_recipe_has_the_five_stages_and_overrides_have_the_last_word() -> None:
    config = read_config(
        RECIPE,
        [*NEEDED, "training.max_steps=7", "lora=null", "model.dtype=float32", "curriculum.rollback.restore=weights"],
    )
    mixes = [
        [round(100 * stage.mix.get(bucket, 0)) for bucket in config.data.buckets] for stage in config.curriculum.stages
    ]
    assert mixes == [[100, 0, 0], [70, 30, 0], [40, 40, 20], [20, 40, 40], [20, 30, 50]]
    assert config.curriculum.advance.min_performance == 0.6
    assert config.curriculum.advance.validate_now
    assert config.curriculum.rollback is not None
    assert config.curriculum.rollback.restore == "weights"
    assert config.training.max_steps == 7
    assert config.training.learning_rate == 1e-4
    assert config.data.train == ("a.jsonl",)
    assert config.data.validation == ("b.jsonl", "c.jsonl")
    assert config.lora is None
    assert len(RECIPE.read_text().splitlines()) <= 80, "a recipe fits on a page"


def test_every_mistake_is_told_at_once() -> None:
    wrong = [
        "data.buckets=[simple, medium, difficult]",
        "training.max_stepz=3",
        "training.schedule=7",
        "training.trackers=[mlflow]",
        "curriculum.advance.check_every=0",
    ]
    with pytest.raises(ConfigError) as caught:
        read_config(RECIPE, wrong)
    told = "\n".join(caught.value.problems)
    assert "model.path: is missing" in told
    assert "data.train: is missing" in told
    assert "training.max_stepz: unknown key 'max_stepz'" in told
    assert "did you mean 'max_steps'?" in told
    assert "training.schedule: got 7, expected one of 'linear', 'cosine'" in told
    assert "training.trackers[0]: got the text 'mlflow', expected one of 'wandb', 'tensorboard'" in told
    assert "curriculum.advance.check_every: got 0" in told


def test_the_mixes_are_held_against_the_buckets_of_the_data() -> None:
    with pytest.raises(ConfigError, match=r"hard_joins\)\.mix\.hard: unknown bucket 'hard'"):
        read_config(RECIPE, [*NEEDED, "data.buckets=[simple, medium]"])


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("training.final={of: best, count: 9}", "training.final.count: got 9, but only 3 checkpoints are kept"),
        ("training.device_batch_size=3", "training.batch_size: got 16, expected a multiple of"),
        ("data.buckets=[simple, simple, medium, hard]", "data.buckets: .* expected every name once"),
    ],
)
def test_what_no_field_can_know_alone_is_checked(override: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        read_config(RECIPE, [*NEEDED, override])


def test_an_override_reaches_any_depth_and_makes_what_is_not_there() -> None:
    raw = {"a": {"b": 1}, "c": None}
    made = apply_overrides(raw, ["a.b=2.5", "a.x.y=[1, two]", "c.d=true", "e=null"])
    assert made == {"a": {"b": 2.5, "x": {"y": [1, "two"]}}, "c": {"d": True}, "e": None}


@pytest.mark.parametrize("override", ["nothing", "=3", "a..b=1", "a.b.c=1", "x={"])
def test_an_override_that_means_nothing_is_refused(override: str) -> None:
    with pytest.raises(InputError, match=r"expected key=value|is no mapping|expected a value in YAML"):
        apply_overrides({"a": {"b": 1}}, [override])


def test_a_recipe_that_is_no_mapping_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("- 1")
    with pytest.raises(ConfigError, match="expected a mapping"):
        read_config(tmp_path / "x.yaml")


def test_overrides_that_the_recipe_shows_can_be_read() -> None:
    folder = Path(__file__).parents[2] / "recipes" / "sft_curriculum"
    shown = [*re.findall(r"# Override +(.*)", (folder / "sft.yaml").read_text())]
    shown += re.findall(r"`((?:[a-z_]+\.?[a-z_.]*=[^\s`]+ ?)+)`", (folder / "README.md").read_text())
    shown.remove("key=value")
    assert len(shown) >= 3
    for line in shown:
        config = read_config(folder / "sft.yaml", [*NEEDED, *line.split()])
        for override in line.split():
            assert "learning_rate" not in override or config.training.learning_rate == float(override.split("=")[1])


def test_what_has_no_meaning_or_loses_updates_is_refused() -> None:
    with pytest.raises(ConfigError) as error:
        read_config(
            RECIPE, [*NEEDED, "lora=null", "curriculum.stages=[{name: a, mix: {simple: 1}, rewards: {final: 2}}]"]
        )
    assert [problem.split(":")[0] for problem in error.value.problems] == [
        "curriculum.stages[0].rewards",
        "model.dtype",
    ]
