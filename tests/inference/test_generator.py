"""Generation: the model's own log-probs, and the same tokens whatever is generated beside them."""

import random
from collections.abc import Callable

import pytest
import torch
from transformers import PreTrainedModel

from curriculum_verl.inference.generator import Generator, Request
from curriculum_verl.inference.sampling import Settings

LENGTH = 48


def requests(count: int = 24, **settings: float) -> list[Request]:
    """Prompts of several lengths, three samples each."""
    draw = random.Random(0)
    prompts = [tuple(draw.randrange(97) for _ in range(draw.randrange(1, 20))) for _ in range(count // 3)]
    return [
        Request(prompt, Settings(**settings), seed=100 * place + sample, limit=16)  # type: ignore[arg-type]
        for place, prompt in enumerate(prompts)
        for sample in range(3)
    ]


def generate(model: PreTrainedModel, asked: list[Request], lanes: int = 8, arrive: Callable[[], bool] = lambda: False):
    generator = Generator(model, {5}, lanes, LENGTH)
    for request in asked:
        generator.add(request)
        if arrive():
            generator.step()
    while generator.busy:
        generator.step()
    return [(request.tokens, request.log_probs, request.stop_reason) for request in asked]


@pytest.mark.parametrize("family", ["qwen2", "qwen3", "llama"])
def test_log_probs_are_those_of_transformers(make_model: Callable[..., PreTrainedModel], family: str) -> None:
    model = make_model(family)
    asked = requests()
    generate(model, asked)
    for request in asked:
        with torch.inference_mode():
            logits = model(torch.tensor([[*request.prompt, *request.tokens]])).logits[0, len(request.prompt) - 1 : -1]
        expected = torch.log_softmax(logits, -1).gather(-1, torch.tensor(request.tokens)[:, None])[:, 0]
        assert torch.tensor(request.log_probs) == pytest.approx(expected, abs=2e-6)


def test_greedy_is_what_transformers_generates(model: PreTrainedModel) -> None:
    asked = requests(temperature=0)
    generate(model, asked)
    for request in asked:
        prompt = torch.tensor([request.prompt])
        expected = model.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            do_sample=False,
            max_new_tokens=16,
            eos_token_id=5,
            pad_token_id=0,
        )
        assert request.tokens == expected[0, prompt.shape[1] :].tolist()


@pytest.mark.parametrize("seed", range(5))
def test_order_and_company_change_no_bit(model: PreTrainedModel, seed: int) -> None:
    expected = generate(model, requests())
    chance = random.Random(seed)
    asked = requests()
    shuffled = chance.sample(asked, len(asked))
    generate(model, shuffled, arrive=lambda: chance.random() < 0.5)
    assert [(request.tokens, request.log_probs, request.stop_reason) for request in asked] == expected


def test_alone_is_as_in_company(model: PreTrainedModel) -> None:
    expected = generate(model, requests())
    assert [generate(model, [request])[0] for request in requests()] == expected


def test_the_samples_of_a_prompt_differ(model: PreTrainedModel) -> None:
    found = generate(model, requests())
    assert len({tuple(tokens) for tokens, _, _ in found}) == len(found)


def test_a_response_ends_at_a_stop_token_or_at_its_limit(model: PreTrainedModel) -> None:
    asked = requests(90)
    generate(model, asked)
    ended = {reason: [r for r in asked if r.stop_reason == reason] for reason in ("completed", "length")}
    assert ended["completed"]
    assert ended["length"]
    assert sum(map(len, ended.values())) == 90
    assert all(r.tokens[-1] == 5 and 5 not in r.tokens[:-1] for r in ended["completed"])
    assert all(len(r.tokens) == 16 and 5 not in r.tokens for r in ended["length"])


def test_a_stop_token_can_be_ignored(model: PreTrainedModel) -> None:
    asked = requests(90, ignore_eos=True)
    generate(model, asked)
    assert all(len(request.tokens) == 16 for request in asked)
    assert any(5 in request.tokens for request in asked)


def test_what_was_stopped_goes_on_where_it_was(model: PreTrainedModel) -> None:
    """A stopped response is sent again as a longer prompt; its random numbers go on by position."""
    expected = [tokens for tokens, _, _ in generate(model, requests(12))]
    asked = requests(12)
    generator = Generator(model, {5}, 16, LENGTH)
    for request in asked:
        generator.add(request)
    for _ in range(4):
        generator.step()
    stopped = generator.stop_all()
    assert stopped
    assert all(request.stop_reason == "aborted" and request.tokens for request in stopped)
    assert not generator.busy
    rest = {id(r): Request((*r.prompt, *r.tokens), r.settings, r.seed, r.limit - len(r.tokens)) for r in stopped}
    generate(model, list(rest.values()))
    assert [r.tokens + (rest[id(r)].tokens if id(r) in rest else []) for r in asked] == expected


def test_what_waits_is_not_stopped(model: PreTrainedModel) -> None:
    asked = requests(12)
    generator = Generator(model, {5}, 4, LENGTH)
    for request in asked:
        generator.add(request)
    generator.step()
    assert len(generator.stop_all()) <= 4
    assert generator.busy, "the others wait for their lane"
    assert len(generator.drop_waiting()) >= 6
    assert not generator.busy


def test_new_weights_are_used_for_a_prompt_seen_before(make_model: Callable[..., PreTrainedModel]) -> None:
    model, other = make_model(seed=1), make_model(seed=2)
    generator = Generator(model, set(), 4, LENGTH)
    before, after = (Request((1, 2, 3), Settings(), 7, 8) for _ in range(2))
    generator.add(before)
    while generator.busy:
        generator.step()
    model.load_state_dict(other.state_dict())
    generator.forget()
    generator.add(after)
    while generator.busy:
        generator.step()
    assert before.log_probs != after.log_probs
    assert (after.tokens, after.log_probs) == generate(other, [Request((1, 2, 3), Settings(), 7, 8)], lanes=4)[0][:2]


def test_a_sliding_window_is_refused(make_model: Callable[..., PreTrainedModel]) -> None:
    sliding = make_model("qwen2", use_sliding_window=True, sliding_window=8, max_window_layers=1)
    with pytest.raises(ValueError, match="sliding_attention"):
        Generator(sliding, set(), 4, LENGTH)
    for family in ("mistral", "phi3"):  # which do not list their layers
        with pytest.raises(ValueError, match="attends to the last 8 tokens"):
            Generator(make_model(family, sliding_window=8, pad_token_id=0), set(), 4, LENGTH)


@pytest.mark.parametrize("family", ["mistral", "phi3"])
def test_a_window_that_holds_the_whole_sequence_hides_nothing(
    make_model: Callable[..., PreTrainedModel], family: str
) -> None:
    model = make_model(family, sliding_window=LENGTH, pad_token_id=0)
    prompt = torch.tensor([[5, 6, 7]])
    expected = model.generate(prompt, do_sample=False, max_new_tokens=LENGTH - 3, eos_token_id=None)[0, 3:].tolist()
    request = Request((5, 6, 7), Settings(temperature=0), 7, LENGTH - 3)
    assert generate(model, [request], lanes=4)[0][0] == expected
