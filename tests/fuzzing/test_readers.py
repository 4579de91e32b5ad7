"""Whatever stands in a file or a line: it is read, or refused in words that name the file or have a reason.

FUZZ_EXAMPLES=20000 pytest tests/fuzzing is the long run; `make fuzz` runs it with all others.
"""

from pathlib import Path

import pytest
from fuzzing.spoiling import EDITS, spoiled
from fuzzing.targets import TARGETS
from hypothesis import given, settings
from hypothesis import strategies as st
from rewards.made_up_texts import fuzz

FEW = 2000  # inputs of mere bytes, which hardly ever get past a first look
PLACES = 12  # at which something deep stands


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzzed")


@pytest.mark.parametrize("name", TARGETS)
def test_a_good_input_is_read(folder: Path, name: str) -> None:
    assert TARGETS[name].read(TARGETS[name].good, folder), "what spoils it would else meet the first check alone"


@pytest.mark.parametrize("name", TARGETS)
@fuzz
@given(EDITS)
def test_a_spoiled_input_is_read_or_refused_in_words(folder: Path, name: str, edits: list) -> None:
    TARGETS[name].read(spoiled(TARGETS[name].good, edits), folder)


@pytest.mark.parametrize("name", TARGETS)
@settings(fuzz, max_examples=min(fuzz.max_examples, FEW))
@given(st.binary(max_size=40))
def test_bytes_of_any_kind_are_read_or_refused_in_words(folder: Path, name: str, content: bytes) -> None:
    TARGETS[name].read(content, folder)


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize(
    "deep", [b"[" * 3000, b'{"a":' * 3000, b"[" * 700 + b"]" * 700, b'{"a":' * 700 + b"1" + b"}" * 700]
)
def test_what_is_nested_deeply_is_read_or_refused_in_words(folder: Path, name: str, deep: bytes) -> None:
    good = TARGETS[name].good
    colons = [at for at in range(len(good)) if good[at : at + 1] in (b":", b"{", b",")]
    places = 1 if "recipe" in name else PLACES  # PyYAML takes a second for each
    for at in [0, *colons[:: max(1, len(colons) // places)]][: places + 1]:
        TARGETS[name].read(good[: at + 1] + deep + good[at + 1 :], folder)
        TARGETS[name].read(good[:at] + deep + good[at:], folder)
