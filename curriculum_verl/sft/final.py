"""What a run leaves at its end: the final model, and its evaluation by bucket."""

import json
import logging
import re
from pathlib import Path
from typing import Any, cast

from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict

from curriculum_verl.atomic import replacing
from curriculum_verl.errors import InputError
from curriculum_verl.sft.checkpoints import best, checkpoints, mean_weights, step_of, taken_back
from curriculum_verl.sft.config import FinalModel, SftConfig
from curriculum_verl.sft.trainer import CurriculumTrainer

logger = logging.getLogger(__name__)

FINAL, REPORT = "final", "evaluation.json"
FULL = "FULL_STATE_DICT"  # of FSDP: one file that every Hugging Face model can be loaded from


def require_final_weights(trainer: CurriculumTrainer, config: SftConfig) -> None:
    """Refuse before training what could not be done after it."""
    if trainer.is_fsdp_enabled and not _is_last(config.training.final):
        kind = trainer.accelerator.state.fsdp_plugin.state_dict_type.name
        if kind != FULL:
            raise InputError(
                f"training.final: checkpoints of FSDP in parts ({kind}) cannot be averaged; "
                f"expected {{of: last, count: 1}}, or state_dict_type {FULL}"
            )


def finish(trainer: CurriculumTrainer, config: SftConfig) -> None:
    """Write the final model, and its evaluation on the test data, or where there is none on the validation data."""
    sources = take_final_weights(trainer, config)
    if trainer.is_fsdp_enabled:
        trainer.accelerator.state.fsdp_plugin.set_state_dict_type(FULL)  # whatever the checkpoints are
    trainer.save_model(str(trainer.root / FINAL))
    kind = "test" if config.data.test else "validation"
    data = trainer.test or trainer.validation
    metrics = trainer.evaluate(cast(Any, data), metric_key_prefix="test")
    if not trainer.is_world_process_zero():
        return
    names = ("score", "token_accuracy", "loss")
    report = {
        "step": trainer.state.global_step,
        "stage": trainer.curriculum.stage.name,
        "model": [path.name for path in sources] or "last step",
        "data": kind,
        "score": config.evaluation.score,
        "mean": {name: metrics[f"test_{name}"] for name in names},
        "buckets": {
            bucket: {"samples": size} | {name: metrics[f"test_{bucket}_{name}"] for name in names}
            for bucket, size in data.index.by_name(data.index.sizes).items()
        },
    }
    with replacing(trainer.root / REPORT) as file:
        file.write(json.dumps(report, indent=2).encode() + b"\n")


def take_final_weights(trainer: CurriculumTrainer, config: SftConfig) -> list[Path]:
    """Put the mean of the chosen checkpoints into the model; without a choice it is the last step's own."""
    final = config.training.final
    if _is_last(final):
        return []
    curriculum = trainer.curriculum
    restores = curriculum.config.rollback is not None and curriculum.config.rollback.restore == "weights"
    gone = taken_back(curriculum.transitions) if restores else set()
    found = [path for path in checkpoints(trainer.root) if step_of(path) not in gone]
    if final.of == "best":  # the score of a step that went back is not that of the weights in its checkpoint
        without = {switch.step for switch in curriculum.transitions if restores and switch.kind == "rollback"}
        chosen = best(found, trainer.state.log_history, final.count, without)
    else:
        chosen = found[-final.count :]
    if len(chosen) < final.count:
        logger.warning("training.final: got %d checkpoints, expected %d to average", len(chosen), final.count)
    weights: dict[str, Any] = dict(mean_weights(chosen))
    if config.lora is not None:  # a file of adapters leaves out the name that PEFT gives them in the model
        weights = {re.sub(r"\.(lora_\w+)\.", r".\1.default.", name): value for name, value in weights.items()}
    model = cast(Any, trainer.model if trainer.is_fsdp_enabled else trainer.accelerator.unwrap_model(trainer.model))
    options = StateDictOptions(full_state_dict=True, strict=False)  # tied weights are saved once
    trainer.reshard()
    unknown = set_model_state_dict(model, weights, options=options).unexpected_keys
    assert not unknown, unknown
    logger.warning("the final model is of step %s", ", ".join(str(step_of(path)) for path in chosen))
    return chosen


def _is_last(final: FinalModel) -> bool:
    return final.of == "last" and final.count == 1
