"""The harness itself: it notices a difference, says so on the page and by its exit code, and goes on where it was."""

import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from torture import command
from torture.cases import CASES, Case
from torture.composing import compose, sections
from torture.outcome import Record, TroubleError, begun, keep, kept
from torture.work import Work

from curriculum_verl.errors import InputError

Next = Callable[[Work, Sequence[Record]], Record | None]
ROOT = Path(__file__).resolve().parents[2]


def case(name: str, make: Next) -> Case:
    return Case(name, f"All of {name}", "Words.", make)


def parts(*made: Record) -> Next:
    return lambda work, records: made[len(records)] if len(records) < len(made) else None


@pytest.fixture
def torture(tmp_path: Path) -> Iterator[Callable[..., tuple[int, str]]]:
    """The command on cases of a test's own: its exit code, and the page after it."""

    def call(*cases: Case, flags: Sequence[str] = ()) -> tuple[int, str]:
        places = ["--folder", str(tmp_path / "kept"), "--page", str(tmp_path / "page.md")]
        return command.main([*places, *flags], cases), (tmp_path / "page.md").read_text()

    heard = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield call
    for number, before in heard.items():
        signal.signal(number, before)


WELL = Record("a kill", ("bucket, 1.00 s after its start",))
BADLY = Record("another kill", ("bucket, 2.00 s after its start",), failures=("easy.jsonl differs",))


def test_a_case_without_a_failure_passes(torture):
    code, page = torture(case("first", parts(WELL, WELL)))
    assert code == 0
    assert "| [All of first](#all-of-first) | passed |" in page
    assert "- killed 2 times: bucket 2" in page


def test_a_failure_makes_the_exit_code_and_stands_on_the_page(torture, capsys):
    code, page = torture(case("first", parts(WELL, BADLY)), case("second", parts(WELL)))
    assert code == 1
    assert "**Failed**: 1 of 2 parts." in page
    assert "- `another kill: easy.jsonl differs`" in page
    assert "| [All of second](#all-of-second) | passed |" in page, "the others run all the same"
    assert "; failed: first" in capsys.readouterr().out


def test_what_never_ran_is_missing(torture):
    two = case("first", parts(WELL)), case("second", parts(WELL))
    assert "| [All of second](#all-of-second) | passed |" in torture(*two, flags=["--only", "second"])[1]
    assert "| [All of first](#all-of-first) | missing |" in torture(*two, flags=["--write"])[1]
    two = case("first", parts(WELL)), case("third", parts(WELL))
    code, page = torture(*two, flags=["--only", "first"])
    assert code == 0
    assert '**Missing**: it has not run yet; `make torture ARGS="--only third"` runs it.' in page
    assert "| [All of third](#all-of-third) | missing |" in page


def test_a_case_that_cannot_be_compared_fails_and_is_tried_again(torture):
    def no_luck(work: Work, records: Sequence[Record]) -> Record | None:
        raise TroubleError("the undisturbed run failed")

    code, page = torture(case("first", no_luck))
    assert code == 1
    assert "the undisturbed run failed" in page
    assert torture(case("first", parts(WELL)))[0] == 0


def test_what_breaks_the_harness_stands_on_the_page_and_the_others_run(torture):
    def broken(work: Work, records: Sequence[Record]) -> Record | None:
        raise FileNotFoundError("no final weights")

    code, page = torture(case("first", broken), case("second", parts(WELL)))
    assert code == 1
    assert "- `FileNotFoundError: no final weights`" in page
    assert "| [All of second](#all-of-second) | passed |" in page


def test_where_all_was_skipped_nothing_has_passed(torture):
    skipped = Record("bucket on a full disk", skipped="no mounts here")
    page = torture(case("first", parts(skipped, skipped)), case("second", parts(WELL, skipped)))[1]
    assert "**Nothing tested**: 2 parts, 2 of them skipped." in page
    assert "**Passed**: 2 parts, 1 of them skipped." in page


def until_killed(work: Work, records: Sequence[Record]) -> Record | None:
    return WELL if len(records) < work.kills else None


def test_a_case_begins_anew_when_it_is_asked_for_more_or_with_another_seed(torture):
    first = Case("first", "All of first", "Words.", until_killed, ("kills",))
    for flags, found in (
        (["--kills", "2"], 2),
        (["--kills", "2", "--examples", "9"], 2),
        (["--kills", "3"], 3),
        (["--kills", "1", "--seed", "4"], 1),
    ):
        page = torture(first, flags=flags)[1]
        assert f"- killed {found} time" in page
    assert "--kills 1 --seed 4`, seed 4" in page


def test_with_other_code_an_unfinished_case_begins_anew_and_nothing_old_is_compared_with(
    torture, tmp_path, monkeypatch, capsys
):
    seen: list[list[str]] = []

    def look(work: Work, records: Sequence[Record]) -> Record | None:
        seen.append([f"{len(records)} records", *sorted(path.name for path in work.folder.glob("whole-*"))])
        work.once("whole-tool", lambda folder: None)
        if seen[-1][0] == "1 records" and len(seen) == 2:
            raise KeyboardInterrupt
        return WELL if len(records) < 2 else None

    with pytest.raises(KeyboardInterrupt):
        torture(case("first", look))
    monkeypatch.setattr(command, "code_now", lambda: "other")
    assert torture(case("first", look))[0] == 0
    assert seen[:3] == [["0 records"], ["1 records", "whole-tool"], ["0 records"]]
    monkeypatch.undo()
    assert torture(case("first", parts(BADLY)))[0] == 0
    assert "first: passed before, with other code than now; --only first runs it anew" in capsys.readouterr().out


def test_an_interrupted_case_goes_on_with_its_next_part(torture):
    done: list[int] = []

    def stopped_once(work: Work, records: Sequence[Record]) -> Record | None:
        if len(records) == 1 and done == [0]:
            done.append(99)
            raise KeyboardInterrupt
        done.append(len(records))
        return WELL if len(records) < 3 else None

    with pytest.raises(KeyboardInterrupt):
        torture(case("first", stopped_once))
    code, page = torture(case("first", stopped_once))
    assert (code, done) == (0, [0, 99, 1, 2, 3])
    assert "**Passed**: 3 parts." in page


def test_what_is_done_does_not_run_again_unless_it_failed_or_is_named(torture):
    assert torture(case("first", parts(WELL)))[0] == 0
    assert torture(case("first", parts(BADLY)))[0] == 0
    assert torture(case("first", parts(BADLY)), flags=["--only", "first"])[0] == 1
    assert torture(case("first", parts(WELL)))[0] == 0


def test_another_checkout_keeps_what_the_page_has_and_drops_what_a_hand_changed(torture, tmp_path):
    two = case("first", parts(WELL)), case("second", parts(WELL))
    _, page = torture(*two)
    for path in (tmp_path / "kept").glob("*.json"):
        path.unlink()
    (tmp_path / "page.md").write_text(page.replace("killed 1 time", "killed 1000 times", 1))
    _, changed = torture(*two, flags=["--write"])
    assert "1000" not in changed
    assert "| [All of first](#all-of-first) | missing |" in changed
    assert "| [All of second](#all-of-second) | passed |" in changed
    assert torture(*two, flags=["--write"])[1] == changed, "behind a section that is missing, too"


def test_in_the_background_too_what_is_started_hears_ctrl_c(torture):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    assert torture(case("first", parts(WELL)))[0] == 0
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("before", [signal.SIG_IGN, signal.SIG_DFL], ids=["under nohup", "on a terminal"])
def test_a_terminal_that_goes_ends_it_but_under_nohup(torture, before):
    signal.signal(signal.SIGHUP, before)
    assert torture(case("first", parts(WELL)))[0] == 0
    assert signal.getsignal(signal.SIGHUP) is (signal.default_int_handler if before is signal.SIG_DFL else before)


def test_what_there_was_no_time_for_is_no_success(torture, monkeypatch, capsys):
    clock = iter([0.0, 0.0, 61.0, 61.0])
    monkeypatch.setattr(command, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    two = case("first", parts(WELL, WELL)), case("second", parts(WELL))
    assert torture(*two, flags=["--minutes", "1"])[0] == 1
    monkeypatch.undo()
    assert "; not finished: first; never run here: second" in capsys.readouterr().out
    assert torture(*two, flags=["--only", "first"])[0] == 0, "it was not asked for the other"


def test_only_one_works_in_a_folder(torture):
    def another(work: Work, records: Sequence[Record]) -> Record | None:
        with pytest.raises(InputError, match="another torture runs there"):
            torture(case("second", parts(WELL)))
        return None

    assert torture(case("first", another))[0] == 0


def test_outcomes_come_back_as_they_were(tmp_path):
    outcome = begun("first", 3, "torture", {"kills": 4}, "0123").with_record(BADLY)
    outcome = outcome.with_record(Record("x", figures={"MB": 1.5}, skipped="why"))
    keep(tmp_path, outcome.through())
    assert kept(tmp_path, "first") == outcome.through()


def test_the_page_is_what_the_command_writes():
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    assert compose(CASES, {}, page) == page, (
        "run `make torture`, or python tests/torture --write where words have changed"
    )
    assert len(sections(page)) + page.count("**Missing**") == len(CASES)
    assert [case.name for case in CASES if f"\n## {case.title}\n\n{case.words}\n\n" not in page] == []


def test_words_of_the_cases_have_no_figures():
    assert [case.name for case in CASES if any(letter.isdigit() for letter in case.words)] == []
