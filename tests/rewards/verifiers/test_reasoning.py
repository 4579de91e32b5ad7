import json
import subprocess
import sys

import pytest

from curriculum_verl.rewards.scoring import Response
from curriculum_verl.rewards.verifiers.reasoning import REFUSED

TASKS = (
    "basic_arithmetic",
    "chain_sum",
    "gcd",
    "leg_counting",
    "spell_backward",
    "base_conversion",
    "number_sorting",
    "prime_factorization",
    "word_sorting",
    "arc_agi",
)
ITEMS = dict.fromkeys(TASKS, 110) | {"arc_agi": 20}
MAKE = """
import json, sys, reasoning_gym
for task, count in json.loads(sys.argv[1]).items():
    for entry in reasoning_gym.create_dataset(task, size=count, seed=42):
        print(json.dumps([task, entry]))
"""


@pytest.fixture(scope="module")
def entries():
    """Made in a process of its own: the generators' libraries warn, and stay where they were loaded."""
    command = [sys.executable, "-W", "ignore", "-c", MAKE, json.dumps(ITEMS)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return [json.loads(line) for line in lines if line.startswith('["')]


def test_a_thousand_reference_answers_over_ten_tasks_score_one(score, entries):
    assert len(entries) >= 1000
    assert len({task for task, _ in entries}) == 10
    missed = []
    for task, entry in entries:
        result = score("reasoning_gym", f"<think>hm</think>So <answer>{entry['answer']}</answer>", json.dumps(entry))
        if result.value != 1:
            missed.append((task, entry["answer"], result))
    assert not missed


def test_a_wrong_answer_of_every_task_scores_less(score, entries):
    firsts = dict(reversed(entries))
    assert len(firsts) == 10
    for task, entry in firsts.items():
        result = score("reasoning_gym", "<answer>certainly not this</answer>", entry)
        assert result.failure is None, task
        assert result.value < 0.5, task


def test_the_metadata_may_lie_in_extra_info(score, entries):
    _, entry = entries[0]
    for metadata in (entry["metadata"], json.dumps(entry["metadata"])):
        assert score("reasoning_gym", entry["answer"], entry["answer"], extra={"metadata": metadata}).value == 1


def test_the_task_may_be_named_by_the_data_source(final, entries):
    task, entry = entries[0]
    metadata = {key: value for key, value in entry["metadata"].items() if key != "source_dataset"}
    response = Response(entry["answer"], entry | {"metadata": metadata}, data_source=f"reasoning_gym/{task}")
    assert final.score(response).value == 1


@pytest.mark.parametrize("task", REFUSED)
def test_tasks_whose_scores_cannot_be_trusted_are_refused_by_name(score, task):
    result = score("reasoning_gym", "x", {"answer": "x", "metadata": {"source_dataset": task}})
    assert result.value is None
    assert result.failure.startswith(f"reasoning-gym's {task} is refused: ")


def test_the_refused_tasks_still_have_no_reference_answer():
    tasks = sorted(set(REFUSED) - {"composite"})
    command = [sys.executable, "-W", "ignore", "-c", MAKE, json.dumps(dict.fromkeys(tasks, 1))]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    answers = {task: entry["answer"] for task, entry in (json.loads(line) for line in lines if line.startswith('["'))}
    assert answers == dict.fromkeys(tasks)


@pytest.mark.parametrize(
    ("truth", "reason"),
    [
        (None, "the ground truth is missing"),
        ("{", "ground truth: got '{', expected JSON"),
        ("4", "metadata: got NoneType, expected the entry's metadata"),
        ({"answer": "4", "metadata": {}}, "the task has no name"),
        ({"answer": "4", "metadata": {"source_dataset": "chain_sums"}}, "did you mean 'chain_sum'?"),
        (
            {"answer": "x", "metadata": {"source_dataset": "prime_factorization"}},
            "cannot score its own reference answer",
        ),
    ],
)
def test_an_entry_that_cannot_be_read_gives_no_score(score, truth, reason):
    result = score("reasoning_gym", "y", truth)
    assert result.value is None
    assert reason in result.failure
