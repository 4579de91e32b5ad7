"""Before Ray starts: fills in what follows from the curriculum block, and finds every mistake of the run at once."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf, open_dict

from curriculum_verl.curriculum import Curriculum
from curriculum_verl.curriculum.config import CurriculumConfig, metric_conditions
from curriculum_verl.curriculum.loading import load_config
from curriculum_verl.errors import ConfigError, CurriculumError, InputError, unknown_name
from curriculum_verl.manifest import Manifest, read_manifest
from curriculum_verl.rewards.scorer import Scorer
from curriculum_verl.runs.stage_checkpoints import STATE
from curriculum_verl.verl_plugin.data_check import data_problems, paths
from curriculum_verl.verl_plugin.entry import PLATFORM_VARIABLE, cpu_requested
from curriculum_verl.verl_plugin.folders import resumes_from
from curriculum_verl.verl_plugin.settings import PREFIX, PluginSettings, engine_block, plugin_settings, weighed

MANAGER = "CurriculumRewardManager"
MODULE = "pkg://curriculum_verl.verl_plugin.reward_manager"
MODES = ("sync", "colocate_async", "separate_async")
PLACES = ("data", "rollout_log", "metrics_file")
WHOLE = ("model", "optimizer", "extra")


def prepare(config: Any) -> None:
    """Make the config of a run with a curriculum ready, or raise a ConfigError with all that is wrong."""
    mode = OmegaConf.select(config, "trainer.v1.trainer_mode", default="")
    if not mode.startswith(PREFIX):
        expected = f"expected '{PREFIX}{mode}', or no curriculum block"
        raise ConfigError([f"trainer.v1.trainer_mode: got {mode!r} beside a curriculum block; {expected}"], "run")
    problems: list[str] = []
    block = _read(problems, lambda: engine_block(config)) or {}
    settings = _read(problems, lambda: plugin_settings(config)) or PluginSettings()
    manifest = _read(problems, lambda: read_manifest(block["data"])) if block.get("data") else None
    if not block.get("data"):
        problems.append("curriculum.data: is missing; expected the path of a manifest that preprocessing wrote")
    buckets = manifest.names if manifest is not None else None
    curriculum = _read(problems, lambda: load_config({"curriculum": block}, buckets))
    _fill_in(config, manifest)
    problems += _trainer_problems(config, settings)
    if manifest is not None:
        folder = Path(block["data"]).parent
        problems += data_problems(manifest, folder, paths(config.data.train_files), paths(config.data.val_files))
        problems += _group_problems(settings, manifest)
        if curriculum is not None:
            problems += _stage_problems(curriculum, manifest, config)
            problems += _checkpoint_problems(curriculum, config)
            problems += _scoring_problems(curriculum, settings, config)
    if not problems:  # what follows stands on all of it
        _read(problems, lambda: _check_resume(config, block, settings))
    if problems:
        raise ConfigError(problems, "run")


def _read(problems: list[str], read: Any) -> Any:
    """What is read, or None after its mistakes were noted."""
    try:
        return read()
    except ConfigError as error:
        problems += error.problems
    except CurriculumError as error:
        problems.append(str(error))
    return None


def _fill_in(config: Any, manifest: Manifest | None) -> None:
    """What a user need not write: the reward manager, the files that the manifest names, and whole paths.

    Ray's processes may have another working folder.
    """
    manager = config.reward.reward_manager
    with open_dict(config):
        for key in PLACES:
            place = (config.get("curriculum") or {}).get(key)
            if isinstance(place, str):
                config.curriculum[key] = str(Path(place).absolute())
        if manager.source == "register" and manager.name == "naive":  # verl's default
            manager.source, manager.name, manager.module.path = "importlib", MANAGER, MODULE
        if manifest is not None:
            folder = Path(config.curriculum.data).parent
            for key, files in (("train_files", manifest.train_files), ("val_files", manifest.validation_files)):
                if config.data.get(key) is None or "rlhf/gsm8k" in str(config.data[key]):  # verl's default
                    config.data[key] = [str(folder / name) for name in files]


def _trainer_problems(config: Any, settings: PluginSettings) -> Iterator[str]:
    mode = config.trainer.v1.trainer_mode
    if mode.removeprefix(PREFIX) not in MODES:
        modes = [PREFIX + name for name in MODES]
        yield f"trainer.v1.trainer_mode: {unknown_name('mode', mode, modes)}"
    if config.trainer.resume_mode == "resume_path" and not config.trainer.resume_from_path:
        yield "trainer.resume_from_path: is missing; expected the global_step_N to go on from, or resume_mode: auto"
    if config.reward.reward_model.enable:
        yield (
            "reward.reward_model.enable: got true, but its scores go past reward weights and buckets; expected false, "
            "and the model asked by reward.custom_reward_function"
        )
    groups = config.algorithm.get("filter_groups") or {}
    if groups.get("enable") and groups.get("metric") != "reward":
        yield (
            f"algorithm.filter_groups.metric: got {groups.get('metric')!r}, which a response that could not be scored "
            "lacks, and verl then ends the run; expected 'reward'"
        )
    if not config.trainer.use_v1:
        yield "trainer.use_v1: got false, but the curriculum is in verl's V1 trainers; expected true"
    if settings.cpu and not cpu_requested():
        yield (
            "curriculum.cpu: is only seen on the command line, as +curriculum.cpu=true or curriculum.cpu=true; "
            f"write it there, or set {PLATFORM_VARIABLE}=cpu"
        )
    manager = config.reward.reward_manager
    if manager.source != "importlib" or manager.name != MANAGER:
        yield (
            f"reward.reward_manager: got {manager.name!r}, which knows nothing of reward weights and buckets; leave it "
            "out, and give your scoring as reward.custom_reward_function"
        )
    if config.data.get("filter_overlong_prompts", False):
        yield (
            "data.filter_overlong_prompts: got true, which leaves out rows that the manifest counts; expected false; "
            "data.truncation says what becomes of a prompt that is too long"
        )
    for key in ("train_max_samples", "val_max_samples"):
        if config.data.get(key, -1) > 0:
            yield f"data.{key}: got {config.data[key]}, but the curriculum draws from all rows; expected -1"


def _group_problems(settings: PluginSettings, manifest: Manifest) -> Iterator[str]:
    for bucket in settings.group_size:
        if bucket not in manifest.names:
            yield f"curriculum.group_size.{bucket}: is no bucket, expected one of {', '.join(manifest.names)}"


def _stage_problems(curriculum: CurriculumConfig, manifest: Manifest, config: Any) -> Iterator[str]:
    batch = config.data.train_batch_size
    validates = _needs_validation(curriculum, config)
    sizes = {bucket.name: bucket for bucket in manifest.buckets}
    policy = curriculum.policy.name
    for stage in curriculum.stages:
        where = f"curriculum.stages ({stage.name})"
        mix = [(sizes[name], share) for name, share in stage.mix.items() if name in sizes and share > 0]
        together = sum(bucket.prompts for bucket, _ in mix)
        if policy == "uniform" and together < batch:
            yield (
                f"{where}: a batch of {batch} prompts is larger than the stage's buckets together, which have "
                f"{together}; lower data.train_batch_size, or make larger buckets"
            )
        for bucket, share in mix:
            # By policies other than these two a bucket may be given more than its share.
            taken = math.ceil(share * batch) if policy == "mixture" else batch
            if policy != "uniform" and bucket.prompts < taken:
                yield (
                    f"{where}: a batch may take {taken} prompts of bucket {bucket.name}, which has {bucket.prompts}; "
                    "lower data.train_batch_size or its share, or make larger buckets"
                )
            if validates and not bucket.validation_prompts:
                yield (
                    f"{where}: bucket {bucket.name} has no validation prompts, so it can never be judged; run "
                    "the preprocessing step with a --train-val-split below 1, or turn validation off"
                )


def _needs_validation(curriculum: CurriculumConfig, config: Any) -> bool:
    tested = [condition.metric for stage in curriculum.stages for condition in metric_conditions(stage.exit)]
    return (
        config.trainer.test_freq > 0
        or curriculum.rollback is not None
        or curriculum.probation is not None
        or curriculum.advance.validate_now
        or curriculum.advance.min_performance is not None
        or any(metric.startswith("val/") for metric in tested)
    )


def _checkpoint_problems(curriculum: CurriculumConfig, config: Any) -> Iterator[str]:
    checkpoint = config.actor_rollout_ref.actor.get("checkpoint", {})
    if curriculum.checkpoint_stages and checkpoint.get("async_save", False):
        yield (
            "actor_rollout_ref.actor.checkpoint.async_save: got true, but the checkpoint of a stage must be complete "
            "when the stage begins; expected false, or curriculum.checkpoint_stages: false"
        )
    if curriculum.rollback is not None and curriculum.rollback.restore == "weights":
        for key in ("save_contents", "load_contents"):
            missing = [part for part in WHOLE if part not in checkpoint.get(key, WHOLE)]
            if missing:
                yield (
                    f"actor_rollout_ref.actor.checkpoint.{key}: is without {', '.join(missing)}, which "
                    "curriculum.rollback.restore: weights restores; add it"
                )


def _scoring_problems(curriculum: CurriculumConfig, settings: PluginSettings, config: Any) -> Iterator[str]:
    scoring = settings.scoring
    function = config.reward.custom_reward_function.get("path")
    if scoring.final is not None and function:
        yield f"curriculum.scoring.final: stands beside reward.custom_reward_function {function}; expected one of them"
    for name in (*scoring.normalise, *scoring.parameters):
        if name not in curriculum.component_names:
            yield f"curriculum.scoring: {unknown_name('reward component', name, curriculum.component_names)}"
    try:
        Scorer(scoring, weighed(curriculum), curriculum.components, curriculum.pass_threshold)
    except ConfigError as error:
        yield from (f"curriculum.scoring: {problem}" for problem in error.problems)


def _check_resume(config: Any, block: dict[str, Any], settings: PluginSettings) -> None:
    """Load the state that the run will resume from into a curriculum that is then forgotten."""
    folder = resumes_from(config.trainer)
    force = settings.resume == "force"
    if folder is not None and (folder / STATE).exists():
        Curriculum.from_config({"curriculum": block}).load(folder / STATE, force=force)
    elif folder is not None and not force:
        what = f"{folder}: holds no curriculum; resume from a checkpoint of this run"
        raise InputError(f"{what}, or begin the curriculum there with curriculum.resume=force")
