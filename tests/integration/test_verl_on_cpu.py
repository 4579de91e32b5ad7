"""verl's stock trainer on the CPU, as a user starts it: it trains, saves, resumes, and generates the same again."""

import shutil
from pathlib import Path

import psutil
import pytest
from integration.verl_runs import DIFFERENCE, Run, launch, toy_recipe, train
from integration.verl_toy import Toy

pytest.importorskip("verl")
pytestmark = pytest.mark.slow  # with a curriculum, test_curriculum_in_verl.py trains, and resumes a run that was killed

LOSSES = ["actor/pg_loss", "actor/kl_loss", "actor/grad_norm", "critic/score/mean", DIFFERENCE]
# KL against the reference runs the engine of the frozen policy too.
FOUR_STEPS = {
    "trainer.total_training_steps": 4,
    "trainer.save_freq": 3,
    "trainer.test_freq": 2,
    "actor_rollout_ref.actor.use_kl_loss": True,
}
# Takes the weights of the first synchronisation and none after it.
FROZEN = """
from curriculum_verl.verl_plugin.cpu.weights import Weights

taken = []
receive = Weights.receive


def receive_once(self, named):
    if len(taken) < 1:
        receive(self, named)
    taken.append(len(named))


Weights.receive, Weights.finish = receive_once, lambda self, peft_config=None: None
"""


@pytest.fixture(scope="module")
def whole(toy: Toy, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Four steps without a pause, a checkpoint after the third; where GPUs are, they are hidden."""
    return train(tmp_path_factory.mktemp("whole"), toy_recipe(toy), FOUR_STEPS, env={"CUDA_VISIBLE_DEVICES": ""})


@pytest.fixture(scope="module")
def resumed(whole: Run, toy: Toy, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The fourth step again, from the checkpoint after the third."""
    folder = tmp_path_factory.mktemp("resumed")
    checkpoints = whole.folder / "checkpoints"
    shutil.copytree(checkpoints / "global_step_3", folder / "checkpoints" / "global_step_3")
    (folder / "checkpoints" / "latest_checkpointed_iteration.txt").write_text("3")
    return train(folder, toy_recipe(toy), FOUR_STEPS)


def test_it_trains_without_an_error_in_any_log(whole: Run) -> None:
    assert (whole.code, whole.errors) == (0, []), whole.explain()
    assert list(whole.series("training/global_step")) == [1, 2, 3, 4]
    assert all(len(whole.responses(step)) == 8 * 4 for step in range(1, 5))
    assert (whole.folder / "checkpoints" / "global_step_3" / "actor").is_dir()
    assert list(whole.series("val-core/toy_sums/reward/mean@1")) == [2, 4]


def test_the_rollout_has_the_weights_of_the_actor(whole: Run) -> None:
    differences = whole.series(DIFFERENCE)
    assert len(differences) == 4
    assert max(differences.values()) < 1e-6


def test_the_weights_do_change(whole: Run) -> None:
    assert min(whole.series("actor/grad_norm").values()) > 0
    assert whole.series("actor/kl_loss")[4] > 0, "the policy left the reference"


def test_a_resumed_run_generates_what_it_would_have_generated(whole: Run, resumed: Run) -> None:
    assert (resumed.code, resumed.errors) == (0, []), resumed.explain()
    assert list(resumed.series("training/global_step")) == [4]
    assert resumed.responses(4) == whole.responses(4)
    assert resumed.validation(4) == whole.validation(4)


def test_a_resumed_run_learns_what_it_would_have_learned(whole: Run, resumed: Run) -> None:
    for name in LOSSES:
        assert resumed.series(name)[4] == whole.series(name)[4], name


def test_weights_that_are_not_handed_over_show_in_the_log_probs(toy: Toy, tmp_path: Path) -> None:
    (tmp_path / "frozen_rollout.py").write_text(FROZEN)
    env = {"VERL_USE_EXTERNAL_MODULES": "frozen_rollout", "PYTHONPATH": str(tmp_path)}
    run = train(tmp_path / "run", toy_recipe(toy), env=env)
    assert run.code == 0, run.explain()
    differences = run.series(DIFFERENCE)
    assert differences[1] < 1e-6, "the first synchronisation took place"
    assert differences[3] > 1e-4, "a hundred times the difference of a run that hands them over, and more"


def test_lora_adapters_are_merged_into_the_rollout(toy: Toy, tmp_path: Path) -> None:
    lora = {"actor_rollout_ref.model.lora_rank": 4, "actor_rollout_ref.model.lora_alpha": 8}
    run = train(tmp_path, toy_recipe(toy), lora | {"actor_rollout_ref.actor.optim.lr": 1e-2})
    assert (run.code, run.errors) == (0, []), run.explain()
    assert max(run.series(DIFFERENCE).values()) < 1e-6
    assert min(run.series("actor/grad_norm").values()) > 0


def test_a_killed_run_leaves_no_process_and_had_begun_as_every_other(whole: Run, toy: Toy, tmp_path: Path) -> None:
    with launch(tmp_path, toy_recipe(toy), FOUR_STEPS) as running:
        running.wait_for_step(2)
        started = [process.pid for process in running.processes()]
        run = running.kill()
        assert running.processes() == []
    assert len(started) > 5, "Ray's processes were found"
    alive = [pid for pid in started if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]
    assert alive == []
    assert run.code is None
    assert run.responses(1) == whole.responses(1)
    assert run.series("actor/grad_norm")[2] == whole.series("actor/grad_norm")[2]
