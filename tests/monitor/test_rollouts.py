import json
import os
from pathlib import Path

import msgspec
import pytest
from monitor import made_up

from curriculum_verl.monitor import responses
from curriculum_verl.monitor.looking import ANY_STAGE, SAME_RUN, Choice, look
from curriculum_verl.monitor.rollouts import RolloutFolder
from curriculum_verl.monitor.runs import open_runs
from curriculum_verl.monitor.tools import count_tools
from curriculum_verl.monitor.viewer import FAILED, PASSED, Filter, nearest, whole_text
from curriculum_verl.monitor.watch import Watch

RUN = "run"


@pytest.fixture
def watch(tmp_path: Path) -> Watch:
    made_up.write_run(tmp_path / RUN, 40)
    found = Watch(open_runs([tmp_path / RUN], [], None))
    found.refresh()
    return found


def test_a_step_is_read_line_by_line_without_its_texts(watch: Watch) -> None:
    folder = watch.runs[0].rollouts
    assert folder is not None
    assert folder.steps() == [10, 20, 30, 40]
    [first, *others] = folder.read(20).outlines
    assert (first.id, first.bucket, first.passed()) == ("p0", "easy", [True, False, False])
    assert first.scores("weighted reward") == [1.02, 0.02, 0.02]
    assert len(others) == 7
    assert folder.texts(20, first).response[2] == "I guess 20."
    assert folder.read(20) is folder.read(20)


def test_lines_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    good = made_up.rollout(1, "a", "easy", ["x"], [1.0])
    (tmp_path / "rollout_000001.jsonl").write_bytes(good + b'{"id": "torn", "rew\n\n[]\n\xff\n' + good)
    folder = RolloutFolder(tmp_path)
    found = folder.read(1)
    assert [outline.id for outline in found.outlines] == ["a", "a"]
    assert found.unreadable == 3
    assert folder.texts(1, found.outlines[1]).response == ["x"]
    assert folder.read(99).outlines == []


def test_a_file_that_is_written_anew_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "rollout_000001.jsonl"
    path.write_bytes(made_up.rollout(1, "a", "easy", ["x"], [1.0]))
    folder = RolloutFolder(tmp_path)
    [outline] = folder.read(1).outlines
    path.write_bytes(b"{}\n")
    assert folder.read(1).outlines[0].id is None
    assert folder.texts(1, outline).response == []  # of the file that is no longer there


def test_nothing_but_plain_files_of_the_folder_is_read(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(made_up.rollout(1, "secret", "easy", ["x"], [1.0]))
    log = tmp_path / "rollouts"
    log.mkdir()
    (log / "rollout_000001.jsonl").symlink_to(outside)
    os.mkfifo(log / "rollout_000002.jsonl")
    (log / "rollout_000003.jsonl").mkdir()
    (log / "rollout_-4.jsonl").write_bytes(outside.read_bytes())
    folder = RolloutFolder(log)
    assert folder.steps() == [1, 2, 3]
    assert all(folder.read(step).outlines == [] for step in (1, 2, 3, -4))


def test_filters_leave_the_prompts_with_a_response_that_is_wanted(watch: Watch) -> None:
    def offered(wanted: Filter) -> list[str]:
        return [words.partition(" ")[0] for words, _ in look(watch, Choice(RUN, 40, wanted=wanted)).prompts]

    assert len(offered(Filter())) == 8
    assert offered(Filter(("easy",))) == ["p0", "easy-40-1", "easy-40-2"]
    assert offered(Filter(("easy",), PASSED, "coherence", low=0.25)) == []
    assert offered(Filter(("easy",), FAILED, "coherence", low=0.25, high=0.35)) == ["p0", "easy-40-1", "easy-40-2"]
    assert len(offered(Filter(score="nothing", low=0.0))) == 8  # the reward in its place
    shown = look(watch, Choice(RUN, 40, wanted=Filter(("easy",), PASSED)))
    assert "Response 1<" in shown.left
    assert "Response 2<" not in shown.left
    assert "3 prompts of 8, 3 responses" in shown.said


def test_steps_are_found_near_and_walked_through(watch: Watch) -> None:
    assert nearest([], 3) is None
    assert nearest([10, 20], None) == 20
    assert nearest([10, 20], 15) == 10
    assert look(watch, Choice(RUN)).step == 40
    assert look(watch, Choice(RUN, 24)).step == 20
    assert look(watch, Choice(RUN, 20, move=1)).step == 30
    assert look(watch, Choice(RUN, 40, move=1)).step == 40
    assert look(watch, Choice(RUN, 10, move=-1)).step == 10


def test_the_same_prompt_is_found_in_another_stage_and_another_run(watch: Watch, tmp_path: Path) -> None:
    made_up.write_run(tmp_path / "other", 20, seed=3)
    watch = Watch(open_runs([tmp_path / RUN, tmp_path / "other"], [], None))
    watch.refresh()
    shown = look(watch, Choice(RUN, 40, beside="the same run"))
    assert f"{RUN}, step 30" in shown.right
    shown = look(watch, Choice(RUN, 40, beside="the same run", stage=made_up.STAGES[0]))
    assert f"{RUN}, step 10" in shown.right
    shown = look(watch, Choice(RUN, 40, beside="other"))
    assert "other, step 20" in shown.right
    only_here = look(watch, Choice(RUN, 40, line=1, beside="other"))
    assert "was not found in other: looked through 2 steps of 2" in only_here.right


@pytest.mark.parametrize(
    "prompt", ["Grüße 漢字 😀", 'a "quoted" \\ path/with\ttab', 17, 0.5, True, ["a", 1], {"k": "é"}, ""]
)
def test_a_prompt_is_found_however_its_id_is_written(prompt: object, tmp_path: Path) -> None:
    """Escaped or not, whatever the writer of a log does."""
    for step, ascii_only, between in ((1, True, (", ", ": ")), (2, False, (",", ":"))):
        row = {"response": ["x"], "id": prompt, "reward": [1.0]}
        text = json.dumps(row, ensure_ascii=ascii_only, separators=between)
        text = text if ascii_only else text.replace("/", "\\/")
        (tmp_path / f"rollout_{step:06d}.jsonl").write_text('torn"\n{"id": "another"}\n' + text + "\n")
    folder = RolloutFolder(tmp_path)
    assert folder.find(prompt, 1, [1, 2]) == (1, 1)
    assert folder.find(prompt, 2, [1, 2]) == (2, 1)
    assert folder.find("nowhere", 2, [1, 2]) == (None, 2)


def test_a_step_is_marked_up(watch: Watch) -> None:
    left = look(watch, Choice(RUN, 40)).left
    assert "✓ passed" in left
    assert "→ call" in left
    assert "<code>ZOOM_IN {&quot;x&quot;:120,&quot;y&quot;:80}</code>" in left
    assert "✗ malformed call: syntax" in left
    plain = look(watch, Choice(RUN, 40, marked=False)).left
    assert "→ call" not in plain
    assert "&lt;tool_call&gt;" in plain


def test_hostile_responses_are_texts_and_long_ones_are_short(watch: Watch) -> None:
    line = next(line for words, line in look(watch, Choice(RUN, 40)).prompts if words.startswith("hostile"))
    shown = look(watch, Choice(RUN, 40, line))
    for harm in ("<script", "<img", "\x1b", "\u202e", "</cv-feed"):
        assert harm not in shown.left
    assert "\\x1b[31mred" in shown.left
    assert len(shown.left) < 40_000
    assert "The first 6,000 of 1,000,000 characters" in shown.left
    assert f"step=40&amp;line={line}&amp;response=1" in shown.left
    assert whole_text(watch.runs[0], 40, line, 1) == "x" * 1_000_000
    assert whole_text(watch.runs[0], 40, line, None) is not None
    for wrong in ((41, line, 1), (40, 99, 0), (40, -1, 0), (40, line, 2), (40, line, -1)):
        assert whole_text(watch.runs[0], *wrong) is None


def test_a_run_without_a_log_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "sft").mkdir()
    (tmp_path / "sft" / "curriculum.jsonl").write_bytes(b"".join(made_up.sft(20)))
    watch = Watch(open_runs([tmp_path / "sft"], [], None))
    watch.refresh()
    shown = look(watch, Choice("sft", beside="the same run"))
    assert "give --rollouts" in shown.said
    assert shown.step is None


def test_tools_are_counted_in_the_log(watch: Watch) -> None:
    folder = watch.runs[0].rollouts
    assert folder is not None
    assert count_tools(folder, 40) == {"ZOOM_IN": 14, "READ_TEXT": 14}


def test_odd_lines_are_shown_too(tmp_path: Path) -> None:
    row = {
        "id": 7,
        "response": [None, {"role": "assistant"}],
        "reward": [None],
        "bucket": None,
        "components": {"a": [1]},
    }
    (tmp_path / "rollout_000001.jsonl").write_bytes(msgspec.json.encode(row) + b"\n")
    watch = Watch(open_runs([], [tmp_path / "curriculum.jsonl"], tmp_path))
    watch.refresh()
    shown = look(watch, Choice(""))
    assert (shown.step, shown.line) == (1, 0)
    assert "no bucket" in shown.prompts[0][0]
    assert "null" in shown.left
    assert responses.prompt_text([{"content": [{"type": "text"}]}]).startswith("[?]")


def test_what_is_chosen_and_not_there_is_left_out_before_anything_is_shown(watch: Watch) -> None:
    wanted = Filter(("none", "easy"), score="elsewhere")
    shown = look(watch, Choice(RUN, 40, wanted=wanted, beside=SAME_RUN, stage="elsewhere"))
    assert (shown.wanted.buckets, shown.wanted.score, shown.stage) == (("easy",), "reward", ANY_STAGE)
    assert len(shown.prompts) == 3
    assert "was not found" not in shown.right
    assert "step 30" in shown.right
