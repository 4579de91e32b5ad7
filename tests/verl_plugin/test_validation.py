from curriculum_verl.curriculum.tracker import Rate
from curriculum_verl.verl_plugin.validation import bucket_scores, by_bucket

INFOS = {
    "reward": [1.0, 0.0, 1.0, 1.0],
    "bucket": ["easy", "easy", "hard", None],
    "success": [1.0, 0.0, 1.0, 1.0],
}


def test_sources_are_named_by_bucket():
    assert by_bucket(["math"] * 4, INFOS) == ["math/easy", "math/easy", "math/hard", "math/unknown"]


def test_a_bucket_is_worth_as_many_trials_as_it_has_prompts():
    assert bucket_scores(INFOS, ["p", "p", "q", "r"], 0.5) == {"easy": Rate(0.5, 1), "hard": Rate(1.0, 1)}


def test_without_success_the_reward_is_held_against_the_threshold():
    infos = {key: value for key, value in INFOS.items() if key != "success"}
    assert bucket_scores(infos, ["p", "o", "q", "r"], 0.5)["easy"] == Rate(0.5, 2)
