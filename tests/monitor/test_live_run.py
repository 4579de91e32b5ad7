"""A real run on a CPU, watched from before its first line to a rollback and its end."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gradio")
pytest.importorskip("peft")

from chromium import Visit
from monitor.watching import watched
from sft.toy_sft import told, write_toy

ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
from pathlib import Path
import torch
from curriculum_verl.sft.run import run_sft
from sft.toy_sft import recipe

torch.set_num_threads(1)
run_sft(recipe(*map(Path, sys.argv[1:3]), *sys.argv[3:]))
"""
OVERRIDES = (
    "training.max_steps=30",
    "training.eval_every=5",
    "training.save_every=30",
    "curriculum.rollback={threshold: -0.01, cooldown: 100}",  # the harder stage never scores as well
)


def test_a_real_run_is_watched_from_its_start_to_a_rollback(browser: Any, tmp_path: Path) -> None:
    toy, output = write_toy(tmp_path), tmp_path / "run"
    output.mkdir()
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'tests'}:{ROOT}", "OMP_NUM_THREADS": "1"}
    with watched([output]) as address, Visit(browser, address) as visit:
        visit.until("#standing", "Waiting for")
        command = [sys.executable, "-c", SCRIPT, str(toy), str(output), *OVERRIDES]
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as run:
            try:
                visit.until("#standing", "stage first")
                visit.open("Curriculum")
                visit.until("#events", "from first to second")
                visit.until("#events", "rollback")
                visit.until("#standing", "rollbacks 1")
                _, said = run.communicate()
                assert run.returncode == 0, said.decode()
            finally:
                run.kill()
        visit.until("#standing", "step 30")
        visit.open("Overview")
        last = told(output)[-1]["metrics"]["curriculum/train/success_rate"]
        visit.open("Training")
        assert visit.drawn("loss")
        visit.open("Metrics")
        visit.page.locator("#filter textarea, #filter input").first.fill("train/success_rate")
        visit.until("#metrics", f"{last:.4g}")
        visit.check()
