"""A switch of stage by hand, made in the curriculum's state: the engine itself switches by its conditions only."""

from dataclasses import asdict

from curriculum_verl.curriculum import Curriculum
from curriculum_verl.curriculum.decisions import Transition
from curriculum_verl.errors import InputError


def switch_by_hand(curriculum: Curriculum, by: int) -> None:
    """Begin the stage that is so many further, after the last observed step; what was pending is forgotten."""
    stages = curriculum.config.stages
    target = curriculum.stage_number + by
    if not 0 <= target < len(stages):
        beyond = "the last" if by > 0 else "the first"
        raise InputError(f"stage {curriculum.stage.name!r} is {beyond}: there is none to switch to")
    kind = "advance" if by > 0 else "rollback"
    switch = Transition(curriculum.step, kind, curriculum.stage.name, stages[target].name, "by hand")  # type: ignore[arg-type]
    state = curriculum.state_dict()
    manager = state["manager"]
    state["manager"] = manager | {
        "stage": target,
        "stage_start": curriculum.step,
        "last_check": curriculum.step,
        "pending": None,
        "asked": False,
        "ask_from": 0,
        "replay": {},
        "end": None,
        "transitions": [*manager["transitions"], asdict(switch)],
    }
    curriculum.load_state_dict(state)
