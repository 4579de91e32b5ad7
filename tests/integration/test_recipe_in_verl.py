"""A recipe as run.sh runs it: verl's training, then the evaluation of what it began with, every stage, and its end."""

import json
from pathlib import Path

from integration.launch_scripts import start
from integration.verl_toy import Toy

TOLD = [
    "trainer.total_training_steps=2",
    "trainer.default_local_dir=output",
    "curriculum.advance.check_every=1",
    "curriculum.rollback=null",
    "curriculum.probation=null",
    "curriculum.stages.0.exit.any.1.at_least=1",
]


def test_a_run_ends_with_its_evaluation(toy: Toy, data: Path, tmp_path: Path) -> None:
    with start("run.sh three_stages", toy, data, tmp_path, *TOLD) as running:
        run = running.wait()
    assert run.code == 0, run.explain()
    assert not run.errors, run.explain()
    report = json.loads((tmp_path / "output" / "evaluation.json").read_text())
    assert [model["name"] for model in report["models"]] == ["before", "easy@1", "medium@2"]
    assert all(model["prompts"] == report["data"]["prompts"] > 0 for model in report["models"])
    assert report["sampling"]["responses"] == 2, "by --eval-responses"
    assert report["sampling"]["max_tokens"] == 4, "as in the run"
    assert str(toy.reward) in report["scoring"]["verifier"], "by what scored the run"
    assert {path.suffix for path in (tmp_path / "output").glob("evaluation.*")} >= {".json", ".csv", ".png"}
