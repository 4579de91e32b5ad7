"""The data tools, killed at random moments: what they leave is a result or is taken for none, and a rerun is exact."""

import json
import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from analysis.made_up import write_run
from integration.verl_toy import write_model
from made_up_rollouts import of_every_kind, rollout, solved, write
from torture.comparing import differences
from torture.outcome import TOO_LATE, Record, TroubleError, enough
from torture.processes import COMMAND, Ended, Times, random_moment, read_times, run, shorten, write_times
from torture.work import TOOLS as NAME
from torture.work import Work
from trajectories.made_up_trajectories import cota

from curriculum_verl.bucketing.manifest import read_bucket_manifest
from curriculum_verl.errors import CurriculumError
from curriculum_verl.manifest import check_files, read_manifest
from curriculum_verl.rollouts import rollout_files
from curriculum_verl.trajectories.manifest import read_trajectory_manifest

OUT = "out"
ROWS = 4000


@dataclass(frozen=True, slots=True)
class Tool:
    """A command, and how the next step takes what it leaves: that raises unless it is a result."""

    name: str
    arguments: str  # {inputs} is where they lie
    take: Callable[[Path], object]
    needs: str  # the one of its inputs that gets lost
    store: str = ""  # where it keeps what it goes on from; no part of the result

    def words(self, inputs: Path, *more: str) -> list[str]:
        return [*COMMAND, self.name, *self.arguments.format(inputs=inputs).split(), *more]


def _take_buckets(out: Path) -> None:
    read_bucket_manifest(out)
    rollout_files([out])


def _take_data(out: Path) -> None:
    check_files(read_manifest(out / "manifest.json"), out, hashes=True)


def _take_file(name: str) -> Callable[[Path], object]:
    return lambda out: json.loads((out / name).read_text())


MODEL = "--max-tokens 12 --context 96 --batch 8 --verifier exact --seed 3"
TOOLS = (
    Tool("bucket", "-i {inputs}/rollouts -o out", _take_buckets, "rollouts"),
    Tool("preprocess", "-i {inputs}/bucketed -o out", _take_data, "bucketed/medium.jsonl"),
    Tool("score-trajectories", "-i {inputs}/trajectories -o out", read_trajectory_manifest, "trajectories/a.jsonl"),
    Tool(
        "generate",
        "--model {inputs}/model --data {inputs}/tasks.jsonl --out out -n 4 " + MODEL,
        lambda out: rollout_files([out]),
        "tasks.jsonl",
    ),
    Tool(
        "evaluate",
        "--model one={inputs}/model two={inputs}/other --data {inputs}/data/manifest.json --limit 24 -n 4 "
        "--out out/found.json " + MODEL,
        _take_file("found.json"),
        "model/model.safetensors",
        "found.samples",
    ),
    Tool(
        "analyze",
        "--runs base={inputs}/base full={inputs}/full --out out",
        _take_file("analysis.json"),
        "full/checkpoints/curriculum.jsonl",
    ),
)


def make_inputs(folder: Path) -> None:
    """All that the tools read, made in code."""
    write(folder / "rollouts" / "a.jsonl", of_every_kind(ROWS))
    write(folder / "rollouts" / "b.jsonl.gz", [rollout(n, solved(n % 5)) for n in range(2 * ROWS, 3 * ROWS)])
    write(folder / "trajectories" / "a.jsonl", [cota(n, 1 + n % 9) for n in range(ROWS)])
    sums = random.Random(0).choices(range(100), k=48)
    write(folder / "tasks.jsonl", [_task(number, n) for number, n in enumerate(sums)])
    write_model(folder / "model", hidden=32, layers=1)
    write_model(folder / "other", hidden=48, layers=1)
    for name in ("base", "full"):
        write_run(folder, name, prompts=150)
    for name, source, target in (("bucket", "rollouts", "bucketed"), ("preprocess", "bucketed", "data")):
        words = [*COMMAND, name, "-i", str(folder / source), "-o", str(folder / target)]
        require(run(words, folder), f"{name} for the inputs of the others")


def _task(number: int, n: int) -> dict[str, object]:
    prompt = [{"role": "user", "content": f"{n}+{number}=?"}]
    return {"id": f"t{number}", "prompt": prompt, "ground_truth": str(n + number)}


def require(ended: Ended, what: str) -> Ended:
    """A run that must end well, or nothing can be compared with it."""
    if ended.code is None or ended.wrong:
        raise TroubleError(f"{what}: {'; '.join(ended.wrong) or 'it was killed'}")
    return ended


def inputs_of(work: Work) -> Path:
    return work.once("inputs", make_inputs)


def undisturbed(work: Work, tool: Tool, *more: str) -> tuple[Path, Times]:
    """What the tool leaves when nothing happens: in `plain`, and in `overwritten` by --overwrite over that."""
    inputs = inputs_of(work)

    def make(folder: Path) -> None:
        place = work.fresh("place")
        place.joinpath(OUT).mkdir()
        first = require(run(tool.words(inputs, *more), place), tool.name)
        write_times(folder, first.times)
        shutil.copytree(place / OUT, folder / "plain")
        require(run(tool.words(inputs, *more, "--overwrite"), place), tool.name)
        shutil.copytree(place / OUT, folder / "overwritten")

    whole = work.once(f"whole-{'_'.join([tool.name, *more])}", make)
    return whole, read_times(whole)


def next_kill(work: Work, records: Sequence[Record]) -> Record | None:
    """The tools take turns; some have two workers, which may be left alone, and some overwrite a result."""
    if enough(records, work.kills_of(NAME)):
        return None
    number = len(records)
    tool, rng = TOOLS[number % len(TOOLS)], work.random(NAME, number)
    two, over = rng.random() < 0.5, rng.random() < 0.25
    more = ("--workers", "2") if two else ()
    whole, times = undisturbed(work, tool, *more)
    moment = replace(random_moment(rng, times), alone=two and rng.random() < 0.5)
    place = work.fresh("place")
    if over:
        shutil.copytree(whole / "plain", place / OUT)
    else:
        place.joinpath(OUT).mkdir()
    ended = run(tool.words(inputs_of(work), *more, *["--overwrite"][:over]), place, moment=moment)
    failures = [*ended.wrong, *wrongly_taken(tool, place, whole, over=over), *rerun(work, tool, place, whole, *more)]
    if ended.code == 0:
        shorten(whole, ended.times.seconds)
    if ended.code is not None and not failures:
        return Record(tool.name, skipped=TOO_LATE)
    kills = (f"{tool.name}, {moment.words}",) if ended.code is None else ()
    told = f"{tool.name}{', two workers' if two else ''}{', over a result' if over else ''}, killed {moment.words}"
    return Record(told, kills, failures=tuple(failures))


def is_taken(tool: Tool, out: Path) -> bool:
    """Whether the next step would take this folder for a result."""
    try:
        tool.take(out)
    except (CurriculumError, OSError, ValueError):
        return False
    return True


def wrongly_taken(tool: Tool, place: Path, whole: Path, *, over: bool = False) -> list[str]:
    """What is wrong with an output that the next step would take; `over` another one, either of the two may stand."""
    if not is_taken(tool, place / OUT):
        return []
    kinds = ("plain", *["overwritten"][:over])
    found = [differences(place / OUT, whole / kind, more=True, but=tool.store) for kind in kinds]
    return [f"the next step would take this for a result: {difference}" for difference in min(found, key=len)]


def rerun(work: Work, tool: Tool, place: Path, whole: Path, *more: str) -> list[str]:
    """The same command again, as a user would after reading what it says; what is then not as it should be."""
    inputs, kind = inputs_of(work), "plain"
    again = run(tool.words(inputs, *more), place)
    if again.code == 1 and "--overwrite" in again.said:
        again, kind = run(tool.words(inputs, *more, "--overwrite"), place), "overwritten"
    if again.wrong:
        return [f"the rerun: {words}" for words in again.wrong]
    left = sorted(path.name for path in place.iterdir() if path.name != OUT)
    behind = [f"left behind beside the output: {', '.join(left)}"] if left else []
    return [*differences(place / OUT, whole / kind), *behind]
