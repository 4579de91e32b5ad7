"""A page: gradio's blocks with our look, what it offers for download, and the scripts that it loads from here."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import fastapi
from fastapi.responses import FileResponse, StreamingResponse

from curriculum_verl import __version__
from curriculum_verl.errors import CurriculumError
from curriculum_verl.web.quiet import gr

OURS = "/ours/"
ASSETS = Path(str(files("curriculum_verl.web"))) / "assets"
SCRIPTS = ("look.js", "saving.js", "charts.js")  # ours, after plotly's
# Written into the page's head, in this order: gradio's own `head` would load them in any.
HEAD = "".join(
    f'<link rel="stylesheet" href="{OURS}{name}?{__version__}">'
    if name.endswith("css")
    else f'<script defer src="{OURS}{name}?{__version__}"></script>'
    for name in ("page.css", "plotly.min.js", *SCRIPTS)
)


@dataclass(frozen=True, slots=True)
class Download:
    """A file for the reader: its name, its kind, and its content piece by piece."""

    name: str
    kind: str
    content: Iterator[bytes]


@dataclass(frozen=True, slots=True)
class Page:
    """Makes its blocks, and says what /export/NAME gives for its query; an InputError of a download is answered 400."""

    build: Callable[[], gr.Blocks]
    downloads: Mapping[str, Callable[[Mapping[str, str]], Download]] = field(default_factory=dict)


def plotly_script() -> Path:
    """plotly.js, as the plotly package brings it."""
    spec = find_spec("plotly")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "package_data" / "plotly.min.js"


def application(page: Page) -> fastapi.FastAPI:
    """The page as an application: gradio's, our scripts, and the downloads; serving.py guards it."""

    async def assemble() -> fastapi.FastAPI:
        return _assemble(page)

    with ThreadPoolExecutor(1) as thread:  # where no loop runs, gradio opens one for each block and closes none
        return thread.submit(lambda: asyncio.run(assemble())).result()


def _assemble(page: Page) -> fastapi.FastAPI:
    app = fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    assets = {name: ASSETS / name for name in ("page.css", *SCRIPTS)} | {"plotly.min.js": plotly_script()}

    @app.get(OURS + "{name}")
    def asset(name: str) -> fastapi.Response:
        if name not in assets:
            return fastapi.Response("no such file", 404, media_type="text/plain")
        return FileResponse(assets[name], headers={"Cache-Control": "private, max-age=86400"})

    @app.get("/export/{name}")
    def export(name: str, request: fastapi.Request) -> fastapi.Response:
        if name not in page.downloads:
            return fastapi.Response("no such export", 404, media_type="text/plain")
        try:
            download = page.downloads[name](dict(request.query_params))
        except CurriculumError as error:
            return fastapi.Response(str(error), 400, media_type="text/plain; charset=utf-8")
        as_file = {"Content-Disposition": f'attachment; filename="{download.name}"'}
        return StreamingResponse(download.content, media_type=download.kind, headers=as_file)

    off = dict.fromkeys(("run_history", "ssr_mode", "show_error", "mcp_server", "enable_monitoring", "pwa"), False)
    gr.mount_gradio_app(app, page.build(), path="/", theme=theme(), footer_links=[], **off)
    return app


def theme() -> "gr.themes.Base":
    """Fonts that the reader's machine has, and plain colours; page.css does the rest."""
    return gr.themes.Base(
        primary_hue=gr.themes.colors.blue,
        neutral_hue=gr.themes.colors.gray,
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "Menlo", "Consolas", "monospace"],
    )
