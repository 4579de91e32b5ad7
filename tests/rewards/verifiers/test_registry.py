import asyncio
import subprocess
import sys
import threading
import time

import pytest
from rewards.verifiers import made_up_functions

from curriculum_verl.errors import ConfigError
from curriculum_verl.rewards.sandbox import local
from curriculum_verl.rewards.scoring import Response
from curriculum_verl.rewards.verifiers.registry import STYLES, VERIFIERS, build_verifier, choose
from curriculum_verl.rewards.verifiers.settings import FinalSettings, WorkerSettings
from curriculum_verl.schema import Reader


@pytest.mark.parametrize(
    ("settings", "source", "style", "chosen"),
    [
        ({}, "anything", "math", "math"),
        ({}, "openai/gsm8k", "rule", "verl"),
        ({}, "openai/gsm8k", "numeric", "numeric"),
        ({"sources": {"openai/gsm8k": "numeric"}}, "openai/gsm8k", "math", "numeric"),
        ({"styles": {"rule": "exact"}}, "openai/gsm8k", "rule", "exact"),
        ({"default": "exact"}, "anything", "rule", "exact"),
        ({"default": "exact"}, "openai/gsm8k", "rule", "verl"),
        ({}, "codeforces", "rule", "code"),
        ({}, "reasoning_gym/chain_sum", "rule", "reasoning_gym"),
        ({}, "google/IFEval", "", "instructions"),
        ({}, "aime_2025", "", "verl"),
    ],
)
def test_the_settings_come_first_then_the_style_then_the_known_sources(settings, source, style, chosen):
    assert choose(FinalSettings(**settings), Response("", data_source=source, style=style)) == chosen


def test_every_verifier_can_be_named_by_style():
    assert set(VERIFIERS) <= set(STYLES)


def test_a_task_without_a_verifier_has_no_score_and_the_choices_are_named(final):
    score = final.score(Response("text", "truth", data_source="mine", style="rule"))
    assert score.value is None
    assert "no verifier for data source 'mine' with reward_model.style 'rule'" in score.failure
    assert "math" in score.failure


def test_all_mistakes_of_the_settings_are_told_at_once():
    settings = FinalSettings(sources={"a": "maths"}, styles={"b": "nowhere:f"}, default="exakt")
    with pytest.raises(ConfigError) as caught:
        build_verifier(settings)
    first, second, third = caught.value.problems
    assert first.startswith("sources.a: unknown verifier 'maths'")
    assert first.endswith("did you mean 'math'?")
    assert second.startswith("styles.b: nowhere:f: cannot be imported")
    assert third.startswith("default: unknown verifier 'exakt'")


def test_code_is_refused_before_a_run_where_it_cannot_be_shut_in(monkeypatch):
    monkeypatch.setattr(local, "why_not", lambda namespaces: "unshare: not permitted" if namespaces else None)
    with pytest.raises(ConfigError, match=r"sources\.mine: this machine cannot shut untrusted code in"):
        build_verifier(FinalSettings(sources={"mine": "code"}))
    score = build_verifier(FinalSettings()).score(
        Response("print(1)", {"inputs": [""], "outputs": ["1"]}, style="code")
    )
    assert score.value is None
    assert "set accept_weaker: true" in score.failure


def test_the_settings_are_read_from_a_plain_mapping():
    reader = Reader()
    settings = reader.construct(
        FinalSettings,
        {
            "styles": {"rule": "math"},
            "numeric": {"soft_bands": [{"within": 0.1, "value": 0.5}]},
            "sandbox": {"limits": {"memory_mb": 256}, "accept_weaker": True},
            "workers": {"count": 2},
        },
        "final",
    )
    assert reader.problems == []
    assert settings.numeric.soft_bands[0].value == 0.5
    assert settings.sandbox.limits.memory_mb == 256
    reader.construct(FinalSettings, {"pass_treshold": 2, "workers": {"seconds": 0}, "instructions": "lose"}, "final")
    assert len(reader.problems) == 3


def test_success_is_the_pass_threshold_s_to_say():
    low = build_verifier(FinalSettings(pass_threshold=0.2, default=f"{made_up_functions.__file__}:whole"))
    assert low.score(Response("text")).parts["success"] == 1
    low.close()


@pytest.mark.parametrize("field", ["text", "data_source", "style", "ground_truth", "extra"])
@pytest.mark.parametrize("value", [None, 7, [1], {"a": 1}, b"bytes", 1.5, object()])
def test_fields_of_a_wrong_type_give_no_exception(final, field, value):
    for style in VERIFIERS:
        fields = {"text": "4", "ground_truth": "4", "style": style} | {field: value}
        score = final.score(Response(**fields))
        assert (score.value is None) == (score.failure is not None)


def test_an_event_loop_stays_free_while_responses_are_scored(final):
    async def run() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        response = Response("word " * 2000, {"instruction_id_list": ["format:title_case"]}, style="ifeval")
        final.score(response)
        scoring = [loop.run_in_executor(None, final.score, response) for _ in range(8)]
        started, longest = time.process_time(), 0.0  # of all threads: nobody else on the machine counts
        while not all(future.done() for future in scoring):
            before = time.process_time()
            await asyncio.sleep(0.001)
            longest = max(longest, time.process_time() - before)
        assert all(future.result().failure is None for future in scoring)
        return longest, time.process_time() - started

    longest, whole = asyncio.run(run())
    assert longest < max(0.5, whole / 2)


def test_two_workers_score_side_by_side():
    path = f"{made_up_functions.__file__}:process"
    verifier = build_verifier(FinalSettings(default=path, workers=WorkerSettings(count=2)))
    seen: list[float | None] = []
    gate = threading.Barrier(8)

    def ask() -> None:
        gate.wait()
        seen.extend(verifier.score(Response("text")).value for _ in range(20))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(seen)) == 2
    assert len(seen) == 160
    verifier.close()


def test_workers_end_with_the_process_that_started_them():
    script = (
        "from curriculum_verl.rewards.verifiers.registry import *\n"
        "from curriculum_verl.rewards.scoring import Response\n"
        f"v = build_verifier(FinalSettings(default={made_up_functions.__file__ + ':process'!r}))\n"
        "print(int(v.score(Response('text')).value), flush=True)\nimport os; os._exit(0)"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True)
    worker = int(done.stdout)
    deadline = time.monotonic() + 10
    while is_python(worker):
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)
    assert done.stderr == ""


def is_python(process: int) -> bool:
    try:
        with open(f"/proc/{process}/cmdline", "rb") as command:  # noqa: PTH123
            return b"verifiers.worker" in command.read()
    except OSError:
        return False


def test_nothing_heavy_is_loaded_before_it_is_needed():
    probe = (
        "import sys\nfrom curriculum_verl.rewards.verifiers.registry import build_verifier, FinalSettings\n"
        "build_verifier(FinalSettings(sources={'a': 'math', 'b': 'instructions', 'c': 'reasoning_gym', 'd': 'verl'}))\n"
        "heavy = ('verl', 'torch', 'ray', 'math_verify', 'sympy', 'nltk', 'reasoning_gym', 'if_verifiable', 'numpy')\n"
        "print(sorted(set(heavy) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_sandbox_s_inside_needs_the_standard_library_alone():
    probe = (
        "import sys; sys.path.insert(0, sys.argv[1])\nimport curriculum_verl.rewards.sandbox.inside.main\n"
        "names = {name.split('.')[0] for name in sys.modules}\n"
        "print(sorted(names - sys.stdlib_module_names), 'dataclasses' in names, 'pathlib' in names)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", probe, local._ROOT], capture_output=True, text=True, check=True
    )
    assert done.stdout == "['__main__', 'curriculum_verl'] False False\n"
