"""All benchmarks one after the other, and docs/benchmarks.md written from what they print.

What each prints is kept, so an interrupted run goes on with the next part that is not done; a part that fails is run
again. Parts that have not run in this folder stay in the page as they are, or are said to be missing; those for a GPU
run only where there is one. The exit code is 1 if a part failed; figures never decide it.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from claiming import claimed
from machine import MACHINE, header
from page.composing import compose, read
from page.kept import Kept, keep, kept_in
from page.parts import Part, read_parts

from curriculum_verl.atomic import replacing

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 30.0  # seconds
EXAMPLES = """examples:
  python tests/benchmarks/bench_all.py                          what is not done yet (make bench)
  python tests/benchmarks/bench_all.py --only engine monitor    these two anew
  python tests/benchmarks/bench_all.py --again                  everything anew
  python tests/benchmarks/bench_all.py --write                  run nothing, write the page
"""


def build_parser(parts: Sequence[Part]) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [part.name for part in parts]
    what = made.add_mutually_exclusive_group()
    what.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=f"run these anew: {', '.join(names)}")
    what.add_argument("--again", action="store_true", help="run all anew")
    what.add_argument("--write", action="store_true", help="run nothing, write the page from what is kept")
    made.add_argument("--folder", type=Path, default=ROOT / "build" / "benchmarks", help="where outputs are kept")
    made.add_argument("--page", type=Path, default=ROOT / "docs" / "benchmarks.md", help="what is written")
    return made


def main(argv: Sequence[str] | None = None, parts: Sequence[Part] | None = None) -> int:
    parts = read_parts() if parts is None else parts
    arguments = build_parser(parts).parse_args(argv)
    with claimed(arguments.folder) as ours:
        if ours:
            return go_through(parts, arguments)
    print(f"{arguments.folder}: others measure there, and two at once would disturb each other; wait", file=sys.stderr)
    return 1


def go_through(parts: Sequence[Part], arguments: argparse.Namespace) -> int:
    """What is wanted, one after the other, and the page after each."""
    names = [part.name for part in parts]
    folder: Path = arguments.folder
    if arguments.again:
        for name in names:
            (folder / f"{name}.json").unlink(missing_ok=True)
    done = {name for name, kept in kept_in(folder, names).items() if not kept.code}
    wanted = [] if arguments.write else arguments.only or [name for name in names if name not in done]
    left_out = [part.name for part in parts if part.name in wanted and part.on_gpu and not arguments.only]
    if left_out and has_gpu():
        left_out = []
    chosen = set(wanted) - set(left_out)
    for number, part in enumerate(parts, 1):
        if part.name in chosen:
            print(f"\n[{number}/{len(parts)}] {part.name}: {part.command}\n", flush=True)
            keep(folder, part.name, run(part))
            write(parts, folder, arguments.page)
    shown = write(parts, folder, arguments.page)
    failed = [name for name, kept in kept_in(folder, names).items() if kept.code]
    missing = [name for name in names if name not in shown]
    print(f"\nwritten: {arguments.page}; {len(chosen)} of {len(parts)} parts ran now", end="")
    told = ("failed", failed), ("missing", missing), ("left out for want of a GPU", left_out)
    print("".join(f"; {what}: {', '.join(of)}" for what, of in told if of))
    return 1 if failed else 0


def has_gpu() -> bool:
    """Whether torch finds one."""
    import torch

    return torch.cuda.is_available()


def run(part: Part) -> Kept:
    """One part; what it prints is shown as it comes, errors and progress go by."""
    lines = []
    with subprocess.Popen([sys.executable, *part.arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            for line in process.stdout or ():
                print(line, end="", flush=True)
                lines.append(line)
        except KeyboardInterrupt:  # which the part has got, too: it may have something to put away
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.terminate()
            raise
    output = "".join(lines).strip()
    if MACHINE not in output:
        output = f"{header()}\n\n{output}"
    return Kept(part.command, output, process.returncode)


def write(parts: Sequence[Part], folder: Path, page: Path) -> dict[str, Kept]:
    """The page; what was not run in this folder, or failed there, is taken over from the page that is there."""
    before = read(page.read_text(encoding="utf-8")) if page.is_file() else {}
    found = kept_in(folder, [part.name for part in parts])
    shown = before | {name: kept for name, kept in found.items() if not kept.code or name not in before}
    with replacing(page) as file:
        file.write(compose(parts, shown).encode())
    return shown


if __name__ == "__main__":
    sys.exit(main())
