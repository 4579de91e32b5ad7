"""`make demo`: the whole way from nothing to a trained model, on a CPU. Run: python -m examples.demo"""

import argparse
import fcntl
import json
import os
import random
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from curriculum_verl.commands.running import run
from curriculum_verl.errors import InputError
from examples.demo.steps import Step, run_steps

HERE = Path(__file__).parent
CLI = "curriculum_verl.cli"
TASKS_PER_LEVEL = 300
LENGTHS = {3: "short", 5: "middle", 7: "middle", 9: "long", 11: "long"}  # the buckets of the warm-up
CHATS = {3: 400, 5: 2000, 7: 2000, 9: 2000, 11: 2000}  # for the warm-up, by digits; of three there are not many more
CHECKED = 32  # of these of every level: by them the warm-up sees how far it is
MOST_STEPS = 400  # of warm-up
RESPONSES = 8  # to a prompt, for bucketing
CHECKS = 4  # to a held-out prompt, before and after
FOR_TRAINING = 0.8  # of the prompts; the others are held out
SAMPLING = ("--max-tokens", 12, "--verifier", f"{HERE / 'reward.py'}:compute_score")


def main(argv: Sequence[str] | None = None) -> int:
    """Do all steps that are not done yet, then say what came of it; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("demo"), help="for all that is made (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of everything that is drawn (%(default)s)")
    args = parser.parse_args(argv)
    folder, seed = args.folder, args.seed
    steps = [
        Step("tasks", "Tasks: running sums in five lengths", partial(make_tasks, seed)),
        Step("model", "Model: a tiny Qwen2", partial(make_model, seed)),
        Step("warm_up", "Warm-up: SFT, short tasks first, stopped early", partial(warm_up, folder, seed), resumes=True),
        Step(
            "rollouts", f"Rollouts: {RESPONSES} scored responses to every prompt", partial(sample, folder, seed), True
        ),
        Step("bucketed", "Buckets: prompts sorted by how often the model solves them", partial(bucket, folder)),
        Step("preprocessed", "Data: parquet for verl, with prompts held out", partial(preprocess, folder, seed)),
        Step("training", "GRPO: verl's trainer goes from easy to hard", partial(train, folder, seed), resumes=True),
        Step("evaluation", "Evaluation: what was learned, by bucket", partial(evaluate, folder, seed), resumes=True),
    ]
    with locked(folder):
        run_steps(folder, steps, {"seed": seed})
        return show(folder)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One demo at a time in one folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{folder}: another demo runs there; wait for it, or choose another --folder") from None
        yield


def make_tasks(seed: int, place: Path) -> None:
    """Tasks of the warm-up as chats, and all others as prompts; no task is in both."""
    from examples.demo import tasks

    def made(level: int, count: int, what: str, wanted: Callable[[tasks.Task], bool]) -> list[tasks.Task]:
        return tasks.make_tasks(level, count, random.Random(f"{seed} {what} {level}"), wanted)

    shown = [made(level, count, "warm-up", tasks.for_warm_up) for level, count in CHATS.items()]
    checked = [task for level in shown for task in level[:CHECKED]]
    chats = [task for level in shown for task in level[CHECKED:]]
    asked = [task for level in CHATS for task in made(level, TASKS_PER_LEVEL, "tasks", tasks.for_training)]
    for name, shown_there in (("chats", chats), ("checks", checked)):
        tasks.write_lines(place / f"{name}.jsonl", (tasks.as_chat(task, LENGTHS[task.level]) for task in shown_there))
    tasks.write_lines(place / "tasks.jsonl", (tasks.as_prompt(number, task) for number, task in enumerate(asked)))
    print(f"{len(chats):,} chats for the warm-up and {len(asked):,} tasks, such as {asked[0].prompt}{asked[0].answer}")


def make_model(seed: int, place: Path) -> None:
    """Random weights and a tokenizer of single characters."""
    from examples.demo import model

    network = model.make_model(seed)
    model.save(network, place)
    print(f"{sum(weights.numel() for weights in network.parameters()):,} parameters, all of them random")


def warm_up(folder: Path, seed: int, place: Path) -> None:
    """The product's own fine-tuning, with a curriculum; what was killed goes on from its last checkpoint."""
    given = {
        "model.path": folder / "model",
        "data.train": folder / "tasks" / "chats.jsonl",
        "data.validation": folder / "tasks" / "checks.jsonl",
        "training.output": place,
        "training.seed": seed,
        "curriculum.seed": seed,
    }
    words = ["--mode", "sft", "--config", HERE / "warm_up.yaml", "--resume"]
    call("curriculum_verl.train", *words, *(f"{key}={value}" for key, value in given.items()))
    score = json.loads((place / "evaluation.json").read_text())
    if score["step"] >= MOST_STEPS:
        raise InputError(f"the model did not learn in {MOST_STEPS} steps; try another --seed in another --folder")


def sample(folder: Path, seed: int, place: Path) -> None:
    """The product's own command."""
    words = ["generate", "--model", folder / "warm_up" / "final", "--data", folder / "tasks" / "tasks.jsonl"]
    call(CLI, *words, "--out", place, "-n", RESPONSES, *SAMPLING, "--seed", seed)


def bucket(folder: Path, place: Path) -> None:
    """The product's own command."""
    call(CLI, "bucket", "-i", folder / "rollouts", "-o", place, "-m", "mean_reward", "-n", "3")


def preprocess(folder: Path, seed: int, place: Path) -> None:
    """The product's own command."""
    split = ("--train-val-split", FOR_TRAINING, "--seed", seed)
    call(CLI, "preprocess", "-i", folder / "bucketed", "-o", place, *split)


def call(module: str, *arguments: object) -> None:
    """Run a part of the package as a user does, in sight."""
    words = list(map(str, arguments))
    start = "curriculum-verl" if module == CLI else f"python -m {module}"
    print(f"  $ {start} {shlex.join(words)}", flush=True)
    code = subprocess.run([sys.executable, "-m", module, *words], env=os.environ | {"OMP_NUM_THREADS": "1"}).returncode
    if code != 0:
        raise InputError(f"{start} {words[0]} ended with exit code {code}; what it said stands above")


def train(folder: Path, seed: int, place: Path) -> None:
    """The main job."""
    from examples.demo.training import train as train_with_verl

    train_with_verl(place, folder / "warm_up" / "final", folder / "preprocessed", seed)


def evaluate(folder: Path, seed: int, place: Path) -> None:
    """The product's own command: held-out prompts before and after."""
    from examples.demo.training import saved_step

    after = folder / "training" / "checkpoints" / f"global_step_{saved_step(folder / 'training')}"
    models = [f"before={folder / 'warm_up' / 'final'}", f"after={after}"]
    words = ["--data", folder / "preprocessed" / "manifest.json", "-n", CHECKS, "--k", 1, CHECKS, "--keep-responses"]
    call(CLI, "evaluate", "--model", *models, *words, *SAMPLING, "--seed", seed, "--out", place / "evaluation.json")


def show(folder: Path) -> int:
    """Print and draw what was learned; 1 if it is not what the demo promises."""
    from examples.demo import report, summary
    from examples.demo.training import results

    history, validations = results(folder / "training")
    evaluation = summary.read_evaluation(folder / "evaluation" / "evaluation.json")
    good, words = summary.verdict(history, evaluation)
    report.write(folder, history, validations, evaluation, words)
    print("\nStages", *summary.timeline(history), sep="\n")
    print("\nHeld-out prompts, right answers before and after training (95 % intervals)")
    print(*summary.table(evaluation), sep="\n")
    print(f"\n{words[0].upper()}{words[1:]}.\n")
    print(f"report       {folder / 'report.html'}\nbuckets      {folder / 'bucketed' / 'report.html'}")
    print(f"model        {folder / 'training' / 'checkpoints'} (verl's checkpoints)")
    print(f"all metrics  {folder / 'training' / 'checkpoints' / 'curriculum.jsonl'}")
    print(f"verl's words {folder / 'training' / 'console.log'}")
    if not good:
        print(f"To try again with other draws: --seed 1 --folder {folder}_1", file=sys.stderr)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(run("demo", main))
