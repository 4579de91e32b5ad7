from itertools import islice

import pytest

from curriculum_verl.curriculum import Curriculum, PromptIndex

pytest.importorskip("torch")
from torchdata.stateful_dataloader import StatefulDataLoader

from curriculum_verl.rewards.running import RunningRewards
from curriculum_verl.rewards.scorer import ScoringSettings
from curriculum_verl.verl_plugin.tickets import FIELD, GROUP_SIZE, CurriculumSampler, TicketedDataset

BLOCK = {
    "policy": {"name": "mixture"},
    "stages": [
        {"name": "a", "mix": {"easy": 1.0}, "exit": {"metric": "stage/steps", "at_least": 2}},
        {"name": "b", "mix": {"easy": 0.25, "hard": 0.75}, "rewards": {"final": 1.0, "coherence": 0.5}},
    ],
}
REWARDS = RunningRewards(ScoringSettings(), ["final"])
ROWS = [{"prompt": f"p{number}"} for number in range(40)]


def made(group_sizes=None):
    curriculum = Curriculum.from_config(BLOCK, PromptIndex.build({"easy": 20, "hard": 20}))
    loader = StatefulDataLoader(
        TicketedDataset(ROWS, group_sizes or {}, 4),
        batch_size=8,
        num_workers=0,
        sampler=CurriculumSampler(curriculum, 8, REWARDS),
        collate_fn=list,
    )
    return curriculum, loader


def rows(batch):
    return [row[FIELD]["row"] for row in batch]


def train(curriculum, loader, steps, first=1):
    batches = []
    it = iter(loader)
    for step in range(first, first + steps):
        batch = next(it)
        batches.append(batch)
        curriculum.observe(step, rows(batch), [[0.0, 1.0]] * 8)
    return batches


def test_a_switch_affects_the_very_next_batch_and_the_weights_travel_along():
    curriculum, loader = made()
    batches = train(curriculum, loader, 4)
    assert [sum(row[FIELD]["bucket"] == "hard" for row in batch) for batch in batches] == [0, 0, 6, 6]
    assert [batch[0][FIELD]["stage"] for batch in batches] == [0, 0, 1, 1]
    assert batches[0][0][FIELD]["weights"]["coherence"] == 0.0
    assert batches[2][0][FIELD]["weights"]["coherence"] == 0.5
    assert all(row["prompt"] == f"p{row[FIELD]['row']}" for batch in batches for row in batch)


def test_the_length_is_that_of_the_data_whatever_the_stage():
    _, loader = made()
    assert len(loader) == 5
    assert len(list(islice(iter(loader), 7))) == 7, "it does not end with an epoch"


@pytest.mark.parametrize("killed_after", [1, 2, 3])
def test_a_resumed_loader_goes_on_with_the_very_next_prompts(tmp_path, killed_after):
    curriculum, loader = made()
    expected = [rows(batch) for batch in train(curriculum, loader, 6)]
    curriculum, loader = made()
    train(curriculum, loader, killed_after)
    curriculum.save(tmp_path / "state.json")
    state = loader.state_dict()
    curriculum, loader = made()
    loader.load_state_dict(state)
    curriculum.load(tmp_path / "state.json")
    resumed = train(curriculum, loader, 6 - killed_after, first=killed_after + 1)
    assert [rows(batch) for batch in resumed] == expected[killed_after:]


def test_a_bucket_may_have_a_group_size_of_its_own_and_then_every_row_says_its_size():
    batches = train(*made({"hard": 16}), 3)
    assert [row[GROUP_SIZE] for row in batches[0]] == [4] * 8
    assert sorted(row[GROUP_SIZE] for row in batches[2]) == [4] * 2 + [16] * 6
    assert not any(GROUP_SIZE in row for row in train(*made(), 1)[0])


def test_the_time_of_drawing_is_told_once():
    curriculum = Curriculum.from_config(BLOCK, PromptIndex.build({"easy": 20, "hard": 20}))
    sampler = CurriculumSampler(curriculum, 8, REWARDS)
    list(islice(iter(sampler), 16))
    assert sampler.take_seconds() > 0
    assert sampler.take_seconds() == 0
