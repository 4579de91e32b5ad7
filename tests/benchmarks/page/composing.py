"""docs/benchmarks.md from what is kept, and what is kept read back from the page: a hand edit does not pass."""

import re
from collections.abc import Iterator, Mapping, Sequence

from machine import MACHINE
from report import table

from .kept import Kept
from .parts import Part

INTRODUCTION = """# Benchmarks

`make bench` runs what is below and writes this page; no figure stands here that it did not write. Of the learning it
runs the quick form, and what needs a GPU where there is one: what it does not run stays as it wrote it before.
`make bench ARGS="--only NAME"` runs one part anew. Least and most stand in brackets behind a median, and what is
compared takes turns, where a part says nothing else. What loses is shown as what wins."""
MIXED = "**Not all was measured on the same machine**: figures of different parts do not compare."
COMMAND = r"^```text\n(python [^\n]+)\n```\n\n"
OUTPUT = r"((?:(?!^```text\npython ).)*?)\n\n"  # not past the command of the next part
SECTION = re.compile(COMMAND + OUTPUT + r"<!-- (\S+) (\w{16}) -->$", re.MULTILINE | re.DOTALL)
GOALS = re.compile(r"^(\d+ of \d+) met$", re.MULTILINE)


def compose(parts: Sequence[Part], kept: Mapping[str, Kept]) -> str:
    """The whole page."""
    sections = [section(part, kept.get(part.name)) for part in parts]
    return "\n\n".join([INTRODUCTION, _machines(parts, kept), _overview(parts, kept), *sections]) + "\n"


def read(page: str) -> dict[str, Kept]:
    """What a page was composed of; a section whose text is not what its mark says is left out."""
    found = {name: (Kept(command, output), mark) for command, output, name, mark in SECTION.findall(page)}
    return {name: kept for name, (kept, mark) in found.items() if kept.mark == mark}


def section(part: Part, kept: Kept | None) -> str:
    """Title, words, command and what that printed, with a mark below; or that it is missing, and why."""
    head = f"## {part.title}\n\n{part.words}\n\n```text\n{part.command if kept is None else kept.command}\n```"
    if kept is None:
        return f'{head}\n\n**Missing**: it has not run yet. `make bench ARGS="--only {part.name}"` runs it.'
    if kept.code:
        return f"{head}\n\n**Missing**: it failed with exit code {kept.code}."
    return f"{head}\n\n{kept.output}\n\n<!-- {part.name} {kept.mark} -->"


def machines_of(output: str) -> list[str]:
    """The machines that a benchmark's headers name."""
    lines = [line.removeprefix(MACHINE) for line in output.splitlines() if line.startswith(MACHINE)]
    return list(dict.fromkeys(lines)) or ["a machine that is not named"]


def _machines(parts: Sequence[Part], kept: Mapping[str, Kept]) -> str:
    used: dict[str, list[str]] = {}
    for part in parts:
        for machine in machines_of(kept[part.name].output) if part.name in kept and not kept[part.name].code else ():
            used.setdefault(machine, []).append(part.name)
    if not used:
        return "Nothing has been measured yet."
    if len(used) == 1:
        return f"All of it was measured on one machine: {next(iter(used))}."
    return "\n".join([MIXED, "", *(f"- {machine}: {', '.join(names)}" for machine, names in used.items())])


def _overview(parts: Sequence[Part], kept: Mapping[str, Kept]) -> str:
    lines = (list(_line(part, kept.get(part.name))) for part in parts)
    return table(["part", "name", "goals met, each contender by itself"], lines, words=(0, 1, 2))


def _line(part: Part, kept: Kept | None) -> Iterator[str]:
    anchor = re.sub(r"[^\w\s-]", "", part.title.lower()).replace(" ", "-")
    yield f"[{part.title}](#{anchor})"
    yield f"`{part.name}`"
    if kept is None or kept.code:
        yield "missing"
    else:
        yield ", ".join(GOALS.findall(kept.output)) or "none set"
