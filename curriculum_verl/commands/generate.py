"""`curriculum-verl generate`: scored responses of a model to prompts, as bucketing reads them."""

import argparse
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from curriculum_verl.commands.arguments import count, filled, finite, path, share, whole
from curriculum_verl.errors import InputError
from curriculum_verl.words import counted

if TYPE_CHECKING:
    from curriculum_verl.generation.job import Job
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
    _add_data(parser.add_argument_group("the prompts"))
    _add_sampling(parser.add_argument_group("the responses"))
    _add_scoring(parser.add_argument_group("the scores"))
    _add_backend(parser.add_argument_group("the backend"))
    _add_server(parser.add_argument_group("a server (openai)"))
    _add_where(parser.add_argument_group("where the work is done"))
    return parser


def _add_data(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--data",
        type=filled,
        nargs="+",
        default=[],
        metavar="PATH",
        help="verl's parquet, JSON lines, folders, quoted globs, or the manifest.json of preprocessed data",
    )
    group.add_argument(
        "--split", choices=("train", "val", "all"), default="train", help="of a manifest's data (%(default)s)"
    )
    group.add_argument(
        "--tasks",
        type=filled,
        nargs="+",
        default=[],
        metavar="TASK",
        help="reasoning_gym:NAME, with size, level and the generator's own config as ,key=value",
    )
    group.add_argument("--levels", type=whole, nargs="+", default=[], metavar="N", help="of all tasks without one")
    group.add_argument("--task-size", type=count, default=100, metavar="N", help="tasks a level (%(default)s)")
    group.add_argument("--limit", type=count, metavar="N", help="only the first N prompts")
    group.add_argument("--system-prompt", type=filled, metavar="TEXT", help="in place of any that a prompt has")
    group.add_argument("--instruction", type=filled, metavar="TEXT", help="added to the user's last message")
    group.add_argument(
        "--fields",
        nargs="+",
        default=(),
        metavar="ROLE=FIELD",
        help="names of your fields: id, prompt, ground_truth, data_source, ability, extra_info",
    )
    group.add_argument(
        "--on-invalid",
        choices=("error", "reject"),
        default="error",
        help="a line that is no prompt, or a prompt that is too long: stop, or put it into rejects.jsonl (%(default)s)",
    )
    group.add_argument(
        "--on-duplicate",
        choices=("error", "first"),
        default="error",
        help="an id that stands twice: stop, or keep the first (%(default)s)",
    )


def _add_sampling(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("-n", "--responses", type=count, default=8, metavar="N", help="to each prompt (%(default)s)")
    group.add_argument("--temperature", type=finite, default=1.0, metavar="T", help="0 is greedy (%(default)s)")
    group.add_argument("--top-p", type=finite, default=1.0, metavar="P", help="(%(default)s)")
    group.add_argument("--top-k", type=whole, default=0, metavar="K", help="0: all tokens (%(default)s)")
    group.add_argument("--max-tokens", type=count, default=512, metavar="N", help="of a response (%(default)s)")
    group.add_argument("--stop", nargs="+", default=(), metavar="TEXT", help="a response ends before any of these")
    group.add_argument("--seed", type=whole, default=0, help="of responses and tasks (%(default)s)")
    group.add_argument(
        "--stop-early",
        action="store_true",
        help="prompts whose first responses are all right, or all wrong, get no more",
    )
    group.add_argument("--first", type=count, metavar="N", help="with --stop-early: how many are looked at (3)")


def _add_scoring(group: "argparse._ArgumentGroup") -> None:
    either = group.add_mutually_exclusive_group()
    either.add_argument(
        "--scoring", type=path, metavar="YAML", help="a file with the block `scoring` of a recipe, or a recipe itself"
    )
    either.add_argument(
        "--verifier",
        type=filled,
        metavar="NAME",
        help="one for all: exact, numeric, math, code, ..., module:name or file.py:name (default: by the task)",
    )


def _add_backend(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--backend", choices=("hf", "vllm", "openai"), default="hf", help="(%(default)s)")
    group.add_argument("--base-model", type=filled, metavar="PATH", help="of an adapter that names another or none")
    group.add_argument("--dtype", choices=("auto", "float32", "bfloat16", "float16"), default="auto")
    group.add_argument("--device", type=filled, default="auto", help="cpu, cuda, ...; hf only (%(default)s)")
    group.add_argument("--batch", type=count, metavar="N", help="responses at once (hf: 16)")
    group.add_argument("--context", type=count, metavar="N", help="most tokens of a prompt and its response")
    group.add_argument("--threads", type=count, default=1, metavar="N", help="of hf on a CPU (%(default)s)")
    group.add_argument("--no-thinking", action="store_true", help="tell the chat template enable_thinking=false")
    group.add_argument("--tensor-parallel", type=count, default=1, metavar="N", help="GPUs a worker; vllm")
    group.add_argument("--gpu-memory", type=share, default=0.9, metavar="SHARE", help="for vllm (%(default)s)")
    group.add_argument("--eager", action="store_true", help="vllm without CUDA graphs: starts faster, runs slower")


def _add_server(group: "argparse._ArgumentGroup") -> None:
    group.add_argument("--url", type=filled, metavar="URL", help="base URL, such as http://localhost:8000/v1")
    group.add_argument(
        "--api-key", type=filled, default="OPENAI_API_KEY", metavar="VARIABLE", help="that holds the key (%(default)s)"
    )
    group.add_argument("--concurrency", type=count, default=8, metavar="N", help="requests at once (%(default)s)")
    group.add_argument("--requests-per-minute", type=finite, metavar="N", help="at most")
    group.add_argument("--retries", type=whole, default=6, metavar="N", help="of a request that fails (%(default)s)")
    group.add_argument("--timeout", type=finite, default=600.0, metavar="S", help="of a request (%(default)s)")


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
    job = _job(args)
    from curriculum_verl.generation.placing import Placing
    from curriculum_verl.generation.run import generate, look

    placing = Placing(args.workers, args.ray)
    if args.dry_run:
        print(_would(look(job), placing))
        return 0
    print(_did(generate(job, placing, overwrite=args.overwrite)))
    return 0


def _job(args: argparse.Namespace) -> "Job":
    from curriculum_verl.generation.backend import Sampling
    from curriculum_verl.generation.data import Data
    from curriculum_verl.generation.job import Job
    from curriculum_verl.generation.judging import Scoring, read_scoring
    from curriculum_verl.generation.settings import BackendSettings
    from curriculum_verl.generation.tasks import parse_tasks
    from curriculum_verl.rollouts.fields import parse_fields

    data = Data(
        files=tuple(args.data),
        tasks=tuple(parse_tasks(args.tasks, args.task_size, args.levels)),
        sides=args.split,
        seed=args.seed,
        limit=args.limit,
        system_prompt=args.system_prompt,
        instruction=args.instruction,
        on_invalid=args.on_invalid,
        on_duplicate=args.on_duplicate,
        fields=parse_fields(args.fields),
    )
    backend = BackendSettings(
        kind=args.backend,
        model=args.model,
        base_model=args.base_model,
        dtype=args.dtype,
        device=args.device,
        batch=args.batch,
        context=args.context,
        threads=args.threads,
        template={"enable_thinking": False} if args.no_thinking else {},
        refused="skip" if args.on_invalid == "reject" else "error",
        tensor_parallel=args.tensor_parallel,
        gpu_memory=args.gpu_memory,
        eager=args.eager,
        url=args.url,
        api_key=args.api_key,
        concurrency=args.concurrency,
        requests_per_minute=args.requests_per_minute,
        retries=args.retries,
        timeout=args.timeout,
    )
    return Job(
        data=data,
        backend=backend,
        output=args.out,
        sampling=Sampling(args.temperature, args.top_p, args.top_k, args.max_tokens, tuple(args.stop)),
        count=args.responses,
        seed=args.seed,
        first=(args.first or 3) if args.stop_early else None,
        scoring=Scoring(read_scoring(args.scoring)) if args.scoring else Scoring(verifier=args.verifier),
        shard=_shard(args.shard),
    )


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
