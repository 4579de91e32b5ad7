"""What stands before a page: whom it answers, what it answers at all, and what a browser may do with the answer."""

import base64
import hashlib
import hmac
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from curriculum_verl.web.page import HEAD, OURS

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

# All that gradio needs to show a page. What uploads, reads files, calls other hosts or writes is not among it.
READ = re.compile(
    rf"/(config|theme\.css|favicon\.ico|manifest\.json|gradio_api/(info|startup-events|queue/data))?"
    rf"|/(assets|static)/[\w./-]+|/gradio_api/heartbeat/\w+|{OURS}[\w.-]+|/export/[\w.-]+"
)
ASK = frozenset({"/gradio_api/queue/join"})  # the one thing that is posted: an event of the page
LONGEST = 1_000_000  # bytes of what is posted
HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
# gr.HTML compiles its own template, which takes unsafe-eval; scripts that stand in the page are named by their hash.
POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-eval'{hashes}; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'self'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_INLINE = re.compile(rb"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)


class Guard:
    """Answers who may ask for what is on the list, and tells the browser to load nothing from elsewhere.

    A name as host is refused unless it is this machine's: another site's name that resolves to this address would let
    that site read the page. With a token, everything asks for it: once in the address, from then on in a cookie.
    """

    def __init__(self, app: App, port: int, token: str | None, names: frozenset[str]):
        self._app, self._token, self._names = app, token, names
        self._cookie = f"curriculum_verl_{port}"  # cookies know hosts, not ports

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":
            return None  # a websocket: none of ours
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refused = self._refusal(scope, headers)
        if refused is not None:
            return await _answer(send, *refused)
        if self._token is not None and not self._knows(headers):
            return await self._let_in(scope, send)
        if scope["path"] == "/":
            scope["headers"] = [pair for pair in scope["headers"] if pair[0] != b"accept-encoding"]  # it is read here
            return await _send_page(self._app, scope, receive, send)
        return await self._app(scope, receive, _with_headers(send, POLICY.format(hashes="")))

    def _refusal(self, scope: Message, headers: MutableMapping[str, str]) -> tuple[int, str] | None:
        host, path = headers.get("host", ""), scope["path"]
        if not _is_address(host) and _name(host) not in self._names:
            return 421, f"got the host {host!r}; open this page by its address, or by the name of its machine"
        origin = headers.get("origin")
        if origin is not None and _host_of(origin) != host:
            return 403, "another site asks: this page answers only itself"
        if scope["method"] in ("GET", "HEAD"):
            known = READ.fullmatch(path) and ".." not in path
            return None if known else (404, "there is nothing here")
        if scope["method"] == "POST" and path in ASK:
            length = headers.get("content-length", "")
            return None if length.isdecimal() and int(length) <= LONGEST else (413, "too long")
        return 404, "there is nothing here"

    def _knows(self, headers: MutableMapping[str, str]) -> bool:
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(self._cookie)
        except CookieError:
            return False
        return cookie is not None and hmac.compare_digest(cookie.value, self._secret())

    def _secret(self) -> str:
        """What the cookie holds: made of the token, which cannot be made of it."""
        return hmac.new(str(self._token).encode(), b"cookie", hashlib.sha256).hexdigest()

    async def _let_in(self, scope: Message, send: Send) -> None:
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = dict(query).get("token", "")
        if not hmac.compare_digest(given.encode(), str(self._token).encode()):
            return await _answer(send, 401, "this page needs its token: open the address that the command printed")
        rest = urlencode([(name, value) for name, value in query if name != "token"])
        there = "/" + scope["path"].lstrip("/")  # "//host" would be another site
        cookie = f"{self._cookie}={self._secret()}; Path=/; HttpOnly; SameSite=Lax"
        return await _answer(send, 303, "", location=there + ("?" + rest if rest else ""), set_cookie=cookie)


def names_of(host: str) -> frozenset[str]:
    """The names that stand for a server on this host: localhost always, the machine's own if others reach it."""
    machine = set() if is_loopback(host) else {socket.gethostname(), socket.getfqdn(), host}
    return frozenset(name.lower() for name in {"localhost", *machine})


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine can reach a server on that host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _name(host: str) -> str:
    return host.lower().rsplit(":", 1)[0] if not host.endswith("]") else host


def _host_of(origin: str) -> str | None:
    """The host of an origin with its port; None where it is no address."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def _is_address(host: str) -> bool:
    """Whether a Host header is an address, not a name; a site cannot take an address for its own."""
    try:
        ipaddress.ip_address(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False
    return True


async def _answer(send: Send, status: int, text: str, **headers: str) -> None:
    said = {"content-type": "text/plain; charset=utf-8", "cache-control": "no-store", **HEADERS}
    said |= {name.replace("_", "-"): value for name, value in headers.items()}
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in said.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": text.encode()})


def _with_headers(send: Send, policy: str) -> Send:
    added = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
    added.append((b"content-security-policy", policy.encode()))

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            names = {name.lower() for name, _ in message["headers"]}
            kept = [] if b"cache-control" in names else [(b"cache-control", b"no-store")]
            message["headers"] = [*message["headers"], *added, *kept]
        await send(message)

    return sending


async def _send_page(app: App, scope: Message, receive: Receive, send: Send) -> None:
    """Gradio's page with our scripts in its head, and a policy that names those that gradio writes into it."""
    start: Message = {}
    body = bytearray()

    async def collect(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        else:
            body.extend(message.get("body", b""))

    await app(scope, receive, collect)
    page = bytes(body).replace(b"</head>", HEAD.encode() + b"</head>", 1)
    digests = (base64.b64encode(hashlib.sha256(script).digest()).decode() for script in _INLINE.findall(page))
    hashes = "".join(f" 'sha256-{digest}'" for digest in digests)
    kept = [pair for pair in start["headers"] if pair[0].lower() != b"content-length"]
    start["headers"] = [*kept, (b"content-length", str(len(page)).encode())]
    sending = _with_headers(send, POLICY.format(hashes=hashes))
    await sending(start)
    await sending({"type": "http.response.body", "body": page if scope["method"] != "HEAD" else b""})
