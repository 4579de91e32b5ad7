"""What is refused before Ray starts, on real parquet of our own pipeline and verl's real config."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("verl")
import yaml
from hydra import compose, initialize_config_dir
from integration.curriculum_runs import BLOCK, make_data
from omegaconf import OmegaConf, open_dict

from curriculum_verl.curriculum import Curriculum
from curriculum_verl.errors import ConfigError
from curriculum_verl.verl_plugin.preflight import prepare

RECIPE = {
    "defaults": ["ppo_trainer", "_self_"],
    "hydra": {"searchpath": ["pkg://verl.trainer.config"]},
    "data": {"train_batch_size": 8},
    "trainer": {"v1": {"trainer_mode": "curriculum_sync"}},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    return make_data(tmp_path_factory.mktemp("data")).parent


@pytest.fixture
def data(made, tmp_path) -> Path:
    """The manifest of data of one's own to spoil."""
    return Path(shutil.copytree(made, tmp_path / "data")) / "manifest.json"


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recipe")
    (folder / "recipe.yaml").write_text(yaml.safe_dump(RECIPE))
    with initialize_config_dir(str(folder), version_base=None):
        return compose("recipe")


@pytest.fixture
def config(base, data, tmp_path):
    made = base.copy()
    with open_dict(made):
        made.curriculum = BLOCK | {"data": str(data)}
        made.trainer.default_local_dir = str(tmp_path / "checkpoints")
    return made


def problems(config) -> str:
    with pytest.raises(ConfigError) as caught:
        prepare(config)
    return str(caught.value)


def rewrite(data: Path, name: str, change) -> None:
    """Change the rows of a file, as somebody might who edits data by hand; the manifest then names no hashes."""
    path = data.parent / name
    pq.write_table(pa.Table.from_pylist(change(pq.read_table(path).to_pylist())), path)
    manifest = json.loads(data.read_text())
    data.write_text(json.dumps({key: manifest[key] for key in ("version", "buckets", "ids_hash")}))


def test_files_and_reward_manager_follow_from_the_block(config, data):
    prepare(config)
    assert config.data.train_files == [
        str(data.parent / f"{name}_train.parquet") for name in ("easy", "medium", "hard")
    ]
    assert len(config.data.val_files) == 3
    manager = config.reward.reward_manager
    assert (manager.source, manager.name) == ("importlib", "CurriculumRewardManager")
    prepare(config)  # again, as a second look at the same config


def test_places_are_whole_paths_as_rays_processes_may_work_elsewhere(config, data, monkeypatch):
    monkeypatch.chdir(data.parent)
    with open_dict(config):
        config.curriculum.data, config.curriculum.rollout_log = "manifest.json", "log"
    prepare(config)
    assert (config.curriculum.data, config.curriculum.rollout_log) == (str(data), str(data.parent / "log"))
    assert config.data.val_files[0] == str(data.parent / "easy_val.parquet")


def test_a_mode_without_curriculum_beside_a_block_is_a_mistake(config):
    config.trainer.v1.trainer_mode = "sync"
    assert "got 'sync' beside a curriculum block; expected 'curriculum_sync'" in problems(config)


def test_a_mode_with_curriculum_and_no_block_is_a_mistake(config):
    with open_dict(config):
        del config.curriculum
    assert "curriculum.data: is missing" in problems(config)


def test_everything_is_told_together(config, data):
    (data.parent / "easy_train.parquet").write_bytes(b"")
    config.data.train_batch_size = 64
    config.data.filter_overlong_prompts = True
    config.trainer.use_v1 = False
    with open_dict(config):
        config.curriculum.resume = "maybe"
        config.curriculum.stages[1].mix = {"easy": 0.5, "mdium": 0.5}
    text = problems(config)
    for part in (
        "curriculum.resume: got the text 'maybe'",
        "unknown bucket 'mdium', expected one of easy, medium, hard; did you mean 'medium'?",
        "easy_train.parquet: got 0 bytes, the manifest says",
        "data.filter_overlong_prompts: got true",
        "trainer.use_v1: got false",
    ):
        assert part in text, part


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[:-2], "rows, the manifest says 72"),
        (lambda rows: [r | {"extra_info": {"curriculum_stage": "easy"}} for r in rows], "have no extra_info.index"),
        (lambda rows: [r | {"extra_info": None} for r in rows], "have no extra_info.index"),
        (lambda rows: [rows[0], *rows[:-1]], "extra_info.index 0 stands twice, expected every one once"),
        (
            lambda rows: [r | {"extra_info": r["extra_info"] | {"id": "same"}} for r in rows],
            "extra_info.id same stands twice",
        ),
        (
            lambda rows: [r | {"extra_info": r["extra_info"] | {"curriculum_stage": "hard"}} for r in rows],
            "got row 0 in bucket 'hard', the manifest says 'easy'",
        ),
    ],
)
def test_parquet_that_is_not_the_manifests(config, data, change, message):
    rewrite(data, "easy_train.parquet", change)
    assert message in problems(config)


def test_files_in_another_order(config, data):
    files = [str(data.parent / f"{name}_train.parquet") for name in ("hard", "medium", "easy")]
    config.data.train_files = files
    assert "data.train_files: got " + ", ".join(files) + ", expected the manifest's in their order" in problems(config)


def test_files_that_changed_since_the_manifest_was_written(config, data):
    path = data.parent / "hard_train.parquet"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    assert "got hash xxh3-128:" in problems(config)


def test_a_bucket_smaller_than_what_a_batch_takes_of_it(config):
    config.data.train_batch_size = 40
    text = problems(config)
    assert "curriculum.stages (first): a batch may take 40 prompts of bucket easy, which has " in text
    assert "curriculum.stages (second)" not in text, "half a batch is there"
    with open_dict(config):
        config.curriculum.policy = {"name": "posterior"}
    assert "curriculum.stages (second): a batch may take 40 prompts" in problems(config)


def test_uniform_takes_in_proportion_to_the_buckets_whatever_the_shares(config):
    with open_dict(config):
        config.curriculum.policy = {"name": "uniform"}
        config.curriculum.stages[1].mix = {"easy": 0.9, "medium": 0.1}
    config.data.train_batch_size = 40
    text = problems(config)
    assert "curriculum.stages (first): a batch of 40 prompts is larger than the stage's buckets together, " in text
    assert "curriculum.stages (second)" not in text, "both buckets together are large enough"


def test_a_bucket_without_validation_rows_that_a_stage_asks_for(config, data):
    manifest = json.loads(data.read_text())
    manifest["buckets"][2] |= {"validation_prompts": 0, "validation": []}
    data.write_text(json.dumps(manifest))
    config.trainer.test_freq = 5
    assert "curriculum.stages (third): bucket hard has no validation prompts" in problems(config)
    config.trainer.test_freq = -1
    assert "bucket hard has no validation prompts" in problems(config), "an exit waits for a validation"
    with open_dict(config):
        config.curriculum.stages[1].exit = {"metric": "stage/steps", "at_least": 2}
    prepare(config)  # a run that never validates needs none


def test_validation_rows_that_are_not_the_manifests(config, data):
    rewrite(data, "hard_val.parquet", lambda rows: rows[:1])
    assert "data.val_files: got 1 rows with extra_info.curriculum_stage 'hard', the manifest says" in problems(config)


def test_settings_that_do_not_go_with_checkpoints_of_stages(config):
    with open_dict(config):
        config.curriculum.rollback = {"restore": "weights"}
        config.actor_rollout_ref.actor.checkpoint.save_contents = ["model"]
        config.actor_rollout_ref.actor.checkpoint.async_save = True
        config.curriculum.group_size = {"eazy": 3}
    text = problems(config)
    assert "actor.checkpoint.save_contents: is without optimizer, extra" in text
    assert "actor.checkpoint.async_save: got true" in text
    assert "curriculum.group_size.eazy: is no bucket, expected one of easy, medium, hard" in text


def test_another_reward_manager(config):
    config.reward.reward_manager.name = "dapo"
    assert "reward.reward_manager: got 'dapo', which knows nothing of reward weights" in problems(config)


def test_what_would_break_a_run_of_hours_is_told_before_it(config):
    config.trainer.v1.trainer_mode = "curriculum_async"
    config.trainer.resume_mode = "resume_path"
    config.reward.reward_model.enable = True
    with open_dict(config):
        config.algorithm.filter_groups = {"enable": True, "metric": "acc"}
    text = problems(config)
    assert "unknown mode 'curriculum_async', expected one of curriculum_sync, curriculum_colocate_async" in text
    assert "trainer.resume_from_path: is missing" in text
    assert "reward.reward_model.enable: got true, but its scores go past reward weights" in text
    assert "algorithm.filter_groups.metric: got 'acc'" in text


def saved(config) -> Path:
    """A checkpoint after step 3, as verl marks it."""
    folder = Path(config.trainer.default_local_dir) / "global_step_3"
    folder.mkdir(parents=True)
    (folder.parent / "latest_checkpointed_iteration.txt").write_text("3")
    block = OmegaConf.to_container(config.curriculum)
    Curriculum.from_config({"curriculum": block}).save(folder / "curriculum.json")
    return folder


def test_a_resume_with_another_recipe_or_other_data_says_what_differs(config, data):
    folder = saved(config)
    prepare(config)
    config.curriculum.stages[0].name = "renamed"
    assert "stages[0].name: saved 'first', now 'renamed'" in problems(config)
    with open_dict(config):
        config.curriculum.resume = "force"
    assert "the saved run is in a stage that no longer exists: unknown stage 'first'" in problems(config)
    config.curriculum.stages[0].name = "first"
    config.curriculum.stages[1].name = "renamed"
    prepare(config)
    config.curriculum.stages[1].name, config.curriculum.resume = "second", "strict"
    manifest = json.loads(data.read_text())
    data.write_text(json.dumps(manifest | {"ids_hash": "xxh3-128:other"}))
    assert "data.hash: saved" in problems(config)
    (folder / "curriculum.json").unlink()
    assert "holds no curriculum; resume from a checkpoint of this run, or" in problems(config)


def test_main_ppo_stops_before_ray_with_the_message_alone(config, tmp_path):
    config.data.train_batch_size = 64
    values = {
        "defaults": ["ppo_trainer", {"optional platform": "${oc.env:VERL_PLATFORM,none}"}, "_self_"],
        "hydra": {"searchpath": ["pkg://verl.trainer.config", "pkg://curriculum_verl.verl_plugin.config"]},
        "curriculum": OmegaConf.to_container(config.curriculum),
        "data": {"train_batch_size": 64},
        "trainer": {"v1": {"trainer_mode": "curriculum_sync"}},
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(values))
    command = [sys.executable, "-m", "verl.trainer.main_ppo", "--config-path", str(tmp_path), "--config-name", "recipe"]
    clean = {key: value for key, value in os.environ.items() if not key.startswith("VERL_")}
    run = subprocess.run(
        [*command, "+curriculum.cpu=true"], cwd=tmp_path, env=clean, capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert "run: 4 problems\n  - curriculum.stages (first): a batch may take 64 prompts" in run.stderr
    assert "Traceback" not in run.stderr
    assert "Platform override from VERL_PLATFORM: cpu" in run.stderr, "and +curriculum.cpu=true was heard"
    assert "ray init kwargs" not in run.stdout
