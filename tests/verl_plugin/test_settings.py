import pytest

from curriculum_verl.errors import ConfigError

omegaconf = pytest.importorskip("omegaconf")

from curriculum_verl.verl_plugin.settings import PluginSettings, engine_block, plugin_settings  # noqa: E402

STAGES = [{"name": "a", "mix": {"easy": 1.0}}]


def run_config(**block):
    return omegaconf.OmegaConf.create({"curriculum": {"stages": STAGES} | block, "other": "${nowhere}"})


def test_the_block_is_parted_between_engine_and_plug_in():
    config = run_config(resume="force", cpu=True, most_reward_failures=0.5, seed=3)
    assert engine_block(config) == {"stages": STAGES, "seed": 3}
    assert plugin_settings(config) == PluginSettings(cpu=True, resume="force", most_reward_failures=0.5)
    nothing = omegaconf.OmegaConf.create({})
    assert (engine_block(nothing), plugin_settings(nothing)) == ({}, PluginSettings())


def test_every_mistake_of_the_plug_ins_part_is_told_at_once():
    with pytest.raises(ConfigError, match="2 problems") as caught:
        plugin_settings(run_config(resume="maybe", most_reward_failures=2))
    assert "expected one of 'strict', 'force'" in str(caught.value)
