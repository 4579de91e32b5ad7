"""The launch scripts of the GRPO recipes on a toy, as a user types them."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from integration.verl_runs import Running
from integration.verl_toy import Toy

FOLDER = Path(__file__).parents[2] / "recipes" / "grpo_curriculum"
SMALL = [
    "--cpu",
    *("--eval-responses", "2"),
    "data.train_batch_size=8",
    "data.max_prompt_length=32",
    "data.max_response_length=4",
    "actor_rollout_ref.actor.ppo_max_token_len_per_gpu=512",
    "actor_rollout_ref.actor.checkpoint.save_contents=[model,optimizer,extra,hf_model]",  # spares the time of merging
    "actor_rollout_ref.rollout.n=4",
    "trainer.save_freq=1",
    "trainer.test_freq=-1",
    "trainer.val_before_train=false",
]


def start(script: str, toy: Toy, data: Path, folder: Path, *told: str) -> Running:
    """Start a script there, in a session of its own."""
    number = len(list(folder.glob("console_*.log"))) + 1
    temporary = Path(tempfile.mkdtemp(prefix="v", dir="/tmp"))  # Ray's sockets need a short path
    settings = {"PYTHON": sys.executable, "RAY_TMPDIR": str(temporary), "HF_HUB_OFFLINE": "1"}
    console = folder / f"console_{number}.log"
    reward = f"reward.custom_reward_function.path={toy.reward}"
    first, *words = script.split()
    with console.open("wb") as out:
        process = subprocess.Popen(
            [FOLDER / first, *words, "--model", toy.model, "--data", data, *SMALL, *told, reward],
            cwd=folder,
            env=os.environ | settings,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Running(process, folder, number, temporary, console)
