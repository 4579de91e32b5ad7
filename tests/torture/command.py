"""Torture: kills, faults, long runs and made-up inputs, each compared with what should have been.

Every case keeps what it did in build/torture/CASE.json after each of its parts; an interrupted run goes on with the
next part. A case begins anew when it failed, is asked for more or less than before, or is done and named by --only; one
that is not through, when the code is another. docs/reliability.md is written of what is kept. The exit code is 1 if
anything went wrong or there was no time for it.
"""

import argparse
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.claiming import claimed
from torture.cases import CASES, Case
from torture.composing import compose
from torture.engine_run import SETTLED
from torture.outcome import Outcome, TroubleError, begun, code_now, keep, kept
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
    made.add_argument("--minutes", type=count, default=240, metavar="N", help="begin no part after them (%(default)s)")
    what = made.add_mutually_exclusive_group()
    what.add_argument("--only", nargs="+", choices=names, metavar="CASE", help=f"these: {', '.join(names)}")
    what.add_argument("--write", action="store_true", help="run nothing, write the page from what is kept")
    for name, kind, words in (
        ("steps", _long_enough, "steps of the engine"),
        ("prompts", count, "its prompts"),
        ("real-steps", count, "steps of verl"),
        ("examples", count, "inputs of every fuzz test"),
    ):
        value = getattr(default, name.replace("-", "_"))
        made.add_argument(f"--{name}", type=kind, default=value, metavar="N", help=f"{words} (%(default)s)")
    made.add_argument("--folder", type=Path, default=ROOT / "build" / "torture", help="where outcomes are kept")
    made.add_argument("--page", type=Path, default=ROOT / "docs" / "reliability.md", help="what is written")
    return made


def _long_enough(text: str) -> int:
    least = 2 * SETTLED
    if (steps := count(text)) < least:
        raise argparse.ArgumentTypeError(
            f"got {steps:,}, expected at least {least:,}: before, its state is still growing"
        )
    return steps


def main(argv: Sequence[str] | None = None, cases: Sequence[Case] = CASES) -> int:
    args = build_parser(cases).parse_args(argv)
    hear()
    folder = args.folder.resolve()
    names = ("seed", "kills", "steps", "prompts", "real_steps", "examples")
    work = Work(folder / "work", **{name: getattr(args, name) for name in names})
    words = " ".join(["python tests/torture", *(sys.argv[1:] if argv is None else argv)])
    until = time.monotonic() + 60 * args.minutes
    with alone_in(folder):
        if not args.write:
            prepare(work.folder)
            go_through(cases, args, work, words, until)
        return report(cases, folder, args.page, [] if args.write else args.only or [case.name for case in cases])


def hear() -> None:
    """What was started ends with us, whatever ends us: but a terminal that goes, under nohup."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background, and by all started there
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.default_int_handler)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Two at once would work in the same places."""
    with claimed(folder) as ours:
        if not ours:
            raise InputError(f"{folder}: another torture runs there; wait for it, or choose another --folder")
        yield


def prepare(folder: Path) -> None:
    """Undisturbed runs are kept there, to compare with: not those of other code."""
    mark, now = folder / "code", code_now()
    if folder.exists() and (not mark.exists() or mark.read_text() != now):
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    mark.write_text(now)


def go_through(cases: Sequence[Case], args: argparse.Namespace, work: Work, words: str, until: float) -> None:
    """The cases that are wanted and not done."""
    folder, code = args.folder.resolve(), code_now()
    for case in cases:
        if args.only and case.name not in args.only:
            continue
        asked = {name: getattr(work, name) for name in case.options}
        outcome = kept(folder, case.name)
        if outcome is not None and (outcome.seed, outcome.asked) != (args.seed, asked):
            outcome = None
        if outcome is not None and outcome.finished and not outcome.failures and not args.only:
            other = "" if outcome.code == code else f", with other code than now; --only {case.name} runs it anew"
            print(f"\n{case.name}: passed before{other}", flush=True)
            continue
        if outcome is None or outcome.finished or outcome.trouble or outcome.code != code:
            outcome = begun(case.name, args.seed, words, asked, code)
        go_on(case, work, outcome, folder, until)
        write(cases, folder, args.page)


def go_on(case: Case, work: Work, outcome: Outcome, folder: Path, until: float) -> None:
    """Do the parts that are left, as far as the time goes."""
    print(f"\n{case.name}: {case.title}", flush=True)
    while time.monotonic() < until:
        try:
            record = case.next(work, outcome.records)
        except Exception as error:  # whatever it is, the page tells of it, and other cases go on
            why = str(error) if isinstance(error, TroubleError) else f"{type(error).__name__}: {error}"
            keep(folder, outcome.in_trouble(why))
            print(f"  FAILED: {why}", flush=True)
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


def report(cases: Sequence[Case], folder: Path, page: Path, wanted: Sequence[str]) -> int:
    found = write(cases, folder, page)
    failed = [name for name, outcome in found.items() if outcome.failures]
    left = [name for name in wanted if name not in found or not found[name].finished]
    states = {
        "failed": failed,
        "not finished": [name for name, outcome in found.items() if not outcome.finished and name not in failed],
        "never run here": [case.name for case in cases if case.name not in found],
    }
    print(f"\nwritten: {page}" + "".join(f"; {what}: {', '.join(of)}" for what, of in states.items() if of))
    return 1 if failed or left else 0
