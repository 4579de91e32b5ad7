import base64
import math
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from matplotlib.image import imread

from curriculum_verl.bucketing.page import MOST_INPUTS, MOST_SCORES, page
from curriculum_verl.bucketing.report import write_report
from curriculum_verl.bucketing.summary import BucketSummary, Example, Histogram, Summary, printable

HOSTILE = (
    "</pre></main></html><script>alert(1)</script><img src=x onerror=alert(1)>&lt;&#60;<!-- ]]> \"' onload=x "
    "\x00\x1b[31m\x85\u202e\ud800\uffff $\\frac$"
)
VOID = {"img", "meta"}


def bucket(name: str, **changes: float) -> BucketSummary:
    values = {"prompts": 1_200, "lines": 1_201, "metric_min": 0.0, "metric_max": 0.5, "mean_score": 0.4}
    rates = {"pass_rate": 0.4, "never_solved": 0.2, "always_solved": 0.1}
    return BucketSummary(name, **(values | rates | changes))  # type: ignore[arg-type]


EMPTY = BucketSummary("b", 0, 0, *[math.nan] * 6)


def made(*names: str, text: str = "words") -> Summary:
    counts = {name: tuple(100 * (place == here) for here in range(10)) for place, name in enumerate(names)}
    return Summary(
        metric="mean_reward",
        direction="high_is_easy",
        pass_threshold=0.5,
        tie_break=text,
        cuts=tuple((0.1 * place,) for place in range(1, len(names))),
        buckets=tuple(bucket(name) for name in names),
        histogram=Histogram(tuple(np.linspace(0, 1, 11).tolist()), counts),
        ties=((0.0, 300), (1.0, 120)),
        rejected={text: 12},
        lines=1_230,
        blank=3,
        prompts=1_200 * len(names),
        examples={name: (Example(text, (0.0, 1.0, 0.5), 0.5, text),) for name in names},
        warnings=(text,),
        inputs=(text,),
        command=text,
    )


class Reader(HTMLParser):
    """Reads a page and fails where an element is closed that is not the last one opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs)
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            assert self.open, f"outside of every element: {data!r}"
            self.texts.append((self.open[-1], data))

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data!r}")

    def all(self, tag: str) -> list[str]:
        return [text for where, text in self.texts if where == tag]

    @property
    def structure(self) -> list[tuple[str, list[str]]]:
        return [(tag, sorted(attributes)) for tag, attributes in self.elements]


def read(summary: Summary) -> Reader:
    return Reader(page(summary, b"picture", ["#aabbcc"] * len(summary.buckets)))


def test_hostile_text_stays_text_wherever_it_stands() -> None:
    hostile, harmless = read(made(HOSTILE, "b", text=HOSTILE)), read(made("a", "b"))
    assert hostile.structure == harmless.structure
    shown = [tag for tag, text in hostile.texts if printable(HOSTILE) in text]
    assert {"p", "li", "th", "h3", "pre", "code", "figcaption"} <= set(shown)
    assert not {"script", "link", "iframe", "i"} & {tag for tag, _ in hostile.elements}


@settings(max_examples=50)
@given(st.text(alphabet=st.characters(), min_size=1, max_size=60).filter(str.strip))
def test_the_page_has_the_same_structure_whatever_the_text(text: str) -> None:
    strange = page(made(text, "b", text=text), b"picture", ["#aabbcc"] * 2)
    strange.encode()
    assert Reader(strange).structure == read(made("a", "b")).structure


def test_the_page_runs_nothing_loads_nothing_and_can_be_read_aloud() -> None:
    result = read(made("easy", "hard"))
    attributes = [(tag, name, value) for tag, named in result.elements for name, value in named.items()]
    assert not [name for _, name, _ in attributes if name.startswith("on") or name == "href"]
    assert [value.split(",")[0] for _, name, value in attributes if name == "src"] == ["data:image/png;base64"]
    by_tag = dict(result.elements)
    assert by_tag["html"]["lang"] == "en"
    assert "easy has 1,200 prompts, pass rate 40.0%" in by_tag["img"]["alt"]
    assert result.all("title") == result.all("h1") == ["2,400 prompts in 2 buckets by mean_reward"]
    assert {named.get("scope") for tag, named in result.elements if tag == "th"} == {"col", "row"}


def test_a_huge_text_is_cut_and_says_how_much() -> None:
    huge = made("easy")
    text = "start" + "<&>" * 400_000 + "the answer"
    result = read(replace(huge, examples={"easy": (Example("short", (1.0,) * 900, 1.0, text),)}))
    assert f"Best response, {len(text) - 1_200:,} of {len(text):,} characters cut from its middle" in result.all("h4")
    assert sum(map(len, result.all("pre"))) < 1_300
    assert result.all("pre")[1].startswith("start<&>")
    assert result.all("pre")[2].endswith("the answer")
    assert f"and {900 - MOST_SCORES} more" in result.all("li")
    assert len(result.all("span")) == MOST_SCORES


def test_chips_say_what_passes_and_an_empty_text_says_so() -> None:
    result = read(replace(made("easy"), examples={"easy": (Example("", (0.0, 0.5, 1.0), 0.5, " \n"),)}))
    assert [text for tag, text in result.texts if tag == "li"][1:4] == [" 0", " 0.5", " 1"]
    assert result.all("span") == ["✗", "✓", "✓"]
    assert "mean_reward 0.5, 2 of 3 responses pass" in result.all("p")
    assert result.all("p").count("empty") == 2


def test_equal_values_rejects_and_inputs_are_listed() -> None:
    result = read(replace(made("easy", "hard"), tie_break=None, inputs=tuple(map(str, range(MOST_INPUTS + 5)))))
    assert any(text.startswith("Equal values always stay together") for text in result.all("p"))
    assert [text for text in result.all("td") if text == "300"]
    assert "1,230 lines read, 3 blank, 12 rejected." in result.all("p")
    assert "and 5 more" in result.all("li")
    assert len(result.all("code")) == MOST_INPUTS


def test_the_ends_are_marked_by_order_and_not_by_the_metrics_sign() -> None:
    for direction in ("high_is_easy", "low_is_easy"):
        result = read(replace(made("one", "two", "three"), direction=direction, examples={}))
        assert [text for _, text in result.texts if text in ("one", "two", "three")] == ["one", "two", "three"]
        assert result.all("small") == [" easiest", " hardest"]


def test_both_files_are_written_and_the_page_holds_the_picture(tmp_path: Path) -> None:
    summary = made("easy", "medium", "hard")
    files = write_report(summary, tmp_path)
    assert files == [tmp_path / "report.png", tmp_path / "report.html"]
    assert sorted(tmp_path.iterdir()) == sorted(files)
    picture, text = files[0].read_bytes(), files[1].read_text("utf-8")
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert base64.b64encode(picture).decode() in text
    assert Reader(text).structure == read(summary).structure
    write_report(summary, tmp_path)
    assert files[1].read_text("utf-8") == text, "the same summary gives the same report"


def test_the_picture_shows_every_bucket_from_light_to_dark(tmp_path: Path) -> None:
    picture, text = (path.read_bytes() for path in write_report(made(*"abcde"), tmp_path))
    pixels = imread(BytesIO(picture))[:, :, :3]
    assert pixels.shape[1] == 1440
    assert 700 < pixels.shape[0] < 1600
    assert 0.05 < (pixels < 0.95).any(axis=2).mean() < 0.6, "neither blank nor full"
    colours = [to_rgb(found) for found in re.findall(r"background:(#\w{6})", text.decode())[:5]]
    assert np.diff(np.array(colours) @ [0.299, 0.587, 0.114]).max() < -0.05, "each is darker than the one before"
    for colour in colours:
        assert (np.abs(pixels - colour).max(axis=2) < 0.01).sum() > 500


def test_an_empty_bucket_has_no_bar_whatever_its_rates_are_said_to_be(tmp_path: Path) -> None:
    pictures = []
    for empty in (EMPTY, BucketSummary("b", 0, 0, *[0.0] * 6)):
        summary = replace(made("a", "b"), buckets=(bucket("a"), empty))
        pictures.append(imread(write_report(summary, tmp_path)[0]))
    assert (pictures[0] == pictures[1]).all()


@pytest.mark.parametrize(
    "summary",
    [
        replace(made(), histogram=Histogram((), {}), ties=(), examples={}),
        made("only"),
        replace(made("only"), histogram=Histogram((0.5, 0.5), {"only": (7,)})),
        replace(made("only"), histogram=Histogram((1e6, 1e6), {"only": (7,)}), cuts=((1e6, 3.0), (1e6, 4.0))),
        replace(made("a", "b"), buckets=(bucket("a"), EMPTY)),
        replace(made("_hidden", "$x$", "第一", HOSTILE[:80], "n" * 300), metric="$\\frac$", direction="low_is_easy"),
        made(*(f"stage_{number}" for number in range(40))),
    ],
    ids=["none", "one", "one value", "one large value", "an empty bucket", "strange names", "many"],
)
def test_odd_summaries_are_drawn_too(tmp_path: Path, summary: Summary) -> None:
    picture, text = write_report(summary, tmp_path)
    assert imread(picture).std() > 0.01
    shown = Reader(text.read_text("utf-8"))
    assert not [said for _, said in shown.texts if re.search(r"\bnan\b", said)]


def test_importing_the_report_does_not_load_matplotlib() -> None:
    probe = "import sys, curriculum_verl.bucketing.report; print('matplotlib' in sys.modules, 'numpy' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False"]
