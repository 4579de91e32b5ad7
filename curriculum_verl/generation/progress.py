"""How far a run is: a bar, or rare lines where nobody watches; read off the journals, whoever writes them."""

import sys
import threading
import time
from pathlib import Path
from types import TracebackType

from tqdm import tqdm

from curriculum_verl.generation.journal import Tail

LOOK = 0.5  # seconds between two looks
FIRST_LINE, RAREST_LINE = 10.0, 600.0  # seconds until a line; each takes half as long again as the one before


class Watch:
    """Tells of the journals in a folder, while the block runs; `done` prompts of `total` were there before."""

    def __init__(self, folder: Path, done: int, total: int):
        self._tail, self._done, self._total = Tail(folder), done, total
        for _ in self._tail.new():
            pass
        self._before, self._tokens, self._began = done, 0, time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._bar = tqdm(
            total=total,
            initial=done,
            unit=" prompts",
            desc="generate",
            disable=not sys.stderr.isatty(),
            mininterval=LOOK,
        )
        self._next, self._pause = self._began + FIRST_LINE, FIRST_LINE

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        self._look()
        self._bar.close()

    def _watch(self) -> None:
        while not self._over.wait(LOOK):
            self._look()
            if self._bar.disable and time.monotonic() >= self._next:
                self._pause = min(RAREST_LINE, 1.5 * self._pause)
                self._next = time.monotonic() + self._pause
                print(f"generate: {self.words()}", file=sys.stderr, flush=True)

    def _look(self) -> None:
        count = 0
        for entry, _ in self._tail.new():
            count += 1
            self._tokens += entry.tokens
        self._done += count
        if count:
            self._bar.set_postfix_str(self._pace(), refresh=False)
        self._bar.update(count)

    @property
    def speed(self) -> float:
        """Tokens a second of this run."""
        return self._tokens / max(1e-9, time.monotonic() - self._began)

    def _pace(self) -> str:
        """Tokens a second, unless they are not counted."""
        return f"{self.speed:,.0f} tokens/s" if self._tokens or self._done == self._before else "tokens unknown"

    def words(self) -> str:
        """How far it is, and how long it will take."""
        made = self._done - self._before
        passed = time.monotonic() - self._began
        left = f"{duration(passed / made * (self._total - self._done))} left" if made else "no prompt is finished yet"
        share = self._done / self._total
        return f"{self._done:,} of {self._total:,} prompts ({share:.0%}), {self._pace()}, {left}"


def duration(seconds: float) -> str:
    """A time in words."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
