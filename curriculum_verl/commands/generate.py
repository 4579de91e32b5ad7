"""`curriculum-verl generate`: scored responses of a model to prompts, as bucketing reads them."""

import argparse
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from curriculum_verl.commands.arguments import count, filled, path
from curriculum_verl.commands.generation import add_backend, add_data, add_sampling, add_scoring, add_server, read_job
from curriculum_verl.commands.where import add_workers
from curriculum_verl.errors import InputError
from curriculum_verl.words import counted

if TYPE_CHECKING:
    from curriculum_verl.generation.placing import Placing
    from curriculum_verl.generation.run import Plan

PROG = "curriculum-verl generate"

DESCRIPTION = """Have a model answer every prompt several times, score the responses with the verifiers, and write
rollouts as `curriculum-verl bucket` reads them. A run that was stopped, even by kill -9, goes on where it was when it
is started again: no prompt is lost and none stands twice."""

EPILOG = """examples:
  curriculum-verl generate --model Qwen/Qwen2.5-1.5B-Instruct --data train.parquet --out rollouts -n 8 --backend vllm
  curriculum-verl generate --model checkpoints/lora --data preprocessed/manifest.json --out rollouts --split val -n 4
  curriculum-verl generate --model model --tasks reasoning_gym:chain_sum,size=200 --levels 0 1 2 --out rollouts
  curriculum-verl generate --model my-model --backend openai --url http://localhost:8000/v1 --data data.jsonl --out r
  curriculum-verl generate --model model --data data.jsonl --out rollouts -n 16 --stop-early --first 4 --workers 8
  curriculum-verl generate --model model --data data.jsonl --out rollouts --shard 2/8      # one of eight runs by hand
  curriculum-verl generate --model model --data data.jsonl --out rollouts --dry-run        # says what would be done
"""


def build_parser(prog: str = PROG) -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog=prog, description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--model",
        type=filled,
        required=True,
        metavar="PATH",
        help="a Hugging Face model or a LoRA adapter: a folder, or owner/name; for openai the server's name of it",
    )
    parser.add_argument("--out", type=path, required=True, metavar="DIR", help="a new folder, or one to go on with")
    parser.add_argument("--dry-run", action="store_true", help="read and check everything, say what would be done")
    parser.add_argument("--overwrite", action="store_true", help="replace what an earlier run wrote there")
    add_data(parser.add_argument_group("the prompts"))
    responses = parser.add_argument_group("the responses")
    add_sampling(responses)
    responses.add_argument(
        "--stop-early",
        action="store_true",
        help="prompts whose first responses are all right, or all wrong, get no more",
    )
    responses.add_argument("--first", type=count, metavar="N", help="with --stop-early: how many are looked at (3)")
    add_scoring(parser.add_argument_group("the scores"))
    add_backend(parser.add_argument_group("the backend"))
    add_server(parser.add_argument_group("a server (openai)"))
    where = parser.add_argument_group("where the work is done")
    add_workers(where)
    where.add_argument("--shard", type=filled, default="1/1", metavar="I/N", help="only this part of the prompts")
    return parser


def main(argv: Sequence[str] | None = None, prog: str = PROG) -> int:
    """Generate, and print what was done."""
    parser = build_parser(prog)
    args = parser.parse_args(argv)
    if not args.data and not args.tasks:
        parser.error("got no prompts, expected --data or --tasks")
    if args.first is not None and not args.stop_early:
        parser.error("--first: has a meaning with --stop-early only")
    first = (args.first or 3) if args.stop_early else None
    job = read_job(args, first=first, shard=_shard(args.shard))
    from curriculum_verl.generation.checkpoints import find_checkpoint
    from curriculum_verl.generation.merging import loaded_from
    from curriculum_verl.generation.placing import Placing
    from curriculum_verl.generation.run import generate, look
    from curriculum_verl.generation.telling import nothing_made, told

    placing = Placing(args.workers, args.ray)
    checkpoint = None if args.backend == "openai" else find_checkpoint(args.model, args.base_model)
    if checkpoint is not None:
        job = checkpoint.asked(job, args.model)
    if args.dry_run:
        print(_would(look(job), placing))
        return 0
    if checkpoint is not None and checkpoint.kind != "ready":
        look(job)  # before merging takes time
    aside = job.output.with_name(f".{job.output.name}{job.shard.suffix}.merged")
    with loaded_from(job, checkpoint, aside) as job:
        done = generate(job, placing, overwrite=args.overwrite)
    print("\n".join(told(done)))
    if (problem := nothing_made(done)) is not None:
        raise InputError(problem)
    return 0


def _shard(text: str) -> Any:
    from curriculum_verl.generation.job import Shard

    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if found is None:
        raise InputError(f"--shard: got {text!r}, expected I/N, such as 2/8")
    return Shard(int(found[1]), int(found[2]))


def _would(plan: "Plan", placing: "Placing") -> str:
    job = plan.job
    total = len(plan.positions)
    lines = [f"{counted(count, 'prompt')} of {source}" for source, count in plan.catalogue.sources.items()]
    if plan.catalogue.rejects:
        lines.append(f"{counted(len(plan.catalogue.rejects), 'line')} would go to the rejects")
    lines.append(f"{job.count} responses to each of {counted(total, 'prompt')}: {total * job.count:,}")
    on_ray = placing.ray_address is not None
    workers = "a worker for each GPU" if on_ray and placing.workers is None else counted(placing.workers or 1, "worker")
    lines.append(f"model {job.backend.model} by {job.backend.kind}, {workers}{' on Ray' if on_ray else ''}")
    lines.append(f"at most {total * job.count * job.sampling.max_tokens:,} tokens of responses")
    if plan.other is not None:
        lines.append(plan.other)
    elif plan.done:
        lines.append(f"{counted(plan.done, 'prompt')} of these are finished already")
    return "\n".join([*lines, f"into {job.output}; a dry run: nothing was written"])
