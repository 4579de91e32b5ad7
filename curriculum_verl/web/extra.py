"""Whether the libraries of the pages are there, asked before any of them is imported."""

from importlib.util import find_spec

from curriculum_verl.errors import InputError

NEEDED = ("gradio", "plotly", "uvicorn", "fastapi")


def require_pages(command: str) -> None:
    """Say what to install if something is missing."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise InputError(
            f"{command} shows a page and needs {', '.join(missing)}, not installed here; "
            "install them with: pip install 'curriculum-verl[monitor]'"
        )
