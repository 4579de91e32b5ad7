"""The SFT recipe as frozen dataclasses: one YAML file, `key=value` over it, every mistake at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml

from curriculum_verl.curriculum.config import CurriculumConfig
from curriculum_verl.curriculum.loading import load_config
from curriculum_verl.curriculum.sources import plain, read_value, read_yaml
from curriculum_verl.errors import ConfigError, InputError
from curriculum_verl.rewards.verifiers.settings import FinalSettings
from curriculum_verl.schema import Count, Name, NotNegative, PartShare, Positive, Reader, Whole

Paths = Annotated[tuple[Name, ...], "a path or a list of paths"]
Dtype = Literal["float32", "bfloat16"]
Schedule = Literal["linear", "cosine", "constant", "constant_with_warmup", "inverse_sqrt"]
ScoreName = Literal["token_accuracy", "negative_loss", "answers"]


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """A folder or a name on the hub; `dtype` is that of the weights in memory, `vision` a model that sees images."""

    path: Name
    dtype: Dtype = "float32"
    attention: Name | None = None
    vision: bool = False


@dataclass(frozen=True, slots=True)
class DataConfig:
    """Chats in JSONL or parquet; `bucket_field` says the bucket of each, `buckets` their order, easiest first."""

    train: Paths
    validation: Paths
    buckets: tuple[Name, ...]
    test: Paths = ()
    bucket_field: Name = "difficulty"
    max_length: Count = 2048
    overlong: Literal["drop", "truncate"] = "drop"
    packing: bool = False


@dataclass(frozen=True, slots=True)
class FinalModel:
    """The model at the end is the mean of the `count` last or best checkpoints that were kept."""

    of: Literal["last", "best"] = "last"
    count: Count = 1


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """`batch_size` is of an optimizer step over all devices; gradients are accumulated as that asks.

    `early_stopping`: evaluations without a better mean score over the buckets, counted anew after every transition.
    """

    output: Name
    max_steps: Count
    batch_size: Count = 16
    device_batch_size: Count = 4
    learning_rate: Positive = 1e-5
    schedule: Schedule = "cosine"
    warmup_steps: Whole = 0
    weight_decay: NotNegative = 0.0
    max_grad_norm: NotNegative = 1.0
    seed: Whole = 0
    bf16: bool = False
    gradient_checkpointing: bool = False
    fsdp: bool = False
    eval_every: Count = 100
    save_every: Count = 100
    log_every: Count = 10
    keep: Count = 3
    early_stopping: Count | None = None
    trackers: tuple[Literal["wandb", "tensorboard"], ...] = ()
    metrics_file: Name | None = None
    resume: Literal["strict", "force"] = "strict"
    final: FinalModel = FinalModel()


@dataclass(frozen=True, slots=True)
class EvaluationConfig:
    """What a bucket's score is; `answers` generates and asks the verifier, the others read the given answers."""

    score: ScoreName = "token_accuracy"
    batch_size: Count = 8
    max_new_tokens: Count = 256
    verifier: FinalSettings = field(default_factory=lambda: FinalSettings(default="exact"))


@dataclass(frozen=True, slots=True)
class LoraConfig:
    """Adapters; `ranks` is a lora_rank_config.json with rank and alpha by module."""

    rank: Count = 16
    alpha: Count | None = None
    dropout: PartShare = 0.0
    target: tuple[Name, ...] = ()
    ranks: Name | None = None


@dataclass(frozen=True, slots=True)
class SftConfig:
    """The whole recipe. Without a lora block all weights are trained."""

    model: ModelConfig
    data: DataConfig
    training: TrainingConfig
    curriculum: CurriculumConfig
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    lora: LoraConfig | None = None


def read_config(path: str | Path, overrides: Sequence[str] = ()) -> SftConfig:
    """Read a recipe; a ConfigError names every mistake, of the curriculum block too."""
    raw = read_yaml(path)
    if not isinstance(raw, Mapping):
        raise ConfigError([f"got {type(raw).__name__}, expected a mapping with model, data, ..."], str(path))
    return build_config(apply_overrides(plain(raw, ""), overrides), str(path))


def build_config(raw: Mapping[str, Any], source: str = "SFT config") -> SftConfig:
    """The config of plain data."""
    reader = Reader(
        {Paths: lambda given, path: _paths(reader, given, path), CurriculumConfig: lambda given, path: given}
    )
    arguments = reader.arguments(SftConfig, raw, "sft")
    problems = [problem.removeprefix("sft.") for problem in reader.problems]
    data = arguments.get("data")
    buckets = data.buckets if isinstance(data, DataConfig) else None
    if "curriculum" in arguments:
        try:
            arguments["curriculum"] = load_config({"curriculum": arguments["curriculum"]}, buckets)
        except ConfigError as error:
            problems += error.problems
    if not problems:
        config = SftConfig(**arguments)
        problems += _across(config)
    if problems:
        raise ConfigError(problems, source)
    return config


def _across(config: SftConfig) -> list[str]:
    """What no single block can know."""
    problems = []
    training = config.training
    if len(set(config.data.buckets)) < len(config.data.buckets):
        problems.append(f"data.buckets: got {', '.join(config.data.buckets)}, expected every name once")
    if training.final.count > training.keep:
        problems.append(
            f"training.final.count: got {training.final.count}, but only {training.keep} checkpoints are kept; "
            f"expected at most that, or training.keep={training.final.count}"
        )
    for number, stage in enumerate(config.curriculum.stages):
        if stage.rewards != {"final": 1.0}:
            problems.append(f"curriculum.stages[{number}].rewards: has no meaning in fine-tuning, expected none")
    if config.lora is None and config.model.dtype == "bfloat16":
        problems.append(
            "model.dtype: got 'bfloat16' with lora: null, where small updates of the weights would be lost; "
            "expected float32, with training.bf16=true to compute in bfloat16"
        )
    if config.model.vision and config.data.packing:
        problems.append("data.packing: got true with model.vision=true, expected false: images cannot be packed")
    if config.model.vision and config.data.overlong == "truncate":
        problems.append("data.overlong: got 'truncate' with model.vision=true, expected 'drop': an image cannot be cut")
    if training.batch_size % training.device_batch_size:
        problems.append(
            f"training.batch_size: got {training.batch_size}, expected a multiple of "
            f"training.device_batch_size={training.device_batch_size}"
        )
    return problems


def _paths(reader: Reader, raw: Any, path: str) -> Any:
    return reader.read(tuple[Name, ...], [raw] if isinstance(raw, str) else raw, path)


def apply_overrides(raw: Any, overrides: Sequence[str]) -> dict[str, Any]:
    """The data with `a.b=value` put in; values are YAML, and a key that is not there yet is added."""
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not all(key.split(".")):
            raise InputError(f"got {override!r}, expected key=value such as training.max_steps=100")
        try:
            value = read_value(text)
        except (yaml.YAMLError, ValueError) as error:
            raise InputError(f"{key}: got {text!r}, expected a value in YAML") from error
        *parents, last = key.split(".")
        node = raw
        for parent in parents:
            node = node.setdefault(parent, {}) if node.get(parent) is not None else _put(node, parent)
            if not isinstance(node, dict):
                raise InputError(f"{override}: {parent} is no mapping that could hold {last!r}")
        node[last] = value
    result: dict[str, Any] = raw
    return result


def _put(node: dict[str, Any], key: str) -> dict[str, Any]:
    node[key] = {}
    child: dict[str, Any] = node[key]
    return child
