"""Tasks of reasoning-gym: the same for a seed, at the level that is asked for, refused where scores are unsure."""

import pytest

from curriculum_verl.errors import InputError
from curriculum_verl.generation.judging import Judge, Scoring
from curriculum_verl.generation.tasks import Task, make_prompts, parse_tasks

pytest.importorskip("reasoning_gym")


def test_what_a_task_may_say() -> None:
    found = parse_tasks(["reasoning_gym:chain_sum,size=5,min_terms=2", "reasoning_gym:lcm,level=3"], 10, [0, 1])
    assert found == [
        Task("chain_sum", 5, 0, {"min_terms": 2}),
        Task("chain_sum", 5, 1, {"min_terms": 2}),
        Task("lcm", 10, 3),
    ]
    assert parse_tasks(["reasoning_gym:lcm"], 10, []) == [Task("lcm", 10)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("chain_sum", "expected reasoning_gym:NAME"),
        ("reasoning_gym:lcm,size", "expected key=value"),
        ("reasoning_gym:lcm,size=0", "expected a whole number"),
        ("reasoning_gym:lcm,level=x", "expected a whole number"),
    ],
)
def test_what_is_no_task(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse_tasks([text], 10, [])


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (Task("rush_hour", 1), "refused: reasoning-gym"),
        (Task("chain_sums", 1), "did you mean 'chain_sum'"),
        (Task("chain_sum", 1, 99), "got level 99, expected 0 to 10"),
        (Task("chain_sum", 1, None, {"terms": 3}), "it takes min_terms, max_terms"),
        (Task("chain_sum", 1, None, {"min_terms": 9, "max_terms": 2}), "it takes min_terms"),
    ],
)
def test_what_cannot_be_made(task: Task, said: str) -> None:
    with pytest.raises(InputError, match=said):
        list(make_prompts(task, 0))


def test_a_seed_makes_the_same_tasks_again_and_levels_are_apart() -> None:
    task = Task("chain_sum", 20, 3)
    made = list(make_prompts(task, 7))
    assert made == list(make_prompts(task, 7))
    assert [prompt.text for prompt in made] != [prompt.text for prompt in make_prompts(task, 8)]
    assert {prompt.truth["metadata"]["num_terms"] for prompt in made} == {5}, "level 3 alone"
    easier = list(make_prompts(Task("chain_sum", 20, 0), 7))
    assert len({prompt.id for prompt in made + easier}) == 40


@pytest.mark.parametrize("name", ["chain_sum", "leg_counting", "word_sorting"])
def test_the_reference_answer_of_a_task_is_right_and_another_is_not(name: str) -> None:
    judge = Judge(Scoring())
    for prompt in make_prompts(Task(name, 3, 1), 0):
        assert judge.score(prompt, prompt.truth["answer"]).value == 1
        assert judge.score(prompt, "I do not know").value < 1  # type: ignore[operator]
    judge.close()
