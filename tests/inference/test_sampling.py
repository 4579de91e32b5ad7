"""From logits to a token."""

import math
from collections import Counter

import pytest
import torch

from curriculum_verl.errors import InputError
from curriculum_verl.inference.sampling import Settings, draw


def drawn(logits: list[float], settings: Settings, count: int = 2000) -> dict[int, float]:
    """How often each token is drawn, over evenly spread random numbers."""
    rows = torch.tensor([logits] * count)
    tokens, _ = draw(rows, [settings] * count, [n / count for n in range(count)])
    return {token: n / count for token, n in sorted(Counter(tokens).items())}


def test_tokens_come_as_often_as_their_probability_says() -> None:
    probs = [0.5, 0.3, 0.2]
    assert drawn(torch.tensor(probs).log().tolist(), Settings()) == pytest.approx(dict(enumerate(probs)), abs=0.002)


def test_temperature_sharpens() -> None:
    cold = torch.softmax(torch.tensor([1.0, 2.0, 3.0]) / 0.5, 0).tolist()
    assert drawn([1.0, 2.0, 3.0], Settings(temperature=0.5)) == pytest.approx(dict(enumerate(cold)), abs=0.002)


def test_temperature_zero_takes_the_best_and_reports_its_plain_log_prob() -> None:
    logits = torch.tensor([[1.0, 3.0, 2.0]])
    tokens, log_probs = draw(logits, [Settings(temperature=0)], [0.999])
    assert tokens == [1]
    assert log_probs == pytest.approx([torch.log_softmax(logits, -1)[0, 1].item()])


@pytest.mark.parametrize("settings", [Settings(), Settings(temperature=0), Settings(top_p=0.5)])
def test_a_model_that_has_diverged_is_no_source_of_tokens(settings: Settings) -> None:
    with pytest.raises(InputError, match="have diverged"):
        draw(torch.tensor([[1.0, 2.0], [math.nan, 1.0]]), [settings] * 2, [0.5, 0.5])


def test_top_k_keeps_the_best_k() -> None:
    assert set(drawn([1.0, 4.0, 2.0, 3.0], Settings(top_k=2))) == {1, 3}


def test_top_p_keeps_the_fewest_that_hold_the_mass() -> None:
    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log().tolist()
    assert set(drawn(logits, Settings(top_p=0.8))) == {0, 1}
    assert set(drawn(logits, Settings(top_p=0.81))) == {0, 1, 2}
    assert set(drawn(logits, Settings(top_p=0.01))) == {0}


def test_the_log_prob_is_that_of_the_actor_whatever_steers_the_draw() -> None:
    logits = torch.randn(1, 11, generator=torch.Generator().manual_seed(0))
    settings = Settings(temperature=0.7, top_k=3, top_p=0.9)
    [token], [log_prob] = draw(logits, [settings], [0.4])
    assert log_prob == torch.log_softmax(logits / 0.7, -1)[0, token].item()


def test_rows_of_one_batch_have_settings_of_their_own() -> None:
    logits = torch.randn(3, 11, generator=torch.Generator().manual_seed(0))
    settings = [Settings(temperature=0), Settings(top_k=2), Settings(temperature=2.0)]
    together = draw(logits, settings, [0.1, 0.5, 0.9])
    alone = [draw(logits[row : row + 1], [settings[row]], [[0.1, 0.5, 0.9][row]]) for row in range(3)]
    assert together == ([tokens[0] for tokens, _ in alone], [log_probs[0] for _, log_probs in alone])


def test_the_ends_of_the_unit_interval_draw_tokens_that_exist() -> None:
    impossible_ends = torch.tensor([[-torch.inf, 0.0, 0.0, -torch.inf]] * 2)
    tokens, _ = draw(impossible_ends, [Settings()] * 2, [0.0, 1 - 2**-53])
    assert tokens == [1, 2]


def test_what_verl_sends_is_understood() -> None:
    params = {"temperature": 0.5, "top_p": 0.9, "top_k": 5, "repetition_penalty": 1.0, "logprobs": True, "seed": 3}
    assert Settings.of(params) == Settings(temperature=0.5, top_p=0.9, top_k=5, seed=3)
    assert Settings.of({"max_new_tokens": 7}).max_tokens == 7


@pytest.mark.parametrize("params", [{"min_p": 0.1}, {"stop": ["\n"]}, {"repetition_penalty": 1.1}])
def test_what_it_cannot_do_is_refused(params: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="hf_cpu"):
        Settings.of(params)
