"""Torture: kills, faults, long runs and made-up inputs, each compared with what should have been.

Every case keeps what it did in build/torture/CASE.json after each of its parts; an interrupted run goes on with the
next part, a case that failed or is named by --only begins anew when it was through. docs/reliability.md is written of
what is kept. The exit code is 1 if anything went wrong.
"""

import argparse
import fcntl
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from torture.cases import CASES, Case
from torture.composing import compose
from torture.outcome import Outcome, TroubleError, begun, keep, kept
from torture.work import Work

from curriculum_verl.atomic import replacing
from curriculum_verl.commands.arguments import count, whole
from curriculum_verl.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = """examples:
  python tests/torture                                   what is not done yet (make torture)
  python tests/torture --kills 6 --only tools            six kills of the data tools
  python tests/torture --only fuzz --examples 1000       a short form of make fuzz
  python tests/torture --write                           run nothing, write the page
"""


def build_parser(cases: Sequence[Case]) -> argparse.ArgumentParser:
    names = [case.name for case in cases]
    made = argparse.ArgumentParser(
        prog="python tests/torture",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    default = Work(Path())
    made.add_argument(
        "--kills", type=count, default=default.kills, metavar="N", help="of data tools, and of training (%(default)s)"
    )
    made.add_argument("--seed", type=whole, default=0, help="of everything that is random (%(default)s)")
    made.add_argument("--minutes", type=count, default=180, metavar="N", help="begin no part after them (%(default)s)")
    what = made.add_mutually_exclusive_group()
    what.add_argument("--only", nargs="+", choices=names, metavar="CASE", help=f"these: {', '.join(names)}")
    what.add_argument("--write", action="store_true", help="run nothing, write the page from what is kept")
    for name, words in (
        ("steps", "steps of the engine"),
        ("prompts", "its prompts"),
        ("real-steps", "steps of verl"),
        ("examples", "inputs of every fuzz test"),
    ):
        value = getattr(default, name.replace("-", "_"))
        made.add_argument(f"--{name}", type=count, default=value, metavar="N", help=f"{words} (%(default)s)")
    made.add_argument("--folder", type=Path, default=ROOT / "build" / "torture", help="where outcomes are kept")
    made.add_argument("--page", type=Path, default=ROOT / "docs" / "reliability.md", help="what is written")
    return made


def main(argv: Sequence[str] | None = None, cases: Sequence[Case] = CASES) -> int:
    args = build_parser(cases).parse_args(argv)
    folder = args.folder.resolve()
    names = ("seed", "kills", "steps", "prompts", "real_steps", "examples")
    work = Work(folder / "work", **{name: getattr(args, name) for name in names})
    work.folder.mkdir(parents=True, exist_ok=True)
    words = " ".join(["python tests/torture", *(sys.argv[1:] if argv is None else argv)])
    until = time.monotonic() + 60 * args.minutes
    with alone_in(folder):
        if not args.write:
            go_through(cases, args, work, words, until)
        return report(cases, folder, args.page)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Two at once would work in the same places."""
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{folder}: another torture runs there; wait for it, or choose another --folder") from None
        yield


def go_through(cases: Sequence[Case], args: argparse.Namespace, work: Work, words: str, until: float) -> None:
    """The cases that are wanted and not done."""
    folder = args.folder.resolve()
    for case in cases:
        if args.only and case.name not in args.only:
            continue
        outcome = kept(folder, case.name)
        if outcome is not None and outcome.finished and not outcome.failures and not args.only:
            continue
        if outcome is None or outcome.finished or outcome.trouble or outcome.seed != args.seed:
            outcome = begun(case.name, args.seed, words)
        go_on(case, work, outcome, folder, until)
        write(cases, folder, args.page)


def go_on(case: Case, work: Work, outcome: Outcome, folder: Path, until: float) -> None:
    """Do the parts that are left, as far as the time goes."""
    print(f"\n{case.name}: {case.title}", flush=True)
    while time.monotonic() < until:
        try:
            record = case.next(work, outcome.records)
        except TroubleError as error:
            keep(folder, outcome.in_trouble(str(error)))
            print(f"  FAILED: {error}", flush=True)
            return
        if record is None:
            keep(folder, outcome.through())
            return
        outcome = outcome.with_record(record)
        keep(folder, outcome)
        state = "; ".join(f"FAILED: {failure}" for failure in record.failures) or record.skipped or "as it should be"
        print(f"  {len(outcome.records)}. {record.what}: {state}", flush=True)
    print("  the time is up; the next call goes on from here", flush=True)


def write(cases: Sequence[Case], folder: Path, page: Path) -> dict[str, Outcome]:
    found = {case.name: outcome for case in cases if (outcome := kept(folder, case.name)) is not None}
    before = page.read_text(encoding="utf-8") if page.is_file() else ""
    with replacing(page) as file:
        file.write(compose(cases, found, before).encode())
    return found


def report(cases: Sequence[Case], folder: Path, page: Path) -> int:
    found = write(cases, folder, page)
    failed = [name for name, outcome in found.items() if outcome.failures]
    states = {
        "failed": failed,
        "not finished": [name for name, outcome in found.items() if not outcome.finished and name not in failed],
        "never run here": [case.name for case in cases if case.name not in found],
    }
    print(f"\nwritten: {page}" + "".join(f"; {what}: {', '.join(of)}" for what, of in states.items() if of))
    return 1 if failed else 0
