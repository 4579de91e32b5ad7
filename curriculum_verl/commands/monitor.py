"""`curriculum-verl monitor`: watch runs while they train, or look at them afterwards."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from curriculum_verl.commands.arguments import path, port

if TYPE_CHECKING:
    from curriculum_verl.monitor.runs import Run

DESCRIPTION = """Show what training runs do on a page: reward, success, KL, stages with their transitions and what ends
them, buckets, responses. Works while they train and afterwards, for GRPO and fine-tuning, for one run or several side
by side. It only reads."""

EPILOG = """Without --host the page is for this machine alone. From another one: ssh -L 7860:localhost:7860 MACHINE.
On any other host it asks for a token, which is printed with the address; MONITOR_TOKEN in the environment sets it.

examples:
  curriculum-verl monitor outputs/run
  curriculum-verl monitor outputs/base outputs/curriculum --port 8000
  curriculum-verl monitor --metrics outputs/run/curriculum.jsonl --rollouts outputs/rollouts
  curriculum-verl monitor outputs/run --export report        # no page: CSV, JSON and one HTML file
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="curriculum-verl monitor",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", type=path, nargs="*", metavar="RUN_DIR", help="folder of a run, with curriculum.jsonl")
    parser.add_argument(
        "--metrics", type=path, nargs="+", default=[], metavar="FILE", help="metrics files by themselves"
    )
    parser.add_argument("--rollouts", type=path, metavar="DIR", help="rollout log, if it is not where the file says")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=port, default=7860, help="port to listen on, 0: any (%(default)s)")
    parser.add_argument("--export", type=path, metavar="DIR", help="write the report and the tables there, and end")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Serve the page, or write the files."""
    args = build_parser().parse_args(argv)
    from curriculum_verl.monitor.runs import open_runs
    from curriculum_verl.web.extra import require_pages

    runs = open_runs(args.runs, args.metrics, args.rollouts)
    require_pages("curriculum-verl monitor")
    if args.export is not None:
        return _export(runs, args.export)
    from curriculum_verl.monitor.page import monitor_page
    from curriculum_verl.monitor.watch import Watch
    from curriculum_verl.web.serving import serve

    for run in runs:
        print(f"{run.name}: {run.followed.path}{'' if run.is_there() else ' (not there yet)'}", flush=True)
    serve(monitor_page(Watch(runs)), args.host, args.port)
    return 0


def _export(runs: "list[Run]", folder: Path) -> int:
    from curriculum_verl.errors import InputError
    from curriculum_verl.monitor.watch import Watch, export

    missing = [str(run.followed.path) for run in runs if not run.is_there()]
    if missing:
        raise InputError(f"{', '.join(missing)}: there is no such file, so there is nothing to export")
    for file in export(Watch(runs), folder):
        print(file)
    return 0
