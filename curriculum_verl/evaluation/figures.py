"""What one model did, and how two differ: figures by bucket and overall, each with its interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from curriculum_verl.evaluation.statistics import Bootstrap, Estimate, Values, pass_at_k, share
from curriculum_verl.rewards.usage import Trace, tool_use_rate

OVERALL = "(all)"  # a bucket's name cannot be taken for it


@dataclass(frozen=True, slots=True)
class Answers:
    """One prompt with the numbers of all its responses.

    A response that no verifier could judge has no score, and its tokens are not known; nor are those that a server does
    not count.
    """

    id: str
    bucket: str
    scores: list[float | None]
    tokens: list[int | None]
    cut: list[bool]  # whether it hit the limit of tokens
    traces: list[Trace]


@dataclass(frozen=True, slots=True)
class Measuring:
    """How figures are computed."""

    ks: tuple[int, ...] = (1,)
    pass_threshold: float = 0.5
    confidence: float = 0.95
    draws: int = 2000
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """One model on one bucket. `success` is the share of responses that pass, and equals pass@1."""

    model: str
    bucket: str
    prompts: int
    responses: int
    unscored: int
    success: Estimate
    pass_at: dict[int, Estimate]
    score: Estimate
    tokens: Estimate
    cut: Estimate
    tool_use: Estimate
    calls: float  # tool calls that can be made, a response
    malformed: float  # share of attempted calls that cannot be made


@dataclass(frozen=True, slots=True)
class Change:
    """What differs between two models on the prompts that both answered: the second minus the first."""

    before: str
    after: str
    bucket: str
    prompts: int
    success: Estimate
    pass_at: dict[int, Estimate]
    score: Estimate
    tokens: Estimate

    @property
    def verdict(self) -> str:
        """Said only of a change of success that the interval is sure of."""
        return {1: "learned", -1: "forgotten", 0: ""}[self.success.sign]


@dataclass(slots=True)
class _Columns:
    """A number of every prompt, in the order of the answers."""

    responses: Values
    passed: Values
    score: Values
    tokens: Values
    cut: Values
    tools: Values
    pass_at: dict[int, Values] = field(default_factory=dict)

    @classmethod
    def of(cls, answers: Sequence[Answers], measuring: Measuring) -> "_Columns":
        def column(values: Sequence[float]) -> Values:
            return np.array(values, dtype=np.float64)

        scored = [[0.0 if score is None else score for score in one.scores] for one in answers]
        columns = cls(
            responses=column([len(scores) for scores in scored]),
            passed=column(
                [
                    sum(score is not None and score >= measuring.pass_threshold for score in one.scores)
                    for one in answers
                ]
            ),
            score=column([float(np.mean(scores)) for scores in scored]),
            tokens=column([_mean_of([count for count in one.tokens if count is not None]) for one in answers]),
            cut=column([_mean_of(one.cut) for one in answers]),
            tools=column([tool_use_rate(one.traces) for one in answers]),
        )
        columns.pass_at = {k: pass_at_k(columns.responses, columns.passed, k) for k in measuring.ks}
        return columns

    @property
    def success(self) -> Values:
        return self.passed / self.responses


def by_bucket(answers: Sequence[Answers], buckets: Sequence[str]) -> dict[str, list[Answers]]:
    """The answers of every bucket that has any, easiest first, and all of them if there are several buckets."""
    groups = {bucket: [one for one in answers if one.bucket == bucket] for bucket in buckets}
    groups = {bucket: group for bucket, group in groups.items() if group}
    return groups | ({OVERALL: list(answers)} if len(groups) > 1 else {})


def figures_of(
    model: str, answers: Sequence[Answers], buckets: Sequence[str], measuring: Measuring
) -> dict[str, Figures]:
    """The figures of one model, by bucket."""
    return {bucket: _figures(model, bucket, group, measuring) for bucket, group in by_bucket(answers, buckets).items()}


def _figures(model: str, bucket: str, answers: Sequence[Answers], measuring: Measuring) -> Figures:
    columns = _Columns.of(answers, measuring)
    traces = [trace for one in answers for trace in one.traces]
    attempts = sum(trace.attempts for trace in traces)
    return Figures(
        model=model,
        bucket=bucket,
        prompts=len(answers),
        responses=len(traces),
        unscored=sum(score is None for one in answers for score in one.scores),
        success=share(columns.success, measuring.confidence),
        pass_at={k: share(values, measuring.confidence) for k, values in columns.pass_at.items()},
        score=_mean(columns.score, measuring),
        tokens=_mean(_known(columns.tokens), measuring),
        cut=share(_known(columns.cut), measuring.confidence),
        tool_use=share(columns.tools, measuring.confidence),
        calls=sum(trace.calls for trace in traces) / len(traces),
        malformed=sum(trace.malformed for trace in traces) / attempts if attempts else 0.0,
    )


def pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    """Which models are compared: each with the first, and each with the one before it."""
    with_first = [(names[0], name) for name in names[1:]]
    return with_first + [pair for pair in pairwise(names) if pair not in with_first]


def changes_of(answers: Mapping[str, Sequence[Answers]], buckets: Sequence[str], measuring: Measuring) -> list[Change]:
    """Every pair of models, bucket by bucket."""
    return [
        change
        for before, after in pairs(list(answers))
        for change in _compare(before, after, answers[before], answers[after], buckets, measuring)
    ]


def _compare(
    before: str,
    after: str,
    first: Sequence[Answers],
    second: Sequence[Answers],
    buckets: Sequence[str],
    measuring: Measuring,
) -> list[Change]:
    other = {one.id: one for one in second}
    both = [one for one in first if one.id in other]
    return [
        _change(before, after, bucket, group, [other[one.id] for one in group], measuring)
        for bucket, group in by_bucket(both, buckets).items()
    ]


def _change(
    before: str, after: str, bucket: str, first: Sequence[Answers], second: Sequence[Answers], measuring: Measuring
) -> Change:
    old, new = _Columns.of(first, measuring), _Columns.of(second, measuring)
    draw = Bootstrap(len(first), measuring.seed, draws=measuring.draws, confidence=measuring.confidence)
    return Change(
        before=before,
        after=after,
        bucket=bucket,
        prompts=len(first),
        success=draw.difference(new.success - old.success),
        pass_at={k: draw.difference(new.pass_at[k] - old.pass_at[k]) for k in measuring.ks},
        score=draw.mean(new.score - old.score),
        tokens=_mean(_known(new.tokens - old.tokens), measuring),
    )


def _mean(values: Values, measuring: Measuring) -> Estimate:
    draw = Bootstrap(len(values), measuring.seed, draws=measuring.draws, confidence=measuring.confidence)
    return draw.mean(values)


def _mean_of(values: Sequence[float]) -> float:
    """The mean; not a number where nothing is known."""
    return float(np.mean(values)) if values else np.nan


def _known(values: Values) -> Values:
    known: Values = values[~np.isnan(values)]
    return known if len(known) else np.array([np.nan])
