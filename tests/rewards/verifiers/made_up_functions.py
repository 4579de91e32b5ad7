"""Functions of a user, good ones and every kind of bad one; the tests name them by path."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

from curriculum_verl.rewards.scoring import Score

CHILD = [sys.executable, "-c", "import time, sys; time.sleep(1000)"]


def by_response(response):
    return float(response.text == response.ground_truth)


def by_verl(data_source, solution_str, ground_truth, extra_info=None):
    return {
        "score": float(solution_str == ground_truth),
        "length": len(solution_str),
        "note": "text",
        **(extra_info or {}),
    }


def whole(response):
    return Score(0.25, {"part": 1.0})


def none_at_all(response):
    return None


def no_number(response):
    return "a lot"


def not_finite(response):
    return float("nan")


def endless_number(response):
    return 10**400


def without_score(response):
    return {"reward": 1.0}


def raises(response):
    raise KeyError("what")


def raises_at_the_deep_end(response):
    return raises_at_the_deep_end(response)


def exits(response):
    sys.exit(3)


def dies(response):
    os._exit(7)


def crashes(response):
    os.abort()


def hangs(response):
    while True:
        time.sleep(1)


def hangs_in_a_pattern(response):
    return float(bool(re.match("(a+)+b", "a" * 100)))


def eats_memory(response):
    hoard = []
    while True:
        hoard.append(bytearray(10**7))


def forks(response):
    os.fork()
    return 1.0


def leaves_children(response):
    children = [subprocess.Popen([*CHILD, response.text], start_new_session=True) for _ in range(2)]
    Path(response.ground_truth).write_text(" ".join(str(child.pid) for child in children))
    while True:
        time.sleep(1)


def talks(response):
    print("to standard output")
    os.write(1, b"\x00\x00\x00\x02hi")
    return 1.0


def process(response):
    return float(os.getpid())


def closes_everything(response):
    os.closerange(0, 100)
    return 1.0


def long_parts(response):
    return {"score": 1.0, **{f"part {number}": 1.0 for number in range(200_000)}}


not_a_function = 7
