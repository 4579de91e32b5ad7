"""What is kept of a part that has run: in a file of its own, so that an interrupted run goes on."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from curriculum_verl.atomic import replacing


@dataclass(frozen=True, slots=True)
class Kept:
    """The command as it was run, its exit code, and what it printed."""

    command: str
    output: str
    code: int = 0

    @property
    def mark(self) -> str:
        """Another as soon as a character of the output is."""
        return sha256(f"{self.command}\n{self.output}".encode()).hexdigest()[:16]


def keep(folder: Path, name: str, kept: Kept) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / f"{name}.json") as file:
        file.write(json.dumps(asdict(kept), indent=1).encode())


def kept_in(folder: Path, names: Iterable[str]) -> dict[str, Kept]:
    """Those of the parts that have run."""
    paths = {name: folder / f"{name}.json" for name in names}
    return {name: Kept(**json.loads(path.read_text())) for name, path in paths.items() if path.is_file()}
