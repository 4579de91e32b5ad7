"""Calls to a server that may be slow, busy or broken: retried with patience, at no more than an agreed pace."""

import email.utils
import http.client
import json
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from curriculum_verl.errors import InputError

FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds before an attempt is repeated; doubled each time, and drawn up to that
LONGEST_ASKED = 900.0  # that a server may ask for in Retry-After
TRY_AGAIN = {408, 409, 425, 429, 500, 502, 503, 504, 529}
SHOWN = 300  # characters of an answer in a message
BLOCK = 1 << 16

Check = Callable[[dict[str, Any]], str | None]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said."""

    status: int
    content: dict[str, Any] = field(default_factory=dict)
    text: str = ""

    def words(self) -> str:
        """Its error in its own words."""
        error = self.content.get("error", self.content)
        message = error.get("message") if isinstance(error, dict) else error
        return str(message or self.text)[:SHOWN]


class FailedError(Exception):
    """An attempt that may go better when it is repeated: what the server answered, and when it wants to be asked again,
    as far as it said so.
    """

    def __init__(self, reason: str, status: int | None = None, after: float | None = None):
        self.status, self.after = status, after
        super().__init__(reason)


class Pace:
    """Gives out moments to start at: no more a minute than agreed, and none while the server wants to be left alone."""

    def __init__(self, per_minute: float | None):
        self._gap = 0.0 if per_minute is None else 60.0 / per_minute
        self._next = 0.0
        self._lock = threading.Lock()

    def reserve(self, now: float) -> float:
        """Seconds to wait for one's turn."""
        with self._lock:
            start = max(now, self._next)
            self._next = start + self._gap
            return start - now

    def pause(self, until: float) -> None:
        """Nobody starts before then."""
        with self._lock:
            self._next = max(self._next, until)


class Client:
    """Sends from any thread; `stop` ends all waiting."""

    def __init__(
        self, url: str, key: str | None, *, key_name: str, retries: int, timeout: float, per_minute: float | None
    ):
        if not url.startswith(("http://", "https://")):
            raise InputError(f"--url: got {url!r}, expected http:// or https://, such as http://localhost:8000/v1")
        self._url, self._key, self._key_name = url.rstrip("/"), key, key_name
        self._retries, self._timeout = retries, timeout
        self._pace = Pace(per_minute)
        self._stopped = threading.Event()
        self._random = random.Random()  # of waiting times, which must not be the same for all who wait

    def stop(self) -> None:
        """No attempt is begun any more."""
        self._stopped.set()

    def post(self, path: str, body: dict[str, Any], check: Check) -> Answer:
        """The server's answer, after as many attempts as it takes; one that `check` finds fault with is repeated."""
        data = json.dumps(body).encode()
        for attempt in range(self._retries + 1):
            self._wait(self._pace.reserve(time.monotonic()))
            try:
                return self._checked(self._send("POST", path, data), check)
            except FailedError as error:
                if attempt == self._retries:
                    raise InputError(
                        f"{self._url}/{path}: {error}, after {attempt + 1} attempts; what is done is kept: start again "
                        "when the server is well, with more --retries or a longer --timeout, or fewer requests at once"
                    ) from error
                if error.after is not None:
                    self._pace.pause(time.monotonic() + error.after)
                else:
                    self._wait(self._random.random() * min(LONGEST_WAIT, FIRST_WAIT * 2**attempt))
        raise AssertionError

    def once(self, method: str, path: str) -> Answer:
        """The answer to a single attempt, whatever it is; no answer at all is an error."""
        try:
            return self._send(method, path, None)
        except FailedError as error:
            if error.status is None:
                raise InputError(f"{self._url}: no server answers there: {error}; see --url") from error
            return Answer(error.status)

    def _checked(self, answer: Answer, check: Check) -> Answer:
        if answer.status == 200 and (problem := check(answer.content)) is not None:
            raise FailedError(f"the server {problem}: {answer.text[:SHOWN]}", answer.status)
        if answer.status in (401, 403):
            had = "the key in" if self._key else "no key: there is nothing in"
            reason = f"{answer.status} {answer.words()}; got {had} ${self._key_name}"
            raise InputError(f"{self._url}: {reason}; --api-key names another variable")
        if answer.status == 404:
            raise InputError(f"{self._url}: 404 {answer.words()}; see --url, which often ends in /v1, and --model")
        return answer

    def _wait(self, seconds: float) -> None:
        if self._stopped.wait(seconds):
            raise InputError(f"{self._url}: stopped")

    def _send(self, method: str, path: str, data: bytes | None) -> Answer:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        request = urllib.request.Request(f"{self._url}/{path}", data, headers, method=method)
        deadline = time.monotonic() + self._timeout
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as response:
                return _answer(response.status, _read(response, deadline))
        except urllib.error.HTTPError as error:
            with error:
                answer = _answer(error.code, _rest_of(error))
                if error.code in TRY_AGAIN:
                    after = retry_after(error.headers.get("Retry-After"), datetime.now(UTC))
                    reason = f"the server answered {error.code}: {answer.words()}"
                    raise FailedError(reason, error.code, after) from error
                return answer
        except (OSError, http.client.HTTPException) as error:
            cause: object = error.reason if isinstance(error, urllib.error.URLError) else error
            raise FailedError(f"{type(cause).__name__}: {cause}") from error


def _read(response: http.client.HTTPResponse, deadline: float) -> bytes:
    """The whole body; the time-out of a socket knows nothing of a server that sends a byte now and then."""
    parts = []
    while part := response.read1(BLOCK):
        parts.append(part)
        if time.monotonic() > deadline:
            raise TimeoutError("the answer took too long")
    return b"".join(parts)


def _rest_of(error: urllib.error.HTTPError) -> bytes:
    """What a server says about its error, if it gets so far."""
    try:
        return error.read(BLOCK)
    except (OSError, http.client.HTTPException):
        return b""


def _answer(status: int, body: bytes) -> Answer:
    text = body.decode(errors="replace")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        content = None
    if isinstance(content, dict):
        return Answer(status, content, text)
    if status == 200:
        raise FailedError(f"the server answered with what is no JSON object: {text[:SHOWN]!r}", status)
    return Answer(status, text=text)


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
