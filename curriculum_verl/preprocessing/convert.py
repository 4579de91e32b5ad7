"""The task: one chunk of a bucket turned into rows for training and validation, and what must be known of them."""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from curriculum_verl.bucketing.manifest import MetricUsed
from curriculum_verl.difficulty import Metric, find_metric
from curriculum_verl.difficulty import Settings as MetricSettings
from curriculum_verl.manifest import PROMPT
from curriculum_verl.preprocessing.chunks import Chunk
from curriculum_verl.preprocessing.filters import FILTERS
from curriculum_verl.preprocessing.lines import CHANGED, Prompt, PromptReader, Reject
from curriculum_verl.preprocessing.normal import is_for_training, normal_text, text_hash
from curriculum_verl.preprocessing.parquet import Keys, Side, write_part
from curriculum_verl.preprocessing.rows import SCHEMA, Row, difficulty_metrics, make_row, prompt_with
from curriculum_verl.preprocessing.settings import ABILITY, DATA_SOURCE, Settings
from curriculum_verl.rollouts.content import Rollout
from curriculum_verl.rollouts.fields import Fields
from curriculum_verl.rollouts.scores import LineError

BATCH = 8 << 20  # bytes of lines whose rows are held as Python objects
SHOWN = 3  # overlaps that are named
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True)
class Task:
    """A chunk and all that its rows depend on; with `parts` its tables are written there instead of returned."""

    chunk: Chunk
    settings: Settings
    pass_threshold: float
    metric: MetricUsed
    fields: Fields
    benchmark: Mapping[int, int] = field(default_factory=dict)  # hash of a normal text -> number of its file
    parts: Path | None = None


@dataclass(frozen=True, slots=True)
class Overlap:
    """A prompt that also stands in an evaluation set."""

    line: int
    id: str
    benchmark: int


@dataclass(slots=True)
class Part:
    """What became of a chunk; a `failure` is a line that must not be there, and ends the work."""

    train: Side = field(default_factory=Side)
    validation: Side = field(default_factory=Side)
    keys: Keys = field(default_factory=lambda: np.empty(0, np.uint64))
    lines: int = 0
    removed: Counter[str] = field(default_factory=Counter)
    rejects: list[Reject] = field(default_factory=list)
    failure: Reject | None = None
    best: float = -np.inf  # the best score of all prompts that a filter looked at
    without_truth: int = 0
    dumps: int = 0
    overlaps: Counter[int] = field(default_factory=Counter)
    overlap_examples: list[Overlap] = field(default_factory=list)


def convert(task: Task) -> Part:
    """Work on one chunk."""
    return _Conversion(task).run()


class _Rows:
    """Collects the rows of one side; they become Arrow early, which takes less memory than Python."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._batches: list[pa.RecordBatch] = []
        self._known: list[tuple[float, float]] = []
        self._keys: list[int] = []

    def add(self, key: int, row: Row) -> None:
        info = row["extra_info"]
        difficulty = min(max(info["difficulty"], -LARGEST), LARGEST)
        self._known.append((difficulty, info["difficulty_metrics"]["success_rate"]))
        self._keys.append(key)
        self._rows.append(row)

    def flush(self) -> None:
        if self._rows:
            self._batches.append(pa.RecordBatch.from_pylist(self._rows, schema=SCHEMA))
            self._rows = []

    def finish(self, path: Path | None) -> Side:
        self.flush()
        table = pa.Table.from_batches(self._batches, schema=SCHEMA)
        side = Side(len(self._keys), np.array(self._keys, np.uint64), np.array(self._known, PROMPT))
        if path is None:
            side.table = table
        elif side.rows:
            write_part(path, table)
            side.path = path
        return side


class _Conversion:
    def __init__(self, task: Task):
        self._task = task
        self._settings = task.settings
        self._metric: Metric = find_metric(task.metric.name)
        # Difficulty is the bucketing's own; what passes here may be another threshold.
        self._metric_settings = MetricSettings(task.metric.pass_threshold, task.metric.k)
        self._figures_settings = MetricSettings(task.pass_threshold, task.metric.k)
        self._keeps = FILTERS[task.settings.filter]
        self._part = Part()
        self._train, self._validation = _Rows(), _Rows()

    def run(self) -> Part:
        part, held = self._part, 0
        keys: list[int] = []
        lines = self._task.chunk.lines()
        for prompt in PromptReader(self._task.fields)(lines):
            index = self._task.chunk.first + len(keys)
            keys.append(prompt.key)
            part.lines += prompt.lines
            try:
                self._take(prompt, index)
            except LineError as bad:
                self._reject([Reject(prompt.line + n, bad.reason, str(bad)) for n in range(prompt.lines)])
            if part.failure is not None:
                deque(lines, maxlen=0)  # a file that has changed is the better reason
                return part
            held += prompt.bytes
            if held > BATCH:
                self._train.flush()
                self._validation.flush()
                held = 0
        part.keys = np.array(keys, np.uint64)
        part.train = self._train.finish(self._path("train"))
        part.validation = self._validation.finish(self._path("val"))
        return part

    def _path(self, side: str) -> Path | None:
        chunk, folder = self._task.chunk, self._task.parts
        return None if folder is None else folder / f"{chunk.first:012d}-{side}.parquet"

    def _take(self, prompt: Prompt, index: int) -> None:
        rollout = prompt.rollout
        if rollout is None:
            self._reject(prompt.rejects)
            return
        text = normal_text(rollout.messages)
        if self._removed(prompt, rollout, text):
            return
        row = self._row(rollout, index)
        training = is_for_training(text, self._settings.train_val_split, self._settings.seed)
        (self._train if training else self._validation).add(prompt.key, row)
        self._part.without_truth += rollout.ground_truth is None
        self._part.dumps += rollout.part

    def _removed(self, prompt: Prompt, rollout: Rollout, text: str) -> bool:
        """Whether the prompt is left out; the reason is counted."""
        part, task = self._part, self._task
        best = max(rollout.scores)
        part.best = max(part.best, best)
        if not self._keeps(best, task.pass_threshold):
            part.removed[f"filter: {self._settings.filter}"] += 1
            return True
        found = task.benchmark.get(text_hash(text)) if task.benchmark else None
        if found is not None:
            part.overlaps[found] += 1
            if len(part.overlap_examples) < SHOWN:
                part.overlap_examples.append(Overlap(prompt.line, rollout.id, found))
            if self._settings.on_benchmark == "drop":
                part.removed["benchmark"] += 1
                return True
        return False

    def _row(self, rollout: Rollout, index: int) -> Row:
        settings = self._settings
        if settings.instruction is not None and all(message["role"] != "user" for message in rollout.messages):
            raise LineError(
                "no_user_message", "got no message of the user, expected one to which --instruction is added"
            )
        return make_row(
            rollout,
            prompt_with(rollout.messages, settings.system_prompt, settings.instruction),
            data_source=settings.data_source or rollout.data_source or DATA_SOURCE,
            ability=settings.ability or rollout.ability or ABILITY,
            index=index,
            stage=self._task.chunk.bucket,
            difficulty=self._difficulty(rollout.scores),
            metrics=difficulty_metrics(rollout.scores, self._figures_settings),
        )

    def _difficulty(self, scores: list[float]) -> float:
        """The metric by which the buckets were cut, turned so that larger is harder."""
        try:
            value = self._metric(tuple(scores), self._metric_settings)  # a user's own function may change a list
        except (Exception, SystemExit) as error:  # and raise anything
            what = f"{type(error).__name__}: {error}"
            raise LineError("metric_failed", f"{self._metric.name} of {len(scores)} scores: {what}") from error
        if not np.isfinite(value):
            raise LineError("metric_failed", f"{self._metric.name}: got {value}, expected a finite number")
        return self._metric.hardness(value) + 0.0  # no minus before a zero

    def _reject(self, rejects: Sequence[Reject]) -> None:
        worst = next((reject for reject in rejects if reject.reason == CHANGED), None)
        first = next(reject for reject in rejects if reject.reason != "other_line_rejected")
        if worst is not None or self._settings.on_invalid == "error":
            self._part.failure = worst or first
            return
        self._part.rejects += rejects
        self._part.removed[f"rejected: {first.reason}"] += 1
