"""The work from a bucket folder to data: every chunk converted, checked against the manifest, and put in place."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
from tqdm import tqdm

from curriculum_verl.bucketing.manifest import Bucket as SourceBucket
from curriculum_verl.bucketing.manifest import BucketManifest, read_bucket_manifest
from curriculum_verl.errors import InputError
from curriculum_verl.manifest import Manifest, Parent
from curriculum_verl.outputs import publish, work_folder
from curriculum_verl.parallel import Runner
from curriculum_verl.preprocessing.benchmark import benchmark_files, read_benchmarks
from curriculum_verl.preprocessing.chunks import BucketCheck, chunks_of, select
from curriculum_verl.preprocessing.convert import Task, convert
from curriculum_verl.preprocessing.dataset import DataSet
from curriculum_verl.preprocessing.parquet import OneFile, PartFiles
from curriculum_verl.preprocessing.settings import Settings
from curriculum_verl.preprocessing.tally import Tally, refuse_empty, refuse_overlaps
from curriculum_verl.preprocessing.targets import Target, outdated_files, refuse_used, targets_of


@dataclass(frozen=True, slots=True)
class Result:
    """What was done: counts of every bucket, and every data set with its manifest."""

    settings: Settings
    tallies: list[Tally]
    made: list[tuple[Target, Manifest]]
    benchmarks: list[Path]
    replaced: list[str]  # files of an earlier run that this one removed and made none like
    formats: frozenset[str]  # of the lines that went into the buckets


@dataclass(frozen=True, slots=True)
class _Job:
    source: Path
    manifest: BucketManifest
    buckets: list[SourceBucket]
    settings: Settings
    threshold: float
    benchmarks: list[Path]


def preprocess(source: Path, folder: Path, settings: Settings, runner: Runner, *, overwrite: bool = False) -> Result:
    """Make data of a bucket folder; all of it stands in `folder` at the end, or, after an error, nothing of it."""
    source, shown = source.absolute(), str(source)
    manifest = read_bucket_manifest(source)
    if source.resolve() == folder.resolve():
        raise InputError(
            f"{folder}: is the bucket folder itself, which is never changed; choose another for the output"
        )
    threshold = manifest.metric.pass_threshold if settings.pass_threshold is None else settings.pass_threshold
    settings = dataclasses.replace(settings, pass_threshold=threshold)
    buckets = select(manifest, settings.buckets)
    targets = targets_of(settings, [bucket.name for bucket in buckets])
    job = _Job(source, manifest, buckets, settings, threshold, benchmark_files(settings.benchmark))
    parent = Parent(shown, manifest.ids_hash, msgspec.to_builtins(manifest.metric))
    with work_folder(folder) as work:
        refuse_used(folder, targets, overwrite)
        made, parts = work / "made", work / "parts"
        made.mkdir()
        parts.mkdir()
        sets = [DataSet(target, made, PartFiles if runner.distributed else OneFile) for target in targets]
        tallies = _fill(sets, job, runner, parts.absolute() if runner.distributed else None)
        refuse_overlaps(tallies, job.benchmarks, settings)
        refuse_empty(tallies, settings, threshold)
        as_given = dataclasses.asdict(settings)
        manifests = [(one.target, one.finish(as_given, parent)) for one in sets]
        outdated = outdated_files(folder, targets)
        replaced = [name for name in outdated if not (made / name).exists()]
        publish(made, folder, [target.manifest for target in targets], outdated)
    formats = frozenset(name for file in manifest.inputs for name, lines in file.formats.items() if lines)
    return Result(settings, tallies, manifests, job.benchmarks, replaced, formats)


def _fill(sets: list[DataSet], job: _Job, runner: Runner, parts: Path | None) -> list[Tally]:
    """Convert all buckets, one chunk after the other."""
    tasks = list(_tasks(job, parts))
    tallies = {bucket.name: Tally(bucket.name) for bucket in job.buckets}
    checks = {bucket.name: BucketCheck(job.source, bucket) for bucket in job.buckets}
    total = sum(task.chunk.end - task.chunk.start for task in tasks)
    with tqdm(total=total, unit="B", unit_scale=True, desc="preprocess", disable=None) as bar:
        for task, part in zip(tasks, runner.map(convert, tasks), strict=True):
            chunk = task.chunk
            rejects = tallies[chunk.bucket].add(chunk, part)
            checks[chunk.bucket].update(chunk, part.keys, part.lines)
            for one in sets:
                if chunk.bucket in one.target.buckets:
                    one.add(chunk.bucket, part, rejects)
            bar.update(chunk.end - chunk.start)
    for check in checks.values():
        check.finish()
    return list(tallies.values())


def _tasks(job: _Job, parts: Path | None) -> Iterator[Task]:
    benchmark = read_benchmarks(job.benchmarks)
    for bucket in job.buckets:
        for chunk in chunks_of(job.source, job.manifest, bucket):
            yield Task(chunk, job.settings, job.threshold, job.manifest.metric, job.manifest.fields, benchmark, parts)
