"""A page of the monitor as a reader uses it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from curriculum_verl.monitor import page
from curriculum_verl.monitor.runs import open_runs
from curriculum_verl.monitor.watch import Watch
from curriculum_verl.web.serving import serving

EVERY = 0.3  # seconds between two looks at the files


@contextmanager
def watched(folders: Sequence[Path], rollouts: Path | None = None) -> Iterator[str]:
    """The address of a monitor of these runs."""
    before, page.EVERY = page.EVERY, EVERY
    try:
        with serving(page.monitor_page(Watch(open_runs(folders, [], rollouts)))) as address:
            yield address
    finally:
        page.EVERY = before
