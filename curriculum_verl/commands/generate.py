"""`curriculum-verl generate`: scored responses of a model to prompts, as bucketing reads them."""

import argparse
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from curriculum_verl.commands.arguments import count, filled, path
from curriculum_verl.commands.generation import add_backend, add_data, add_sampling, add_scoring, add_server, read_job
from curriculum_verl.errors import InputError
from curriculum_verl.words import counted

if TYPE_CHECKING:
    from curriculum_verl.generation.placing import Placing
    from curriculum_verl.generation.run import Done, Plan

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
    _add_where(parser.add_argument_group("where the work is done"))
    return parser


def _add_where(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--workers", type=count, metavar="N", help="processes on this machine, or on Ray (1, or its GPUs)"
    )
    group.add_argument(
        "--ray",
        nargs="?",
        const="",
        metavar="ADDRESS",
        help="a Ray cluster: at ADDRESS, else the one at hand, else a new one on this machine; a worker has a GPU of "
        "its own; model, data and DIR must be on storage that all its machines share",
    )
    group.add_argument("--shard", type=filled, default="1/1", metavar="I/N", help="only this part of the prompts")


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
    from curriculum_verl.generation.placing import Placing
    from curriculum_verl.generation.run import generate, look

    placing = Placing(args.workers, args.ray)
    if args.dry_run:
        print(_would(look(job), placing))
        return 0
    print(_did(generate(job, placing, overwrite=args.overwrite)))
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


def _did(done: "Done") -> str:
    counts = done.manifest["counts"]
    lines = [
        f"{counted(counts.get('rollouts', 0), 'rollout')} with {counted(counts['responses'], 'response')} and "
        f"{counts['tokens']:,} tokens"
        + (f", {done.speed:,.0f} tokens/s" if done.speed is not None else " (nothing was left to do)")
    ]
    if "saved_responses" in counts:
        right, wrong = (counts.get(f"stopped_{why}", 0) for why in ("all_right", "all_wrong"))
        lines.append(
            f"stopped early: {counted(right + wrong, 'prompt')} ({right:,} all right, {wrong:,} all wrong); saved "
            f"{counted(counts['saved_responses'], 'response')} and about {counts['saved_tokens']:,} tokens"
        )
    if counts["unscored"]:
        lines.append(f"{counted(counts['unscored'], 'response')} could not be scored and stand apart, with the reason")
    for reason, number in done.manifest["rejected"].items():
        lines.append(f"rejected: {reason}: {number:,} (in {done.places.rejects})")
    return "\n".join([*lines, f"{done.places.rollouts}\n{done.places.manifest}"])
