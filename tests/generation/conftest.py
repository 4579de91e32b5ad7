"""A tiny model that can add a little, and sums to ask it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from integration.verl_toy import teach, write_model
from toy_checkpoints import adapter, verl_checkpoints  # noqa: F401  # fixtures

from curriculum_verl.generation.data import Data
from curriculum_verl.generation.job import Job
from curriculum_verl.generation.judging import Scoring
from curriculum_verl.generation.settings import BackendSettings

SUMS = [(f"{a}+{b}=?", str(a + b)) for a in range(6) for b in range(6)]


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    write_model(folder, hidden=32, layers=1)
    teach(folder, SUMS, steps=60)
    return folder


def write_lines(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def sums(tmp_path: Path) -> Path:
    rows = [{"id": question, "prompt": question, "ground_truth": answer} for question, answer in SUMS[:20]]
    return write_lines(tmp_path / "sums.jsonl", rows)


@pytest.fixture
def make_job(model: Path, sums: Path, tmp_path: Path) -> Callable[..., Job]:
    """A job over the sums; keywords change it."""

    def make(**changes: Any) -> Job:
        from curriculum_verl.generation.backend import Sampling

        given = {
            "data": Data((str(sums),)),
            "backend": BackendSettings("hf", str(model)),
            "output": tmp_path / "out",
            "sampling": Sampling(max_tokens=6),
            "count": 4,
            "scoring": Scoring(verifier="exact"),
        }
        return Job(**(given | changes))

    return make
