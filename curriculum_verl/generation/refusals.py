"""Requests that no attempt can answer, and what becomes of them."""

from typing import Literal

from curriculum_verl.errors import InputError
from curriculum_verl.generation.backend import Generated, Request


class RefusedError(InputError):
    """A request that can never be answered, with the word under which that is counted."""

    def __init__(self, id: str, kind: str, reason: str):
        self.id, self.kind, self.reason = id, kind, reason
        super().__init__(f"prompt {id}: {reason}")

    def __reduce__(self) -> tuple[type["RefusedError"], tuple[str, str, str]]:
        return RefusedError, (self.id, self.kind, self.reason)


class Refusals(dict[str, RefusedError]):
    """By the request's id."""

    def __init__(self, policy: Literal["error", "skip"]):
        super().__init__()
        self._policy = policy

    def take(self, request: Request, error: RefusedError) -> tuple[Request, list[Generated]]:
        """The request without responses, or the error if that is the policy."""
        if self._policy == "error":
            raise error
        self[request.id] = error
        return request, []


def too_long(request: Request, tokens: int, context: int) -> RefusedError:
    """What is wrong with a prompt that leaves no room for a response."""
    reason = f"got a prompt of {tokens:,} tokens, which leaves no room for a response in {context:,}"
    return RefusedError(request.id, "prompt_too_long", reason)
