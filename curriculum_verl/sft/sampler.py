"""The sampler: draws a whole optimizer step at a time from the engine and hands every device its part."""

from collections.abc import Iterator

from torch.utils.data import Sampler

from curriculum_verl.curriculum import Curriculum


class CurriculumSampler(Sampler[int]):
    """As many rows as the run has left to see, whatever the stage: its length must not change, nor the data's.

    Every process draws the same from its own copy of the curriculum and takes the rows of its rank. A step is drawn
    when its first row is asked for, so a switch of stage affects the very next step, and a checkpoint holds no draw
    that was not trained on. The curriculum keeps all state; there is none here.
    """

    def __init__(self, curriculum: Curriculum, steps: int, batch_size: int, *, rank: int = 0, processes: int = 1):
        assert batch_size % processes == 0  # run.py has refused anything else
        self._curriculum = curriculum
        self._steps = steps
        self._batch_size = batch_size
        self._rank, self._processes = rank, processes

    def __len__(self) -> int:
        return self._steps * self._batch_size // self._processes

    def __iter__(self) -> Iterator[int]:
        for _ in range(self._steps):
            rows = self._curriculum.draw(self._batch_size).prompts
            yield from rows[self._rank :: self._processes].tolist()
