"""Good inputs spoiled: bytes taken out, replaced and put in, mostly fragments that parsers look for."""

from hypothesis import strategies as st

Edit = tuple[float, int, bytes]  # where, as a share of the whole; how many bytes go; what comes

FRAGMENTS = st.sampled_from([
    b"", b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\n", b"\r\n", b" ",
    b"\t", b"null", b"true", b"-1", b"0", b"1.5", b"1e999", b"-0.0", b"NaN", b"9" * 400, b"\xef\xbb\xbf", b"\xff",
    b"\x00", b"\\ud800", b"\xed\xa0\x80", b"''", b"[]", b"{}",
    b"&a ", b"*a", b"!!python/name:os.abort ", b"<<: ", b"- ", b"? ", b"# ", b"---\n", b"|\n",
    b"2024-13-13", b"0x", b"1_0", b"~", b"<tool_call>", b"</tool_call>", b"<answer>",
    b"ZOOM_IN(", b")", b"\xe2\x80\xa8",
])  # fmt: skip
EDITS = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 12), FRAGMENTS | st.binary(max_size=4)), min_size=1, max_size=4
)


def spoiled(good: bytes, edits: list[Edit]) -> bytes:
    for where, gone, put in edits:
        at = int(where * len(good))
        good = good[:at] + put + good[at + gone :]
    return good
