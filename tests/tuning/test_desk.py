"""What a desk makes of events: late ones go where they were typed, and fields show what stands in the recipe."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tuning.recipes import TEXT, write_recipe
from tuning.tuned import say, tuning_of

from curriculum_verl.tuning import session
from curriculum_verl.tuning.block import get
from curriculum_verl.tuning.desk import LATE, Desk
from curriculum_verl.tuning.fields import says
from curriculum_verl.tuning.model import Tuning


def test_what_was_typed_before_a_stage_was_chosen_belongs_to_the_stage_before(desk: Desk) -> None:
    number = desk.sheets[-1].number
    writes = say(desk, stage=1)
    assert (writes["name"], writes["knob_0"]) == ("second", "25")
    desk.hear(number, {"knob_2": "125"})
    writes, _ = desk.answer()
    assert get(desk.editing.block, ("stages", 0, "exit", "any", 1, "at_least")) == 125
    assert get(desk.editing.block, ("stages", 1, "exit", "at_least")) == 25
    assert writes == {"text": TEXT.replace("at_least: 30", "at_least: 125")}, "no field of the second stage"


@pytest.mark.parametrize(
    ("arrange", "stage"),
    [(session.with_stage_after, 0), (lambda one: session.with_stage_moved(one, 1), 1), (session.without_stage, None)],
)
def test_what_was_typed_before_stages_were_arranged_goes_with_its_stage(
    arrange: Any, stage: int | None, desk: Desk
) -> None:
    number = desk.sheets[-1].number
    desk.arrange(arrange)
    desk.answer()
    before = desk.editing.block
    desk.hear(number, {"share_0": "0.5", "share_1": "0.5"})
    desk.answer()
    mixes = [one["mix"] for one in desk.editing.stages]
    assert [one["mix"] for n, one in enumerate(before["stages"]) if n != stage] == [
        mix for n, mix in enumerate(mixes) if n != stage
    ]
    if stage is not None:
        assert mixes[stage] == {"easy": 0.5, "hard": 0.5}
    shown = desk.sheets[-1].values
    assert all(says(desk.sheets[-1].fields[name], shown[name], desk.editing.block) for name in ("share_0", "share_1"))


def test_an_answer_that_overtakes_typing_is_written_again(desk: Desk) -> None:
    """Typed before an answer wrote another value there: the browser shows that one, the recipe what was typed."""
    number = desk.sheets[-1].number
    say(desk, text=TEXT.replace("floor: 0.1", "floor: 0.3"))
    desk.hear(number, {"replay_floor": "0.2"})
    writes, _ = desk.answer()
    assert writes["replay_floor"] == "0.2"
    assert get(desk.editing.block, ("replay_floor",)) == 0.2


@pytest.mark.parametrize(
    ("change", "late"),
    [
        ({"exit": "{metric: stage/steps, at_least: 40}"}, {"knob_2": "50"}),
        ({"policy": "uniform"}, {"parameter_0": "0.9"}),
    ],
)
def test_what_was_typed_for_a_key_that_is_gone_makes_no_other(
    change: dict[str, str], late: dict[str, str], desk: Desk
) -> None:
    say(desk, policy="posterior")
    number = desk.sheets[-1].number
    say(desk, **change)
    before = desk.editing
    desk.hear(number, late)
    desk.answer()
    assert desk.editing is before
    assert desk.unread == {}


def test_typing_into_the_text_while_a_change_comes_into_it_is_not_half_done(desk: Desk) -> None:
    number = desk.sheets[-1].number
    say(desk, replay_floor="0.2")
    desk.hear(number, {"text": TEXT + "# more\n"})
    assert desk.by_group()["text"] == [LATE]
    desk.answer()
    assert desk.editing.text == TEXT.replace("floor: 0.1", "floor: 0.2") == desk.sheets[-1].values["text"]


def test_what_comes_back_is_no_news(desk: Desk) -> None:
    writes = say(desk, stage=1)
    for name, value in writes.items():
        assert not desk.hear(desk.sheets[-1].number, {name: value})


def test_a_value_that_was_typed_back_is_heard(desk: Desk) -> None:
    number = desk.sheets[-1].number
    desk.hear(number, {"replay_floor": "0.2"})
    desk.hear(number, {"replay_floor": "0.1"})
    assert desk.editing.text == TEXT


def test_what_is_typed_into_one_field_is_undone_as_one(desk: Desk) -> None:
    for text in ("2", "20", "200"):
        say(desk, knob_2=text)
    say(desk, replay_floor="0.2")
    desk.undo()
    assert desk.editing.text == TEXT.replace("at_least: 30", "at_least: 200")
    desk.undo()
    assert desk.editing.text == TEXT
    assert desk.past == []


def test_what_is_no_value_is_forgotten_with_the_stage_and_kept_without(desk: Desk) -> None:
    say(desk, knob_0="", rollback_threshold="-")
    assert len(desk.wrong) == 2
    writes = say(desk, stage=1)
    assert writes["knob_0"] == "25"
    assert list(desk.unread) == ["rollback_threshold"]
    assert say(desk, stage=0)["knob_0"] == "5"


def test_saving_takes_what_fields_say_and_refuses_what_is_no_value(desk: Desk, tmp_path: Path) -> None:
    desk.hear(desk.sheets[-1].number, {"replay_floor": "0.25"})
    assert desk.save("new.yaml", overwrite=False).read_text() == TEXT.replace("floor: 0.1", "floor: 0.25")
    desk.hear(desk.sheets[-1].number, {"replay_floor": ""})
    with pytest.raises(Exception, match="1 problems: mend them first, nothing was written"):
        desk.save("other.yaml", overwrite=False)
    assert not (tmp_path / "other.yaml").exists()


STAGE_FIELDS = ["share_0", "share_1", "knob_0", "knob_1", "name", "exit"]
NAMES = st.sampled_from([*STAGE_FIELDS, "text", "policy", "parameter_0", "replay_floor", "stage", "rollback"])
TEXTS = [TEXT, TEXT.replace("floor: 0.1", "floor: 0.3"), TEXT + "[", TEXT.partition("    # how it")[0]]
VALUES = {"name": st.sampled_from(["", "a", "b c"]), "stage": st.integers(0, 3), "rollback": st.booleans()}
VALUES["exit"] = st.sampled_from(["", "{", "{metric: stage/steps, at_least: 5}"])
VALUES["policy"] = st.sampled_from(["posterior", "mixture", "gaussian"])
VALUES["text"] = st.sampled_from(TEXTS)
NUMBERS = st.sampled_from(["", "-", "0.5", "1", "30", "x"])
EVENTS = st.lists(
    st.one_of(
        st.tuples(NAMES, st.integers(0, 3), st.data()),
        st.sampled_from(["copy", "remove", "later", "undo", "reset"]),
    ),
    max_size=12,
)


@settings(max_examples=60)
@given(events=EVENTS)
def test_in_the_end_every_field_shows_what_stands_in_the_recipe(events: list[Any], tuning_once: Tuning) -> None:
    """Whatever is typed, and however late it is heard: events of up to three answers ago."""
    desk = Desk(tuning_once)
    act = {
        "copy": lambda: desk.arrange(session.with_stage_after),
        "remove": lambda: desk.arrange(session.without_stage),
        "later": lambda: desk.arrange(lambda one: session.with_stage_moved(one, 1)),
        "undo": desk.undo,
        "reset": desk.start_over,
    }
    for event in events:
        if isinstance(event, str):
            act[event]()
        else:
            name, late, data = event
            number = max(0, desk.sheets[-1].number - late)
            desk.hear(number, {name: data.draw(VALUES.get(name, NUMBERS))})
        desk.answer()
        sheet = desk.sheets[-1]
        assert (sheet.values["text"] == desk.editing.text) != ("text" in desk.unread)
        assert sheet.values["stage"] == desk.editing.stage
        for name, field in sheet.fields.items():
            shown = sheet.values[name]
            fits = shown == desk.looks[name].value or says(field, shown, desk.editing.block)
            assert fits != (name in desk.unread), (name, shown)


@pytest.fixture(scope="module")
def tuning_once(tmp_path_factory: pytest.TempPathFactory) -> Tuning:
    return tuning_of(write_recipe(tmp_path_factory.mktemp("desk")))
