"""Curiosity's way into verl's rewards, on a store of real jagged tensors."""

from types import SimpleNamespace

import pytest

pytest.importorskip("torch")
pytest.importorskip("transfer_queue")
import torch
from tensordict import TensorDict

from curriculum_verl.rewards.running import RunningRewards
from curriculum_verl.rewards.scorer import ScoringSettings
from curriculum_verl.rewards.usage import Trace
from curriculum_verl.verl_plugin import group_rewards
from curriculum_verl.verl_plugin.feedback import TRACE, Trajectory

USES = Trace(operations=(("ZOOM_IN", 5),), calls=1, steps=1).encode()


def trajectory(key: str, trace: str = "", weight: float = 0.5) -> Trajectory:
    ticket = {"row": 0, "bucket": "easy", "stage": 0, "weights": {"curiosity": weight}, "scales": {}}
    return Trajectory(key, ticket, 1.0, {TRACE: trace})


@pytest.fixture
def store(monkeypatch) -> dict:
    rows = {"u_0_0": [0.0, 0.0, 1.0], "u_0_1": [1.0], "u_1_0": [0.0, 1.0]}

    def get(keys, partition_id, select_fields):
        nested = torch.nested.as_nested_tensor([torch.tensor(rows[k]) for k in keys], layout=torch.jagged)
        return TensorDict({"rm_scores": nested}, batch_size=len(keys))

    def put(keys, partition_id, fields):
        rows.update(zip(keys, [row.tolist() for row in fields["rm_scores"].unbind()], strict=True))

    monkeypatch.setattr(group_rewards, "tq", SimpleNamespace(kv_batch_get=get, kv_batch_put=put))
    return rows


def test_a_response_that_explores_gets_its_weighed_bonus_at_its_last_token_in_all_of_its_outputs(store):
    rewards = RunningRewards(ScoringSettings(), ["curiosity"])
    step = [trajectory("u_0_0"), trajectory("u_0_1", USES), trajectory("u_1_0")]
    scores = group_rewards.score_in_groups(rewards, step)
    assert scores["u_0"] > 0
    assert scores["u_1"] == 0.0
    group_rewards.add_to_rewards(SimpleNamespace(partition_id="train"), step, scores)
    bonus = pytest.approx(1.0 + 0.5 * scores["u_0"])
    assert store == {"u_0_0": [0.0, 0.0, bonus], "u_0_1": [bonus], "u_1_0": [0.0, 1.0]}


def test_a_stage_that_does_not_weigh_it_leaves_rewards_alone(store):
    before = dict(store)
    group_rewards.add_to_rewards(SimpleNamespace(partition_id="train"), [trajectory("u_0_0", USES, 0.0)], {"u_0": 1.0})
    assert store == before
