"""A server that speaks sandbox_fusion's protocol, and runs the programs in the local sandbox."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from curriculum_verl.rewards.sandbox.limits import Limits
from curriculum_verl.rewards.sandbox.local import run_shut_in, why_not
from curriculum_verl.rewards.sandbox.running import Program


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append(request)
        answer = self.server.answer(request)
        body = json.dumps(answer).encode()
        self.send_response(200 if answer else 500)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


def run_it(request: dict[str, Any]) -> dict[str, Any]:
    limits = Limits(wall_seconds=min(2, request["run_timeout"]), memory_mb=request["memory_limit_MB"])
    (run,) = run_shut_in(
        request["code"], [Program("stdin", stdin=request["stdin"] or "")], limits, why_not(True) is None
    )
    status = {"finished": ("Success", "Finished", 0), "timeout": ("Failed", "TimeLimitExceeded", None)}
    overall, detail, code = status.get(run.ended, ("Failed", "Finished", 1))
    result = {"status": detail, "stdout": run.output, "stderr": "", "return_code": code, "execution_time": run.cpu}
    return {"status": overall, "compile_result": None, "run_result": result}


@contextmanager
def serving(answer: Any = run_it) -> Iterator[ThreadingHTTPServer]:
    """The server, with its address as `url` and all that it was sent as `requests`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.answer, server.requests = answer, []
    server.url = f"http://127.0.0.1:{server.server_port}/run_code"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
