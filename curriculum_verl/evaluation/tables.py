"""Figures as tables: one value a row for CSV and analysis, and what a terminal shows."""

import importlib
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from curriculum_verl.errors import InputError
from curriculum_verl.evaluation.figures import Change, Figures
from curriculum_verl.evaluation.statistics import Estimate

COLUMNS = ("model", "against", "bucket", "prompts", "measure", "value", "low", "high", "verdict")


def require_pandas() -> Any:
    """The library for tables, which verl brings; asked for before anything is sampled."""
    try:
        return importlib.import_module("pandas")
    except ImportError as error:
        raise InputError("tables need pandas, which is not installed: pip install pandas") from error


def frame(figures: Sequence[Figures], changes: Sequence[Change]) -> Any:
    """A DataFrame with one value a row; `against` is empty but for differences between two models."""
    pd = require_pandas()
    rows = [row for one in figures for row in _figure_rows(one)] + [row for one in changes for row in _change_rows(one)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _figure_rows(one: Figures) -> Iterator[tuple[Any, ...]]:
    estimates = {"success": one.success, **_named(one.pass_at), "score": one.score, "tokens": one.tokens}
    estimates |= {"cut": one.cut, "tool_use": one.tool_use}
    plain = {"calls": one.calls, "malformed": one.malformed, "responses": one.responses, "unscored": one.unscored}
    for measure, it in (estimates | {name: Estimate(value) for name, value in plain.items()}).items():
        yield one.model, "", one.bucket, one.prompts, measure, it.value, it.low, it.high, ""


def _change_rows(one: Change) -> Iterator[tuple[Any, ...]]:
    estimates = {"success": one.success, **_named(one.pass_at), "score": one.score, "tokens": one.tokens}
    for measure, it in estimates.items():
        verdict = one.verdict if measure == "success" else ""
        yield one.after, one.before, one.bucket, one.prompts, measure, it.value, it.low, it.high, verdict


def _named(pass_at: Mapping[int, Estimate]) -> dict[str, Estimate]:
    return {f"pass@{k}": estimate for k, estimate in pass_at.items()}


def table(figures: Sequence[Figures], changes: Sequence[Change]) -> str:
    """Bucket by bucket, the models below each other; in per cent but for score, tokens and calls."""
    pd = require_pandas()
    order = list(dict.fromkeys(one.bucket for one in figures))
    first = {(one.bucket, one.after): one for one in changes if one.before == figures[0].model}
    ordered = sorted(figures, key=lambda one: order.index(one.bucket))
    index = pd.MultiIndex.from_tuples([(one.bucket, one.model) for one in ordered], names=["bucket", "model"])
    rows = [_row(one, first.get((one.bucket, one.model))) for one in ordered]
    made = pd.DataFrame(rows, index=index)
    if not first:
        made = made.drop(columns=["change"])
    if not any(one.calls or one.malformed for one in figures):
        made = made.drop(columns=["tool use", "calls"])
    made = made.rename(columns={"change": f"change from {figures[0].model}"})
    with pd.option_context("display.max_colwidth", None):
        text: str = made.to_string()
    return "\n".join(line.rstrip() for line in text.splitlines())


def _row(one: Figures, change: Change | None) -> dict[str, str]:
    row = {"prompts": f"{one.prompts:,}", "success": interval(one.success)}
    row |= {f"pass@{k}": f"{100 * estimate.value:.1f}" for k, estimate in one.pass_at.items() if k > 1}
    row |= {
        "score": f"{one.score.value:.3f}",
        "tokens": "-" if math.isnan(one.tokens.value) else f"{one.tokens.value:,.1f}",
        "cut": f"{100 * one.cut.value:.1f}",
    }
    row |= {"tool use": f"{100 * one.tool_use.value:.1f}", "calls": f"{one.calls:.2f}"}
    told = "" if change is None else f"{interval(change.success, '+')} {change.verdict}".strip()
    return row | {"change": told}


def interval(estimate: Estimate, sign: str = "") -> str:
    """A share with its interval, in per cent."""
    value = f"{100 * estimate.value + 0.0:{sign}.1f}"
    if estimate.low is None or estimate.high is None:
        return value
    return f"{value} [{100 * estimate.low + 0.0:{sign}.1f}, {100 * estimate.high + 0.0:{sign}.1f}]"


def in_words(changes: Sequence[Change], names: Sequence[str]) -> list[str]:
    """What was learned and forgotten, from the first model to the last and from each to the next."""
    wanted = dict.fromkeys([(names[0], names[-1]), *pairwise(names)]) if len(names) > 1 else {}
    lines = [
        f"{verdict} from {before} to {after}: "
        + ", ".join(f"{one.bucket} {interval(one.success, '+')}" for one in found)
        for before, after in wanted
        for verdict in ("learned", "forgotten")
        if (found := [one for one in changes if (one.before, one.after, one.verdict) == (before, after, verdict)])
    ]
    if wanted and not lines:
        return ["no bucket changed by more than chance explains"]
    return lines
