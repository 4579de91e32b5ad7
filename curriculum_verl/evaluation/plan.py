"""What an evaluation would do: every path, prompt and setting is looked at before a model is loaded."""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from curriculum_verl.errors import ConfigError, InputError
from curriculum_verl.evaluation.figures import Measuring
from curriculum_verl.evaluation.prompts import Prompts, read_buckets
from curriculum_verl.evaluation.samples import Samples, read_samples
from curriculum_verl.evaluation.stages import Named
from curriculum_verl.evaluation.tables import require_pandas
from curriculum_verl.generation.checkpoints import Checkpoint, find_checkpoint
from curriculum_verl.generation.data import Catalogue, read_catalogue
from curriculum_verl.generation.folder import as_read, differences
from curriculum_verl.generation.job import Job
from curriculum_verl.generation.judging import check_scoring
from curriculum_verl.rewards.settings import Operations


@dataclass(frozen=True, slots=True)
class Evaluation:
    """`job` is what each model is asked, whatever its own model and output; `merged` is where merged models stay."""

    models: tuple[Named, ...]
    job: Job
    out: Path
    ks: tuple[int, ...] = (1,)
    operations: Operations = field(default_factory=Operations)
    bucket_field: str | None = None
    buckets: tuple[str, ...] = ()
    keep_responses: bool = False
    merged: Path | None = None

    def __post_init__(self) -> None:
        problems = []
        if self.out.suffix != ".json":
            problems.append(f"--out: got {self.out}, expected a name that ends in .json; table and chart go beside it")
        most = max(self.ks)
        if most > self.job.count:
            problems.append(f"--k: got {most}, expected at most the responses to a prompt, -n {self.job.count}")
        files = [self.file(model) for model in self.models]
        if len(set(files)) < len(files):
            problems.append("--model: two names differ in nothing but signs that no file name should have; rename one")
        if problems:
            raise ConfigError(problems, "arguments")

    @property
    def measuring(self) -> Measuring:
        """How figures are computed."""
        return Measuring(self.ks, self.job.scoring.final.pass_threshold, seed=self.job.seed)

    @property
    def samples(self) -> Path:
        """The folder of what was sampled, beside the report."""
        return self.out.with_suffix(".samples")

    def job_of(self, model: Named, checkpoint: Checkpoint | None) -> Job:
        """What one model is asked; the backend finds config and tokenizer, though not yet weights that are merged."""
        if checkpoint is None:
            return replace(self.job, backend=replace(self.job.backend, model=model.path, base_model=None))
        return checkpoint.asked(self.job, model.path)

    def file(self, model: Named) -> str:
        """The name under which a model's samples are kept."""
        return re.sub(r"[^\w.@+-]+", "_", model.name)


@dataclass(frozen=True, slots=True)
class Planned:
    """One model: what its path holds (a server's model has no path), and what is known of it already."""

    model: Named
    checkpoint: Checkpoint | None
    settings: dict[str, Any]
    known: Samples | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What an evaluation would do, after everything was looked at."""

    evaluation: Evaluation
    catalogue: Catalogue
    prompts: Prompts
    models: list[Planned]


def look(evaluation: Evaluation, *, overwrite: bool = False) -> Plan:
    """Read and check everything; nothing is written, and no model is loaded."""
    require_pandas()
    found = [(model, _checkpoint(model, evaluation)) for model in evaluation.models]
    catalogue = read_catalogue(evaluation.job.data)
    prompts = read_buckets(evaluation.job.data, evaluation.bucket_field, evaluation.buckets)
    check_scoring(evaluation.job.scoring)
    planned, problems = [], []
    for model, checkpoint in found:
        settings = _settings(evaluation, model, checkpoint, catalogue)
        known = None if overwrite else read_samples(evaluation.samples / f"{evaluation.file(model)}.json")
        if known is not None:
            problems += [f"{model.name}: {text}" for text in differences(known.settings, settings)]
            if evaluation.keep_responses and not (evaluation.samples / evaluation.file(model)).is_dir():
                known = None  # it was sampled, and its responses were not kept
        planned.append(Planned(model, checkpoint, settings, known))
    if problems:
        raise InputError(
            "\n  ".join(
                [
                    f"{evaluation.samples}: holds samples of other settings; take the same ones, another "
                    "--out, or --overwrite, which samples all models anew:",
                    *problems,
                ]
            )
        )
    return Plan(evaluation, catalogue, prompts, planned)


def _checkpoint(model: Named, evaluation: Evaluation) -> Checkpoint | None:
    backend = evaluation.job.backend
    return None if backend.kind == "openai" else find_checkpoint(model.path, backend.base_model)


def _settings(
    evaluation: Evaluation, model: Named, checkpoint: Checkpoint | None, catalogue: Catalogue
) -> dict[str, Any]:
    """All that decides about a model's samples."""
    job = evaluation.job_of(model, checkpoint)
    settings = job.settings(catalogue)
    settings["operations"] = sorted(evaluation.operations.weights)
    return as_read(settings)
