"""The settings: defaults of the design, every mistake at once, names from simple to hard."""

import pytest

from curriculum_verl.errors import ConfigError
from curriculum_verl.trajectories.settings import WEIGHTS, Scoring, read_scoring, trajectory_settings


def test_every_mistake_is_told_at_once(tmp_path):
    path = tmp_path / "difficulty.yaml"
    path.write_text(
        "difficulty:\n"
        "  weights: {reasoning_dept: 1, task_type: 0.2}\n"
        "  scorers: {mine: 'no_such_module:mine'}\n"
        "  operations: {weights: {ZOOM_IN: -1}}\n"
        "  halves: {length: 0}\n"
        "  task_types: {counting: 2}\n"
        "  traps: {action: rise}\n"
        "  fields: {trajectry: steps}\n"
        "  marker: [wait]\n"
    )
    with pytest.raises(ConfigError) as error:
        read_scoring(path)
    said = str(error.value)
    assert said.startswith(f"{path}: ")
    assert len(error.value.problems) == len(set(error.value.problems)) == 9
    for part in (
        "did you mean 'reasoning_depth'?",
        "scorers.mine: has no weight",
        "scorers.mine: no_such_module:mine: cannot be imported",
        "operations.weights.ZOOM_IN: got -1",
        "halves.length: got 0, expected a number > 0",
        "task_types.counting: got 2",
        "did you mean 'raise'?",
        "did you mean 'trajectory'?",
        "did you mean 'markers'?",
    ):
        assert part in said


@pytest.mark.parametrize("block", [{}, {"weights": {}}, {"difficulty": []}])
def test_a_block_that_is_none_is_told(block):
    with pytest.raises(ConfigError, match="difficulty"):
        read_scoring(block)


def test_what_is_not_said_stays_as_it_is():
    assert read_scoring({"difficulty": None}).weights == WEIGHTS
    assert read_scoring({"difficulty": {"weights": {"task_type": 0}}}).weights == WEIGHTS | {"task_type": 0}
    with pytest.raises(ConfigError, match="only zeros"):
        read_scoring({"difficulty": {"weights": dict.fromkeys(WEIGHTS, 0)}})


def test_names_run_from_simple_to_hard():
    def names(**given):
        return trajectory_settings(Scoring(), **given).bucket_names()

    assert names() == ("simple", "medium", "hard")
    assert names(buckets=5) == ("very_simple", "simple", "medium", "hard", "very_hard")
    assert names(thresholds=(0.2, 0.4), names=("easy", "b", "c")) == ("easy", "b", "c")


def test_cuts_are_checked_together():
    with pytest.raises(ConfigError) as error:
        trajectory_settings(Scoring(), buckets=0, names=("a", "a/b"), thresholds=(0.5, 0.2))
    assert len(error.value.problems) >= 3
