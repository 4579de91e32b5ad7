"""On PYTHONPATH: the time of day jumps by a day to both sides, as where a clock is set while a run goes on."""

import random
import time

DAY = 86_400.0
real, jumps = time.time, random.Random(0)


def jumping() -> float:
    return real() + jumps.choice((-DAY, 0.0, DAY))


time.time = jumping
