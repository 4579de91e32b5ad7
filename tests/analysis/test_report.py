"""Pictures, page and tables: complete, and safe whatever the texts hold."""

import io
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from analysis.conftest import Analyzed
from analysis.made_up import lines
from matplotlib import image

from curriculum_verl.analysis.analysis import Analysis
from curriculum_verl.analysis.charts import coarse
from curriculum_verl.analysis.graphs import draw_graphs, layout
from curriculum_verl.analysis.page import page
from curriculum_verl.analysis.pictures import pictures_of
from curriculum_verl.analysis.sketches import LOG, Sketch
from curriculum_verl.analysis.tables import COLUMNS, frames
from curriculum_verl.analysis.tally import Cell
from curriculum_verl.words import FORMULA, no_formula

HOSTILE = "</pre><script>alert(1)</script><img src=x onerror=alert(2)> $\\frac{1}{0}$ \x1b[31m \u202e **b** _x"


def hostile(number: int) -> dict[str, Any]:
    loop = f"{HOSTILE}\nZOOM_IN(x=1)\n" * 6
    long = HOSTILE * 20_000
    rows = {"id": f"{HOSTILE}{number}", "prompt": HOSTILE, "response": [loop, long, ""], "reward": [0.0, 1.0, 0.0]}
    return {**rows, "bucket": f"<b>{HOSTILE}{number % 2}", "stage": f"<i>{HOSTILE}"}


class Watch(HTMLParser):
    """Every tag, and every attribute that could do something."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    from analysis.made_up import write_run

    from curriculum_verl.analysis.analysis import analyze
    from curriculum_verl.analysis.measuring import Judging
    from curriculum_verl.analysis.runs import find_run
    from curriculum_verl.analysis.selection import Selection
    from curriculum_verl.analysis.tasks import Reading
    from curriculum_verl.parallel import InProcess
    from curriculum_verl.rollouts.fields import ROLES

    folder = tmp_path_factory.mktemp("runs")
    runs = [find_run(run, write_run(folder, run), Selection()) for run in ("base", "coherence", "full")]
    return analyze(runs, Reading(Judging(), Selection(), ROLES), folder, InProcess())


def test_every_picture_is_there_in_full_and_is_described(found: Analysis) -> None:
    pictures = {one.name: one for one in pictures_of(found)}
    assert {"distributions", "success", "stages", "changes", "tools", "loops", "trajectories_1"} <= pictures.keys()
    assert sum(name.startswith("changes_of_stages_") for name in pictures) == 3
    for one in pictures.values():
        pixels = image.imread(io.BytesIO(one.png))
        assert min(pixels.shape[:2]) > 300, one.name
        assert pixels[..., :3].std() > 0.05, f"{one.name} is not empty"
        assert len(one.alt) > 40
        assert one.caption
    assert "full in easy" in pictures["success"].alt
    assert "ZOOM_IN" in pictures["tools"].alt


def test_the_page_says_what_was_found(found: Analysis) -> None:
    text = page(found, pictures_of(found), "curriculum-verl analyze")
    for words in ("Trajectories: base, coherence, full", "clear: higher", "is stuck in a loop", "success rose most"):
        assert words in text
    assert "default-src &#x27;none&#x27;" in text
    assert "http://" not in text
    assert "https://" not in text


def test_hostile_texts_stay_text(analyzed: Analyzed) -> None:
    rows = [hostile(number) for number in range(4)]
    found = analyzed(a=rows, b=rows)
    pictures = pictures_of(found)
    text = page(found, pictures, f"analyze {HOSTILE}")
    watch = Watch()
    watch.feed(text)
    assert "script" not in watch.tags
    assert not {name for name in watch.attributes if name.startswith("on")}
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert len(text) < 8_000_000, "long texts are cut"


def test_every_table_is_tidy(found: Analysis) -> None:
    tables = frames(found)
    assert list(tables) == list(COLUMNS)
    tools = tables["tools"].query("stage == '(all)' and bucket == '(all)'")
    assert tools.groupby("run").share.sum().round(9).eq(1).all()
    chances = tables["transitions"].groupby(["run", "stage", "bucket", "source"]).chance.sum()
    assert chances.round(9).eq(1).all()
    spread = tables["distributions"].groupby(["run", "stage", "bucket", "measure"]).share.sum()
    assert spread.round(9).eq(1).all()
    quantiles = tables["quantiles"]
    assert (quantiles.q25 <= quantiles.q50).all()
    assert set(tables["changes"].verdict) == {"clear", "not clear"}
    assert not tables["figures"].duplicated(["run", "stage", "bucket", "measure"]).any()
    responses = quantiles.query("measure == 'steps' and stage == '(all)' and bucket == '(all)'").responses
    assert responses.tolist() == [480, 480, 480]


@pytest.mark.parametrize("first", FORMULA)
def test_no_cell_of_a_table_is_a_formula(analyzed: Analyzed, first: str) -> None:
    evil = f'{first}HYPERLINK("http://evil.example")'
    stuck = [{"id": evil, "prompt": "?", "response": ["I look at the left side of it. " * 30], "reward": [0.0]}]
    explores = [{"id": evil, "prompt": "?", "response": ["It is a cup. So the answer is 3."], "reward": [1.0]}]
    rows = [row | {"bucket": evil, "stage": evil} for row in (stuck[0], explores[0])]
    tables = frames(analyzed(base=rows[:1], full=rows[1:]))
    assert f"'{evil}" in set(tables["contrasts"]["prompt"])
    cells = [cell for table in tables.values() for cell in table.to_numpy(dtype=object).ravel()]
    assert [cell for cell in cells if isinstance(cell, str) and cell.startswith(FORMULA)] == []
    assert pd.api.types.is_numeric_dtype(tables["changes"]["change"])
    assert tables["changes"]["change"].min() < 0


def test_numbers_and_other_texts_stay_what_they_are() -> None:
    assert [no_formula(cell) for cell in (-1.5, -2, None, "a=b", "", "'=1")] == [-1.5, -2, None, "a=b", "", "'=1"]
    assert no_formula("\r=1") == "'\n=1", "a lone \\r would begin a new row"


def test_coarse_bins_hold_all_and_small_numbers_have_their_own() -> None:
    sketch = Sketch(LOG)
    sketch.add([0, 3, 3, 7, 100, 5000, 10**9])
    edges, shares = coarse(sketch)
    assert sum(shares) == pytest.approx(1)
    assert shares[edges.index(3.0)] == pytest.approx(2 / 7)
    assert edges[0] == 0.0
    assert coarse(Sketch(LOG)) == ([0.0, 1.0], [0.0])


@pytest.mark.parametrize("tools", [0, 1, 2, 3, 25])
def test_graphs_of_any_number_of_tools_are_drawn(tools: int) -> None:
    cell = Cell(10)
    names = [f"TOOL_NUMBER_{number}" for number in range(tools)]
    for number, name in enumerate(names):
        cell.tools[name] = number + 1
        cell.follows["(start)", name] = 1
        cell.follows[name, name] = 1
        cell.follows[name, "(end)"] = 1
    assert image.imread(io.BytesIO(draw_graphs({"a": cell, "b": Cell(1)}))).shape[1] > 1000
    places = list(layout(names).values())
    apart = min(abs(a[0] - b[0]) + abs(a[1] - b[1]) for at, a in enumerate(places) for b in places[:at])
    assert apart > 0.2


def test_one_run_with_little_to_say_still_has_a_page(analyzed: Analyzed) -> None:
    found = analyzed(a=[{"id": "1", "prompt": "?", "response": [""], "reward": [0.0]}])
    text = page(found, pictures_of(found), "x")
    assert "No response calls a tool." in text
    assert "No response is stuck in a loop" in text


def test_names_that_begin_with_a_line_or_hold_a_dollar_are_drawn(analyzed: Analyzed, tmp_path: Path) -> None:
    given = {"_a": list(lines("base", 4)), "b": list(lines("full", 4))}
    assert len(pictures_of(analyzed(**given))) >= 6


def test_runs_with_a_bucket_each_are_drawn_by_bucket(analyzed: Analyzed) -> None:
    rows = [{"id": str(n), "prompt": "?", "response": ["a"], "reward": [1.0]} for n in range(3)]
    found = analyzed(a=[{**row, "bucket": "easy"} for row in rows], b=[{**row, "bucket": "hard"} for row in rows])
    assert {(one.run, one.bucket) for one in found.figures} == {
        ("a", "(all)"),
        ("a", "easy"),
        ("b", "(all)"),
        ("b", "hard"),
    }
    [success] = [one for one in pictures_of(found) if one.name == "success"]
    assert "b in hard 100%" in success.alt
