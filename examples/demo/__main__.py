"""`make demo`: the whole way from nothing to a trained model, on a CPU. Run: python -m examples.demo"""

import argparse
import fcntl
import random
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from curriculum_verl.commands.running import run
from curriculum_verl.errors import InputError
from examples.demo.steps import Step, run_steps

TASKS_PER_LEVEL = 300
RESPONSES = 8  # to a prompt, for bucketing
CHECKED = 64  # prompts a level, when the warm-up looks how far it is
CHECK_EVERY = 5  # steps
ENOUGH = 0.3  # mean pass rate over the levels at which the warm-up stops
MOST_STEPS = 1000  # of warm-up
FOR_TRAINING = 0.8  # of the prompts; the others are held out


def main(argv: Sequence[str] | None = None) -> int:
    """Do all steps that are not done yet, then say what came of it; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("build/demo"), help="for all that is made (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of everything that is drawn (%(default)s)")
    args = parser.parse_args(argv)
    folder, seed = args.folder, args.seed
    steps = [
        Step("tasks", "Tasks: running sums in five lengths", partial(make_tasks, seed)),
        Step("model", "Warm-up: a tiny Qwen2 learns the short tasks, and is stopped early", partial(warm_up, seed)),
        Step("rollouts", f"Rollouts: {RESPONSES} scored responses to every prompt", partial(sample, folder, seed)),
        Step("bucketed", "Buckets: prompts sorted by how often the model solves them", partial(bucket, folder)),
        Step("preprocessed", "Data: parquet for verl, with prompts held out", partial(preprocess, folder, seed)),
        Step("training", "GRPO: verl's trainer goes from easy to hard", partial(train, folder, seed), resumes=True),
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
    """The tasks that are not the warm-up's."""
    from examples.demo import tasks

    made = [
        task
        for level in tasks.LEVELS
        for task in tasks.make_tasks(level, TASKS_PER_LEVEL, random.Random(f"{seed} {level}"), tasks.for_training)
    ]
    tasks.write_tasks(place / "tasks.jsonl", made)
    print(f"{len(made):,} tasks, such as {made[0].prompt} with the answer {made[0].answer}")


def warm_up(seed: int, place: Path) -> None:
    """Train until the model solves some tasks, and not more."""
    import torch

    from examples.demo import model, sampling, tasks
    from examples.demo.warm_up import warm_up as steps_of_warm_up

    torch.set_num_threads(1)  # two would split sums by the load of the moment
    tokenizer, network = model.make_tokenizer(), model.make_model(seed)
    randomness = random.Random(f"{seed} checks")
    checked = {level: tasks.make_tasks(level, CHECKED, randomness, tasks.for_warm_up) for level in tasks.LEVELS}
    print(f"{sum(weights.numel() for weights in network.parameters()):,} parameters; right answers by digits:")
    for step, loss in enumerate(steps_of_warm_up(network, tokenizer, seed), 1):
        if step % CHECK_EVERY:
            continue
        rates = sampling.pass_rates(network, tokenizer, checked, samples=2)
        reached = sum(rates.values()) / len(rates) >= ENOUGH
        if reached or step % (4 * CHECK_EVERY) == 0:
            shown = "  ".join(f"{level}: {rate:.0%}" for level, rate in rates.items())
            print(f"  step {step:>4}  loss {loss:.2f}  {shown}", flush=True)
        if reached:
            break
        if step >= MOST_STEPS:
            raise InputError(f"the model did not learn in {step} steps; try another --seed in another --folder")
    model.save(network, place)


def sample(folder: Path, seed: int, place: Path) -> None:
    """Responses of the warmed-up model, in the format that bucketing reads."""
    import torch
    from tqdm import tqdm

    from examples.demo import model, sampling, tasks

    torch.set_num_threads(1)
    network, tokenizer = model.load(folder / "model")
    torch.manual_seed(seed)
    asked = tasks.read_tasks(folder / "tasks" / "tasks.jsonl")
    responses = sampling.respond(network, tokenizer, asked, RESPONSES)
    bar = tqdm(responses, total=len(asked), unit=" prompts", mininterval=1)
    sampling.write_rollouts(place / "rollouts.jsonl", asked, bar)


def bucket(folder: Path, place: Path) -> None:
    """The product's own command."""
    call("bucket", "-i", folder / "rollouts", "-o", place, "-m", "mean_reward", "-n", "3")


def preprocess(folder: Path, seed: int, place: Path) -> None:
    """The product's own command."""
    split = ("--train-val-split", FOR_TRAINING, "--seed", seed)
    call("preprocess", "-i", folder / "bucketed", "-o", place, *split)


def call(name: str, *arguments: object) -> None:
    """Run a command of the package as a user does, in sight."""
    words = [name, *map(str, arguments)]
    print(f"  $ curriculum-verl {shlex.join(words)}", flush=True)
    code = subprocess.run([sys.executable, "-m", "curriculum_verl.cli", *words]).returncode
    if code != 0:
        raise InputError(f"curriculum-verl {name} ended with exit code {code}; what it said stands above")


def train(folder: Path, seed: int, place: Path) -> None:
    """The main job."""
    from examples.demo.training import train as train_with_verl

    train_with_verl(place, folder / "model", folder / "preprocessed", seed)


def show(folder: Path) -> int:
    """Print and draw what was learned; 1 if it is not what the demo promises."""
    from examples.demo import chart, summary
    from examples.demo.training import results

    history, validations = results(folder / "training")
    found = summary.changes(validations[0], validations[-1], history.buckets)
    good, words = summary.verdict(history, found)
    chart.draw(history, validations, folder / "chart.png")
    print("\nStages", *summary.timeline(history), sep="\n")
    print("\nHeld-out prompts, right answers before and after training (95 % intervals)")
    print(*summary.table(found), sep="\n")
    print(f"\n{words[0].upper()}{words[1:]}.\n")
    print(f"chart        {folder / 'chart.png'}\nbuckets      {folder / 'bucketed' / 'report.html'}")
    print(f"model        {folder / 'training' / 'checkpoints'} (verl's checkpoints)")
    print(f"all metrics  {folder / 'training' / 'checkpoints' / 'curriculum.jsonl'}")
    print(f"verl's words {folder / 'training' / 'console.log'}")
    if not good:
        print(f"To try again with other draws: --seed 1 --folder {folder}_1", file=sys.stderr)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(run("demo", main))
