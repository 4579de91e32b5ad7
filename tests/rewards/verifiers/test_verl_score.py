import importlib.util
import re
from pathlib import Path

import pytest

from curriculum_verl.rewards.scoring import Response
from curriculum_verl.rewards.verifiers.verl_score import CODE_SOURCES, SOURCES, knows


def test_the_known_sources_are_those_of_this_verl():
    (folder,) = importlib.util.find_spec("verl").submodule_search_locations
    source = (Path(folder) / "utils" / "reward_score" / "__init__.py").read_text(encoding="utf-8")
    named = set(re.findall(r'^ +"([\w/-]+)",$|data_source == "([^"]+)"', source, re.MULTILINE))
    lists = re.findall(r"data_source in \[(.*?)\]", source, re.DOTALL)
    known = {name for pair in named for name in pair if name} | set(re.findall(r'"([^"]+)"', " ".join(lists)))
    assert known == set(SOURCES) | set(CODE_SOURCES)
    assert 'data_source.startswith("aime")' in source
    assert knows("aime_2024")


@pytest.mark.parametrize(
    ("source", "text", "truth", "value"),
    [
        ("openai/gsm8k", "so #### 72", "72", 1),
        ("openai/gsm8k", "so #### 71", "72", 0),
        ("HuggingFaceH4/MATH-500", r"\boxed{\frac{1}{2}}", r"\frac{1}{2}", 1),
        ("aime24", "Answer: 204", "204", 1),
        ("aime24", "Answer: 205", "204", -1),
        ("searchR1_nq", "<answer>Paris</answer>", {"target": ["Paris"]}, 1),
    ],
)
def test_verl_scores_what_it_knows(final, source, text, truth, value):
    score = final.score(Response(text, truth, data_source=source, style="rule"))
    assert (score.value, score.failure) == (value, None)


@pytest.mark.parametrize(
    ("source", "truth", "reason"),
    [
        ("unknown", "4", "verl has no scorer for the data source 'unknown'"),
        ("apps", "4", "without a sandbox; use the verifier 'code'"),
        ("openai/gsm8k", None, "the ground truth is missing"),
    ],
)
def test_what_verl_does_not_know_or_would_run_unguarded_has_no_score(score, source, truth, reason):
    result = score("verl", "text", truth, data_source=source)
    assert result.value is None
    assert reason in result.failure
