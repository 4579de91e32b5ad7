"""The report: one HTML file that needs nothing but itself."""

from collections.abc import Sequence

from curriculum_verl.analysis.analysis import Analysis
from curriculum_verl.analysis.comparing import Change
from curriculum_verl.analysis.examples import Place
from curriculum_verl.analysis.figures import ALL
from curriculum_verl.analysis.measures import BY_NAME
from curriculum_verl.analysis.pictures import Picture
from curriculum_verl.analysis.tables import in_words, overview
from curriculum_verl.pages import Html, document, element, picture, section, table

HEAD, TAIL = 1500, 700  # characters of a long text that are shown; a loop or the answer often stands at its end
MOST_ROWS = 400  # of a table; all of them are in the CSV


def page(analysis: Analysis, pictures: Sequence[Picture], command: str) -> str:
    """The whole page."""
    drawn = {one.name: picture(one.png, one.alt, one.caption) for one in pictures}
    stages = [name for name in drawn if name.startswith("changes_of_stages")]
    return document(
        analysis.headline,
        element("h1", "Trajectories: " + ", ".join(analysis.names)),
        element("p", analysis.headline.partition(":")[0] + ".", class_="lead"),
        _warnings(analysis),
        _in_short(analysis),
        section("Success", *(drawn[name] for name in ("success", "stages") if name in drawn), _overview(analysis)),
        section("How responses spread", drawn["distributions"]),
        _tools(analysis, drawn),
        _changes(analysis, [drawn[name] for name in ("changes", *stages) if name in drawn]),
        _loops(analysis, drawn),
        _side_by_side(analysis, drawn),
        _origin(analysis, command),
    )


def _warnings(analysis: Analysis) -> Html:
    if not analysis.warnings:
        return Html()
    items = (element("li", warning) for warning in analysis.warnings)
    return element("div", element("strong", "Warnings"), element("ul", *items), class_="warning", role="note")


def _in_short(analysis: Analysis) -> Html:
    pairs = (element("li", element("strong", who), f": {said}") for who, said in in_words(analysis))
    return section("In short", element("ul", *pairs, element("li", analysis.loops_in_words())))


def _overview(analysis: Analysis) -> Html:
    heads, rows = overview(analysis)
    named = [
        [
            " / ".join(part for part in row[:3] if part),
            row[3],
            *(text.replace(" ", "\N{NO-BREAK SPACE}") for text in row[5:]),
        ]
        for row in rows[:MOST_ROWS]
    ]
    return table(["", heads[3], *heads[5:]], named)


def _tools(analysis: Analysis, drawn: dict[str, Html]) -> Html:
    if "tools" not in drawn:
        return section("Tools", element("p", "No response calls a tool."))
    return section("Tools", drawn["tools"])


def _changes(analysis: Analysis, drawn: Sequence[Html]) -> Html:
    if not analysis.changes:
        return Html()
    heads = ("", "measure", "prompts", "before", "after", "change", "95 % interval", "verdict")
    told = [
        one
        for one in analysis.changes
        if (one.bucket == ALL or one.measure == "success") and (one.of == "runs" or one.change.sign)
    ]
    rows = [_change(one) for one in told[:MOST_ROWS]]
    said = (
        "Means over the prompts that both sides have; responses to a prompt stay together when prompts are drawn anew. "
        "Clear: the interval leaves 0 out. Where nothing but chance is at work, one row in twenty looks clear. By "
        "bucket only success stands here, and between stages only what is clear; changes.csv has all."
    )
    return section("The same prompts", *drawn, element("p", said), table(heads, rows))


def _change(one: Change) -> tuple[str, ...]:
    measure, change = BY_NAME[one.measure], one.change
    within = "-"
    if change.low is not None and change.high is not None:
        within = f"{measure.number(change.low, sign=True)} to {measure.number(change.high, sign=True)}"
    where = "" if one.bucket == ALL else f", {one.bucket}"
    of = "" if one.of == "runs" else f" ({one.of})"
    shown = (measure.shown(one.first), measure.shown(one.second), measure.shown(change.value, sign=True), within)
    cells = (text.replace(" ", "\N{NO-BREAK SPACE}") for text in shown)
    verdict = element("strong", f"clear: {one.direction}") if change.sign else "not clear"
    return (f"{one.before} → {one.after}{where}{of}", measure.short, f"{one.prompts:,}", *cells, verdict)


def _loops(analysis: Analysis, drawn: dict[str, Html]) -> Html:
    parts = [element("p", analysis.loops_in_words())]
    if "loops" in drawn:
        best = analysis.contrasts[0]
        named = {f"{best.looping} (loops)": best.looping_at, f"{best.exploring} (explores)": best.exploring_at}
        parts += [drawn["loops"], _texts(analysis, named)]
    if len(analysis.contrasts) > 1 and analysis.contrasts[0].stuck:
        rows = [
            (
                analysis.texts[one.looping_at].id,
                one.looping,
                one.exploring,
                *(f"{number:.2f}" for number in (one.loop_score, one.exploration, one.score)),
            )
            for one in analysis.contrasts
            if one.stuck
        ]
        parts.append(table(("prompt", "loops", "explores", "loop score", "exploration", "contrast"), rows))
    return section("Stuck in a loop, and exploring", *parts)


def _side_by_side(analysis: Analysis, drawn: dict[str, Html]) -> Html:
    parts = []
    for number, one in enumerate(analysis.side_by_side, 1):
        prompt = analysis.texts[next(iter(one.places.values()))].id
        heading = element("h3", f"Prompt {prompt}: {one.why}")
        parts += [heading, drawn[f"trajectories_{number}"], _texts(analysis, one.places)]
    return section("The same prompt, side by side", *parts) if parts else Html()


def _texts(analysis: Analysis, places: dict[str, Place]) -> Html:
    texts = {name: analysis.texts[place] for name, place in places.items()}
    prompt = next(iter(texts.values())).prompt
    shown = "".join(_text(name, text.response) for name, text in texts.items())
    return element("article", _text("Prompt", prompt), element("div", Html(shown), class_="texts"))


def _text(title: str, text: str) -> Html:
    cut = max(0, len(text) - HEAD - TAIL)
    said = f"{title}, {cut:,} of {len(text):,} characters cut from its middle" if cut else title
    parts = (text[:HEAD], element("mark", "… cut …"), text[-TAIL:]) if cut else (text,)
    body = element("pre", *parts, dir="auto", tabindex="0") if text.strip() else element("p", "empty", class_="none")
    return element("div", element("h4", said), body)


def _origin(analysis: Analysis, command: str) -> Html:
    rows = [
        (
            run.run.name,
            f"{len(run.run.files):,}",
            f"{run.lines:,}",
            f"{sum(count for count, _ in run.skipped.values()):,}",
            f"{run.left_out.total():,}",
            f"{run.responses:,}",
        )
        for run in analysis.runs
    ]
    heads = ("run", "files", "lines", "could not be used", "not asked for", "responses")
    definitions = [element("li", f"{measure.short}: {measure.words}") for measure in analysis.measures]
    return section(
        "Where this is from",
        table(heads, rows),
        element("h3", "Measures"),
        element("ul", *definitions),
        element("h3", "Made by"),
        element("pre", command, tabindex="0"),
    )
