"""By what a model is known again, wherever its files lie and whenever they were written: their bytes, all or samples.

fingerprint({"base": Path("models/7b")})["base/config.json"]   # "xxh3-128:..."
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import xxhash

from curriculum_verl.manifest import file_hash

# What can decide about a response; what a trainer leaves beside it cannot.
DECISIVE = (
    *("*config.json", "*.index.json", "*.safetensors", "*.bin", "tokenizer*", "vocab*", "merges.txt", "*.model"),
    *("special_tokens_map.json", "added_tokens.json", "chat_template*", "*.jinja"),
)
WHOLE = 64 * 2**20  # bytes up to which a file is read to its end
BLOCKS, BLOCK = 256, 16 * 1024  # of a larger one: so many, evenly over it, so large; an update of weights is everywhere


def fingerprint(folders: Mapping[str, Path], patterns: Sequence[str] = DECISIVE) -> dict[str, str]:
    """The hash of every file that decides, by the name of its folder and its own."""
    return {f"{name}/{file.name}": _hash(file) for name, folder in folders.items() for file in _files(folder, patterns)}


def digest(prints: Mapping[str, str]) -> str:
    """All of a fingerprint in one word."""
    whole = xxhash.xxh3_128()
    for name, value in sorted(prints.items()):
        whole.update(f"{name}\0{value}\1".encode())
    return whole.hexdigest()


def _files(folder: Path, patterns: Sequence[str]) -> Iterator[Path]:
    return iter(sorted({file for pattern in patterns for file in folder.glob(pattern) if file.is_file()}))


def _hash(path: Path) -> str:
    size = path.stat().st_size
    if size <= WHOLE:
        return file_hash(path)
    found = xxhash.xxh3_128(str(size).encode())
    with path.open("rb") as file:
        for number in range(BLOCKS):
            file.seek((size - BLOCK) * number // (BLOCKS - 1))
            found.update(file.read(BLOCK))
    return f"xxh3-128 of {BLOCKS} blocks:{found.hexdigest()}"
