"""How similar consecutive steps are."""

import math
import random
import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rewards.made_up_texts import fuzz

from curriculum_verl.errors import InputError
from curriculum_verl.rewards.vectors import cosines, hashed_vectors, similarities

CUP = "The label on the red cup says seven."


def test_the_same_is_one_related_is_between_and_unrelated_is_near_zero():
    again, related, other, noise = similarities(
        [
            CUP,
            CUP.upper(),
            "So the red cup has the number seven on it.",
            "Interest rates rose again in March.",
            "zq" * 20,
        ]
    )
    assert again == pytest.approx(1.0)
    assert 0.1 < related < 0.8
    assert abs(other) < 0.15
    assert abs(noise) < 0.15


def test_unrelated_texts_are_as_often_below_zero_as_above():
    rng = random.Random(1)
    found = similarities(["".join(rng.choices(string.ascii_lowercase, k=80)) for _ in range(400)])
    assert float(found.mean()) == pytest.approx(0, abs=0.02)
    assert float(np.abs(found).max()) < 0.3


@fuzz
@given(st.lists(st.text(), min_size=2, max_size=6))
def test_every_similarity_is_finite_and_at_most_one(steps):
    found = similarities(steps)
    assert found.shape == (len(steps) - 1,)
    assert np.isfinite(found).all()
    assert (np.abs(found) <= 1 + 1e-9).all()


def test_similarities_do_not_depend_on_how_steps_fall_into_blocks():
    steps = [f"{CUP} {number} {'x' * (number % 7)}" for number in range(300)]
    one_by_one = [float(similarities(steps[at : at + 2])[0]) for at in range(len(steps) - 1)]
    assert similarities(steps) == pytest.approx(one_by_one)


def test_vectors_are_the_same_in_every_process():
    (vector,) = hashed_vectors(["abcd"])
    assert np.flatnonzero(vector).tolist() == [42, 54, 60, 99, 120, 133, 163]


def test_cosines_are_right_and_zero_without_a_direction():
    assert cosines(np.array([[1.0, 0], [1, 1], [0, 0], [0, 2]])) == pytest.approx([math.sqrt(0.5), 0, 0])


def test_an_embedding_of_ones_own_is_used_in_bounded_batches():
    sizes = []

    def embed(texts):
        sizes.append(len(texts))
        return [[1.0, float(len(text) % 2)] for text in texts]

    found = similarities(["a", "bb"] * 100, embed)
    assert found == pytest.approx([math.sqrt(0.5)] * 199)
    assert max(sizes) <= 65


@pytest.mark.parametrize("vectors", [[1.0, 2.0], [[1.0]], [[1.0], [math.nan]], [[1.0], [math.inf]]])
def test_an_embedding_that_gives_something_else_is_refused(vectors):
    with pytest.raises(InputError, match="one row of finite numbers for each"):
        similarities(["a", "b"], lambda texts: vectors)
