"""A real GRPO run of verl on a CPU, watched from before its first line: stages, responses, a rollback, its end."""

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gradio")
pytest.importorskip("verl")

from chromium import Visit
from integration.curriculum_runs import BY_BUCKET, curriculum_recipe, ends_well, make_data
from integration.verl_runs import launch
from integration.verl_toy import make_toy
from monitor.watching import watched

STAGES = [
    {"name": "first", "mix": {"easy": 1.0}, "exit": {"metric": "stage/steps", "at_least": 3}},
    {"name": "second", "mix": {"easy": 0.5, "medium": 0.5}},  # its prompts score lower, so it is taken back
]
PATIENCE = 600_000  # milliseconds until verl has begun, where others use the machine


@pytest.mark.slow
def test_a_real_grpo_run_is_watched_from_its_start_to_a_rollback(browser: Any, tmp_path: Path) -> None:
    run, log = tmp_path / "run", tmp_path / "log"
    (run / "checkpoints").mkdir(parents=True)
    (tmp_path / "reward.py").write_text(BY_BUCKET)
    block = {"stages": STAGES, "rollback": {"threshold": -0.1}, "rollout_log": str(log)}
    recipe = curriculum_recipe(make_toy(tmp_path / "toy"), make_data(tmp_path / "data"), **block)
    overrides = {"reward.custom_reward_function.path": str(tmp_path / "reward.py")}
    with watched([run / "checkpoints"]) as address, Visit(browser, address) as visit:
        visit.page.set_default_timeout(PATIENCE)
        visit.until("#standing", "Waiting for")
        with launch(run, recipe, overrides) as running:
            visit.until("#standing", "stage first")
            visit.open("Trajectories")
            visit.until("#viewer-left", "Response 1")
            assert not running.metrics().get(6), "the responses of a step are seen before the run is over"
            visit.open("Curriculum")
            visit.until("#events", "from first to second")
            visit.until("#events", "from second to first")
            visit.until("#standing", "rollbacks 1")
            ends_well(running.wait())
        visit.until("#standing", "Ended at step 6")
        visit.open("Overview")
        stays, marks = visit.drawn("timeline")
        assert stays["y"] == ["first", "second", "first"]
        assert any("rollback from second to first" in text for text in marks["customdata"])
        visit.open("Trajectories")
        visit.until("#viewer-said", "Step 6: 8 prompts of 8, 32 responses")
        logged = json.loads((log / "rollout_000006.jsonl").read_text().splitlines()[0])
        visit.until("#viewer-left", f"prompt {logged['id']}")
        visit.check()
