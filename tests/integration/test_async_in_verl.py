"""The curriculum in verl's colocated asynchronous mode: prompts of two stages in a batch, validation on demand."""

import pytest
from integration.curriculum_runs import BLOCK, curriculum_recipe, ends_well, events, killed_and_resumed, logged
from integration.verl_runs import Run

pytestmark = pytest.mark.slow

STEPS = 6


@pytest.fixture(scope="module")
def runs(toy, data, tmp_path_factory) -> list[Run]:
    """Killed after step 3, and resumed."""
    folder = tmp_path_factory.mktemp("async")
    stages = [dict(stage) for stage in BLOCK["stages"]]
    stages[1]["exit"] = {"metric": "stage/steps", "at_least": 2}  # of validations there are those that this asks for
    recipe = curriculum_recipe(toy, data, stages=stages, advance={"validate_now": True})
    overrides = {
        "trainer.v1.trainer_mode": "curriculum_colocate_async",
        "trainer.save_freq": 1,
        "trainer.test_freq": -1,
        "data.max_response_length": 16,
    }
    return killed_and_resumed(folder, recipe, overrides, after=3)


def test_it_ends_well_and_switches(runs):
    ends_well(runs[-1])
    assert max(runs[-1].metrics) == STEPS
    assert {line["target"] for line in events(runs[-1], "advance")} == {"second", "third"}


def test_an_advance_has_the_validation_that_it_asked_for_and_there_is_no_other(runs):
    advances = {line["step"] for line in events(runs[-1], "advance")}
    validated = {step for run in runs for step in run.series("val/easy")}
    assert validated == advances


def test_every_response_is_weighed_by_the_stage_of_its_prompt(runs):
    seen = set()
    for step in range(1, STEPS + 1):
        for line in logged(runs[0], step):
            weight = BLOCK["stages"][line["stage"]].get("rewards", {"final": 1.0})["final"]
            seen.add(line["stage"])
            assert line["weights"]["final"] == weight
            assert line["weighted_reward"] == pytest.approx([weight * score for score in line["reward"]], abs=1e-6)
    assert seen == {0, 1, 2}


def test_no_prompt_in_flight_is_lost_by_a_kill(runs):
    for step in range(1, STEPS + 1):
        assert len(logged(runs[0], step)) == 8, step
        assert all(len(line["response"]) == 4 for line in logged(runs[0], step)), step
