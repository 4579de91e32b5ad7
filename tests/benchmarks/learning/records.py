"""Runs that are done, in a form that is read without their folders: those of several machines make one report."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from curriculum_verl.atomic import replacing
from curriculum_verl.errors import InputError
from learning.arms import Arm
from learning.curves import Curve
from learning.preparing import made_of, sampled_tokens
from learning.running import Task
from learning.settings import SETTINGS, Setting


class Record(msgspec.Struct, frozen=True):
    """One run: what it was, what it was asked, and what it has learned by when."""

    setting: str
    arm: str
    seed: int
    asked: dict[str, Any]
    made_of: dict[str, Any]
    bucketing_tokens: int
    done_on: str
    curve: Curve

    @property
    def key(self) -> tuple[str, str, int]:
        """What one run is done for."""
        return self.setting, self.arm, self.seed


def record(folder: Path, task: Task) -> Record:
    """Of a task that is done in a folder."""
    setting = task.setting
    asked, sampled, done_on = task.asked, sampled_tokens(folder, setting), task.kept(folder)["done_on"]
    return Record(setting.name, task.arm.name, task.seed, asked, made_of(setting), sampled, done_on, task.curve(folder))


def collect(path: Path, own: Iterable[Record], arms: Mapping[str, Arm]) -> list[Record]:
    """All runs of a file and these, which come before others of the same name; the file holds them all afterwards."""
    found = {run.key: run for run in [*_read(path, arms), *own]}
    known = [(name, arm) for name in SETTINGS for arm in arms]
    ordered = sorted(found.values(), key=lambda run: (known.index((run.setting, run.arm)), run.seed))
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(b"".join(msgspec.json.encode(run) + b"\n" for run in ordered))
    return ordered


def _read(path: Path, arms: Mapping[str, Arm]) -> Iterator[Record]:
    for number, line in enumerate(path.read_bytes().splitlines() if path.exists() else (), 1):
        where = f"{path}: line {number}"
        try:
            run = msgspec.json.decode(line, type=Record)
        except msgspec.DecodeError as error:
            raise InputError(f"{where} is no run of this benchmark ({error}); remove the line") from None
        if run.setting not in SETTINGS or run.arm not in arms:
            raise InputError(f"{where}: there is no {run.setting} or no {run.arm} any more; remove the line")
        _agree(where, run, SETTINGS[run.setting], arms[run.arm])
        yield run


def _agree(where: str, run: Record, setting: Setting, arm: Arm) -> None:
    """Refuse what was run otherwise than it would be now."""
    task = Task(setting, arm, run.seed)
    now, then = task.asked | made_of(setting), run.asked | run.made_of
    other = sorted(name for name in now.keys() | then.keys() if now.get(name) != then.get(name))
    if other:
        raise InputError(f"{where}: {task.name} ran with other settings than now ({', '.join(other)}); remove the line")
