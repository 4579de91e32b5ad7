"""What a recipe is played with: the run, and what stands for the model."""

from dataclasses import asdict, dataclass, field
from typing import Any

from curriculum_verl.simulation.run import RunSettings


@dataclass(frozen=True, slots=True)
class Setup:
    """The run that is simulated, and whether its model learns, how fast; else it answers as was logged."""

    run: RunSettings
    learns: bool = True
    learner: dict[str, float] = field(default_factory=dict)

    def values(self) -> dict[str, Any]:
        """Every value by its name."""
        return {**asdict(self.run), **self.learner, "learns": self.learns}

    def model_in_words(self, *, logged: bool) -> str:
        """What stands for the model."""
        if not self.learns:
            return "model: responses are those of the log, as they are: nothing is learned"
        return "model: a learner" + (" that starts where the rollouts stand, prompt by prompt" if logged else "")
