"""Long series made short enough to draw: moving averages, and thinning that keeps every peak."""

from collections.abc import Iterable

import numpy as np

from curriculum_verl.runs.columns import Floats, Steps

MOST = 1200  # points of a line: about two for each pixel it gets


def moving_average(steps: Steps, values: Floats, window: int) -> Floats:
    """The mean of each value and those of the steps before it, within `window` steps."""
    if window <= 1 or not values.size:
        return values
    if steps[-1] - steps[0] == len(steps) - 1 and len(values) > window:  # without a gap, as most are
        return _moving_average_of_all(values, window)
    ends = np.arange(1, len(values) + 1)
    begins = steps.searchsorted(steps - window, side="right")
    counts = ends - begins
    # Each window is summed by itself: of running totals, what is far away would be left in the differences. A power of
    # two keeps the sums of the largest numbers finite, and changes no digit.
    scale = 2.0 ** np.ceil(np.log2(counts.max()))
    bounds = np.stack([begins, ends], axis=1).ravel()
    sums = np.add.reduceat(np.append(values / scale, 0.0), bounds)[::2]
    return np.asarray(sums * (scale / counts), dtype=np.float64)


def _moving_average_of_all(values: Floats, window: int) -> Floats:
    """The same where every step has a value, in a time that does not depend on the window.

    A window is the end of one stretch of its length and the beginning of the next, each summed up by itself.
    """
    scale = 2.0 ** np.ceil(np.log2(window))
    stretches = -(-len(values) // window)
    rows = np.pad(values / scale, (0, stretches * window - len(values))).reshape(stretches, window)
    sums = rows.cumsum(axis=1).ravel()[: len(values)]
    ends = rows[:, ::-1].cumsum(axis=1)[:, ::-1]
    ends[:, 0] = 0.0  # where a window is one stretch, its sum is there already
    sums[window - 1 :] += ends.ravel()[: len(values) - window + 1]
    counts = np.minimum(np.arange(1, len(values) + 1), window)
    return np.asarray(sums * (scale / counts), dtype=np.float64)


def thinned(steps: Steps, values: Floats, most: int = MOST) -> tuple[Steps, Floats]:
    """The least and the greatest of every stretch, in their order, and both ends: no peak is lost."""
    if len(steps) <= most:
        return steps, values
    width = -(-len(steps) // (most // 2 - 1))
    stretches = -(-len(steps) // width)
    rows = np.pad(values, (0, stretches * width - len(values)), mode="edge").reshape(stretches, width)
    begins = np.arange(stretches) * width
    found = np.concatenate([begins + rows.argmin(axis=1), begins + rows.argmax(axis=1), [0, len(steps) - 1]])
    kept = np.unique(np.minimum(found, len(steps) - 1))
    return steps[kept], values[kept]


def thinned_together(steps: Steps, rows: Floats, most: int = MOST // 2) -> tuple[Steps, Floats]:
    """Several series that are stacked, a row each: means of stretches, so that the parts still make the whole."""
    if len(steps) <= most:
        return steps, rows
    edges = np.linspace(0, len(steps), most + 1, dtype=np.int64)
    sums = np.add.reduceat(rows, edges[:-1], axis=1)
    return steps[edges[1:] - 1], sums / np.diff(edges)


def all_steps(several: Iterable[Steps]) -> Steps:
    """The steps that are in any of the series, in order; most series of a run have the same."""
    found = np.zeros(0, np.int64)
    for steps in several:
        if not np.array_equal(found, steps):
            both = np.sort(np.concatenate([found, steps]), kind="stable")  # quick, of two that are in order
            found = both[np.append(True, both[1:] != both[:-1])] if both.size else both
    return found


def aligned(steps: Steps, there: Steps, values: Floats) -> Floats:
    """The series on other steps, 0 where it has none."""
    if np.array_equal(steps, there):
        return values
    filled = np.zeros(len(steps))
    places = np.searchsorted(steps, there)
    inside = places < len(steps)
    inside[inside] = steps[places[inside]] == there[inside]
    filled[places[inside]] = values[inside]
    return filled
