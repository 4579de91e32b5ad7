"""An evaluation from end to end: what is known already is kept, what is not is sampled, then all is put together."""

import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from curriculum_verl import __version__
from curriculum_verl.errors import InputError
from curriculum_verl.evaluation.figures import changes_of, figures_of
from curriculum_verl.evaluation.plan import Evaluation, Plan, Planned
from curriculum_verl.evaluation.report import Report, write
from curriculum_verl.evaluation.samples import Samples, condense, write_samples
from curriculum_verl.generation.fingerprint import digest
from curriculum_verl.generation.merging import loaded_from
from curriculum_verl.generation.placing import Placing
from curriculum_verl.generation.run import generate
from curriculum_verl.outputs import work_folder


def evaluate(plan: Plan, placing: Placing, *, overwrite: bool = False) -> Report:
    """Sample the models that are not known yet, and write the report."""
    evaluation = plan.evaluation
    with work_folder(evaluation.samples) as aside:
        evaluation.samples.mkdir(exist_ok=True)
        samples = {}
        for number, planned in enumerate(plan.models, start=1):
            name = planned.model.name
            if planned.known is None:
                print(f"evaluate: {name} ({number} of {len(plan.models)}): {planned.model.path}", file=sys.stderr)
                samples[name] = _sample(planned, evaluation, placing, overwrite)
            else:
                print(f"evaluate: {name} ({number} of {len(plan.models)}): is done already", file=sys.stderr)
                samples[name] = planned.known
        report = put_together(plan, samples)
        write(report, evaluation.out, aside / "report")
    return report


def _sample(planned: Planned, evaluation: Evaluation, placing: Placing, overwrite: bool) -> Samples:
    name = evaluation.file(planned.model)
    rollouts, result = evaluation.samples / name, evaluation.samples / f"{name}.json"
    result.unlink(missing_ok=True)
    job = replace(evaluation.job_of(planned.model, planned.checkpoint), output=rollouts)
    kept = evaluation.merged
    into = evaluation.samples / f".{name}.merged"
    if kept is not None:  # under a name that other weights would not have
        into = kept / f"{name}-{digest(planned.settings['model'])[:12]}"
    with loaded_from(job, planned.checkpoint, into, keep=kept is not None) as job:
        done = generate(job, placing, overwrite=overwrite)
    samples = condense(done.places, planned.settings, evaluation.operations)
    if not samples.answered:
        reason = next(iter(samples.skipped.values()), "there is none")
        raise InputError(f"{planned.model.name}: no prompt was answered, expected at least one; the first: {reason}")
    write_samples(samples, result)
    if not evaluation.keep_responses:
        gone = evaluation.samples / f".{name}.gone"  # at once: a folder under its own name is whole
        shutil.rmtree(gone, ignore_errors=True)
        rollouts.replace(gone)
        shutil.rmtree(gone)
    return samples


def put_together(plan: Plan, samples: Mapping[str, Samples]) -> Report:
    """Figures and changes of all models."""
    evaluation, prompts = plan.evaluation, plan.prompts
    answers = {name: found.answers(prompts.bucket) for name, found in samples.items()}
    figures = [
        one
        for name, given in answers.items()
        for one in figures_of(name, given, prompts.buckets, evaluation.measuring).values()
    ]
    models = [_described(planned, samples[planned.model.name]) for planned in plan.models]
    return Report(_facts(plan), models, figures, changes_of(answers, prompts.buckets, evaluation.measuring))


def _facts(plan: Plan) -> dict[str, Any]:
    evaluation, settings = plan.evaluation, plan.models[0].settings
    measuring = evaluation.measuring
    return {
        "package": __version__,
        "data": {
            "files": list(evaluation.job.data.files),
            "split": evaluation.job.data.sides,
            "hash": plan.catalogue.hash,
            "prompts": plan.catalogue.prompts,
            "buckets": plan.prompts.sizes,
        },
        "sampling": settings["sampling"] | {"responses": evaluation.job.count, "seed": evaluation.job.seed},
        "backend": {
            "kind": settings["backend"],
            "options": settings["backend_options"],
            "url": evaluation.job.backend.url,
        },
        "scoring": settings["scoring"],
        "versions": settings["versions"],
        "intervals": {
            "confidence": measuring.confidence,
            "success, pass_at, cut, tool_use": "Wilson's score interval, for as many trials as the prompts are worth",
            "score, tokens, changes": f"bootstrap over prompts, paired for changes, {measuring.draws} draws",
            "pass_threshold": measuring.pass_threshold,
        },
    }


def _described(planned: Planned, samples: Samples) -> dict[str, Any]:
    checkpoint = planned.checkpoint
    return {
        "name": planned.model.name,
        "path": planned.model.path,
        "kind": "server" if checkpoint is None else checkpoint.kind,
        "fingerprint": None if checkpoint is None else digest(planned.settings["model"]),
        "prompts": len(samples.answered),
        "tokens": samples.tokens,
        "skipped": samples.skipped,
        "unscored": samples.unscored,
    }


def warnings_of(report: Report) -> list[str]:
    """What a reader of the figures should know."""
    told = []
    for model in report.models:
        if skipped := model["skipped"]:
            first = next(iter(skipped.values()))
            told.append(
                f"{model['name']}: {len(skipped):,} prompts were not answered and do not count, such as: {first}"
            )
        if model["tokens"] is None:
            told.append(f"{model['name']}: the server does not count all tokens; lengths are of what it counts")
        for reason, count in model["unscored"].items():
            told.append(f"{model['name']}: {count:,} responses could not be scored and count as failed: {reason}")
    return told
