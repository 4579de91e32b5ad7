"""The site of the docs builds strictly, loads nothing from elsewhere, and its page on troubles quotes the code."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_of_the_docs_is_in_the_site(site: Path) -> None:
    for page in (ROOT / "docs").glob("*.md"):
        assert (site / page.stem / "index.html").is_file(), page.name
    home = (site / "index.html").read_text()
    assert 'href="recipe/"' in home, "links of the README lead to pages of the site"
    assert "Begin the stage that is so many further" in (site / "api" / "index.html").read_text()


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    loads = re.compile(r"<(?:script|img|iframe)\b[^>]*\bsrc=\"?(?:https?:)?//|<link\b[^>]*\bhref=\"?(?:https?:)?//")
    for page in site.rglob("*.html"):
        assert not loads.search(page.read_text()), page.relative_to(site)


def test_what_the_page_on_troubles_quotes_is_said_by_the_code() -> None:
    code = "".join(path.read_text() for path in (ROOT / "curriculum_verl").rglob("*.py"))
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    quoted = [
        text for row in re.findall(r"^\| ([^|]*) \|", page, re.MULTILINE) for text in re.findall(r"`([^`]+)`", row)
    ]
    said = [text for text in quoted if " " in text]
    assert len(said) >= 10
    joined = re.sub(r'"\s+f?"', "", code)  # messages over several lines
    for text in said:
        assert text in joined, text
