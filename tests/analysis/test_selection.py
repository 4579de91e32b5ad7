import pytest

from curriculum_verl.analysis.selection import Selection, parse_ids, parse_steps
from curriculum_verl.errors import InputError


@pytest.mark.parametrize(
    ("text", "steps"),
    [("100:200", (100, 200)), ("100:", (100, None)), (":200", (None, 200)), ("7", (7, 7)), ("0:0", (0, 0))],
)
def test_steps_are_read(text: str, steps: tuple[int | None, int | None]) -> None:
    assert parse_steps(text) == steps


@pytest.mark.parametrize("text", [":", "", "a:b", "1:2:3", "-1:2", "9:1", "1.5"])
def test_what_is_no_range_of_steps_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"--steps: got .* expected"):
        parse_steps(text)


def test_ids_come_one_by_one_or_with_commas() -> None:
    assert parse_ids(["a,b", " c "]) == {"a", "b", "c"}
    assert parse_ids([]) is None


def test_a_line_is_left_out_for_the_first_reason_that_holds() -> None:
    given = Selection((2, 3), frozenset({"goal"}), frozenset({"easy"}), frozenset({"p"}))
    assert given.left_out(2, "goal", "easy", "p") is None
    assert given.left_out(4, "goal", "easy", "p") == "other steps"
    assert given.left_out(None, "goal", "easy", "p") == "other steps"
    assert given.left_out(2, "other", "easy", "p") == "other stages"
    assert given.left_out(2, "goal", "hard", "p") == "other buckets"
    assert given.left_out(2, "goal", "easy", "q") == "other prompts"
    assert Selection().left_out(None, "", "", "") is None
