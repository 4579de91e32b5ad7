"""One run of verl for each cumulative stage, with evaluations between them; started again it goes on where it was.

run_cumulative_stages.sh calls it, and has the command line for people. What is done is read off the files: a stage by
verl's mark of its last checkpoint, an evaluation by its report.
"""
# ruff: noqa: T201  # a command

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml
from evaluations import PYTHON, REPORT, command
from stage_commands import Commands, held
from stage_plan import Plan, Planned, read_plan

from curriculum_verl.atomic import replacing
from curriculum_verl.commands.running import run
from curriculum_verl.errors import InputError
from curriculum_verl.generation.folder import as_read, differences, document

HERE = Path(__file__).resolve().parent
PROG = "run_cumulative_stages.sh"
SETTINGS, LOCK = "settings.json", ".lock"
AGAIN = "the same command goes on from here"


def evaluated(plan: Plan) -> list[str]:
    """The models that the report is about."""
    report = plan.output / REPORT
    return [model["name"] for model in json.loads(report.read_bytes())["models"]] if report.is_file() else []


def training(plan: Plan, stage: Planned) -> list[str]:
    """The command of a stage; it goes on from a checkpoint in the stage's folder, if there is one."""
    return [
        str(HERE / "run.sh"),
        *(str(stage.recipe), "--model", plan.model, "--data", str(plan.data), "--resume", "auto"),
        *("--eval-responses", "0"),  # evaluated below, beside the other stages
        *(["--cpu"] if plan.cpu else []),
        *plan.overrides,
    ]


def evaluation(plan: Plan, stages: Sequence[Planned]) -> list[str]:
    """The command that evaluates the model before all stages and after each of these; samples that it has are kept."""
    models = [f"before={plan.before}", *(f"{stage.name}={stage.checkpoint}" for stage in stages)]
    return command(models, str(plan.data), plan.output / REPORT, plan.model, plan.evaluation)


def beginning(plan: Plan, stage: Planned, previous: Planned) -> list[str]:
    """The command that makes the checkpoint a stage begins with, of the one that the stage before has ended with."""
    made = [str(previous.checkpoint), str(stage.folder)]
    return [PYTHON, str(HERE / "next_stage.py"), *made, str(stage.recipe), *plan.told, *plan.overrides]


def looking(plan: Plan, recipe: Path) -> list[str]:
    """The command that says what a run lacks."""
    start = [PYTHON, str(HERE / "preflight.py"), "--model", plan.model, "--resume", "auto"]
    return [*start, "--", str(recipe), *plan.told, *plan.overrides]


def look(plan: Plan) -> None:
    """All that verl's first run and the first evaluation lack, before either costs time; nothing is written."""
    with tempfile.TemporaryDirectory() as folder:
        recipe = Path(folder, "recipe.yaml")
        write_recipe(plan.stages[0], recipe)
        done = subprocess.run(looking(plan, recipe), stdout=subprocess.PIPE, text=True, check=False)
    said = done.stdout
    if done.returncode == 0:
        first = [*evaluation(plan, []), "--dry-run"]
        done = subprocess.run(first, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        said = done.stderr
    if done.returncode:
        raise InputError(f"nothing was started:\n{said.rstrip()}")


def write_recipe(stage: Planned, path: Path) -> None:
    """A stage's recipe, complete or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(yaml.safe_dump(stage.content, sort_keys=False, width=120).encode())


def check_settings(plan: Plan) -> bool:
    """Whether the folder holds a run of these settings already; any other run there is refused."""
    path = plan.output / SETTINGS
    if path.is_file():
        found = differences(json.loads(path.read_bytes()), as_read(plan.settings))
        if found:
            what = f"{plan.output}: holds a run with other settings; take the same ones, or another --output:"
            raise InputError("\n  ".join([what, *found]))
        return True
    names = sorted(entry.name for entry in plan.output.iterdir() if entry.name != LOCK) if plan.output.exists() else []
    if names:
        raise InputError(f"{plan.output}: holds {names[0]}, which is none of this script's; expected a new folder")
    return False


def train(plan: Plan, commands: Commands) -> None:
    """Everything that is not done yet, in order."""
    if "before" not in evaluated(plan):
        commands.run(f"evaluating {plan.before}", evaluation(plan, []))
    for number, stage in enumerate(plan.stages):
        if not stage.done:
            write_recipe(stage, stage.recipe)
            if number and not stage.begun:
                previous = plan.stages[number - 1]
                commands.run(f"{stage.folder.name}: begins", beginning(plan, stage, previous))
            commands.run(f"{stage.folder.name}: {stage.in_words()}", training(plan, stage))
            if not stage.done:
                raise InputError(f"{stage.folder}: the run ended without {stage.checkpoint.name}; {AGAIN}")
        if stage.name not in evaluated(plan):
            commands.run(f"evaluating {stage.name}", evaluation(plan, plan.stages[: number + 1]))
    print(f"all is done: {plan.stages[-1].checkpoint}, {plan.output / REPORT}")


def tell(plan: Plan) -> None:
    """What is done, and what would be."""
    known = evaluated(plan)
    print(f"{plan.output}: {len(plan.stages)} stages, {plan.stages[-1].end} steps")
    print(f"  evaluation of {plan.before}: {'done' if 'before' in known else 'to do'}")
    for stage in plan.stages:
        state = "done" if stage.done else f"at step {stage.step}" if stage.step > stage.start else "to do"
        print(f"  {stage.folder.name}: {stage.in_words()}: {state}")
        print(f"  evaluation after it: {'done' if stage.name in known else 'to do'}")
    following = next((number for number, stage in enumerate(plan.stages) if not stage.done), len(plan.stages) - 1)
    print("a stage, and an evaluation:")
    print(shlex.join(training(plan, plan.stages[following])))
    print(shlex.join(evaluation(plan, plan.stages[: following + 1])))


@contextmanager
def prepared(plan: Plan) -> Iterator[Commands]:
    """The folder, of this run and locked: also by what is left of a killed one, as long as it is at work."""
    check_settings(plan)  # before a folder is made
    plan.output.mkdir(parents=True, exist_ok=True)
    with held(plan.output / LOCK) as lock:
        if not check_settings(plan):
            look(plan)
            with replacing(plan.output / SETTINGS) as file:
                file.write(document(plan.settings))
        yield Commands(lock, AGAIN)


def build_parser() -> argparse.ArgumentParser:
    """The command line; run_cumulative_stages.sh has the one for people."""
    parser = argparse.ArgumentParser(description="Train in cumulative stages. What stands after -- goes to evaluate.")
    for name in ("--model", "--data", "--recipe", "--steps", "--output", "--eval-responses"):
        parser.add_argument(name, required=True)
    parser.add_argument("--gpus", type=int)
    parser.add_argument("--cpu", action="store_true")
    parser.add_argument("--dry-run", action="store_true")
    parser.add_argument("overrides", nargs="*")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """0 when all is done."""
    given = list(sys.argv[1:] if argv is None else argv)
    cut = given.index("--") if "--" in given else len(given)
    args = build_parser().parse_args(given[:cut])
    plan = read_plan(args, given[cut + 1 :])
    if plan.cpu:
        os.environ["VERL_PLATFORM"] = "cpu"
    if args.dry_run:
        check_settings(plan)
        tell(plan)
        look(plan)
        return 0
    with prepared(plan) as commands:
        train(plan, commands)
    return 0


if __name__ == "__main__":
    sys.exit(run(PROG, main))
