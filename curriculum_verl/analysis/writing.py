"""The files of an analysis: JSON with everything, tables, pictures, a report; all together, or not there."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from curriculum_verl import __version__
from curriculum_verl.analysis.analysis import Analysis
from curriculum_verl.analysis.comparing import Change
from curriculum_verl.analysis.examples import Contrast, Place
from curriculum_verl.analysis.gathering import Gathered
from curriculum_verl.analysis.page import page
from curriculum_verl.analysis.pictures import Picture, pictures_of
from curriculum_verl.analysis.selection import Selection
from curriculum_verl.analysis.tables import COLUMNS, frames
from curriculum_verl.outputs import publish, refuse_used

NAME, REPORT = "analysis.json", "report.html"
VERSION = 1
KIND = "analysis"
LONGEST = 20_000  # characters of a response in the JSON
SAMPLED = ("evaluation.json", "evaluation.csv", "evaluation.png", "evaluation.samples")  # of --generate


def refuse(out: Path, overwrite: bool) -> None:
    """An error if the folder holds an analysis, or files that no analysis made; what was sampled for one may stay."""
    if out.is_dir() and not (out / NAME).exists():
        names = {entry.name for entry in out.iterdir()}
        if names and all(name in SAMPLED or name.startswith(".") for name in names):
            return
    refuse_used(out, overwrite)


def write(analysis: Analysis, out: Path, made: Path, argv: Sequence[str], seed: int) -> list[str]:
    """Write all files in a folder of one's own, then put them in place, the JSON last; returns their names."""
    made.mkdir()
    pictures = pictures_of(analysis)
    command = shlex.join(["curriculum-verl", "analyze", *argv])
    for name, frame in frames(analysis).items():
        frame.to_csv(made / f"{name}.csv", index=False)
    for one in pictures:
        (made / f"{one.name}.png").write_bytes(one.png)
    (made / REPORT).write_text(page(analysis, pictures, command), encoding="utf-8")
    found = _document(analysis, pictures, argv, seed)
    (made / NAME).write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
    names = [REPORT, NAME, *sorted({entry.name for entry in made.iterdir()} - {REPORT, NAME})]
    publish(made, out, NAME, _outdated(out))
    return names


def _outdated(out: Path) -> list[str]:
    """The files of an earlier analysis, as its document names them."""
    try:
        found = msgspec.json.decode((out / NAME).read_bytes())["files"]
    except (OSError, msgspec.DecodeError, KeyError, TypeError):
        return []
    return [name for name in found if isinstance(name, str) and Path(name).name == name]


def _document(analysis: Analysis, pictures: Sequence[Picture], argv: Sequence[str], seed: int) -> dict[str, Any]:
    return {
        "version": VERSION,
        "kind": KIND,
        "package": __version__,
        "command": list(argv),
        "seed": seed,
        "pass_threshold": analysis.reading.judging.pass_threshold,
        "length": analysis.length,
        "selection": _selection(analysis.reading.selection),
        "runs": [_run(run) for run in analysis.runs],
        "measures": {measure.name: measure.words for measure in analysis.measures},
        "figures": msgspec.to_builtins(analysis.figures),
        "shared": msgspec.to_builtins(analysis.shared),
        "changes": [_change(one) for one in analysis.changes],
        "loops": analysis.loops_in_words(),
        "contrasts": [_contrast(analysis, one) for one in analysis.contrasts],
        "side_by_side": [
            {"why": one.why, "responses": {name: _text(analysis, place) for name, place in one.places.items()}}
            for one in analysis.side_by_side
        ],
        "warnings": analysis.warnings,
        "files": [REPORT, *(f"{one.name}.png" for one in pictures), *(f"{name}.csv" for name in COLUMNS)],
    }


def _selection(selection: Selection) -> dict[str, Any]:
    names = {name: _listed(getattr(selection, name)) for name in ("stages", "buckets", "prompts")}
    return {"steps": selection.steps, **names}


def _run(run: Gathered) -> dict[str, Any]:
    return {
        "name": run.run.name,
        "files": [str(file) for file in run.run.files],
        "stages": run.stages,
        "buckets": run.buckets,
        "lines": run.lines,
        "responses": run.responses,
        "skipped": {reason: {"lines": n, "first": first} for reason, (n, first) in run.skipped.items()},
        "left_out": dict(run.left_out),
    }


def _contrast(analysis: Analysis, one: Contrast) -> dict[str, Any]:
    return {
        "stuck": one.stuck,
        "contrast": one.score,
        "looping": {"in": one.looping, "loop_score": one.loop_score, **_text(analysis, one.looping_at)},
        "exploring": {"in": one.exploring, "exploration": one.exploration, **_text(analysis, one.exploring_at)},
    }


def _change(one: Change) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(one)
    return plain | {"direction": one.direction, "verdict": one.verdict}


def _listed(names: frozenset[str] | None) -> list[str] | None:
    return None if names is None else sorted(names)


def _text(analysis: Analysis, place: Place) -> dict[str, Any]:
    text: dict[str, Any] = msgspec.to_builtins(analysis.texts[place])
    for name in ("prompt", "response"):
        if len(text[name]) > LONGEST:
            text[name] = text[name][:LONGEST]
            text[f"{name}_cut"] = True
    return text
