"""The normal form of a prompt's text: what decides that two prompts are the same, whatever surrounds them."""

import unicodedata
from collections.abc import Sequence

import xxhash

from curriculum_verl.rollouts.content import Message

SEEDS = 1 << 64  # of the hash, and the number of its values


def normal_text(messages: Sequence[Message]) -> str:
    """What the user says (all that is said where no user speaks), in plain characters, small letters, single blanks."""
    said = [message["content"] for message in messages if message["role"] == "user"]
    text = unicodedata.normalize("NFKC", "\n".join(said or [message["content"] for message in messages]))
    # Folding may take the text out of its normal form, so it is normalised again.
    return " ".join(unicodedata.normalize("NFKC", text.casefold()).split())


def text_hash(text: str, seed: int = 0) -> int:
    """A stable hash from 0 to 2**64 - 1."""
    return xxhash.xxh3_64_intdigest(text.encode(), seed)


def is_for_training(text: str, share: float | None, seed: int) -> bool:
    """The side of the split on which a normal text stands: it depends on nothing but the text, the share and the seed.

    `share` is how much is for training, None for all. A larger share moves prompts to training, never back.
    """
    return share is None or text_hash(text, seed) < share * SEEDS
