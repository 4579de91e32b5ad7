"""Files of recipes: read as they are, and written to the recipe's folder, or to the file of --out, nowhere else."""

import os
import stat
from collections.abc import MutableMapping
from dataclasses import dataclass
from pathlib import Path

from curriculum_verl.atomic import replacing
from curriculum_verl.errors import InputError
from curriculum_verl.words import printable

BOM = b"\xef\xbb\xbf"
LONGEST = 245  # bytes of a file's name, which is longer while it is being written
SUFFIXES = (".yaml", ".yml")


def read_text(raw: bytes) -> str:
    """The text of a file, its lines ended as on the page."""
    return raw.removeprefix(BOM).decode().replace("\r\n", "\n").replace("\r", "\n")


@dataclass(frozen=True, slots=True)
class Saving:
    """The recipe that was opened, with its content, and the file of --out; the page itself names no folder.

    What is saved begins and ends its lines as the recipe does.
    """

    recipe: Path
    content: bytes
    out: Path | None = None

    @property
    def suggestion(self) -> str:
        """The name in the field."""
        if self.out is not None:
            return self.out.name
        name = self.recipe.with_suffix(".tuned.yaml").name
        return name if _is_name(name) else "tuned.yaml"

    @property
    def folder(self) -> Path:
        """The only folder that is written to."""
        return (self.out or self.recipe).absolute().parent

    def known(self) -> dict[str, bytes]:
        """The files in that folder that the reader has seen."""
        beside = self.folder == self.recipe.absolute().parent
        return {self.recipe.name: self.content} if beside else {}

    def line_ends(self) -> dict[bytes, int]:
        """How many lines of the recipe end in which way."""
        pairs = self.content.count(b"\r\n")
        counts = {b"\n": self.content.count(b"\n") - pairs, b"\r\n": pairs, b"\r": self.content.count(b"\r") - pairs}
        return {end: count for end, count in counts.items() if count} or {b"\n": 1}

    def encode(self, text: str) -> bytes:
        """The content of a file with this text."""
        ends = self.line_ends()
        start = BOM if self.content.startswith(BOM) else b""
        return start + text.encode().replace(b"\n", max(ends, key=lambda end: ends[end]))

    def save(self, name: str, text: str, *, overwrite: bool, seen: MutableMapping[str, bytes]) -> Path:
        """Write the text under a name in that folder; what stands there stays, unless it may be overwritten.

        `seen` has files as the reader knows them, by name: what somebody else has changed since is not overwritten.
        """
        if self.out is not None and name != self.out.name:
            raise InputError(f"got the name {printable(name)[:100]!r}, expected {self.out.name}, which --out names")
        if self.out is None and not _is_name(name):
            got = printable(name)[:100]
            raise InputError(f"got the name {got!r}, expected a file name such as {self.suggestion}, without a folder")
        path = self.folder / name
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise InputError(f"{path}: is no plain file; take another name")
        if path.exists():
            _check_free(path, overwrite, seen.get(name))
        mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else None
        content = self.encode(text)
        with replacing(path) as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            file.write(content)
        seen[name] = content
        return path


def _is_name(name: str) -> bool:
    """Whether this is the plain name of a YAML file that is not hidden."""
    is_plain = name.isprintable() and not set(name) & set("/\\") and not name.startswith((".", " "))
    return is_plain and name.endswith(SUFFIXES) and name not in SUFFIXES and len(name.encode()) <= LONGEST


def _check_free(path: Path, overwrite: bool, seen: bytes | None) -> None:
    """Refuse to overwrite a file unasked, one that may not be written, or one that has changed meanwhile."""
    if not overwrite:
        raise InputError(f"{path}: is there already; take another name, or tick overwrite")
    if not path.stat().st_mode & 0o222 or not os.access(path, os.W_OK):
        raise InputError(f"{path}: may not be written (its mode is {stat.filemode(path.stat().st_mode)})")
    if seen is not None and path.read_bytes() != seen:
        raise InputError(
            f"{path}: has been changed by somebody else since it was opened or saved here, so it stays; "
            "take another name, or start tune again"
        )
