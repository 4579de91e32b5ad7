import pytest

from curriculum_verl.bucketing.settings import Settings, check_settings
from curriculum_verl.errors import ConfigError


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        (Settings(), ("easy", "medium", "hard")),
        (Settings(buckets=5), ("very_easy", "easy", "medium", "hard", "very_hard")),
        (Settings(buckets=12), tuple(f"level_{number:02}" for number in range(1, 13))),
        (Settings(names=("a", "b")), ("a", "b")),
        (Settings(metric="inverse_mean", names=("a", "b")), ("a", "b")),
        (Settings(thresholds=(0.5,)), ("easy", "hard")),
        (Settings(thresholds=(0.5,), names=("low", "high")), ("high", "low")),
        (Settings(metric="variance", thresholds=(0.5,), names=("low", "high")), ("low", "high")),
    ],
)
def test_names_come_easiest_first(settings, names):
    check_settings(settings)
    assert settings.bucket_names() == names
    assert settings.count == len(names)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Settings(metric="mean_rewar"), "did you mean 'mean_reward'"),
        (Settings(tie_break="mean_reward"), "--tie-break: got mean_reward twice"),
        (Settings(tie_break="variance", thresholds=(0.5,)), "--tie-break: has no meaning with --thresholds"),
        (Settings(buckets=0), "-n: got 0, expected at least 1"),
        (Settings(buckets=-2), "-n: got -2, expected at least 1"),
        (Settings(k=0), "--k: got 0"),
        (Settings(min_responses=0), "--min-responses: got 0"),
        (Settings(pass_threshold=float("nan")), "--pass-threshold: got nan"),
        (Settings(thresholds=(0.7, 0.3)), "each larger than the one before"),
        (Settings(thresholds=(0.3, 0.3)), "each larger than the one before"),
        (Settings(thresholds=(float("inf"),)), "expected finite numbers"),
        (Settings(thresholds=(0.3,), buckets=3), "-n: got 3 buckets, but 1 thresholds make 2"),
        (Settings(names=("a",), buckets=2), "got 1 names for 2 buckets"),
        (Settings(names=("a", "A")), "expected every name once"),
        (Settings(names=("a", "")), "got '', expected the name of a file"),
        (Settings(names=("a", "../b")), "got '../b'"),
        (Settings(names=("a", "Rejects")), "got 'Rejects'"),
        (Settings(names=("a", "never_solved"), split_degenerate=True), "got 'never_solved'"),
        (Settings(prefix="a/b"), "--prefix: got 'a/b'"),
    ],
)
def test_what_is_wrong_is_said(settings, message):
    with pytest.raises(ConfigError, match=r"arguments: \d problem") as caught:
        check_settings(settings)
    assert message in str(caught.value)
