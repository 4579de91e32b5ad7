import copy
import math
import re

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from curriculum_verl.curriculum.config import AllOf, AnyOf, Patience, Plateau
from curriculum_verl.curriculum.config import metric_conditions as leaves_of
from curriculum_verl.curriculum.loading import load_config
from curriculum_verl.errors import ConfigError

BLOCK = {
    "data": "data/manifest.json",
    "seed": 7,
    "policy": {"name": "posterior", "target": 0.6},
    "stages": [
        {
            "name": "first",
            "mix": {"easy": 1.0},
            "rewards": {"final": 1.0, "coherence": 0},
            "exit": {
                "any": [
                    {"metric": "train/success_rate", "window": 100, "above": 0.7},
                    {
                        "all": [
                            {"metric": "stage/steps", "at_least": 2000},
                            {"metric": "val/score", "patience": 3},
                            {"metric": "val/score", "confident_above": 0.5, "confidence": 0.9},
                        ]
                    },
                ]
            },
        },
        {
            "name": "second",
            "mix": {"easy": 0.25, "medium": 0.75},
            "rewards": {"final": 1.0, "length": 0.5},
            "exit": {"metric": "product", "plateau": {"evals": 5, "slope_below": 0.001}},
        },
        {"name": "third", "mix": {"easy": 0.2, "medium": 0.3, "hard": 0.5}},
    ],
    "components": {"length": "own.rewards:length"},
    "derived": {"product": "val/score * reward/final", "twice": "2 * product"},
    "advance": {"check_every": 50, "min_performance": 0.6, "validate_now": True},
    "rollback": {"threshold": -0.05, "restore": "data", "cooldown": 100, "interval_factor": 2},
    "probation": {"evals": 2, "action": "rollback"},
    "admission": {"retry_after": 5},
    "replay_floor": 0.1,
    "stop": {"metric": "val/score", "patience": {"evals": 4, "mode": "max"}},
    "alerts": [{"name": "kl", "metric": "actor/ppo_kl", "above": 0.2, "window": 10, "repeat": 50}],
    "webhook": "https://hooks.example.com/x",
}
BUCKETS = ("easy", "medium", "hard")


def changed(path, value):
    """The good block with one value replaced (or removed, when it is `...`)."""
    block = copy.deepcopy(BLOCK)
    *parents, last = path
    at = block
    for key in parents:
        at = at[key]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return block


def problems_of(block, buckets=BUCKETS):
    with pytest.raises(ConfigError) as caught:
        load_config({"curriculum": block}, buckets)
    return caught.value.problems


def test_the_block_becomes_a_config():
    config = load_config({"curriculum": BLOCK}, BUCKETS)
    first, second, third = config.stages
    assert (config.seed, config.policy.name, config.policy.parameters) == (7, "posterior", {"target": 0.6})
    assert isinstance(first.exit, AnyOf)
    assert isinstance(first.exit.members[1], AllOf)
    assert [test.metric for test in leaves_of(first.exit)] == [
        "train/success_rate",
        "stage/steps",
        "val/score",
        "val/score",
    ]
    assert first.exit.members[0].window == 100
    assert first.exit.members[1].members[1].patience == Patience(3)
    assert second.exit.plateau == Plateau(5, 0.001, 1)
    assert third.rewards == {"final": 1.0}
    assert third.exit is None
    assert config.component_names == ("final", "coherence", "curiosity", "length")
    assert config.rollback.interval_factor == 2.0
    assert config.stop.patience == Patience(4)


def test_defaults_of_a_small_block():
    config = load_config({"stages": [{"name": "only", "mix": {"a": 1}}]})
    assert config.policy.name == "mixture"
    assert config.rollback is None
    assert config.admission is None
    assert config.pass_threshold == 0.5


def test_yaml_dict_omegaconf_and_hydra_agree(tmp_path):
    expected = load_config({"curriculum": BLOCK}, BUCKETS)
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump({"curriculum": BLOCK}))
    assert load_config(path, BUCKETS) == load_config(str(path), BUCKETS) == expected
    assert load_config(OmegaConf.create({"curriculum": BLOCK}), BUCKETS) == expected
    assert load_config(OmegaConf.create(BLOCK), BUCKETS) == expected
    with initialize_config_dir(version_base=None, config_dir=str(tmp_path)):
        composed = compose("recipe")
        assert load_config(composed, BUCKETS) == expected
        assert load_config(composed.curriculum, BUCKETS) == expected
        overridden = compose("recipe", overrides=["curriculum.seed=8", "+curriculum.policy.stretch=0.25"])
    config = load_config(overridden, BUCKETS)
    assert config.seed == 8
    assert config.policy.parameters == {"target": 0.6, "stretch": 0.25}


def test_hydra_interpolations_are_resolved():
    block = changed(["seed"], "${trainer.seed}")
    block["stages"][2]["mix"] = "${shared}"
    source = OmegaConf.create({"trainer": {"seed": 11}, "shared": {"hard": 1.0}, "curriculum": block})
    config = load_config(source, BUCKETS)
    assert config.seed == 11
    assert config.stages[2].mix == {"hard": 1.0}


@pytest.mark.parametrize("value", ["???", "${nowhere.at.all}", "${oc.env:CURRICULUM_NOT_SET}"])
def test_hydra_values_that_cannot_be_resolved_are_named(value):
    with pytest.raises(ConfigError, match="cannot be resolved") as caught:
        load_config(OmegaConf.create({"curriculum": changed(["seed"], value)}))
    assert "seed" in str(caught.value)


def test_omegaconf_mistakes_read_like_those_of_a_dict():
    block = changed(["advance", "check_evry"], 3)
    block["seed"] = "x"
    with pytest.raises(ConfigError) as caught:
        load_config(OmegaConf.create({"curriculum": block}), BUCKETS)
    assert caught.value.problems == problems_of(block)


def test_mixes_within_the_tolerance_are_scaled_to_one():
    config = load_config(changed(["stages", 1, "mix"], {"easy": 0.3333, "medium": 0.3333, "hard": 0.333}), BUCKETS)
    assert math.fsum(config.stages[1].mix.values()) == pytest.approx(1.0, abs=1e-15)
    assert config.stages[1].mix["easy"] == pytest.approx(0.3333 / 0.9996)


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (
            ["polcy"],
            {},
            "curriculum.polcy: unknown key 'polcy', expected one of stages, data, .*; did you mean 'policy'?",
        ),
        (["stages"], ..., "curriculum.stages: is missing"),
        (["stages"], [], r"curriculum.stages: got \[\], expected at least one stage"),
        (["stages"], "x", "curriculum.stages: got the text 'x', expected a list"),
        (["stages", 1], None, r"curriculum.stages\[1\]: got None, expected a mapping"),
        (["seed"], 1.5, "curriculum.seed: got 1.5, expected a whole number"),
        (["seed"], "7", "curriculum.seed: got the text '7', expected a whole number"),
        (["seed"], True, "curriculum.seed: got True, expected a whole number"),
        (["replay_floor"], 1, "curriculum.replay_floor: got 1, expected a number >= 0 and < 1"),
        (["pass_threshold"], math.nan, "curriculum.pass_threshold: got nan, expected a finite number"),
        (
            ["stages", 0, "mix"],
            {"easy": 0.5},
            r"stages\[0\] \(first\).mix: got shares that sum to 0.5, expected 1 \(within 0.001\)",
        ),
        (["stages", 0, "mix"], {"easy": 1.5, "hard": -0.5}, "mix.hard: got -0.5, expected a number >= 0 and <= 1"),
        (["stages", 0, "mix"], {"easy": 0.0}, "mix: got shares that sum to 0, expected 1"),
        (["stages", 0, "mix"], {}, "mix: got {}, expected a share for at least one bucket"),
        (["stages", 0, "mix"], [1], r"mix: got \[1\], expected a mapping"),
        (
            ["stages", 0, "mix"],
            {"eazy": 1.0},
            "mix.eazy: unknown bucket 'eazy', .* easy, medium, hard; did you mean 'easy'?",
        ),
        (
            ["stages", 0, "rewards"],
            {"finl": 1.0},
            "unknown reward component 'finl', .* curiosity, length; did you mean 'final'?",
        ),
        (["stages", 0, "rewards"], {"final": 0}, "rewards: got no weight other than 0"),
        (["stages", 0, "name"], ..., r"stages\[0\].name: is missing"),
        (["stages", 1, "name"], "first", r"stages\[1\] \(first\).name: stands twice"),
        (["stages", 0, "exit"], ..., r"stages\[0\] \(first\).exit: is missing, so second, third can never be reached"),
        (
            ["stages", 2, "exit"],
            {"metric": "m", "above": 0},
            r"stages\[2\] \(third\).exit: the last stage has nothing to advance to",
        ),
        (
            ["stages", 0, "exit"],
            {"metric": "train/success_rate", "above": 1.0},
            "is never above 1, so the stages after it can never be reached",
        ),
        (
            ["stages", 0, "exit"],
            {"metric": "val/success_rate", "confident_above": 1.0},
            "is never .* above 1|expected a number",
        ),
        (["stages", 0, "exit"], {"metric": "train/success_rate", "at_least": 1.01}, "is never at least 1.01"),
        (["stages", 0, "exit"], {"metric": "m"}, "exit: got no test, expected exactly one of above, below"),
        (
            ["stages", 0, "exit"],
            {"metric": "m", "above": 1, "below": 0},
            "exit: got above and below, expected exactly one",
        ),
        (["stages", 0, "exit"], {"above": 1}, "exit.metric: is missing"),
        (["stages", 0, "exit"], {"metric": "m", "abov": 1}, "exit.abov: unknown key 'abov'.*did you mean 'above'?"),
        (["stages", 0, "exit"], "soon", "exit: got the text 'soon', expected a condition such as"),
        (["stages", 0, "exit"], {"any": []}, r"exit.any: got \[\], expected a list of conditions"),
        (
            ["stages", 0, "exit"],
            {"any": [{"metric": "m", "above": 1}], "window": 3},
            "exit: got any, window, expected any alone",
        ),
        (
            ["stages", 0, "exit"],
            {"all": [{"any": [{"metric": 3, "above": 1}]}]},
            r"exit.all\[0\].any\[0\].metric: got 3, expected text",
        ),
        (
            ["stages", 0, "exit"],
            {"metric": "m", "window": 0, "above": 1},
            "exit.window: got 0, expected a whole number >= 1",
        ),
        (
            ["stages", 0, "exit"],
            {"metric": "m", "plateau": {"evals": 1}},
            "plateau.evals: got 1, expected a whole number >= 2",
        ),
        (
            ["stages", 0, "exit"],
            {"metric": "m", "patience": {"evals": 2, "mode": "mx"}},
            "mode: got the text 'mx', expected one of 'max', 'min'; did you mean 'max'?",
        ),
        (
            ["policy"],
            {"name": "mixtur"},
            "policy.name: unknown policy 'mixtur', expected one of uniform, .*did you mean 'mixture'?",
        ),
        (["policy"], "mixture", "policy: got the text 'mixture', expected a mapping with a name"),
        (
            ["policy"],
            {"name": "posterior", "traget": 0.5},
            "policy.traget: unknown key 'traget'.*did you mean 'target'?",
        ),
        (["policy"], {"name": "posterior", "target": 1}, "policy.target: got 1, expected a number > 0 and < 1"),
        (["policy"], {"name": "gaussian"}, "policy.steps: is missing"),
        (["policy"], {"name": "mixture", "pools": 1}, "policy.pools: unknown key 'pools'"),
        (["policy"], {"name": "no.module:X"}, "policy.name: no.module:X: cannot be imported"),
        (["components"], {"final": "a:b", "length": "a:b"}, "components.final: is a built-in component"),
        (["derived"], {"product": "val/score *"}, "derived.product: formula 'val/score .*': got 'the end', expected"),
        (
            ["derived"],
            {"product": "later", "later": "a"},
            "derived.product: uses 'later', expected only metrics that are derived before",
        ),
        (["derived"], {"product": "product"}, "derived.product: uses 'product'"),
        (["rollback", "threshold"], 0.1, "rollback.threshold: got 0.1, expected a number <= 0"),
        (
            ["rollback", "restore"],
            "weight",
            "restore: got the text 'weight', expected one of 'data', 'weights'; did you mean 'weights'?",
        ),
        (["rollback", "baseline"], "new_mix", "rollback.baseline: got 'new_mix' with advance.validate_now"),
        (["rollback", "interval_factor"], 0.5, "interval_factor: got 0.5, expected a number >= 1"),
        (["admission", "min_chance"], 0, "admission.min_chance: got 0, expected a number > 0 and < 1"),
        (["advance"], 5, "advance: got 5, expected a mapping"),
        (["derived"], {"train/score": "kl"}, "derived.train/score: is among the engine's own"),
        (
            ["components"],
            {"mine": "notdotted"},
            "components.mine: got the text 'notdotted', expected package",
        ),
        (["checkpoint_stages"], "no", "checkpoint_stages: got the text 'no', expected true or false"),
    ],
)
def test_one_mistake(path, value, problem):
    found = problems_of(changed(path, value))
    pattern = problem.replace("?", r"\?") if problem.endswith("?") else problem
    assert any(re.search(pattern, line) for line in found), found
    assert all(line.startswith("curriculum") for line in found)


def test_weights_cannot_be_restored_from_checkpoints_that_are_not_taken():
    block = changed(["rollback", "restore"], "weights")
    block["checkpoint_stages"] = False
    assert any("checkpoint_stages" in problem for problem in problems_of(block))


def test_all_mistakes_at_once():
    block = copy.deepcopy(BLOCK)
    block["polcy"] = {}
    block["seed"] = "x"
    block["policy"] = {"name": "bandit", "rate": 2, "temprature": 1}
    block["stages"][0]["mix"] = {"eazy": 0.4}
    block["stages"][1]["exit"] = {"any": [{"metric": "m", "above": "high"}, {"metric": "m"}]}
    block["stages"][2]["rewards"] = {"nothing": 1}
    block["derived"]["product"] = "("
    block["rollback"]["baseline"] = "new_mix"
    paths = [problem.split(": ")[0] for problem in problems_of(block)]
    assert sorted(paths) == sorted(
        [
            "curriculum.polcy",
            "curriculum.seed",
            "curriculum.policy.rate",
            "curriculum.policy.temprature",
            "curriculum.stages[0] (first).mix.eazy",
            "curriculum.stages[0] (first).mix",
            "curriculum.stages[1] (second).exit.any[0].above",
            "curriculum.stages[1] (second).exit.any[1]",
            "curriculum.stages[2] (third).rewards.nothing",
            "curriculum.derived.product",
            "curriculum.rollback.baseline",
        ]
    )


@pytest.mark.parametrize(
    ("stage", "fragments"),
    [
        ({"mix": {}, "rewards": {"final": "x"}}, ["mix: got {}", "rewards.final"]),
        ({"mix": {"easy": "x"}, "rewards": {"final": 0}}, ["mix.easy", "rewards: got no weight"]),
        (
            {"mix": {"easy": "x"}, "exit": {"metric": "train/success_rate", "above": 2}},
            ["mix.easy", "is never above 2"],
        ),
        ({"exit": {"any": [{"metric": 3, "above": 1}], "window": 1}}, ["expected any alone", "metric: got 3"]),
    ],
)
def test_one_mistake_of_a_stage_does_not_hide_another(stage, fragments):
    block = copy.deepcopy(BLOCK)
    block["stages"][0] |= stage
    found = problems_of(block)
    assert [any(fragment in problem for problem in found) for fragment in fragments] == [True, True], found


@pytest.mark.parametrize(
    ("alert", "fragments"),
    [
        ({}, ["curriculum.alerts[1].name: is missing", "got no test", "alerts[1].metric: is missing"]),
        (7, ["alerts[1]: got 7, expected an alert such as {name: kl"]),
        (
            {"name": "b", "metrik": "x", "above": 1, "below": "y", "repeat": 0},
            [
                "alerts[1] (b).metrik: unknown key 'metrik'",
                "(b): got above and below",
                "(b).below: got the text 'y'",
                "(b).repeat: got 0, expected a whole number >= 1",
            ],
        ),
        ({"name": "b", "all": [{"metric": "x"}]}, ["(b).all[0]: got no test"]),
        ({"name": "b", "any": [], "above": 1}, ["(b).any: got []", "(b): got any, above, expected any alone"]),
        ({"name": "", "metric": "x", "above": 1}, ["().name: got the text '', expected a name"]),
        ({"name": "a", "metric": "x", "above": 1}, ["alerts[1] (a).name: stands twice"]),
        ({"name": "b", "metric": "train/success_rate", "above": 1}, ["never above 1, so this alert can never be"]),
    ],
)
def test_every_mistake_of_an_alert_is_named_at_once(alert, fragments):
    good = {"name": "a", "metric": "actor/ppo_kl", "above": 0.2, "window": 10}
    problems = "\n".join(problems_of(BLOCK | {"alerts": [good, alert]}))
    for fragment in fragments:
        assert fragment in problems


def test_alerts_become_conditions_with_a_name():
    alerts = [
        {"name": "kl", "metric": "actor/ppo_kl", "above": 0.2, "repeat": 50},
        {"name": "two", "all": [{"metric": "a", "above": 1}, {"metric": "b", "below": 0}]},
    ]
    kl, two = load_config(BLOCK | {"alerts": alerts}).alerts
    assert (kl.name, kl.repeat, kl.condition.metric, kl.condition.above) == ("kl", 50, "actor/ppo_kl", 0.2)
    assert (two.name, two.repeat) == ("two", None)
    assert [leaf.metric for leaf in leaves_of(two.condition)] == ["a", "b"]


@pytest.mark.parametrize(
    "address", ["hooks.example.com/x", "file:///etc/passwd", "https:///secret", "https://a:b/", "ftp://a"]
)
def test_a_webhook_that_is_no_web_address_is_refused_and_not_shown(address):
    [problem] = problems_of(BLOCK | {"webhook": address})
    assert problem.startswith("curriculum.webhook: got a text that is no web address")
    assert address not in problem
    assert load_config(BLOCK | {"webhook": "https://a.example:8443/hook?x=1"}).webhook.endswith("x=1")


@pytest.mark.parametrize("login", ["user:hunter2", "hunter2", "", ":hunter2", "user:hunter2@more"])
def test_a_webhook_with_a_login_is_refused_without_telling_it(login):
    [problem] = problems_of(BLOCK | {"webhook": f"https://{login}@hooks.example:8443/x"})
    assert problem.startswith("curriculum.webhook: got an address with a user name or a password before its host hooks")
    assert "take out all from // to @" in problem
    assert "hunter2" not in problem
    behind = f"https://hooks.example/x/@{login}?to={login}@a.example"
    assert load_config(BLOCK | {"webhook": behind}).webhook == behind


def test_a_test_that_can_never_be_met_beside_one_that_can_does_not_make_stages_unreachable():
    block = copy.deepcopy(BLOCK)
    members = [{"metric": "train/success_rate", "above": 1}, {"metric": "stage/steps", "at_least": 5}]
    block["stages"][0]["exit"] = {"any": members}
    try:
        load_config(block, BUCKETS)
    except ConfigError as error:
        found = error.problems
    else:
        found = []
    assert not any("never be reached" in problem for problem in found)


def test_the_message_counts_and_names_the_source(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("curriculum:\n  seed: x\n  stages: []\n")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value).splitlines() == [
        f"{path}: 2 problems",
        "  - curriculum.stages: got [], expected at least one stage",
        "  - curriculum.seed: got the text 'x', expected a whole number",
    ] or sorted(str(caught.value).splitlines()[1:]) == [
        "  - curriculum.seed: got the text 'x', expected a whole number",
        "  - curriculum.stages: got [], expected at least one stage",
    ]


def test_buckets_may_be_called_by_numbers(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("curriculum:\n  stages:\n    - {name: a, mix: {1: 0.5, 2: 0.5}}\n")
    assert load_config(path, ("1", "2")).stages[0].mix == {"1": 0.5, "2": 0.5}


@pytest.mark.parametrize(
    "text",
    [
        "{stages: [{name: a, mix: {3: 1.0}}]}",
        "{stages: [{name: a, mix: {b: 1}, rewards: {3: 1}}]}",
        "{stages: [{name: a, mix: {b: 1}}], stop: {any: [], on: 1}}",
        "{stages: [{name: a, mix: {b: 1}}], policy: {name: mixture, 3: 1}}",
        "{stages: [{name: a, mix: {b: 1}}], derived: {3: '('}}",
        "{stages: [{name: 3, mix: {b: 1}}], 3: 4}",
        "{stages: [{name: a, mix: {b: 1" + "0" * 400 + "}}]}",
        "{stages: [{name: a, mix: {b: 1" + "0" * 400 + ", c: 0.5}}]}",
        "{stages: [{name: a, mix: {b: 1}}], pass_threshold: 1" + "0" * 400 + "}",
        "{stages: [{name: a, mix: {b: 1}}], policy: {name: '.a:b'}}",
        "{stages: [{name: a, mix: {b: 1}}], derived: {d: '" + "(" * 490 + "'}}",
        "{stages: [{name: a, mix: {b: 1}}], seed: 2024-13-13}",
    ],
)
def test_odd_files_are_config_errors(tmp_path, text):
    path = tmp_path / "recipe.yaml"
    path.write_text(f"curriculum: {text}")
    with pytest.raises(ConfigError):
        load_config(path, ("b", "c"))


NAMES = """stages name mix rewards exit any all metric window above below at_least confident_above confidence plateau
patience evals slope_below min_delta mode policy target data seed components derived advance check_every rollback
threshold restore probation admission stop replay_floor easy hard final mixture posterior bandit gaussian a:b"""
WORDS = st.sampled_from(NAMES.split())
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6), WORDS, st.floats(0, 1), st.integers(0, 5)
)
GARBAGE = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=3), inner, max_size=5),
    max_leaves=20,
)


def all_paths(node, path=()):
    """Every place of a nested block."""
    yield path
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield from all_paths(value, (*path, key))


def accepts_or_explains(source):
    """Loading ends well or in a ConfigError whose every line has a path; anything else is raised."""
    try:
        load_config(source, BUCKETS)
    except ConfigError as error:
        return bool(error.problems) and all(": " in problem for problem in error.problems)
    return True


@settings(max_examples=300)
@given(GARBAGE)
def test_garbage_in_the_block_is_a_config_error(garbage):
    with pytest.raises(ConfigError):
        load_config({"curriculum": garbage if isinstance(garbage, dict) else {"stages": garbage}}, ("no such bucket",))


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from([path for path in all_paths(BLOCK) if path]), GARBAGE)
def test_garbage_at_any_place_of_a_good_block_is_accepted_or_explained(path, garbage):
    assert accepts_or_explains({"curriculum": changed(path, garbage)})


@settings(max_examples=150)
@given(
    st.sampled_from([path for path in all_paths(BLOCK) if path]), GARBAGE, st.integers() | st.booleans() | st.floats()
)
def test_garbage_in_a_file_is_accepted_or_explained(tmp_path_factory, path, garbage, key):
    file = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    block = changed(path, {key: garbage} if isinstance(garbage, float) else garbage)
    file.write_text(yaml.safe_dump({"curriculum": block}), encoding="utf-8")
    assert accepts_or_explains(file)
