"""The choices in a server's answer as responses: each one text, as the model wrote it before a server took it apart."""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from curriculum_verl.generation.backend import Finish, Generated

FINISHES: Mapping[str, Finish] = {"length": "length", "content_filter": "content_filter"}  # all others: stop
MOST_TOKENS = 2**53


def check(content: Mapping[str, Any]) -> str | None:
    """What is wrong with an answer that a server gave for a good one."""
    choices = content.get("choices")
    if not isinstance(choices, list) or not choices:
        return "gave no choices"
    for choice in choices:
        message = choice.get("message") if isinstance(choice, dict) else None
        if not isinstance(message, dict) or not isinstance(message.get("content"), str | None):
            return "gave a choice without a message's text"
    return None


def generated(content: Mapping[str, Any]) -> list[Generated]:
    """The responses of an answer that `check` finds no fault with."""
    choices = content["choices"]
    # Half a surrogate pair, which JSON can hold, is no text.
    texts = [_text(choice).encode(errors="replace").decode() for choice in choices]
    total = _counted(content.get("usage"))
    tokens = [None] * len(texts) if total is None else shares(total, [len(text) + 1 for text in texts])
    return [Generated(text, count, _finish(choice)) for text, count, choice in zip(texts, tokens, choices, strict=True)]


def _finish(choice: Mapping[str, Any]) -> Finish:
    return FINISHES.get(str(choice.get("finish_reason")), "stop")


def _text(choice: Mapping[str, Any]) -> str:
    """What a server has read out of a response is put back to where verifiers and tool use look for it."""
    message = choice["message"]
    parts = [content] if (content := message.get("content")) else []
    calls = message.get("tool_calls")
    parts += [f"<tool_call>\n{_call(call)}\n</tool_call>" for call in (calls if isinstance(calls, list) else ())]
    reasoning = message.get("reasoning_content") or message.get("reasoning")
    if isinstance(reasoning, str) and reasoning:
        ended = parts or _finish(choice) != "length"
        parts.insert(0, f"<think>\n{reasoning}" + ("\n</think>\n" if ended else ""))
    return "\n".join(parts)


def _call(call: Any) -> str:
    """A call as models write it; what is none is left as it is, and will count as malformed."""
    function = call.get("function") if isinstance(call, dict) else None
    if isinstance(function, dict):
        arguments = function.get("arguments")
        with suppress(ValueError, RecursionError):
            arguments = json.loads(arguments) if isinstance(arguments, str) else arguments
        call = {"name": function.get("name"), "arguments": arguments}
    return json.dumps(call, ensure_ascii=False)


def _counted(usage: Any) -> int | None:
    """How many tokens a call took, if the server has counted."""
    count = usage.get("completion_tokens") if isinstance(usage, dict) else None
    return count if type(count) is int and 0 < count < MOST_TOKENS else None


def shares(total: int, weights: list[int]) -> list[int]:
    """Whole numbers in proportion that make up the total: servers count the tokens of all choices together."""
    ends = [total * sum(weights[: number + 1]) // sum(weights) for number in range(len(weights))]
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]
