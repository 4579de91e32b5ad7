import json
import subprocess
import sys

import numpy as np
import pytest
from rewards.verifiers.made_up_instructions import IFBENCH, IFEVAL

from curriculum_verl.rewards.scoring import Response
from curriculum_verl.rewards.verifiers.registry import build_verifier
from curriculum_verl.rewards.verifiers.settings import FinalSettings, WorkerSettings

CHECKERS = IFEVAL | IFBENCH


def task(*instructions):
    names, arguments = zip(*instructions, strict=True)
    return {"instruction_id_list": list(names), "kwargs": list(arguments)}


def test_every_checker_of_both_benchmarks_has_a_case():
    probe = (
        "from curriculum_verl.rewards.verifiers.instructions import _checkers; import sys\n"
        "print(*sorted(_checkers())); assert 'datasets' not in sys.modules"
    )
    known = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout.split()
    assert sorted(CHECKERS) == known
    assert (len(IFEVAL), len(IFBENCH)) == (25, 58)


@pytest.mark.parametrize("name", CHECKERS)
def test_a_response_that_follows_passes_and_one_that_does_not_fails(score, name):
    arguments, right, wrong = CHECKERS[name]
    followed, missed = (score("ifeval", text, task((name, arguments))) for text in (right, wrong))
    assert (followed.value, followed.failure) == (1.0, None)
    assert (missed.value, missed.failure) == (0.0, None)
    assert followed.parts[f"strict/{name}"] == followed.parts[f"loose/{name}"] == 1.0


def test_each_instruction_has_its_own_result_and_the_value_is_the_share(score):
    wanted = task(("punctuation:no_comma", {}), ("startend:quotation", {}), ("startend:quotation", {}))
    result = score("ifbench", '"Yes, all of it."', wanted)
    assert result.value == pytest.approx(2 / 3)
    assert result.parts["strict/punctuation:no_comma"] == 0
    assert result.parts["strict/startend:quotation"] == result.parts["strict/startend:quotation#2"] == 1
    assert result.parts["strict"] == result.parts["loose"] == pytest.approx(2 / 3)


def test_loosely_a_first_line_of_chat_and_asterisks_do_not_count(score):
    wanted = task(("startend:quotation", {}))
    result = score("ifeval", 'Here you are:\n**"All of it."**', wanted)
    assert (result.parts["strict"], result.parts["loose"]) == (0, 1)


def test_thinking_is_not_part_of_the_response(score):
    assert score("ifeval", "<think>well, yes</think>No pause.", task(("punctuation:no_comma", {}))).value == 1


@pytest.mark.parametrize(
    "wrap", [lambda task: task, json.dumps, lambda task: task | {"kwargs": json.dumps(task["kwargs"])}]
)
def test_empty_arguments_are_cleaned_whatever_the_data_have_been_through(score, wrap):
    every = {"num_sentences": None, "relation": None, "keywords": None, "prompt_to_repeat": None}
    wanted = task(
        ("punctuation:no_comma", every),
        ("length_constraints:number_sentences", every | {"num_sentences": 2.0, "relation": "at least"}),
        ("keywords:existence", every | {"keywords": ["sea"]}),
    )
    assert score("ifeval", "The sea. The sea.", wrap(wanted)).value == 1


def test_arrays_and_missing_numbers_of_pandas_are_understood(score):
    wanted = {
        "instruction_id_list": np.array(["keywords:existence", "count:numbers"], dtype=object),
        "kwargs": np.array([{"keywords": np.array(["sea"]), "N": float("nan")}, {"N": 2.0}], dtype=object),
    }
    assert score("ifeval", "The sea: 1 and 2", wanted).value == 1


def test_the_task_may_lie_in_extra_info(score):
    extra = task(("punctuation:no_comma", {}))
    assert score("ifeval", "No pause.", "", extra=extra).value == 1


@pytest.mark.parametrize(
    ("truth", "reason"),
    [
        (None, "the ground truth is missing, expected {instruction_id_list"),
        ("[", "ground truth: got '[', expected JSON"),
        (7, "ground truth: got int, expected {instruction_id_list"),
        ({"kwargs": []}, "instruction_id_list: got None, expected a list of instructions"),
        (task(("punctuation:no_coma", {})), "did you mean 'punctuation:no_comma'?"),
        (task(("count:numbers", {})), "instruction count:numbers: got {}, which leaves a value to chance"),
        (task(("count:numbers", {"N": -1})), "which leaves a value to chance"),
        (task(("count:numbers", {"M": 1})), "unexpected keyword argument 'M'"),
        (task(("count:numbers", {"N": "two"})), "instruction count:numbers: got {'N': 'two'}: TypeError"),
        (task(("count:numbers", [1])), "kwargs of count:numbers: got list, expected a mapping"),
        ({"instruction_id_list": ["count:numbers"], "kwargs": []}, "kwargs: got [], expected a list of 1 mappings"),
    ],
)
def test_a_task_that_cannot_be_read_gives_no_score_and_says_why(score, truth, reason):
    result = score("ifeval", "text", truth)
    assert result.value is None
    assert reason in result.failure


@pytest.mark.parametrize("text", ["", "<think>never ends", "\x00", "{" * 5_000, '"' * 5_001, "a" * 20_000, "\ud800"])
def test_an_odd_response_follows_or_not_but_has_a_score(score, text):
    wanted = task(*((name, arguments) for name, (arguments, _, _) in CHECKERS.items()))
    assert score("ifeval", text, wanted).value is not None


def test_a_response_that_takes_a_checker_too_long_follows_nothing():
    verifier = build_verifier(FinalSettings(workers=WorkerSettings(seconds=0.5)))
    wanted = task(("detectable_format:number_bullet_lists", {"num_bullets": 1}))
    result = verifier.score(Response("x" + "\n" * 1_000_000 + "x", wanted, style="ifeval"))
    assert (result.value, result.failure, result.parts) == (0.0, None, {"gave_up": 1.0, "success": 0.0})
    assert verifier.score(Response("* one", wanted, style="ifeval")).value == 1, "the next response is scored"
    verifier.close()


def test_scores_do_not_depend_on_chance(score):
    wanted = task(("language:response_language", {"language": "en"}))
    values = {score("ifeval", "ok sure va bene si", wanted).value for _ in range(10)}
    assert len(values) == 1
