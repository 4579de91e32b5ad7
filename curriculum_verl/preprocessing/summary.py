"""What a preprocessing did, in words."""

from collections import Counter
from collections.abc import Iterator, Sequence

from curriculum_verl.manifest import Bucket, Manifest
from curriculum_verl.preprocessing.filters import describe
from curriculum_verl.preprocessing.run import Result
from curriculum_verl.preprocessing.tally import Tally, describe_overlaps
from curriculum_verl.preprocessing.targets import Target
from curriculum_verl.words import counted, size

HEAD = ("bucket", "prompts", "removed", "train", "validation")


def summary(result: Result, seconds: float) -> str:
    """Counts of every bucket, the files, whatever is worth a look, and the speed."""
    paragraphs = [_table(result.tallies), "\n".join(_removed(result)), _files(result), "\n".join(_notes(result))]
    return "\n\n".join([paragraph for paragraph in paragraphs if paragraph] + [_speed(result.tallies, seconds)])


def _table(tallies: Sequence[Tally]) -> str:
    counts = [(t.bucket, t.prompts, t.removed.total(), t.train, t.validation) for t in tallies]
    if len(counts) > 1:
        counts.append(("all", *(sum(column) for column in list(zip(*counts, strict=True))[1:])))
    rows = [HEAD, *((name, *(f"{count:,}" for count in numbers)) for name, *numbers in counts)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    return "\n".join(
        row[0].ljust(widths[0])
        + "".join(cell.rjust(width + 2) for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in rows
    )


def _removed(result: Result) -> Iterator[str]:
    settings = result.settings
    removed = sum((tally.removed for tally in result.tallies), Counter[str]())
    for reason, count in removed.most_common():
        why = reason
        if reason.startswith("filter"):
            why = f"{reason} ({describe(settings.filter, settings.pass_threshold or 0.0)})"
        yield f"removed {count:,}: {why}"


def _files(result: Result) -> str:
    lines = []
    for target, manifest in result.made:
        lines.append(f"{target.manifest}:")
        lines += [f"  {file.path}: {counted(file.rows, 'row')}, {size(file.bytes)}" for file in manifest.files]
        if any(reason.startswith("rejected") for reason in manifest.removed):
            lines.append(f"  {target.rejects}: the lines that could not be used, with their reasons")
    return "\n".join(lines)


def _notes(result: Result) -> Iterator[str]:
    yield from _validation(result)
    if result.settings.on_benchmark != "error" and any(tally.overlaps for tally in result.tallies):
        kept = "removed" if result.settings.on_benchmark == "drop" else "kept"
        yield f"warning: {describe_overlaps(result.tallies, result.benchmarks)}; {kept}"
    without = sum(tally.without_truth for tally in result.tallies)
    if without:
        yield f"warning: no ground truth in {counted(without, 'prompt')}; rewards that need one cannot score these"
    dumps = sum(tally.dumps for tally in result.tallies)
    if dumps:
        both = ", nor is the same question in another format, so that it may be for training and for validation at once"
        yield (
            f"warning: {counted(dumps, 'prompt')} out of verl's rollout dumps, which hold prompts as one text with the "
            "chat template applied; training applies it again, and no evaluation set is recognised in it"
            f"{both if len(result.formats) > 1 else ''}"
        )
    if result.replaced:
        yield f"removed what only the run before had made: {', '.join(result.replaced)}"


def _validation(result: Result) -> Iterator[str]:
    share = result.settings.train_val_split
    for target, manifest in result.made:
        missing = [bucket for bucket in manifest.buckets if not bucket.validation_prompts]
        if share is None:
            yield f"no validation files for {target.manifest}: --no-val-split"
            continue
        for bucket in missing:
            reason = (
                f"nothing of {counted(bucket.prompts, 'prompt')} fell into the {(1 - share) * 100:.4g} % for validation"
            )
            yield f"{_what_lacks(target, manifest, bucket)}: {reason}"


def _what_lacks(target: Target, manifest: Manifest, bucket: Bucket) -> str:
    name = f"{target.stem(bucket.name, 'val')}.parquet"
    return (
        f"no prompt of {bucket.name} in {name}"
        if manifest.validation_files and target.name
        else f"no {name} for {bucket.name}"
    )


def _speed(tallies: Sequence[Tally], seconds: float) -> str:
    total = sum(tally.bytes for tally in tallies)
    prompts, lines = sum(tally.prompts for tally in tallies), sum(tally.lines for tally in tallies)
    of = f" of {counted(lines, 'line')}" if lines != prompts else ""
    rate = size(total / max(seconds, 1e-9))
    return f"{counted(prompts, 'prompt')}{of} ({size(total)}) in {seconds:,.1f} s: {rate}/s"
