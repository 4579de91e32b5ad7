"""Serving a page: on this machine alone unless told otherwise, and then with a token."""

import asyncio
import logging
import os
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from curriculum_verl.errors import InputError
from curriculum_verl.web.guard import Guard, is_loopback, names_of
from curriculum_verl.web.page import Page, application

TOKEN = "MONITOR_TOKEN"
SHORTEST = 16  # characters of a token that is given


def serve(page: Page, host: str, port: int) -> None:
    """Serve until Ctrl-C; prints the address, with the token where there is one."""
    token = _token(host)
    _end_quietly()
    with _listening(host, port) as listener:
        server = _server(page, host, listener, token)
        print(f"{_url(listener, host, token)}\nCtrl-C ends it.", flush=True)  # noqa: T201
        try:
            server.run(sockets=[listener])
        except KeyboardInterrupt:
            return


def _end_quietly() -> None:
    """Let uvicorn say nothing of the streams of open pages, which it cuts off when the server is told to end."""

    def is_news(record: logging.LogRecord) -> bool:
        cut_off = record.exc_info is not None and isinstance(record.exc_info[1], asyncio.CancelledError)
        return not cut_off and "timeout graceful shutdown exceeded" not in str(record.msg)

    logging.getLogger("uvicorn.error").addFilter(is_news)


@contextmanager
def serving(page: Page, host: str = "127.0.0.1", token: str | None = None) -> Iterator[str]:
    """The address of a page that is served while the block runs, on any free port."""
    with _listening(host, 0) as listener:
        server = _server(page, host, listener, token)
        began = threading.Event()
        startup = server.startup

        async def told(sockets: list[socket.socket] | None = None) -> None:
            try:
                await startup(sockets)
            finally:
                began.set()

        server.startup = told  # type: ignore[method-assign]
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        began.wait()
        try:
            yield _url(listener, host, token)
        finally:
            server.should_exit = True
            thread.join()


def _token(host: str) -> str | None:
    given = os.environ.get(TOKEN)
    if given is not None and len(given) < SHORTEST:
        raise InputError(f"{TOKEN}: got {len(given)} characters, expected at least {SHORTEST}")
    return given or (None if is_loopback(host) else secrets.token_urlsafe(32))


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise InputError(
            f"cannot listen on {host}, port {port}: {error.strerror}; take another --port (0: any that is free)"
        ) from None


def _server(page: Page, host: str, listener: socket.socket, token: str | None) -> uvicorn.Server:
    logging.getLogger("httpx").setLevel(logging.WARNING)
    guarded = Guard(application(page), listener.getsockname()[1], token, names_of(host))
    # The page keeps a stream open, which a polite end would wait for.
    config = uvicorn.Config(
        guarded, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=1
    )
    return uvicorn.Server(config)


def _url(listener: socket.socket, host: str, token: str | None) -> str:
    shown = socket.gethostname() if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listener.getsockname()[1]}/" + (f"?token={token}" if token else "")
