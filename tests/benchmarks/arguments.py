"""What the command lines of all benchmarks have in common; imports nothing that is slow."""

import argparse
from collections.abc import Callable
from pathlib import Path


def parser(described: str | None, examples: str) -> argparse.ArgumentParser:
    """A parser with examples below its options, and --json."""
    made = argparse.ArgumentParser(
        description=described, epilog=examples, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--json", type=Path, metavar="PATH", help="also write all figures to this file")
    return made


def whole(least: int) -> Callable[[str], int]:
    """A type for whole numbers, which may be written 1e6 or 100,000."""

    def read(text: str) -> int:
        try:
            number = float(text.replace(",", ""))
        except ValueError:
            number = float("nan")
        if not number.is_integer() or number < least:
            raise argparse.ArgumentTypeError(
                f"got {text!r}, expected a whole number of at least {least}, such as 10000 or 1e6"
            )
        return int(number)

    return read
