"""Scores: by the task or by one verifier for all, as a recipe says it, with everything a verifier may need."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from curriculum_verl.errors import ConfigError, InputError
from curriculum_verl.generation.judging import Judge, Scoring, check_scoring, read_scoring
from curriculum_verl.generation.prompts import Prompt
from curriculum_verl.rewards.verifiers.registry import VERIFIERS
from curriculum_verl.rewards.verifiers.settings import FinalSettings


def prompt(**more: object) -> Prompt:
    return Prompt("a", [{"role": "user", "content": "half of one?"}], "1/2", **more)  # type: ignore[arg-type]


def test_the_verifier_is_that_of_the_task_or_one_for_all() -> None:
    by_task = Scoring(FinalSettings(sources={"numbers": "numeric"}))
    with closing(Judge(by_task)) as judge:
        assert judge.score(prompt(data_source="numbers"), "0.5").value == 1
        unknown = judge.score(prompt(data_source="others"), "0.5")
        assert unknown.value is None
        assert "no verifier for data source 'others'" in str(unknown.failure)
        assert judge.score(prompt(data_source="others", style="exact"), "0.5").value == 0
    with closing(Judge(Scoring(verifier="numeric"))) as judge:
        assert judge.score(prompt(data_source="others", style="exact"), "0.5").value == 1


@pytest.mark.parametrize("truth", [None, "", [], [None]])
@pytest.mark.parametrize("name", [*VERIFIERS, "mine.py:score"])
def test_a_prompt_without_what_its_verifier_needs_is_known_before_there_is_a_response(
    name: str, truth: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text("def score(response): return 1.0")
    bad = replace(prompt(data_source="a", style="b"), ground_truth=truth)
    needs = name not in ("instructions", "mine.py:score")
    by_task = Scoring(FinalSettings(sources={"a": name}))
    for scoring in (Scoring(verifier=name), by_task):
        with closing(Judge(scoring)) as judge:
            assert judge.problem(bad) == ("the ground truth is missing" if needs else None)
            assert judge.problem(prompt(data_source="a")) is None
    if needs and name != "code":  # whose sandbox takes a second
        with closing(Judge(by_task)) as judge:
            assert judge.score(bad, "1/2").value is None


def test_a_prompt_that_no_verifier_is_for_is_known_before_there_is_a_response() -> None:
    with closing(Judge(Scoring())) as judge:
        assert "no verifier for data source 'new'" in str(judge.problem(prompt(data_source="new")))
        assert judge.problem(prompt(style="exact")) is None


def test_a_verifier_is_given_what_preprocessing_put_aside(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "def score(response):\n"
        "    assert response.prompt == 'half of one?' and response.ground_truth == '1/2'\n"
        "    return response.extra['points'] + response.extra['index']\n"
    )
    extra = {"original": '{"points": 4}', "curriculum_stage": "easy", "index": 3}
    with closing(Judge(Scoring(verifier=f"{tmp_path}/mine.py:score"))) as judge:
        assert judge.score(prompt(extra=extra), "x").value == 7
        failed = judge.score(prompt(), "x")
        assert failed.value is None
        assert "KeyError" in str(failed.failure)


@pytest.mark.parametrize("head", ["", "scoring:\n", "curriculum:\n  scoring:\n"])
def test_scoring_is_read_wherever_a_recipe_has_it(tmp_path: Path, head: str) -> None:
    indent = "  " * head.count("\n")
    path = tmp_path / "s.yaml"
    path.write_text(f"{head}{indent}final: {{default: math, partial_credit: true}}\n")
    assert read_scoring(path) == FinalSettings(default="math", partial_credit=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("final: {defualt: math}", "did you mean 'default'"),
        ("{", "cannot be read"),
        ("coherence: {window: 24}", "has no `final`"),
        ("3", "expected a mapping"),
    ],
)
def test_what_is_no_scoring(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(text)
    with pytest.raises((InputError, ConfigError), match=said):
        read_scoring(path)


def test_a_verifier_that_cannot_be_had_is_told_at_once() -> None:
    with pytest.raises(InputError, match="unknown verifier 'maths'"):
        check_scoring(Scoring(verifier="maths"))
    with pytest.raises(ConfigError, match=r"sources.a: nowhere:score: cannot be imported"):
        check_scoring(Scoring(FinalSettings(sources={"a": "nowhere:score"})))


def test_facts_tell_another_version_of_a_function(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("def score(response): return 1.0\n")
    scoring = Scoring(FinalSettings(sources={"a": f"{path}:score"}))
    before = scoring.facts()
    assert before == scoring.facts()
    path.write_text("def score(response): return 0.0\n")
    assert scoring.facts()["versions"] != before["versions"]
