"""An input of many pieces and tasks, with everything that can be wrong in it, against a plain script."""

import json
from collections import defaultdict

import msgspec
import pytest
from made_up_rollouts import dump_lines, lines_of, rollout, rows_of, solved, write

from curriculum_verl.bucketing import facts, scan
from curriculum_verl.bucketing.manifest import read_bucket_manifest
from curriculum_verl.bucketing.run import bucket_rollouts
from curriculum_verl.bucketing.settings import Settings
from curriculum_verl.errors import InputError
from curriculum_verl.parallel import runner
from curriculum_verl.rollouts import lines

BAD = (b"no JSON", b'{"key": "x", "reward": []}', b'{"key": "x", "reward": [null]}')
SETTINGS = Settings(buckets=3, on_invalid="reject", on_duplicate="merge", min_responses=2, tie_break="variance")


@pytest.fixture
def small_blocks(monkeypatch):
    """Pieces, tasks and parts so small that every file has many."""
    for module in (facts, lines, scan):
        monkeypatch.setattr(module, "HASH_BLOCK", 2_000)
    monkeypatch.setattr(lines, "BLOCK", 700)
    monkeypatch.setattr(facts, "MOST_ROWS", 5)


@pytest.fixture
def files(tmp_path):
    """Rollouts with rejects, blank lines, duplicates and short ones; the same packed; dumps over two files."""
    plain = [rollout(n, [n % 7 / 7, n % 5 / 5, 1.0]) for n in range(150)]
    for place, line in ((3, BAD[0]), (60, b""), (90, BAD[1]), (148, BAD[2])):
        plain.insert(place, line)
    plain.append(rollout(999, [1.0]))
    packed = [rollout(n, solved(n % 5)) for n in (*range(200, 260), 5, 140, 205)]
    dumped = dump_lines(25, 4)
    return [
        write(tmp_path / "a.jsonl", plain),
        write(tmp_path / "b.jsonl.gz", packed),
        write(tmp_path / "c.jsonl", dumped[:60]),
        write(tmp_path / "d.parquet", dumped[60:]),
    ]


def content(path):
    if path.suffix == ".parquet":
        return list(lines.parquet_lines(path))
    with path.open("rb") as file:
        piece = lines.Piece(path, 0, path.stat().st_size)
        file.close()
        with lines.HashedFile(path, 0, piece.end) as raw:
            return list(lines.open_piece(piece, raw)[0])


def expected_of(files):
    """Every prompt with its lines and scores; every reject as (file, line)."""
    prompts, rejects = defaultdict(list), []
    for path in files:
        for number, line in enumerate(content(path), 1):
            text = line.rstrip(b"\n")
            if text in BAD:
                rejects.append((str(path), number))
            elif text:
                row = json.loads(text)
                scores = [row["score"]] if "input" in row else [reward["score"] for reward in row["reward"]]
                prompts[row.get("key", row.get("input"))].append((str(path), number, text, scores))
    for key, found in list(prompts.items()):
        if sum(len(scores) for *_, scores in found) < 2:
            rejects += [(path, number) for path, number, *_ in prompts.pop(key)]
    return prompts, rejects


def test_the_result_is_that_of_a_plain_script(tmp_path, files, small_blocks):
    with runner() as alone:
        bucket_rollouts(files, tmp_path / "out", SETTINGS, alone, report=False)
    manifest = read_bucket_manifest(tmp_path / "out")
    prompts, rejects = expected_of(files)
    found = {bucket.name: lines_of(tmp_path / "out" / bucket.files[0].path) for bucket in manifest.buckets}
    text_of = [text for found_lines in prompts.values() for _, _, text, _ in found_lines]
    assert sorted(line for own in found.values() for line in own) == sorted(text_of)
    bucket_of = {line: name for name, own in found.items() for line in own}
    means = defaultdict(list)
    for own in prompts.values():
        names = {bucket_of[text] for _, _, text, _ in own}
        assert len(names) == 1, "the lines of a prompt are together"
        scores = [score for *_, line_scores in own for score in line_scores]
        means[names.pop()].append(sum(scores) / len(scores))
    assert min(means["easy"]) >= max(means["medium"]) - 1e-9
    assert min(means["medium"]) >= max(means["hard"]) - 1e-9
    order = {name: number for number, name in enumerate(map(str, files))}
    shown = [(row["file"], row["line"]) for row in rows_of(tmp_path / "out/rejects.jsonl")]
    assert shown == sorted(rejects, key=lambda reject: (order[reject[0]], reject[1]))
    assert [(s.path, s.rejected) for s in manifest.inputs if s.rejected] == [(str(files[0]), len(rejects))]
    assert sum(bucket.prompts for bucket in manifest.buckets) == len(prompts)
    assert all(len(bucket.files[0].starts) > 5 for bucket in manifest.buckets)


def test_several_processes_make_the_same_of_it(tmp_path, files, small_blocks):
    for name, workers in (("one", 1), ("two", 2)):
        with runner(workers) as running:
            bucket_rollouts(files, tmp_path / name, SETTINGS, running, report=False)
    for path in (tmp_path / "one").glob("*.jsonl"):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name
    one, two = (msgspec.to_builtins(read_bucket_manifest(tmp_path / name)) for name in ("one", "two"))
    for source in one["inputs"] + two["inputs"]:
        del source["hash"]  # of blocks whose size is another in the workers, which know nothing of this test
    assert one == two


@pytest.mark.parametrize("place", [0, 77, 149])
def test_a_bad_line_is_told_with_its_number_in_the_file(tmp_path, small_blocks, place):
    rows = [rollout(n, solved(n % 5)) for n in range(149)]
    rows.insert(place, b"no JSON")
    path = write(tmp_path / "a.jsonl", rows)
    with runner() as alone, pytest.raises(InputError, match=rf"a\.jsonl:{place + 1}: is not JSON"):
        bucket_rollouts([path], tmp_path / "out", Settings(), alone, report=False)


def test_a_line_that_got_lost_would_be_noticed(tmp_path, files, small_blocks, monkeypatch):
    real = scan.scan

    def forgetful(task):
        found = real(task)
        found.pieces[0].lines += 1
        return found

    monkeypatch.setattr("curriculum_verl.bucketing.plan.scan", forgetful)
    with runner() as alone, pytest.raises(Exception, match="this is a mistake of the program"):
        bucket_rollouts(files, tmp_path / "out", SETTINGS, alone, report=False)
    assert not (tmp_path / "out").exists()
