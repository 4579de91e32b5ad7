"""Where the work of a command is done: the options for it, the same for all commands."""

import argparse
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from curriculum_verl.commands.arguments import count

if TYPE_CHECKING:
    from curriculum_verl.parallel import Runner


def add_where(parser: argparse.ArgumentParser) -> None:
    """Add --workers and --ray."""
    group = parser.add_argument_group("where the work is done")
    either = group.add_mutually_exclusive_group()
    either.add_argument("--workers", type=count, default=1, metavar="N", help="processes on this machine (%(default)s)")
    either.add_argument(
        "--ray",
        nargs="?",
        const="",
        metavar="ADDRESS",
        help="a Ray cluster: at ADDRESS, else the one at hand, else a new one on this machine; input and output must "
        "be on storage that all its machines share",
    )


def runner_of(args: argparse.Namespace) -> "AbstractContextManager[Runner]":
    """What runs the tasks, from the parsed options."""
    from curriculum_verl.parallel import runner

    return runner(args.workers, args.ray)


def add_workers(group: "argparse._ArgumentGroup") -> None:
    """The same for what a model does, where a worker on Ray has a GPU of its own."""
    group.add_argument(
        "--workers", type=count, metavar="N", help="processes on this machine, or on Ray (1, or its GPUs)"
    )
    group.add_argument(
        "--ray",
        nargs="?",
        const="",
        metavar="ADDRESS",
        help="a Ray cluster: at ADDRESS, else the one at hand, else a new one on this machine; a worker has a GPU of "
        "its own; model, data and output must be on storage that all its machines share",
    )
