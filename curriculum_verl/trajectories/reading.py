"""A line read as a sample: a task, the trajectory that solves it, and what the line says about both."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import xxhash
from msgspec import UNSET

from curriculum_verl.rewards.trajectory import Trajectory, read_trajectory
from curriculum_verl.rollouts.scores import LineError, ScoreReader
from curriculum_verl.trajectories.settings import TrajectorySettings

_TRAP = re.compile(r"_traps?_")
_NO_TRAP = re.compile(r"_(?:(?:no|non|not|without)_(?:an?_|any_|the_)?|non|no)traps?_")
_NEGATION = re.compile(r"_(?:no|non|not|never|without)_")
_BETWEEN_WORDS = re.compile(r"[\W_]+|(?<=[a-z])(?=[A-Z])")
_TRUTH = {"true": True, "yes": True, "y": True, "1": True, "false": False, "no": False, "n": False, "0": False}
_FLAGS = ("trap", "is_trap")  # fields that say whether, and not what kind


@dataclass(frozen=True, slots=True)
class Sample:
    """What is scored. `text` is all that the model said and called, `chat` the same as messages to train on, where the
    line is no chat itself; `row` has every field of the line, for scorers of a user's own.
    """

    prompt: str
    text: str
    trajectory: Trajectory
    task_type: str | None
    trap: bool
    line: bytes
    chat: list[dict[str, str]] | None = None

    def row(self) -> dict[str, Any]:
        """The line, decoded."""
        row: dict[str, Any] = msgspec.json.decode(self.line)
        return row


class _Part(msgspec.Struct):
    text: str | None = None  # a picture has none


class _Function(msgspec.Struct):
    name: str
    arguments: str | dict[str, Any] | None = None


class _ToolCall(msgspec.Struct):
    function: _Function


class _Message(msgspec.Struct):
    role: str
    content: str | list[str | _Part] | None = None
    tool_calls: list[_ToolCall] | None = None


class _Step(msgspec.Struct):
    """A step of a chain of thought and action; what came back from the operation is not the model's."""

    thought: str | None = None
    text: str | None = None
    content: str | None = None
    action: str | None = None
    operation: str | None = None
    name: str | None = None
    arguments: str | dict[str, Any] | None = None
    parameters: str | dict[str, Any] | None = None


_COLUMNS: dict[str, Any] = {
    "messages": list[_Message] | None,
    "trajectory": list[str | _Step] | str | None,
    "prompt": list[_Message] | str | None,
    "response": str | None,
    "answer": str | int | float | None,
    "task_type": str | None,
    "trap": bool | str | None,
}


class TrajectoryReader(ScoreReader):
    """Reads chats, chains of thought and action, and prompts with one response; ids as lines of rollouts have them."""

    def __init__(self, settings: TrajectorySettings):
        fields = settings.fields
        super().__init__(
            fields, {f"{role} {path}": (path, kind) for role, kind in _COLUMNS.items() for path in fields[role]}
        )
        self._fields, self._operations = fields, settings.rating.operations

    def sample(self, line: bytes) -> tuple[int, str, Sample]:
        """The key, the format's name, and the sample; a LineError says what is wrong with the line."""
        try:
            row = self._decode(line)
            name, prompt, text = self._told(row)
            chat = None if name == "chat" else self._chat(row, text)
            task, trap = self._first(row, "task_type"), self._trap(row)
            found = self.id_of(row)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise self.bad_line(line, error) from error
        said = f"{found[0]}={found[1]}" if found else f"trajectory={prompt}\0{text}"
        trajectory = read_trajectory(text, self._operations, prompt)
        key = xxhash.xxh3_64_intdigest(said.encode())
        return key, name, Sample(prompt, text, trajectory, task, trap, line, chat)

    def _told(self, row: Any) -> tuple[str, str, str]:
        """The format's name, the task, and what the model said and called."""
        messages, steps, prompt = (self._first(row, role) for role in ("messages", "trajectory", "prompt"))
        asked = _said(prompt or []) if not isinstance(prompt, str) else prompt
        if steps is not None:
            name, text = "cota", steps if isinstance(steps, str) else "\n".join(_step_lines(steps))
        elif messages is not None:
            name, text = "chat", _said([message for message in messages if message.role == "assistant"])
            asked = _said([message for message in messages if message.role in ("system", "user")])
        else:
            name, text = "prompt and response", self._first(row, "response") or ""
        if not text.strip():
            wanted = " or ".join(self._fields[role][0] for role in ("trajectory", "messages", "response"))
            raise LineError("no_trajectory", f"got nothing that a model said or called, expected it in {wanted}")
        if messages and messages[-1].role != "assistant":
            raise LineError(
                "unanswered",
                f"got a chat that ends with a message of {messages[-1].role}, expected one of the assistant: "
                "training takes no other; cut off what stands behind it",
            )
        return name, asked, text

    def _chat(self, row: Any, text: str) -> list[dict[str, str]] | None:
        """The task and the trajectory as a chat, with the final answer at its end where the line has one apart."""
        prompt, answer = self._first(row, "prompt"), self._first(row, "answer")
        asked = [_Message("user", prompt)] if isinstance(prompt, str) else prompt
        if not asked:
            return None
        if answer is not None and "<answer>" not in text:
            text = f"{text}\n<answer>{answer}</answer>"
        spoken = [{"role": message.role, "content": _said([message])} for message in asked]
        return [*spoken, {"role": "assistant", "content": text}]

    def _trap(self, row: Any) -> bool:
        """Whether any of the fields says that it is a trap."""
        found = [(path, self._get[f"trap {path}"](row)) for path in self._fields["trap"]]
        marks = [_says_trap(path, value) for path, value in found if value is not UNSET and value is not None]
        return any(marks)  # of all of them: a mark that nobody can read is an error beside one that somebody can

    def _first(self, row: Any, role: str) -> Any:
        """What stands in the first field of the role that the row has, or None."""
        found = (self._get[f"{role} {path}"](row) for path in self._fields[role])
        return next((value for value in found if value is not UNSET and value is not None), None)


def _says_trap(field: str, value: bool | str) -> bool:
    """Whether a mark means a trap; what may be read both ways is an error of the line."""
    if isinstance(value, bool):
        return value
    words = f"_{_BETWEEN_WORDS.sub('_', value).strip('_').lower()}_"
    flag = field.rpartition(".")[2] in _FLAGS
    if flag and words.strip("_") in _TRUTH:
        return _TRUTH[words.strip("_")]
    rest = _NO_TRAP.sub("_", words)
    trap = bool(_TRAP.search(rest))
    if (flag and not trap and rest == words and words != "__") or (trap and _NEGATION.search(rest)):
        wanted = "true, false, or a text such as perceptual_trap or no_trap"
        raise LineError("trap_mark", f"{field}: got {value!r:.60}, expected {wanted}")
    return trap


def _said(messages: Sequence[_Message]) -> str:
    return "\n".join(line for message in messages for line in _message_lines(message))


def _message_lines(message: _Message) -> Iterator[str]:
    content = message.content or ""
    yield (
        content
        if isinstance(content, str)
        else "".join(part if isinstance(part, str) else part.text or "" for part in content)
    )
    for call in message.tool_calls or ():
        yield _call(call.function.name, call.function.arguments)


def _step_lines(steps: Sequence[str | _Step]) -> Iterator[str]:
    for number, step in enumerate(steps, 1):
        if isinstance(step, str):
            yield step
            continue
        said = [text for text in (step.thought, step.text, step.content) if text is not None]
        name = next((name for name in (step.action, step.operation, step.name) if name is not None), None)
        if name is None and not said:
            raise LineError("wrong_type", f"got step {number} without a text or call, expected thought or action")
        yield from said
        if name is not None:
            yield _call(name, step.parameters if step.arguments is None else step.arguments)


def _call(name: str, arguments: str | dict[str, Any] | None) -> str:
    """A call as the model would have written it; one with brackets in its name is written out already."""
    if "(" in name and arguments is None:
        return f"<tool_call>{name}</tool_call>"
    written = msgspec.json.encode({"name": name, "arguments": {} if arguments is None else arguments}).decode()
    return f"<tool_call>{written}</tool_call>"
