"""The page of benchmarks: written from what was kept, honest about what is missing, proof against edits by hand."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
GOOD = "print('- machine: {machine}\\n\\n| a | b |\\n| --- | --- |\\n| {figure} | 2 |\\n\\n3 of 4 met')"
# A process of its own, as a worker of pytest-xdist does not survive a Ctrl-C; one in the background would ignore it.
# It interrupts itself when it shows the line: the part would do so before it is waited for, where the machine is busy.
INTERRUPTED = """
import pathlib, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
here, folder, *names = sys.argv[1:]
sys.path.insert(0, here)
import bench_all
from page.parts import Part
bench_all.PATIENCE, bench_all.ROOT = 0.1, pathlib.Path(folder)
bench_all.print = lambda *words, **_: "5555" in words[0] and signal.raise_signal(signal.SIGINT)
parts = [Part(name, name, name, "") for name in names]
bench_all.main(["--folder", f"{folder}/kept", "--page", f"{folder}/page.md"], parts)
"""


@pytest.fixture
def bench(load, monkeypatch, tmp_path):
    """bench_all on scripts of this test's own, as the call and the text of the page after it."""
    bench_all, parts = load("bench_all"), load("page.parts")
    (tmp_path / "tests" / "benchmarks").mkdir(parents=True)
    monkeypatch.setattr(bench_all, "ROOT", tmp_path)

    def call(codes, *flags):
        for name, code in codes.items():
            (tmp_path / "tests" / "benchmarks" / f"{name}.py").write_text(code)
        options = {"on_gpu": ("--device", "cuda")}
        given = [parts.Part(name, f"All, of {name}", name, "Words.", options.get(name, ())) for name in codes]
        places = ["--folder", str(tmp_path / "kept"), "--page", str(tmp_path / "page.md")]
        return bench_all.main([*places, *flags], given), (tmp_path / "page.md").read_text()

    return call


def good(figure, machine="one"):
    return GOOD.format(figure=figure, machine=machine)


def test_what_every_part_prints_is_in_the_page_with_its_command(bench):
    code, page = bench({"first": good(11), "second": good(22)})
    assert code == 0
    first, second = page.index("## All, of first"), page.index("## All, of second")
    assert first < page.index("```text\npython tests/benchmarks/first.py\n```") < page.index("| 11 | 2 |") < second
    assert second < page.index("| 22 | 2 |")
    assert "All of it was measured on one machine: one." in page
    assert "| [All, of first](#all-of-first) | `first` | 3 of 4 |" in page


def test_a_part_that_fails_is_said_to_and_the_others_run(bench, capfd):
    failing = "import sys; print('7777'); sys.exit('no luck')"
    code, page = bench({"first": failing, "second": good(22)})
    assert code == 1
    assert "7777" not in page
    assert "it failed with exit code 1" in page
    assert "| 22 | 2 |" in page
    printed = capfd.readouterr()
    assert "; failed: first" in printed.out
    assert "no luck" in printed.err
    code, page = bench({"first": good(11), "second": "raise SystemExit('ran again')"})
    assert code == 0, "the one that failed runs again, the other does not"
    assert "| 11 | 2 |" in page
    assert "| 22 | 2 |" in page


@pytest.mark.parametrize("there", [True, False])
def test_a_part_for_a_gpu_runs_where_there_is_one_and_its_section_stays_elsewhere(
    bench, load, monkeypatch, tmp_path, capsys, there
):
    bench({"on_gpu": good(11)}, "--only", "on_gpu")
    monkeypatch.setattr(load("bench_all"), "has_gpu", lambda: there)
    code, page = bench({"on_gpu": good(22), "other": good(33)}, "--folder", str(tmp_path / "another"))
    assert code == 0
    assert ("| 22 | 2 |" if there else "| 11 | 2 |") in page
    assert "| 33 | 2 |" in page
    assert ("left out for want of a GPU: on_gpu" in capsys.readouterr().out) is not there


def test_a_part_that_fails_takes_nothing_from_the_page(bench, capsys):
    bench({"first": good(11), "second": good(22)})
    code, page = bench({"first": "raise SystemExit('no luck')", "second": good(22)}, "--only", "first")
    assert code == 1
    assert "; failed: first" in capsys.readouterr().out
    assert "| 11 | 2 |" in page
    assert "| 12 | 2 |" in bench({"first": good(12), "second": good(22)})[1], "and runs again"


def test_two_at_once_would_disturb_each_other(bench, load, tmp_path, capsys):
    bench({"first": good(11)})
    with load("claiming").claimed(tmp_path / "kept"):
        code, page = bench({"first": good(12)}, "--again")
    assert code == 1
    assert "| 11 | 2 |" in page
    assert "others measure there" in capsys.readouterr().err


def test_an_interrupted_run_goes_on_with_the_next_part(bench, tmp_path):
    stopped = "import signal; print('5555', flush=True); signal.alarm(60); signal.pause()"
    codes = {"first": good(11), "second": stopped, "third": good(33)}
    bench(codes, "--write")
    interrupted = subprocess.run([sys.executable, "-c", INTERRUPTED, HERE, tmp_path, *codes], stderr=subprocess.PIPE)
    assert interrupted.stderr.endswith(b"KeyboardInterrupt\n")
    code, page = bench({"first": "raise SystemExit('ran again')", "second": good(22), "third": good(33)})
    assert code == 0
    assert [figure in page for figure in ("| 11 |", "| 22 |", "| 33 |", "5555")] == [True, True, True, False]


def test_only_some_run_anew_and_what_never_ran_is_missing(bench):
    assert bench({"first": good(11), "second": good(22)}, "--only", "first")[0] == 0
    code, page = bench({"first": good(12), "second": good(22)}, "--only", "first")
    assert code == 0
    assert "| 12 | 2 |" in page
    assert "| 11 | 2 |" not in page
    assert "| 22 | 2 |" not in page
    assert '**Missing**: it has not run yet. `make bench ARGS="--only second"` runs it.' in page
    assert "| `second` | missing |" in page


def test_again_runs_all_and_write_runs_none(bench):
    bench({"first": good(11)})
    assert "| 11 | 2 |" in bench({"first": good(12)})[1]
    assert "| 11 | 2 |" in bench({"first": good(12)}, "--write")[1]
    assert "| 12 | 2 |" in bench({"first": good(12)}, "--again")[1]


def test_machines_that_differ_are_named(bench):
    _, page = bench({"first": good(11), "second": good(22, "another")})
    assert "**Not all was measured on the same machine**" in page
    assert "- one: first\n- another: second\n" in page
    _, page = bench({"third": "print('- machine: one\\n\\n- machine: another\\n\\n- machine: one')"})
    assert "- one: third\n- another: third\n" in page, "a part that several have done"


def test_a_part_that_names_no_machine_gets_a_header(bench):
    _, page = bench({"first": "print('| 11 |')"})
    assert "- machine: " in page
    assert "a machine that is not named" not in page


def test_another_checkout_keeps_what_the_page_has_and_drops_what_a_hand_changed(bench, tmp_path):
    _, page = bench({"first": good(11), "second": good(22), "third": good(33)})
    for kept in (tmp_path / "kept").iterdir():
        kept.unlink()
    (tmp_path / "page.md").write_text(page.replace("| 22 | 2 |", "| 99 | 2 |"))
    _, page = bench({"first": good(11), "second": good(22), "third": good(34)}, "--only", "third")
    assert [figure in page for figure in ("| 11 |", "| 22 |", "| 99 |", "| 34 |")] == [True, False, False, True]
    assert "| `second` | missing |" in page


def test_the_page_is_what_the_command_writes(load):
    composing, parts = load("page.composing"), load("page.parts").read_parts()
    page = PAGE.read_text(encoding="utf-8")
    kept = composing.read(page)
    assert composing.compose(parts, kept) == page, "run `make bench`, or bench_all.py --write where words have changed"
    assert kept.keys() == {part.name for part in parts}, "something is missing"


def test_any_change_by_hand_is_seen(load):
    composing, kept, parts = load("page.composing"), load("page.kept"), load("page.parts").read_parts()
    given = {part.name: kept.Kept(part.command, f"- machine: one\n\n| {n} |") for n, part in enumerate(parts, 100)}
    page = composing.compose(parts, given)
    assert composing.read(page) == given
    for old, new in (
        ("| 100 |", "| 1 |"),
        (parts[1].title, "Another"),
        ("machine: one", "machine: two"),
        ("\n## ", "\n9\n## "),
    ):
        changed = page.replace(old, new, 1)
        assert changed != page
        assert composing.compose(parts, composing.read(changed)) != changed, old


def test_words_of_the_parts_have_no_figures_and_their_scripts_take_their_options(load):
    for part in load("page.parts").read_parts():
        assert not re.search(r"\d", part.words.replace("UTF-8", "")), part.name
        assert (ROOT / part.arguments[0]).is_file(), part.name
        if part.options:
            load(part.script).build_parser().parse_args(part.options)


def test_an_unknown_part_is_refused_with_the_names(load, capsys):
    with pytest.raises(SystemExit) as stopped:
        load("bench_all").main(["--only", "engines"])
    assert stopped.value.code == 2
    assert "'engine', 'pipeline'" in capsys.readouterr().err
