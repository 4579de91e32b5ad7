"""Runs a command unless its last run still stands: same options, inputs and package, and output as it was left."""

import argparse
import importlib
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from curriculum_verl import __version__
from curriculum_verl.atomic import replacing
from curriculum_verl.bucketing.manifest import NAME
from curriculum_verl.commands.arguments import path
from curriculum_verl.commands.running import run
from curriculum_verl.difficulty import METRICS
from curriculum_verl.manifest import file_hash
from curriculum_verl.preprocessing.benchmark import benchmark_files
from curriculum_verl.rollouts.files import rollout_files

COMMANDS = ("bucket", "preprocess")
NOT_IN_THE_RESULT = ("input", "output", "benchmark", "overwrite", "workers")  # of these, files are looked at themselves
SHOWN = 3  # names in a message

States = dict[str, str]  # file -> what tells whether it is still the same


class Stamp(msgspec.Struct, frozen=True):
    """A run that ended well. Files are known by size and times, so that a look costs the same for any size."""

    package: str
    options: dict[str, Any]
    inputs: States
    outputs: States = {}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command if that is needed; its exit code."""
    parser = argparse.ArgumentParser(prog="python -m curriculum_verl.commands.rerun", description=__doc__)
    parser.add_argument("--parse", action="store_true", help="only see whether the arguments can be understood")
    parser.add_argument("--force", action="store_true", help="run it in any case")
    parser.add_argument("stamp", type=path, help="the file that remembers the last run")
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="see curriculum-verl COMMAND --help")
    args = parser.parse_args(argv)
    command = importlib.import_module(f"curriculum_verl.commands.{args.command}")
    given = command.build_parser().parse_args(args.arguments)
    if args.parse:
        return 0

    def work(arguments: Sequence[str] | None) -> int:
        old, now = _read(args.stamp), _now(given)
        why = "--force" if args.force else "not done yet" if old is None else _difference(old, now, given.output)
        if why is None:
            print(f"== {given.output}: up to date")
            return 0
        print(f"== {given.output}: {args.command}, {why}", flush=True)
        before = _folder(given.output)
        code = int(command.main([*(arguments or ()), "--overwrite"]))
        if code == 0:
            _write(args.stamp, msgspec.structs.replace(now, outputs=_made(given.output, before)))
        return code

    return run(f"curriculum-verl {args.command}", work, args.arguments)


def _now(given: argparse.Namespace) -> Stamp:
    options = {name: value for name, value in vars(given).items() if name not in NOT_IN_THE_RESULT}
    as_json = msgspec.json.decode(msgspec.json.encode(options))
    return Stamp(__version__, as_json, dict(_inputs(given)))


def _inputs(given: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Everything outside the options that decides the output."""
    if isinstance(given.input, list):  # rollouts, and the modules of the user's own metrics
        files = [*rollout_files(given.input), *filter(None, map(_module, (given.metric, given.tie_break)))]
    else:
        # A bucket folder is what its manifest says; the same buckets, made again, need no new data.
        manifest = given.input / NAME
        yield str(manifest.resolve()), file_hash(manifest) if manifest.is_file() else "none"
        files = benchmark_files(given.benchmark or ())
    for file in files:
        yield str(file.resolve()), _state(file)


def _module(metric: str | None) -> Path | None:
    """The file of a metric that is named module:function."""
    if not metric or metric in METRICS or ":" not in metric:
        return None
    try:
        found = importlib.util.find_spec(metric.partition(":")[0])
    except (ImportError, ValueError):  # the command itself will say what is wrong
        return None
    return Path(found.origin) if found and found.origin and Path(found.origin).is_file() else None


def _state(path: Path) -> str:
    # The time of change cannot be set by hand: a file that keeps its size and time of writing is found out by it.
    found = path.stat()
    return f"{found.st_size} bytes {found.st_mtime_ns} {found.st_ctime_ns}"


def _folder(folder: Path) -> States:
    files = folder.iterdir() if folder.is_dir() else ()
    return {file.name: _state(file) for file in files if file.is_file()}


def _made(folder: Path, before: States) -> States:
    return {name: state for name, state in _folder(folder).items() if before.get(name) != state}


def _difference(old: Stamp, now: Stamp, output: Path) -> str | None:
    """What has changed since the last run, in words."""
    if old.package != now.package:
        return f"last made by version {old.package}, this is {now.package}"
    if options := _changed(old.options, now.options):
        return f"other options: {_shown(options)}"
    if inputs := _changed(old.inputs, now.inputs):
        return f"changed input: {_shown(inputs)}"
    if list(old.inputs) != list(now.inputs):
        return "the input in another order"
    found = _folder(output)
    if outputs := [name for name, state in old.outputs.items() if found.get(name) != state]:
        return f"not as the last run left it: {_shown(outputs)}"
    return None


def _changed(old: dict[str, Any], now: dict[str, Any]) -> list[str]:
    return [name for name in {**old, **now} if (name in old, old.get(name)) != (name in now, now.get(name))]


def _shown(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _read(stamp: Path) -> Stamp | None:
    try:
        return msgspec.json.decode(stamp.read_bytes(), type=Stamp)
    except (OSError, ValueError):  # no stamp, or none that this version can read
        return None


def _write(stamp: Path, content: Stamp) -> None:
    stamp.parent.mkdir(parents=True, exist_ok=True)
    with replacing(stamp) as file:
        file.write(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")


if __name__ == "__main__":
    sys.exit(main())
