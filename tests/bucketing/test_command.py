"""The bucketing command as users call it: what comes out, and what every trap of the input ends in."""

import json
import subprocess
import sys
from itertools import permutations
from pathlib import Path

import pytest
from made_up_rollouts import dump_lines, lines_of, of_every_kind, rollout, rows_of, solved, write

from curriculum_verl.bucketing.manifest import read_bucket_manifest
from curriculum_verl.difficulty import METRICS

ROOT = Path(__file__).parent.parent.parent


def mean(row):
    return sum(reward["score"] for reward in row["reward"]) / len(row["reward"])


def means(path):
    return [mean(row) for row in rows_of(path)]


def test_buckets_hold_the_bytes_of_the_input_easiest_first(tmp_path, bucketed):
    source = write(tmp_path / "rollouts" / "a.jsonl", of_every_kind())
    code, out, _ = bucketed("-i", "rollouts", "-o", "out", "-m", "mean_reward", "-n", "3")
    assert code == 0
    assert "easy is the easiest bucket" in out
    buckets = {name: lines_of(tmp_path / "out" / f"{name}.jsonl") for name in ("easy", "medium", "hard")}
    assert sorted(line for lines in buckets.values() for line in lines) == sorted(lines_of(source))
    for lines in buckets.values():
        order = [lines_of(source).index(line) for line in lines]
        assert order == sorted(order)
    assert min(means(tmp_path / "out/easy.jsonl")) > max(means(tmp_path / "out/medium.jsonl"))
    assert min(means(tmp_path / "out/medium.jsonl")) > max(means(tmp_path / "out/hard.jsonl"))
    assert (tmp_path / "out/rejects.jsonl").read_bytes() == b""
    assert {"manifest.json", "report.html", "report.png"} <= {path.name for path in (tmp_path / "out").iterdir()}


@pytest.mark.parametrize("metric", [name for name in METRICS if name not in ("variance", "learnability")])
def test_the_first_name_is_the_easiest_whatever_the_metrics_sign(tmp_path, bucketed, metric):
    write(tmp_path / "r.jsonl", [rollout(n, [n / 40, n / 50, 0.0 if n < 20 else 1.0, n / 80]) for n in range(40)])
    code, _, err = bucketed(
        "-i", "r.jsonl", "-o", "out", "-m", metric, "-n", "2", "--no-report", "--pass-threshold", 0.3
    )
    assert code == 0, err
    easy, hard = means(tmp_path / "out/easy.jsonl"), means(tmp_path / "out/hard.jsonl")
    assert sum(easy) / len(easy) > sum(hard) / len(hard)
    assert read_bucket_manifest(tmp_path / "out").metric.direction == METRICS[metric].direction


def test_thresholds_follow_the_axis_as_they_are_written(tmp_path, bucketed):
    write(tmp_path / "r.jsonl", [rollout(n, [score]) for n, score in enumerate([0.0, 0.29, 0.3, 0.5, 0.7, 1.0])])
    names = ("--bucket-names", "low", "medium", "high", "--thresholds", 0.3, 0.7)
    assert bucketed("-i", "r.jsonl", "-o", "out", *names)[0] == 0
    assert means(tmp_path / "out/low.jsonl") == [0.0, 0.29]
    assert means(tmp_path / "out/medium.jsonl") == [0.3, 0.5]
    assert means(tmp_path / "out/high.jsonl") == [0.7, 1.0]
    manifest = read_bucket_manifest(tmp_path / "out")
    assert [bucket.name for bucket in manifest.buckets] == ["high", "medium", "low"]
    assert sorted(manifest.cuts) == [(0.3,), (0.7,)]
    assert bucketed("-i", "r.jsonl", "-o", "inverse", "-m", "inverse_mean", *names)[0] == 0
    assert means(tmp_path / "inverse/low.jsonl") == [1.0]
    assert [bucket.name for bucket in read_bucket_manifest(tmp_path / "inverse").buckets] == ["low", "medium", "high"]


def test_negative_thresholds_and_default_names_follow_difficulty(tmp_path, bucketed):
    write(tmp_path / "r.jsonl", [rollout(n, [score]) for n, score in enumerate([-1.0, 0.0, 1.0])])
    assert bucketed("-i", "r.jsonl", "-o", "out", "--thresholds", -0.5, 0.7)[0] == 0
    assert means(tmp_path / "out/easy.jsonl") == [1.0]
    assert means(tmp_path / "out/hard.jsonl") == [-1.0]


def test_names_that_contradict_the_axis_are_warned_of(tmp_path, bucketed):
    write(tmp_path / "r.jsonl", [rollout(n, [score]) for n, score in enumerate([0.0, 0.5, 1.0])])
    names = ("--thresholds", 0.3, 0.7, "--bucket-names", "easy", "medium", "hard")
    _, out, _ = bucketed("-i", "r.jsonl", "-o", "out", *names)
    assert "the names follow the metric from low to high" in " ".join(out.split())


def test_an_empty_bucket_of_thresholds_is_an_error(tmp_path, bucketed):
    write(tmp_path / "r.jsonl", of_every_kind())
    code, _, err = bucketed("-i", "r.jsonl", "-o", "out", "--thresholds", 0.3, 7)
    assert code == 1
    assert "no prompt falls into easy (easy 0, medium" in err
    assert "values run from 0 to 1" in err
    assert not (tmp_path / "out").exists()


def test_fewer_values_than_buckets_are_named_as_the_metric_has_them(tmp_path, bucketed):
    write(tmp_path / "r.jsonl", [rollout(n, solved(n % 2 * 4)) for n in range(10)])
    code, _, err = bucketed("-i", "r.jsonl", "-o", "out")
    assert code == 1
    assert "got 2 distinct values" in err
    assert "-1" not in err.replace("-n", "")
    assert "--tie-break" in err


def test_a_second_metric_breaks_ties(tmp_path, bucketed):
    write(tmp_path / "s.jsonl", [rollout(n, [1.0, n / 30]) for n in range(10)])
    assert bucketed("-i", "s.jsonl", "-o", "c", "-n", 2, "-m", "max_reward")[0] == 1
    assert bucketed("-i", "s.jsonl", "-o", "c", "-n", 2, "-m", "max_reward", "--tie-break", "mean_reward")[0] == 0
    assert len(lines_of(tmp_path / "c/easy.jsonl")) == 5
    assert min(means(tmp_path / "c/easy.jsonl")) > max(means(tmp_path / "c/hard.jsonl"))
    assert read_bucket_manifest(tmp_path / "c").metric.tie_break == "mean_reward"


def test_prompts_never_and_always_solved_go_apart(tmp_path, bucketed):
    write(tmp_path / "r.jsonl", of_every_kind(50))
    assert bucketed("-i", "r.jsonl", "-o", "out", "-n", 3, "--split-degenerate")[0] == 0
    assert set(means(tmp_path / "out/never_solved.jsonl")) == {0.0}
    assert set(means(tmp_path / "out/always_solved.jsonl")) == {1.0}
    names = [bucket.name for bucket in read_bucket_manifest(tmp_path / "out").buckets]
    assert names == ["always_solved", "easy", "medium", "hard", "never_solved"]


def test_variance_warns_of_a_bucket_with_both_ends(tmp_path, bucketed):
    write(tmp_path / "r.jsonl", of_every_kind())
    names = ("--bucket-names", "consistent", "moderate", "inconsistent")
    code, out, _ = bucketed("-i", "r.jsonl", "-o", "out", "-m", "variance", "-n", 3, *names)
    assert code == 0
    assert "consistent mixes 10 prompts that are never solved with 10" in out
    assert set(means(tmp_path / "out/consistent.jsonl")) == {0.0, 1.0}


def test_all_packings_of_a_file_give_the_same_buckets(tmp_path, bucketed):
    rows = of_every_kind(30)
    results = []
    for name in ("r.jsonl", "r.jsonl.gz", "r.jsonl.zst", "r.parquet"):
        write(tmp_path / name, rows)
        assert bucketed("-i", name, "-o", f"out-{name}", "--no-report")[0] == 0
        results.append([[row["key"] for row in rows_of(tmp_path / f"out-{name}/{b}.jsonl")] for b in ("easy", "hard")])
        source = read_bucket_manifest(tmp_path / f"out-{name}").inputs[0]
        assert source.bytes == (tmp_path / name).stat().st_size
        assert source.formats == {"rollouts": 30}
    assert all(result == results[0] for result in results)
    assert lines_of(tmp_path / "out-r.jsonl.gz/easy.jsonl") == lines_of(tmp_path / "out-r.jsonl/easy.jsonl")


def test_dumps_of_verl_are_put_together_by_prompt(tmp_path, bucketed):
    source = write(tmp_path / "dump" / "1.jsonl", dump_lines(20, 4))
    code, _, err = bucketed("-i", "dump", "-o", "out", "-n", 2)
    assert code == 0, err
    manifest = read_bucket_manifest(tmp_path / "out")
    assert manifest.inputs[0].formats == {"verl dump": 80}
    assert (manifest.lines, sum(bucket.prompts for bucket in manifest.buckets)) == (80, 20)
    rows = {name: rows_of(tmp_path / f"out/{name}.jsonl") for name in ("easy", "hard")}
    assert sorted(lines_of(source)) == sorted(
        lines_of(tmp_path / "out/easy.jsonl") + lines_of(tmp_path / "out/hard.jsonl")
    )
    for name, found in rows.items():
        prompts = [row["input"] for row in found]
        assert all(prompts[n : n + 4] == [prompts[n]] * 4 for n in range(0, len(prompts), 4)), name
    scores = {name: sum(row["score"] for row in found) / len(found) for name, found in rows.items()}
    assert scores["easy"] > scores["hard"]


def test_duplicates_are_refused_pooled_or_dropped(tmp_path, bucketed):
    write(tmp_path / "a.jsonl", [rollout(n, solved(n)) for n in range(5)])
    write(tmp_path / "b.jsonl", [rollout(2, solved(4)), rollout(7, solved(1))])
    code, _, err = bucketed("-i", "a.jsonl", "b.jsonl", "-o", "out", "-n", 2)
    assert code == 1
    assert "b.jsonl:1: key 'k2' stands in an earlier line as well; ids must stand once" in err
    assert "--on-duplicate merge" in err
    assert bucketed("-i", "a.jsonl", "b.jsonl", "-o", "first", "-n", 2, "--on-duplicate", "first")[0] == 0
    [reject] = rows_of(tmp_path / "first/rejects.jsonl")
    assert (reject["file"], reject["line"], reject["reason"]) == ("b.jsonl", 1, "duplicate")
    assert bucketed("-i", "a.jsonl", "b.jsonl", "-o", "merged", "-n", 2, "--on-duplicate", "merge")[0] == 0
    keys = [row["key"] for name in ("easy", "hard") for row in rows_of(tmp_path / f"merged/{name}.jsonl")]
    assert sorted(keys) == ["k0", "k1", "k2", "k2", "k3", "k4", "k7"]
    where = keys.index("k2")
    assert keys[where + 1] == "k2"
    manifest = read_bucket_manifest(tmp_path / "merged")
    assert sum(bucket.prompts for bucket in manifest.buckets) == 6
    assert sum(bucket.mean_score * bucket.prompts for bucket in manifest.buckets) == pytest.approx(
        0 + 0.25 + 0.75 + 0.75 + 1 + 0.25
    )


GOOD = rollout(1, [1.0, 0.0])
BAD = {
    "null score": (json.dumps(rollout(9, [1.0]) | {"reward": [{"score": None}]}).encode(), "bad_score"),
    "text score": (json.dumps(rollout(9, [1.0]) | {"reward": [{"score": "1"}]}).encode(), "bad_score"),
    "NaN": (b'{"key": "x", "reward": [{"score": NaN}]}', "not_finite"),
    "infinity": (b'{"key": "x", "reward": [{"score": -Infinity}]}', "not_finite"),
    "no reward": (b'{"key": "x", "prompt": "q"}', "no_reward"),
    "null reward": (b'{"key": "x", "reward": null}', "no_reward"),
    "empty reward": (b'{"key": "x", "reward": []}', "no_responses"),
    "a list": (b"[1, 2]", "wrong_type"),
    "not JSON": (b"hello", "not_json"),
    "cut off": (json.dumps(GOOD).encode()[:-9], "not_json"),
    "not UTF-8": (b'{"key": "x", "reward": [1], "text": "\xff"}', "not_utf8"),
    "no id": (b'{"reward": [1]}', "no_id"),
    "too deep": (b'{"key": "x", "reward": [1], "deep": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "not_json"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_line_is_an_error_with_its_place_or_a_reject(tmp_path, bucketed, kind):
    line, reason = BAD[kind]
    write(tmp_path / "r.jsonl", [rollout(n, solved(n)) for n in range(4)] + [b"", line, rollout(5, solved(2))])
    code, _, err = bucketed("-i", "r.jsonl", "-o", "out", "-n", 2)
    assert code == 1
    assert "r.jsonl:6: " in err
    assert "--on-invalid reject" in err
    assert list(tmp_path.iterdir()) == [tmp_path / "r.jsonl"]
    code, out, err = bucketed("-i", "r.jsonl", "-o", "out", "-n", 2, "--on-invalid", "reject")
    assert code == 0, err
    [reject] = rows_of(tmp_path / "out/rejects.jsonl")
    assert (reject["file"], reject["line"], reject["reason"]) == ("r.jsonl", 6, reason)
    manifest = read_bucket_manifest(tmp_path / "out")
    assert (manifest.lines, manifest.blank, manifest.rejected) == (7, 1, {reason: 1})
    assert (manifest.inputs[0].lines, manifest.inputs[0].rejected) == (7, 1)
    assert reason in out


def test_bom_blank_lines_and_a_missing_last_line_end_are_no_trouble(tmp_path, bucketed):
    lines = [json.dumps(rollout(n, solved(n))).encode() for n in range(5)]
    (tmp_path / "r.jsonl").write_bytes(b"\xef\xbb\xbf" + b"\n\n".join(lines[:3]) + b"\r\n  \n" + b"\n".join(lines[3:]))
    assert bucketed("-i", "r.jsonl", "-o", "out", "-n", 2, "--no-report")[0] == 0
    found = lines_of(tmp_path / "out/easy.jsonl") + lines_of(tmp_path / "out/hard.jsonl")
    assert sorted(line.rstrip(b"\r") for line in found) == sorted(lines)


def test_a_line_of_100_megabytes_goes_through(tmp_path, bucketed):
    write(
        tmp_path / "r.jsonl",
        [rollout(1, solved(1)), rollout(2, solved(3), extra_info={"t": "x" * 100_000_000}), rollout(3, solved(0))],
    )
    assert bucketed("-i", "r.jsonl", "-o", "out", "-n", 2, "--no-report")[0] == 0
    assert (tmp_path / "out/easy.jsonl").stat().st_size > 100_000_000


@pytest.mark.parametrize("content", [b"", b"\n\n  \n"])
def test_empty_files(tmp_path, bucketed, content):
    (tmp_path / "empty.jsonl").write_bytes(content)
    write(tmp_path / "r.jsonl", of_every_kind(20))
    assert "got no rollouts at all" in bucketed("-i", "empty.jsonl", "-o", "out")[2]
    code, _, err = bucketed("-i", "r.jsonl", "empty.jsonl", "-o", "out")
    assert (code, "empty.jsonl: is empty" in err) == (1, True)
    code, out, _ = bucketed("-i", "r.jsonl", "empty.jsonl", "-o", "out", "--on-invalid", "reject")
    assert (code, "empty.jsonl: is empty" in out) == (0, True)


def test_nothing_left_says_what_was_rejected(tmp_path, bucketed):
    write(tmp_path / "r.jsonl", of_every_kind(20))
    code, _, err = bucketed("-i", "r.jsonl", "-o", "out", "--min-responses", 5)
    assert code == 1
    assert "all 20 lines were rejected (too_few_responses 20)" in err


def test_prompts_with_few_responses_are_rejected(tmp_path, bucketed):
    write(tmp_path / "r.jsonl", [*of_every_kind(20), rollout(90, [1.0])])
    assert bucketed("-i", "r.jsonl", "-o", "out", "--min-responses", 2)[0] == 0
    [reject] = rows_of(tmp_path / "out/rejects.jsonl")
    assert (reject["line"], reject["reason"]) == (21, "too_few_responses")


def test_pass_at_k_with_too_few_responses(tmp_path, bucketed):
    write(tmp_path / "r.jsonl", [*of_every_kind(20), rollout(90, [1.0])])
    code, _, err = bucketed("-i", "r.jsonl", "-o", "out", "-m", "pass_at_k", "--k", 3, "-n", 2)
    assert code == 1
    assert "r.jsonl:21: pass_at_k: got k=3 with 1 responses" in err
    assert (
        bucketed("-i", "r.jsonl", "-o", "out", "-m", "pass_at_k", "--k", 3, "-n", 2, "--on-invalid", "reject")[0] == 0
    )
    assert rows_of(tmp_path / "out/rejects.jsonl")[0]["reason"] == "metric"


OWN_METRICS = """
def spread(scores, settings):
    return max(scores) - min(scores)

def broken(scores, settings):
    return 1 / 0

spread.direction = broken.direction = "low_is_easy"
"""


def test_a_metric_of_ones_own(tmp_path, bucketed, user_module):
    user_module("mine", OWN_METRICS)
    write(tmp_path / "r.jsonl", [rollout(n, [0.0, n / 10]) for n in range(10)])
    assert bucketed("-i", "r.jsonl", "-o", "out", "-m", "mine:spread", "-n", 2)[0] == 0
    assert max(means(tmp_path / "out/easy.jsonl")) < min(means(tmp_path / "out/hard.jsonl"))
    code, _, err = bucketed("-i", "r.jsonl", "-o", "out2", "-m", "mine:broken", "-n", 2)
    assert code == 1
    assert "r.jsonl:1: mine:broken: raised ZeroDivisionError: division by zero" in err


def test_fields_of_other_names(tmp_path, bucketed):
    rows = [{"meta": {"uid": n}, "question": "q", "scores": [{"value": n / 10}]} for n in range(10)]
    write(tmp_path / "r.jsonl", rows)
    fields = ("--fields", "id=meta.uid", "reward=scores", "score=value", "prompt=question")
    assert bucketed("-i", "r.jsonl", "-o", "out", "-n", 2, *fields)[0] == 0
    assert len(rows_of(tmp_path / "out/easy.jsonl")) == 5
    assert read_bucket_manifest(tmp_path / "out").fields["id"] == ("meta.uid",)
    assert "unknown role 'rewrad'" in bucketed("-i", "r.jsonl", "-o", "o2", "--fields", "rewrad=scores")[2]


def test_the_output_folder_is_not_taken_from_anybody(tmp_path, bucketed):
    write(tmp_path / "r.jsonl", of_every_kind())
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    code, _, err = bucketed("-i", "r.jsonl", "-o", "out")
    assert (code, "out: holds notes.txt; expected a new or empty folder" in err) == (1, True)
    assert bucketed("-i", "r.jsonl", "-o", "out", "--overwrite", "-n", 5)[0] == 0
    assert bucketed("-i", "r.jsonl", "-o", "out", "--overwrite", "-n", 2)[0] == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        "notes.txt",
        "easy.jsonl",
        "hard.jsonl",
        "rejects.jsonl",
        "manifest.json",
        "report.html",
        "report.png",
    }
    assert "is the folder of the input" in bucketed("-i", "r.jsonl", "-o", ".", "--overwrite")[2]
    assert "r.jsonl: is a file, expected a folder" in bucketed("-i", "r.jsonl", "-o", "r.jsonl")[2]


def test_a_prefix_stands_before_the_files_not_the_names(tmp_path, bucketed):
    write(tmp_path / "r.jsonl", of_every_kind())
    assert bucketed("-i", "r.jsonl", "-o", "out", "--prefix", "math", "--no-report")[0] == 0
    assert (tmp_path / "out/math_easy.jsonl").is_file()
    manifest = read_bucket_manifest(tmp_path / "out")
    assert (manifest.buckets[0].name, manifest.buckets[0].files[0].path) == ("easy", "math_easy.jsonl")


def test_a_dry_run_writes_nothing(tmp_path, bucketed):
    write(tmp_path / "r.jsonl", of_every_kind())
    code, out, _ = bucketed("-i", "r.jsonl", "-o", "out", "--dry-run")
    assert (code, "nothing was written" in out) == (0, True)
    assert [path.name for path in tmp_path.iterdir()] == ["r.jsonl"]


def test_all_wrong_arguments_at_once(tmp_path, bucketed):
    write(tmp_path / "r.jsonl", of_every_kind())
    wrong = ("-m", "mean", "--k", 0, "--thresholds", 0.7, 0.3, "--bucket-names", "a", "a/b", "manifest", "-n", 2)
    code, _, err = bucketed("-i", "r.jsonl", "-o", "out", *wrong)
    assert code == 1
    assert "arguments: 6 problems" in err


def test_the_hash_of_ids_is_that_of_the_prompts_in_order(tmp_path, bucketed):
    rows = of_every_kind(12)
    hashes = set()
    for number, order in enumerate([rows, rows[::-1], rows]):
        write(tmp_path / f"{number}.jsonl", order)
        assert bucketed("-i", f"{number}.jsonl", "-o", f"out{number}", "-n", 2, "--no-report")[0] == 0
        hashes.add(read_bucket_manifest(tmp_path / f"out{number}").ids_hash)
    assert len(hashes) == 2


@pytest.mark.parametrize("order", list(permutations(range(3)))[:3])
def test_several_processes_give_the_same_files(tmp_path, bucketed, monkeypatch, order):
    names = ["a.jsonl", "b.jsonl.gz", "c.jsonl"]
    write(tmp_path / names[0], of_every_kind(200))
    write(tmp_path / names[1], [rollout(n, solved(n % 5)) for n in range(1000, 1100)])
    write(tmp_path / names[2], dump_lines(20, 4, steps=2))
    files = [names[number] for number in order]
    assert bucketed("-i", *files, "-o", "one", "-n", 4, "--no-report")[0] == 0
    assert bucketed("-i", *files, "-o", "two", "-n", 4, "--no-report", "--workers", 2)[0] == 0
    for path in (tmp_path / "one").iterdir():
        if path.name != "manifest.json":
            assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
    one, two = (read_bucket_manifest(tmp_path / name) for name in ("one", "two"))
    assert one == two


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path):
    write(tmp_path / "in" / "r.jsonl", of_every_kind(3000))
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "none", str(small)], capture_output=True)
    if mounted.returncode:
        pytest.skip("needs the right to mount a small file system")
    try:
        done = script("-i", tmp_path / "in", "-o", small / "out", "--no-report")
        assert done.returncode == 1
        assert "No space left on device" in done.stderr
        assert "Traceback" not in done.stderr
        assert list(small.iterdir()) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


def script(*arguments: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(ROOT / "bucketing/bucket_rollouts_by_difficulty.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


SPOILING = """
def sorting(scores, settings):
    scores.sort()
    return 0.0

def leaving(scores, settings):
    raise SystemExit(0)

def huge(scores, settings):
    return 1.7e308

class Mute(Exception):
    def __str__(self):
        raise RuntimeError

def mute(scores, settings):
    raise Mute

def half(scores, settings):
    raise ValueError("\\\\ud800")

for metric in (sorting, leaving, huge, mute, half):
    metric.direction = "low_is_easy"
"""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sorting", "raised AttributeError: 'tuple' object has no attribute 'sort'"),
        ("leaving", "raised SystemExit: 0"),
        ("huge", "gave 1.7e+308, expected a finite number of at most 1e+150"),
        ("mute", "raised Mute: (an error that cannot be shown)"),
        ("half", "raised ValueError: \\ud800"),
    ],
)
def test_a_metric_that_misbehaves_is_told_of_and_changes_nothing(tmp_path, bucketed, user_module, name, message):
    user_module("spoiling", SPOILING)
    write(tmp_path / "r.jsonl", of_every_kind(20))
    code, _, err = bucketed("-i", "r.jsonl", "-o", "out", "-m", f"spoiling:{name}", "-n", 2)
    assert (code, f"r.jsonl:1: spoiling:{name}: {message}" in err) == (1, True), err
    code, _, err = bucketed("-i", "r.jsonl", "-o", "out", "-m", f"spoiling:{name}", "--on-invalid", "reject")
    assert (code, "all 20 lines were rejected (metric 20)" in err) == (1, True), err


def test_a_module_that_leaves_when_it_is_imported(tmp_path, bucketed, user_module):
    user_module("leaving_at_once", "raise SystemExit(0)")
    write(tmp_path / "r.jsonl", of_every_kind(20))
    code, _, err = bucketed("-i", "r.jsonl", "-o", "out", "-m", "leaving_at_once:metric")
    assert (code, "cannot be imported (SystemExit: 0)" in err) == (1, True)


def test_overwrite_removes_the_report_of_the_run_before_and_spares_training_data(tmp_path, bucketed):
    write(tmp_path / "r.jsonl", of_every_kind())
    assert bucketed("-i", "r.jsonl", "-o", "out")[0] == 0
    assert bucketed("-i", "r.jsonl", "-o", "out", "--overwrite", "--no-report", "-n", 2)[0] == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"easy.jsonl", "hard.jsonl", "manifest.json", "rejects.jsonl"}
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "manifest.json").write_text('{"kind": "data", "version": 1}')
    code, _, err = bucketed("-i", "r.jsonl", "-o", "data", "--overwrite")
    assert (code, "holds data for training" in err) == (1, True)


def test_nothing_is_removed_where_something_stands_in_the_way(tmp_path, bucketed):
    write(tmp_path / "r.jsonl", of_every_kind())
    assert bucketed("-i", "r.jsonl", "-o", "out", "-n", 2, "--no-report")[0] == 0
    (tmp_path / "out" / "medium.jsonl").mkdir()
    code, _, err = bucketed("-i", "r.jsonl", "-o", "out", "--overwrite", "--no-report")
    assert (code, "holds a folder named medium.jsonl" in err) == (1, True)
    assert len(read_bucket_manifest(tmp_path / "out").buckets) == 2
    (tmp_path / ".new.partial").mkdir()
    (tmp_path / ".new.partial" / "precious").write_text("mine")
    code, _, err = bucketed("-i", "r.jsonl", "-o", "new")
    assert (code, "holds files that no run of ours left there" in err) == (1, True)
    assert (tmp_path / ".new.partial" / "precious").read_text() == "mine"


def test_an_argument_that_is_no_text_is_refused(tmp_path, bucketed):
    code, _, err = bucketed("-i", "r.jsonl", "-o", "out", "--prefix", "a\udcff")
    assert (code, "expected text in UTF-8" in err) == (1, True)


def test_of_the_id_fields_only_the_first_that_counts_is_looked_at(tmp_path, bucketed):
    rows = [{"id": n, "key": {"any": 1}, "num": True, "reward": [n / 20]} for n in range(20)]
    write(tmp_path / "r.jsonl", rows)
    assert bucketed("-i", "r.jsonl", "-o", "out", "-n", 2, "--no-report")[0] == 0
    code, _, err = bucketed("-i", "r.jsonl", "-o", "o2", "--fields", "id=typo")
    assert (code, "r.jsonl:1: got no id in typo" in err) == (1, True)


def test_the_first_usable_line_of_an_id_is_kept(tmp_path, bucketed):
    write(
        tmp_path / "r.jsonl", [rollout(0, [1.0]), rollout(0, [1.0, 0.0]), *(rollout(n, solved(n)) for n in range(1, 5))]
    )
    flags = ("--on-duplicate", "first", "--min-responses", 2, "-n", 2, "--no-report")
    assert bucketed("-i", "r.jsonl", "-o", "out", *flags)[0] == 0
    assert [row["reason"] for row in rows_of(tmp_path / "out/rejects.jsonl")] == ["too_few_responses"]


def test_only_a_metric_that_cannot_tell_the_ends_apart_is_warned_of(tmp_path, bucketed):
    write(tmp_path / "r.jsonl", [rollout(n, [n / 100]) for n in range(100)])
    assert "mixes" not in bucketed("-i", "r.jsonl", "-o", "out")[1]
    write(
        tmp_path / "s.jsonl",
        [rollout(n, solved(4)) for n in range(80)] + [rollout(n, [1.0, n / 200]) for n in range(80, 100)],
    )
    assert "holds" not in bucketed("-i", "s.jsonl", "-o", "o2", "-n", 2, "--split-degenerate", "-m", "mean_reward")[1]
