"""Options of every command that has a model generate: prompts, sampling, scores, backend; and the job they say."""

import argparse
from typing import TYPE_CHECKING, Any

from curriculum_verl.commands.arguments import count, filled, finite, path, share, whole

if TYPE_CHECKING:
    from curriculum_verl.generation.job import Job


def add_data(group: "argparse._ArgumentGroup") -> None:
    """Where the prompts come from."""
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


def add_sampling(group: "argparse._ArgumentGroup") -> None:
    """How responses are made."""
    group.add_argument("-n", "--responses", type=count, default=8, metavar="N", help="to each prompt (%(default)s)")
    group.add_argument("--temperature", type=finite, default=1.0, metavar="T", help="0 is greedy (%(default)s)")
    group.add_argument("--top-p", type=finite, default=1.0, metavar="P", help="(%(default)s)")
    group.add_argument("--top-k", type=whole, default=0, metavar="K", help="0: all tokens (%(default)s)")
    group.add_argument("--max-tokens", type=count, default=512, metavar="N", help="of a response (%(default)s)")
    group.add_argument("--stop", nargs="+", default=(), metavar="TEXT", help="a response ends before any of these")
    group.add_argument("--seed", type=whole, default=0, help="of responses, tasks and intervals (%(default)s)")


def add_scoring(group: "argparse._ArgumentGroup") -> None:
    """What judges them."""
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


def add_backend(group: "argparse._ArgumentGroup") -> None:
    """What generates them."""
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


def add_server(group: "argparse._ArgumentGroup") -> None:
    """For an OpenAI-compatible one."""
    group.add_argument("--url", type=filled, metavar="URL", help="base URL, such as http://localhost:8000/v1")
    group.add_argument(
        "--api-key", type=filled, default="OPENAI_API_KEY", metavar="VARIABLE", help="that holds the key (%(default)s)"
    )
    group.add_argument("--concurrency", type=count, default=8, metavar="N", help="requests at once (%(default)s)")
    group.add_argument("--requests-per-minute", type=finite, metavar="N", help="at most")
    group.add_argument("--retries", type=whole, default=6, metavar="N", help="of a request that fails (%(default)s)")
    group.add_argument("--timeout", type=finite, default=600.0, metavar="S", help="of a request (%(default)s)")


def read_job(args: argparse.Namespace, **more: Any) -> "Job":
    """What is to be generated; `more` are fields that only one of the commands has."""
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
        scoring=Scoring(read_scoring(args.scoring)) if args.scoring else Scoring(verifier=args.verifier),
        **more,
    )
