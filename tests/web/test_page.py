import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from chromium import Visit, chromium

pytest.importorskip("gradio")

from curriculum_verl.errors import InputError
from curriculum_verl.web.charts import Chart, feed, label, place
from curriculum_verl.web.page import Download, Page
from curriculum_verl.web.quiet import QUIETLY, gr, html
from curriculum_verl.web.serving import serving

HOSTILE = (
    "</cv-feed><script>window.stolen = 1</script><img src=x onerror='window.stolen = 2'>${window.stolen = 3}{{this}}"
)


def line(values: list[float]) -> Chart:
    data = [{"type": "scatter", "x": np.arange(len(values)), "y": np.array(values), "name": label(HOSTILE)}]
    data.append({"type": "scatter", "x": [0], "y": [0], "name": label("<b>bold</b>"), "line": {"color": "#F0E442"}})
    return Chart(f"Values {HOSTILE}", f"latest: {values[-1]:g} {HOSTILE}", data)


def page() -> Page:
    def give(query: Any) -> Download:
        if "wrong" in query:
            raise InputError("got wrong, expected right")
        return Download("numbers.csv", "text/csv", iter([b"a,b\n", b"1,2\n"]))

    def build() -> gr.Blocks:
        with gr.Blocks(title="A page") as blocks:
            html(place("line"))
            html(place("none"))
            html(HOSTILE, elem_id="text")
            steps = gr.Slider(1, 100, 50, step=1, label="Steps", elem_id="steps")
            charts = {"line": line([0.5] * 50), "none": Chart("Nothing", "there is nothing yet")}
            pictures = html(feed(charts), elem_id="feed", elem_classes="cv-hidden")
            steps.change(lambda count: feed({"line": line([float(count)] * count)}), steps, pictures, **QUIETLY)
        return blocks

    return Page(build, {"numbers.csv": give})


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving(page()) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


def test_a_chart_is_drawn_and_changes_and_its_texts_stay_texts(address: str, browser: Any) -> None:
    with Visit(browser, address) as visit:
        visit.eventually("document.querySelectorAll('#chart-line .scatterlayer .trace').length === 2")
        assert visit.page.locator("#chart-line h3").inner_text() == f"Values {HOSTILE}"
        assert visit.page.locator("#text").inner_text() == HOSTILE
        assert visit.page.locator("#summary-none").inner_text() == "there is nothing yet"
        assert visit.page.locator("#chart-none .cv-plot").is_hidden()
        legend = visit.page.locator("#chart-line .legendtext").all_text_contents()
        assert legend == [HOSTILE, "<b>bold</b>"]
        visit.page.locator("#steps input[type=number]").fill("70")
        visit.page.keyboard.press("Tab")
        visit.eventually("document.querySelector('#summary-line').textContent.startsWith('latest: 70 ')")
        visit.eventually("document.querySelector('#chart-line .cv-plot')._fullData[0].x.length === 70")
        assert visit.page.evaluate("window.stolen") is None
        visit.check()


def test_faint_colours_are_made_readable_on_both_papers(address: str, browser: Any) -> None:
    drawn = []
    for scheme in ("light", "dark"):
        with Visit(browser, address, color_scheme=scheme) as visit:
            visit.eventually("document.querySelectorAll('#chart-line .scatterlayer .trace').length === 2")
            drawn.append(visit.page.evaluate("document.querySelector('#chart-line .cv-plot').data[1].line.color"))
            visit.check()
    assert drawn[0] != "#f0e442"  # yellow on white
    assert drawn[1] == "#f0e442"  # and on black


def test_a_chart_is_saved_as_a_picture(address: str, browser: Any) -> None:
    with Visit(browser, address) as visit:
        visit.eventually("document.querySelectorAll('#chart-line .scatterlayer .trace').length === 2")
        with visit.page.expect_download() as saved:
            visit.page.locator("#chart-line .cv-save").click()
        assert saved.value.suggested_filename == "line.png"
        assert saved.value.path().read_bytes().startswith(b"\x89PNG")
        visit.check()


def test_downloads_and_their_refusals(address: str) -> None:
    with urllib.request.urlopen(f"{address}export/numbers.csv") as answer:
        assert answer.read() == b"a,b\n1,2\n"
    for path, status, words in (
        ("export/numbers.csv?wrong=1", 400, b"expected right"),
        ("export/else.csv", 404, b"no such"),
    ):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(address + path)
        assert refused.value.code == status
        assert words in refused.value.read()


def ask(address: str, method: str, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """A request as it is written, with nothing tidied up."""
    connection = HTTPConnection(urlsplit(address).netloc, timeout=20)
    connection.putrequest(method, path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    answer = connection.getresponse()
    found = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    connection.close()
    return found


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file=../../etc/passwd",
        "/gradio_api/file/etc/passwd",
        "/file=/etc/passwd",
        "/gradio_api/proxy=https://example.org/",
        "/static/../../../../etc/passwd",
        "/assets/..%2f..%2f..%2fetc/passwd",
        "/static/%2e%2e/%2e%2e/index.html",
        "/ours/..%2fserving.py",
        "/ours/serving.py",
        "/export/..%2fserving.py",
        "/gradio_api/upload_progress?upload_id=x",
        "/gradio_api/openapi.json",
        "/docs",
        "/openapi.json",
        "/monitoring",
        "/gradio_api/runs",
        "//example.org/",
    ],
)
def test_nothing_else_can_be_read(address: str, path: str) -> None:
    status, _, body = ask(address, "GET", path)
    assert status == 404
    assert b"root:" not in body


@pytest.mark.parametrize(
    "path", ["/gradio_api/upload", "/gradio_api/run/predict", "/gradio_api/component_server", "/gradio_api/vibe-edit/"]
)
def test_nothing_can_be_written(address: str, path: str) -> None:
    assert ask(address, "POST", path, Content_Length="0")[0] == 404


def test_other_sites_get_no_answer(address: str) -> None:
    port = urlsplit(address).port
    for host, status in (
        (f"evil.example:{port}", 421),
        (f"localhost.evil.example:{port}", 421),
        ("", 421),
        (f"localhost:{port}", 200),
        ("localhost:9999", 200),  # through ssh -L
        (f"127.0.0.1:{port}", 200),
        (f"[::1]:{port}", 200),
    ):
        assert ask(address, "GET", "/", Host=host)[0] == status, host
    own = f"127.0.0.1:{port}"
    assert ask(address, "GET", "/config", Host=own, Origin=f"http://{own}")[0] == 200
    for origin in ("http://evil.example", "null", "http://[", f"http://localhost:{port}"):
        assert ask(address, "GET", "/config", Host=own, Origin=origin)[0] == 403, origin


def test_a_browser_is_told_to_load_nothing_from_elsewhere(address: str) -> None:
    _, headers, body = ask(address, "GET", "/")
    policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert "unsafe-inline" not in policy["script-src"]
    assert policy["script-src"].count("sha256-") == body.count(b"<script>") + body.count(b"<script data-gradio-mode>")
    assert headers["x-content-type-options"] == "nosniff"


def test_what_is_posted_is_short(address: str) -> None:
    assert ask(address, "POST", "/gradio_api/queue/join", Content_Length="1000001")[0] == 413
    assert ask(address, "POST", "/gradio_api/queue/join", Transfer_Encoding="chunked")[0] == 413


def test_with_a_token_nothing_is_answered_without_it(browser: Any) -> None:
    token = "a-long-enough-token"
    with serving(page(), token=token) as given:
        bare = given.partition("?")[0]
        for path in ("/", "/config", "/ours/charts.js", "/export/numbers.csv", "/?token=another-token"):
            status, headers, body = ask(bare, "GET", path)
            assert status == 401, path
            assert b"needs its token" in body
            assert "set-cookie" not in headers
        status, headers, _ = ask(bare, "GET", f"/?token={token}&__theme=dark")
        assert (status, headers["location"]) == (303, "/?__theme=dark")
        assert token not in headers["set-cookie"]
        assert "HttpOnly" in headers["set-cookie"]
        assert ask(bare, "GET", "/", Cookie=headers["set-cookie"].partition(";")[0])[0] == 200
        assert ask(bare, "GET", "/", Cookie=f"{headers['set-cookie'].partition('=')[0]}={token}")[0] == 401
        with Visit(browser, given) as visit:
            visit.eventually("document.querySelectorAll('#chart-line .scatterlayer .trace').length === 2")
            assert token not in visit.page.url
            visit.check()
