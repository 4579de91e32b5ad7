"""All fuzz tests in their long form, file by file, then each reader under a fuzzer guided by coverage; inputs counted.

The second needs Atheris (the extra `fuzz`); without it these parts are skipped.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from fuzzing.targets import TARGETS
from torture.outcome import Record
from torture.processes import LONGEST, ROOT, started
from torture.work import Work

MOST = 4 * LONGEST  # seconds for one file
COUNTED = re.compile(r"(\d+) passing(?: examples)?, (\d+) failing(?: examples)?, (?:and )?(\d+) invalid")
GUIDED = re.compile(r"^stat::number_of_executed_units: (\d+)$", re.MULTILINE)
LEAST = 1_000_000  # inputs of the long form, which all parts but the guided ones must have together
PER_SECOND = 1000  # examples asked for, a second of the guided fuzzer
DRIVEN = re.compile(r"^from rewards\.made_up_texts import .*\bfuzz\b", re.MULTILINE)  # by FUZZ_EXAMPLES


def files() -> list[Path]:
    """The test files whose number of inputs FUZZ_EXAMPLES sets."""
    found = sorted((ROOT / "tests").rglob("test_*.py"))
    return [path for path in found if DRIVEN.search(path.read_text(encoding="utf-8"))]


def next_file(work: Work, records: Sequence[Record]) -> Record | None:
    done, tests, targets = len(records), files(), list(TARGETS)
    if done < len(tests):
        record = made_up(work, tests[done])
        sum_of = sum(each.figures["inputs"] for each in [*records, record])
        if done == len(tests) - 1 and work.examples >= Work(Path()).examples and sum_of < LEAST:
            few = f"{sum_of:,.0f} inputs in all, expected {LEAST:,} in the long form"
            record = replace(record, failures=(*record.failures, few))
        return record
    done -= len(tests)
    return guided(work, targets[done]) if done < len(targets) else None


def made_up(work: Work, path: Path) -> Record:
    """A test file, with inputs that Hypothesis makes up."""
    name = str(path.relative_to(ROOT))
    words = ["-m", "pytest", "-q", "-x", "-p", "torture.counting", "--hypothesis-show-statistics"]
    words += [f"--hypothesis-seed={work.seed}", name]
    code, said = _run(work, words, {"FUZZ_EXAMPLES": str(work.examples)})
    figures = counted(said)
    failures = _failures(code, f"FUZZ_EXAMPLES={work.examples} pytest {name}: {said}")
    if not figures["inputs"]:
        failures += ("no inputs were counted",)
    return Record(name, figures=figures, failures=failures)


def guided(work: Work, target: str) -> Record:
    """A reader, with inputs that follow what they reach in its code."""
    what = f"{target}, guided by coverage"
    if find_spec("atheris") is None:
        return Record(what, skipped="Atheris is not installed")
    seconds = max(1, work.examples // PER_SECOND)
    script = str(ROOT / "tests" / "fuzzing" / "coverage_guided.py")
    words = [script, "--target", target, "--seconds", str(seconds)]
    words += ["--corpus", str(work.fresh("corpus")), "--", f"-seed={work.seed + 1}", "-print_final_stats=1"]
    code, said = _run(work, words, {})
    found = GUIDED.search(said)
    failures = _failures(code, said)
    if found is None:
        failures += ("no inputs were counted",)
    return Record(what, figures={"inputs": int(found[1]) if found else 0}, failures=failures)


def _run(work: Work, words: Sequence[str], env: dict[str, str]) -> tuple[int, str]:
    log = work.folder / "fuzz.log"
    log.unlink(missing_ok=True)
    tests = os.pathsep.join([str(ROOT / "tests"), str(ROOT)])
    with started([sys.executable, *words], ROOT, log, {"PYTHONPATH": tests, **env}) as process:
        try:
            code = process.wait(MOST)
        except subprocess.TimeoutExpired:
            code = -signal.SIGALRM
    return code, log.read_text(errors="replace")


def _failures(code: int, said: str) -> tuple[str, ...]:
    if code == 0:
        return ()
    how = f"hangs after {MOST:,.0f} s" if code == -signal.SIGALRM else f"exit code {code}"
    return (f"{how}; {said.strip()[-1200:]}",)


def counted(said: str) -> dict[str, float]:
    """Inputs that were tried, by the statistics of Hypothesis; those that a test refuses as no case are left out."""
    found = [tuple(map(int, match)) for match in COUNTED.findall(said)]
    return {"inputs": sum(passing + failing for passing, failing, _ in found)}
