"""What is kept of a case: a file of its own, written after every part, so that an interrupted run goes on."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Self

from benchmarks.machine import machine
from torture.processes import ROOT

from curriculum_verl.atomic import replacing

TOO_LATE = "it had ended before its kill"
LIBRARIES = ("curriculum-verl", "verl", "torch", "transformers", "ray", "numpy", "hypothesis")


class TroubleError(Exception):
    """Nothing can be compared: what should have run undisturbed did not."""


@dataclass(frozen=True, slots=True)
class Record:
    """One part of a case: what was done, when something was killed, what was measured, and what went wrong."""

    what: str
    kills: tuple[str, ...] = ()  # of whom, and when
    figures: Mapping[str, float] = field(default_factory=dict)
    failures: tuple[str, ...] = ()
    skipped: str | None = None  # why


@dataclass(frozen=True, slots=True)
class Outcome:
    """All parts of a case so far, how much was asked for, and of what code; `finished` if none is left."""

    case: str
    seed: int
    command: str
    machine: str
    versions: str
    records: tuple[Record, ...] = ()
    finished: bool = False
    trouble: str | None = None  # why it could not go on
    asked: Mapping[str, int] = field(default_factory=dict)
    code: str = ""

    @property
    def failures(self) -> list[str]:
        """Everything that went wrong, each with what was done."""
        found = [f"{record.what}: {failure}" for record in self.records for failure in record.failures]
        return [*found, *([] if self.trouble is None else [self.trouble])]

    def with_record(self, record: Record) -> Self:
        return replace(self, records=(*self.records, record))

    def through(self) -> Self:
        return replace(self, finished=True)

    def in_trouble(self, why: str) -> Self:
        return replace(self, trouble=why)


def begun(case: str, seed: int, command: str, asked: Mapping[str, int], code: str) -> Outcome:
    """Of a case that has not run yet."""
    return Outcome(case, seed, command, machine(), ", ".join(_versions()), asked=asked, code=code)


def code_now() -> str:
    """A mark of the package, of the tests and of the libraries: what was made with others compares with nothing."""
    digest = sha256(", ".join(_versions()).encode())
    for folder in ("curriculum_verl", "tests", "examples"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".py", ".yaml") and path.is_file():
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _versions() -> Iterator[str]:
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):
            yield f"{name} {version(name)}"


def keep(folder: Path, outcome: Outcome) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / f"{outcome.case}.json") as file:
        file.write(json.dumps(asdict(outcome), indent=1).encode())


def kept(folder: Path, case: str) -> Outcome | None:
    """What is kept of a case, if it has run."""
    path = folder / f"{case}.json"
    if not path.is_file():
        return None
    content: dict[str, Any] = json.loads(path.read_text())
    records = tuple(_record(given) for given in content["records"])
    return Outcome(**content | {"records": records})


def _record(given: Mapping[str, Any]) -> Record:
    return Record(**{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()})


def enough(records: Sequence[Record], kills: int) -> bool:
    """As many kills as were asked for; not without end, where runs fail before theirs."""
    return left(records, kills) <= 0 or len(records) >= 3 * kills


def left(records: Sequence[Record], kills: int) -> int:
    return kills - sum(len(record.kills) for record in records)
