from itertools import islice

import pytest

from curriculum_verl.curriculum import Curriculum, PromptIndex
from curriculum_verl.sft.sampler import CurriculumSampler

BLOCK = {
    "stages": [
        {"name": "a", "mix": {"easy": 1.0}, "exit": {"metric": "stage/steps", "at_least": 2}},
        {"name": "b", "mix": {"hard": 1.0}},
    ]
}


def curriculum() -> Curriculum:
    return Curriculum.from_config(BLOCK, PromptIndex.build({"easy": 50, "hard": 50}))


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_processes_share_one_draw_and_nothing_twice(processes: int) -> None:
    whole = curriculum().draw(8).prompts.tolist()
    parts = []
    for rank in range(processes):
        sampler = CurriculumSampler(curriculum(), 3, 8, rank=rank, processes=processes)
        parts.append(list(islice(sampler, 8 // processes)))
        assert len(sampler) == 24 // processes
    assert sorted(row for part in parts for row in part) == sorted(whole)
    assert len({row for part in parts for row in part}) == 8


def test_a_step_is_drawn_when_it_is_asked_for() -> None:
    present = curriculum()
    rows = iter(CurriculumSampler(present, 4, 3))
    assert max(islice(rows, 3)) < 50
    present.observe(1)
    drawn = present.metrics()["drawn/easy"]
    assert drawn == 3, "nothing of the next step"
    assert max(islice(rows, 3)) < 50
    present.observe(2)
    assert min(islice(rows, 3)) >= 50, "the very next step is of the new stage"
    assert len(list(rows)) == 3


def test_its_length_is_the_run_whatever_the_stage() -> None:
    present = curriculum()
    sampler = CurriculumSampler(present, 1000, 4)
    present.observe(1)
    present.observe(2)
    assert present.stage.name == "b"
    assert len(sampler) == 4000
