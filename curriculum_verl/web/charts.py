"""Pictures of a page: plotly's dictionaries with words for those who do not see them, drawn by assets/charts.js."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from curriculum_verl.pages import Html, element
from curriculum_verl.words import printable

PACKED = 32  # numbers from which an array travels as bytes, as plotly reads it: a third of the text


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture. `summary` is one sentence: what it shows and its latest value, or, without data, why there is none.

    `of` is what a picture that is saved says it is of: the runs, and how far they are.
    Colours are #rrggbb, those of curriculum_verl.palette: the browser makes them readable on light and dark paper.
    Texts in `data` and `layout` go through `label`: plotly reads tags in them.
    """

    title: str
    summary: str
    data: list[dict[str, Any]] = field(default_factory=list)
    layout: dict[str, Any] = field(default_factory=dict)
    of: str = ""


def label(text: str) -> str:
    """A text as plotly shows it as it is; it would take tags for markup and links."""
    return printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def place(name: str, *, tall: bool = False) -> Html:
    """Where the picture of that name comes to stand; the page finds it by the id chart-NAME."""
    return element("cv-chart", name=name, id=f"chart-{name}", class_="cv-card cv-tall" if tall else "cv-card")


def feed(charts: Mapping[str, Chart]) -> Html:
    """The pictures on their way to the browser, as the value of a gr.HTML."""
    return Html(element("cv-feed", Html(in_page(encoded(charts))), hidden="hidden"))


def encoded(charts: Mapping[str, Chart]) -> bytes:
    """The pictures as JSON."""
    return msgspec.json.encode(charts, enc_hook=_plain)


def in_page(json: bytes) -> str:
    """JSON that ends no element early: in its texts, what could begin a tag is an escape that means the same."""
    text = json.decode().replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _plain(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        raise TypeError(f"got {type(value).__name__}, expected what JSON has, or an array of numbers")
    if value.size < PACKED or value.dtype.kind not in "iuf":
        return [None if isinstance(one, float) and one != one else one for one in value.tolist()]
    whole = value.dtype.kind in "iu" or bool(np.all(np.mod(value, 1) == 0))
    fits = whole and abs(value).max() < 2**31
    packed = value.astype("<i4" if fits else "<f8" if whole else "<f4")
    kind = packed.dtype.str.lstrip("<")
    return {"dtype": kind, "bdata": base64.b64encode(packed.tobytes()).decode()}
