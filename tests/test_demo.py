"""The pieces of `make demo`, without its runs: tasks, warm-up's recipe, steps, history, summary, report, clean-up."""

import os
import random
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import msgspec
import psutil
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from curriculum_verl.errors import InputError
from curriculum_verl.runs.history import History, read_history
from curriculum_verl.runs.lines import Line
from curriculum_verl.sft.chat import encode
from curriculum_verl.sft.config import read_config
from examples.demo import __main__ as demo
from examples.demo import chart, history, launching, model, report, steps, summary, tasks, training
from examples.demo.reward import compute_score

BUCKETS = ["easy", "medium", "hard"]


@given(st.sampled_from(tasks.LEVELS), st.integers())
def test_an_answer_is_the_running_sum_and_one_wrong_digit_is_worth_nothing(level, seed):
    task = tasks.make_task(level, random.Random(seed))
    digits = [int(character) for character in task.prompt if character.isdigit()]
    assert len(task.prompt) == tasks.WIDTH
    assert task.prompt.endswith("=")
    assert len(digits) == len(task.answer) == level < tasks.LONGEST_ANSWER
    assert int(task.answer[0]) == digits[0]
    for (before, after), digit in zip(pairwise(map(int, task.answer)), digits[1:], strict=True):
        assert after == (before + digit) % 10
    wrong = task.answer[:-1] + str((int(task.answer[-1]) + 1) % 10)
    answers = [task.answer, wrong, task.answer + "0", ""]
    assert [compute_score("", answer, task.answer) for answer in answers] == [1.0, 0.0, 0.0, 0.0]


def test_what_the_warm_up_sees_is_never_trained_or_validated_on(tmp_path):
    demo.make_tasks(0, tmp_path)
    chats, checks, asked = (lines(tmp_path / f"{name}.jsonl") for name in ("chats", "checks", "tasks"))
    shown = [row["messages"][0]["content"] for row in (*chats, *checks)]
    assert len(shown) == len(set(shown)) == sum(demo.CHATS.values())
    assert len({row["prompt"] for row in asked}) == 5 * demo.TASKS_PER_LEVEL
    assert not set(shown) & {row["prompt"] for row in asked}
    assert {row["difficulty"] for row in checks} == {"short", "middle", "long"}
    with pytest.raises(ValueError, match="level 3"):
        tasks.make_tasks(3, 1000, random.Random(0), tasks.for_training)


def lines(path: Path) -> list[dict]:
    return [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """As in the demo; two threads wait for each other where others work, too."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    model.save(model.make_model(0, hidden=32, layers=1), folder)
    return folder


def test_a_saved_tokenizer_still_has_one_token_a_character(tiny):
    made, (_, loaded) = model.make_tokenizer(), model.load(tiny)
    for text in ("93312*********=", "92588", "\n"):
        assert made.encode(text) == loaded.encode(text)
        assert len(loaded.encode(text)) == len(text)
        assert loaded.decode(loaded.encode(text)) == text
    messages = [{"role": "user", "content": "12*="}]
    assert loaded.apply_chat_template(messages, tokenize=False, add_generation_prompt=True) == "12*="
    assert (loaded.pad_token, loaded.eos_token) == (model.PAD, model.END)


def test_the_warm_up_learns_answers_with_their_end_and_its_recipe_is_one(tiny):
    encoded = encode(model.load(tiny)[1], tasks.as_chat(tasks.Task("12*=", "13", 3), "short")["messages"])
    _, loaded = model.load(tiny)
    assert loaded.decode(encoded.tokens) == "12*=13" + model.END
    spoken = [token for token, said in zip(encoded.tokens, encoded.spoken, strict=True) if said]
    assert loaded.decode(spoken) == "13" + model.END
    told = ["model.path=m", "data.train=t", "data.validation=v", "training.output=o"]
    config = read_config(demo.HERE / "warm_up.yaml", told)
    assert config.training.max_steps == demo.MOST_STEPS
    assert config.evaluation.max_new_tokens == tasks.LONGEST_ANSWER == demo.SAMPLING[1]


def counting(done: list[str], *, fails: str | None = None) -> list[steps.Step]:
    """Three steps that write a file each; the last one goes on in what it left."""

    def make(name: str, place: Path) -> None:
        done.append(name)
        (place / f"file {len(list(place.iterdir()))}").touch()
        if name == fails:
            raise InputError("no luck")

    return [steps.Step(name, name, lambda place, name=name: make(name, place), name == "c") for name in "abc"]


def test_finished_steps_are_skipped_and_a_failed_one_is_done_again(tmp_path, capsys):
    done: list[str] = []
    with pytest.raises(InputError, match="step b: no luck"):
        steps.run_steps(tmp_path, counting(done, fails="b"), {"seed": 0})
    steps.run_steps(tmp_path, counting(done), {"seed": 0})
    assert done == ["a", "b", "b", "c"]
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["file 0"]
    capsys.readouterr()
    steps.run_steps(tmp_path, counting(done), {"seed": 0})
    assert done == ["a", "b", "b", "c"]
    assert capsys.readouterr().out.count("done before") == 3


def test_a_step_that_resumes_keeps_what_it_left(tmp_path):
    done: list[str] = []
    with pytest.raises(InputError):
        steps.run_steps(tmp_path, counting(done, fails="c"), {"seed": 0})
    steps.run_steps(tmp_path, counting(done), {"seed": 0})
    assert done == ["a", "b", "c", "c"]
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == ["file 0", "file 1"]


def test_a_step_done_anew_makes_later_ones_outdated(tmp_path):
    done: list[str] = []
    steps.run_steps(tmp_path, counting(done), {"seed": 0})
    (tmp_path / "b" / "file 0").unlink()
    (tmp_path / "b").rmdir()
    steps.run_steps(tmp_path, counting(done), {"seed": 0})
    assert done == ["a", "b", "c", "b", "c"]
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["file 0"]


def test_another_seed_in_the_same_folder_is_refused(tmp_path):
    steps.run_steps(tmp_path, counting([]), {"seed": 0})
    with pytest.raises(InputError, match="remove that folder"):
        steps.run_steps(tmp_path, counting([]), {"seed": 1})


def step_line(step: int, stage: str, **shares: float) -> dict:
    metrics = {f"curriculum/share/{bucket}": share for bucket, share in shares.items()} | {"reward_weighted/final": 0.5}
    return {"kind": "step", "step": step, "time": float(step), "stage": stage, "metrics": metrics}


START = {"kind": "start", "step": 0, "time": 0.0, "stages": BUCKETS, "buckets": BUCKETS}
ADVANCE = {
    "kind": "advance",
    "step": 2,
    "time": 2.0,
    "source": "easy",
    "target": "medium",
    "reason": "train/easy/success_rate above 0.9: 0.94",
}
LINES = [START, step_line(1, "easy", easy=1.0), ADVANCE, step_line(2, "medium", easy=1.0)]
THIRD = step_line(3, "medium", easy=0.3, medium=0.7)


def write_lines(path: Path, lines: list[dict], mode: str = "ab") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open(mode) as file:
        file.writelines(msgspec.json.encode(line) + b"\n" for line in lines)


def test_what_a_resumed_run_did_again_counts_once(tmp_path):
    write_lines(tmp_path / "metrics.jsonl", LINES)
    with (tmp_path / "metrics.jsonl").open("ab") as file:
        file.write(b'{"kind": "step", "st\n')  # torn by a kill
    write_lines(tmp_path / "metrics.jsonl", [START | {"step": 1}, step_line(2, "easy", easy=1.0), THIRD])
    found = read_history(tmp_path / "metrics.jsonl")
    assert [(span.stage, span.first, span.last) for span in found.spans()] == [("easy", 1, 2), ("medium", 3, 3)]
    assert found.transitions == []
    assert chart.by_step(found, "curriculum/share/easy").tolist() == [1.0, 1.0, 0.3]
    assert chart.by_step(found, "curriculum/share/medium").tolist() == [0.0, 0.0, 0.7]


def validation(step: int, **passed: int) -> history.Validation:
    """A hundred prompts a bucket, of which the first so many pass."""
    return history.Validation(step, {b: {f"{b} {n}": n < count for n in range(100)} for b, count in passed.items()})


def recorded(*lines: dict) -> History:
    made = History()
    for line in lines:
        made.take(msgspec.convert(line, Line))
    return made


def figure(model: str, bucket: str, value: float) -> dict:
    estimate = {"value": value, "low": value - 0.05, "high": value + 0.05}
    return {"model": model, "bucket": bucket, "prompts": 100, "success": estimate}


def evaluation(**after: float) -> dict:
    """As `curriculum-verl evaluate` writes it, as far as it is read; before, all buckets stand at 0.3."""
    figures = [figure(name, b, value) for b, v in after.items() for name, value in (("before", 0.3), ("after", v))]
    changes = [
        {
            "bucket": bucket,
            "success": {"value": value - 0.3, "low": value - 0.36, "high": value - 0.24},
            "verdict": "learned" if value > 0.36 else "",
        }
        for bucket, value in after.items()
    ]
    return {"figures": figures, "changes": changes}


def test_the_summary_says_when_what_and_why():
    said = "\n".join(summary.timeline(recorded(*LINES, THIRD)))
    assert "steps   1 to   2  easy" in said
    assert "advance to medium: train/easy/success_rate above 0.9: 0.94" in said
    assert "steps   3 to   3  medium" in said
    table = summary.table(evaluation(easy=0.8))
    assert " ".join(table[1].split()) == "easy 100 30% (25% to 35%) 80% (75% to 85%) +50% (+44% to +56%)"


def test_the_verdict_wants_an_earned_advance_and_two_better_buckets():
    better, worse = evaluation(easy=0.8, medium=0.6), evaluation(**{"easy": 0.8, "medium": 0.31, "(all)": 0.5})
    by_limit = ADVANCE | {"reason": "stage/steps at least 200: 200"}
    assert summary.verdict(recorded(*LINES), better)[0]
    assert not summary.verdict(recorded(*LINES), worse)[0]
    assert not summary.verdict(recorded(START, by_limit), better)[0]
    assert not summary.verdict(recorded(START), better)[0]


def test_the_report_holds_figures_chart_and_responses_and_escapes_them(tmp_path, monkeypatch):
    folder = tmp_path / "evaluation"
    buckets = {f"{bucket} {n}": bucket for bucket in ("easy", "hard") for n in range(5)}
    for name in summary.MODELS:
        row = {"prompt": [{"role": "user", "content": "12*="}], "response": ["13", "<b>0</b>"], "reward": [1.0, 0.0]}
        rows = [row | {"id": prompt, "ground_truth": "13"} for prompt in buckets]
        write_lines(folder / "evaluation.samples" / name / "rollouts.jsonl", rows)
    monkeypatch.setattr(report, "held_out", lambda _: buckets)
    (folder / "evaluation.png").write_bytes(b"png")
    validations = [validation(0, easy=75, medium=30, hard=2), validation(3, easy=80, medium=60, hard=40)]
    report.write(tmp_path, recorded(*LINES, THIRD), validations, evaluation(easy=0.8), "all <good>")
    page = (tmp_path / "report.html").read_text()
    assert "80% (75% to 85%)" in page
    assert "advance to medium: train/easy/success_rate above 0.9: 0.94" in page
    assert page.count("right  13\nwrong  &lt;b&gt;0&lt;/b&gt;") == 2 * 2 * report.EXAMPLES
    assert "all &lt;good&gt;" in page
    assert page.count("data:image/png;base64,") == 2


def test_progress_tells_of_steps_switches_and_validations_once(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(training, "SETTLED", -1.0)
    write_lines(training.metrics_file(tmp_path), LINES[:2])  # by a run that was killed
    progress = training.Progress(tmp_path, 3)
    progress.show()
    assert capsys.readouterr().out == ""
    write_lines(training.metrics_file(tmp_path), LINES[2:])
    rows = [{"input": f"{b}", "bucket": b, "success": float(b == "easy")} for b in BUCKETS]
    write_lines(tmp_path / "validations" / "2.jsonl", rows)
    progress.show()
    progress.show()
    said = capsys.readouterr().out
    assert said.count("step   2/3") == said.count("== advance from easy to medium: train/easy") == 1
    assert said.count("after step 2: easy 100%  medium 0%  hard 0%") == 1


def test_the_latest_checkpoint_tells_how_far_a_run_got(tmp_path):
    assert training.saved_step(tmp_path) == 0
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "latest_checkpointed_iteration.txt").write_text("20")
    assert training.saved_step(tmp_path) == 20


def test_the_command_is_the_recipe_with_values_that_it_knows(tmp_path):
    from hydra import compose, initialize_config_dir

    given = training.overrides(tmp_path, tmp_path, tmp_path, seed=3)
    words = training.command(training.RECIPE, given)
    with initialize_config_dir(str(training.RECIPES), version_base=None):
        config = compose(training.RECIPE, words[words.index("--config-name") + 2 :])
    first, second = (stage.exit["any"][0] for stage in config.curriculum.stages[:2])
    assert (first.metric, first.above, second.metric, second.above) == (
        "train/easy/success_rate",
        0.85,
        "train/medium/success_rate",
        0.6,
    )
    assert config.curriculum.seed == 3
    for stage in config.curriculum.stages[:2]:  # no stage can end by its length in a run as short as this
        limit = next(test for test in stage.exit["any"] if test.metric == "stage/steps")
        assert limit.at_least > config.trainer.total_training_steps


def test_what_a_killed_run_left_is_ended_and_nothing_else(tmp_path):
    temporary = tmp_path / "ray"
    sleep = [sys.executable, "-c", "import time; print(flush=True); time.sleep(3600)"]
    ours = os.environ | {"RAY_TMPDIR": str(temporary)}
    with (
        subprocess.Popen(sleep, env=ours, stdout=subprocess.PIPE) as left,
        subprocess.Popen(sleep, cwd=tmp_path, stdout=subprocess.PIPE) as other,
    ):
        try:
            for process in (left, other):  # until it is itself, and no longer a copy of this one
                assert process.stdout is not None
                process.stdout.readline()
            launching.end_processes(tmp_path, temporary)
            assert not psutil.pid_exists(left.pid)
            assert other.poll() is None
        finally:
            left.kill()
            other.kill()
