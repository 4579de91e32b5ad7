import math
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curriculum_verl.bucketing.summary import (
    WIDTH,
    BucketSummary,
    Histogram,
    Summary,
    elide,
    percent,
    sentence,
    table,
    total,
)
from curriculum_verl.words import number, printable

EASY = BucketSummary("easy", 12_345, 12_400, 0.625, 1.0, 0.81, 0.8, 0.0, 0.25)
MEDIUM = BucketSummary("medium", 2_000, 2_000, 0.25, 0.5, 0.4, 0.38, 0.0001, 0.0)
HARD = BucketSummary("hard", 655, 655, -0.0, 0.125, 0.05, 0.04, 0.7, 0.0)
EMPTY = BucketSummary("empty", 0, 0, math.nan, math.nan, math.nan, math.nan, math.nan, math.nan)

SUMMARY = Summary(
    metric="mean_reward",
    direction="high_is_easy",
    pass_threshold=0.5,
    tie_break=None,
    cuts=((0.625,), (0.25,)),
    buckets=(EASY, MEDIUM, HARD),
    histogram=Histogram((), {}),
    ties=(),
    rejected={"no reward list": 4, "a score that is not finite": 1_200},
    lines=16_262,
    blank=3,
    prompts=15_000,
    examples={},
    warnings=(),
    inputs=(),
    command="",
)


def columns(line: str) -> int:
    width = {"W": 2, "F": 2}
    return sum(width.get(unicodedata.east_asian_width(s), 1) for s in line if not unicodedata.combining(s))


def rows(text: str) -> list[str]:
    """The lines of the table of buckets: its two heads, then the buckets, then all."""
    return [line for line in text.split("\n\n")[1].splitlines() if not line.startswith("---")]


def test_the_easiest_is_named_first_whichever_way_the_metric_runs() -> None:
    said = sentence(SUMMARY)
    assert said.startswith("mean_reward: higher is easier, so easy is the easiest bucket (pass rate 80.0%) and hard")
    said = sentence(replace(SUMMARY, metric="variance", direction="low_is_easy"))
    assert said.startswith("variance: lower is easier, so easy is the easiest bucket (pass rate 80.0%) and hard")


def test_every_figure_ends_under_its_head() -> None:
    _, head, *lines = rows(table(SUMMARY))
    assert [line.split()[0] for line in lines] == ["easy", "medium", "hard", "all"]
    assert {len(line) for line in lines} == {len(head)}
    ends = [place for place in range(1, len(head) + 1) if head[place - 1 :][:1] != " " and head[place:][:1] in " "]
    for line in lines:
        assert all(line[end - 1] != " " and line[end : end + 1] in ("", " ") for end in ends[1:])


def test_the_table_holds_counts_shares_range_and_rates() -> None:
    _, _, easy, medium, hard, every = rows(table(SUMMARY))
    assert easy.split() == ["easy", "12,345", "82.3%", "0.625", "1", "0.810", "80.0%", "0.0%", "25.0%"]
    assert medium.split()[7] == "<0.1%", "a few are not none"
    assert hard.split()[3] == "0", "no minus before a zero"
    assert every.split()[:6] == ["all", "15,000", "100.0%", "0", "1", "0.722"]


def test_rejects_stand_with_their_reasons_the_most_frequent_first() -> None:
    lines = table(SUMMARY).split("\n\n")[2].splitlines()
    assert lines == [
        "16,262 lines read, 3 blank, 1,204 rejected:",
        "  1,200  a score that is not finite",
        "      4  no reward list",
    ]


def test_cuts_say_where_a_tie_break_parts_a_value() -> None:
    said = table(replace(SUMMARY, cuts=((0.5,), (0.0, 120.0)), tie_break="response length"))
    assert "Cut at 0.5, 0 (tie 120); equal values are ordered by response length" in said
    assert "20 cuts; equal values stay together." in table(replace(SUMMARY, cuts=((0.5,),) * 20))


def test_warnings_come_last_and_wrap_under_themselves() -> None:
    last = table(replace(SUMMARY, warnings=("word " * 30, "short"))).split("\n\n")[3].splitlines()
    assert [line[:13] for line in last] == ["warning: word", "         word", "warning: shor"]


@pytest.mark.parametrize("name", ["n" * 300, "难度" * 60, "a b " * 50, "-".join("abc" * 40)])
def test_a_long_name_does_not_push_the_table_out_of_the_terminal(name: str) -> None:
    long = replace(SUMMARY, buckets=(replace(EASY, name=f"first{name}1"), replace(HARD, name=f"first{name}2")))
    lines = table(replace(long, warnings=(name * 3,), rejected={name * 3: 10})).splitlines()
    assert max(map(len, lines)) <= WIDTH
    first, second, every = rows(table(long))[2:]
    assert columns(first) == columns(second) == columns(every) <= WIDTH
    assert first.split("  ")[0] != second.split("  ")[0], "both ends of a name stay"


def test_one_bucket_is_neither_easiest_nor_hardest_and_is_not_summed_up() -> None:
    text = table(replace(SUMMARY, buckets=(EASY,), cuts=()))
    assert "easy is the only bucket (pass rate 80.0%)" in text
    assert "easiest" not in text
    assert "No cuts" in text
    assert [line.split()[0] for line in rows(text)[2:]] == ["easy"]


def test_without_buckets_there_is_no_table_but_the_reasons_are_there() -> None:
    text = table(replace(SUMMARY, buckets=(), cuts=(), prompts=0))
    assert "No prompt was bucketed" in text
    assert "1,200  a score that is not finite" in text
    assert "solved" not in text


def test_an_empty_bucket_shows_dashes_and_has_no_say_in_the_whole() -> None:
    text = table(replace(SUMMARY, buckets=(EASY, EMPTY, HARD)))
    assert rows(text)[3].split() == ["empty", "0", "0.0%", *"------"]
    assert "nan" not in text
    assert "nan" not in table(replace(SUMMARY, buckets=(EMPTY, EMPTY), prompts=0))


def test_the_whole_is_the_mean_over_prompts() -> None:
    every = total([replace(EASY, prompts=3), replace(HARD, prompts=1)])
    assert every.pass_rate == pytest.approx((3 * 0.8 + 0.04) / 4)
    assert (every.prompts, every.metric_min, every.metric_max) == (4, 0.0, 1.0)


@pytest.mark.parametrize(
    ("rate", "text"), [(0.0, "0.0%"), (1e-9, "<0.1%"), (0.5, "50.0%"), (1 - 1e-9, ">99.9%"), (1.0, "100.0%")]
)
def test_a_share_is_never_rounded_to_nothing_or_to_all(rate: float, text: str) -> None:
    assert percent(rate) == text


def test_values_are_short_and_a_missing_one_is_a_dash() -> None:
    assert [number(value) for value in (1 / 3, 2.0, -0.0, math.nan, math.inf)] == ["0.3333", "2", "0", "-", "-"]


def test_what_steers_a_terminal_is_shown_instead() -> None:
    assert printable("\x1b[31mred\x00 \u202eleft \ud800") == r"\x1b[31mred\x00 \u202eleft \ud800"
    assert printable("two\r\nlines\tand more") == "two\nlines\tand more"
    assert printable("naïve 难 🙂 \U000e0041") == "naïve 难 🙂 \U000e0041"
    nasty = replace(SUMMARY, buckets=(replace(EASY, name="e\x1b[2J\nasy"), HARD), warnings=("\x07bell",))
    assert r"e\x1b[2J asy" in table(nasty)
    assert not set(table(nasty)) & {"\x1b", "\x07"}


@given(st.text(alphabet=st.characters(), max_size=200))
def test_whatever_the_text_it_can_be_printed(text: str) -> None:
    shown = printable(text)
    shown.encode()
    assert {sign for sign in shown if unicodedata.category(sign) in ("Cc", "Cs")} <= {"\n", "\t"}
    assert columns(elide(text, 20)) <= 20
