"""The files that the page offers."""

from collections.abc import Callable, Iterator, Mapping

from curriculum_verl.errors import InputError
from curriculum_verl.monitor.export import events_csv, everything, metrics_csv
from curriculum_verl.monitor.report import report
from curriculum_verl.monitor.viewer import whole_text
from curriculum_verl.monitor.watch import Watch
from curriculum_verl.web.page import Download

Query = Mapping[str, str]


def downloads(watch: Watch) -> dict[str, Callable[[Query], Download]]:
    """By the name in their address; each of what the files hold now."""

    def locked(pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Piece by piece, so that the pages have their turn in between."""
        watch.catch_up()
        while True:
            with watch.lock:
                piece = next(pieces, None)
            if piece is None:
                return
            yield piece

    def page(query: Query) -> Download:
        view = watch.view([], _number(query, "window", 20), _number(query, "last", 0) or None)
        return Download("report.html", "text/html; charset=utf-8", locked(report(view)))

    def text(query: Query) -> Download:
        run, step, line = watch.run(_number(query, "run")), _number(query, "step"), _number(query, "line")
        response = _number(query, "response") if "response" in query else None
        watch.catch_up()
        with watch.lock:
            found = whole_text(run, step, line, response)
        if found is None:
            raise InputError("that text is not there; its step may have been run anew")
        name = f"step_{step}_prompt_{line}" + ("" if response is None else f"_response_{response}") + ".txt"
        return Download(name, "text/plain; charset=utf-8", iter([found.encode("utf-8", "backslashreplace")]))

    return {
        "metrics.csv": lambda _: Download("metrics.csv", "text/csv; charset=utf-8", locked(metrics_csv(watch.runs))),
        "events.csv": lambda _: Download("events.csv", "text/csv; charset=utf-8", locked(events_csv(watch.runs))),
        "metrics.json": lambda _: Download("metrics.json", "application/json", locked(everything(watch.runs))),
        "report.html": page,
        "text.txt": text,
    }


def _number(query: Query, name: str, default: int | None = None) -> int:
    given = query.get(name)
    if given is None and default is not None:
        return default
    if given is None or not given.isascii() or not given.isdigit() or len(given) > 12:
        raise InputError(f"{name}: got {given!r}, expected a whole number")
    return int(given)
