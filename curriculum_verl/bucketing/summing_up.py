"""From counts to what people are told: the summary with its warnings and examples."""

from collections.abc import Sequence
from pathlib import Path

from curriculum_verl.bucketing.cutting import Cuts
from curriculum_verl.bucketing.facts import Measure
from curriculum_verl.bucketing.groups import Sources
from curriculum_verl.bucketing.plan import Plan
from curriculum_verl.bucketing.settings import NAMES, Settings
from curriculum_verl.bucketing.summary import BucketSummary, Example, Histogram, Summary
from curriculum_verl.bucketing.tally import BucketTally, Tally
from curriculum_verl.errors import CurriculumError
from curriculum_verl.rollouts.content import ContentReader
from curriculum_verl.rollouts.scores import ScoreReader

UNEVEN = 1.5  # times its even share: a bucket this large is told to be so because of ties
WORDS = max(NAMES.values(), key=len)  # names whose order everybody knows


def summarise(plan: Plan, files: Sequence[Path], command: str, examples: bool) -> Summary:
    """All that a plan's report shows."""
    buckets = bucket_summaries(plan.tally)
    return Summary(
        metric=plan.settings.metric,
        direction=plan.settings.find_metrics()[0].direction,
        pass_threshold=plan.settings.pass_threshold,
        tie_break=plan.settings.tie_break,
        cuts=tuple(plan.cuts.axis.shown(place) for place in plan.cuts.places),
        buckets=buckets,
        histogram=histogram(plan.tally),
        ties=tuple(plan.ties),
        rejected=dict(plan.rejected),
        lines=plan.inputs.lines,
        blank=plan.inputs.blank,
        prompts=plan.prompts,
        examples=examples_of(plan.tally, plan.sources, plan.settings) if examples else {},
        warnings=(*plan.warnings, *warnings_of(buckets, plan.ties, plan.cuts, plan.settings)),
        inputs=tuple(map(str, files)),
        command=command,
    )


def bucket_summaries(tally: Tally) -> tuple[BucketSummary, ...]:
    """What is said of each bucket."""
    return tuple(
        BucketSummary(
            name=name,
            prompts=bucket.prompts,
            lines=bucket.lines,
            metric_min=bucket.metric_min,
            metric_max=bucket.metric_max,
            mean_score=bucket.mean(bucket.scores),
            pass_rate=bucket.mean(bucket.pass_rates),
            never_solved=bucket.mean(bucket.never),
            always_solved=bucket.mean(bucket.always),
        )
        for name, bucket in tally.buckets.items()
    )


def warnings_of(
    buckets: Sequence[BucketSummary], ties: Sequence[tuple[float, int]], cuts: Cuts, settings: Settings
) -> list[str]:
    """What a user should know before going on."""
    mixed = [bucket for bucket in buckets if bucket.never_solved and bucket.always_solved]
    found = [_mixed(bucket, settings) for bucket in mixed if _blind(settings)]
    known = [WORDS.index(name) for name in cuts.names if name in WORDS]
    if settings.thresholds is not None and known != sorted(known):
        found.append(
            "with --thresholds the names follow the metric from low to high, and these say the opposite of what the "
            f"buckets hold: easiest first they are {', '.join(cuts.names)}"
        )
    cut = [bucket for bucket in buckets if bucket.name in settings.bucket_names()]
    prompts = sum(bucket.prompts for bucket in cut)
    largest = max(cut, key=lambda bucket: bucket.prompts)
    if settings.thresholds is None and ties and largest.prompts > UNEVEN * prompts / len(cut):
        value, count = ties[0]
        found.append(
            f"{largest.name} holds {largest.prompts / prompts:.0%} of the prompts: {count:,} share the value {value:g} "
            f"and equal values stay together{settings.tied}"
        )
    return found


def _blind(settings: Settings) -> bool:
    """Whether the metric takes a prompt that is never solved for one that is always solved."""
    measure = Measure(settings)
    none, every = measure([0.0] * max(2, settings.k)), measure([1.0] * max(2, settings.k))
    return none[3] == every[3]


def _mixed(bucket: BucketSummary, settings: Settings) -> str:
    never, always = (round(share * bucket.prompts) for share in (bucket.never_solved, bucket.always_solved))
    return (
        f"{bucket.name} mixes {never:,} prompts that are never solved with {always:,} that are always solved: alike "
        f"for {settings.metric}, opposites for training; --split-degenerate gives them buckets of their own"
    )


def examples_of(tally: Tally, sources: Sources, settings: Settings) -> dict[str, tuple[Example, ...]]:
    """Prompts of each bucket to look at."""
    return {name: tuple(_examples(bucket, sources, settings)) for name, bucket in tally.buckets.items()}


def _examples(bucket: BucketTally, sources: Sources, settings: Settings) -> list[Example]:
    content, scores = ContentReader(settings.fields), ScoreReader(settings.fields)
    found = []
    for source, start, size, value in bucket.examples:
        line = sources.line(source, start, size)
        try:
            rollout = content.rollout(line)
            prompt = "\n\n".join(message["content"] for message in rollout.messages)
            best = rollout.scores.index(max(rollout.scores))
            response = rollout.responses[best] if rollout.responses else ""
            found.append(Example(prompt, tuple(rollout.scores), value, response))
        except CurriculumError:  # good enough to be bucketed, by its scores, but not to be shown as text
            found.append(Example(line.decode(errors="replace"), tuple(scores(line).scores), value, ""))
    return found


def histogram(tally: Tally) -> Histogram:
    """Prompts along the metric's axis."""
    counts = {name: tuple(bucket.bins.tolist()) for name, bucket in tally.buckets.items()}
    return Histogram(tuple(tally.edges.tolist()), counts)
