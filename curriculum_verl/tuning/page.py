"""The page: fields on one side, what comes of the recipe on the other."""

from functools import partial

from curriculum_verl.pages import Html, element
from curriculum_verl.tuning.desk import Desk
from curriculum_verl.tuning.events import Events
from curriculum_verl.tuning.layout import lay_out
from curriculum_verl.tuning.model import Tuning
from curriculum_verl.web.page import Page
from curriculum_verl.web.quiet import gr, html

LOOK = """
#desk textarea { font: .82rem/1.5 ui-monospace, Menlo, Consolas, monospace; }
#desk .column { gap: .5rem; }
#desk :disabled { opacity: .55; }
#undo { align-self: start; flex: none; width: auto; }
#desk h2 { margin: .6rem 0 0; }
#desk .html-container:empty, .cv-style { display: none; }
#desk:has(.tune-old) :is(cv-chart, #story .cv-card)::before { content: "of the recipe before";
  font-size: .82rem; color: var(--cv-warn); }
#desk:has(.tune-old) :is(cv-chart .cv-plot, #story table) { opacity: .6; }
@media (min-width: 1000px) {
  #shown { position: sticky; top: 0; max-height: 100vh; overflow-y: auto; flex-wrap: nowrap; } }
"""


def tuning_page(tuning: Tuning) -> Page:
    """The page of a recipe."""
    return Page(partial(build, tuning))


def build(tuning: Tuning) -> gr.Blocks:
    """The blocks."""
    blocks: gr.Blocks
    with gr.Blocks(title="Tune a recipe", fill_width=True) as blocks:
        html(element("style", Html(LOOK)), elem_classes="cv-style")
        html(_head(tuning))
        Events(tuning, lay_out(tuning, Desk(tuning)), gr.State()).listen(blocks)
    return blocks


def _head(tuning: Tuning) -> Html:
    lines = (element("p", line, class_="soft") for line in (str(tuning.path), *tuning.prompts.in_words()))
    return element("header", element("h1", "Tune a recipe before training"), *lines, class_="cv")
