"""Stop strings: a response ends where the first of them begins."""

from collections.abc import Callable, Sequence

import torch

from curriculum_verl.inference.generator import Generator, Request

SPARE = 16  # characters beside a stop string that a tokenizer may write otherwise where it does not see all tokens
BROKEN = "\ufffd"  # stands for bytes that are no character, or not yet

Decode = Callable[[list[int]], str]


class StoppingGenerator(Generator):
    """A generator that also ends a sequence at a stop string; `text` says what tokens spell."""

    stops: Sequence[str] = ()
    text: Decode

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
                if lane in lanes and stopped(sequence.tokens, self.stops, self.text):
                    self._release(lane, "completed")
                    finished.append(sequence)
        return finished


def stopped(tokens: list[int], stops: Sequence[str], text: Decode) -> bool:
    """Whether the last token completes a stop string; not all tokens are decoded each time, which takes ever longer."""
    end = _end(tokens, max(map(len, stops)) + SPARE, text)
    return any(stop in end for stop in stops) and any(stop in text(tokens) for stop in stops)


def _end(tokens: list[int], reach: int, text: Decode) -> str:
    """The end of the text, with so many characters before the last token that are the same as in all of it."""
    count = reach
    while count < len(tokens):
        if len(text(tokens[-count:-1]).strip(BROKEN)) >= reach:
            return text(tokens[-count:])
        count *= 2
    return text(tokens)


def cut(text: str, stops: Sequence[str]) -> str:
    """The text up to where the first of the stop strings begins."""
    places = [place for stop in stops if (place := text.find(stop)) >= 0]
    return text[: min(places)] if places else text
