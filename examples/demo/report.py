"""report.html: what the run did and what came of it, in one file that needs nothing but itself."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq

from curriculum_verl.atomic import replacing
from curriculum_verl.manifest import read_manifest
from curriculum_verl.pages import Html, document, element, picture, section, table
from curriculum_verl.runs.history import History
from examples.demo import chart
from examples.demo.history import Validation
from examples.demo.summary import MODELS, Evaluation, rows, timeline, with_interval

EXAMPLES = 2  # prompts of a bucket
CHART = "Shares of the buckets in the batches, right answers to held-out prompts, and rewards, over the steps"


def write(
    folder: Path, history: History, validations: Sequence[Validation], evaluation: Evaluation, verdict: str
) -> None:
    """The page, beside all that it tells of."""
    steps = history.step
    figures = [
        (bucket, str(prompts), with_interval(before), with_interval(after), with_interval(change["success"], "+.0%"))
        for bucket, prompts, before, after, change in rows(evaluation)
    ]
    heads = ("bucket", "prompts", "before", "after", "gain")
    samples = folder / "evaluation" / "evaluation.samples"
    learned = picture((folder / "evaluation" / "evaluation.png").read_bytes(), "The same as a chart", "The same, drawn")
    page = document(
        "A curriculum on a CPU",
        element("h1", "A curriculum on a CPU"),
        element("p", f"{steps} steps of verl's GRPO in {len(history.stages)} stages: {verdict}.", class_="lead"),
        section("What was learned", element("p", NOTE), table(heads, figures), learned),
        section(
            "Stages",
            element("pre", "\n".join(timeline(history))),
            picture(chart.draw(history, validations), CHART, f"{CHART}. Lines: advances; dotted: rollbacks."),
        ),
        section("Responses before and after", *examples(samples, held_out(folder))),
    )
    with replacing(folder / "report.html") as file:
        file.write(page.encode())


NOTE = (
    "The share of right answers to prompts that were held out, with 95 % intervals; buckets are those of the warmed-up "
    "model, easiest first, so that chance in the sorting alone moves the outer ones towards the middle."
)


def held_out(folder: Path) -> dict[str, str]:
    """The bucket of every prompt that was held out, by the prompt's id."""
    place = folder / "preprocessed"
    manifest = read_manifest(place / "manifest.json")
    files = [(bucket.name, place / name) for bucket in manifest.buckets for name in bucket.validation]
    return {row["id"]: name for name, path in files for row in pq.read_table(path)["extra_info"].to_pylist()}


def examples(folder: Path, bucket_of: Mapping[str, str]) -> Iterator[Html]:
    """The first prompts of every bucket with what both models said."""
    said = [{row["id"]: row for row in lines(folder / name / "rollouts.jsonl")} for name in MODELS]
    for bucket in dict.fromkeys(bucket_of.values()):
        yield element("h3", bucket)
        for prompt in islice((prompt for prompt, name in bucket_of.items() if name == bucket), EXAMPLES):
            rows = [responses[prompt] for responses in said]
            asked = element("p", f"{prompt_of(rows[0])} should be answered {rows[0]['ground_truth']}")
            answers = [
                element("div", element("h4", name), element("pre", "\n".join(told(row))))
                for name, row in zip(MODELS, rows, strict=True)
            ]
            yield element("article", asked, element("div", *answers, class_="texts"))


def told(row: dict[str, Any]) -> Iterator[str]:
    """Each response with its mark."""
    for text, score in zip(row["response"], row["reward"], strict=True):
        yield f"{'right' if score else 'wrong'}  {text}"


def prompt_of(row: dict[str, Any]) -> str:
    """What was asked."""
    return "\n".join(message["content"] for message in row["prompt"])


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Rollouts."""
    for line in path.read_bytes().splitlines():
        yield msgspec.json.decode(line)
