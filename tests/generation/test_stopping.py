"""Stop strings are seen in the same step as if all tokens were decoded every time, whatever a tokenizer merges."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from curriculum_verl.generation.stopping import SPARE, cut, stopped

TEXT = "the end of the answer is 42.\n\nThe END 🙂🙂 né naïve über 終わり END. </s> So: 1, 2, 3 ... the end"


def byte_level() -> Tokenizer:
    """Merges letters, cuts what is no letter into bytes."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        [TEXT], trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, special_tokens=["<s>"])
    )
    return made


def byte_fallback() -> Tokenizer:
    """As Llama 2 has it: a blank at the beginning is lost, and a run of bytes is no text if one of them is missing."""
    vocabulary = {"<s>": 0, "<unk>": 1, **{f"<0x{byte:02X}>": 2 + byte for byte in range(256)}}
    for piece in ("▁", "▁the", "▁END", "END", "E", "N", "D", "▁🙂", "e", "▁4", "2", ".", "\n"):
        vocabulary.setdefault(piece, len(vocabulary))
    made = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>", byte_fallback=True))
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    made.add_special_tokens(["<s>"])
    return made


def word_pieces() -> Tokenizer:
    """As BERT has it: pieces of a word are joined, and blanks before signs are taken out."""
    pieces = ["[UNK]", "<s>", "the", "end", "##ing", "##s", ".", ",", "'", "n", "4", "##2", "do", "not", "END"]
    made = Tokenizer(models.WordPiece({piece: number for number, piece in enumerate(pieces)}, unk_token="[UNK]"))
    made.decoder = decoders.WordPiece(cleanup=True)
    made.add_special_tokens(["<s>"])
    return made


MADE = {kind.__name__: kind() for kind in (byte_level, byte_fallback, word_pieces)}


def decode(made: Tokenizer) -> Callable[[list[int]], str]:
    return lambda tokens: made.decode(tokens, skip_special_tokens=True)


@pytest.mark.parametrize("kind", MADE)
@given(st.data())
@settings(max_examples=150)
def test_a_response_stops_in_the_same_step(kind: str, data: st.DataObject) -> None:
    made = MADE[kind]
    encoded = st.text("thendof EN🙂é終.\n", max_size=30).map(
        lambda part: made.encode(part, add_special_tokens=False).ids
    )
    any_tokens = st.lists(st.integers(0, made.get_vocab_size() - 1), max_size=20)
    parts = data.draw(st.lists(encoded | any_tokens | st.just([made.token_to_id("<s>")] * 40), max_size=8))
    tokens = [token for part in parts for token in part]
    whole = decode(made)(tokens)
    ends = st.integers(0, len(whole))
    found = st.tuples(ends, st.integers(1, 6)).map(lambda at: whole[at[0] : at[0] + at[1]] or "END")
    stops = data.draw(st.lists(found | st.sampled_from(["END", "🙂E", "\n\n", "."]), min_size=1, max_size=3))
    check(kind, tokens, stops)


@pytest.mark.parametrize(
    ("kind", "tokens", "stop"),
    [
        (
            "byte_fallback",
            [f"<0x{byte:02X}>" for byte in ("🙂" * 20 + "é").encode()],
            "🙂é",
        ),  # broken till the last byte
        ("word_pieces", ["the", "##s", *["<s>"] * 20, "##s", "."], "ss."),  # much that is not seen
        ("word_pieces", ["the", *["##s"] * 40, "."], "##s"),  # what is only there because the beginning is missing
    ],
)
def test_what_a_tokenizer_writes_otherwise_where_it_does_not_see_all(kind: str, tokens: list[str], stop: str) -> None:
    check(kind, [MADE[kind].token_to_id(token) for token in tokens], [stop])


def check(kind: str, tokens: list[int], stops: list[str]) -> None:
    """In every step up to the one that ends it."""
    text = decode(MADE[kind])
    for count in range(1, len(tokens) + 1):
        now = any(stop in text(tokens[:count]) for stop in stops)
        assert stopped(tokens[:count], stops, text) == now
        if now:
            return


@pytest.mark.parametrize("length", [100, 1000, 10_000])
def test_a_step_of_a_long_response_costs_what_one_of_a_short_one_costs(length: int) -> None:
    decoded: list[int] = []

    def text(tokens: list[int]) -> str:
        decoded.append(len(tokens))
        return "".join(map(chr, tokens))

    tokens = [ord("x")] * length
    assert not stopped(tokens, ("END",), text)
    assert sum(decoded) <= 2 * (len("END") + SPARE) * 4


@pytest.mark.parametrize(
    ("stops", "left"),
    [(("2", "1"), "a"), (("1", "2"), "a"), (("2",), "a1b"), (("3",), "a1b2"), ((), "a1b2"), (("1b", "b2"), "a")],
)
def test_a_response_ends_where_the_first_stop_string_begins(stops: tuple[str, ...], left: str) -> None:
    assert cut("a1b2", stops) == left
