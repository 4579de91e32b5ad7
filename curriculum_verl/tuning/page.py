"""The page: fields on one side, what comes of the recipe on the other."""

from functools import partial

from curriculum_verl.pages import Html, element
from curriculum_verl.tuning.events import Events
from curriculum_verl.tuning.layout import lay_out
from curriculum_verl.tuning.model import Tuning, first_view
from curriculum_verl.web.page import Page
from curriculum_verl.web.quiet import gr, html

LOOK = """
#desk textarea { font: .82rem/1.5 ui-monospace, Menlo, Consolas, monospace; }
#desk .column { gap: .5rem; }
#desk :disabled { opacity: .55; }
#desk h2 { margin: .6rem 0 0; }
#desk .html-container:empty, .cv-style { display: none; }
@media (min-width: 1000px) {
  #shown { position: sticky; top: 0; max-height: 100vh; overflow-y: auto; flex-wrap: nowrap; } }
"""


def tuning_page(tuning: Tuning) -> Page:
    """The page of a recipe."""
    return Page(partial(build, tuning))


def build(tuning: Tuning) -> gr.Blocks:
    """The blocks."""
    view = first_view(tuning)
    blocks: gr.Blocks
    with gr.Blocks(title="Tune a recipe", fill_width=True) as blocks:
        html(element("style", Html(LOOK)), elem_classes="cv-style")
        html(_head(tuning))
        Events(tuning, lay_out(tuning, view), gr.State(view)).listen(blocks)
    return blocks


def _head(tuning: Tuning) -> Html:
    source = "prompts of the rollouts" if tuning.logged else "invented prompts"
    sizes = ", ".join(f"{name} ({size:,})" for name, size in tuning.prompts.sizes.items())
    told = element("p", f"{tuning.path} · {source}, easiest first: {sizes}", class_="soft")
    return element("header", element("h1", "Tune a recipe before training"), told, class_="cv")
