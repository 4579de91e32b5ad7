"""Fresh trajectories of checkpoints on chosen prompts, sampled as an evaluation samples, which is kept as well."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from curriculum_verl.analysis.runs import Run
from curriculum_verl.atomic import replacing
from curriculum_verl.errors import InputError
from curriculum_verl.evaluation.plan import Evaluation, Plan, look
from curriculum_verl.evaluation.prompts import Prompts, read_buckets
from curriculum_verl.evaluation.run import evaluate
from curriculum_verl.generation.data import read_prompts
from curriculum_verl.generation.folder import Places
from curriculum_verl.generation.job import Shard
from curriculum_verl.generation.placing import Placing
from curriculum_verl.outputs import work_folder
from curriculum_verl.rollouts.fields import ROLES
from curriculum_verl.rollouts.lines import numbered_lines
from curriculum_verl.words import counted

CHOSEN = "prompts.jsonl"
SHOWN = 5  # ids in a message


def sample(
    evaluation: Evaluation, ids: frozenset[str] | None, placing: Placing, *, overwrite: bool = False
) -> list[Run]:
    """Have every model answer, or go on where that was stopped; a run for each."""
    plan = _plan(evaluation, ids, overwrite)
    report = evaluate(plan, placing, overwrite=overwrite)
    runs = []
    for planned, model in zip(plan.models, report.models, strict=True):
        folder = plan.evaluation.samples / plan.evaluation.file(planned.model)
        warnings = [
            f"{planned.model.name}: {counted(n, 'response')} could not be scored: {why}" for why, n in _unscored(model)
        ]
        runs.append(
            Run(
                planned.model.name,
                (Places(folder, Shard()).rollouts,),
                buckets=tuple(plan.prompts.buckets),
                bucket_of_id=plan.prompts.bucket,
                fields=ROLES,
                warnings=tuple(f"{text} and are left out here" for text in warnings),
            )
        )
    return runs


def _unscored(model: Mapping[str, object]) -> Sequence[tuple[str, int]]:
    found = model["unscored"]
    return list(found.items()) if isinstance(found, dict) else []


def _plan(evaluation: Evaluation, ids: frozenset[str] | None, overwrite: bool) -> Plan:
    if ids is None:
        return look(evaluation, overwrite=overwrite)
    if evaluation.job.data.tasks:
        raise InputError("--prompts: chooses among the prompts of --data, and there are --tasks; take --limit")
    lines, prompts = _choose(evaluation, ids)
    evaluation.out.parent.mkdir(parents=True, exist_ok=True)
    with work_folder(evaluation.samples):
        evaluation.samples.mkdir(exist_ok=True)
        with replacing(evaluation.samples / CHOSEN) as file:
            file.writelines(lines)
    data = replace(evaluation.job.data, files=(str(evaluation.samples / CHOSEN),), limit=None)
    chosen = replace(evaluation, job=replace(evaluation.job, data=data), bucket_field=None, buckets=())
    return dataclasses.replace(look(chosen, overwrite=overwrite), prompts=prompts)


def _choose(evaluation: Evaluation, ids: frozenset[str]) -> tuple[list[bytes], Prompts]:
    """The lines of the prompts that were asked for, and their buckets."""
    data = replace(evaluation.job.data, limit=None)
    prompts = read_buckets(data, evaluation.bucket_field, evaluation.buckets)
    places = {prompt.place: prompt.id for prompt in read_prompts(data) if prompt.id in ids}
    if missing := sorted(ids - {*places.values()}):
        more = f" and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        raise InputError(
            f"--prompts: the data have no prompt {', '.join(missing[:SHOWN])}{more}; expected ids such as "
            f"{', '.join(list(prompts.bucket)[:SHOWN])}"
        )
    lines = []
    for path in dict.fromkeys(file for file, _ in places):
        for number, line in numbered_lines(Path(path)):
            if (path, number) in places:
                lines.append(line.rstrip(b"\n") + b"\n")
    bucket = {id_: prompts.bucket[id_] for id_ in places.values()}
    return lines, Prompts(bucket, [name for name in prompts.buckets if name in bucket.values()])
