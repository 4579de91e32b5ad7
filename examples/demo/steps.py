"""Steps that are done once: each leaves a folder and a mark that it is finished, and is skipped from then on."""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from curriculum_verl.atomic import replacing
from curriculum_verl.errors import CurriculumError, InputError

MARKS = ".finished"


@dataclass(frozen=True, slots=True)
class Step:
    """`make` fills the folder of that name; what an interruption left of it is removed first, unless it `resumes`."""

    name: str
    title: str
    make: Callable[[Path], None]
    resumes: bool = False


class Mark(msgspec.Struct, frozen=True):
    """That a step is finished, with what settings, and how long its last start took."""

    settings: dict[str, int]
    seconds: float


def run_steps(folder: Path, steps: Sequence[Step], settings: dict[str, int]) -> None:
    """Do what is not done yet, in order. A step that is done anew makes those after it outdated."""
    for number, step in enumerate(steps, 1):
        place, mark = folder / step.name, read_mark(folder, step)
        if mark is not None and mark.settings != settings:
            raise InputError(
                f"{folder}: was begun with {mark.settings}, got {settings}; remove that folder, or choose another"
            )
        head = f"[{number}/{len(steps)}] {step.title}"
        if mark is not None and place.is_dir():
            print(f"{head}: done before, in {place} ({mark.seconds:.0f} s)", flush=True)
            continue
        print(f"\n{head}, into {place}", flush=True)
        _forget(folder, steps[number - 1 :])
        if place.exists() and not step.resumes:
            shutil.rmtree(place)
        began = time.monotonic()
        with _explained(step):
            place.mkdir(parents=True, exist_ok=True)
            step.make(place)
        seconds = time.monotonic() - began
        _write_mark(folder, step, Mark(settings, seconds))
        print(f"done in {seconds:.0f} s", flush=True)


def read_mark(folder: Path, step: Step) -> Mark | None:
    """The mark of a finished step."""
    try:
        return msgspec.json.decode((folder / MARKS / f"{step.name}.json").read_bytes(), type=Mark)
    except FileNotFoundError:
        return None


def _write_mark(folder: Path, step: Step, mark: Mark) -> None:
    (folder / MARKS).mkdir(exist_ok=True)
    with replacing(folder / MARKS / f"{step.name}.json") as file:
        file.write(msgspec.json.encode(mark))


def _forget(folder: Path, steps: Sequence[Step]) -> None:
    """Take back the marks of these steps, the last one first; later steps lose what they made, too."""
    for step in reversed(steps):
        (folder / MARKS / f"{step.name}.json").unlink(missing_ok=True)
    for step in steps[1:]:
        shutil.rmtree(folder / step.name, ignore_errors=True)


@contextmanager
def _explained(step: Step) -> Iterator[None]:
    try:
        yield
    except CurriculumError as error:
        raise InputError(f"step {step.name}: {error}\nWhat is done stays; the same command tries again.") from error
    except KeyboardInterrupt:
        print("\nWhat is done stays; the same command goes on from there.", flush=True)
        raise
