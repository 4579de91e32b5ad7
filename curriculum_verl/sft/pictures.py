"""Images of chats: where each is kept and where in its chat it stands. None is decoded before it is asked for."""

import base64
import binascii
import os
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import xxhash

from curriculum_verl.errors import InputError

MARK = "<image>"  # where an image stands in a text, as in verl's data
SOURCES = ("bytes", "image", "path", "url", "image_url", "base64")  # the keys by which libraries name an image
LONGEST_PATH = 1024  # what is longer is an image itself, in base64
SIDEWAYS = (5, 6, 7, 8)  # orientations of EXIF that swap width and height


class Store:
    """Images that come inside of data files: in a temporary file, so that they need no memory."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it is there as long as a picture of it is
        weakref.finalize(self, self._file.close)
        self._end = 0

    def keep(self, data: bytes) -> tuple[int, int]:
        """Write an image behind the others, and say where."""
        place = self._end, len(data)
        self._end += self._file.write(data)
        self._file.flush()
        return place

    def read(self, place: tuple[int, int]) -> bytes:
        """The bytes of an image; several may read at once."""
        start, size = place
        return os.pread(self._file.fileno(), size, start)


@dataclass(frozen=True, slots=True)
class Picture:
    """One image, in a file or in a store; `identity` is its content, or name and size of its file."""

    name: str
    identity: str
    path: Path | None = None
    store: Store | None = field(default=None, compare=False)
    place: tuple[int, int] = (0, 0)
    size: tuple[int, int] = (0, 0)  # width and height
    where: str = ""

    def open(self) -> Any:
        """The image in RGB, upright."""
        from PIL import ImageOps

        with self._readable(f"{self.where}: ") as image:
            return ImageOps.exif_transpose(image).convert("RGB")

    def measured(self) -> "Picture":
        """The same with its size, for which the beginning of its file is enough."""
        with self._readable("") as image:
            width, height = image.size
            # For its orientation a PNG would be decoded as a whole.
            turned = image.format != "PNG" and image.getexif().get(0x0112) in SIDEWAYS
        return replace(self, size=(height, width) if turned else (width, height))

    @contextmanager
    def _readable(self, where: str) -> Iterator[Any]:
        from PIL import Image

        try:
            with Image.open(self.path or BytesIO(self.store.read(self.place) if self.store else b"")) as image:
                yield image
        # What PIL raises for broken files depends on their format.
        except (OSError, ValueError, SyntaxError, EOFError, TypeError, Image.DecompressionBombError) as error:
            raise InputError(f"{where}{self.name} cannot be read as an image: {error}") from error


def place_images(
    messages: Sequence[dict[str, Any]], images: Sequence[Any], folder: Path, store: Store, where: str
) -> tuple[list[dict[str, Any]], tuple[Picture, ...]]:
    """The messages as lists of parts, and their images in the order in which they stand there."""
    listed = iter(images)
    found: list[Picture] = []
    marks = 0
    placed = []
    for message in messages:
        parts: list[dict[str, Any]] = []
        for part in _parts(message):
            if part["type"] == "image":
                if message["role"] == "assistant":
                    raise InputError("messages: got an image of the assistant, expected text: models say no images")
                own = any(part.get(key) is not None for key in SOURCES)
                marks += not own
                source = part if own else next(listed, None)
                if source is not None:
                    name = "an image in messages" if own else f"images[{marks - 1}]"
                    found.append(replace(_picture(source, name, folder, store), where=where).measured())
                part = {"type": "image"}
            parts.append(part)
        placed.append({**message, "content": parts})
    if marks != len(images):
        raise InputError(
            f"got {len(images)} images and {marks} placeholders for them in messages, expected as many: "
            f'{MARK} in the text, or a part {{"type": "image"}}'
        )
    return placed, tuple(found)


def _parts(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The parts of a message; a text is cut at its marks, unless the assistant says it."""
    content = message["content"]
    if isinstance(content, str):
        texts = [content] if message["role"] == "assistant" else content.split(MARK)
        for number, text in enumerate(texts):
            if number:
                yield {"type": "image"}
            if text or len(texts) == 1:
                yield {"type": "text", "text": text}
        return
    for raw in content:
        part = {key: value for key, value in raw.items() if value is not None} if isinstance(raw, Mapping) else {}
        if part.get("type") == "text" and isinstance(part.get("text"), str):
            yield {"type": "text", "text": part["text"]}
        elif part.get("type") in ("image", "image_url"):
            yield {**part, "type": "image"}
        else:
            raise InputError(f"messages: got the part {raw!r:.60}, expected one of type text or image")


def _picture(source: Any, name: str, folder: Path, store: Store) -> Picture:
    """An image by any of the ways in which data name one."""
    if isinstance(source, Mapping):
        given = [(key, source[key]) for key in SOURCES if source.get(key) is not None]
        if not given:
            raise InputError(f"{name}: got {source!r:.60}, expected a mapping with one of {', '.join(SOURCES)}")
        key, value = given[0]
        return _picture(_decoded(value, name) if key == "base64" else value, name, folder, store)
    if isinstance(source, bytes):
        return Picture(name, xxhash.xxh3_128_hexdigest(source), store=store, place=store.keep(source))
    if not isinstance(source, str):
        raise InputError(f"{name}: got {source!r:.60}, expected a path, bytes or base64")
    if source.startswith("data:") or len(source) > LONGEST_PATH:
        return _picture(_decoded(source.rpartition(",")[2], name), name, folder, store)
    if source.startswith(("http://", "https://")):
        raise InputError(f"{name}: got {source!r:.80}, expected a file: nothing is downloaded in training")
    path = folder / (unquote(urlsplit(source).path) if source.startswith("file://") else source)
    if not path.is_file():
        raise InputError(f"{name}: there is no file {path}; expected a path relative to the folder of the data file")
    return Picture(f"{name} ({path})", f"{source}:{path.stat().st_size}", path=path)


def _decoded(text: Any, name: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError) as error:
        raise InputError(f"{name}: got {text!r:.60}, expected base64: {error}") from error
