"""The prompts that curricula are played on, and as often as is wanted a world where nothing is learned yet."""

from collections.abc import Mapping
from pathlib import Path

from curriculum_verl.simulation.logs import Scored, log_world
from curriculum_verl.simulation.worlds import LoggedWorld, World, invented_learner, learner_from_log


class Prompts:
    """Invented ones, so many a bucket, or those of a log, which is read once."""

    def __init__(self, sizes: dict[str, int], seed: int, log: Mapping[Path, list[Scored]] | None = None):
        self._seed, self._log, self._named = seed, log, list(sizes)
        self._logged: tuple[float, LoggedWorld] | None = None  # the last threshold that was asked for, and its world
        self.sizes = sizes  # by bucket, easiest first
        if log is not None:
            index = self._from(log, 0.5).index
            self.sizes = {name: int(size) for name, size in index.by_name(index.sizes).items()}

    @property
    def buckets(self) -> tuple[str, ...]:
        """Their names, easiest first."""
        return tuple(self.sizes)

    def world(self, pass_threshold: float, *, learns: bool = True, **learner: float) -> World:
        """A world that starts where the prompts stand; logged ones may also answer as they did, learning nothing."""
        if self._log is None:
            return invented_learner(self.sizes, self._seed, **learner)
        logged = self._from(self._log, pass_threshold)
        return learner_from_log(logged, **learner) if learns else logged

    def _from(self, log: Mapping[Path, list[Scored]], pass_threshold: float) -> LoggedWorld:
        if self._logged is None or self._logged[0] != pass_threshold:
            self._logged = pass_threshold, log_world(log, self._named, pass_threshold)
        return self._logged[1]
