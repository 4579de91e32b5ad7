"""The webhook: posts what happens in a run to an address, as JSON, and never holds the run up."""

import atexit
import contextlib
import http.client
import logging
import os
import queue
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from curriculum_verl.curriculum.loading import web_address_problem
from curriculum_verl.words import printable

logger = logging.getLogger(__name__)

VARIABLE = "CURRICULUM_VERL_WEBHOOK"
"""The environment variable with the address, for those that are a secret: recipes and trackers do not hold it."""
TIMEOUT = 5.0  # seconds that one attempt may take
PAUSES = (1.0, 5.0)  # seconds before the second and third attempt
WAITING = 100  # messages; more are dropped
FLUSH = 5.0  # seconds that the end of a run waits for what is not posted yet


class Webhook:
    """Posts messages in the order given, from a thread of its own; one that fails three times is a line in the log.

    The address is never logged, only its host: whoever knows it can post there.
    """

    def __init__(self, address: str, *, timeout: float = TIMEOUT, pauses: tuple[float, ...] = PAUSES):
        self._address, self._host = address, urlsplit(address).hostname or ""
        self._timeout, self._pauses = timeout, pauses
        self._queue: queue.Queue[bytes | None] = queue.Queue(WAITING)
        self._closed = threading.Event()
        self._open = urllib.request.build_opener(_NoRedirect).open
        self._thread: threading.Thread | None = None

    def send(self, message: Mapping[str, Any]) -> None:
        """Hand over a message; returns at once."""
        if self._closed.is_set():
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="webhook", daemon=True)
            self._thread.start()
            atexit.register(self.close)
        try:
            self._queue.put_nowait(msgspec.json.encode(message))
        except queue.Full:
            logger.warning("webhook at %s: %d messages wait, one more is dropped", self._host, WAITING)

    def close(self, seconds: float = FLUSH) -> None:
        """Wait so long for what is not posted yet; what is left then is dropped, with a line in the log."""
        if self._thread is None or self._closed.is_set():
            return
        atexit.unregister(self.close)
        deadline = time.monotonic() + seconds
        with contextlib.suppress(queue.Full):
            self._queue.put(None, timeout=seconds)  # the end, behind everything else
        self._thread.join(max(0.0, deadline - time.monotonic()))
        self._closed.set()
        if self._thread.is_alive():
            logger.warning("webhook at %s: %d messages or more were not posted", self._host, self._queue.qsize())

    def _work(self) -> None:
        while (body := self._queue.get()) is not None and not self._closed.is_set():
            self._post(body)

    def _post(self, body: bytes) -> None:
        reason = ""
        for pause in (0.0, *self._pauses):
            if self._closed.wait(pause):
                return
            try:
                request = urllib.request.Request(self._address, body, {"Content-Type": "application/json"})
                with self._open(request, timeout=self._timeout):
                    return
            except urllib.error.HTTPError as error:
                error.close()
                reason = f"HTTP status {error.code}"
                if 300 <= error.code < 500 and error.code not in (408, 429):
                    break  # it would be refused again
            except urllib.error.URLError as error:
                reason = str(error.reason)
            except (OSError, http.client.HTTPException, ValueError) as error:
                reason = f"{type(error).__name__}"
        logger.warning("webhook at %s: a message was not posted: %s", self._host, printable(reason))


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer that did not take the message; what it asks for is not fetched."""

    def redirect_request(self, *args: Any) -> None:
        return None


def find_webhook(configured: str | None) -> Webhook | None:
    """The webhook of a run: at the address of the environment variable, else of the recipe; None without one."""
    address = os.environ.get(VARIABLE, "").strip() or configured
    if not address:
        return None
    if problem := web_address_problem(address):
        logger.error("%s: %s; nothing is posted", VARIABLE, printable(problem))
        return None
    return Webhook(address)
