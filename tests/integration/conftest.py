"""What the tests of this folder share: a real Ray cluster of two workers, a tiny model and its data."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.curriculum_runs import make_data
from integration.verl_toy import Toy, make_toy


@pytest.fixture(scope="session")
def toy(tmp_path_factory) -> Toy:
    return make_toy(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> Path:
    """The manifest of three buckets of sums."""
    return make_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def user_code(tmp_path_factory) -> Path:
    """A folder from which the cluster's workers import modules that tests write."""
    return tmp_path_factory.mktemp("user_code")


@pytest.fixture(scope="module")
def cluster(user_code) -> Iterator[None]:
    """Starts the cluster, and stops it after the module: a process has one, and other tests start their own."""
    ray = pytest.importorskip("ray")
    folder = tempfile.mkdtemp(prefix="r", dir="/tmp")  # sockets need a short path
    paths = os.pathsep.join([str(user_code), str(Path(__file__).parent.parent)])
    ray.init(
        "local",  # not a cluster that happens to be at hand
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=80_000_000,
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": paths}},
        _temp_dir=folder,
    )
    yield
    ray.shutdown()
    shutil.rmtree(folder, ignore_errors=True)
