"""verl's own client against a small server of the same protocol."""

import json

import pytest
from rewards.sandbox.made_up_server import serving

from curriculum_verl.errors import InputError
from curriculum_verl.rewards.sandbox.choosing import build_sandbox
from curriculum_verl.rewards.sandbox.limits import Limits, SandboxSettings
from curriculum_verl.rewards.sandbox.running import Program, SandboxError
from curriculum_verl.rewards.scoring import Response
from curriculum_verl.rewards.verifiers.code import CodeVerifier

CODE = "def f(x):\n    return (x, [x + 0.5])\nif __name__ == '__main__':\n    print('in')"


def sandbox_at(server):
    return build_sandbox(SandboxSettings(backend="sandbox_fusion", url=server.url, limits=Limits(wall_seconds=3)))


def test_programs_run_on_the_server_and_their_output_and_values_come_back():
    programs = [
        Program("stdin", stdin="1"),
        Program("call", function="f", arguments=(1,)),
        Program("evaluate", source="__note__(f(2))"),
    ]
    with serving() as server:
        runs = sandbox_at(server).run(CODE, programs)
    assert [(run.ended, run.output) for run in runs] == [
        ("finished", "in\n"),
        ("finished", "in\n"),
        ("finished", "in\n"),
    ]
    assert json.loads(runs[1].value) == {"tuple": [1, [{"float": "1.5"}]]}
    assert json.loads(runs[2].value) == [{"tuple": [2, [{"float": "2.5"}]]}]
    assert {request["run_timeout"] for request in server.requests} == {3}
    assert {request["memory_limit_MB"] for request in server.requests} == {512}


def test_asserts_are_judged_and_the_program_s_names_are_its_own():
    tests = ["x = [3, 1]\nassert set(plain(x)) == {1, 3}\nx.clear()", "assert plain([1]) == [2]"]
    with serving() as server:
        score = CodeVerifier(sandbox_at(server)).score(Response("def plain(x): return sorted(x)\nset = str", tests))
    assert (score.parts["test_0"], score.parts["test_1"]) == (1, 0)


@pytest.mark.parametrize(
    ("code", "ended"), [("1 / 0", "failed"), ("def f(:", "failed"), ("while True: pass", "timeout")]
)
def test_how_a_program_ended_is_told(code, ended):
    with serving() as server:
        (run,) = sandbox_at(server).run(code, [Program("stdin")])
    assert run.ended == ended


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda request: {}, "api_error"),
        (lambda request: {"status": "SandboxError", "message": "full"}, "sandbox_error"),
        (lambda request: {"status": "Odd"}, "unknown_api_status_Odd"),
    ],
)
def test_a_server_that_fails_says_nothing_of_the_program(answer, reason):
    with serving(answer) as server, pytest.raises(SandboxError, match=f"sandbox_fusion: {reason}"):
        sandbox_at(server).run("print(1)", [Program("stdin")])


def test_code_is_verified_with_it():
    truth = {"inputs": ["1", "2"], "outputs": ["2", "5"]}
    text = "```python\nprint(int(input()) * 2)\n```"
    with serving() as server:
        score = CodeVerifier(sandbox_at(server), partial_credit=True).score(Response(text, truth))
    assert (score.value, score.parts["test_0"], score.parts["test_1"]) == (0.5, 1, 0)


def test_a_missing_address_is_an_error():
    with pytest.raises(InputError, match=r"sandbox\.url: is missing"):
        build_sandbox(SandboxSettings(backend="sandbox_fusion"))
