"""Six made-up steps told to verl's own trackers by the trainer's own code; one advance, one rollback, one alert."""

from pathlib import Path

from verl.utils.tracking import Tracking

from curriculum_verl.curriculum import Curriculum, PromptIndex
from curriculum_verl.runs.reporting import Reporter
from curriculum_verl.verl_plugin.modes import CurriculumSync

BLOCK = {
    "stages": [
        {"name": "warm up", "mix": {"easy": 1.0}, "exit": {"metric": "stage/steps", "at_least": 2}},
        {"name": "all", "mix": {"easy": 0.5, "hard": 0.5}},
    ],
    "rollback": {"threshold": -0.2, "cooldown": 100},
    "alerts": [{"name": "kl", "metric": "actor/ppo_kl", "above": 0.2}],
}
SCORES = {2: {"easy": 0.75, "hard": 0.5}, 4: {"easy": 0.5, "hard": 0.25}, 6: {"easy": 1.0, "hard": 0.25}}


class Run(CurriculumSync):
    """The trainer without verl's part of it."""

    def __init__(self) -> None:
        self.curriculum = Curriculum.from_config(BLOCK, PromptIndex.build({"easy": 4, "hard": 4}))
        self._reporter = Reporter(Path("curriculum.jsonl"), self.curriculum)
        self.logger = Tracking("project", "run", ["wandb", "tensorboard", "file", "console"], config={})

    def train(self) -> None:
        for step in range(1, 7):
            metrics = {"actor/ppo_kl": 0.5 if step == 5 else 0.1, "training/global_step": step}
            draw = self.curriculum.draw(4)
            metrics |= self._follow(
                self.curriculum.observe(step, draw.prompts, [[1.0, 0.0]] * 4, metrics=self._tested(metrics))
            )
            if step in SCORES:
                metrics |= self._follow(self.curriculum.evaluate(step, SCORES[step]))
                metrics |= {f"val/{bucket}": score for bucket, score in SCORES[step].items()}
            self._reporter.step(step, metrics, self.logger)
            self.logger.log(data=metrics, step=step)
        self.logger.finish()


if __name__ == "__main__":
    Run().train()
