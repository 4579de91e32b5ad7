"""What every backend does: it takes requests and gives the responses to each.

for request, responses in backend.sample(requests):    # as they are finished, in whatever order
    ...
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Finish = Literal["stop", "length", "content_filter"]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a token is chosen; temperature 0 is greedy."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0  # 0: all tokens
    max_tokens: int = 512
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """So many responses to one chat. The seed, with the number of a response, is all its randomness."""

    id: str
    messages: list[dict[str, Any]]
    count: int
    seed: int
    first: int = 0  # number of the first response asked for: later ones of a prompt are asked for apart
    tools: Any = None


@dataclass(frozen=True, slots=True)
class Generated:
    """One response; `tokens` is None where a server does not count them."""

    text: str
    tokens: int | None
    finish: Finish


class Backend(Protocol):
    """A model that generates."""

    name: str

    def sample(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[tuple[Request, list[Generated]]]:
        """Every request with its responses, as they are finished; requests are taken as there is room for them."""

    def describe(self) -> dict[str, Any]:
        """Model, versions and whatever else says how the responses came about."""

    def close(self) -> None:
        """Give back memory and end processes."""
