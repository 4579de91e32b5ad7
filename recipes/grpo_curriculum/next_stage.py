"""The checkpoint that a stage begins with: the last one of the stage before, its curriculum moved on by one stage."""

import argparse
import contextlib
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import preflight

from curriculum_verl.atomic import replacing
from curriculum_verl.commands.running import run
from curriculum_verl.curriculum import Curriculum
from curriculum_verl.runs.reporting import Reporter
from curriculum_verl.runs.stage_checkpoints import REWARDS, STATE, keep_checkpoint
from curriculum_verl.verl_plugin.folders import IN_FLIGHT, TRACKER
from curriculum_verl.verl_plugin.settings import engine_block, plugin_settings


def begin(previous: Path, folder: Path, recipe: Path, overrides: Sequence[str]) -> None:
    """Make the checkpoint, and mark it as the one to go on from when all of it is there."""
    with contextlib.redirect_stdout(sys.stderr):  # whatever verl has to say
        config = preflight.compose(recipe, overrides)
    curriculum = Curriculum.from_config({"curriculum": engine_block(config)})
    curriculum.load(previous / STATE, force=True)  # it knows nothing of the new stage yet
    decision = curriculum.switch(+1)

    def finish(made: Path) -> None:
        curriculum.save(made / STATE)
        for file in previous.glob(f"{REWARDS}*"):
            shutil.copy2(file, made)

    # What was drawn and not trained on yet is of the stage before.
    keep_checkpoint(previous, folder / previous.name, finish, without=(IN_FLIGHT,))
    Reporter(Path(plugin_settings(config).metrics_file or folder / "curriculum.jsonl"), curriculum).decision(
        decision, None
    )
    with replacing(folder / TRACKER) as file:
        file.write(str(curriculum.step).encode())


def main(argv: Sequence[str] | None = None) -> int:
    """For cumulative_stages.py."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("previous", "folder", "recipe"):
        parser.add_argument(name, type=Path)
    parser.add_argument("overrides", nargs="*")
    args = parser.parse_args(argv)
    begin(args.previous, args.folder, args.recipe, args.overrides)
    return 0


if __name__ == "__main__":
    sys.exit(run("next_stage.py", main))
