"""The curriculum in verl's trainer with the real vLLM as rollout, on a CPU; `make test-vllm` installs and runs it."""

import os
from contextlib import suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from integration.curriculum_runs import BUCKETS, curriculum_recipe, ends_well, make_data
from integration.verl_runs import DIFFERENCE, Run, launch_arguments, with_overrides
from integration.verl_toy import make_toy, write_model

if find_spec("vllm") is None:
    pytest.skip("`make test-vllm` installs vLLM and runs this", allow_module_level=True)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    """Six steps of three stages, by the command line that a user types."""
    folder, before = tmp_path_factory.mktemp("run"), segments()
    toy = make_toy(folder / "toy")
    write_model(toy.model, hidden=128)  # vLLM's attention on a CPU wants heads of 32 or more
    recipe = curriculum_recipe(toy, make_data(folder / "data"))
    places = {
        "default_local_dir": "checkpoints",
        "rollout_data_dir": "rollouts_1",
        "validation_data_dir": "validations_1",
    }
    recipe = with_overrides(recipe, {f"trainer.{key}": str(folder / name) for key, name in places.items()})
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    command = ["--config-path", str(folder), "--config-name", "recipe", "platform=cpu_vllm"]
    try:
        with launch_arguments(folder, command) as running:
            return running.wait(600)
    finally:
        for segment in abandoned(segments() - before):
            segment.unlink(missing_ok=True)


def segments() -> set[Path]:
    """Our user's shared memory of the kinds that vLLM's queues and verl's hand-over of weights are."""
    found = [path for kind in ("psm_*", "verl_weights_*") for path in Path("/dev/shm").glob(kind)]
    return {path for path in found if path.stat().st_uid == os.getuid()}


def abandoned(found: set[Path]) -> set[Path]:
    """Those that no process has open: what is left when Ray ends vLLM, and not what another run uses."""
    used = ""
    for maps in Path("/proc").glob("[0-9]*/maps"):
        with suppress(OSError):  # it has ended, or is not ours
            used += maps.read_text()
    return {path for path in found if path.name not in used}


def test_it_trains_to_the_end_without_an_error_in_any_log(run: Run) -> None:
    ends_well(run)
    assert list(run.series("training/global_step")) == [1, 2, 3, 4, 5, 6]
    assert all(len(run.responses(step)) == 8 * 4 for step in range(1, 7))
    assert min(run.series("actor/grad_norm").values()) > 0


def test_it_was_vllm(run: Run) -> None:
    assert "vLLMHttpServer" in run.console


def test_stages_switch(run: Run) -> None:
    assert list(run.series("curriculum/stage").values()) == [0, 1, 1, 2, 2, 2]
    shares = {bucket: run.series(f"curriculum/share/{bucket}") for bucket in BUCKETS}
    assert [shares["easy"][step] for step in range(1, 7)] == [1, 1, 0.5, 0.5, 0.25, 0.25]
    assert [shares["hard"][step] for step in range(1, 7)] == [0, 0, 0, 0, 0.5, 0.5]


def test_vllm_has_the_weights_of_the_actor_at_every_step(run: Run) -> None:
    differences = run.series(DIFFERENCE)
    assert list(differences) == [1, 2, 3, 4, 5, 6]
    assert max(differences.values()) < 1e-5


def test_validation_is_told_by_bucket(run: Run) -> None:
    for bucket in BUCKETS:
        assert set(run.series(f"val-core/toy_add/{bucket}/reward/mean@1")) == {2, 4, 6}


def test_all_but_vllm_is_what_the_other_tests_run_with() -> None:
    pins = dict(
        line.split("==")
        for line in (Path(__file__).parents[2] / "constraints-cpu.txt").read_text().splitlines()
        if "==" in line
    )
    for name in ("torch", "verl", "transformers", "tensordict", "TransferQueue", "torchdata", "ray", "peft"):
        assert version(name).partition("+")[0] == pins[name]
