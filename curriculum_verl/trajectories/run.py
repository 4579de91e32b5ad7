"""The whole of a scoring, from files of trajectories to a folder with their difficulty and a manifest."""

import dataclasses
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from curriculum_verl import __version__
from curriculum_verl.bucketing.manifest import NAME, outdated_files
from curriculum_verl.bucketing.plan import Plan, make_plan
from curriculum_verl.bucketing.run import REJECTS, folder_for, refuse_own_input, write_rejects
from curriculum_verl.bucketing.summary import Summary
from curriculum_verl.bucketing.summing_up import summarise
from curriculum_verl.bucketing.writing import write_buckets
from curriculum_verl.outputs import publish, refuse_used
from curriculum_verl.parallel import Runner
from curriculum_verl.rollouts.files import rollout_files
from curriculum_verl.rollouts.ids import joint_hash
from curriculum_verl.trajectories.manifest import BESIDE, Bucket, TrajectoryManifest, refuse_other
from curriculum_verl.trajectories.report import FactorTally, tally_factors, write_report
from curriculum_verl.trajectories.scoring import TrajectoryLook
from curriculum_verl.trajectories.settings import TrajectorySettings

WHOLE = "trajectories"  # the stem of the one file, where buckets have none of their own


@dataclass(frozen=True, slots=True)
class Done:
    """What a run did; after a dry run there are no files."""

    summary: Summary
    factors: list[dict[str, float]]  # means, bucket by bucket
    files: list[str]
    bytes: int
    seconds: float


def score_trajectories(
    inputs: Iterable[str | Path],
    output: Path,
    settings: TrajectorySettings,
    runner: Runner,
    *,
    overwrite: bool = False,
    dry_run: bool = False,
    command: str = "",
) -> Done:
    """Score trajectories and sort them. In a dry run everything is read and cut, and nothing is written."""
    began = time.monotonic()
    files = rollout_files(inputs)
    refuse_own_input(files, output)
    with folder_for(output, runner, dry_run) as work:
        if not dry_run:
            refuse_other(output)
            refuse_used(output, overwrite)
        plan = make_plan(files, work, settings, runner, TrajectoryLook)
        summary = summarise(plan, files, command, examples=False)
        tallies = tally_factors(plan)
        names = [] if dry_run else _write(plan, settings, summary, tallies, work, output, runner)
    means = [tally.means() for tally in tallies]
    return Done(summary, means, names, plan.inputs.bytes, time.monotonic() - began)


def _write(
    plan: Plan,
    settings: TrajectorySettings,
    summary: Summary,
    tallies: list[FactorTally],
    work: Path,
    output: Path,
    runner: Runner,
) -> list[str]:
    made = work / "made"
    made.mkdir()
    stems = list(plan.cuts.names) if settings.split else [WHOLE] * len(plan.cuts.names)
    labels = tuple(msgspec.json.encode(name) for name in plan.cuts.names)
    files = write_buckets(stems, plan.orders, plan.inputs.bytes_at, made, work, runner, labels)
    rejected_in = write_rejects(plan, made / REJECTS)
    write_report(summary, [tally.means() for tally in tallies], settings.rating.weights, made)
    hashes = [str(bucket.ids) for bucket in plan.tally.buckets.values()]
    buckets = [
        Bucket(
            name=said.name,
            prompts=said.prompts,
            files=own,
            ids_hash=ids_hash,
            score_min=said.metric_min,
            score_max=said.metric_max,
            score_mean=said.mean_score,
            factors=tally.means(),
            traps=tally.traps,
        )
        for said, own, ids_hash, tally in zip(summary.buckets, files, hashes, tallies, strict=True)
    ]
    manifest = _manifest(plan, settings, summary, buckets, rejected_in)
    (made / NAME).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
    of_buckets = list(dict.fromkeys(file.path for own in files for file in own))
    names = of_buckets + sorted({entry.name for entry in made.iterdir()} - set(of_buckets))
    publish(made, output, NAME, outdated_files(output, TrajectoryManifest, BESIDE))
    return names


def _manifest(
    plan: Plan, settings: TrajectorySettings, summary: Summary, buckets: list[Bucket], rejected_in: Counter[str]
) -> TrajectoryManifest:
    return TrajectoryManifest(
        package=__version__,
        mode="quantiles" if settings.thresholds is None else "thresholds",
        cuts=[cut[0] for cut in summary.cuts],
        buckets=buckets,
        lines=summary.lines,
        blank=summary.blank,
        rejected=summary.rejected,
        inputs=plan.inputs.files(rejected_in),
        settings=dataclasses.asdict(settings.rating),
        ids_hash=joint_hash(bucket.ids_hash for bucket in buckets),
    )
