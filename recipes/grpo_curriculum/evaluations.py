"""The command that evaluates what was trained; how to generate and to score follows from the recipe."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from curriculum_verl.commands.evaluate import build_parser

PYTHON = os.environ.get("PYTHON", sys.executable)
REPORT = "evaluation.json"
OWN_OPTIONS = ("--model", "--run", "--out", "--data", "--base-model", "-n", "--responses", "--dry-run", "--overwrite")
FUNCTION = "reward.custom_reward_function"


def flat(content: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """A config by dotted key."""
    found: dict[str, Any] = {}
    for key, value in content.items():
        found |= flat(value, f"{path}{key}.") if isinstance(value, Mapping) else {f"{path}{key}": value}
    return found


def beginning(known: Mapping[str, Any], model: str) -> str:
    """What a run begins with: an adapter that was made before, or the model."""
    return str(known.get("actor_rollout_ref.model.lora_adapter_path") or model)


def options(
    known: Mapping[str, Any], scoring: Path, responses: str, given: Sequence[str], *, cpu: bool, gpus: int | None = None
) -> Iterator[str]:
    """Those of `evaluate` that follow from what is trained, as far as they are not given; then the given ones.

    `known` is the config by dotted key, `scoring` a file that has its scoring.
    """
    yield from ("-n", responses)
    said = {option.partition("=")[0] for option in given}
    engine = "vllm" if known.get("actor_rollout_ref.rollout.name") == "vllm" and not cpu else "hf"
    found: dict[str, Any] = {"--backend": engine, "--max-tokens": known.get("data.max_response_length")}
    each = int(known.get("actor_rollout_ref.rollout.tensor_model_parallel_size") or 1) if engine == "vllm" else 1
    if each > 1:
        found["--tensor-parallel"] = each
    if not cpu and "--ray" not in said:
        found["--workers"] = max(1, (gpus or int(known.get("trainer.n_gpus_per_node") or 1)) // each)
    if not said & {"--verifier", "--scoring"}:
        found |= _scoring(known, scoring)
    for option, value in found.items():
        if option not in said and value is not None:
            yield from (option, str(value))
    yield from given


def command(models: Sequence[str], data: str, out: Path, base: str, told: Sequence[str]) -> list[str]:
    """The whole command; samples that a report has already are kept."""
    start = [PYTHON, "-P", "-m", "curriculum_verl.cli", "evaluate", "--model", *models]
    return [*start, "--data", data, "--out", str(out), "--base-model", base, *told]


def problems(given: Sequence[str]) -> Iterator[str]:
    """What is wrong with the options that a user gives."""
    ours = [option for option in given if option.partition("=")[0] in OWN_OPTIONS]
    yield from (f"{option} after --: this script sets it, leave it out" for option in ours)
    if not ours:
        said = io.StringIO()
        try:
            with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
                build_parser("after --").parse_args(["--model", "m", "--data", "d", "--out", "o.json", *given])
        except SystemExit:
            yield said.getvalue().rstrip().splitlines()[-1]


def _scoring(known: Mapping[str, Any], scoring: Path) -> dict[str, Any]:
    """By what the run scores: its own function, or the verifiers that its recipe names."""
    function = known.get(f"{FUNCTION}.path")
    if function:
        return {"--verifier": f"{function}:{known.get(f'{FUNCTION}.name') or 'compute_score'}"}
    named = any(key.startswith("curriculum.scoring.final") and value is not None for key, value in known.items())
    return {"--scoring": scoring} if named else {}
