"""The runs while they are watched: read by one page at a time, however many are open."""

import threading
from collections.abc import Sequence
from pathlib import Path

from curriculum_verl.atomic import replacing
from curriculum_verl.errors import InputError
from curriculum_verl.monitor.export import events_csv, everything, metrics_csv
from curriculum_verl.monitor.report import report
from curriculum_verl.monitor.runs import Run
from curriculum_verl.monitor.view import View

LOOK = 1.0  # seconds that a page may wait for a file that is being caught up with
WIDEST = 1000  # steps of a moving average: each value costs its window


class Watch:
    """Reads what is new when a page asks."""

    def __init__(self, runs: Sequence[Run]):
        self.runs = list(runs)
        self.lock = threading.RLock()  # numpy's columns are read while they do not grow

    def refresh(self, seconds: float = LOOK) -> tuple[int, ...]:
        """Read on; returns what differs after every news."""
        with self.lock:
            for run in self.runs:
                run.followed.refresh(seconds / len(self.runs))
            return tuple(run.followed.version for run in self.runs)

    def catch_up(self) -> None:
        """Read on to the end of every file, and let others read what is there in between."""
        before: tuple[int, ...] = ()
        while (now := self.refresh()) != before:
            before = now

    def view(self, names: Sequence[str], window: int, last: int | None) -> View:
        """A view of the runs of these names, of all if there is none."""
        chosen = tuple(run for run in self.runs if run.name in names) or tuple(self.runs)
        return View(chosen, min(max(1, int(window)), WIDEST), last)

    def run(self, number: int) -> Run:
        """A run by its number."""
        if not 0 <= number < len(self.runs):
            raise InputError(f"run: got {number}, expected a number from 0 to {len(self.runs) - 1}")
        return self.runs[number]


def export(watch: Watch, folder: Path) -> list[Path]:
    """Write all that can be downloaded into a folder."""
    watch.refresh(float("inf"))
    troubled = [f"{run.followed.path}: {run.followed.trouble}" for run in watch.runs if run.followed.trouble]
    if troubled:
        raise InputError(f"what cannot be read cannot be exported: {'; '.join(troubled)}")
    view = watch.view([], 20, None)
    made = {
        "metrics.csv": metrics_csv(watch.runs),
        "events.csv": events_csv(watch.runs),
        "metrics.json": everything(watch.runs),
        "report.html": report(view),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, pieces in made.items():
        with replacing(folder / name) as file:
            file.writelines(pieces)
    return [folder / name for name in made]
