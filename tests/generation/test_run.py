"""Whole runs: the same files however they were cut up, interrupted or spread."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from generation.conftest import SUMS, write_lines

from curriculum_verl.bucketing.run import bucket_rollouts
from curriculum_verl.bucketing.settings import Settings as BucketSettings
from curriculum_verl.errors import InputError
from curriculum_verl.generation.backend import Sampling
from curriculum_verl.generation.data import Data
from curriculum_verl.generation.job import Job, Shard
from curriculum_verl.generation.judging import Scoring
from curriculum_verl.generation.placing import Placing
from curriculum_verl.generation.run import generate, look
from curriculum_verl.parallel import InProcess
from curriculum_verl.rewards.verifiers.settings import FinalSettings

HERE = Placing()


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def lines(folder: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line) for path in sorted(folder.glob("rollouts*.jsonl")) for line in path.read_text().splitlines()
    ]


@pytest.fixture
def whole(make_job: Callable[..., Job], tmp_path: Path) -> dict[str, bytes]:
    """What an undisturbed run writes."""
    generate(make_job(output=tmp_path / "whole"), HERE)
    return files(tmp_path / "whole")


def test_every_prompt_stands_once_in_order_with_scores_that_are_right(make_job: Callable[..., Job]) -> None:
    job = make_job()
    done = generate(job, HERE)
    found = lines(job.output)
    assert [line["id"] for line in found] == [question for question, _ in SUMS[:20]]
    for line in found:
        assert line["reward"] == [float(text == line["ground_truth"]) for text in line["response"]]
        assert len(line["response"]) == 4
    counts = done.manifest["counts"]
    assert counts["tokens"] == sum(sum(line["tokens"]) for line in found)
    assert 0 < sum(sum(line["reward"]) for line in found) < counts["responses"] == 80


def test_what_is_written_can_be_bucketed(make_job: Callable[..., Job], tmp_path: Path) -> None:
    job = make_job(first=2, count=6)
    generate(job, HERE)
    done = bucket_rollouts([job.output], tmp_path / "buckets", BucketSettings(), InProcess(), report=False)
    assert done.summary.prompts == 20
    assert not done.summary.rejected


def test_the_manifest_says_how_the_rollouts_came_about(make_job: Callable[..., Job], model: Path) -> None:
    job = make_job()
    manifest = generate(job, HERE).manifest
    assert manifest == json.loads((job.output / "generation.json").read_text())
    settings = manifest["settings"]
    assert settings["sampling"] == {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "max_tokens": 6, "stop": []}
    assert settings["versions"]["torch"]
    assert settings["scoring"]["verifier"] == "exact"
    assert manifest["origin"]["model"]["path"] == str(model)
    assert manifest["files"]["rollouts"]["bytes"] == len(files(job.output)["rollouts.jsonl"])


def arguments(job: Job) -> list[str]:
    return [
        *("--model", job.backend.model, "--data", *job.data.files, "--out", str(job.output)),
        *("-n", str(job.count), "--max-tokens", str(job.sampling.max_tokens), "--verifier", "exact"),
    ]


@pytest.mark.parametrize("after", [0, 1, 7, 19])
def test_a_run_that_was_killed_goes_on_and_writes_the_same_files(
    make_job: Callable[..., Job], whole: dict[str, bytes], after: int
) -> None:
    job = make_job()
    script = Path(__file__).with_name("killed_run.py")
    killed = subprocess.run([sys.executable, script, str(after), *arguments(job)], env=os.environ, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert not (job.output / "rollouts.jsonl").exists()
    assert look(job).done == after
    done = generate(job, HERE)
    assert done.made_now == 20 - after
    assert files(job.output) == {**whole, **{name: b"" for name in files(job.output) if name.endswith(".lock")}}


@pytest.mark.parametrize("name", ["rollouts.jsonl", "generation.json"])
def test_a_kill_while_the_files_are_put_in_place_loses_nothing(
    make_job: Callable[..., Job], whole: dict[str, bytes], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import curriculum_verl.generation.run as running

    job = make_job()

    class KilledError(BaseException):
        pass

    real = running.replacing

    def dies(path: Path) -> Any:
        if path.name == name:
            raise KilledError
        return real(path)

    with monkeypatch.context() as patch:
        patch.setattr(running, "replacing", dies)
        with pytest.raises(KilledError):
            generate(job, HERE)
    done = generate(job, HERE)
    assert done.made_now == 0
    assert files(job.output) == whole


def test_a_finished_run_is_left_alone(make_job: Callable[..., Job], whole: dict[str, bytes]) -> None:
    job = make_job()
    generate(job, HERE)
    again = generate(replace(job, backend=replace(job.backend, retries=1)), HERE)
    assert again.made_now == 0
    assert files(job.output) == whole


def test_shards_in_order_are_the_whole(make_job: Callable[..., Job], whole: dict[str, bytes]) -> None:
    for number in (3, 1, 2):
        generate(make_job(shard=Shard(number, 3)), HERE)
    found = files(make_job().output)
    rollouts = [found[f"rollouts-{number:05}-of-00003.jsonl"] for number in (1, 2, 3)]
    assert b"".join(rollouts) == whole["rollouts.jsonl"]


def test_several_processes_write_what_one_writes(make_job: Callable[..., Job], whole: dict[str, bytes]) -> None:
    job = make_job()
    generate(job, Placing(workers=2))
    assert files(job.output) == whole


def test_a_run_with_other_settings_is_refused_with_every_difference(
    make_job: Callable[..., Job], sums: Path, whole: dict[str, bytes]
) -> None:
    job = make_job()
    generate(job, HERE)
    write_lines(sums, [{"id": "1", "prompt": "1+1=?", "ground_truth": "2"}])
    other = make_job(count=3, sampling=Sampling(0.7, max_tokens=6), first=1)
    with pytest.raises(InputError) as caught:
        generate(other, HERE)
    for said in (
        "responses: 4 there, 3 now",
        "sampling.temperature: 1.0 there, 0.7 now",
        "stop_early_first: null there, 1 now",
        "prompts: 20 there, 1 now",
        "prompts_hash: ",
    ):
        assert said in str(caught.value)
    assert "seed" not in str(caught.value)
    assert files(job.output) == whole, "nothing was touched"
    generate(other, HERE, overwrite=True)
    assert len(lines(job.output)) == 1


def test_an_unfinished_run_with_other_settings_is_refused_too(make_job: Callable[..., Job]) -> None:
    job = make_job()
    generate(job, HERE)
    with pytest.raises(InputError, match="shards: 1 there, 2 now"):
        generate(make_job(shard=Shard(1, 2)), HERE)
    generate(make_job(shard=Shard(1, 2)), HERE, overwrite=True)
    assert [path.name for path in job.output.glob("*.jsonl")] == ["rollouts-00001-of-00002.jsonl"]


def test_overwrite_makes_a_finished_run_anew(make_job: Callable[..., Job], whole: dict[str, bytes]) -> None:
    job = make_job()
    generate(job, HERE)
    assert generate(job, HERE, overwrite=True).made_now == 20
    assert files(job.output) == whole


def test_a_run_that_failed_at_a_bad_prompt_goes_on_without_it(make_job: Callable[..., Job], tmp_path: Path) -> None:
    rows = [
        *({"id": str(n), "prompt": "1+1=?", "ground_truth": "2"} for n in range(40)),
        {"id": "l", "prompt": "1" * 99, "ground_truth": "1"},
    ]
    data = Data((str(write_lines(tmp_path / "d.jsonl", rows)),))
    job = make_job(data=data, count=1)
    job = replace(job, backend=replace(job.backend, context=64, batch=1))
    with pytest.raises(InputError, match="--on-invalid reject"):
        generate(job, HERE)
    lenient = replace(job, data=replace(data, on_invalid="reject"), backend=replace(job.backend, refused="skip"))
    assert generate(lenient, HERE).manifest["rejected"] == {"prompt_too_long": 1}


def test_files_that_are_gone_are_missed(make_job: Callable[..., Job], whole: dict[str, bytes]) -> None:
    job = make_job()
    generate(job, HERE)
    (job.output / "rollouts.jsonl").write_text("{}")
    with pytest.raises(InputError, match="is not as the finished run left it"):
        generate(job, HERE)
    generate(job, HERE, overwrite=True)
    assert files(job.output) == whole


def test_what_cannot_be_read_can_be_overwritten(make_job: Callable[..., Job], whole: dict[str, bytes]) -> None:
    job = make_job()
    generate(job, HERE)
    (job.output / "generation.json").write_text("{")
    with pytest.raises(InputError, match=r"generation.json: cannot be read: .*--overwrite"):
        generate(job, HERE)
    generate(job, HERE, overwrite=True)
    assert files(job.output) == whole


def test_journals_of_nobody_knows_what_are_not_used(make_job: Callable[..., Job], whole: dict[str, bytes]) -> None:
    """A kill while an overwritten run's state was removed."""
    job = make_job()
    state = job.output / ".generating"
    state.mkdir(parents=True)
    (state / "old.journal").write_text('{"position": 0, "line": {"id": "of another run"}}\n')
    generate(job, HERE)
    assert files(job.output) == whole


def test_a_run_that_goes_on_is_not_overwritten(make_job: Callable[..., Job]) -> None:
    from curriculum_verl.generation.folder import STATE, Places, document, locked

    job = make_job()
    other = Places(job.output, Shard(1, 2))
    with locked(other):
        other.state.mkdir()
        (other.state / "settings.json").write_bytes(document({"settings": {"shards": 2}}))
        with pytest.raises(InputError, match="end it before you overwrite it"):
            generate(job, HERE, overwrite=True)
    generate(job, HERE, overwrite=True)
    assert not list(job.output.glob(f"{STATE}*"))


def test_rollouts_of_somebody_else_are_not_mixed_in(make_job: Callable[..., Job]) -> None:
    job = make_job()
    job.output.mkdir()
    (job.output / "other.jsonl").touch()
    with pytest.raises(InputError, match=r"holds other.jsonl, which are none of this run's"):
        generate(job, HERE)


def test_early_stopping_makes_the_first_of_the_same_responses(
    make_job: Callable[..., Job], whole: dict[str, bytes], tmp_path: Path
) -> None:
    full = lines(tmp_path / "whole")
    job = make_job(first=2)
    counts = generate(job, HERE).manifest["counts"]
    stopped = 0
    for line, every in zip(lines(job.output), full, strict=True):
        made = line["responses_made"]
        assert line["response"] == every["response"][:made]
        agree = len({score >= 0.5 for score in every["reward"][:2]}) == 1
        assert made == (2 if agree else 4)
        stopped += agree
    assert 0 < stopped < 20
    assert counts["saved_responses"] == 2 * stopped
    assert counts["stopped_all_right"] + counts["stopped_all_wrong"] == stopped


def test_what_no_verifier_can_score_is_told_and_is_no_zero(make_job: Callable[..., Job], tmp_path: Path) -> None:
    rows = [{"id": "a", "prompt": "1+1=?", "ground_truth": "2"}, {"id": "b", "prompt": "1+1=?", "data_source": "new"}]
    data = Data((str(write_lines(tmp_path / "d.jsonl", rows)),))
    scoring = Scoring(FinalSettings(sources={"": "exact"}))
    job = make_job(data=data, scoring=scoring, count=2)
    manifest = generate(job, HERE).manifest
    assert [line["id"] for line in lines(job.output)] == ["a"]
    [reject] = map(json.loads, (job.output / "rejects.jsonl").read_text().splitlines())
    assert (reject["id"], reject["reason"], reject["line"]) == ("b", "unscored", 2)
    assert "no verifier for data source 'new'" in reject["message"]
    assert manifest["rejected"] == {"unscored": 1}
    assert manifest["counts"]["responses"] == 2, "what cannot be scored is not sampled"
    assert "responses" not in reject


def unscorable(tmp_path: Path, prompts: int, first_good: int | None = None) -> tuple[Data, Scoring]:
    """Prompts for which a function has no score, which nobody can know beforehand."""
    (tmp_path / "mine.py").write_text(
        "def score(response):\n    assert response.ground_truth == 'good', 'no truth'\n    return 1.0\n"
    )
    rows = [
        {"id": str(n), "prompt": "1+1=?", "ground_truth": "good" if n == first_good else "bad"} for n in range(prompts)
    ]
    return Data((str(write_lines(tmp_path / "d.jsonl", rows)),)), Scoring(verifier=f"{tmp_path}/mine.py:score")


def test_a_run_ends_when_not_one_of_its_first_prompts_can_be_scored(
    make_job: Callable[..., Job], tmp_path: Path
) -> None:
    data, scoring = unscorable(tmp_path, 80)
    job = make_job(data=data, scoring=scoring, count=1)
    with pytest.raises(InputError, match=r"not one of 32 prompts could be scored: .*no truth; mend .* --verifier"):
        generate(job, HERE)
    data, scoring = unscorable(tmp_path, 80, first_good=20)
    job = make_job(data=data, scoring=scoring, count=1, output=tmp_path / "one")
    assert generate(job, HERE).manifest["counts"]["rollouts"] == 1


def test_a_run_that_goes_on_knows_that_earlier_prompts_had_scores(make_job: Callable[..., Job], tmp_path: Path) -> None:
    data, scoring = unscorable(tmp_path, 80, first_good=20)
    job = make_job(data=data, scoring=scoring, count=1)
    script = Path(__file__).with_name("killed_run.py")
    given = [*arguments(job)[:-1], str(scoring.verifier)]
    killed = subprocess.run([sys.executable, script, "40", *given], env=os.environ, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert generate(job, HERE).made_now == 40


def test_prompts_that_cannot_be_scored_are_found_before_a_model_is_loaded(
    make_job: Callable[..., Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from curriculum_verl.generation import worker

    monkeypatch.setattr(worker, "build_backend", None)
    rows = [{"id": str(n), "prompt": "1+1=?"} for n in range(40)]
    data = Data((str(write_lines(tmp_path / "d.jsonl", rows)),))
    with pytest.raises(InputError, match="not one of 32 prompts could be scored: the ground truth is missing"):
        generate(make_job(data=data), HERE)
    few = make_job(data=replace(data, limit=5), output=tmp_path / "few")
    assert generate(few, HERE).manifest["rejected"] == {"unscored": 5}


def test_a_response_that_a_function_cannot_score_is_counted(make_job: Callable[..., Job], tmp_path: Path) -> None:
    data, scoring = unscorable(tmp_path, 3)
    done = generate(make_job(data=data, scoring=scoring, count=2), HERE)
    assert done.manifest["counts"]["unscored"] == 6
    assert done.manifest["rejected"] == {"unscored": 3}


def test_bad_lines_and_prompts_that_are_too_long_are_rejected_once_over_all_shards(
    make_job: Callable[..., Job], tmp_path: Path
) -> None:
    rows = [{"id": str(n), "prompt": "1+1=?", "ground_truth": "2"} for n in range(4)]
    rows = [{"id": "none"}, *rows, {"id": "long", "prompt": "1" * 100, "ground_truth": "2"}]
    data = Data((str(write_lines(tmp_path / "d.jsonl", rows)),), on_invalid="reject")
    job = make_job(data=data, count=1)
    job = replace(job, backend=replace(job.backend, context=64, refused="skip"))
    for number in (1, 2):
        generate(replace(job, shard=Shard(number, 2)), HERE)
    found = files(job.output)
    rejects = [json.loads(found[f"rejects/rejects-{n:05}-of-00002.jsonl"]) for n in (1, 2)]
    assert [(reject["reason"], reject["line"]) for reject in rejects] == [("no_prompt", 1), ("prompt_too_long", 6)]
    assert [line["id"] for line in lines(job.output)] == ["0", "1", "2", "3"]
    strict = replace(job, backend=replace(job.backend, refused="error"), output=tmp_path / "strict")
    with pytest.raises(InputError, match=r"prompt long: .*--on-invalid reject"):
        generate(strict, HERE)


def test_two_runs_at_once_are_refused(make_job: Callable[..., Job]) -> None:
    from curriculum_verl.generation.folder import Places, locked

    job = make_job()
    with locked(Places(job.output, job.shard)), pytest.raises(InputError, match="another run is writing there"):
        generate(job, HERE)


def test_a_model_that_changed_is_another(make_job: Callable[..., Job], model: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(model, copy)
    job = make_job()
    generate(job, HERE)
    same = replace(job, backend=replace(job.backend, model=str(copy)))
    assert generate(same, HERE).made_now == 0
    (copy / "generation_config.json").write_text("{}")
    with pytest.raises(InputError, match=r"model\.base/generation_config\.json: "):
        generate(same, HERE)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"count": 0}, "-n: got 0"),
        ({"first": 4}, "--first: got 4"),
        ({"shard": Shard(3, 2)}, "--shard: got 3/2"),
        ({"sampling": Sampling(top_p=0)}, "--top-p"),
        ({"sampling": Sampling(stop=("END", ""))}, "--stop: got an empty text"),
        ({"sampling": Sampling(temperature=0)}, "all responses are the same"),
    ],
)
def test_what_makes_no_sense_is_refused(make_job: Callable[..., Job], changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError.__base__, match=said):  # type: ignore[arg-type]
        make_job(**changes)


def positions(parts: Sequence[range]) -> list[int]:
    return [position for part in parts for position in part]


def test_shards_cover_all_prompts_once() -> None:
    for prompts in (1, 7, 100):
        assert positions([Shard(number, 8).positions(prompts) for number in range(1, 9)]) == list(range(prompts))
