"""The trajectory viewer in a real browser: filters, marks, hostile responses, two runs beside each other."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from monitor import made_up

pytest.importorskip("gradio")

from chromium import Visit
from monitor.watching import watched

from curriculum_verl.monitor.page import build
from curriculum_verl.monitor.runs import open_runs
from curriculum_verl.monitor.watch import Watch


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("trajectories")
    made_up.write_run(root / "curriculum", 40)
    made_up.write_run(root / "base", 20, seed=3)
    return root


@pytest.fixture(scope="module")
def address(runs: Path) -> Iterator[str]:
    with watched([runs / "curriculum", runs / "base"]) as url:
        yield url


@pytest.fixture
def reader(address: str, browser: Any) -> Iterator[Visit]:
    with Visit(browser, address) as visit:
        visit.open("Trajectories")
        visit.until("#viewer-said", "Step 40: 8 prompts of 8")
        yield visit
        visit.check()


def test_steps_and_calls_are_marked(reader: Visit) -> None:
    first = reader.page.locator("#viewer-left .cv-response").first
    assert "✓ passed" in first.inner_text()
    assert first.locator(".cv-is-call").all_inner_texts() == [
        '→ callZOOM_IN {"x":120,"y":80}',
        '→ callREAD_TEXT {"x":130}',
        "✗ malformed call: syntaxcall",
    ]
    reader.page.get_by_label("Mark steps and calls").uncheck()
    reader.eventually("document.querySelectorAll('#viewer-left .cv-is-call').length === 0")
    assert "<tool_call>" in reader.page.locator("#viewer-left").inner_text()


def test_filters_narrow_prompts_and_responses(reader: Visit) -> None:
    reader.page.get_by_label("passed", exact=True).check()
    reader.eventually("document.querySelectorAll('#viewer-left .cv-response').length === 1")
    reader.choose("#viewer-buckets", "easy")
    reader.until("#viewer-said", "3 prompts of 8, 3 responses")
    reader.page.get_by_label("failed", exact=True).check()
    reader.until("#viewer-said", "3 prompts of 8, 6 responses")
    reader.choose("#viewer-score", "coherence")
    reader.page.get_by_label("Score from").fill("0.35")
    reader.until("#viewer-said", "3 prompts of 8, 3 responses")
    reader.until("#viewer-left", "I guess 40.")


def test_a_limit_that_is_no_number_is_told(reader: Visit) -> None:
    reader.page.get_by_label("Score from").fill("0,5")
    reader.until("#viewer-said", "Score from: got '0,5', expected a number such as 0.5")
    reader.page.get_by_label("Score to").fill("nan")
    reader.until("#viewer-said", "Score to: got 'nan', expected a number")
    reader.until("#viewer-said", "8 prompts of 8, 23 responses")
    reader.page.get_by_label("Score from").fill("0.5")
    reader.page.get_by_label("Score to").fill(" ")
    reader.eventually("!document.querySelector('#viewer-said').textContent.includes('expected')")
    reader.until("#viewer-said", "8 prompts of 8, 8 responses")


def test_what_is_chosen_is_answered_in_turn(tmp_path: Path) -> None:
    """Gradio takes waiting events of different kinds in any order: an older answer would come last now and then."""
    watch = Watch(open_runs([], [tmp_path / "curriculum.jsonl"], None))
    found = [event for event in build(watch).fns.values() if any(out.elem_id == "viewer-left" for out in event.outputs)]
    assert len(found) == 5
    assert {event.concurrency_id for event in found} == {"viewer"}


def test_a_choice_that_is_long_under_way_is_not_overtaken(reader: Visit) -> None:
    chosen: list[Any] = []

    def on_its_way(route: Any) -> None:
        if route.request.post_data.startswith('{"data":["curriculum",40,'):
            chosen.append(route)  # the run, the step and so on: not the timer's question whether there is news
        if chosen != [route]:  # the first is held: it has the lower limit alone
            route.continue_()

    reader.page.route("**/queue/join*", on_its_way)
    reader.page.get_by_label("Score from").fill("0,5")
    reader.page.get_by_label("Score to").fill("0.9")
    reader.page.wait_for_timeout(2_000)  # the upper limit would be sent at once
    assert len(chosen) == 1
    chosen[0].continue_()
    reader.until("#viewer-said", "8 prompts of 8, 15 responses")
    assert len(chosen) == 2


def test_steps_are_walked_through_and_followed(reader: Visit, runs: Path) -> None:
    reader.page.get_by_role("button", name="Earlier step").click()
    reader.until("#viewer-said", "Step 30")
    assert not reader.page.get_by_label("Follow the latest step").is_checked()
    reader.page.locator("#viewer-step input").fill("12")
    reader.until("#viewer-said", "Step 10")
    reader.page.get_by_label("Follow the latest step").check()
    reader.until("#viewer-said", "Step 40")
    made_up.write_rollouts(runs / "curriculum" / "rollouts", [41])
    with (runs / "curriculum" / "curriculum.jsonl").open("ab") as file:
        file.write(made_up.line("step", 41, stage="everything", exit=[], metrics={}))
    try:
        reader.until("#viewer-said", "Step 41")
        reader.until("#viewer-left", "I guess 41.")
    finally:
        (runs / "curriculum" / "rollouts" / "rollout_000041.jsonl").unlink()


def test_a_step_is_written_digit_by_digit_cut_and_pasted(reader: Visit) -> None:
    reader.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    field, keys = reader.page.locator("#viewer-step input"), reader.page.keyboard
    field.click()
    keys.press("Control+A")
    keys.press("3")
    reader.until("#viewer-said", "Step 10")  # the nearest
    keys.press("3")
    reader.until("#viewer-said", "Step 30")
    assert field.input_value() == "33"
    keys.press("Control+A")
    keys.press("Control+X")
    reader.until("#viewer-said", "Step 40")  # none is wanted: the latest
    assert field.input_value() == ""
    keys.press("Control+V")
    reader.until("#viewer-said", "Step 30")
    keys.press("Backspace")
    reader.until("#viewer-said", "Step 10")
    reader.choose("#viewer-buckets", "easy")
    reader.until("#viewer-said", "3 prompts of 8")
    reader.page.locator("#viewer-buckets input").click()
    keys.press("Backspace")
    reader.until("#viewer-said", "8 prompts of 8")


def test_the_same_prompt_stands_beside_it(reader: Visit) -> None:
    reader.choose("#viewer-beside", "base")
    reader.until("#viewer-right", "base, step 20")
    assert reader.page.locator("#viewer-right .cv-prompt").inner_text().startswith("prompt p0")
    reader.choose("#viewer-beside", "the same run")
    reader.choose("#viewer-stage", "learn_coherence")
    reader.until("#viewer-right", "curriculum, step ")
    reader.choose("#viewer-beside", "nothing")
    reader.eventually("!document.querySelector('#viewer-right .cv')")


def test_a_run_with_other_buckets_components_and_stages_can_be_switched_to(browser: Any, tmp_path: Path) -> None:
    """What is chosen of the first stands in no list of the second; every control still works there."""
    made_up.write_run(tmp_path / "first", 40)
    other = tmp_path / "second"
    (other / "rollouts").mkdir(parents=True)
    begin = made_up.line("start", 0, stages=["only"], buckets=["short", "long"], rollouts="rollouts")
    steps = [made_up.line("step", step, stage="only", exit=[], metrics={"actor/entropy": 1.0}) for step in (1, 2)]
    (other / "curriculum.jsonl").write_bytes(b"".join([begin, *steps]))
    for step in (1, 2):
        logged = made_up.rollout(step, "p0", "short", ["one", "two"], [1.0, 0.0]).replace(b"coherence", b"brevity")
        (other / "rollouts" / f"rollout_{step:06d}.jsonl").write_bytes(logged)
    with watched([tmp_path / "first", other]) as address, Visit(browser, address) as reader:
        reader.open("Trajectories")
        reader.until("#viewer-said", "Step 40: 8 prompts of 8")
        reader.choose("#viewer-buckets", "hard")
        reader.until("#viewer-said", "prompts of 8, ")
        reader.choose("#viewer-score", "coherence")
        reader.choose("#viewer-beside", "the same run")
        reader.choose("#viewer-stage", "learn_coherence")
        reader.choose("#viewer-run", "second")
        reader.until("#viewer-said", "Step 2: 1 prompt of 1, 2 responses")
        assert reader.page.locator("#viewer-score input").input_value() == "reward"
        assert "hard" not in reader.page.locator("#viewer-buckets").inner_text()
        reader.until("#viewer-right", "second, step 1")
        reader.eventually("document.querySelector('#viewer-stage input').value === 'any stage'")
        reader.choose("#viewer-score", "brevity")
        reader.page.get_by_label("Score from").fill("0.25")
        reader.until("#viewer-said", "Step 2: 1 prompt of 1, 1 response.")
        reader.choose("#viewer-beside", "first")
        reader.choose("#viewer-stage", "learn_goal")
        reader.until("#viewer-right", "first, step 10")
        reader.choose("#viewer-run", "first")
        reader.until("#viewer-said", "Step 40: ")
        reader.check()


def test_hostile_responses_stay_texts(reader: Visit) -> None:
    reader.choose("#viewer-prompt", "hostile")
    reader.until("#viewer-left", "<script>window.stolen = 1</script>")
    shown = reader.page.locator("#viewer-left")
    assert "\\x1b[31mred" in shown.inner_text()
    assert "{{this}}" in shown.inner_text()
    assert shown.locator("script, img, a[href^=javascript]").count() == 0
    assert reader.page.evaluate("window.stolen") is None
    reader.page.get_by_label("Mark steps and calls").uncheck()
    reader.until("#viewer-left", "The first 6,000 of 1,000,000 characters")
    with reader.page.expect_download() as saved:
        shown.get_by_role("link", name="The whole text").last.click()
    assert saved.value.path().read_bytes() == b"x" * 1_000_000
    assert reader.page.evaluate("window.stolen") is None
