"""A real HTTP server of chat completions that misbehaves as it is told: one trick for each call, then it behaves."""

import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Trick = Callable[["Handler", dict[str, Any]], None]


class Server(ThreadingHTTPServer):
    """Keeps what it was asked; `tricks` are played in the order of the calls."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.tricks: deque[Trick] = deque()
        self.always: Trick | None = None
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.models: list[str] | None = ["toy"]
        self.most_choices = 100
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, *_: Any) -> None:
        """Connections are cut on purpose."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        models = self.server.models
        self.reply(404, {}) if models is None else self.reply(200, {"data": [{"id": name} for name in models]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.asked.append(body)
            self.server.headers.append(dict(self.headers))
            trick = self.server.tricks.popleft() if self.server.tricks else self.server.always
            self.server.at_once += 1
            self.server.most_at_once = max(self.server.most_at_once, self.server.at_once)
        try:
            (trick or behave)(self, body)
        finally:
            with self.server.lock:
                self.server.at_once -= 1

    def reply(self, status: int, content: Any, **headers: str) -> None:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def behave(handler: Handler, body: dict[str, Any]) -> None:
    """Every response says what was asked and with which seed, so that tests can tell them apart."""
    count = min(body.get("n", 1), handler.server.most_choices)
    text = body["messages"][-1]["content"]
    choices = [
        {"message": {"role": "assistant", "content": f"{text} {body['seed']} {number}"}, "finish_reason": "stop"}
        for number in range(count)
    ]
    handler.reply(200, {"choices": choices, "usage": {"completion_tokens": 10 * count}})


def status(code: int, message: str = "busy", **headers: str) -> Trick:
    return lambda handler, _: handler.reply(code, {"error": {"message": message}}, **headers)


def refuse_above(most: int) -> Trick:
    def answer(handler: Handler, body: dict[str, Any]) -> None:
        status(400, f"n must be at most {most}")(handler, body) if body.get("n", 1) > most else behave(handler, body)

    return answer


def give_more(handler: Handler, body: dict[str, Any]) -> None:
    behave(handler, body | {"n": body.get("n", 1) + 2})


def send_elsewhere(handler: Handler, _: dict[str, Any]) -> None:
    handler.reply(302, {}, Location="http://elsewhere/v1/chat/completions")


def want_new_limit(handler: Handler, body: dict[str, Any]) -> None:
    old = "max_tokens" in body
    status(400, "use 'max_completion_tokens' instead")(handler, body) if old else behave(handler, body)


def answer(content: Any) -> Trick:
    return lambda handler, _: handler.reply(200, content)


def cut(handler: Handler, _: dict[str, Any]) -> None:
    """Close without a word."""
    handler.close_connection = True


def cut_in_the_middle(handler: Handler, _: dict[str, Any]) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
    handler.close_connection = True


def drip(handler: Handler, _: dict[str, Any]) -> None:
    """A byte now and then, each of them in time; the answer is whole after 6 seconds."""
    handler.send_response(200)
    handler.end_headers()
    for byte in json.dumps({"choices": [{"message": {"content": "x"}}] * 3}).ljust(120).encode():
        handler.wfile.write(bytes([byte]))
        if handler.server.over.wait(0.05):
            return


def hang(handler: Handler, _: dict[str, Any]) -> None:
    handler.server.over.wait(30)


def meet(count: int) -> Trick:
    """Answer only when so many calls are there at once."""
    barrier = threading.Barrier(count, timeout=30)

    def wait(handler: Handler, body: dict[str, Any]) -> None:
        barrier.wait()
        behave(handler, body)

    return wait


@contextmanager
def running() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
