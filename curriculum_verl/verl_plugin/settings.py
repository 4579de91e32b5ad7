"""What the curriculum block says to the plug-in alone: the engine knows nothing of trainers."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from curriculum_verl.curriculum.config import CurriculumConfig
from curriculum_verl.errors import ConfigError
from curriculum_verl.rewards.scorer import FINAL, ScoringSettings
from curriculum_verl.schema import Count, Name, Positive, Reader, Share

PREFIX = "curriculum_"  # before the name of verl's own trainer mode


@dataclass(frozen=True, slots=True)
class PluginSettings:
    """`cpu` asks for verl's CPU platform; `resume: force` takes over a state of other data or another recipe.

    A reward component that takes longer than `reward_timeout` seconds has failed, but for the verifiers of
    `scoring.final`, which have limits of their own; beyond `most_reward_failures`, the share of responses that a
    component could not score, the run ends. `group_size` is how many responses a prompt of a bucket gets, instead of
    rollout.n. `rollout_log` is a folder for every response, `metrics_file` what a monitor
    reads, by default curriculum.jsonl beside the checkpoints. `scoring` is what reward components are told.
    """

    cpu: bool = False
    resume: Literal["strict", "force"] = "strict"
    reward_timeout: Positive = 60.0
    most_reward_failures: Share = 0.1
    group_size: dict[str, Count] = field(default_factory=dict)
    rollout_log: Name | None = None
    metrics_file: Name | None = None
    scoring: ScoringSettings = field(default_factory=ScoringSettings)


OWN = {field.name for field in fields(PluginSettings)}


def engine_part(block: Mapping[str, Any]) -> dict[str, Any]:
    """What a curriculum block says to the engine."""
    return {str(key): value for key, value in block.items() if key not in OWN}


def read_settings(block: Mapping[str, Any]) -> PluginSettings:
    """What it says to the plug-in; all mistakes at once."""
    reader = Reader()
    own = {key: value for key, value in block.items() if key in OWN}
    settings: PluginSettings = reader.construct(PluginSettings, own, "curriculum")
    if reader.problems:
        raise ConfigError(reader.problems)
    return settings


def engine_block(config: Any) -> dict[str, Any]:
    """The engine's part of the block of a run's config."""
    return engine_part(_block(config))


def plugin_settings(config: Any) -> PluginSettings:
    """The plug-in's part."""
    return read_settings(_block(config))


def _block(config: Any) -> dict[str, Any]:
    from omegaconf import OmegaConf  # only where verl is: commands read recipes without it

    block = OmegaConf.to_container(config.curriculum, resolve=True) if config.get("curriculum") else {}
    if not isinstance(block, dict):
        raise ConfigError([f"curriculum: got {block!r}, expected a mapping"])
    return {str(key): value for key, value in block.items()}


def weighed(curriculum: CurriculumConfig) -> list[str]:
    """The reward components that a stage weighs, and `final`, which says whether a response passes."""
    used = {name for stage in curriculum.stages for name, weight in stage.rewards.items() if weight}
    return [name for name in curriculum.component_names if name in used | {FINAL}]
