"""A run of verl that ends with all that it has started, as one command: what it says comes to the standard output.

python tests/torture/alone.py WORD ...
"""

import signal
import sys
import tempfile
from pathlib import Path

sys.path[:1] = [str(Path(__file__).resolve().parents[2])]

from examples.demo.launching import running  # noqa: E402

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that what was started ends before
    with tempfile.TemporaryDirectory(prefix="torture") as folder:  # Ray's own is found by this one's name
        log = Path(folder) / "console.log"
        with running(Path(folder), sys.argv[1:], log) as process:
            code = process.wait()
        print(log.read_text(errors="replace"))
    sys.exit(code)
