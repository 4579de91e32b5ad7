"""An SFT run from its config: data, model and trainer are built, trained, and what came of it is written."""

import json
import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerState, TrainingArguments, set_seed
from transformers.utils.logging import disable_progress_bar

from curriculum_verl.curriculum import Curriculum
from curriculum_verl.errors import InputError
from curriculum_verl.inference.attention import leave_cudnn_attention
from curriculum_verl.rewards.verifiers.registry import build_verifier
from curriculum_verl.runs.metrics_file import METRICS
from curriculum_verl.runs.reporting import Reporter
from curriculum_verl.runs.stage_checkpoints import STATE
from curriculum_verl.sft.answers import check_references
from curriculum_verl.sft.callback import CurriculumCallback, out_of_patience
from curriculum_verl.sft.checkpoints import TRAINER_STATE, find_checkpoint
from curriculum_verl.sft.config import SftConfig
from curriculum_verl.sft.console import speak_plainly
from curriculum_verl.sft.data import ChatDataset, Collator, CurriculumDataset, load_dataset
from curriculum_verl.sft.final import finish, require_final_weights
from curriculum_verl.sft.lora import add_adapters, linear_modules
from curriculum_verl.sft.model_path import require_model
from curriculum_verl.sft.packing import PackingCollator, attend_by_chat, require_packing
from curriculum_verl.sft.resuming import (
    half_removed,
    identity,
    later_checkpoints,
    locked,
    require_same_run,
    restore_stage,
    set_aside,
)
from curriculum_verl.sft.trackers import Trackers
from curriculum_verl.sft.trainer import CurriculumTrainer

logger = logging.getLogger(__name__)


def run_sft(config: SftConfig, resume: str | None = None) -> CurriculumTrainer:
    """Train, and write the final model and its evaluation; `resume` is a checkpoint, or auto for the last one."""
    if not sys.stderr.isatty():
        disable_progress_bar()  # type: ignore[no-untyped-call]
    root = Path(config.training.output)
    with locked(root, first=os.environ.get("RANK", "0") == "0"):
        checkpoint = find_checkpoint(root, resume)
        trainer = build_trainer(config)
        if checkpoint is not None:
            take_up(trainer, checkpoint, config)
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
        finish(trainer, config)
    if trainer.args.world_size > 1:  # a process that leaves while others still talk to it takes them down
        trainer.accelerator.wait_for_everyone()
        trainer.accelerator.end_training()
    return trainer


def take_up(trainer: CurriculumTrainer, checkpoint: Path, config: SftConfig) -> None:
    """Give the curriculum the state of a checkpoint; a run that had ended there trains no further."""
    training = config.training
    force = training.resume == "force"
    require_same_run(checkpoint, trainer.identity, force=force)
    for difference in trainer.curriculum.load(checkpoint / STATE, force=force):
        logger.warning("the resumed curriculum differs: %s", difference)
    state = TrainerState.load_from_json(str(checkpoint / TRAINER_STATE))
    later = later_checkpoints(trainer.root, checkpoint, state.global_step)
    trainer.accelerator.wait_for_everyone()
    if trainer.is_world_process_zero():
        set_aside([*later, *half_removed(trainer.root, state.global_step)])
    restore_stage(trainer, checkpoint, state.global_step)
    trainer.accelerator.wait_for_everyone()
    logger.warning("going on from %s", checkpoint)
    if trainer.curriculum.stopped or out_of_patience(training.early_stopping, state.log_history, trainer.curriculum):
        trainer.args.max_steps = state.global_step
    if state.global_step >= trainer.args.max_steps:
        logger.warning("nothing is left to train: step %d of %d", state.global_step, trainer.args.max_steps)


def build_trainer(config: SftConfig) -> CurriculumTrainer:
    """The trainer, with nothing trained yet."""
    training = config.training
    arguments = training_arguments(config)
    set_seed(training.seed)
    leave_cudnn_attention()
    tokenizer = load_tokenizer(config)
    train = cast(CurriculumDataset, load_dataset(tokenizer, config.data, config.data.train, CurriculumDataset))
    validation = load_dataset(tokenizer, config.data, config.data.validation)
    test = load_dataset(tokenizer, config.data, config.data.test) if config.data.test else None
    warn_of_leaks(train, {"data.validation": validation} | ({} if test is None else {"data.test": test}))
    train.curriculum = Curriculum.from_config(config.curriculum, train.index)
    verifier = build_verifier(config.evaluation.verifier) if config.evaluation.score == "answers" else None
    check_references(verifier, validation, test)
    trainer = CurriculumTrainer(
        load_model(config),
        arguments,
        tokenizer,
        train,
        validation,
        config.evaluation,
        verifier,
        build_collator(tokenizer, config),
    )
    if config.data.packing:
        require_packing(trainer.model, arguments.device)
    trainer.test, trainer.keeps_best = test, training.final.of == "best"
    hashes = {"train": train.index.data_hash, "validation": validation.index.data_hash}
    trainer.identity = identity(config, hashes)
    speak_plainly(trainer)
    trackers = Trackers(training.trackers, trainer.callback_handler.callbacks)
    path = Path(training.metrics_file or Path(training.output) / METRICS)
    reporter = Reporter(path, train.curriculum) if trainer.is_world_process_zero() else None
    require_final_weights(trainer, config)
    trainer.add_callback(CurriculumCallback(trainer, trackers, reporter, training.early_stopping))
    return trainer


def warn_of_leaks(train: ChatDataset, held_out: Mapping[str, ChatDataset]) -> None:
    """Chats that are learned and judged by show what was learned by heart."""
    asked = {json.dumps(sample.messages[:-1]) for sample in train.samples}
    for name, data in held_out.items():
        if shared := sum(json.dumps(sample.messages[:-1]) in asked for sample in data.samples):
            logger.warning("%s: %d of %d prompts are in the training data, too", name, shared, len(data))


def training_arguments(config: SftConfig) -> TrainingArguments:
    """The Trainer's own arguments."""
    training = config.training
    if training.fsdp and "WORLD_SIZE" not in os.environ:
        raise InputError("training.fsdp: a model is spread over several processes; start one a GPU: torchrun ...")
    arguments = TrainingArguments(
        output_dir=training.output,
        max_steps=training.max_steps,  # never left to the Trainer, which would count epochs of the data
        per_device_train_batch_size=training.device_batch_size,
        per_device_eval_batch_size=config.evaluation.batch_size,
        learning_rate=training.learning_rate,
        lr_scheduler_type=training.schedule,
        warmup_steps=training.warmup_steps,
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        seed=training.seed,
        bf16=training.bf16,
        gradient_checkpointing=training.gradient_checkpointing,
        gradient_checkpointing_kwargs={"use_reentrant": False},
        fsdp=cast(Any, training.fsdp or None),
        eval_strategy="steps",
        eval_steps=training.eval_every,
        save_strategy="steps",
        save_steps=training.save_every,
        save_total_limit=training.keep,
        logging_steps=training.log_every,
        metric_for_best_model="score",
        greater_is_better=True,
        report_to=list(training.trackers),
        remove_unused_columns=False,
        label_names=["labels"],
        logging_nan_inf_filter=False,  # a loss that is not finite ends the run; see callback.py
        dataloader_num_workers=0,  # workers would draw ahead, past a switch of stage
        ignore_data_skip=True,  # the curriculum's state says where the data goes on
        use_cpu=not torch.accelerator.is_available(),
        disable_tqdm=not sys.stderr.isatty(),
    )
    if arguments.n_gpu > 1:
        raise InputError(f"got {arguments.n_gpu} GPUs in one process; start one a GPU: torchrun --nproc-per-node ...")
    at_once = training.device_batch_size * arguments.world_size
    if training.batch_size % at_once:
        raise InputError(
            f"training.batch_size: got {training.batch_size}, expected a multiple of {at_once}: "
            f"training.device_batch_size={training.device_batch_size} on each of {arguments.world_size} devices"
        )
    arguments.gradient_accumulation_steps = training.batch_size // at_once
    return arguments


def load_tokenizer(config: SftConfig) -> Any:
    """The tokenizer, or the processor of a model that sees; it must be able to render chats."""
    require_model(config.model.path)
    if config.model.vision:
        from curriculum_verl.sft.vision import load_processor

        processing = load_processor(config.model.path)
        tokenizer = processing.tokenizer
    else:
        processing = tokenizer = AutoTokenizer.from_pretrained(config.model.path)
    if tokenizer.chat_template is None:
        raise InputError(f"{config.model.path}: its tokenizer has no chat template; take an instruct model, or set one")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return processing


def build_collator(tokenizer: Any, config: SftConfig) -> Any:
    """What makes a batch of rows."""
    if config.model.vision:
        from curriculum_verl.sft.vision import VisionCollator

        return VisionCollator(tokenizer)
    return PackingCollator() if config.data.packing else Collator(tokenizer.pad_token_id)


def load_model(config: SftConfig) -> Any:
    """The model, with adapters if the recipe wants them."""
    options = {} if config.model.attention is None else {"attn_implementation": config.model.attention}
    dtype = getattr(torch, config.model.dtype)
    lora = config.lora
    if config.model.vision:
        from curriculum_verl.sft.vision import language_modules, load_seeing

        model = load_seeing(config.model.path, dtype=dtype, **options)
        if lora is not None and not lora.target:
            lora = replace(lora, target=tuple(language_modules(model, linear_modules(model))))
    else:
        model = AutoModelForCausalLM.from_pretrained(config.model.path, dtype=dtype, **options)
    if config.data.packing:
        attend_by_chat(model)
    return model if lora is None else add_adapters(model, lora)
