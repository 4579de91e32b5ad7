import pytest

from curriculum_verl.curriculum.loading import load_config
from curriculum_verl.errors import ConfigError

omegaconf = pytest.importorskip("omegaconf")

from curriculum_verl.verl_plugin.settings import engine_block, plugin_settings, weighed  # noqa: E402

END = {"metric": "stage/steps", "at_least": 3}
STAGES = [{"name": "a", "mix": {"easy": 1.0}}]


def run_config(**block):
    return omegaconf.OmegaConf.create({"curriculum": {"stages": STAGES} | block, "other": "${nowhere}"})


def test_the_block_is_parted_between_engine_and_plug_in():
    config = run_config(resume="force", cpu=True, most_reward_failures=0.5, seed=3)
    assert engine_block(config) == {"stages": STAGES, "seed": 3}
    settings = plugin_settings(config)
    assert (settings.cpu, settings.resume, settings.most_reward_failures) == (True, "force", 0.5)
    nothing = omegaconf.OmegaConf.create({})
    assert engine_block(nothing) == {}
    assert (plugin_settings(nothing).cpu, plugin_settings(nothing).resume) == (False, "strict")


def test_every_mistake_of_the_plug_ins_part_is_told_at_once():
    with pytest.raises(ConfigError, match="2 problems") as caught:
        plugin_settings(run_config(resume="maybe", most_reward_failures=2))
    assert "expected one of 'strict', 'force'" in str(caught.value)


def test_scoring_is_read_to_its_depths_and_what_no_field_can_know_is_told_with_its_path():
    final = {"default": "numeric", "numeric": {"soft_bands": [{"within": 0.1, "value": 0.5}]}}
    settings = plugin_settings(run_config(scoring={"final": final, "normalise": {"coherence": {"kind": "z_score"}}}))
    assert settings.scoring.final.numeric.soft_bands[0].value == 0.5
    assert settings.scoring.normalise["coherence"].kind == "z_score"
    with pytest.raises(ConfigError, match=r"curriculum\.scoring\.coherence\.same_topic: got 0\.9") as caught:
        plugin_settings(run_config(scoring={"coherence": {"same_topic": 0.9}, "finel": {}}))
    assert "unknown key 'finel'" in str(caught.value)


def test_what_a_stage_weighs_is_scored_and_final_always():
    def named(*rewards):
        stages = [STAGES[0] | {"name": str(n), "rewards": r, "exit": END} for n, r in enumerate(rewards)]
        del stages[-1]["exit"]
        return weighed(load_config({"stages": stages}))

    assert named({"final": 1.0, "coherence": 0.0}) == ["final"]
    assert named({"final": 1.0}, {"final": 0.0, "curiosity": 0.1}) == ["final", "curiosity"]
