"""The tools that responses name: what counts as a call, and how often each is made."""

from collections import Counter
from functools import lru_cache

from curriculum_verl.monitor.rollouts import RolloutFolder
from curriculum_verl.rewards.settings import Operations
from curriculum_verl.rewards.trajectory import read_trajectory

MOST_PROMPTS = 64  # of a step that are read for a count
LONGEST = 200_000  # characters of a response that are read as steps and calls


@lru_cache(maxsize=16)
def operations_of(names: frozenset[str]) -> Operations:
    """The default operations and those that a run names; calls of others are shown as calls of unknown tools."""
    default = Operations().weights
    return Operations({**default, **dict.fromkeys(sorted(names - default.keys()), 1.0)})


def count_tools(folder: RolloutFolder, step: int) -> Counter[str]:
    """The calls of a step's responses by the tool's name; a sample of the prompts where there are many."""
    outlines = folder.read(step).outlines
    counts: Counter[str] = Counter()
    operations = operations_of(frozenset())
    for outline in outlines[:: max(1, len(outlines) // MOST_PROMPTS)]:
        for response in folder.texts(step, outline).response:
            if isinstance(response, str):
                calls = read_trajectory(response[:LONGEST], operations).operations
                counts.update(call.name for call in calls if call.name and call.name not in operations.thoughts)
    return counts
