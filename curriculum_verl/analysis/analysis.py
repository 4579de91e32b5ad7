"""An analysis from end to end: runs are read once, then everything is computed of the numbers that were kept."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from curriculum_verl.analysis.comparing import Change, Shared, compare_runs, compare_stages
from curriculum_verl.analysis.examples import (
    Contrast,
    Place,
    SideBySide,
    Text,
    fetch,
    find_contrasts,
    find_side_by_side,
    highest_loop_score,
    sides_of,
)
from curriculum_verl.analysis.figures import Figures, figures_of
from curriculum_verl.analysis.gathering import Gathered, gather
from curriculum_verl.analysis.measures import MEASURES, Measure
from curriculum_verl.analysis.measuring import STUCK
from curriculum_verl.analysis.runs import Run
from curriculum_verl.analysis.tasks import Reading
from curriculum_verl.bucketing.summary import elide
from curriculum_verl.parallel import Runner
from curriculum_verl.words import counted

SHOWN = 6  # names in a warning
LONGEST_ID = 60  # columns of a prompt's id in a sentence


@dataclass(frozen=True, slots=True)
class Analysis:
    """All that was found; `length` is the measure of length that every run has."""

    runs: list[Gathered]
    reading: Reading
    length: str
    measures: list[Measure]
    figures: list[Figures]
    changes: list[Change]
    shared: list[Shared]
    contrasts: list[Contrast]
    side_by_side: list[SideBySide]
    texts: Mapping[Place, Text]
    highest: tuple[float, str]
    warnings: list[str]

    @property
    def names(self) -> list[str]:
        """The names of the runs."""
        return [run.run.name for run in self.runs]

    @property
    def buckets(self) -> list[str]:
        """The buckets of all runs, easiest first."""
        return buckets_of(self.runs)

    @property
    def headline(self) -> str:
        """What was looked at."""
        responses = counted(sum(run.responses for run in self.runs), "response")
        return f"{responses} of {counted(len(self.runs), 'run')}: {', '.join(self.names)}"

    def loops_in_words(self) -> str:
        """What was found of loops, honestly."""
        if self.contrasts and self.contrasts[0].stuck:
            best = self.contrasts[0]
            prompt = elide(self.texts[best.looping_at].id, LONGEST_ID)
            other = best.exploring if best.exploring != best.looping else f"another response of {best.exploring}"
            return (
                f"To prompt {prompt}, {best.looping} is stuck in a loop (loop score {best.loop_score:.2f}) where "
                f"{other} explores (exploration {best.exploration:.2f})."
            )
        score, run = self.highest
        if score >= STUCK:
            return (
                f"There are loops (the highest loop score is {score:.2f}, in {run}), but to no such prompt is there a "
                "response on the other side that explores."
            )
        return f"No response is stuck in a loop: the highest loop score is {score:.2f}, in {run}; a loop has {STUCK}."


def buckets_of(runs: Iterable[Gathered]) -> list[str]:
    """The buckets of several runs, each once, easiest first."""
    return list(dict.fromkeys(bucket for run in runs for bucket in run.buckets))


def analyze(runs: Sequence[Run], reading: Reading, folder: Path, runner: Runner, seed: int = 0) -> Analysis:
    """Read the runs and compare them; `folder` is for files that are not needed afterwards."""
    gathered, tasks = gather(runs, reading, folder, runner)
    length = "tokens" if all(run.has_tokens for run in gathered) else "characters"
    other = {"tokens": "characters", "characters": "tokens"}[length]
    measures = [measure for measure in MEASURES if measure.name != other]
    changes, shared = compare_runs(gathered, measures, seed)
    for run in gathered:
        more, common = compare_stages(run, measures, seed)
        changes, shared = changes + more, shared + common
    sides, buckets = sides_of(gathered), buckets_of(gathered)
    contrasts, beside = find_contrasts(sides), find_side_by_side(sides, seed)
    places = [place for one in contrasts for place in (one.looping_at, one.exploring_at)]
    places += [place for one in beside for place in one.places.values()]
    return Analysis(
        runs=gathered,
        reading=reading,
        length=length,
        measures=measures,
        figures=[figures for run in gathered for figures in figures_of(run, measures, seed, buckets)],
        changes=changes,
        shared=shared,
        contrasts=contrasts,
        side_by_side=beside,
        texts=fetch(places, tasks),
        highest=highest_loop_score(gathered),
        warnings=list(_warnings(gathered, shared, length)),
    )


def _warnings(runs: Iterable[Gathered], shared: Iterable[Shared], length: str) -> Iterable[str]:
    for run in runs:
        name = run.run.name
        yield from run.run.warnings
        for reason, (count, first) in run.skipped.items():
            yield f"{name}: {counted(count, 'line')} of {run.lines:,} left out ({reason}); the first: {first}"
        if run.unknown:
            most = ", ".join(f"{tool} ({count:,})" for tool, count in run.unknown.most_common(SHOWN))
            yield (
                f"{name}: {counted(run.unknown.total(), 'call')} of operations that are not known count as malformed: "
                f"{most}; name the recipe whose scoring block names them: --scoring"
            )
        if length == "characters" and run.has_tokens:
            yield f"{name} has counts of tokens, but not every run has: lengths are in characters"
    for one in shared:
        if not one.prompts:
            yield f"{one.before} and {one.after} ({one.of}) have no prompt in common: they are not compared"
