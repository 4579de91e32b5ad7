"""From supervised fine-tuning to GRPO, one command each: the adapter of the first is what the second begins with."""

import json
import os
import subprocess
import sys
from pathlib import Path

import torch
from integration.verl_runs import Run, launch_arguments, tensors
from integration.verl_toy import Toy
from safetensors.torch import load_file

RECIPES = Path(__file__).parents[2] / "recipes"
TRAIN = "curriculum_verl.train"
DATA = {"train": 40, "validation": 4}
SFT = [
    "lora={rank: 8}",
    "model.dtype=float32",
    "data.max_length=64",
    "training.max_steps=40",
    "training.batch_size=8",
    "training.device_batch_size=8",
    "training.learning_rate=0.02",
    "training.warmup_steps=0",
    "training.bf16=false",
    "training.gradient_checkpointing=false",
    "training.eval_every=20",
    "training.save_every=20",
]
GRPO = [
    "actor_rollout_ref.model.lora_rank=8",
    "actor_rollout_ref.actor.ppo_mini_batch_size=4",
    "actor_rollout_ref.actor.ppo_max_token_len_per_gpu=512",
    "actor_rollout_ref.rollout.n=4",
    "data.train_batch_size=4",
    "data.max_prompt_length=32",
    "data.max_response_length=4",
    "trainer.total_training_steps=1",
    "trainer.test_freq=1",
    "trainer.save_freq=1",
    "trainer.logger=[console,file]",
    "trainer.validation_data_dir=validations_1",
    "trainer.default_local_dir=checkpoints",
]


def write_chats(path: Path, count: int) -> str:
    """Whatever is asked, the answer is 7: an adapter on a random model learns that in seconds."""
    rows = []
    for n in range(count):
        messages = [{"role": "user", "content": f"{n}+{n % 9}=?"}, {"role": "assistant", "content": "7"}]
        rows += [{"messages": messages, "difficulty": bucket} for bucket in ("simple", "medium", "hard")]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def fine_tune(toy: Toy, folder: Path) -> Path:
    """An adapter, by one command."""
    told = [f"data.{name}={write_chats(folder / f'{name}.jsonl', count)}" for name, count in DATA.items()]
    told += [f"model.path={toy.model}", f"training.output={folder / 'sft'}", *SFT]
    command = [sys.executable, "-m", TRAIN, "--mode", "sft", "--config", RECIPES / "sft_curriculum" / "sft.yaml"]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([*command, *told], cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "sft" / "final"


def reinforce(toy: Toy, data: Path, adapter: Path, folder: Path) -> Run:
    """GRPO by the shipped recipe, by another command."""
    told = [f"actor_rollout_ref.model.path={toy.model}", f"actor_rollout_ref.model.lora_adapter_path={adapter}"]
    told += [f"curriculum.data={data}", f"reward.custom_reward_function.path={toy.reward}", *GRPO]
    recipe = str(RECIPES / "grpo_curriculum" / "lora.yaml")
    with launch_arguments(folder, ["--mode", "rft", "--config", recipe, *told], module=TRAIN) as running:
        return running.wait()


def test_grpo_begins_with_the_adapter_and_trains_it_on(toy: Toy, data: Path, tmp_path: Path) -> None:
    adapter = fine_tune(toy, tmp_path)
    assert json.loads((tmp_path / "sft" / "evaluation.json").read_text())["mean"]["score"] > 0.9, "it was learned"
    run = reinforce(toy, data, adapter, tmp_path)
    assert run.code == 0, run.explain()
    first = [response.strip() for _, response, _ in run.validation(step=0)]
    assert first.count("7") > 0.9 * len(first), "before training it answers as it was taught"
    taught = load_file(adapter / "adapter_model.safetensors")
    saved = tensors(tmp_path / "checkpoints" / "global_step_1" / "actor", "model")
    trained = {name.replace(".default", ""): value for name, value in saved.items() if ".lora_" in name}
    assert taught.keys() == trained.keys()
    apart = {name: float((trained[name].float() - taught[name]).abs().max()) for name in taught}
    assert 0 < max(apart.values()) < 0.01, "one step on, from where it was"
    assert all(torch.isfinite(value).all() for value in trained.values())
