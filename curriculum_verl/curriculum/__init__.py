"""The engine: pure Python and NumPy; everything that decides lives here and runs without a model."""

from curriculum_verl.curriculum.config import CurriculumConfig
from curriculum_verl.curriculum.curriculum import Curriculum, Draw
from curriculum_verl.curriculum.decisions import Alert, Decision, Transition
from curriculum_verl.curriculum.index import PromptIndex
from curriculum_verl.curriculum.loading import load_config
from curriculum_verl.curriculum.tracker import Rate, Tracker

__all__ = [
    "Alert",
    "Curriculum",
    "CurriculumConfig",
    "Decision",
    "Draw",
    "PromptIndex",
    "Rate",
    "Tracker",
    "Transition",
    "load_config",
]
