"""Benchmarks of pages, verifiers and packing: each runs in its smallest form, and its table has every line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def test_the_monitor_opens_refreshes_and_finds_a_response(load, tmp_path, capsys, monkeypatch):
    pytest.importorskip("gradio")
    bench = load("bench_monitor")
    monkeypatch.setattr(bench, "PROMPTS", 8)
    path = tmp_path / "out.json"
    metrics = str(len(bench.NAMES))
    assert bench.main(["--steps", "20", "--metrics", metrics, "--rounds", "2", "--json", str(path)]) == 0
    found = json.loads(path.read_text())
    assert all(len(told["seconds"]) == 2 and min(told["seconds"]) > 0 for told in found.values())
    assert {f"{bench.REFRESH} {tab}" for tab in bench.TABS} < found.keys()
    assert all(min(found[f"{bench.REFRESH} {tab}"]["sent"]) > 0 for tab in bench.TABS)
    printed = capsys.readouterr().out
    assert all(f"\n| {name} |" in printed for name in found)
    assert f" of {len(bench.TABS) + 2} met\n" in printed


def test_an_edit_of_a_recipe_is_timed(tmp_path):
    pytest.importorskip("gradio")
    path = tmp_path / "out.json"
    # A process of its own, as gradio leaves an event loop open.
    command = [sys.executable, HERE / "bench_tuning.py", "--steps", "200", "--rounds", "1", "--json", path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(path.read_text())
    assert {one["recipe"] for one in found} >= {"examples/three_stages.yaml", "recipes/grpo_curriculum/adarft.yaml"}
    assert all(0 < one["answer"][0] < one["seconds"][0] for one in found)
    assert "\n| an edit at 200 steps | <= 1.00 s | " in done.stdout


def test_verifiers_score_new_responses_of_each_length(load, tmp_path, capsys):
    bench = load("bench_verifiers")
    path = tmp_path / "out.json"
    assert bench.main(["--only", "exact", "--seconds", "0.001", "--rounds", "1", "--json", str(path)]) == 0
    assert [(one["verifier"], one["tokens"]) for one in json.loads(path.read_text())] == [
        ("exact", 200),
        ("exact", 4000),
    ]
    assert "\n| exact | " in capsys.readouterr().out
    texts = {bench.response_of(200, "<answer>4</answer>", turn) for turn in range(3)}
    assert len(texts) == 3
    assert all(len(text) == pytest.approx(800, abs=2) and text.endswith("4</answer>") for text in texts)


def test_a_verifier_that_cannot_run_here_is_left_out_and_the_others_are_measured(load, capsys, monkeypatch):
    from curriculum_verl.rewards.sandbox import local

    monkeypatch.setattr(local, "why_not", lambda namespaces: "no namespaces")
    only = ["--only", "exact", "code, 1 test", "--seconds", "0.001", "--rounds", "1"]
    assert load("bench_verifiers").main(only) == 0
    printed = capsys.readouterr().out
    assert "\n| exact | " in printed
    assert "| code, 1 test" not in printed
    assert "\n- code, 1 test: left out, " in printed
    assert "this machine cannot shut untrusted code in with namespaces (no namespaces)" in printed


@pytest.mark.parametrize("name", ["bench_packing", "bench_sft"])
def test_what_wants_a_gpu_says_that_there_is_none(load, monkeypatch, name):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match=r"--device cuda: torch .* finds none, expected an NVIDIA GPU here"):
        load(name).main(["--device", "cuda"])


def test_padded_and_packed_take_the_same_batches(load, tmp_path, capsys, monkeypatch):
    pytest.importorskip("torch")
    bench = load("bench_packing")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # which it sets, and which is put back here
    monkeypatch.setattr(bench, "LENGTHS", {"mixed": (4, 32, 1)})
    path = tmp_path / "out.json"
    assert bench.main(["--batch", "3", "--rounds", "2", "--json", str(path)]) == 0
    found = json.loads(path.read_text())["mixed"]
    assert all(len(found[kind]["speed"]) == 2 for kind in (bench.PADDED, bench.PACKED))
    assert max(found[bench.PADDED]["padding"]) > 0
    assert found[bench.PACKED]["padding"] == [0, 0]
    assert "\n| mixed | " in capsys.readouterr().out
