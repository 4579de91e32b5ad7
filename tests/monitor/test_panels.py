import time
from pathlib import Path

import pytest
from monitor import made_up

from curriculum_verl.monitor import panels
from curriculum_verl.monitor.runs import Run, open_runs
from curriculum_verl.monitor.view import View
from curriculum_verl.runs.lines import ExitTest


def run_of(folder: Path, *lines: bytes) -> Run:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "curriculum.jsonl").write_bytes(b"".join(lines))
    [run] = open_runs([folder], [], None)
    run.followed.refresh()
    return run


def test_the_standing_of_a_run(tmp_path: Path) -> None:
    run = run_of(tmp_path / "grpo", *made_up.grpo(40), b"torn\n")
    said = panels.standing(View((run,)))
    for part in (
        "<strong>40</strong>",
        "everything",
        "10 s",
        "alert kl: actor/ppo_kl",
        "1 line of the file cannot",
    ):
        assert part in said, part
    assert "rollbacks </small><strong>1<" in said


def test_values_of_another_step_than_the_latest_say_so(tmp_path: Path) -> None:
    told = [
        made_up.line("step", 1200, stage="a", exit=[], metrics={"curriculum/train/score": 0.5, "train/loss": 2.0}),
        made_up.line("step", 1201, stage="a", exit=[], metrics={"train/loss": 1.5}),
        made_up.line("step", 1202, stage="a", exit=[], metrics={"curriculum/train/success_rate": 0.25}),
    ]
    said = panels.standing(View((run_of(tmp_path / "run", made_up.start(), *told),)))
    for name, value in (("success", "25%"), ("reward", "0.5 (step 1,200)"), ("loss", "1.5 (step 1,201)")):
        assert f"{name} </small><strong>{value}</strong>" in said, name


def test_long_texts_are_bounded_and_nothing_of_them_is_lost(tmp_path: Path) -> None:
    reason = "the metric is far away " * 200
    lines = [made_up.start(), made_up.line("alert", 1, name="kl", reason=reason)]
    run = run_of(tmp_path / "run", *lines)
    for said in (panels.standing(View((run,))), panels.events(View((run,)))):
        assert reason in said
        before, _, after = said.partition("<details>")
        assert "far away" not in before
        assert after.index("</summary>") < 250
    short = run_of(tmp_path / "short", made_up.start(), made_up.line("alert", 1, name="kl", reason="near"))
    assert "<details>" not in panels.standing(View((short,)))


def test_tokens_are_those_of_all_steps_and_buckets(tmp_path: Path) -> None:
    spent = {"curriculum/tokens/easy": 1000.0, "curriculum/tokens/hard": 20_000.0}
    steps = [made_up.line("step", step, stage="learn_goal", exit=[], metrics=spent) for step in (1, 2)]
    said = panels.standing(View((run_of(tmp_path / "run", made_up.start(), *steps),)))
    assert "tokens </small><strong>42,000<" in said


def test_whether_a_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_of(tmp_path / "run", made_up.start(), made_up.line("step", 1, stage="a", exit=[], metrics={}))
    told = 1.8e9 + 10
    for later, words in ((5, "Running."), (300, "No news for 5 minutes."), (8000, "No news for 2 hours.")):
        monkeypatch.setattr(time, "time", lambda later=later: told + later)
        assert panels.state(run) == words
    monkeypatch.setattr(time, "time", lambda: told)
    again = run_of(
        tmp_path / "again", made_up.start(), made_up.start(1), made_up.line("step", 2, stage="a", exit=[], metrics={})
    )
    assert panels.state(again) == "Running. Resumed 1 time."
    over = run_of(tmp_path / "over", made_up.start(), made_up.line("stop", 1, reason="the last stage has ended"))
    assert panels.state(over) == "Ended: the last stage has ended."
    step = made_up.line("step", 1, stage="a", exit=[], metrics={})
    done = run_of(tmp_path / "done", made_up.start(), step, made_up.line("end", 1))
    assert panels.state(done) == "Ended at step 1."
    assert panels.state(run_of(tmp_path / "empty")) == "No line to read yet."
    [waiting] = open_runs([], [tmp_path / "nowhere.jsonl"], None)
    assert panels.state(waiting) == f"Waiting for {tmp_path / 'nowhere.jsonl'}."


@pytest.mark.parametrize(
    ("test", "value", "threshold", "met", "expected"),
    [
        ("above", 0.35, 0.7, False, 0.5),
        ("above", None, 0.7, False, None),
        ("above", 0.8, 0.7, True, 1.0),
        ("above", 5.0, 0.7, False, 1.0),
        ("at_least", 10.0, 40.0, False, 0.25),
        ("above", -0.2, 0.7, False, 0.0),
        ("above", -0.5, -0.1, False, None),  # from where would one count?
        ("slope below", 0.2, 0.001, False, None),
        ("below", 0.2, 0.1, True, 1.0),
    ],
)
def test_progress_towards_a_threshold(test: str, value: float, threshold: float, met: bool, expected: float) -> None:
    assert panels.progress(ExitTest("m", test, value, threshold, met)) == expected


def test_exit_tests_in_words(tmp_path: Path) -> None:
    exits = made_up.exit_tests("learn_goal", {"curriculum/train/success_rate": 0.35}, 7)
    run = run_of(tmp_path / "run", made_up.start(), made_up.line("step", 1, stage="learn_goal", exit=exits, metrics={}))
    said = panels.exits(View((run,)))
    assert "stage learn_goal" in said
    assert "It ends when train/success_rate is above 0.7 or stage/steps is at least 50." in said, "any or all"
    assert "train/success_rate over 10 above 0.7</strong> — now <strong>0.35</strong>" in said
    assert "50% of the way to the threshold" in said
    assert "stage/steps at least 50" in said
    assert "no value yet" in said
    assert "no exit test" in panels.exits(View((run_of(tmp_path / "last", made_up.start()),)))


def test_events_come_latest_first_with_their_reasons(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", *made_up.grpo(40))
    said = panels.events(View((run,)))
    assert said.index("▼ rollback") < said.index("! alarm") < said.rindex("▲ advance")
    assert "from everything to learn_coherence: val/score fell from 0.55 to 0.47; score before 0.55, after 0.47" in said
    assert "metric reward/curiosity has had no value for 100 steps" in said
    assert "Nothing has happened yet" in panels.events(View((run_of(tmp_path / "new", made_up.start()),)))
    many = [made_up.line("alarm", step, bucket="easy") for step in range(1, 300)]
    assert "99 earlier ones are in the export" in panels.events(View((run_of(tmp_path / "many", *many),)))


def test_the_table_of_metrics_is_filtered_by_words(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", *made_up.grpo(40))
    said = panels.metrics(View((run,)), " Weighted FINAL ")
    assert "reward_weighted/final" in said
    assert "reward_weighted/coherence" not in said
    assert "1 metric of" in said
    other = run_of(tmp_path / "sft", *made_up.sft(25))
    both = panels.metrics(View((run, other)), "val/")
    assert '<td class="number">none</td>' in both
    assert "(step 20)" in both


def test_texts_of_the_file_stay_texts(tmp_path: Path) -> None:
    bad = "<script>alert(1)</script>\x1b[31m"
    lines = [
        made_up.line("start", 0, stages=[bad], buckets=[bad], rollouts=None),
        made_up.line("warning", 1, message=bad),
        made_up.line("alert", 1, name=bad, reason=bad),
        made_up.line("stop", 1, reason=bad),
        made_up.line("advance", 1, source=bad, target=bad, reason=bad, before=None, after=None),
        made_up.line(
            "step", 1, stage=bad, metrics={bad: 1.0},
            exit=[{"metric": bad, "test": bad, "value": 1.0, "threshold": 2.0, "met": False}],
        ),
    ]  # fmt: skip
    view = View((run_of(tmp_path / "run", *lines),))
    for said in (panels.standing(view), panels.exits(view), panels.events(view), panels.metrics(view, bad)):
        assert "&lt;script&gt;" in said
        assert "<script" not in said
        assert "\x1b" not in said
