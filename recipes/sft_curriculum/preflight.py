"""What an SFT run needs, looked at before anything is loaded: every problem at once, each with what to do."""
# ruff: noqa: T201, TID251  # a command, above the engine

import argparse
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "grpo_curriculum"))

import checks  # beside the GRPO recipes: what a model folder must hold is the same

PACKAGES = ("torch", "transformers", "accelerate", "safetensors")


def check(recipe: Path, overrides: Sequence[str], resume: str | None, processes: int) -> Iterator[str]:
    """Packages, recipe, model, data, output folder and GPUs."""
    if not importlib.util.find_spec("curriculum_verl"):
        yield f"curriculum-verl is not installed in {sys.executable}: pip install 'curriculum-verl[verl]'"
        return
    from curriculum_verl.errors import ConfigError, CurriculumError
    from curriculum_verl.sft.config import read_config

    try:
        config = read_config(recipe, overrides)
    except ConfigError as error:
        yield from error.problems
        return
    except CurriculumError as error:
        yield str(error)
        return
    needed = [*PACKAGES, *(["peft"] if config.lora else []), *config.training.trackers]
    missing = [name for name in needed if not importlib.util.find_spec(name)]
    yield from (f"{name} is not installed in {sys.executable}: pip install {name}" for name in missing)
    yield from checks.check_model(config.model.path)
    for kind in ("train", "validation", "test"):
        for path in getattr(config.data, kind):
            if not Path(path).exists():
                yield f"data.{kind}: there is no {path}"
    if "torch" in missing or "safetensors" in missing:
        return
    from curriculum_verl.sft.checkpoints import find_checkpoint

    try:
        find_checkpoint(Path(config.training.output), resume)
    except CurriculumError as error:
        yield str(error)
    import torch

    found = torch.accelerator.device_count() if torch.accelerator.is_available() else 0
    if processes > max(1, found):
        yield f"--gpus {processes}: got {found} here; lower it, or look at nvidia-smi"


def main(argv: Sequence[str] | None = None) -> int:
    """0 if nothing stands in the way of a run."""
    parser = argparse.ArgumentParser(description="Check what an SFT run needs.")
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--resume", nargs="?", const="auto")
    parser.add_argument("--gpus", type=int, default=1)
    parser.add_argument("overrides", nargs="*")
    args = parser.parse_intermixed_args(argv)
    problems = list(check(args.recipe, args.overrides, args.resume, args.gpus))
    print("\n".join(f"  - {problem}" for problem in problems) or "ready to train")
    return min(1, len(problems))


if __name__ == "__main__":
    sys.exit(main())
