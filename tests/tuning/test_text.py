"""Changes in the text: what is changed is changed, all else stays, and what cannot be kept is said."""

from collections import Counter
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tuning.recipes import TEXT

from curriculum_verl.curriculum.sources import read_value
from curriculum_verl.errors import ConfigError
from curriculum_verl.tuning.block import Place, changes, get, numbers, put
from curriculum_verl.tuning.comments import comments
from curriculum_verl.tuning.dumping import flow
from curriculum_verl.tuning.text import block_of, insert_stage, remove_stage, rewrite, swap_stages

ROOT = Path(__file__).parents[2]
RECIPES = [*sorted((ROOT / "examples").glob("*.yaml")), *sorted((ROOT / "recipes").glob("*/*.yaml"))]
COMMENTS = ["# A recipe with comments.", "# not ours", "# exact", "# how it begins", "# easy", "# noisy"]
COMMENTS += ["# how it goes on", "# the end"]


def changed(place: Place, value: Any) -> dict[str, Any]:
    made: dict[str, Any] = put(block_of(TEXT), place, value)
    return made


@pytest.mark.parametrize(
    ("place", "value", "line"),
    [
        (("stages", 0, "exit", "any", 0, "above"), 0.5, "{metric: train/success_rate, window: 5, above: 0.5}  # noisy"),
        (("stages", 0, "name"), "a: [b] # c", "- name: 'a: [b] # c'  # easy"),
        (("stages", 1, "mix", "medium"), 0.25, "mix: {easy: 0.5, hard: 0.5, medium: 0.25}"),
        (("stages", 1, "mix", "easy"), None, "mix: {hard: 0.5}"),
        (("stages", 1, "mix", "hard"), None, "mix: {easy: 0.5}"),
        (
            ("stages", 2, "rewards"),
            {"final": 1.0, "coherence": 0.1},
            "      rewards: {final: 1.0, coherence: 0.1}\n  adv",
        ),
        (("policy",), {"name": "posterior", "target": 0.4}, "policy: {name: posterior, target: 0.4}  # exact"),
        (("rollback", "cooldown"), 20, "rollback: {threshold: -0.5, cooldown: 20}"),
        (("probation", "evals"), 4, "  probation: {evals: 4}\n# the end"),
        (("rollback",), None, "check_every: 5}\n  replay_floor: 0.1"),
        (("stages", 1, "exit"), None, "mix: {easy: 0.5, hard: 0.5}\n    - name: third"),
        (
            ("stages", 1, "exit"),
            {"any": [{"metric": "1e-3", "above": 1e-3}]},
            "exit: {any: [{metric: '1e-3', above: 0.001}]}",
        ),
        (("replay_floor",), None, "threshold: -0.5}\n# the end"),
    ],
)
def test_a_change_is_made_in_its_place_and_every_comment_stays(place: Place, value: Any, line: str) -> None:
    new = changed(place, value)
    written = rewrite(TEXT, new)
    assert line in written.text
    assert written.comments_kept
    assert block_of(written.text) == new
    assert all(comment in written.text for comment in COMMENTS)
    assert read_value(written.text)["trainer"] == {"total_epochs": 3}


COMMENTED = """curriculum:
  stages:
    - name: first
      mix: {easy: 1.0}
      exit:
        any:
          # noisy: keep the window
          - {metric: train/success_rate, window: 5, above: 0.99}  # from run 12
          # a cap
          - {metric: stage/steps, at_least: 30}
    - name: second
      mix: {easy: 0.5, hard: 0.5}
      rewards:
        final: 1.0  # a # in "it"
  rollback:   # off for now
  description: |
    # no comment
"""
NOISES = ["# noisy: keep the window", "# from run 12"]
CAP, MORE = {"metric": "stage/steps", "at_least": 30}, {"metric": "run/steps", "at_least": 40}
NOISY = {"metric": "train/success_rate", "window": 5, "above": 0.99}


def test_comments_are_what_stands_between_tokens() -> None:
    found = ["# noisy: keep the window", "# from run 12", "# a cap", '# a # in "it"', "# off for now"]
    assert comments(COMMENTED) == Counter(found)
    assert comments("a: 'é # no'  # é\n# twice\n# twice\n") == {"# é": 1, "# twice": 2}


@pytest.mark.parametrize(
    ("place", "value", "line", "gone"),
    [
        (("stages", 0, "exit", "any"), [NOISY, CAP, MORE], "30}\n          - {metric: run/steps, at_least: 40}\n", []),
        (("stages", 0, "exit", "any"), [NOISY, MORE, CAP], "12\n          - {metric: run/steps, at_least: 40}\n", []),
        (("stages", 0, "exit", "any"), [NOISY], "# from run 12\n    - name: second", ["# a cap"]),
        (
            ("stages", 0, "exit", "any"),
            [CAP],
            "any:\n          # a cap\n",
            ["# noisy: keep the window", "# from run 12"],
        ),
        (("rollback",), {}, "  rollback: {}   # off for now\n", []),
        (
            ("stages", 0, "exit"),
            CAP,
            "exit:\n        {metric: stage/steps, at_least: 30}\n",
            ["# noisy: keep the window", "# from run 12", "# a cap"],
        ),
    ],
)
def test_comments_that_go_with_a_change_are_noticed(place: Place, value: Any, line: str, gone: list[str]) -> None:
    written = rewrite(COMMENTED, put(block_of(COMMENTED), place, value))
    assert line in written.text
    assert get(block_of(written.text), place) == value
    assert written.comments_kept == (not gone)
    assert comments(COMMENTED) - comments(written.text) == Counter(gone)


def test_what_does_not_change_leaves_the_text_to_the_byte() -> None:
    assert rewrite(TEXT, block_of(TEXT)).text == TEXT
    windows = TEXT.replace("\n", "\r\n")
    assert rewrite(windows, changed(("replay_floor",), 0.5)).text == windows.replace(
        "replay_floor: 0.1", "replay_floor: 0.5"
    )


def test_stages_are_copied_moved_and_removed_with_their_comments() -> None:
    block = block_of(TEXT)
    more = deepcopy(block)
    more["stages"].insert(1, {**deepcopy(block["stages"][0]), "name": "again"})
    written = insert_stage(TEXT, 1, more)
    assert (block_of(written.text), written.comments_kept) == (more, True)
    assert written.text.index("name: again") < written.text.index("# how it goes on")
    fewer = deepcopy(block)
    del fewer["stages"][1]
    written = remove_stage(TEXT, 1, fewer)
    assert (block_of(written.text), written.comments_kept) == (fewer, True)
    assert "# how it goes on" not in written.text, "the comment was about that stage"
    assert "# noisy" in written.text
    other = deepcopy(block)
    other["stages"][0], other["stages"][1] = other["stages"][1], other["stages"][0]
    written = swap_stages(TEXT, 0, other)
    assert (block_of(written.text), written.comments_kept) == (other, True)
    assert written.text.index("# how it goes on") < written.text.index("name: second") < written.text.index("# easy")


def test_what_cannot_be_changed_in_place_is_written_anew_and_said() -> None:
    shared = (
        "a: 1  # kept\ncurriculum:\n  stages:\n  - {name: a, mix: {x: 1}, exit: &e {metric: m, above: 1}}  # lost\n"
    )
    shared += "  - {name: b, mix: {x: 1}, exit: *e}\n  - {name: c, mix: {x: 1}}\n# kept too\n"
    new = put(block_of(shared), ("stages", 0, "exit", "above"), 2)
    written = rewrite(shared, new)
    assert not written.comments_kept
    assert block_of(written.text) == new
    assert get(block_of(written.text), ("stages", 1, "exit", "above")) == 1
    assert "# kept\n" in written.text
    assert "# kept too" in written.text
    assert "# lost" not in written.text


def test_a_block_that_the_rest_of_the_file_refers_to_is_not_broken() -> None:
    text = "curriculum:\n  seed: &s 1\n  stages: [{name: a, mix: {x: 1}}]\nother: *s\n"
    with pytest.raises(ConfigError, match="something else in the file refers to it"):
        rewrite(text, put(block_of(text), ("seed",), 2))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_number_of_every_recipe_of_ours_can_be_changed(recipe: Path) -> None:
    text = recipe.read_text()
    block = block_of(text)
    places = numbers(block, ())
    kept = 0
    for place in places:
        new = put(block, place, 7)
        written = rewrite(text, new)
        assert block_of(written.text) == new
        kept += written.comments_kept
    assert kept >= len(places) / 2, "but for what is written once and meant several times"


KEYS = st.sampled_from(["stages", "a", "b c", "1e3", "yes", "#x", "- y"])
LEAVES = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-2, 2) | st.text(max_size=6) | KEYS
VALUES = st.recursive(LEAVES, lambda v: st.lists(v, max_size=3) | st.dictionaries(KEYS, v, max_size=3), max_leaves=6)


@settings(max_examples=200)
@example(old={}, new={"stages": "\x85"}, flat=False)
@given(old=st.dictionaries(KEYS, VALUES, max_size=4), new=st.dictionaries(KEYS, VALUES, max_size=4), flat=st.booleans())
def test_any_block_becomes_any_other(old: dict[str, Any], new: dict[str, Any], flat: bool) -> None:
    from curriculum_verl.tuning.dumping import block, indented

    old, new = {"stages": [], **old}, {"stages": [], **new}
    body = f" {flow(old)}\n" if flat else f"\n{indented(block(old), 2)}"
    text = f"x: 1  # before\ncurriculum:{body}y: 2  # after\n"
    assert block_of(text) == old
    written = rewrite(text, new)
    assert block_of(written.text) == new
    assert "# before" in written.text
    assert "# after" in written.text


@given(old=VALUES, new=VALUES)
def test_changes_say_where_two_blocks_differ(old: Any, new: Any) -> None:
    found = list(changes(old, new))
    assert bool(found) == (flow(old) != flow(new))
    for change in found:
        assert change.gone or get(new, change.place) == change.value


@pytest.mark.parametrize("text", ["", "a: [", "a: 1", "curriculum: 3", "- 1", "stages: [}", "[" * 3000, "a: &a [*a]"])
def test_what_is_no_recipe_is_a_message(text: str) -> None:
    with pytest.raises(ConfigError):
        block_of(text)
