"""What reads files and texts of others: each takes any bytes, and gets through or says in words what is wrong."""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from made_up_rollouts import rollout, solved, write

from curriculum_verl.bucketing.manifest import read_bucket_manifest
from curriculum_verl.bucketing.run import bucket_rollouts
from curriculum_verl.bucketing.settings import Settings
from curriculum_verl.curriculum import Curriculum, PromptIndex
from curriculum_verl.curriculum.loading import load_config
from curriculum_verl.curriculum.state import read_state
from curriculum_verl.errors import CurriculumError
from curriculum_verl.generation.journal import finished
from curriculum_verl.manifest import check_files, read_manifest, read_prompts
from curriculum_verl.parallel import InProcess
from curriculum_verl.preprocessing.run import preprocess
from curriculum_verl.preprocessing.settings import Settings as Preprocessing
from curriculum_verl.rewards.settings import Operations
from curriculum_verl.rewards.trajectory import read_trajectory
from curriculum_verl.rollouts import read_rollouts
from curriculum_verl.rollouts.content import ContentReader
from curriculum_verl.rollouts.fields import ROLES
from curriculum_verl.rollouts.scores import LineError, ScoreReader
from curriculum_verl.runs.history import read_history
from curriculum_verl.sft.config import read_config
from curriculum_verl.trajectories.manifest import read_trajectory_manifest
from curriculum_verl.trajectories.reading import TrajectoryReader
from curriculum_verl.trajectories.run import score_trajectories
from curriculum_verl.trajectories.settings import Scoring, trajectory_settings

BUCKETS = ("easy", "hard")
BLOCK = b"""curriculum:
  policy: {name: posterior, target: 0.5}
  stages:
    - name: one
      mix: {easy: 1.0}
      rewards: {final: 1.0, coherence: 0.1}
      exit: {any: [{metric: train/success_rate, window: 5, above: 0.7}, {metric: joint, plateau: {evals: 3}}]}
    - {name: two, mix: {easy: 0.4, hard: 0.6}}
  derived: {joint: "(val/score + 1e-3) / 2"}
  advance: {check_every: 5, validate_now: true}
  rollback: {threshold: -0.1, restore: data}
  alerts: [{name: kl, metric: actor/ppo_kl, above: 0.2}]
"""
_REWARDS = b"      rewards: {final: 1.0, coherence: 0.1}\n"  # which fine-tuning has none of
SFT = b"""model: {path: m}
data: {train: [a.jsonl], validation: b.jsonl, buckets: [easy, hard]}
training: {output: out, max_steps: 3, learning_rate: 1e-3, final: {of: best, count: 1}}
lora: {rank: 4, dropout: 0.05}
"""


@dataclass(frozen=True, slots=True)
class Target:
    """A good input, and what reads it; the folder is one to write in."""

    good: bytes
    read: Callable[[bytes, Path], bool]


def _file(
    name: str, read: Callable[[Path], object], beside: Mapping[str, bytes] | None = None
) -> Callable[[bytes, Path], bool]:
    """A reader of files: what it refuses, it names; whether it took this one. It may need others beside it."""

    def check(content: bytes, folder: Path) -> bool:
        path = folder / name
        if not path.parent.exists():
            path.parent.mkdir()
            for other, theirs in (beside or {}).items():
                (path.parent / other).write_bytes(theirs)
        path.write_bytes(content)
        try:
            read(path)
        except CurriculumError as error:
            if not (folder.name in str(error) or path.name in str(error)):
                raise AssertionError(f"the message names no file: {error}") from error
            return False
        return True

    return check


def _manifest(made: str, read: Callable[[Path], object]) -> Target:
    """A manifest among the files that it tells of."""
    files = _MADE[made]
    others = {name: content for name, content in files.items() if name != "manifest.json"}
    return Target(files["manifest.json"], _file(f"{made}/manifest.json", read, others))


def _text(read: Callable[[str], object]) -> Callable[[bytes, Path], bool]:
    """A reader of what a model wrote, which is never refused."""

    def check(content: bytes, folder: Path) -> bool:
        read(content.decode(errors="surrogateescape"))
        return True

    return check


def _line(read: Callable[[bytes], object]) -> Callable[[bytes, Path], bool]:
    """A reader of single lines: what it refuses has a reason, under which it is counted; whether it took this one."""

    def check(content: bytes, folder: Path) -> bool:
        try:
            read(content.replace(b"\n", b" "))
        except LineError as error:
            if not (error.reason and str(error)):
                raise AssertionError(f"a line is refused without a reason: {error!r}") from error
            return False
        return True

    return check


def _data(path: Path) -> None:
    manifest = read_manifest(path)
    check_files(manifest, path.parent)
    read_prompts(manifest, path.parent)


def _state(path: Path) -> None:
    """Also what a curriculum takes of a state."""
    curriculum = _curriculum()
    try:
        curriculum.load(path)
    except CurriculumError as error:
        if "saved state" not in str(error):
            raise


def _curriculum() -> Curriculum:
    return Curriculum.from_config(json.loads(_STAGES), PromptIndex.build(dict.fromkeys(BUCKETS, 5)))


_STAGES = '{"stages": [{"name": "one", "mix": {"easy": 1.0}}], "policy": {"name": "bandit"}}'


def _saved() -> bytes:
    curriculum = _curriculum()
    for step in (1, 2):
        curriculum.observe(step, curriculum.draw(4).prompts, np.eye(4))
    state = curriculum.state_dict()
    plain = json.dumps(state, default=lambda array: array.tolist())
    return b'{"version":1,"arrays":null,"state":' + plain.encode() + b"}"


def _read_state_alone(path: Path) -> None:
    read_state(path)


_ROLLOUT = json.dumps(
    {
        "id": "a",
        "prompt": [{"role": "user", "content": "2+2=?"}],
        "response": {"choices": [{"message": {"content": "4"}}, {"message": {"content": "5"}}]},
        "reward": [{"score": 1.0}, {"score": 0.0}],
        "ground_truth": "4",
    }
).encode()
_COTA: dict[str, Any] = {
    "id": "q",
    "question": "Where?",
    "trajectory": [{"thought": "I look.", "action": "ZOOM_IN", "arguments": {"x": 1}}, "so"],
    "answer": 4,
    "trap": "no_trap",
}
_CHAT = b'{"messages": [{"role": "user", "content": "2?"}, {"role": "assistant", "content": "2", "tool_calls": []}]}'


def _folders() -> Iterator[tuple[str, dict[str, bytes]]]:
    """What bucketing, preprocessing and the scoring of trajectories write: the files of each folder by name."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "r.jsonl", [rollout(n, solved(n % 4, 4)) for n in range(8)])
        bucket_rollouts([folder / "r.jsonl"], folder / "buckets", Settings(buckets=2), InProcess(), report=False)
        preprocess(folder / "buckets", folder / "data", Preprocessing(), InProcess())
        cotas = [_COTA | {"id": n, "trajectory": _COTA["trajectory"] * n} for n in range(1, 5)]
        (folder / "t.jsonl").write_text("".join(json.dumps(cota) + "\n" for cota in cotas))
        score_trajectories([folder / "t.jsonl"], folder / "scored", trajectory_settings(Scoring()), InProcess())
        for made in ("buckets", "data", "scored"):
            yield made, {path.name: path.read_bytes() for path in (folder / made).iterdir() if path.is_file()}


_MADE = dict(_folders())
_METRICS = b"""{"kind":"start","step":0,"time":1.5,"stages":["one","two"],"buckets":["easy"],"rollouts":null}
{"kind":"step","step":1,"stage":"one","metrics":{"a":1.0},"exit":[{"metric":"a","test":"above","value":1.0,"threshold":2.0,"met":false}]}
{"kind":"advance","step":1,"source":"one","target":"two","reason":"a above 2","before":null,"after":0.5}
{"kind":"validation","step":1,"stage":"two","metrics":{"val/score":0.5}}
"""
_JOURNAL = b'{"position":3,"line":{"id":"a"}}\n{"position":4,"line":{"id":"b"}}\n'
_SAID = b"""I look at the cup.
ZOOM_IN(x=1, y=[2, {"a": 'b'}])
<tool_call>{"name": "READ_TEXT", "arguments": {"x": 1}}</tool_call>
```json
{"name": "ZOOM_IN", "arguments": "{}"}
```
Wait, no. <think>so</think><answer>4</answer>
"""
_OPERATIONS = Operations()
_TRAJECTORIES = TrajectoryReader(trajectory_settings(Scoring()))

TARGETS = {
    "rollouts file": Target(
        _ROLLOUT + b"\n" + _ROLLOUT + b"\n", _file("r.jsonl", lambda path: list(read_rollouts(path)))
    ),
    "scores of a line": Target(_ROLLOUT, _line(ScoreReader(ROLES))),
    "content of a line": Target(_ROLLOUT, _line(ContentReader(ROLES).rollout)),
    "trajectory of a line": Target(json.dumps(_COTA).encode(), _line(_TRAJECTORIES.sample)),
    "chat of a line": Target(_CHAT, _line(_TRAJECTORIES.sample)),
    "trajectory": Target(_SAID, _text(lambda text: read_trajectory(text, _OPERATIONS))),
    "manifest of data": _manifest("data", read_manifest),
    "files of a manifest": _manifest("data", _data),
    "manifest of buckets": _manifest("buckets", lambda path: read_bucket_manifest(path.parent)),
    "manifest of trajectories": _manifest("scored", lambda path: read_trajectory_manifest(path.parent)),
    "state file": Target(_saved(), _file("curriculum.json", _read_state_alone)),
    "state": Target(_saved(), _file("curriculum.json", _state)),
    "recipe": Target(BLOCK, _file("recipe.yaml", lambda path: load_config(path, BUCKETS))),
    "recipe of fine-tuning": Target(
        SFT + BLOCK.replace(_REWARDS, b""), _file("sft.yaml", lambda path: read_config(path, []))
    ),
    "metrics file": Target(_METRICS, _file("curriculum.jsonl", read_history)),
    "journal": Target(_JOURNAL, _file("a.journal", lambda path: finished(path.parent))),
}
