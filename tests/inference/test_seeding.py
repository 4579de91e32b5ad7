"""Random numbers follow from what is sampled, and from nothing else."""

from collections import Counter

from curriculum_verl.inference.seeding import PromptSeeds, fold, uniform

HELLO = [{"role": "user", "content": "hello"}]


def test_a_seed_is_the_same_everywhere() -> None:
    assert fold(42, 3, "a", [{"role": "user"}]) == 6858566190505113835
    assert fold({"a": 1, "b": 2}) == fold({"b": 2, "a": 1})


def test_seeds_fit_into_a_signed_tensor() -> None:
    assert all(0 <= fold(n) < 2**63 for n in range(1000))


def test_uniform_numbers_are_uniform_and_differ_by_position() -> None:
    drawn = [uniform(seed, position) for seed in range(50) for position in range(100)]
    assert all(0 <= number < 1 for number in drawn)
    assert len(set(drawn)) == 5000
    tenths = Counter(int(number * 10) for number in drawn)
    assert all(400 < tenths[tenth] < 600 for tenth in range(10))


def test_the_order_in_which_prompts_are_sent_plays_no_part() -> None:
    prompts = [(index, HELLO) for index in range(5)]
    forward = PromptSeeds(1).seeds(3, False, prompts)
    backward = PromptSeeds(1).seeds(3, False, prompts[::-1])
    one_by_one = PromptSeeds(1)
    assert forward == backward[::-1] == [one_by_one.seeds(3, False, [prompt])[0] for prompt in prompts]
    assert len(set(forward)) == 5


def test_everything_that_should_matter_does() -> None:
    seeds = [
        PromptSeeds(rollout).seeds(step, validate, [(index, messages)])[0]
        for rollout in (1, 2)
        for step in (1, 2)
        for validate in (False, True)
        for index in (0, "0")
        for messages in (HELLO, HELLO * 2)
    ]
    assert len(set(seeds)) == len(seeds) == 32


def test_a_prompt_sent_twice_in_a_step_is_drawn_anew() -> None:
    seeds = PromptSeeds(1)
    first = seeds.seeds(1, False, [(7, HELLO), (7, HELLO)])
    later = seeds.seeds(1, False, [(7, HELLO)])
    assert len({*first, *later}) == 3


def test_a_resumed_run_counts_from_the_start_of_its_step() -> None:
    whole = PromptSeeds(1)
    whole.seeds(1, False, [(7, HELLO)])
    assert whole.seeds(2, False, [(7, HELLO)]) == PromptSeeds(1).seeds(2, False, [(7, HELLO)])


def test_a_validation_repeated_in_a_step_is_the_same_validation() -> None:
    seeds = PromptSeeds(1)
    first = seeds.seeds(4, True, [(7, HELLO), (7, HELLO)])
    assert seeds.seeds(4, True, [(7, HELLO), (7, HELLO)]) == first
    assert len(set(first)) == 2


def test_a_validation_does_not_disturb_the_training_of_its_step() -> None:
    with_validation, without = PromptSeeds(1), PromptSeeds(1)
    with_validation.seeds(2, False, [(7, HELLO)])
    with_validation.seeds(2, True, [(7, HELLO)])
    without.seeds(2, False, [(7, HELLO)])
    assert with_validation.seeds(2, False, [(7, HELLO)]) == without.seeds(2, False, [(7, HELLO)])
