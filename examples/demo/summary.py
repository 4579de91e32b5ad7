"""What was learned: the timeline of the stages, and the success on held-out prompts before and after."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from curriculum_verl.evaluation.figures import OVERALL
from curriculum_verl.runs.history import History
from curriculum_verl.runs.lines import ADVANCE
from curriculum_verl.words import counted

EXPECTED_BUCKETS = 2
MODELS = ("before", "after")
LEARNED = "learned"  # what an evaluation says of a gain that chance hardly explains

Evaluation = dict[str, Any]  # as `curriculum-verl evaluate` writes it


def read_evaluation(path: Path) -> Evaluation:
    """The file of figures."""
    found: Evaluation = json.loads(path.read_text())
    return found


def rows(evaluation: Evaluation) -> Iterator[tuple[str, int, dict[str, float], dict[str, float], dict[str, Any]]]:
    """By bucket and for all: how many prompts, success before and after, and the change."""
    before, after = ({f["bucket"]: f for f in evaluation["figures"] if f["model"] == name} for name in MODELS)
    for change in evaluation["changes"]:
        bucket = change["bucket"]
        prompts = int(before[bucket]["prompts"])
        yield bucket, prompts, before[bucket]["success"], after[bucket]["success"], change


def timeline(history: History) -> list[str]:
    """The stages in order, how long each was, and why it ended."""
    stage, begin, lines = history.stages[0], 1, []
    for switch in history.transitions:
        lines.append(f"  steps {begin:>3} to {switch.step:>3}  {stage}")
        lines.append(f"      {switch.kind} to {switch.target}: {switch.reason}")
        stage, begin = switch.target, switch.step + 1
    lines.append(f"  steps {begin:>3} to {history.step:>3}  {stage}")
    return lines


def table(evaluation: Evaluation) -> list[str]:
    """Before and after by bucket."""
    lines = ["  bucket  prompts   before               after                gain"]
    for bucket, prompts, before, after, change in rows(evaluation):
        gain = with_interval(change["success"], "+.0%")
        lines.append(f"  {bucket:<8}{prompts:>7}   {with_interval(before):<21}{with_interval(after):<21}{gain}")
    return lines


def with_interval(estimate: dict[str, float], form: str = ".0%") -> str:
    """A value with its interval, where it has one."""
    value = format(estimate["value"], form)
    if estimate["low"] is None:
        return value
    return f"{value} ({format(estimate['low'], form)} to {format(estimate['high'], form)})"


def verdict(history: History, evaluation: Evaluation) -> tuple[bool, str]:
    """Whether the run shows what it should, in words."""
    better = [b for b, _, _, _, change in rows(evaluation) if b != OVERALL and change["verdict"] == LEARNED]
    advances = [switch.reason for switch in history.of_kind(ADVANCE)]
    earned = [reason for reason in advances if "stage/steps" not in reason]
    words = f"{len(earned)} of {counted(len(advances), 'advance')} earned by a metric; "
    words += f"better beyond chance on held-out prompts: {', '.join(better) or 'no bucket'}"
    if len(better) < EXPECTED_BUCKETS or not earned:
        return False, f"expected an earned advance and {EXPECTED_BUCKETS} buckets better beyond chance, got {words}"
    return True, words
