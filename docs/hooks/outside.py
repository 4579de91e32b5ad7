"""Pages of the site that lie outside docs/: the README as its first page, READMEs of folders, files they link to."""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"(\]\()(?!\w+:|#)([^)#]+)")
SHOWN = (".py", ".sh", ".yaml", ".jsonl")


def on_files(files: Any, config: Any) -> Any:
    """Add what pages link to."""
    pages = {"index.md": "README.md", "CONTRIBUTING.md": "CONTRIBUTING.md"}
    pages |= {name: name for name in _tracked(".md")}
    for name, source in (pages | {name: name for name in _tracked(*SHOWN)}).items():
        files.append(File.generated(config, name, abs_src_path=str(ROOT / source)))
    return files


def _tracked(*kinds: str) -> list[str]:
    """Files of the folders that users look into."""
    folders = [ROOT / name for name in ("recipes", "examples", "bucketing")]
    found = (path for folder in folders for path in folder.rglob("*") if path.suffix in kinds)
    return [path.relative_to(ROOT).as_posix() for path in found if "__pycache__" not in path.parts]


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links as they are from where the page stands in the site."""
    lies = Path(page.file.abs_src_path).parent

    def moved(link: re.Match[str]) -> str:
        target = (lies / link[2]).resolve()
        target = target / "README.md" if target.is_dir() else target
        return f"{link[1]}{'../' * page.file.src_uri.count('/')}{_place(target)}"

    return LINK.sub(moved, markdown)


def _place(file: Path) -> str:
    """Where a file of the project stands in the site: docs/ is its root, the README its first page."""
    name = file.relative_to(ROOT).as_posix()
    return "index.md" if name == "README.md" else name.removeprefix("docs/")
