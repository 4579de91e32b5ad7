import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sft.toy_sft import BUCKETS, chat, rows

from curriculum_verl.errors import InputError
from curriculum_verl.sft.samples import BATCH, identity, read_samples


def write(path: Path, lines: list[object]) -> str:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


def test_samples_come_easiest_first_and_in_the_order_of_their_files(tmp_path: Path) -> None:
    paths = [write(tmp_path / "b.jsonl", list(rows(0, 2))), write(tmp_path / "a.jsonl", list(rows(5, 1)))]
    samples = read_samples(paths, BUCKETS, "difficulty")
    assert [sample.bucket for sample in samples] == ["simple"] * 3 + ["medium"] * 3 + ["hard"] * 3
    assert [sample.messages[0]["content"] for sample in samples[:3]] == ["0?", "1?", "5?"]
    assert samples[0].ground_truth == "1", "the last message, where nothing else is said"


@pytest.mark.parametrize("kind", ["json", "parquet", "folder"])
def test_every_kind_of_file_holds_the_same(tmp_path: Path, kind: str) -> None:
    lines = list(rows(0, 3))
    wanted = identity(read_samples([write(tmp_path / "x.jsonl", lines)], BUCKETS, "difficulty"))
    path = tmp_path / f"y.{kind}"
    if kind == "json":
        path.write_text(json.dumps(lines))
    elif kind == "parquet":
        pq.write_table(pa.Table.from_pylist(lines), path)
    else:
        path.mkdir()
        write(path / "x.jsonl", lines)
    assert identity(read_samples([str(path)], BUCKETS, "difficulty")) == wanted


def test_the_identity_changes_with_order_and_content(tmp_path: Path) -> None:
    lines = list(rows(0, 2))
    names = ["one", "two", "three"]
    made = [lines, lines[3:] + lines[:3], [*lines[:-1], lines[-1] | {"messages": chat("1+1=?", "3")}]]
    found = {
        identity(read_samples([write(tmp_path / f"{name}.jsonl", these)], BUCKETS, "difficulty"))
        for name, these in zip(names, made, strict=True)
    }
    assert len(found) == 3


def test_every_sample_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    good = {"messages": chat("a", "b"), "difficulty": "simple"}
    bad = [
        good | {"difficulty": "simpel"},
        good | {"messages": chat("a", "b")[:1]},
        good | {"images": ["x.png"]},
        good | {"messages": [{"role": "assistant", "content": [{"type": "image"}]}]},
        [],
    ]
    path = write(tmp_path / "x.jsonl", [good, *bad, *bad])
    with pytest.raises(InputError) as caught:
        read_samples([path], BUCKETS, "difficulty")
    message = str(caught.value)
    assert "got 10 samples" in message
    assert "and 5 more" in message
    assert f"{path}:2: difficulty: unknown bucket 'simpel'" in message
    assert "did you mean 'simple'?" in message
    assert f"{path}:3: messages: expected a list that ends with a message of the assistant" in message
    assert f"{path}:4: got images, expected text; for a model that sees say model.vision=true" in message
    assert f"{path}:5: messages: got [{{'type': 'image'}}] as content, expected text; for a model that sees" in message
    assert f"{path}:6: got list" in message


@pytest.mark.parametrize("name", ["missing.jsonl", "empty", "x.csv"])
def test_a_path_that_holds_nothing_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.csv").write_text("a")
    with pytest.raises(InputError, match="expected a file, or a folder of files"):
        read_samples([str(tmp_path / name)], BUCKETS, "difficulty")


def test_a_line_that_is_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text("{")
    with pytest.raises(InputError, match="not valid JSON"):
        read_samples([str(tmp_path / "x.jsonl")], BUCKETS, "difficulty")


def test_every_line_that_is_no_json_is_named_beside_the_others(tmp_path: Path) -> None:
    good = json.dumps({"messages": chat("a", "b"), "difficulty": "simple"})
    path = tmp_path / "x.jsonl"
    path.write_text("\n".join([good, '{"messages": oops}', "", good.replace("simple", "other"), "[1,"]) + "\n")
    with pytest.raises(InputError) as caught:
        read_samples([str(path)], BUCKETS, "difficulty")
    message = str(caught.value)
    assert "got 3 samples" in message
    assert f"{path}:2: not valid JSON: Expecting value at column 14" in message
    assert f"{path}:4: difficulty: unknown bucket 'other'" in message
    assert f"{path}:5: not valid JSON" in message


@pytest.mark.parametrize(("kind", "text"), [("parquet", "no"), ("json", "{}"), ("json", "[1")])
def test_a_file_that_is_not_of_its_kind_is_refused(tmp_path: Path, kind: str, text: str) -> None:
    (tmp_path / f"x.{kind}").write_text(text)
    with pytest.raises(InputError, match=rf"x\.{kind}: (not valid {kind}|got dict, expected a list of chats)"):
        read_samples([str(tmp_path / f"x.{kind}")], BUCKETS, "difficulty")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"messages": 5}, "messages: got 5, expected a list of mappings"),
        ({"messages": ["a"]}, r"messages: got \['a'\], expected a list of mappings"),
        ({"messages": [{"content": "a"}]}, "expected mappings with role and content"),
        ({"tools": "[{]"}, "tools: got .* expected a list, or a list as JSON"),
        ({"tools": {"a": 1}}, "tools: got .* expected a list of mappings"),
        ({"messages": [{"role": "assistant", "tool_calls": "x"}]}, "tool_calls: got 'x', expected a list, or a list"),
        (
            {"messages": [{"role": "assistant", "content": [{"type": "text"}]}]},
            "as content, expected text; for a model",
        ),
    ],
)
def test_what_is_of_another_shape_is_said(tmp_path: Path, more: dict[str, object], said: str) -> None:
    path = write(tmp_path / "x.jsonl", [{"messages": chat("a", "b"), "difficulty": "simple"} | more])
    with pytest.raises(InputError, match=rf"x\.jsonl:1: .*{said}"):
        read_samples([path], BUCKETS, "difficulty")


def test_tools_and_calls_may_be_json_and_text_may_come_in_parts(tmp_path: Path) -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    parts = [{"type": "text", "text": "look "}, {"type": "text", "text": "here", "image": None}]
    says = {"role": "assistant", "content": None, "tool_calls": json.dumps(tools)}
    row = {"messages": [{"role": "user", "content": parts}, says], "difficulty": "simple", "tools": json.dumps(tools)}
    [sample] = read_samples([write(tmp_path / "x.jsonl", [row])], BUCKETS, "difficulty")
    assert sample.tools == tools
    assert sample.messages[0]["content"] == "look here"
    assert sample.messages[1]["tool_calls"] == tools


def test_parquet_is_read_in_order_whatever_its_size(tmp_path: Path) -> None:
    lines = [{"messages": chat(str(n), "x"), "difficulty": "simple"} for n in range(2 * BATCH + 3)]
    pq.write_table(pa.Table.from_pylist(lines), tmp_path / "x.parquet", row_group_size=BATCH + 1)
    samples = read_samples([str(tmp_path / "x.parquet")], BUCKETS, "difficulty")
    assert [sample.messages[0]["content"] for sample in samples] == [str(n) for n in range(2 * BATCH + 3)]
    lines[BATCH + 4]["messages"] = []
    pq.write_table(pa.Table.from_pylist(lines), tmp_path / "x.parquet")
    with pytest.raises(InputError, match=rf"x\.parquet:{BATCH + 5}: messages"):
        read_samples([str(tmp_path / "x.parquet")], BUCKETS, "difficulty")


def test_videos_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", [{"messages": chat("a", "b"), "difficulty": "simple", "videos": ["x.mp4"]}])
    with pytest.raises(InputError, match="got videos, expected text or images"):
        read_samples([path], BUCKETS, "difficulty", vision=True)
