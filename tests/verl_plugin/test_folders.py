"""What stays of checkpoints whose weights verl has removed."""

from pathlib import Path

from curriculum_verl.verl_plugin.folders import forget_removed


def made(root: Path, *steps: int, weights: tuple[int, ...]) -> Path:
    for step in steps:
        folder = root / f"global_step_{step}"
        (folder / "actor").mkdir(parents=True) if step in weights else folder.mkdir(parents=True)
        for name in ("curriculum.json", "curriculum.json.1.npz", "rewards.json", "data.pt"):
            (folder / name).write_text("{}")
    return root


def forget(root: Path, step: int, kept: int | None) -> dict[int, int]:
    """How many files each checkpoint has afterwards, by its step."""
    forget_removed(root, step, kept)
    return {
        int(path.name.rpartition("_")[2]): sum(file.is_file() for file in path.iterdir())
        for path in root.glob("global_step_*")
    }


def test_the_state_of_a_checkpoint_goes_with_its_weights(tmp_path):
    made(tmp_path, 2, 4, 6, 8, weights=(6, 8))
    assert forget(tmp_path, 8, kept=2) == {2: 1, 4: 1, 6: 4, 8: 4}


def test_the_latest_stay_although_their_weights_are_on_another_machine(tmp_path):
    made(tmp_path, 2, 4, 6, 8, weights=())
    assert forget(tmp_path, 8, kept=2) == {2: 1, 4: 1, 6: 4, 8: 4}


def test_later_ones_of_a_run_that_went_back_do_not_count(tmp_path):
    made(tmp_path, 2, 4, 6, 8, weights=(2, 4, 6, 8))
    assert forget(tmp_path, 4, kept=1) == {2: 4, 4: 4, 6: 4, 8: 4}
    assert forget(made(tmp_path / "other", 2, 4, 6, weights=()), 4, kept=2) == {2: 4, 4: 4, 6: 4}


def test_without_a_limit_all_stay(tmp_path):
    made(tmp_path, 2, 4, 6, weights=(6,))
    assert forget(tmp_path, 6, kept=None) == {2: 4, 4: 4, 6: 4}
