"""Hugging Face's Trainer with a curriculum. All that names a private part of the Trainer stands here.

The Trainer's own ways that would break a curriculum, and what is done about each:
- its accelerated dataloader reads a batch ahead, so that a draw would lag behind a switch and be lost on resume:
  a plain one is used, with a generator of its own, so that making its iterator does not shift the run's randomness;
- an evaluation inside a callback calls the same callback again and clears what was pending: none is made there,
  a callback only asks for one, and every evaluation scores every bucket, so that any mix is known at once;
- the step count on resume is compared with the dataloader's length: it is that of the whole run, whatever the stage.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from safetensors import SafetensorError
from torch.distributed.fsdp import FSDPModule
from torch.utils.data import DataLoader, Dataset
from transformers import EvalPrediction, Trainer, TrainingArguments

from curriculum_verl.atomic import replacing
from curriculum_verl.errors import StateError
from curriculum_verl.rewards.scoring import Component
from curriculum_verl.runs.stage_checkpoints import STATE, keep_checkpoint, stage_folder, unshare
from curriculum_verl.sft.answers import UNJUDGED, answer, judge
from curriculum_verl.sft.checkpoints import FILES, SETTINGS, TRAINER_STATE, seal
from curriculum_verl.sft.config import EvaluationConfig
from curriculum_verl.sft.data import ROWS, ChatDataset, CurriculumDataset
from curriculum_verl.sft.packing import PLACES
from curriculum_verl.sft.sampler import CurriculumSampler
from curriculum_verl.sft.scoring import ACCURACY, LOSS, SCORE, bucket_metrics, by_bucket, row_accuracy, row_loss

ROOM = 1_000_000  # bytes; a disk that has fewer is full


@contextmanager
def own_names(model: Any) -> Iterator[None]:
    """Save weights by the names that they have in the model.

    Otherwise they get those of the model's first release, as the final model does, which other programs know. The
    Trainer, resuming, would find none of them and go on with the weights that training began with (LLaVA, for one).
    """
    conversions = getattr(model, "_weight_conversions", None)
    model._weight_conversions = []
    try:
        yield
    finally:
        model._weight_conversions = conversions


@contextmanager
def said_where(folder: Path) -> Iterator[None]:
    """Of a checkpoint that cannot be written, where it was, and whether the disk is full: torch says neither."""
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        full = shutil.disk_usage(folder).free < ROOM
        raise StateError(
            f"{folder}: cannot be written: {'the disk is full' if full else error}; make room, or write to another "
            "disk; --resume goes on from the checkpoint before it"
        ) from error


class CurriculumTrainer(Trainer):
    """Draws rows by the curriculum and scores them; what is decided then is the callback's to carry out."""

    def __init__(
        self,
        model: Any,
        arguments: TrainingArguments,
        tokenizer: Any,
        train: CurriculumDataset,
        validation: ChatDataset,
        evaluation: EvaluationConfig,
        verifier: Component | None,
        collator: Any,
    ):
        self.curriculum, self.validation = train.curriculum, validation
        self.stage_before = self.curriculum.stage_number  # as the present step began
        self.identity: dict[str, Any] = {}  # what a resumed run is compared with; see resuming.py
        self.test: ChatDataset | None = None
        self.keeps_best = False
        self.before_saving: Callable[[int], None] = lambda step: None
        self.restored = False  # whether the weights of an earlier step were loaded in the present one
        self._evaluation, self._verifier = evaluation, verifier
        self.counts_passes = verifier is not None  # then a score is a rate over so many samples
        self._evaluated: ChatDataset | None = None
        self._losses: list[torch.Tensor] = []
        self._rows: list[torch.Tensor] = []
        self._scores: list[torch.Tensor] = []
        super().__init__(
            model,
            arguments,
            collator,
            train,
            validation,
            tokenizer,
            compute_metrics=self._by_bucket,
        )

    # --- drawing

    def _get_train_sampler(self, train_dataset: Any = None) -> CurriculumSampler:
        size = self.get_total_train_batch_size(self.args)
        rank, processes = self.args.process_index, self.args.world_size
        return CurriculumSampler(self.curriculum, self.args.max_steps, size, rank=rank, processes=processes)

    def get_train_dataloader(self) -> DataLoader[Any]:
        """A plain dataloader; the Trainer itself moves batches to the device."""
        return DataLoader(
            cast(Dataset[Any], self.train_dataset),
            batch_size=self.args.per_device_train_batch_size,
            sampler=self._get_train_sampler(),
            collate_fn=self.data_collator,
            generator=torch.Generator(),
        )

    # --- training

    def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """The Trainer's, with its loss remembered."""
        loss = super().training_step(*args, **kwargs)
        self._losses.append(loss)
        return loss

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The Trainer's loss; on the way every training row gets its token accuracy."""
        given = {key: value for key, value in inputs.items() if key != ROWS}
        loss, outputs = super().compute_loss(model, given, return_outputs=True, num_items_in_batch=num_items_in_batch)
        if model.training:
            self._rows.append(inputs[ROWS])
            self._scores.append(row_accuracy(outputs.logits.detach(), given["labels"], given.get(PLACES)))
        return (loss, outputs) if return_outputs else loss

    def take_feedback(self) -> tuple[list[int], list[list[float]], float]:
        """Rows, their scores and the loss of the step, over all processes and the same in each."""
        rows, scores = torch.cat(self._rows), torch.cat(self._scores)
        loss = torch.stack(self._losses).sum().reshape(1)
        if self.args.world_size > 1:
            rows, scores, loss = (self.accelerator.gather(values.contiguous()) for values in (rows, scores, loss))
        for values in (self._rows, self._scores, self._losses):
            values.clear()
        return rows.tolist(), [[score] for score in scores.tolist()], float(loss.mean())

    # --- evaluation

    def prediction_step(
        self, model: Any, inputs: dict[str, Any], prediction_loss_only: bool, ignore_keys: Any = None
    ) -> tuple[Any, Any, Any]:
        """Loss and accuracy of every row instead of logits, which for a whole data set fit into no memory."""
        inputs = self._prepare_inputs(inputs)
        with torch.no_grad():
            loss, outputs = self.compute_loss(model, inputs, return_outputs=True)
            given = outputs.logits, inputs["labels"], inputs.get(PLACES)
            measured = torch.stack([row_loss(*given), row_accuracy(*given)], dim=1)
        return loss.detach().mean(), measured, inputs[ROWS]

    def _by_bucket(self, prediction: EvalPrediction) -> dict[str, float]:
        assert self._evaluated is not None
        index, rows = self._evaluated.index, np.asarray(prediction.label_ids)
        measures = np.asarray(prediction.predictions)
        found = {LOSS: by_bucket(index, rows, measures[:, 0]), ACCURACY: by_bucket(index, rows, measures[:, 1])}
        if self._verifier is not None:
            everyone, judged = np.arange(len(index)), np.array(self._judged())
            found[SCORE] = by_bucket(index, everyone, np.nan_to_num(judged))
            found[UNJUDGED] = by_bucket(index, everyone, np.isnan(judged).astype(np.float64))
        elif self._evaluation.score == "negative_loss":
            found[SCORE] = {bucket: -loss for bucket, loss in found[LOSS].items()}
        else:
            found[SCORE] = found[ACCURACY]
        return bucket_metrics(found, index.names)

    def _judged(self) -> list[float]:
        """The score of a generated answer to every sample; every process answers its share."""
        assert self._evaluated is not None
        assert self._verifier is not None
        rank, processes = self.args.process_index, self.args.world_size
        mine = self._evaluated.samples[rank::processes]
        model = self.model if self.is_fsdp_enabled else self.accelerator.unwrap_model(self.model)
        size, tokens = self._evaluation.batch_size, self._evaluation.max_new_tokens
        texts = answer(
            model, self.processing_class, mine, batch=size, new_tokens=tokens, synced_gpus=self.is_fsdp_enabled
        )
        scores = judge(self._verifier, mine, list(texts))
        shares = [scores] * processes
        if processes > 1:
            torch.distributed.all_gather_object(shares, scores)
        whole = [0.0] * len(self._evaluated)
        for share, found in enumerate(shares):
            whole[share::processes] = found
        return whole

    def evaluation_loop(self, dataloader: Any, *args: Any, **kwargs: Any) -> Any:
        """The Trainer's, over data whose buckets are known."""
        self._evaluated = dataloader.dataset
        return super().evaluation_loop(dataloader, *args, **kwargs)

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        """Weights that have just been taken back are not those that were evaluated."""
        better = False if self.restored else super()._determine_best_metric(metrics, trial)
        if better and self.keeps_best:
            self.control.should_save = True
        return better

    # --- checkpoints

    @property
    def root(self) -> Path:
        """The folder of the run."""
        return Path(str(self.args.output_dir))

    def stage_folder(self, number: int, step: int) -> Path:
        """Where the checkpoint of a stage that began after a step is kept."""
        return stage_folder(self.root, number, self.curriculum.config.stages[number].name, step)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """The curriculum's state first: a checkpoint counts once the Trainer has written its own."""
        self.before_saving(self.state.global_step)
        folder = self.root / f"checkpoint-{self.state.global_step}"
        if self.args.should_save:
            folder.mkdir(parents=True, exist_ok=True)
            for name in (TRAINER_STATE, FILES):  # of a run that was killed after it
                (folder / name).unlink(missing_ok=True)
            unshare(folder)
            self.curriculum.save(folder / STATE)
            with replacing(folder / SETTINGS) as file:
                file.write(json.dumps(self.identity, indent=1).encode())
        self.accelerator.wait_for_everyone()
        with own_names(self.accelerator.unwrap_model(cast(Any, self.model))), said_where(folder):
            super()._save_checkpoint(model, trial)
        self.accelerator.wait_for_everyone()  # every process has its files in the checkpoint
        if self.args.should_save:
            seal(folder)
        if self.stage_before != self.curriculum.stage_number or self.restored:
            self._keep_stage(folder)

    def _keep_stage(self, checkpoint: Path) -> None:
        if self.args.should_save and self.curriculum.config.checkpoint_stages:
            target = self.stage_folder(self.curriculum.stage_number, self.state.global_step)
            keep_checkpoint(checkpoint, target, lambda into: self.curriculum.save(into / STATE))
        self.accelerator.wait_for_everyone()

    def reshard(self) -> None:
        """Put every parameter of FSDP into its shards, as loading expects them: an evaluation leaves some whole."""
        for module in self.model_wrapped.modules():
            if isinstance(module, FSDPModule):
                module.reshard()

    def restore_weights(self, folder: Path) -> None:
        """Load model and optimizer as they were; steps go on, and with them the learning rate's schedule."""
        self.reshard()
        if self.is_fsdp_enabled:
            self._load_from_checkpoint(str(folder), self.model_wrapped)
        else:
            self._load_from_checkpoint(str(folder))
        assert self.optimizer is not None  # it is there once training has begun
        assert self.lr_scheduler is not None
        schedule = self.lr_scheduler.state_dict()
        self._load_optimizer_and_scheduler(str(folder))
        self.lr_scheduler.load_state_dict(schedule)
        for group, rate in zip(self.optimizer.param_groups, self.lr_scheduler.get_last_lr(), strict=True):
            group["lr"] = rate  # the optimizer's state had brought the old one back
        self.restored = True
