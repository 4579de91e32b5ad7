"""The engine in one loop: draw, score, observe, validate, resume. Run: python examples/quickstart.py"""

import tempfile
from pathlib import Path

import numpy as np

from curriculum_verl.curriculum import Curriculum, PromptIndex, Rate

RECIPE = Path(__file__).parent / "three_stages.yaml"
index = PromptIndex.build({"easy": 1000, "medium": 1000, "hard": 1000}, data_hash="toy data")


def train(curriculum: Curriculum, last_step: int) -> None:
    """Steps of a stand-in for a model: it gets better by practice, and knows the easy bucket best."""
    for step in range(curriculum.step + 1, last_step + 1):
        draw = curriculum.draw(64)  # row numbers, their buckets, and the reward weights that they carry
        skill = np.clip(np.array([0.7, 0.4, 0.1]) + step / 250, 0, 1)
        random = np.random.default_rng(step)
        scores = random.random((64, 8)) < skill[draw.buckets][:, None]
        decision = curriculum.observe(step, draw.prompts, scores.astype(float))
        if decision.validate or step % 10 == 0:
            validation = {name: Rate(float(rate), 200) for name, rate in zip(index.names, skill, strict=True)}
            decision = curriculum.evaluate(step, validation)
        for switch in decision.transitions:
            print(f"step {step}: {switch.kind} from {switch.source} to {switch.target}, because {switch.reason}")


with tempfile.TemporaryDirectory() as folder:
    first = Curriculum.from_config(RECIPE, index)
    train(first, 60)
    first.save(Path(folder) / "curriculum.json")

    resumed = Curriculum.from_config(RECIPE, index)
    resumed.load(Path(folder) / "curriculum.json")
    assert resumed.draw(64).prompts.tolist() == first.draw(64).prompts.tolist()
    print(f"resumed at step {resumed.step} in stage {resumed.stage.name}, with the very prompts that come next")
    train(resumed, 120)
    print(f"at the end: stage {resumed.stage.name}, rewards {resumed.reward_weights()}")
