"""The prompts of an evaluation with their buckets, easiest first: by manifest, field, row, file or task."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from curriculum_verl.errors import InputError, unknown_name
from curriculum_verl.generation.data import NAME, Data, data_files, read_prompts
from curriculum_verl.generation.prompts import Prompt
from curriculum_verl.generation.tasks import PREFIX
from curriculum_verl.manifest import KIND, Manifest, manifest_kind, read_manifest
from curriculum_verl.rollouts.lines import numbered_lines

STAGE = "curriculum_stage"  # in extra_info: what the preprocessing says of a row's bucket


@dataclass(frozen=True, slots=True)
class Prompts:
    """The bucket of every prompt by its id, in the order of the data; `buckets` are those that have any."""

    bucket: dict[str, str]
    buckets: list[str]

    @property
    def sizes(self) -> dict[str, int]:
        """How many prompts each bucket has, easiest first."""
        count = Counter(self.bucket.values())
        return {name: count[name] for name in self.buckets}


def read_buckets(data: Data, field: str | None = None, order: Sequence[str] = ()) -> Prompts:
    """Go through the data; `field` of a row names its bucket, if that is said, and `order` all buckets there are.

    Without an order, that of the manifests counts, else that in which buckets come.
    """
    manifests = {path: read_manifest(path) for path in _manifests(data.files)}
    files = _files(manifests)
    fields = {} if field is None else _fields(data, field)
    found = {}
    for prompt in read_prompts(data):
        bucket = _bucket(prompt, files) if field is None else _of_field(prompt, field, fields)
        if order and bucket not in order:
            file, line = prompt.place
            raise InputError(f"{file}:{line}: {unknown_name('bucket', bucket, order)}; see --buckets")
        found[prompt.id] = bucket
    there = set(found.values())
    known = [
        name for name in [*order, *(n for manifest in manifests.values() for n in manifest.names)] if name in there
    ]
    return Prompts(found, list(dict.fromkeys([*known, *found.values()])))


def _fields(data: Data, field: str) -> dict[tuple[str, int], str]:
    """What stands in a field of every line; lines that cannot be read are no prompts either."""
    decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
    found = {}
    for path in data_files(data.files, data.sides):
        for number, line in numbered_lines(path):
            try:
                value = msgspec.json.decode(decode(line).get(field, b"null"))
            except msgspec.DecodeError:
                continue
            if isinstance(value, str | int) and not isinstance(value, bool):
                found[str(path), number] = str(value)
    return found


def _of_field(prompt: Prompt, field: str, fields: Mapping[tuple[str, int], str]) -> str:
    if prompt.place not in fields:
        file, line = prompt.place
        raise InputError(
            f"{file}:{line}: has no text in {field!r}, expected the name of its bucket; see --bucket-field"
        )
    return fields[prompt.place]


def _manifests(given: Sequence[str]) -> Iterator[Path]:
    for name in given:
        path = Path(name) / NAME if Path(name).is_dir() else Path(name)
        if path.name.endswith(NAME) and manifest_kind(path) in (KIND, None) and path.is_file():
            yield path


def _files(manifests: Mapping[Path, Manifest]) -> dict[str, list[str]]:
    """The buckets that are in each file."""
    files: dict[str, list[str]] = {}
    for path, manifest in manifests.items():
        for bucket in manifest.buckets:
            for name in (*bucket.train, *bucket.validation):
                files.setdefault(str(path.parent / name), []).append(bucket.name)
    return files


def _bucket(prompt: Prompt, files: Mapping[str, list[str]]) -> str:
    file, line = prompt.place
    named, own = files.get(file), prompt.extra.get(STAGE)
    if named is not None and len(named) == 1:
        return named[0]
    if named is None:
        made = file.startswith(f"{PREFIX}/")
        return str(own) if own else file.removeprefix(f"{PREFIX}/") if made else Path(file).name.partition(".")[0]
    if own in named:
        return str(own)
    raise InputError(
        f"{file}:{line}: got {STAGE} {own!r}, expected one of {', '.join(named)}, which the manifest says are in it"
    )
