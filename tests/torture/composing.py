"""docs/reliability.md from what is kept; what did not run here stays as the page has it, unless a hand changed it."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from torture.cases import Case
from torture.outcome import Outcome
from torture.processes import ROOT

from curriculum_verl.words import counted

INTRODUCTION = """# Reliability

`make torture` runs what is below and writes this page; no figure stands here that it did not write. It is bounded in
time and count, takes a seed, and goes on where it was interrupted: `make torture ARGS="--kills 20 --minutes 30"`. What
went wrong stands here as plainly as what went well, and makes the exit code 1."""
MARK = re.compile(r"^## [^\n]+\n(?:(?!^## ).)*?^<!-- (\S+) (\w{16}) -->$", re.MULTILINE | re.DOTALL)
GROWING = ("early ", "late ")
SHOWN = 2  # failures of a part
LONGEST = 240  # characters of a failure


def compose(cases: Sequence[Case], kept: Mapping[str, Outcome], before: str = "") -> str:
    """The whole page; `before` is the page that is there."""
    old = sections(before)
    made = [
        section(case, kept[case.name]) if case.name in kept else old.get(case.name, missing(case)) for case in cases
    ]
    overview = ["| case | outcome |", "| --- | --- |"]
    overview += [
        f"| [{case.title}](#{_anchor(case.title)}) | {_state(text)} |" for case, text in zip(cases, made, strict=True)
    ]
    return "\n\n".join([INTRODUCTION, "\n".join(overview), *made]) + "\n"


def sections(page: str) -> dict[str, str]:
    """The sections that are as they were written."""
    found = {match[1]: (match[0], match[2]) for match in MARK.finditer(page)}
    return {name: text for name, (text, mark) in found.items() if _mark(text) == mark}


def section(case: Case, outcome: Outcome) -> str:
    lines = [f"## {case.title}", "", case.words, "", *_outcome(outcome), ""]
    lines += [f"- {line}" for line in _facts(case, outcome)]
    lines += _table(outcome)
    if outcome.failures:
        lines += ["", "What went wrong (all of it is in the case's file):", "", *_wrong(outcome)]
    text = "\n".join(lines)
    return f"{text}\n\n<!-- {case.name} {_mark(text)} -->"


def missing(case: Case) -> str:
    again = f'`make torture ARGS="--only {case.name}"`'
    return f"## {case.title}\n\n{case.words}\n\n**Missing**: it has not run yet; {again} runs it."


def _wrong(outcome: Outcome) -> Iterator[str]:
    for record in outcome.records:
        yield from (f"- {_plain(f'{record.what}: {failure}')}" for failure in record.failures[:SHOWN])
        if len(record.failures) > SHOWN:
            yield f"- {_plain(record.what)}: and {len(record.failures) - SHOWN} more"
    if outcome.trouble is not None:
        yield f"- {_plain(outcome.trouble)}"


def _outcome(outcome: Outcome) -> list[str]:
    parts = counted(len(outcome.records), "part")
    if skipped := sum(record.skipped is not None for record in outcome.records):
        parts += f", {skipped} of them skipped"
    if outcome.failures:
        wrong = sum(bool(record.failures) for record in outcome.records) + (outcome.trouble is not None)
        return [f"**Failed**: {wrong} of {parts}."]
    if all(record.skipped for record in outcome.records):
        return [f"**Nothing tested**: {parts}."]
    return [f"**{'Passed' if outcome.finished else 'Not finished, nothing wrong so far'}**: {parts}."]


def _facts(case: Case, outcome: Outcome) -> Iterator[str]:
    kills = Counter(kill.partition(",")[0] for record in outcome.records for kill in record.kills)
    if kills:
        yield f"killed {counted(kills.total(), 'time')}: {', '.join(f'{who} {count}' for who, count in kills.items())}"
    skipped = Counter(f"{record.what}: {record.skipped}" for record in outcome.records if record.skipped)
    for what, count in skipped.items():
        yield f"skipped: {_plain(what)}, {counted(count, 'time')}"
    for record in outcome.records:
        single = {name: value for name, value in record.figures.items() if not name.startswith(GROWING)}
        if record.figures:
            said = ", ".join(f"{name} {_number(value)}" for name, value in single.items())
            yield f"{record.what}: {said}" if said else record.what
        elif not ("kills" in case.options or record.failures or record.skipped):  # kills are counted above
            yield f"{record.what}: as it should be"
    if inputs := sum(record.figures.get("inputs", 0) for record in outcome.records):
        yield f"inputs in all: {_number(inputs)}"
    yield f"by `{outcome.command}`, seed {outcome.seed}"
    yield f"on {outcome.machine}"
    yield f"with {outcome.versions}, code {outcome.code}"


def _table(outcome: Outcome) -> Iterator[str]:
    """What was measured early in a long run, and late in it."""
    early, late = GROWING
    figures = {name: value for record in outcome.records for name, value in record.figures.items()}
    names = [name.removeprefix(early) for name in figures if name.startswith(early)]
    if names:
        yield from ("", "|  | early | late |", "| --- | ---: | ---: |")
    for name in names:
        then, now = figures[early + name], figures.get(late + name)
        yield f"| {name} | {_number(then)} | {'-' if now is None else _number(now)} |"


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.3g}" if abs(value) < 100 else f"{value:,.0f}"


def _plain(text: str) -> str:
    """One line that no markup is made of."""
    plain = " ".join(text.replace("`", "'").replace(f"{ROOT}/", "").split())
    return f"`{plain}`" if len(plain) <= LONGEST else f"`{plain[:LONGEST]} ...`"


def _state(text: str) -> str:
    found = re.search(r"^\*\*(.+?)\*\*", text, re.MULTILINE)
    return found[1].lower() if found else "missing"


def _anchor(title: str) -> str:
    return re.sub(r"[^\w\s-]", "", title.lower()).replace(" ", "-")


def _mark(text: str) -> str:
    body = re.sub(r"\n\n<!-- \S+ \w{16} -->$", "", text)
    return hashlib.sha256(body.encode()).hexdigest()[:16]
