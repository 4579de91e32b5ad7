"""Responses as the viewer shows them: steps and calls marked up, every text as text."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from curriculum_verl.monitor.rollouts import Outline, Texts
from curriculum_verl.monitor.tools import LONGEST, operations_of
from curriculum_verl.pages import Html, element
from curriculum_verl.rewards.calls import Operation
from curriculum_verl.rewards.trajectory import Trajectory, read_trajectory
from curriculum_verl.words import counted, number

SHOWN = 6_000  # characters of a text as it was written
MOST_STEPS = 60
MOST_STEP = 600  # characters of a step
MOST_PARTS = 24  # components in a list


@dataclass(frozen=True, slots=True)
class Where:
    """Where a prompt stands: the number of its run, its step, and the number of its line there."""

    run: int
    step: int
    line: int

    def whole(self, response: int | None = None) -> str:
        """The address of a text as a file."""
        which = {} if response is None else {"response": response}
        return "/export/text.txt?" + urlencode({"run": self.run, "step": self.step, "line": self.line, **which})


def shown(text: str, address: str, most: int = SHOWN) -> Html:
    """A text as it was written, shortened if it is long, with its length and the way to all of it."""
    if len(text) <= most:
        return element("pre", text, tabindex="0")
    more = element(
        "p",
        f"The first {most:,} of {len(text):,} characters. ",
        element("a", "The whole text", href=address, download=""),
        class_="soft cv-more",
    )
    return element("div", element("pre", text[:most] + " …", tabindex="0"), more)


def prompt_panel(outline: Outline, texts: Texts, where: Where) -> Html:
    """What was asked, and what is known of it."""
    facts = [("prompt", str(outline.id)), ("step", str(where.step))]
    facts += [("bucket", outline.bucket)] if outline.bucket is not None else []
    facts += [("stage", str(outline.stage))] if outline.stage is not None else []
    chips = [element("li", element("small", name + " "), element("strong", value)) for name, value in facts]
    parts = [element("ul", *chips, class_="cv-chips"), shown(prompt_text(texts.prompt), where.whole())]
    if texts.ground_truth is not None:
        truth = element("code", as_text(texts.ground_truth)[:400])
        parts.append(element("p", element("small", "expected answer "), truth))
    return element("div", *parts, class_="cv-prompt")


def response_panel(
    outline: Outline, texts: Texts, number_of: int, where: Where, names: Collection[str], *, marked: bool
) -> Html:
    """One response: what it earned, and what it did."""
    text = texts.response[number_of] if number_of < len(texts.response) else ""
    text = text if isinstance(text, str) else as_text(text)
    passed = outline.passed()[number_of] if number_of < len(outline.passed()) else False
    verdict = element(
        "span", "✓ passed" if passed else "✗ failed", class_="cv-kind " + ("cv-good" if passed else "cv-bad")
    )
    scores = [element("li", element("small", name + " "), value) for name, value in _scores(outline, number_of)]
    address = where.whole(number_of)
    body = marked_up(text, names) if marked else shown(text, address)
    whole = element("details", element("summary", "As written"), shown(text, address)) if marked else Html("")
    head = element("div", element("h3", f"Response {number_of + 1}"), verdict, class_="cv-head")
    return element(
        "article",
        head,
        element("ul", *scores, element("li", counted(len(text), "character")), class_="cv-chips"),
        body,
        whole,
        class_="cv-card cv-response",
    )


def _scores(outline: Outline, place: int) -> list[tuple[str, str]]:
    found = [("reward", outline.reward), ("weighted", outline.weighted_reward)]
    found += [(name, values) for name, values in outline.components.items() if "/" not in name][:MOST_PARTS]
    return [(name, _shown(values[place])) for name, values in found if place < len(values)]


def _shown(value: float | None) -> str:
    return "none" if value is None else number(value)


def marked_up(text: str, names: Collection[str]) -> Html:
    """The steps and calls of a response, in their order, and its answer."""
    read = read_trajectory(text[:LONGEST], operations_of(frozenset(names)))
    items = [*_items(read)]
    left = len(items) - MOST_STEPS
    more = [element("p", f"{left} further steps and calls: see As written.", class_="soft")] if left > 0 else []
    if len(text) > LONGEST:
        more.append(element("p", f"Steps of the first {LONGEST:,} characters.", class_="soft"))
    answer = (
        [] if read.answer is None else [element("p", element("span", "answer", class_="cv-tag"), clipped(read.answer))]
    )
    if not items and not answer:
        return element("p", "No step, no call, no answer.", class_="soft")
    return element("div", element("ol", *items[:MOST_STEPS], class_="cv-steps"), *more, *answer)


def _items(read: Trajectory) -> Sequence[Html]:
    calls: dict[int, list[Operation]] = {}
    for call in read.operations:
        calls.setdefault(call.step, []).append(call)
    items: list[Html] = []
    for place in range(len(read.steps) + 1):
        items += [_call(call) for call in calls.get(place, [])]
        if place < len(read.steps):
            items.append(element("li", clipped(read.steps[place])))
    return items


def _call(call: Operation) -> Html:
    name = element("code", (call.name or "call") + (f" {call.arguments}"[:MOST_STEP] if call.arguments else ""))
    if call.fault is None:
        return element("li", element("span", "→ call", class_="cv-tag cv-call"), name, class_="cv-is-call")
    fault = element("span", f"✗ malformed call: {call.fault.replace('_', ' ')}", class_="cv-tag cv-bad")
    return element("li", fault, name, class_="cv-is-call")


def clipped(text: str) -> str:
    """A step, shortened if it is long."""
    return text if len(text) <= MOST_STEP else f"{text[:MOST_STEP]} … ({len(text):,} characters)"


def prompt_text(prompt: Any) -> str:
    """The messages of a prompt as text."""
    if isinstance(prompt, list) and all(isinstance(message, dict) for message in prompt):
        return "\n\n".join(f"[{message.get('role', '?')}]\n{as_text(message.get('content'))}" for message in prompt)
    return as_text(prompt)


def as_text(value: Any) -> str:
    """A text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
