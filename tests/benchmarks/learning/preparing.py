"""What all runs of a setting start from: a warmed-up model and its buckets, by the product's own commands."""

import json
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from curriculum_verl.atomic import replacing
from curriculum_verl.errors import InputError
from examples.demo import tasks
from examples.demo.steps import Step, run_steps
from learning.families import Family
from learning.settings import CHECKED, HELD_OUT, Setting

REWARD = Path(tasks.__file__).with_name("reward.py")
SCORED_BY = f"{REWARD}:compute_score"
MOST_TOKENS = 14  # of a response: at most 12 digits and what ends them
RESPONSES = 8  # to a prompt, for bucketing
# Of the pass rate, by number of buckets: quantiles would cut in the midst of what always or never passes.
THRESHOLDS = {3: (0.25, 0.75), 4: (0.01, 0.25, 0.75)}
SEED = 0


def prepare(folder: Path, setting: Setting) -> Path:
    """Do what is not done yet; the folder of the setting."""
    family = setting.family
    base, place = _model(folder, family), folder / setting.name
    agree(base, {"warm_up": family.warm_up.read_text(), "chats": f"{family.chats}"})
    agree(place, made_of(setting))
    run_steps(
        base,
        [
            Step("tasks", "Chats for the warm-up", partial(make_chats, family)),
            Step("random", "A tiny Qwen2", make_model),
            Step("warm_up", "Warm-up, stopped early", partial(warm_up, family, base), resumes=True),
        ],
        {"seed": SEED},
    )
    run_steps(
        place,
        [
            Step("tasks", f"Prompts of {setting.name}: {setting.words}", partial(make_prompts, setting)),
            Step("sampled", f"{RESPONSES} scored responses to each", partial(sample, base, place), resumes=True),
            Step("rollouts", "Whose rollouts are whose", partial(mislabel, setting, place)),
            *(Step(f"bucketed_{count}", f"{count} buckets", partial(bucket, place, count)) for count in THRESHOLDS),
            *(Step(f"data_{count}", "Parquet for verl", partial(preprocess, place, count)) for count in THRESHOLDS),
        ],
        {"seed": SEED},
    )
    return place


def made_of(setting: Setting) -> dict[str, Any]:
    """What the prompts and buckets of a setting depend on, beside the model and the code."""
    return {
        "prompts": {str(level): count for level, count in setting.prompts.items()},
        "held_out": HELD_OUT,
        "mislabelled": setting.mislabelled,
        "responses": RESPONSES,
        "thresholds": {str(count): list(cuts) for count, cuts in THRESHOLDS.items()},
    }


def agree(place: Path, asked: dict[str, Any]) -> None:
    """Write down what a folder is made of; what was made of something else is not gone on with."""
    path = place / "asked.json"
    if not path.exists():
        place.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(json.dumps(asked, indent=1).encode())
    before = json.loads(path.read_text())
    other = sorted(key for key in before.keys() | asked.keys() if before.get(key) != asked.get(key))
    if other:
        raise InputError(f"{place}: was begun with other settings than now ({', '.join(other)}); remove that folder")


def sampled_tokens(folder: Path, setting: Setting) -> int:
    """What bucketing has cost: generated once, whatever is trained on it afterwards."""
    with (folder / setting.name / "sampled" / "rollouts.jsonl").open() as lines:
        return sum(sum(json.loads(line)["tokens"]) for line in lines)


def _model(folder: Path, family: Family) -> Path:
    return folder / f"model_{family.name}"


def warmed_up(folder: Path, family: Family) -> Path:
    """The model that every run begins with."""
    return _model(folder, family) / "warm_up" / "final"


def make_chats(family: Family, place: Path) -> None:
    """What the warm-up is shown, and by what it is checked; none of it is trained on or measured afterwards."""
    checks, chats = [], []
    for level, (bucket, count) in family.chats.items():
        made = tasks.make_tasks(level, count, random.Random(f"chats {level}"), tasks.for_warm_up, family.make)
        rows = [tasks.as_chat(task, bucket) for task in made]
        checks += rows[:CHECKED]
        chats += rows[CHECKED:]
    tasks.write_lines(place / "checks.jsonl", checks)
    tasks.write_lines(place / "chats.jsonl", chats)


def make_model(place: Path) -> None:
    """Random weights."""
    from examples.demo import model

    model.save(model.make_model(SEED), place)


def warm_up(family: Family, base: Path, place: Path) -> None:
    """The product's own fine-tuning."""
    given = {
        "model.path": base / "random",
        "data.train": base / "tasks" / "chats.jsonl",
        "data.validation": base / "tasks" / "checks.jsonl",
        "training.output": place,
        "training.seed": SEED,
        "curriculum.seed": SEED,
    }
    words = ["--mode", "sft", "--config", family.warm_up, "--resume"]
    _call("curriculum_verl.train", *words, *(f"{key}={value}" for key, value in given.items()))


def make_prompts(setting: Setting, place: Path) -> None:
    """To train on and to measure with: no prompt is in both."""
    asked, held_out, family = [], [], setting.family
    for level, count in setting.prompts.items():
        randomness = random.Random(f"prompts {level}")
        made = tasks.make_tasks(level, count + HELD_OUT, randomness, tasks.for_training, family.make)
        held_out += made[:HELD_OUT]
        asked += made[HELD_OUT:]
    tasks.write_lines(place / "train.jsonl", _numbered(family, asked))
    tasks.write_lines(place / "held_out.jsonl", _numbered(family, held_out))


def _numbered(family: Family, made: Sequence[tasks.Task]) -> Iterator[dict[str, Any]]:
    for number, task in enumerate(made):
        yield tasks.as_prompt(number, task) | {"level": family.level_name(task.level)}


def sample(base: Path, place: Path, out: Path) -> None:
    """The product's own command."""
    words = ["generate", "--model", base / "warm_up" / "final", "--data", place / "tasks" / "train.jsonl"]
    sampling = ["--max-tokens", MOST_TOKENS, "--verifier", SCORED_BY, "--batch", 128]
    call(*words, "--out", out, "-n", RESPONSES, *sampling, "--seed", SEED)


def mislabel(setting: Setting, place: Path, out: Path) -> None:
    """Give some prompts the scores that another one earned: they go from hand to hand."""
    rows = [json.loads(line) for line in (place / "sampled" / "rollouts.jsonl").read_text().splitlines()]
    randomness = random.Random(f"mislabelled {SEED}")
    chosen = randomness.sample(range(len(rows)), round(setting.mislabelled * len(rows)))
    earned = [(rows[row]["response"], rows[row]["reward"]) for row in chosen]
    for row, other in zip(chosen, earned[1:] + earned[:1], strict=True):
        rows[row]["response"], rows[row]["reward"] = other
    tasks.write_lines(out / "rollouts.jsonl", iter(rows))


def bucket(place: Path, count: int, out: Path) -> None:
    """The product's own command."""
    rollouts = place / "rollouts" / "rollouts.jsonl"
    call("bucket", "-i", rollouts, "-o", out, "-m", "mean_reward", "--thresholds", *THRESHOLDS[count])


def preprocess(place: Path, count: int, out: Path) -> None:
    """The product's own command. A tenth is held out for arms that decide by validation."""
    call("preprocess", "-i", place / f"bucketed_{count}", "-o", out, "--train-val-split", 0.9, "--seed", SEED)


def call(*words: object) -> None:
    """Run a command of the package as a user does."""
    _call("curriculum_verl.cli", *words)


def _call(module: str, *words: object) -> None:
    subprocess.run([sys.executable, "-m", module, *map(str, words)], stdout=sys.stderr, check=True)
