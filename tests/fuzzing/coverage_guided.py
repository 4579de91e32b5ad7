"""A fuzzer that is guided by what its inputs reach, on the readers of files and texts that targets.py names.

    pip install '.[fuzz]'      # Atheris, which `make fuzz` runs it with
    python tests/fuzzing/coverage_guided.py --target "state file" --seconds 60

It begins with the good input of the target and keeps what reached new lines in a folder, for the next run.
A crash is printed with its input, and the exit code is not 0. Other options are those of libFuzzer, behind `--`.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("rollouts", "trajectories", "curriculum", "runs", "manifest", "rewards", "bucketing", "generation", "sft")
MODULES = [f"curriculum_verl.{part}" for part in PARTS]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", required=True, metavar="NAME", help="as targets.py names it")
    parser.add_argument("--seconds", type=int, default=60, metavar="N", help="(%(default)s)")
    corpora = ROOT / "build" / "fuzzing"
    parser.add_argument("--corpus", type=Path, metavar="FOLDER", help=f"({corpora.relative_to(ROOT)}/TARGET)")
    parser.add_argument("more", nargs="*", metavar="OPTION", help="of libFuzzer, such as -runs=1000")
    args = parser.parse_args(argv)
    try:
        import atheris
    except ImportError:
        print("Atheris is not there: pip install '.[fuzz]'", file=sys.stderr)
        return 2
    with atheris.instrument_imports(include=MODULES, enable_loader_override=False):
        from fuzzing.targets import TARGETS
    if args.target not in TARGETS:
        parser.error(f"--target: got {args.target!r}, expected one of {', '.join(TARGETS)}")
    target = TARGETS[args.target]
    corpus = args.corpus or corpora / args.target.replace(" ", "_")
    corpus.mkdir(parents=True, exist_ok=True)
    (corpus / "good").write_bytes(target.good)
    place = corpus.with_name(".place")
    place.mkdir(exist_ok=True)
    options = [f"-max_total_time={args.seconds}", f"-artifact_prefix={corpus.parent}/", *args.more]
    atheris.Setup([sys.argv[0], *options, str(corpus)], lambda content: target.read(content, place))
    atheris.Fuzz()  # which ends the process
    return 0


if __name__ == "__main__":
    sys.path[:1] = [str(ROOT / "tests"), str(ROOT)]
    sys.exit(main())
