"""A tiny model, what it was taught, and data, each made once."""

import shutil
from pathlib import Path

import pytest
from toy_checkpoints import adapter, verl_checkpoints  # noqa: F401  # fixtures

pytest.importorskip("torch")
pytest.importorskip("peft")


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from integration.verl_toy import write_model

    folder = tmp_path_factory.mktemp("model")
    write_model(folder, hidden=32, layers=1)
    return folder


@pytest.fixture(scope="session")
def taught(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model after it has seen the sums of the easy bucket with their answers."""
    from integration.verl_toy import teach

    folder = shutil.copytree(model, tmp_path_factory.mktemp("taught") / "model")
    teach(folder, [(f"{a}+{b}=?", str(a + b)) for a in range(10) for b in range(3)], steps=100)
    return folder


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manifest of three buckets of sums."""
    from integration.curriculum_runs import make_data

    return make_data(tmp_path_factory.mktemp("data"))
