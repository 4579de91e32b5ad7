"""Gradio, told to tell nobody: its telemetry is off before it is imported."""

import os
from typing import Any

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
# Gradio also keeps figures of every event for a page of its own, and sums them up with pandas after each: a timer that
# ticks for days would cost more with every tick.
os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "1"
os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(10**9)

import gradio as gr  # noqa: TID251

from curriculum_verl.pages import escaped

__all__ = ["AS_SENT", "QUIETLY", "fetch_always", "gr", "html"]

# Of every event: no spinner over what is on the page, no entry in an API that nobody is offered, and none is lost while
# another of its kind is answered (gradio's default but for `change`): the last one has its turn after it.
QUIETLY: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "trigger_mode": "always_last"}
# The same for who offers other choices while the page is open: gradio would refuse a choice of before, at every event
# from then on. What is sent comes as it is.
AS_SENT: dict[str, Any] = {**QUIETLY, "preprocess": False}
FETCH = 1.0  # seconds


def fetch_always() -> None:
    """Within a page's blocks: ask for nothing, now and then, whatever else is awaited.

    Gradio closes its stream when nothing is awaited; an answer to what was asked in that moment stays behind until
    something else is asked, and what waits for it asks nothing. This asks.
    """
    gr.Timer(FETCH).tick(lambda: None, None, None, **{**QUIETLY, "trigger_mode": "multiple"})


def html(value: str = "", **settings: Any) -> gr.HTML:
    """A gr.HTML that runs no script of its own; plain text in it is shown as it is."""
    return gr.HTML(escaped(value), js_on_load=None, apply_default_css=False, **settings)
