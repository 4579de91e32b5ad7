"""What a bucketing did, to look at: a picture, and a page that holds it."""

from pathlib import Path

from curriculum_verl.atomic import replacing
from curriculum_verl.bucketing.page import page
from curriculum_verl.bucketing.picture import picture
from curriculum_verl.bucketing.summary import Summary
from curriculum_verl.palette import shades


def write_report(summary: Summary, folder: Path) -> list[Path]:
    """Write report.png and report.html, each complete or not at all."""
    colours = shades(len(summary.buckets))
    drawn = picture(summary, colours)
    files = {"report.png": drawn, "report.html": page(summary, drawn, colours).encode()}
    for name, content in files.items():
        with replacing(folder / name) as file:
            file.write(content)
    return [folder / name for name in files]
