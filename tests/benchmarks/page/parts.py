"""The benchmarks that the page shows, from parts.yaml."""

import shlex
from dataclasses import dataclass
from pathlib import Path

import yaml


@dataclass(frozen=True, slots=True)
class Part:
    """One benchmark and its section; the words say what is compared, never a figure."""

    name: str
    title: str
    script: str
    words: str
    options: tuple[str, ...] = ()

    @property
    def arguments(self) -> tuple[str, ...]:
        """What Python is given."""
        return f"tests/benchmarks/{self.script}.py", *self.options

    @property
    def on_gpu(self) -> bool:
        """Whether a machine without a GPU cannot run it."""
        return "cuda" in self.options

    @property
    def command(self) -> str:
        return shlex.join(["python", *self.arguments])


def read_parts() -> tuple[Part, ...]:
    told = yaml.safe_load(Path(__file__).with_name("parts.yaml").read_text(encoding="utf-8"))
    return tuple(_part(name, **block) for name, block in told.items())


def _part(name: str, title: str, script: str, words: str, options: tuple[str, ...] = ()) -> Part:
    return Part(name, title, script, words.strip(), tuple(options))
