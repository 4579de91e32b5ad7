"""Where an edited recipe may be written: a new file beside the one that was opened, or the one of --out."""

import re
from dataclasses import dataclass
from pathlib import Path

from curriculum_verl.atomic import replacing
from curriculum_verl.errors import InputError
from curriculum_verl.words import printable

_NAME = re.compile(r"[\w][\w.+ -]{0,100}\.ya?ml")


@dataclass(frozen=True, slots=True)
class Saving:
    """The recipe that was opened, and the file of --out, which may lie elsewhere; the page itself names no folder."""

    recipe: Path
    out: Path | None = None

    @property
    def suggestion(self) -> str:
        """The name in the field."""
        return (self.out or self.recipe.with_suffix(".tuned.yaml")).name

    @property
    def folder(self) -> Path:
        """The only folder that is written to."""
        return (self.out or self.recipe).absolute().parent

    def save(self, name: str, text: str, *, overwrite: bool) -> Path:
        """Write the text under a name in that folder; what stands there stays, unless it may be overwritten."""
        if self.out is not None and name != self.out.name:
            raise InputError(f"got the name {printable(name)[:100]!r}, expected {self.out.name}, which --out names")
        if self.out is None and not _NAME.fullmatch(name):
            got = printable(name)[:100]
            raise InputError(f"got the name {got!r}, expected a file name such as {self.suggestion}, without a folder")
        path = self.folder / name
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise InputError(f"{path}: is no plain file; take another name")
        if path.exists() and not overwrite:
            raise InputError(f"{path}: is there already; take another name, or tick overwrite")
        with replacing(path) as file:
            file.write(text.encode())
        return path
