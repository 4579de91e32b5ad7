"""Everything that is decided before a bucket is written; a dry run ends here."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from curriculum_verl.bucketing.cutting import Axis, Cuts, cut, most_frequent, places_of
from curriculum_verl.bucketing.groups import Sources
from curriculum_verl.bucketing.inputs import Inputs, refuse_empty
from curriculum_verl.bucketing.judging import judge
from curriculum_verl.bucketing.looking import Look, RolloutLook
from curriculum_verl.bucketing.orders import write_orders
from curriculum_verl.bucketing.scan import Scanned, scan, scan_tasks
from curriculum_verl.bucketing.settings import Settings
from curriculum_verl.bucketing.tally import Tally
from curriculum_verl.errors import CurriculumError, InputError
from curriculum_verl.parallel import Runner


@dataclass(frozen=True, slots=True)
class Plan:
    """What was read, how it is cut, and on disk where every line goes and which lines go nowhere."""

    settings: Settings
    inputs: Inputs
    sources: Sources
    cuts: Cuts
    ties: list[tuple[float, int]]
    tally: Tally
    orders: list[Path]
    rejects: tuple[list[Path], list[Path]]  # of the first pass, one after the other; of the judge, side by side
    rejected: Counter[str]
    warnings: list[str]

    @property
    def prompts(self) -> int:
        """How many prompts are in buckets."""
        return sum(bucket.prompts for bucket in self.tally.buckets.values())


def make_plan(
    files: Sequence[Path],
    work: Path,
    settings: Settings,
    runner: Runner,
    look: Callable[[Any], Look] = RolloutLook,
) -> Plan:
    """Read everything once, then decide."""
    scanned = _scan(files, work, settings, runner, look)
    inputs = Inputs(scanned)
    warnings = refuse_empty(inputs, settings.on_invalid)
    sources = Sources(inputs.bytes_at)
    judged = judge(scanned, sources, inputs.place, settings, work)
    rejected = inputs.rejected + judged.rejected
    if not judged.prompts:
        raise InputError(
            f"no prompt is left to bucket: all {rejected.total():,} lines were rejected ({counted(rejected)})"
        )
    axis = Axis.of(settings)
    places, whole = places_of(judged.facts(), judged.prompts, axis, settings.split_degenerate)
    cuts, ties = cut(places, settings, axis, whole), most_frequent(places, axis)
    del places  # 8 or 16 bytes a prompt
    tally = Tally(cuts.names, whole.low, whole.high)
    orders = write_orders(judged.singles, judged.groups, cuts, tally, work)
    rejects = [task.rejects for task in scanned], judged.rejects
    plan = Plan(settings, inputs, sources, cuts, ties, tally, orders, rejects, rejected, warnings)
    _check_counts(plan)
    return plan


def _scan(
    files: Sequence[Path], work: Path, settings: Settings, runner: Runner, look: Callable[[Any], Look]
) -> list[Scanned]:
    scanned: list[Scanned] = []
    total = sum(file.stat().st_size for file in files)
    with tqdm(desc="reading", total=total, unit="B", unit_scale=True, disable=None) as bar:
        for task in runner.map(scan, scan_tasks(files, work, settings, look)):
            scanned.append(task)
            bar.update(sum(found.piece.end - found.piece.start for found in task.pieces))
    return scanned


def _check_counts(plan: Plan) -> None:
    """Nothing is lost: every line is blank, rejected, or in one bucket."""
    bucketed = sum(bucket.lines for bucket in plan.tally.buckets.values())
    out = bucketed + plan.rejected.total() + plan.inputs.blank
    if out != plan.inputs.lines:
        raise CurriculumError(
            f"got {plan.inputs.lines:,} lines in, but {bucketed:,} in buckets, {plan.rejected.total():,} rejected and "
            f"{plan.inputs.blank:,} blank; nothing was written; this is a mistake of the program, please report it"
        )


def counted(reasons: Counter[str]) -> str:
    """Reasons with their counts."""
    return ", ".join(f"{reason} {count:,}" for reason, count in reasons.most_common())
