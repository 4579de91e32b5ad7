"""When a call to a server may start: at an agreed pace, and not while the server wants to be left alone."""

import email.utils
import threading
from datetime import UTC, datetime

FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds before an attempt is repeated; doubled each time, and drawn up to that
LONGEST_ASKED = 900.0  # that a server may ask for in Retry-After


class Pace:
    """Gives out moments to start at: no more a minute than agreed, and none while the server wants to be left alone."""

    def __init__(self, per_minute: float | None):
        self._gap = 0.0 if per_minute is None else 60.0 / per_minute
        self._next = self._until = 0.0
        self._lock = threading.Lock()

    def reserve(self, now: float) -> float:
        """Seconds to wait for one's turn."""
        with self._lock:
            start = max(now, self._next, self._until)
            self._next = start + self._gap
            return start - now

    def pause(self, until: float) -> None:
        """Nobody starts before then; who has a turn in that time needs another."""
        with self._lock:
            self._until = max(self._until, until)

    def paused(self, now: float) -> bool:
        """Whether a turn that has come is worth nothing."""
        with self._lock:
            return now < self._until


def back_off(attempt: int, share: float) -> float:
    """Seconds before an attempt is repeated; the share is drawn, so that not all who wait come back at once."""
    return share * min(LONGEST_WAIT, FIRST_WAIT * float(2**attempt))


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds that a server asks to wait: given as such, or as a moment."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = email.utils.parsedate_to_datetime(value)
        except ValueError:
            return None
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        seconds = (moment - now).total_seconds()
    return min(max(0.0, seconds), LONGEST_ASKED) if seconds == seconds else None
