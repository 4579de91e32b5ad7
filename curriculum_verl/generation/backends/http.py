"""Calls to a server that may be slow, busy or broken: retried with patience, at no more than an agreed pace."""

import http.client
import json
import random
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tqdm import tqdm

from curriculum_verl.errors import InputError
from curriculum_verl.generation.backends.pace import Pace, back_off, retry_after
from curriculum_verl.generation.progress import duration
from curriculum_verl.words import printable

REFUSALS = (400, 413, 422)  # what is wrong is this request
PASSING = (408, 409, 425, 429)  # what is wrong may pass, as it may with 500 and above
LASTING = (501, 505)  # but for these
LONG = 30.0  # seconds of a wait that is told
SHOWN = 300  # characters of an answer in a message
BLOCK = 1 << 16
MEND = {
    402: "put credit on the account",
    404: "see --url, which often ends in /v1, and --model",
}

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
        return printable(str(message or self.text or "nothing")[:SHOWN])


class FailedError(Exception):
    """An attempt that may go better when it is repeated: what the server answered, and when it wants to be asked again,
    as far as it said so.
    """

    def __init__(self, reason: str, status: int | None = None, after: float | None = None):
        self.status, self.after = status, after
        super().__init__(reason)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A call that is sent elsewhere would lose its body there, and give its key away."""

    def redirect_request(self, *_: Any) -> None:
        """Do not follow."""


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
        self._opener = urllib.request.build_opener(_NoRedirects)
        self._told, self._lock = 0.0, threading.Lock()  # until when a wait has been told

    def stop(self) -> None:
        """No attempt is begun any more."""
        self._stopped.set()

    def post(self, path: str, body: dict[str, Any], check: Check) -> Answer:
        """The server's answer, good or one of REFUSALS; one that `check` finds fault with is asked for again."""
        data = json.dumps(body).encode()
        for attempt in range(self._retries + 1):
            self._wait_for_turn()
            try:
                return self._checked(self._send("POST", path, data), check)
            except FailedError as error:
                if attempt == self._retries:
                    raise InputError(
                        f"{self._url}/{path}: {error}, after {attempt + 1} attempts; what is done is kept: start again "
                        "when the server is well, with more --retries or a longer --timeout, or fewer requests at once"
                    ) from error
                self._rest(error, back_off(attempt, self._random.random()))
        raise AssertionError

    def _wait_for_turn(self) -> None:
        while True:
            self._wait(self._pace.reserve(time.monotonic()))
            if not self._pace.paused(time.monotonic()):
                return

    def _rest(self, error: FailedError, seconds: float) -> None:
        """Leave the server alone for so long, or for as long as it asked: then all calls wait, not this one alone."""
        now = time.monotonic()
        if error.after is not None:
            self._pace.pause(now + error.after)
        self._tell(error, now, max(seconds, error.after or 0.0))
        self._wait(seconds)

    def _tell(self, error: FailedError, now: float, seconds: float) -> None:
        """Say of a long wait that it is none for ever; once, however many calls wait."""
        with self._lock:
            if seconds < LONG or now < self._told:
                return
            self._told = now + seconds
        # By tqdm, which knows where its bar is.
        tqdm.write(f"generate: waits {duration(seconds)} for {self._url}: {error}", file=sys.stderr)

    def once(self, method: str, path: str) -> Answer:
        """The answer to a single attempt, whatever it is; no answer at all is an error."""
        try:
            return self._send(method, path, None)
        except FailedError as error:
            if error.status is None:
                raise InputError(f"{self._url}: no server answers there: {error}; see --url") from error
            return Answer(error.status)

    def _checked(self, answer: Answer, check: Check) -> Answer:
        if answer.status in REFUSALS:
            return answer
        if answer.status != 200:
            raise InputError(
                f"{self._url}: the server answered {answer.status}: {answer.words()}; {self._mend(answer)}"
            )
        if (problem := check(answer.content)) is not None:
            raise FailedError(f"the server {problem}: {printable(answer.text[:SHOWN])}", answer.status)
        return answer

    def _mend(self, answer: Answer) -> str:
        """What a user can do about an answer that would be the same the next time."""
        if answer.status in (401, 403):
            had = "the key in" if self._key else "no key: there is nothing in"
            return f"got {had} ${self._key_name}; --api-key names another variable"
        return MEND.get(answer.status, "see --url, expected the base URL of a server of OpenAI's kind, with /v1")

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
            with self._opener.open(request, timeout=self._timeout) as response:
                return _answer(response.status, _read(response, deadline))
        except urllib.error.HTTPError as error:
            with error:
                if 300 <= error.code < 400:
                    return Answer(error.code, text=f"it sends calls to {error.headers.get('Location')}")
                answer = _answer(error.code, _rest_of(error))
                if error.code in PASSING or (error.code >= 500 and error.code not in LASTING):
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
