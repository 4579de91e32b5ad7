"""Difficulty of trajectories; `curriculum-verl score-trajectories`, from a checkout or an installed package."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # a checkout need not be installed
    from curriculum_verl.commands import score_trajectories
    from curriculum_verl.commands.running import run

    NAME = Path(__file__).name
    sys.exit(run(NAME, lambda argv: score_trajectories.main(argv, NAME)))
