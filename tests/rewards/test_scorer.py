import pytest

from curriculum_verl.errors import ConfigError
from curriculum_verl.rewards.scorer import Scorer, ScoringSettings, build_component
from curriculum_verl.rewards.scoring import Response, Score
from curriculum_verl.rewards.usage import Trace
from curriculum_verl.rewards.verifiers.settings import FinalSettings

NUMERIC = ScoringSettings(final=FinalSettings(default="numeric"))
CALL = '<tool_call>{"name": "ZOOM_IN", "arguments": {"box": [1, 2, 3, 4]}}</tool_call>'


class Length:
    """A component of a user's own."""

    def __init__(self, most: int = 10):
        self._most = most

    def score(self, response: Response) -> Score:
        return Score(min(1.0, len(response.text) / self._most))


class Broken:
    def score(self, response: Response) -> Score:
        raise RuntimeError("no")


MINE = {"length": f"{__name__}:Length", "broken": f"{__name__}:Broken"}


def test_every_component_that_is_asked_for_is_scored_raw():
    scorer = Scorer(NUMERIC, ["final", "coherence", "length"], MINE)
    scores = scorer.score(Response("7", ground_truth="7"))
    assert list(scores) == ["final", "coherence", "length"]
    assert (scores["final"].value, scores["final"].parts["success"]) == (1.0, 1.0)
    assert -1.0 <= scores["coherence"].value <= 1.0
    assert scores["length"].value == 0.1


def test_what_is_not_asked_for_or_scored_elsewhere_is_left_out():
    assert Scorer(ScoringSettings(), ["final", "curiosity"], MINE).names == []


def test_a_component_of_ones_own_gets_its_parameters_and_may_fail():
    settings = ScoringSettings(parameters={"length": {"most": 2}})
    scores = Scorer(settings, ["length", "broken"], MINE).score(Response("7"))
    assert scores["length"].value == 0.5
    assert (scores["broken"].value, scores["broken"].failure) == (None, "RuntimeError: no")


@pytest.mark.parametrize(
    ("path", "parameters", "message"),
    [
        ("nowhere:Thing", {}, "nowhere:Thing: cannot be imported"),
        (MINE["length"], {"least": 3}, "cannot be built: TypeError"),
        ("builtins:dict", {}, "has no method score"),
    ],
)
def test_a_component_that_cannot_be_built_is_told_before_anything_is_scored(path, parameters, message):
    settings = ScoringSettings(parameters={"mine": parameters})
    with pytest.raises(ConfigError, match=message):
        Scorer(settings, ["mine"], {"mine": path})
    with pytest.raises(Exception, match=message):
        build_component(path, parameters)


def test_mistakes_of_several_components_are_told_together():
    settings = ScoringSettings(final=FinalSettings(default="numerc"))
    with pytest.raises(ConfigError, match="2 problems") as caught:
        Scorer(settings, ["final", "mine"], {"mine": "nowhere:Thing"})
    assert "numerc" in str(caught.value)


def test_the_trace_is_what_curiosity_reads():
    trace = Trace.decode(Scorer(ScoringSettings(), ["curiosity"]).trace(Response(CALL)))
    assert (trace.calls, trace.operations[0][0]) == (1, "ZOOM_IN")
