"""Recipes to be edited, with comments, and rollouts to play them on."""

import json
from pathlib import Path

TEXT = """# A recipe with comments.
trainer: {total_epochs: 3}  # not ours

curriculum:
  policy: {name: mixture}  # exact
  # how it begins
  stages:
    - name: first  # easy
      mix: {easy: 1.0}
      exit:
        any:
          - {metric: train/success_rate, window: 5, above: 0.99}  # noisy
          - {metric: stage/steps, at_least: 30}
    # how it goes on
    - name: second
      mix: {easy: 0.5, hard: 0.5}
      exit: {metric: stage/steps, at_least: 25}
    - name: third
      mix: {easy: 0.25, hard: 0.75}
  advance: {check_every: 5}
  rollback: {threshold: -0.5}
  replay_floor: 0.1
# the end
"""


def write_recipe(folder: Path, text: str = TEXT) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "recipe.yaml"
    path.write_text(text)
    return path


def write_rollouts(folder: Path) -> Path:
    """Two bucket files; easy ones pass in three of four, hard ones in one of four."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, passes in (("easy", 3), ("hard", 1)):
        rows = [
            {"id": f"{name}{n}", "prompt": f"{name} {n}", "reward": [1.0] * passes + [0.0] * (4 - passes)}
            for n in range(40)
        ]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder
