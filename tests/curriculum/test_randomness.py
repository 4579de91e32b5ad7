import numpy as np

from curriculum_verl.curriculum.randomness import RandomStream


def draws(stream, count):
    return [stream.next().integers(0, 2**62) for _ in range(count)]


def test_a_stream_is_the_same_for_the_same_seed_and_name_only():
    assert draws(RandomStream(1, "a"), 5) == draws(RandomStream(1, "a"), 5)
    others = [draws(RandomStream(seed, name), 1)[0] for seed in range(20) for name in ("a", "b", "ab", "ba")]
    assert len(set(others)) == 80


def test_no_generator_of_a_stream_is_given_out_twice():
    assert len(set(draws(RandomStream(3, "x"), 1000))) == 1000


def test_a_stream_resumes_where_it_stood(through_json):
    stream, other = RandomStream(5, "x"), RandomStream(5, "x")
    draws(stream, 7)
    other.load_state_dict(through_json(stream.state_dict()))
    assert draws(other, 3) == draws(stream, 3)


def test_long_draws_of_one_generator_do_not_run_into_the_next():
    stream = RandomStream(5, "x")
    first, second = stream.next().random(10_000), stream.next().random(10_000)
    assert not np.isin(first, second).any()
