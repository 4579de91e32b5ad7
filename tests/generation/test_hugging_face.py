"""The Hugging Face backend: transformers' own responses, and the same ones in whatever company they are made."""

import random
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch
from generation.conftest import SUMS
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer

from curriculum_verl.errors import InputError
from curriculum_verl.generation.backend import Backend, Generated, Request, Sampling
from curriculum_verl.generation.backends.hugging_face import lane_length
from curriculum_verl.generation.building import build_backend
from curriculum_verl.generation.chats import Chats
from curriculum_verl.generation.refusals import RefusedError
from curriculum_verl.generation.settings import BackendSettings
from curriculum_verl.generation.stopping import cut

QUESTIONS = [question * (1 + 4 * (place % 3)) for place, (question, _) in enumerate(SUMS)]  # of three lengths
SIX = Sampling(max_tokens=6)


def request(question: str, count: int, seed: int = 0, first: int = 0) -> Request:
    return Request(question, [{"role": "user", "content": question}], count, seed, first)


def sampled(backend: Backend, asked: list[Request], sampling: Sampling = SIX) -> dict[str, list[Generated]]:
    return {one.id: made for one, made in backend.sample(asked, sampling)}


def backend(model: Path, **settings: Any) -> Backend:
    return build_backend(BackendSettings("hf", str(model), **settings))


def test_greedy_is_what_transformers_generates(model: Path) -> None:
    tokenizer, network = AutoTokenizer.from_pretrained(model), AutoModelForCausalLM.from_pretrained(model)
    with closing(backend(model)) as ours:
        found = sampled(ours, [request(question, 1) for question in QUESTIONS[:12]], Sampling(0, max_tokens=6))
    for question, [made] in found.items():
        prompt = tokenizer.apply_chat_template(
            [{"role": "user", "content": question}], add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        tokens = network.generate(**prompt, do_sample=False, max_new_tokens=6)[0, prompt["input_ids"].shape[1] :]
        assert made.text == tokenizer.decode(tokens, skip_special_tokens=True)
        assert made.tokens == len(tokens)
        assert made.finish == ("stop" if tokens[-1] == tokenizer.eos_token_id else "length")


def test_a_response_depends_on_its_seed_and_number_and_on_nothing_beside_it(model: Path) -> None:
    asked = [request(question, 4, seed) for seed, question in enumerate(QUESTIONS)]
    with closing(backend(model, batch=5)) as ours:
        whole = sampled(ours, asked)
        few = random.Random(0).sample(asked, 7)
        assert sampled(ours, few) == {one.id: whole[one.id] for one in few}
        later = [request(one.id, 2, one.seed, first=2) for one in few]
        assert sampled(ours, later) == {one.id: whole[one.id][2:] for one in few}
        other = sampled(ours, [request(one.id, 4, one.seed + 1) for one in asked])
    assert {one.id for one in asked if other[one.id] == whole[one.id]} < set(whole)
    assert len({response.text for made in whole.values() for response in made}) > 5


def test_requests_are_taken_as_there_is_room(model: Path) -> None:
    taken = []

    def endless() -> Any:
        for number in range(10_000):
            taken.append(number)
            yield Request(str(number), [{"role": "user", "content": "1+1=?"}], 2, seed=number)

    with closing(backend(model, batch=2)) as ours:
        responses = ours.sample(endless(), SIX)
        next(responses)
        assert 0 < len(taken) < 200


def test_a_stop_string_ends_a_response_before_it(model: Path) -> None:
    asked = [request(question, 4, seed) for seed, question in enumerate(QUESTIONS[:9])]
    with closing(backend(model)) as ours:
        plain = sampled(ours, asked)
        stopped = sampled(ours, asked, Sampling(max_tokens=6, stop=("1", "2")))
    for name, made in stopped.items():
        for one, other in zip(made, plain[name], strict=True):
            assert one.text == cut(other.text, ("1", "2"))
            assert one.tokens <= other.tokens
            assert one.finish == "stop" or one == other
    assert any(one != other for name in plain for one, other in zip(plain[name], stopped[name], strict=True))


def test_a_stop_string_in_the_last_token_that_is_allowed_wins(model: Path) -> None:
    asked = [request(question, 8) for question in QUESTIONS[:9]]
    with closing(backend(model)) as ours:
        plain = [made for found in sampled(ours, asked, Sampling(max_tokens=1)).values() for made in found]
        stops = tuple({made.text for made in plain if made.text})
        stopped = [
            made for found in sampled(ours, asked, Sampling(max_tokens=1, stop=stops)).values() for made in found
        ]
    assert any(made.finish == "length" for made in plain)
    assert {(made.text, made.finish) for made in stopped} == {("", "stop")}


def test_a_prompt_that_is_too_long_is_an_error_or_comes_back_empty(model: Path) -> None:
    asked = [request("1+1=?", 1), request("1" * 100, 1)]
    with closing(backend(model, context=64)) as ours, pytest.raises(RefusedError, match="no room for a response in 64"):
        sampled(ours, asked)
    with closing(backend(model, context=64, refused="skip")) as ours:
        found = sampled(ours, asked)
        assert [len(made) for made in found.values()] in ([1, 0], [0, 1])
        assert ours.refused[asked[1].id].kind == "prompt_too_long"  # type: ignore[attr-defined]


def test_a_response_fills_the_context_and_no_more(model: Path) -> None:
    asked = request("1" * 14, 40)
    prompt = len(Chats(model, {}).tokens(asked))
    for room in (1, 3):
        with closing(backend(model, context=prompt + room)) as ours:
            [made] = sampled(ours, [asked], Sampling(max_tokens=200)).values()
        cut = [one.tokens for one in made if one.finish == "length"]
        assert set(cut) == {room}
        assert max(one.tokens or 0 for one in made) == room
    with closing(backend(model, context=prompt + 30)) as ours:
        [made] = sampled(ours, [asked], Sampling(max_tokens=2)).values()
    assert {one.tokens for one in made if one.finish == "length"} == {2}
    with closing(backend(model, context=prompt)) as ours, pytest.raises(RefusedError):
        sampled(ours, [asked])


def test_an_adapter_is_merged_into_its_base(model: Path, tmp_path: Path) -> None:
    from peft import LoraConfig, PeftModel, get_peft_model

    torch.manual_seed(1)
    config = LoraConfig(r=4, lora_alpha=64, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
    network = get_peft_model(AutoModelForCausalLM.from_pretrained(model), config)
    network.peft_config["default"].base_model_name_or_path = str(model)
    network.save_pretrained(tmp_path / "adapter")
    merged = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(model), tmp_path / "adapter")
    merged.merge_and_unload().save_pretrained(tmp_path / "merged")
    AutoTokenizer.from_pretrained(model).save_pretrained(tmp_path / "merged")
    asked = [request(question, 2, seed) for seed, question in enumerate(QUESTIONS[:6])]
    found = {}
    for name, path in {"base": model, "adapter": tmp_path / "adapter", "merged": tmp_path / "merged"}.items():
        with closing(backend(path)) as ours:
            found[name] = sampled(ours, asked)
    assert found["adapter"] == found["merged"] != found["base"]


def test_what_cannot_be_loaded_is_told(model: Path, tmp_path: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json", "config.json"):
        (tmp_path / name).write_bytes((model / name).read_bytes())
    with pytest.raises(InputError, match="the tokenizer has no chat template"):
        backend(tmp_path)
    (tmp_path / "chat_template.jinja").write_bytes((model / "chat_template.jinja").read_bytes())
    with pytest.raises(InputError, match="the model cannot be loaded"):
        backend(tmp_path)


def test_it_imports_no_verl() -> None:
    import subprocess
    import sys

    code = "import curriculum_verl.generation.backends.hugging_face, sys; print('verl' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


@given(st.integers(1, 10**6))
def test_a_lane_holds_what_it_is_made_for_and_not_much_more(tokens: int) -> None:
    assert tokens <= lane_length(tokens) <= max(64, 1.5 * tokens)
    assert lane_length(tokens) <= lane_length(tokens + 1)
