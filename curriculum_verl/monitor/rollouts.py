"""The rollout log as the viewer reads it: one file for a step, and of a file only what is asked for."""

import os
import re
import stat
import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

_NAME = re.compile(r"rollout_(\d{1,15})\.jsonl")
KEPT = 4  # files whose outlines are remembered
LONGEST = 512_000_000  # bytes of a line


class Outline(msgspec.Struct):
    """All of a line but its texts."""

    id: Any = None
    bucket: str | None = None
    stage: Any = None
    step: int | None = None
    reward: list[float | None] = []
    weighted_reward: list[float | None] = []
    weights: dict[str, float] = {}
    components: dict[str, list[float | None]] = {}
    place: int = 0  # byte where the line begins
    size: int = 0

    def scores(self, name: str) -> list[float | None]:
        """Of every response the `reward`, the `weighted reward`, or a component."""
        if name == "reward":
            return self.reward
        return self.weighted_reward if name == "weighted reward" else self.components.get(name, [])

    def passed(self) -> list[bool]:
        """Whether each response is right: as its verifier said, else from a reward of 0.5 on."""
        success = self.components.get("final/success", self.reward)
        return [value is not None and value >= 0.5 for value in success]


class Named(msgspec.Struct):
    """What a line is called."""

    id: Any = None


class Texts(msgspec.Struct):
    """What of a line is long."""

    prompt: Any = ""
    response: list[Any] = []
    ground_truth: Any = None


@dataclass(frozen=True, slots=True)
class StepFile:
    """The outlines of a file, and how many of its lines could not be read."""

    outlines: list[Outline]
    unreadable: int


class RolloutFolder:
    """Reads files named rollout_NUMBER.jsonl of one folder and nothing else: no link, no pipe, no other place."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._listed: tuple[int, list[int]] = (-1, [])
        self._files: OrderedDict[tuple[str, int, int], StepFile] = OrderedDict()
        self._outline = msgspec.json.Decoder(Outline)
        self._texts = msgspec.json.Decoder(Texts)
        self._id = msgspec.json.Decoder(Named)

    def steps(self) -> list[int]:
        """The steps that have a file, in order."""
        try:
            changed = self.folder.stat().st_mtime_ns
            if changed != self._listed[0]:
                found = (_NAME.fullmatch(entry.name) for entry in os.scandir(self.folder))
                self._listed = changed, sorted({int(name[1]) for name in found if name is not None})
        except OSError:
            return []
        return self._listed[1]

    def read(self, step: int) -> StepFile:
        """The outlines of a step's prompts."""
        descriptor = self._open(step)
        if descriptor is None:
            return StepFile([], 0)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            key = (self._path(step).name, status.st_mtime_ns, status.st_size)
            if key not in self._files:
                self._files[key] = self._outlines(file)
                while len(self._files) > KEPT:
                    self._files.popitem(last=False)
            return self._files[key]

    def texts(self, step: int, outline: Outline) -> Texts:
        """The texts of one prompt; empty if its file has changed meanwhile."""
        descriptor = self._open(step)
        if descriptor is None:
            return Texts()
        with os.fdopen(descriptor, "rb") as file:
            file.seek(outline.place)
            try:
                return self._texts.decode(file.read(outline.size))
            except (msgspec.DecodeError, UnicodeDecodeError):
                return Texts()

    def find(self, prompt: Any, near: int, among: list[int], seconds: float = 2.0) -> tuple[int | None, int]:
        """The step nearest to one that has the prompt, and in how many files it was looked for in that time."""
        until = time.monotonic() + seconds
        looked = 0
        for step in sorted(among, key=lambda one: (abs(one - near), one)):
            looked += 1
            if self._has(step, prompt):
                return step, looked
            if time.monotonic() > until:
                break
        return None, looked

    def _has(self, step: int, prompt: Any) -> bool:
        """Whether a line has this id, however its text is escaped there."""
        descriptor = self._open(step)
        if descriptor is None:
            return False
        with os.fdopen(descriptor, "rb") as file:
            return any(self._id_of(line) == prompt for _, line in _lines(file))

    def _id_of(self, line: bytes) -> Any:
        try:
            return self._id.decode(line).id
        except (msgspec.DecodeError, UnicodeDecodeError):
            return msgspec.UNSET

    def _outlines(self, file: Any) -> StepFile:
        outlines, unreadable = [], 0
        for place, line in _lines(file):
            try:
                outline = self._outline.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                unreadable += 1
                continue
            outline.place, outline.size = place, len(line)
            outlines.append(outline)
        return StepFile(outlines, unreadable)

    def _path(self, step: int) -> Path:
        padded = self.folder / f"rollout_{step:06d}.jsonl"
        return padded if os.path.lexists(padded) else self.folder / f"rollout_{step}.jsonl"

    def _open(self, step: int) -> int | None:
        if step < 0:
            return None
        try:
            descriptor = os.open(self._path(step), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return None
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
        return None


def _lines(file: Any) -> Iterator[tuple[int, bytes]]:
    place = 0
    while line := file.readline(LONGEST):
        if line.strip():
            yield place, line
        place += len(line)
