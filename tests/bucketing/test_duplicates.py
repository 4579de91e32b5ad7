import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from curriculum_verl.bucketing.duplicates import find_shared, in_groups
from curriculum_verl.bucketing.facts import FACTS
from curriculum_verl.bucketing.scan import Scanned

KEYS = st.lists(st.integers(0, 6), min_size=1, max_size=40)


def facts(keys):
    rows = np.zeros(len(keys), dtype=FACTS)
    rows["key"] = keys
    rows["line"] = np.arange(len(keys))
    return rows


@given(KEYS, st.integers(1, 7))
def test_shared_keys_and_later_rows_are_those_a_dictionary_finds(tmp_path_factory, keys, size):
    folder = tmp_path_factory.mktemp("facts")
    parts = [facts(keys[first : first + size]) for first in range(0, len(keys), size)]
    scanned = []
    for number, part in enumerate(parts):
        part.tofile(folder / str(number))
        scanned.append(Scanned(folder / str(number), folder / "none", len(part), []))
    shared = find_shared(scanned)
    assert len(shared) == sum(keys.count(key) > 1 for key in set(keys))
    masks = [shared.shared(part) for part in parts]
    assert np.concatenate(masks).tolist() == [keys.count(key) > 1 for key in keys]
    later = np.concatenate([shared.later(part, mask) for part, mask in zip(parts, masks, strict=True)])
    assert later.tolist() == [key in keys[:place] for place, key in enumerate(keys)]


@given(KEYS)
def test_groups_come_in_the_order_of_their_first_line_and_keep_the_order_within(keys):
    lines, starts = in_groups(facts(keys))
    groups = [group["line"].tolist() for group in np.split(lines, starts[1:])]
    expected: dict[int, list[int]] = {}
    for place, key in enumerate(keys):
        expected.setdefault(key, []).append(place)
    assert groups == list(expected.values())
    assert starts.tolist() == np.cumsum([0, *map(len, groups[:-1])]).tolist()
