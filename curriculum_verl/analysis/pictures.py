"""Which pictures an analysis has, each with words for those who do not see it."""

from collections.abc import Iterator
from dataclasses import dataclass

from curriculum_verl.analysis.analysis import Analysis
from curriculum_verl.analysis.charts import draw_bars, draw_changes, draw_distributions
from curriculum_verl.analysis.comparing import Change
from curriculum_verl.analysis.examples import Place
from curriculum_verl.analysis.figures import ALL, cell_of
from curriculum_verl.analysis.graphs import draw_graphs
from curriculum_verl.analysis.items import items_of
from curriculum_verl.analysis.measures import BY_NAME
from curriculum_verl.analysis.measuring import Judge
from curriculum_verl.analysis.strips import Strip, draw_strips

MOST_RUNS = 8  # in one picture: more lines or graphs would not be told apart


@dataclass(frozen=True, slots=True)
class Picture:
    """A file's name without its ending, its content, what it shows, and what one should know to read it."""

    name: str
    png: bytes
    alt: str
    caption: str


def pictures_of(analysis: Analysis) -> list[Picture]:
    """All that say something."""
    return [
        *_distributions(analysis),
        *_success(analysis),
        *_stages(analysis),
        *_changes(analysis),
        *_graphs(analysis),
        *_loops(analysis),
        *_side_by_side(analysis),
    ]


def _distributions(analysis: Analysis) -> Iterator[Picture]:
    cells = {run.run.name: cell_of(run).sketches for run in analysis.runs[:MOST_RUNS]}
    names = [analysis.length, "steps", "calls", "coherence"]
    middles = [
        f"{run}: " + ", ".join(f"{name} {sketches[name].quantile(0.5):.3g}" for name in names if sketches[name].count)
        for run, sketches in cells.items()
    ]
    alt = f"Distributions of {', '.join(names)}. Medians: {'; '.join(middles)}."
    unit = (
        "The runs' logs count tokens."
        if analysis.length == "tokens"
        else ("Length is in characters, since not every response has a count of tokens.")
    )
    yield Picture("distributions", draw_distributions(cells, names), alt, f"{unit} Every response counts once.")


def _success(analysis: Analysis) -> Iterator[Picture]:
    buckets = [*analysis.buckets, ALL] if len(analysis.buckets) > 1 else [ALL]
    found = {(one.run, one.bucket): one for one in analysis.figures if one.stage == ALL}
    alt = "Success by bucket: " + "; ".join(
        f"{run} in {bucket} {one.measures['success'].value:.0%}" for (run, bucket), one in found.items()
    )
    title, axis = "Success by bucket, with 95 % intervals", "bucket, easiest first"
    drawn = draw_bars(title, axis, analysis.names, buckets, found)
    caption = (
        "Each run on the prompts that it has itself. Every prompt counts once; responses to one prompt are kin, and "
        "the intervals know it."
    )
    yield Picture("success", drawn, f"{alt}.", caption)


def _stages(analysis: Analysis) -> Iterator[Picture]:
    runs = [run for run in analysis.runs if len(run.stages) > 1]
    if not runs:
        return
    stages = list(dict.fromkeys(stage for run in runs for stage in run.stages))
    found = {(one.run, one.stage): one for one in analysis.figures if one.bucket == ALL and one.stage != ALL}
    alt = "Success by stage: " + "; ".join(
        f"{run} in {stage} {one.measures['success'].value:.0%}" for (run, stage), one in found.items()
    )
    drawn = draw_bars("Success by stage, with 95 % intervals", "stage", [run.run.name for run in runs], stages, found)
    caption = "Stages draw other prompts: for a fair comparison see what changed on the same prompts."
    yield Picture("stages", drawn, f"{alt}.", caption)


def _changes(analysis: Analysis) -> Iterator[Picture]:
    kinds = list(dict.fromkeys(one.of for one in analysis.changes))
    for number, of in enumerate(kinds):
        changes = [one for one in analysis.changes if one.of == of and one.bucket == ALL][: 40 * len(BY_NAME)]
        if changes:
            name = "changes" if of == "runs" else f"changes_of_stages_{number + (kinds[0] != 'runs')}"
            title = "What changed between runs" if of == "runs" else f"What changed between {of}"
            yield Picture(name, draw_changes(title, changes), _said(changes), "On the prompts that both sides have.")


def _said(changes: list[Change]) -> str:
    told = (f"{one.before} to {one.after}, {one.in_words()} ({one.verdict})" for one in changes)
    return f"Changes: {'; '.join(told)}."


def _graphs(analysis: Analysis) -> Iterator[Picture]:
    cells = {run.run.name: cell_of(run) for run in analysis.runs[:MOST_RUNS]}
    if not any(cell.tools for cell in cells.values()):
        return
    said = []
    for run, cell in cells.items():
        total = max(1, cell.tools.total())
        said.append(f"{run}: " + ", ".join(f"{tool} {n / total:.0%}" for tool, n in cell.tools.most_common(8)))
    alt = f"Graphs of which tool follows which. Shares of attempted calls: {'; '.join(said)}."
    caption = (
        "Numbers at arrows are per cent of what comes after a tool. A response without a tool goes from start to end."
    )
    yield Picture("tools", draw_graphs(cells), alt, caption)


def _loops(analysis: Analysis) -> Iterator[Picture]:
    if not analysis.contrasts or not analysis.contrasts[0].stuck:
        return
    best = analysis.contrasts[0]
    strips = [
        _strip(analysis, f"{best.looping}: stuck in a loop", best.looping_at, f"loop score {best.loop_score:.2f}"),
        _strip(analysis, f"{best.exploring}: explores", best.exploring_at, f"exploration {best.exploration:.2f}"),
    ]
    said = analysis.loops_in_words()
    caption = "Found automatically: the greatest product of loop score and exploration of two responses to one prompt."
    prompt = analysis.texts[best.looping_at].id
    yield Picture("loops", draw_strips(f"Stuck in a loop, and exploring: prompt {prompt}", strips), said, caption)


def _side_by_side(analysis: Analysis) -> Iterator[Picture]:
    for number, one in enumerate(analysis.side_by_side, 1):
        strips = [_strip(analysis, name, place, "") for name, place in one.places.items()]
        prompt = analysis.texts[next(iter(one.places.values()))].id
        said = "; ".join(f"{strip.name}: {strip.said}, {len(strip.items)} items" for strip in strips)
        drawn = draw_strips(f"Prompt {prompt}: {one.why}", strips)
        caption = f"The first response that was logged of each; the prompt was chosen because {one.why}."
        yield Picture(f"trajectories_{number}", drawn, f"Trajectories of prompt {prompt}: {said}.", caption)


def _strip(analysis: Analysis, name: str, place: Place, more: str) -> Strip:
    text = analysis.texts[place]
    judging = analysis.reading.judging
    items = items_of(Judge(judging).read(text.response, text.prompt))
    verdict = "passes" if text.score >= judging.pass_threshold else "fails"
    step = "" if text.step is None else f"step {text.step}"
    said = ", ".join(part for part in (f"score {text.score:g}, {verdict}", more, step) if part)
    return Strip(name, said, items)
