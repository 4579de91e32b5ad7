"""Every recipe composes with verl's own config, on a GPU and on a CPU, and is what its header says."""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from made_up_rollouts import rollout, solved, write

from curriculum_verl.bucketing.run import bucket_rollouts
from curriculum_verl.bucketing.settings import Settings
from curriculum_verl.commands import simulate
from curriculum_verl.curriculum import load_config
from curriculum_verl.parallel import InProcess
from curriculum_verl.preprocessing.run import preprocess
from curriculum_verl.preprocessing.settings import Settings as DataSettings

pytest.importorskip("verl")

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

FOLDER = Path(__file__).parent.parent / "recipes" / "grpo_curriculum"
RECIPES = {path.stem: path for path in sorted(FOLDER.glob("*.yaml")) if not path.name.startswith("_")}
NAMED = {
    "three_stages",
    "five_stages",
    "reward_curriculum",
    "cumulative",
    "adarft",
    "posterior",
    "posterior_filter",
    "lora",
}
PAGE, WIDTH = 60, 120  # lines, characters
# Not verl's.
OURS = ("curriculum", "hydra", "defaults")
Compose = Callable[..., DictConfig]


def test_the_recipes_are_all_there() -> None:
    assert RECIPES.keys() >= NAMED


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Manifests of data in three buckets, four and five, large enough for a batch."""
    folder = tmp_path_factory.mktemp("recipes")
    write(folder / "rollouts.jsonl", [rollout(n, solved(n % 10, 10)) for n in range(1500)])
    for count in (3, 4, 5):
        bucketed = folder / f"bucketed {count}"
        bucket_rollouts([folder / "rollouts.jsonl"], bucketed, Settings(buckets=count), InProcess(), report=False)
        preprocess(bucketed, folder / f"data {count}", DataSettings(), InProcess())
    return {count: folder / f"data {count}" / "manifest.json" for count in (3, 4, 5)}


@pytest.fixture
def composed(data: dict[int, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compose:
    """A recipe as verl would get it, told no more than model and manifest, and whatever a test says besides."""

    def composed(name: str, platform: str | None = None, *overrides: str) -> DictConfig:
        monkeypatch.delenv("VERL_PLATFORM", raising=False)
        if platform is not None:
            monkeypatch.setenv("VERL_PLATFORM", platform)
        monkeypatch.chdir(tmp_path)
        told = [f"curriculum.data='{data[buckets(name)]}'", "actor_rollout_ref.model.path=some/model"]
        with initialize_config_dir(str(FOLDER), version_base=None):
            return compose(name, [*told, *overrides])

    return composed


def block_of(name: str) -> dict[str, Any]:
    block: dict[str, Any] = yaml.safe_load(RECIPES[name].read_text())["curriculum"]
    return block


def buckets(name: str) -> int:
    """How many the recipe needs."""
    return len({bucket for stage in block_of(name)["stages"] for bucket in stage["mix"]})


def validate(config: DictConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """What main_ppo does before it starts Ray; vllm, which it asks for the ranks of LoRA, is not installed here."""
    from verl.trainer.ppo.utils import need_critic, need_reference_policy
    from verl.utils.config import validate_config

    ranks = SimpleNamespace(get_vllm_max_lora_rank=lambda rank: rank)
    monkeypatch.setitem(sys.modules, "verl.workers.rollout.vllm_rollout.utils", ranks)
    validate_config(config, need_reference_policy(config), need_critic(config))


@pytest.mark.parametrize("platform", [None, "cpu"])
@pytest.mark.parametrize("name", RECIPES)
def test_a_model_and_a_manifest_are_enough(
    name: str, platform: str | None, composed: Compose, data: dict[int, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from curriculum_verl.manifest import read_manifest
    from curriculum_verl.verl_plugin.settings import engine_block, plugin_settings

    config = composed(name, platform)
    validate(config, monkeypatch)
    OmegaConf.to_container(config, resolve=True)

    manifest = data[buckets(name)]
    files = read_manifest(manifest)
    assert load_config({"curriculum": engine_block(config)}, files.names).data == str(manifest)
    assert plugin_settings(config).resume == "strict"
    assert list(config.data.train_files) == [str(manifest.parent / file) for file in files.train_files]
    assert list(config.data.val_files) == [str(manifest.parent / file) for file in files.validation_files]

    assert config.trainer.v1.trainer_mode == "curriculum_sync"
    assert config.reward.reward_manager.name == "CurriculumRewardManager"
    assert config.reward.reward_manager.module.path == "pkg://curriculum_verl.verl_plugin.reward_manager"
    assert config.algorithm.adv_estimator == "grpo"
    assert config.data.dataloader_num_workers == 0
    assert (config.trainer.test_freq, config.trainer.save_freq) > (0, 0)
    assert config.actor_rollout_ref.rollout.name == ("vllm" if platform is None else "hf_cpu")
    assert (config.trainer.device, config.trainer.n_gpus_per_node) == {
        None: ("cuda", 1 if name == "lora" else 8),
        "cpu": ("cpu", 1),
    }[platform]


def test_what_a_cpu_needs_comes_after_what_is_said_for_gpus(composed: Compose) -> None:
    config = composed("three_stages", "cpu")
    group = FOLDER.parents[1] / "curriculum_verl" / "verl_plugin" / "config" / "platform" / "cpu.yaml"
    for path, value in leaves(yaml.safe_load(group.read_text())).items():
        assert OmegaConf.select(config, path) == value, path


def leaves(node: dict[str, Any], path: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in node.items():
        found |= leaves(value, f"{path}{key}.") if isinstance(value, dict) else {f"{path}{key}": value}
    return found


@pytest.mark.parametrize("path", [FOLDER / "_base.yaml", *RECIPES.values()], ids=lambda path: path.stem)
def test_every_setting_is_one_that_verl_has(path: Path, tmp_path: Path) -> None:
    (tmp_path / "bare.yaml").write_text(
        yaml.safe_dump({"defaults": ["ppo_trainer", "_self_"], "hydra": {"searchpath": ["pkg://verl.trainer.config"]}})
    )
    with initialize_config_dir(str(tmp_path), version_base=None):
        known = compose("bare")
    settings = [name for name in leaves(yaml.safe_load(path.read_text())) if name.split(".")[0] not in OURS]
    left_open = OmegaConf.missing_keys(known)
    assert [
        name
        for name in settings
        if name not in left_open and OmegaConf.select(known, name, default="absent") == "absent"
    ] == []


@pytest.mark.parametrize("path", [FOLDER / "_base.yaml", *RECIPES.values()], ids=lambda path: path.stem)
def test_it_is_a_page_that_a_header_begins(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert len(lines) <= PAGE + (path.stem == "_base") * 10
    assert max(map(len, lines)) <= WIDTH
    header = next(number for number, line in enumerate(lines) if not line.startswith("#"))
    assert header >= 3


@pytest.mark.parametrize("name", RECIPES)
def test_what_its_header_says_is_true(name: str, composed: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    said = dict(re.findall(r"^# (Needs|Launch|Override) +(.*)$", RECIPES[name].read_text(), re.MULTILINE))
    assert said["Launch"] == (f"recipes/grpo_curriculum/run.sh {name} --model MODEL --data preprocessed/manifest.json")
    assert f"-n {buckets(name)}" in said["Needs"] or "easy, medium, hard" in said["Needs"]
    overrides = re.findall(r"(?<!\S)[+\w.]+=[\w.-]+(?=[\s;,]|$)", said["Override"])
    assert overrides
    config = composed(name, None, *overrides)
    validate(config, monkeypatch)
    for override in overrides:
        key, value = override.split("=")
        assert str(OmegaConf.select(config, key.lstrip("+"))).lower() == value.lower().replace("e-5", "e-05")


def test_no_two_runs_share_a_folder(composed: Compose) -> None:
    folders = {name: composed(name).trainer.default_local_dir for name in RECIPES}
    assert folders == {name: f"checkpoints/curriculum_verl/{name}" for name in RECIPES}


POLICIES = {
    "adarft": "target_difficulty",
    "posterior": "posterior",
    "posterior_filter": "posterior",
    "cumulative": "uniform",
}


@pytest.mark.parametrize("name", RECIPES)
def test_a_learner_gets_through_its_stages(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    config = load_config(RECIPES[name])
    assert simulate.main([str(RECIPES[name]), "--steps", "400", "--seed", "1", "--no-chart"]) == 0
    said = capsys.readouterr().out
    for stage in config.stages:
        assert re.search(rf"^{stage.name} +\d", said, re.MULTILINE), said
    if name in POLICIES:
        assert config.policy.name == POLICIES[name]
    assert len(config.stages) == {"five_stages": 5, "adarft": 1, "posterior": 1, "posterior_filter": 1}.get(name, 3)


def test_the_reward_curriculum_adds_one_component_at_a_time() -> None:
    stages = load_config(RECIPES["reward_curriculum"]).stages
    weights = [tuple(stage.rewards[name] for name in ("final", "coherence", "curiosity")) for stage in stages]
    assert weights == [(1, 0, 0), (1, 0.1, 0), (1, 0.1, 0.05)]
    assert len({tuple(stage.mix.items()) for stage in stages}) == 1, "the data stay the same"


def test_cumulative_stages_leave_nothing_out() -> None:
    mixes = [list(stage.mix) for stage in load_config(RECIPES["cumulative"]).stages]
    assert mixes == [["easy"], ["easy", "medium"], ["easy", "medium", "hard"]]


def test_the_posterior_stands_before_verls_filter(composed: Compose) -> None:
    config = composed("posterior_filter")
    assert config.algorithm.filter_groups.enable
    assert config.curriculum.admission.retry_after > 0


def test_lora_trains_adapters_alone(composed: Compose) -> None:
    model = composed("lora").actor_rollout_ref.model
    assert model.lora_rank == model.lora_alpha > 0
    assert composed("lora", None, "actor_rollout_ref.model.lora_rank=64").actor_rollout_ref.model.lora_alpha == 64


def test_the_readme_has_every_recipe() -> None:
    text = (FOLDER / "README.md").read_text()
    assert re.findall(r"^\| \[(\w+)\]\(\1\.yaml\)", text, re.MULTILINE) != []
    assert set(re.findall(r"^\| \[(\w+)\]\(\1\.yaml\)", text, re.MULTILINE)) == RECIPES.keys()
