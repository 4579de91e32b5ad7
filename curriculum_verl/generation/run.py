"""A whole run: what there is to do, workers that do it, and the files that come of it."""

import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from curriculum_verl import __version__
from curriculum_verl.atomic import replacing
from curriculum_verl.errors import InputError
from curriculum_verl.generation.data import Catalogue, read_catalogue
from curriculum_verl.generation.folder import Places, as_read, document, locked, other_run, prepare, read_document
from curriculum_verl.generation.job import Job
from curriculum_verl.generation.journal import Place, finished
from curriculum_verl.generation.judging import check_scoring
from curriculum_verl.generation.placing import Placing
from curriculum_verl.generation.progress import Watch
from curriculum_verl.manifest import file_hash

VERSION = 1
COUNTED = ("responses", "tokens", "uncounted", "filtered", "unscored")  # of each prompt
COUNTS = ("prompts", "rollouts", *COUNTED)


@dataclass(frozen=True, slots=True)
class Done:
    """What the manifest of a finished run says, and what this start of it did: responses' tokens a second."""

    manifest: Mapping[str, Any]
    places: Places
    made_now: int
    speed: float | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do; `done` of its `positions` are finished already, unless the folder is an `other` run's."""

    job: Job
    catalogue: Catalogue
    settings: Mapping[str, Any]
    positions: range
    done: int
    other: str | None


def look(job: Job) -> Plan:
    """What a run would do: everything is read and checked, and nothing is written or loaded."""
    catalogue = read_catalogue(job.data)
    check_scoring(job.scoring)
    settings = as_read(job.settings(catalogue))
    places = Places(job.output, job.shard)
    positions = job.shard.positions(catalogue.prompts)
    done = len(positions) if places.manifest.exists() else len(finished(places.state))
    return Plan(job, catalogue, settings, positions, done, other_run(places, settings))


def generate(job: Job, placing: Placing, *, overwrite: bool = False) -> Done:
    """Make the rollouts of a job's shard, or the rest of them where an earlier run was stopped."""
    plan = look(job)
    places = Places(job.output, job.shard)
    with locked(places):
        prepare(places, plan.settings, overwrite)
        if places.manifest.exists():
            shutil.rmtree(places.state)
            return Done(read_document(places.manifest), places, 0, None)
        done = finished(places.state)
        missing = len(plan.positions) - len(done)
        speed = None
        if missing:
            with Watch(places.state, len(done), len(plan.positions)) as watch:
                placing.run(job, places.state.absolute(), plan.positions)
            speed = watch.speed
        manifest = _publish(plan, places, finished(places.state))
    return Done(manifest, places, missing, speed)


def _publish(plan: Plan, places: Places, done: Mapping[int, Place]) -> dict[str, Any]:
    """Put the finished prompts in order into the files, the manifest last; then the journals are not needed."""
    missing = sum(position not in done for position in plan.positions)
    if missing:
        raise InputError(f"{missing:,} prompts were not made: the data have changed since they were read; start again")
    counts = Counter(dict.fromkeys(COUNTS, 0))
    rejected: list[bytes] = []
    if plan.job.shard.number == 1:  # a line that is no prompt belongs to no shard
        rejected += [msgspec.json.encode(reject) for reject in plan.catalogue.rejects]
    with replacing(places.rollouts) as file:
        for entry in (done[position].entry() for position in plan.positions):
            counts.update(prompts=1, **{name: getattr(entry, name) for name in COUNTED})
            if entry.stopped is not None:
                stopped = {f"stopped_{entry.stopped}": 1}
                counts.update(saved_responses=entry.saved_responses, saved_tokens=entry.saved_tokens, **stopped)
            if line := bytes(entry.line):
                counts["rollouts"] += 1
                file.write(line + b"\n")
            else:
                rejected.append(bytes(entry.reject))
    _write_rejects(places, rejected)
    manifest = {
        "version": VERSION,
        "kind": "generation",
        "package": __version__,
        "shard": f"{plan.job.shard.number}/{plan.job.shard.of}",
        "settings": plan.settings,
        "origin": plan.job.origin(plan.catalogue),
        "counts": dict(counts),
        "rejected": _reasons(rejected),
        "files": {
            "rollouts": _file(places.rollouts, places.folder),
            "rejects": _file(places.rejects, places.folder) if rejected else None,
        },
    }
    with replacing(places.manifest) as file:
        file.write(document(manifest))
    shutil.rmtree(places.state)
    return as_read(manifest)


def _write_rejects(places: Places, rejected: Sequence[bytes]) -> None:
    if not rejected:
        places.rejects.unlink(missing_ok=True)
        return
    places.rejects.parent.mkdir(exist_ok=True)
    with replacing(places.rejects) as file:
        file.writelines(line + b"\n" for line in rejected)


def _reasons(rejected: Iterable[bytes]) -> dict[str, int]:
    return dict(Counter(msgspec.json.decode(line)["reason"] for line in rejected))


def _file(path: Path, folder: Path) -> dict[str, Any]:
    return {"path": str(path.relative_to(folder)), "bytes": path.stat().st_size, "hash": file_hash(path)}
