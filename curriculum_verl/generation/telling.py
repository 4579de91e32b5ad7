"""What a finished run tells: how much was made, what it is worth, and why what is missing is missing."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

import msgspec

from curriculum_verl.generation.data import Reject
from curriculum_verl.generation.run import Done
from curriculum_verl.words import counted, printable


def told(done: Done) -> Iterator[str]:
    """Line by line, the files last."""
    counts = done.manifest["counts"]
    speed = f", {done.speed:,.0f} tokens/s" if done.speed else ""
    made = f"{counted(counts['rollouts'], 'rollout')} with {counted(counts['responses'], 'response')}"
    yield f"{made} and {_tokens(counts)}" + (" (nothing was left to do)" if done.speed is None else speed)
    if "saved_responses" in counts:
        yield from _stopped_early(counts)
    if uncounted := counts["uncounted"]:
        yield f"warning: the server gives no usage.completion_tokens for {counted(uncounted, 'response')}"
    if filtered := counts["filtered"]:
        yield f"warning: the server's content filter ended {counted(filtered, 'response')}: finish is content_filter"
    if counts["unscored"]:
        yield f"{counted(counts['unscored'], 'response')} could not be scored and stand apart, with the reason"
    for reason, number in done.manifest["rejected"].items():
        yield f"rejected: {reason}: {number:,} (in {done.places.rejects})"
    for message, number in _reasons(done).items():
        yield f"  {number:,} x {message}"
    yield str(done.places.rollouts)
    yield str(done.places.manifest)


def nothing_made(done: Done) -> str | None:
    """What is wrong with a run that has prompts and no rollout."""
    counts = done.manifest["counts"]
    if counts["rollouts"] or not counts["prompts"]:
        return None
    why = next(iter(_reasons(done)), "")
    return f"{counted(counts['prompts'], 'prompt')}, and not one rollout: {why}; mend that, and --overwrite"


def _tokens(counts: Mapping[str, int]) -> str:
    if not counts["uncounted"]:
        return f"{counts['tokens']:,} tokens"
    return f"at least {counts['tokens']:,} tokens" if counts["tokens"] else "an unknown number of tokens"


def _stopped_early(counts: Mapping[str, int]) -> Iterator[str]:
    right, wrong = (counts.get(f"stopped_{why}", 0) for why in ("all_right", "all_wrong"))
    tokens = f" and about {counts['saved_tokens']:,} tokens" if counts["saved_tokens"] else ""
    yield (
        f"stopped early: {counted(right + wrong, 'prompt')} ({right:,} all right, {wrong:,} all wrong); saved "
        f"{counted(counts['saved_responses'], 'response')}{tokens}"
    )
    yield "their pass rates are drawn to 0 and 1: good for choosing prompts, wrong for measuring a model"


def _reasons(done: Done) -> dict[str, int]:
    """The most frequent message of every kind of reject, most frequent first."""
    if not done.manifest["rejected"]:
        return {}
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    with done.places.rejects.open("rb") as file:
        for line in file:
            reject = msgspec.json.decode(line, type=Reject)
            found[reject.reason][reject.message] += 1
    top = [messages.most_common(1)[0] for messages in found.values()]
    return {printable(message): number for message, number in sorted(top, key=lambda one: -one[1])}
