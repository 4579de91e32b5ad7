"""Rollouts to ordered buckets; the same as `curriculum-verl bucket`, from a checkout or an installed package."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # a checkout need not be installed
    from curriculum_verl.commands import bucket
    from curriculum_verl.commands.running import run

    NAME = Path(__file__).name
    sys.exit(run(NAME, lambda argv: bucket.main(argv, NAME)))
