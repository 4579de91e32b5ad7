"""Stop strings: a response ends where one of them begins."""

from collections.abc import Callable, Sequence

import torch

from curriculum_verl.inference.generator import Generator, Request


class StoppingGenerator(Generator):
    """A generator that also ends a sequence at a stop string; `text` says what tokens spell."""

    stops: Sequence[str] = ()
    text: Callable[[list[int]], str]

    @property
    def free(self) -> int:
        """How many lanes nobody is in."""
        return self._lanes.count - len(self._running)

    @property
    def unstarted(self) -> int:
        """How many sequences wait for a lane."""
        return len(self._waiting)

    def _sample(self, lanes: list[int], logits: torch.Tensor) -> list[Request]:
        finished = super()._sample(lanes, logits)
        if self.stops:
            for lane, sequence in list(self._running.items()):
                if lane in lanes and any(stop in self.text(sequence.tokens) for stop in self.stops):
                    self._release(lane, "completed")
                    finished.append(sequence)
        return finished


def cut(text: str, stops: Sequence[str]) -> str:
    """The text up to where the first of the stop strings begins."""
    places = [place for stop in stops if (place := text.find(stop)) >= 0]
    return text[: min(places)] if places else text
