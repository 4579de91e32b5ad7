"""The server: requests in, responses out, through changes of weights, stops and resumes."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from curriculum_verl.verl_plugin.cpu.server import HfServer

Make = Callable[..., PreTrainedModel]


@pytest.fixture(scope="module")
def saved(make_model: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    make_model(seed=0).save_pretrained(path)
    return path


@pytest.fixture
def start(saved: Path) -> Callable[..., HfServer]:
    """A server as the Ray actor makes it, in this process."""

    def start(**settings: Any) -> HfServer:
        config = {
            "dtype": "float32",
            "load_format": "hf",
            "max_model_len": None,
            "prompt_length": 16,
            "response_length": 32,
            "max_num_seqs": 8,
            "seed": 42,
            "engine_kwargs": {},
        }
        model = SimpleNamespace(
            local_path=str(saved), generation_config=None, tokenizer=SimpleNamespace(eos_token_id=None)
        )
        return HfServer(SimpleNamespace(**config | settings), model, 0)

    return start


def run(scenario: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(scenario, 60))


def ask(server: HfServer, prompt: list[int], **params: Any) -> Coroutine[Any, Any, Any]:
    return server.generate("any", prompt_ids=prompt, sampling_params={"temperature": 1.0, "logprobs": True, **params})


async def give(server: HfServer, model: PreTrainedModel, step: int) -> None:
    await server.begin_weights()
    await server.receive_weights(model.state_dict())
    await server.end_weights(None, step)


def test_many_requests_at_once(start: Callable[..., HfServer]) -> None:
    async def scenario() -> None:
        server = start()
        outputs = await asyncio.gather(*(ask(server, [n, n + 1], seed=n) for n in range(20)))
        again = await asyncio.gather(*(ask(server, [n, n + 1], seed=n) for n in reversed(range(20))))
        assert [o.token_ids for o in outputs] == [o.token_ids for o in again[::-1]]
        assert [o.log_probs for o in outputs] == [o.log_probs for o in again[::-1]]
        assert all(len(o.token_ids) == 32 and o.stop_reason == "length" for o in outputs)

    run(scenario())


def test_without_a_seed_alike_requests_differ_and_a_restart_repeats_them(start: Callable[..., HfServer]) -> None:
    async def scenario() -> list[list[int]]:
        server = start()
        return [output.token_ids for output in await asyncio.gather(*(ask(server, [1, 2]) for _ in range(4)))]

    first = run(scenario())
    assert len(set(map(tuple, first))) == 4
    assert run(scenario()) == first


def test_weights_change_what_is_generated_and_their_step_is_told(
    start: Callable[..., HfServer], make_model: Make
) -> None:
    async def scenario() -> None:
        server = start()
        before = await ask(server, [1, 2], seed=7)
        await give(server, make_model(seed=9), 3)
        after = await ask(server, [1, 2], seed=7)
        assert before.log_probs != after.log_probs
        assert (before.extra_fields["global_steps"], after.extra_fields["global_steps"]) == (None, 3)

    run(scenario())


def test_no_token_is_generated_while_weights_change(start: Callable[..., HfServer], make_model: Make) -> None:
    async def scenario() -> None:
        server = start()
        await server.begin_weights()
        waiting = asyncio.create_task(ask(server, [1, 2], seed=7))
        await server.receive_weights(make_model(seed=9).state_dict())
        assert not waiting.done()
        await server.end_weights(None, 1)
        expected = await ask(server, [1, 2], seed=7)
        assert (await waiting).log_probs == expected.log_probs

    run(scenario())


def test_weights_that_fail_leave_the_server_usable(start: Callable[..., HfServer]) -> None:
    async def scenario() -> None:
        server = start()
        await server.begin_weights()
        await server.receive_weights({"model.norm.weight": torch.zeros(64)})
        with pytest.raises(ValueError, match="no weights for"):
            await server.end_weights(None, 1)
        assert (await ask(server, [1, 2], seed=7)).stop_reason == "length"

    run(scenario())


async def stopped_on_the_way(server: HfServer, **params: Any) -> Any:
    """A response that was stopped after at least one token and before its end."""
    waiting = asyncio.create_task(ask(server, [1, 2], seed=7, **params))
    while not any(request.tokens for request in server._futures):
        await asyncio.sleep(0)
    await server.abort_all_requests()
    return await waiting


def test_a_stop_returns_what_there_is_and_the_rest_follows(start: Callable[..., HfServer]) -> None:
    async def scenario() -> None:
        server = start()
        whole = await ask(server, [1, 2], seed=7)
        part = await stopped_on_the_way(server)
        assert part.stop_reason == "aborted"
        assert 0 < len(part.token_ids) < 32
        await server.resume_generation()
        rest = await ask(server, [1, 2, *part.token_ids], seed=7, max_tokens=32 - len(part.token_ids))
        assert part.token_ids + rest.token_ids == whole.token_ids

    run(scenario())


def test_requests_to_a_stopped_server_wait(start: Callable[..., HfServer]) -> None:
    async def scenario() -> None:
        server = start()
        await server.abort_all_requests()
        waiting = asyncio.create_task(ask(server, [1, 2], seed=7))
        await asyncio.sleep(0)
        assert not waiting.done()
        await server.resume_generation()
        assert len((await waiting).token_ids) == 32

    run(scenario())


def test_requests_to_a_server_that_rejects_come_back(start: Callable[..., HfServer]) -> None:
    async def scenario() -> None:
        server = start()
        await server.abort_all_requests(reject_request=True)
        output = await ask(server, [1, 2], seed=7)
        assert (output.token_ids, output.stop_reason) == ([], "aborted")
        await server.resume_generation()
        assert len((await ask(server, [1, 2], seed=7)).token_ids) == 32

    run(scenario())


def test_an_error_reaches_those_who_wait_and_nobody_else(
    start: Callable[..., HfServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        server = start()

        def fail() -> None:
            raise RuntimeError("out of luck")

        with monkeypatch.context() as patch:
            patch.setattr(server._generator, "step", fail)
            with pytest.raises(RuntimeError, match="out of luck"):
                await ask(server, [1, 2])
        assert len((await ask(server, [1, 2])).token_ids) == 32

    run(scenario())


@pytest.mark.parametrize(
    ("length", "asked", "given"), [(16, None, 32), (16, 5, 5), (40, None, 8), (40, 100, 8), (47, None, 1)]
)
def test_a_response_fits_into_the_room(
    start: Callable[..., HfServer], length: int, asked: int | None, given: int
) -> None:
    params = {} if asked is None else {"max_tokens": asked}
    output = run(ask(start(), [1] * length, **params))
    assert len(output.token_ids) == given


def test_a_prompt_without_room_is_refused(start: Callable[..., HfServer]) -> None:
    with pytest.raises(ValueError, match="max_model_len"):
        run(ask(start(), [1] * 48))


def test_images_are_refused(start: Callable[..., HfServer]) -> None:
    with pytest.raises(ValueError, match="text only"):
        run(start().generate("any", prompt_ids=[1], sampling_params={}, image_data=[object()]))


def test_dummy_weights_have_the_shape_only(start: Callable[..., HfServer], make_model: Make) -> None:
    async def scenario() -> None:
        real, dummy = start(), start(load_format="dummy")
        await give(dummy, make_model(seed=0), 0)
        expected = await ask(real, [1, 2], seed=7)
        assert (await ask(dummy, [1, 2], seed=7)).log_probs == expected.log_probs

    run(scenario())
