"""All fuzz tests in their long form, file by file, and how many inputs Hypothesis made up."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from torture.outcome import Record
from torture.processes import LONGEST, ROOT, started
from torture.work import Work

MOST = 4 * LONGEST  # seconds for one file
COUNTED = re.compile(r"(\d+) passing(?: examples)?, (\d+) failing(?: examples)?, (?:and )?(\d+) invalid")
DRIVEN = re.compile(r"^from rewards\.made_up_texts import .*\bfuzz\b", re.MULTILINE)  # by FUZZ_EXAMPLES


def files() -> list[Path]:
    """The test files whose number of inputs FUZZ_EXAMPLES sets."""
    found = sorted((ROOT / "tests").rglob("test_*.py"))
    return [path for path in found if DRIVEN.search(path.read_text(encoding="utf-8"))]


def next_file(work: Work, records: Sequence[Record]) -> Record | None:
    left = files()[len(records) :]
    if not left:
        return None
    name = str(left[0].relative_to(ROOT))
    log = work.folder / "fuzz.log"
    log.unlink(missing_ok=True)
    words = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "torture.counting", "--hypothesis-show-statistics", name]
    tests = os.pathsep.join([str(ROOT / "tests"), str(ROOT)])
    with started(words, ROOT, log, {"FUZZ_EXAMPLES": str(work.examples), "PYTHONPATH": tests}) as process:
        try:
            code = process.wait(MOST)
        except subprocess.TimeoutExpired:
            code = -signal.SIGALRM
    said = log.read_text(errors="replace")
    again = f"FUZZ_EXAMPLES={work.examples} pytest {name}: {said.strip()[-1200:]}"
    hung = code == -signal.SIGALRM
    failures = () if code == 0 else (f"{f'hangs after {MOST:,.0f} s' if hung else f'exit code {code}'}; {again}",)
    figures = counted(said)
    if not figures["inputs"]:
        failures += ("no inputs were counted",)
    return Record(name, figures=figures, failures=failures)


def counted(said: str) -> dict[str, float]:
    """Inputs that were tried, by the statistics of Hypothesis; those that a test refuses as no case are left out."""
    found = [tuple(map(int, match)) for match in COUNTED.findall(said)]
    return {"inputs": sum(passing + failing for passing, failing, _ in found)}
