"""Images are found in every shape in which data hold them, are opened late, and what is wrong is said early."""

import base64
import json
import tracemalloc
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from sft.toy_sft import BUCKETS
from sft.vision_toy import COLOURS, picture

from curriculum_verl.errors import InputError
from curriculum_verl.sft.samples import Sample, identity, read_samples


def png(colour: str = "red", size: tuple[int, int] = (24, 18)) -> bytes:
    file = BytesIO()
    picture(colour, 0, size).save(file, "PNG")
    return file.getvalue()


def row(content: Any, images: Any = None) -> dict[str, Any]:
    messages = [{"role": "user", "content": content}, {"role": "assistant", "content": "red"}]
    return {"messages": messages, "difficulty": "simple"} | ({} if images is None else {"images": images})


def read(folder: Path, *rows: dict[str, Any], kind: str = "jsonl") -> list[Sample]:
    path = folder / f"x.{kind}"
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(list(rows)), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_samples([str(path)], BUCKETS, "difficulty", vision=True)


def colours(sample: Sample) -> list[str]:
    """What is seen, in order."""
    middle = [image.open().resize((1, 1)).getpixel((0, 0)) for image in sample.images]
    return [min(COLOURS, key=lambda name: abs(COLOURS[name][0] - pixel[0])) for pixel in middle]


URL = "data:image/png;base64," + base64.b64encode(png("blue")).decode()
BLUE = {"type": "image"}


@pytest.mark.parametrize(
    ("content", "images"),
    [
        ("<image>?", ["blue.png"]),
        ("<image>?", [{"bytes": None, "path": "blue.png"}]),
        ("<image>?", [{"image": "blue.png"}]),
        ("<image>?", [URL]),
        ([BLUE, {"type": "text", "text": "?"}], ["blue.png"]),
        ([BLUE | {"image": URL}, {"type": "text", "text": "?"}], None),
        ([BLUE | {"path": "blue.png"}, {"type": "text", "text": "?"}], None),
        ([BLUE | {"base64": URL.rpartition(",")[2]}, {"type": "text", "text": "?"}], None),
        ([{"type": "image_url", "image_url": {"url": URL}}, {"type": "text", "text": "?"}], None),
    ],
)
def test_every_shape_of_an_image_is_the_same_in_the_chat(tmp_path: Path, content: Any, images: Any) -> None:
    (tmp_path / "blue.png").write_bytes(png("blue"))
    [sample] = read(tmp_path, row(content, images))
    assert sample.messages[0]["content"] == [{"type": "image"}, {"type": "text", "text": "?"}]
    assert colours(sample) == ["blue"]
    assert sample.images[0].size == (24, 18)
    assert sample.ground_truth == "red"


@pytest.mark.parametrize("name", ["absolute", "file url"])
def test_a_path_may_be_whole(tmp_path: Path, name: str) -> None:
    (tmp_path / "a b.png").write_bytes(png())
    path = tmp_path / "a b.png"
    [sample] = read(tmp_path, row("<image>", [path.as_uri() if name == "file url" else str(path)]))
    assert colours(sample) == ["red"]


def test_parquet_holds_bytes_as_the_datasets_library_and_verl_write_them(tmp_path: Path) -> None:
    rows = [row("<image>?", [{"bytes": png(colour), "path": None}]) for colour in ("red", "blue")]
    found = read(tmp_path, *rows, row("none", []), kind="parquet")
    assert [colours(sample) for sample in found] == [["red"], ["blue"], []]


def test_images_stand_where_they_are_meant(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png("red"))
    (tmp_path / "b.png").write_bytes(png("blue"))
    given = row("first <image> then <image>\nwhich?", ["a.png", "b.png"])
    more = [{"role": "user", "content": [{"type": "image", "url": URL}, {"type": "image"}]}, given["messages"][1]]
    given["messages"] += more
    given["images"].append("a.png")
    [sample] = read(tmp_path, given)
    assert colours(sample) == ["red", "blue", "blue", "red"]
    assert [part["type"] for part in sample.messages[0]["content"]] == ["text", "image", "text", "image", "text"]
    assert sample.messages[0]["content"][-1]["text"] == "\nwhich?"


def test_a_mark_that_the_assistant_says_is_text(tmp_path: Path) -> None:
    given = row("how is an image marked?")
    given["messages"][1]["content"] = "by <image>"
    [sample] = read(tmp_path, given)
    assert sample.messages[1]["content"] == [{"type": "text", "text": "by <image>"}]


def test_every_image_that_cannot_be_used_is_named_before_anything_begins(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    (tmp_path / "broken.png").write_bytes(b"no picture")
    wrong = [
        row("<image>", ["missing.png"]),
        row("<image>", ["broken.png"]),
        row("<image> and <image>", ["a.png"]),
        row("none", ["a.png"]),
        row("<image>", ["https://example.org/a.png"]),
    ]
    with pytest.raises(InputError) as caught:
        read(tmp_path, row("<image>", ["a.png"]), *wrong)
    told = str(caught.value)
    path = tmp_path / "x.jsonl"
    assert f"{path}:2: images[0]: there is no file {tmp_path}/missing.png; expected a path relative" in told
    assert f"{path}:3: images[0] ({tmp_path}/broken.png) cannot be read as an image: cannot identify" in told
    assert f"{path}:4: got 1 images and 2 placeholders" in told
    assert f"{path}:5: got 1 images and 0 placeholders" in told
    assert f"{path}:6: images[0]: got 'https://example.org/a.png', expected a file" in told


@pytest.mark.parametrize(
    ("content", "images", "told"),
    [
        ("<image>", [3], r"images\[0\]: got 3, expected a path, bytes or base64"),
        ("<image>", [{"size": 3}], r"images\[0\]: got {'size': 3}, expected a mapping with one of bytes"),
        ("<image>", ["data:image/png;base64,?"], "expected base64"),
        ([{"type": "image", "url": "no.png"}], None, "an image in messages: there is no file"),
        ([{"type": "audio"}], None, r"got the part {'type': 'audio'}, expected one of type text or image"),
        (["x"], None, "got the part 'x'"),
    ],
)
def test_what_is_no_image_is_refused(tmp_path: Path, content: Any, images: Any, told: str) -> None:
    with pytest.raises(InputError, match=told):
        read(tmp_path, row(content, images))


def test_an_image_of_the_assistant_is_refused(tmp_path: Path) -> None:
    given = row("draw")
    given["messages"][1]["content"] = [{"type": "image"}]
    with pytest.raises(InputError, match="got an image of the assistant"):
        read(tmp_path, given)


def test_an_image_that_breaks_off_is_named_when_it_is_opened(tmp_path: Path) -> None:
    (tmp_path / "half.png").write_bytes(png(size=(90, 90))[:2000])
    [sample] = read(tmp_path, row("<image>", ["half.png"]))
    with pytest.raises(InputError, match=r"x\.jsonl:1: images\[0\] .*half\.png\) cannot be read as an image"):
        sample.images[0].open()


def test_an_image_that_lies_on_its_side_is_put_upright(tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    picture("red", 0, (24, 18)).save(tmp_path / "a.jpg", exif=turned)
    [sample] = read(tmp_path, row("<image>", ["a.jpg"]))
    assert sample.images[0].size == sample.images[0].open().size == (18, 24)


def test_images_are_not_kept_in_memory(tmp_path: Path) -> None:
    big = BytesIO()
    picture("red", 0, (500, 500)).save(big, "BMP")  # 0.75 MB each
    rows = [row("<image>", [{"bytes": big.getvalue(), "path": None}]) for _ in range(20)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "x.parquet", row_group_size=1)
    del rows
    tracemalloc.start()
    samples = read_samples([str(tmp_path / "x.parquet")], BUCKETS, "difficulty", vision=True)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(samples) == 20
    assert held < 2 * len(big.getvalue())
    assert samples[19].images[0].open().size == (500, 500)


def test_the_identity_knows_other_images(tmp_path: Path) -> None:
    made = [
        identity(read(tmp_path, row("<image>", [{"bytes": png(colour), "path": None}]), kind="parquet"))
        for colour in ("red", "blue", "red")
    ]
    assert made[0] == made[2] != made[1]
    (tmp_path / "a.png").write_bytes(png())
    (tmp_path / "b.png").write_bytes(png())
    assert identity(read(tmp_path, row("<image>", ["a.png"]))) != identity(read(tmp_path, row("<image>", ["b.png"])))
