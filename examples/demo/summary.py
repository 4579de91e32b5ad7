"""What was learned: the timeline of the stages, and the held-out score of every bucket before and after."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from curriculum_verl.errors import InputError
from curriculum_verl.words import counted
from examples.demo.history import History, Validation

Z = 1.96  # of a two-sided interval that holds in 95 of 100 cases
EXPECTED_BUCKETS = 2


@dataclass(frozen=True, slots=True)
class Change:
    """A bucket before and after training, on the same prompts; each interval holds in 95 of 100 cases."""

    bucket: str
    prompts: int
    before: float
    after: float
    interval_before: tuple[float, float]
    interval_after: tuple[float, float]
    interval_of_gain: tuple[float, float]

    @property
    def improved(self) -> bool:
        """Whether chance alone hardly explains the gain."""
        return self.interval_of_gain[0] > 0


def wilson(passed: int, trials: int) -> tuple[float, float]:
    """Wilson's score interval (1927) of a rate."""
    rate, spread = passed / trials, Z * Z / trials
    centre = (rate + spread / 2) / (1 + spread)
    margin = Z / (1 + spread) * math.sqrt(rate * (1 - rate) / trials + spread / (4 * trials))
    return max(0.0, centre - margin), min(1.0, centre + margin)


def paired(won: int, lost: int, trials: int) -> tuple[float, float]:
    """The interval of a gain on the same prompts, of which some were won and some lost (Agresti and Min 2005).

    Half a prompt is added to each of the four outcomes, so that it holds for few prompts, too.
    """
    better, worse, count = won + 0.5, lost + 0.5, trials + 2.0
    gain = (better - worse) / count
    margin = Z * math.sqrt(better + worse - (better - worse) ** 2 / count) / count
    return gain - margin, gain + margin


def changes(before: Validation, after: Validation, buckets: Sequence[str]) -> list[Change]:
    """Every bucket before and after."""
    found = []
    for bucket in buckets:
        old, new = before.passed[bucket], after.passed[bucket]
        if old.keys() != new.keys():
            raise InputError(f"bucket {bucket}: validated on other prompts after step {after.step}; train anew")
        count = len(old)
        won = sum(new[prompt] and not old[prompt] for prompt in old)
        lost = sum(old[prompt] and not new[prompt] for prompt in old)
        intervals = wilson(sum(old.values()), count), wilson(sum(new.values()), count), paired(won, lost, count)
        found.append(Change(bucket, count, before.rate(bucket), after.rate(bucket), *intervals))
    return found


def timeline(history: History) -> list[str]:
    """The stages in order, how long each was, and why it ended."""
    stage, begin, lines = history.stages[0], 1, []
    for switch in history.transitions:
        lines.append(f"  steps {begin:>3} to {switch['step']:>3}  {stage}")
        lines.append(f"      {switch['kind']} to {switch['target']}: {switch['reason']}")
        stage, begin = switch["target"], switch["step"] + 1
    lines.append(f"  steps {begin:>3} to {max(history.metrics):>3}  {stage}")
    return lines


def table(found: Sequence[Change]) -> list[str]:
    """Before and after by bucket."""
    lines = ["  bucket  prompts   before               after                gain"]
    for change in found:
        before, after = _with(change.before, change.interval_before), _with(change.after, change.interval_after)
        gain = _with(change.after - change.before, change.interval_of_gain, "+.0%")
        lines.append(f"  {change.bucket:<8}{change.prompts:>7}   {before:<21}{after:<21}{gain}")
    return lines


def _with(value: float, interval: tuple[float, float], form: str = ".0%") -> str:
    low, high = (format(end, form) for end in interval)
    return f"{format(value, form)} ({low} to {high})"


def verdict(history: History, found: Sequence[Change]) -> tuple[bool, str]:
    """Whether the run shows what it should, in words."""
    better = [change.bucket for change in found if change.improved]
    advances = [switch["reason"] for switch in history.transitions if switch["kind"] == "advance"]
    earned = [reason for reason in advances if "stage/steps" not in reason]
    words = f"{len(earned)} of {counted(len(advances), 'advance')} earned by a metric; "
    words += f"better beyond chance on held-out prompts: {', '.join(better) or 'no bucket'}"
    if len(better) < EXPECTED_BUCKETS or not earned:
        return False, f"expected an earned advance and {EXPECTED_BUCKETS} buckets better beyond chance, got {words}"
    return True, words
