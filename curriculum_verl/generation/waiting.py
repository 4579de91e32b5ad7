"""Requests whose responses come one by one, in any order."""

from collections.abc import Hashable, Iterator

from curriculum_verl.generation.backend import Generated, Request


class Waiting:
    """Each response has a name of its own; a request is complete when all of its responses are here."""

    def __init__(self) -> None:
        self._owners: dict[Hashable, tuple[Request, int]] = {}
        self._made: dict[str, dict[int, Generated]] = {}

    def __len__(self) -> int:
        return len(self._owners)

    def add(self, request: Request) -> Iterator[tuple[str, int]]:
        """Wait for the responses of a request; their names and numbers."""
        self._made[request.id] = {}
        for number in range(request.first, request.first + request.count):
            name = f"{number} {request.id}"
            self._owners[name] = request, number
            yield name, number

    def take(self, name: str, response: Generated) -> tuple[Request, list[Generated]] | None:
        """A response has come; the request with all of them, if this was the last."""
        request, number = self._owners.pop(name)
        made = self._made[request.id]
        made[number] = response
        if len(made) < request.count:
            return None
        del self._made[request.id]
        return request, [made[number] for number in sorted(made)]
