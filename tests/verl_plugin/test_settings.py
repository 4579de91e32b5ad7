import pytest

from curriculum_verl.errors import ConfigError

omegaconf = pytest.importorskip("omegaconf")

from curriculum_verl.verl_plugin.settings import PluginSettings, split_block  # noqa: E402

STAGES = [{"name": "a", "mix": {"easy": 1.0}}]


def run_config(**block):
    return omegaconf.OmegaConf.create({"curriculum": {"stages": STAGES} | block, "other": "${nowhere}"})


def test_the_block_is_parted_between_engine_and_plug_in():
    block, settings = split_block(run_config(resume="force", cpu=True, most_reward_failures=0.5, seed=3))
    assert block == {"stages": STAGES, "seed": 3}
    assert settings == PluginSettings(cpu=True, resume="force", most_reward_failures=0.5)
    assert split_block(omegaconf.OmegaConf.create({})) == ({}, PluginSettings())


def test_every_mistake_of_the_plug_ins_part_is_told_at_once():
    with pytest.raises(ConfigError, match="2 problems") as caught:
        split_block(run_config(resume="maybe", most_reward_failures=2))
    assert "expected one of 'strict', 'force'" in str(caught.value)
