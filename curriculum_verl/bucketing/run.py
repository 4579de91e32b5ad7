"""The whole of a bucketing, from files of rollouts to a folder of buckets with its manifest."""

import heapq
import itertools
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from curriculum_verl import __version__
from curriculum_verl.bucketing.manifest import (
    NAME,
    Bucket,
    BucketFile,
    BucketManifest,
    MetricUsed,
    outdated_files,
)
from curriculum_verl.bucketing.plan import Plan, make_plan
from curriculum_verl.bucketing.report import write_report
from curriculum_verl.bucketing.scan import Reject
from curriculum_verl.bucketing.settings import Settings, check_settings
from curriculum_verl.bucketing.summary import Summary
from curriculum_verl.bucketing.summing_up import summarise
from curriculum_verl.bucketing.writing import write_buckets
from curriculum_verl.errors import InputError
from curriculum_verl.manifest import KIND, manifest_kind
from curriculum_verl.outputs import publish, refuse_used, work_folder
from curriculum_verl.parallel import Runner
from curriculum_verl.rollouts.files import rollout_files
from curriculum_verl.rollouts.ids import joint_hash

REJECTS = "rejects.jsonl"


@dataclass(frozen=True, slots=True)
class Done:
    """What a run did; after a dry run there are no files."""

    summary: Summary
    files: list[str]
    bytes: int
    seconds: float


def bucket_rollouts(
    inputs: Iterable[str | Path],
    output: Path,
    settings: Settings,
    runner: Runner,
    *,
    overwrite: bool = False,
    dry_run: bool = False,
    report: bool = True,
    command: str = "",
) -> Done:
    """Bucket rollouts by difficulty. In a dry run everything is read and cut, and nothing is written."""
    began = time.monotonic()
    check_settings(settings)
    files = rollout_files(inputs)
    refuse_own_input(files, output)
    with folder_for(output, runner, dry_run) as work:
        if not dry_run:
            _refuse_data(output)
            refuse_used(output, overwrite)
        plan = make_plan(files, work, settings, runner)
        summary = summarise(plan, files, command, examples=report and not dry_run)
        names = [] if dry_run else _write(plan, summary, work, output, runner, report)
    return Done(summary, names, plan.inputs.bytes, time.monotonic() - began)


def _write(plan: Plan, summary: Summary, work: Path, output: Path, runner: Runner, report: bool) -> list[str]:
    made = work / "made"
    made.mkdir()
    prefix = plan.settings.prefix
    stems = [f"{prefix}_{name}" if prefix else name for name in plan.cuts.names]
    files = write_buckets(stems, plan.orders, plan.inputs.bytes_at, made, work, runner)
    rejected_in = write_rejects(plan, made / REJECTS)
    if report:
        write_report(summary, made)
    manifest = _manifest(plan, summary, files, rejected_in)
    (made / NAME).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
    of_buckets = [file.path for own in files for file in own]
    names = of_buckets + sorted({entry.name for entry in made.iterdir()} - set(of_buckets))
    publish(made, output, NAME, outdated_files(output))
    return names


def write_rejects(plan: Plan, path: Path) -> Counter[str]:
    """All rejects in the order of the input; how many there are of each file."""
    rejected_in: Counter[str] = Counter()
    scanned, judged = ([_read_rejects(rejects) for rejects in paths] for paths in plan.rejects)
    in_order = heapq.merge(
        itertools.chain.from_iterable(scanned), *judged, key=lambda reject: (reject.source, reject.line)
    )
    with path.open("wb") as file:
        for reject in in_order:
            name, line = plan.inputs.place(reject.source, reject.line)
            rejected_in[name] += 1
            row = {
                "file": name,
                "line": line,
                "reason": reject.reason,
                "message": reject.message,
                "begins": reject.begins,
            }
            file.write(msgspec.json.encode(row) + b"\n")
    return rejected_in


def _read_rejects(path: Path) -> Iterator[Reject]:
    decoder = msgspec.json.Decoder(Reject)
    with path.open("rb") as file:
        yield from map(decoder.decode, file)


def _manifest(
    plan: Plan, summary: Summary, files: Sequence[list[BucketFile]], rejected_in: Counter[str]
) -> BucketManifest:
    settings = plan.settings
    hashes = [str(bucket.ids) for bucket in plan.tally.buckets.values()]
    buckets = [
        Bucket(files=own, ids_hash=ids_hash, **asdict(bucket))
        for bucket, own, ids_hash in zip(summary.buckets, files, hashes, strict=True)
    ]
    return BucketManifest(
        package=__version__,
        metric=MetricUsed(settings.metric, summary.direction, settings.pass_threshold, settings.k, settings.tie_break),
        mode="quantiles" if settings.thresholds is None else "thresholds",
        cuts=list(summary.cuts),
        buckets=buckets,
        lines=summary.lines,
        blank=summary.blank,
        rejected=summary.rejected,
        inputs=plan.inputs.files(rejected_in),
        fields=settings.fields,
        ids_hash=joint_hash(hashes),
    )


def refuse_own_input(files: Sequence[Path], output: Path) -> None:
    """An error if the output is a folder that is read."""
    inside = [file for file in files if file.resolve().parent == output.resolve()]
    if inside:
        raise InputError(f"-o {output}: is the folder of the input {inside[0].name}; choose another for the buckets")


def _refuse_data(output: Path) -> None:
    if manifest_kind(output / NAME) == KIND:
        raise InputError(f"-o {output}: holds data for training, whose manifest must not be replaced; choose another")


def folder_for(output: Path, runner: Runner, dry_run: bool) -> AbstractContextManager[Path]:
    """The folder to work in; in a dry run, unless other machines must see it, it is nowhere near the output."""
    return _dry_folder() if dry_run and not runner.distributed else work_folder(output)


@contextmanager
def _dry_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="curriculum-verl-") as folder:
        yield Path(folder)
