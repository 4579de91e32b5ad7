"""The config group of the CPU, composed with verl's own."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

pytest.importorskip("verl")

RECIPE = {
    "defaults": ["ppo_trainer", {"optional platform": "${oc.env:VERL_PLATFORM,none}"}, "_self_"],
    "hydra": {"searchpath": ["pkg://verl.trainer.config", "pkg://curriculum_verl.verl_plugin.config"]},
    "actor_rollout_ref": {"rollout": {"n": 4}},
}
GROUP = Path("curriculum_verl/verl_plugin/config/platform/cpu.yaml")


@pytest.fixture
def composed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def composed(platform: str | None, overrides: Sequence[str] = (), **settings: object) -> DictConfig:
        monkeypatch.delenv("VERL_PLATFORM", raising=False)
        if platform is not None:
            monkeypatch.setenv("VERL_PLATFORM", platform)
        (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(RECIPE | settings))
        with initialize_config_dir(str(tmp_path), version_base=None):
            return compose("recipe", list(overrides))

    return composed


def test_on_a_gpu_the_recipe_is_verls_own(composed) -> None:
    for platform in (None, "nvidia"):
        config = composed(platform)
        assert config.trainer.device == "cuda"
        assert config.trainer.n_gpus_per_node == 8
        assert "num_gpus" not in config.ray_kwargs.ray_init


def test_on_a_cpu_it_is_the_group_too(composed) -> None:
    config = composed("cpu")
    assert (config.trainer.device, config.trainer.n_gpus_per_node) == ("cpu", 1)
    assert config.actor_rollout_ref.rollout.name == "hf_cpu"
    assert config.actor_rollout_ref.rollout.n == 4, "the recipe's own word"
    assert config.actor_rollout_ref.model.override_config.attn_implementation == "sdpa"


def test_the_real_vllm_is_a_group_of_its_own_on_top(composed) -> None:
    config = composed("cpu", ["platform=cpu_vllm"])
    assert (config.actor_rollout_ref.rollout.name, config.trainer.device) == ("vllm", "cpu")
    assert config.actor_rollout_ref.rollout.n == 4


def test_the_recipe_has_the_last_word(composed) -> None:
    config = composed("cpu", actor_rollout_ref={"rollout": {"max_num_seqs": 8}}, trainer={"n_gpus_per_node": 2})
    assert (config.actor_rollout_ref.rollout.max_num_seqs, config.trainer.n_gpus_per_node) == (8, 2)


def leaves(node: dict, path: str = "") -> list[str]:
    return [
        leaf
        for key, value in node.items()
        for leaf in (leaves(value, f"{path}{key}.") if isinstance(value, dict) else [f"{path}{key}"])
    ]


# What verl's own files do not name, but its classes take.
NEW = {
    "ray_kwargs.ray_init.num_gpus",
    "ray_kwargs.ray_init.include_dashboard",
    "ray_kwargs.ray_init.object_store_memory",
    "actor_rollout_ref.rollout.agent.agent_loop_manager_class",
    "actor_rollout_ref.rollout.engine_kwargs.hf_cpu.threads",
}


def test_every_setting_is_one_that_verl_has(composed) -> None:
    from omegaconf import OmegaConf

    known = composed(None)
    group = yaml.safe_load((Path(__file__).parents[2] / GROUP).read_text())
    unknown = [
        path
        for path in leaves(group)
        if path not in NEW
        and not path.endswith(("override_config.attn_implementation",))
        and ".mixed_precision." not in path
        and OmegaConf.select(known, path, default="absent") == "absent"
        and OmegaConf.select(known, path.rpartition(".")[0], default="absent") == "absent"
    ]
    assert unknown == []
