"""All prompts of a run in order: out of files, or made on the spot. They can be gone through as often as needed."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import msgspec

from curriculum_verl.errors import InputError
from curriculum_verl.generation.prompts import Prompt, PromptReader
from curriculum_verl.generation.tasks import Task, make_prompts
from curriculum_verl.manifest import KIND, check_files, manifest_kind, read_manifest
from curriculum_verl.preprocessing.rows import prompt_with
from curriculum_verl.rollouts.fields import ROLES, Fields
from curriculum_verl.rollouts.files import rollout_files
from curriculum_verl.rollouts.lines import numbered_lines
from curriculum_verl.rollouts.scores import LineError

NAME = "manifest.json"
BEGINS = 200  # characters of a line that cannot be used
MEND = {
    "duplicate": "ids must stand once: --on-duplicate first keeps the first, --fields id=FIELD takes another field",
    "other": "mend the line, or --on-invalid reject puts such lines into rejects.jsonl",
}


class Reject(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of the rejects file: a line of the data, or a prompt without a single response that has a score."""

    file: str
    line: int
    reason: str
    message: str
    begins: str = ""
    id: str | None = None
    responses: list[str] = []


@dataclass(frozen=True, slots=True)
class Data:
    """What the user named. `sides` of the data of a manifest are train, validation, or both."""

    files: tuple[str, ...] = ()
    tasks: tuple[Task, ...] = ()
    sides: Literal["train", "val", "all"] = "train"
    seed: int = 0  # of tasks
    limit: int | None = None
    system_prompt: str | None = None
    instruction: str | None = None
    on_invalid: Literal["error", "reject"] = "error"
    on_duplicate: Literal["error", "first"] = "error"
    fields: Fields = field(default_factory=lambda: dict(ROLES))


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What there is: prompts by source, what cannot be used, and a hash over everything that decides a result."""

    prompts: int
    sources: dict[str, int]
    rejects: list[Reject]
    hash: str


def read_catalogue(data: Data) -> Catalogue:
    """Go through everything once; the first line that cannot be used is an error, unless such are to be rejected."""
    rejects: list[Reject] = []
    sources: dict[str, int] = {}
    whole = hashlib.sha256()
    prompts = 0
    for prompt in read_prompts(data, rejects):
        sources[prompt.place[0]] = sources.get(prompt.place[0], 0) + 1
        identity = prompt.identity()
        whole.update(len(identity).to_bytes(8) + identity)
        prompts += 1
    if not prompts:
        raise InputError(f"{', '.join(data.files) or '--tasks'}: got no prompt that can be used, expected at least one")
    return Catalogue(prompts, sources, rejects, f"sha256:{whole.hexdigest()}")


def read_prompts(data: Data, rejects: list[Reject] | None = None) -> Iterator[Prompt]:
    """The prompts in order; lines that cannot be used are added to `rejects`, or an error."""
    seen: dict[int, tuple[str, int]] = {}
    count = 0
    for found in _everything(data):
        if count == data.limit:
            return
        reject = found if isinstance(found, Reject) else _duplicate(found, seen)
        if reject is None:
            assert isinstance(found, Prompt)
            yield _dressed(found, data)
            count += 1
            continue
        twice = reject.reason == "duplicate"
        if (data.on_duplicate if twice else data.on_invalid) == "error":
            mend = MEND["duplicate" if twice else "other"]
            raise InputError(f"{reject.file}:{reject.line}: {reject.message}; {mend}")
        if rejects is not None:
            rejects.append(reject)


def _everything(data: Data) -> Iterator[Prompt | Reject]:
    reader = PromptReader(data.fields)
    for path in data_files(data.files, data.sides):
        for number, line in numbered_lines(path):
            try:
                yield reader(line, (str(path), number))
            except LineError as error:
                yield Reject(str(path), number, error.reason, str(error), line[:BEGINS].decode(errors="replace"))
    for task in data.tasks:
        yield from make_prompts(task, data.seed)


def _duplicate(prompt: Prompt, seen: dict[int, tuple[str, int]]) -> Reject | None:
    key = int.from_bytes(hashlib.blake2b(prompt.id.encode(), digest_size=8).digest())
    if key not in seen:
        seen[key] = prompt.place
        return None
    file, line = seen[key]
    message = f"id {prompt.id!r} stands in {file}:{line} as well"
    return Reject(*prompt.place, "duplicate", message, id=prompt.id)


def _dressed(prompt: Prompt, data: Data) -> Prompt:
    """The prompt with the system message and the instruction that the user wants."""
    if data.system_prompt is None and data.instruction is None:
        return prompt
    if data.instruction is not None and all(message["role"] != "user" for message in prompt.messages):
        file, line = prompt.place
        raise InputError(f"{file}:{line}: got no message of the user, to which --instruction could be added")
    messages: list[dict[str, Any]] = list(prompt_with(prompt.messages, data.system_prompt, data.instruction))
    return replace(prompt, messages=messages)


def data_files(given: Sequence[str], sides: str) -> list[Path]:
    """The files that are named: by themselves, by folders and globs, or by the manifest of data for training."""
    found: list[Path] = []
    for name in given:
        path = Path(name) / NAME if Path(name).is_dir() and manifest_kind(Path(name) / NAME) == KIND else Path(name)
        found += (
            _of_manifest(path, sides)
            if path.name.endswith(NAME) and path.is_file()
            else rollout_files([name], "prompts")
        )
    return list(dict.fromkeys(found))


def _of_manifest(path: Path, sides: str) -> list[Path]:
    manifest = read_manifest(path)
    check_files(manifest, path.parent)
    names = [
        *(manifest.train_files if sides != "val" else ()),
        *(manifest.validation_files if sides != "train" else ()),
    ]
    if not names:
        raise InputError(f"{path}: names no files for {sides}, expected some; see --split")
    return [path.parent / name for name in dict.fromkeys(names)]
