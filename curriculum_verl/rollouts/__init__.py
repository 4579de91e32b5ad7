"""Reading rollouts: prompts with their scored responses, in every accepted format, streamed from files of any size."""

from curriculum_verl.rollouts.content import Rollout
from curriculum_verl.rollouts.files import rollout_files
from curriculum_verl.rollouts.reading import read_rollouts

__all__ = ["Rollout", "read_rollouts", "rollout_files"]
