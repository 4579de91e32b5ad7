"""A web server that takes what a webhook posts, and answers as it is told."""

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver:
    """Holds what was posted, in order; `answers` are HTTP status codes, then 200, or 0: none before `answer` is set."""

    def __init__(self, answers: list[int]):
        self.posted: queue.Queue[dict[str, Any]] = queue.Queue()
        self.paths: list[str] = []
        self.answer = threading.Event()
        receiver, left = self, list(answers)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.paths.append(self.path)
                receiver.posted.put(json.loads(body) | {"type": self.headers["Content-Type"]})
                status = left.pop(0) if left else 200
                if status == 0:
                    receiver.answer.wait(30)
                self.send_response(status or 200)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self) -> None:  # what a redirect would make of it
                self.do_POST()

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/hooks/secret"

    def next(self) -> dict[str, Any]:
        return self.posted.get(timeout=30)


@contextmanager
def receiving(*answers: int) -> Iterator[Receiver]:
    receiver = Receiver([*answers])
    thread = threading.Thread(target=receiver.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.answer.set()
        receiver.server.shutdown()
        receiver.server.server_close()
        thread.join()
