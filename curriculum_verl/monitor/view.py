"""What the reader has chosen to see."""

from dataclasses import dataclass

from curriculum_verl.monitor.runs import Run
from curriculum_verl.monitor.series import moving_average
from curriculum_verl.runs.columns import Floats, Steps


@dataclass(frozen=True, slots=True)
class View:
    """The runs that are shown, the window of moving averages, and how many of the last steps, all if None."""

    runs: tuple[Run, ...]
    window: int = 20
    last: int | None = None

    def series(self, run: Run, name: str) -> tuple[Steps, Floats]:
        """A metric of the steps that are shown."""
        return self.cut(run, *run.history.metrics.series(name))

    def smooth(self, run: Run, name: str) -> tuple[Steps, Floats]:
        """Its moving average, which also looks at steps before those that are shown."""
        steps, values = run.history.metrics.series(name)
        return self.cut(run, steps, moving_average(steps, values, self.window))

    def cut(self, run: Run, steps: Steps, values: Floats) -> tuple[Steps, Floats]:
        """Only the steps that are shown."""
        if self.last is None:
            return steps, values
        begin = int(steps.searchsorted(run.history.step - self.last, side="right"))
        return steps[begin:], values[begin:]

    def first(self, run: Run) -> int:
        """The step before the first that is shown."""
        return 0 if self.last is None else max(0, run.history.step - self.last)
