"""What the curriculum block says to the plug-in alone: the engine knows nothing of trainers."""

from dataclasses import dataclass, fields
from typing import Any, Literal

from omegaconf import OmegaConf

from curriculum_verl.curriculum.config import CurriculumConfig
from curriculum_verl.errors import ConfigError
from curriculum_verl.schema import Reader, Share


@dataclass(frozen=True, slots=True)
class PluginSettings:
    """`cpu` asks for verl's CPU platform; `resume: force` takes over a state of other data or another recipe;
    beyond `most_reward_failures`, the share of responses that a component could not score, the run ends.
    """

    cpu: bool = False
    resume: Literal["strict", "force"] = "strict"
    most_reward_failures: Share = 0.1


def split_block(config: Any) -> tuple[dict[str, Any], PluginSettings]:
    """The engine's part of the curriculum block of a run's config, and the plug-in's."""
    block = OmegaConf.to_container(config.curriculum, resolve=True) if config.get("curriculum") else {}
    if not isinstance(block, dict):
        raise ConfigError([f"curriculum: got {block!r}, expected a mapping"])
    own = {field.name for field in fields(PluginSettings)}
    reader = Reader()
    settings = reader.construct(PluginSettings, {key: block[key] for key in own & block.keys()}, "curriculum")
    if reader.problems:
        raise ConfigError(reader.problems)
    return {str(key): value for key, value in block.items() if key not in own}, settings


def refuse_what_is_missing(config: CurriculumConfig) -> None:
    """What the engine can ask for and the trainer cannot do yet is an error, not something that never happens."""
    problems = []
    if config.rollback is not None and config.rollback.restore == "weights":
        problems.append("curriculum.rollback.restore: got 'weights', which the trainer cannot do yet; expected 'data'")
    if config.stop is not None:
        problems.append("curriculum.stop: the trainer cannot end a run early yet; leave it out")
    if problems:
        raise ConfigError(problems)
