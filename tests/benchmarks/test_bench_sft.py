import json

import pytest

pytest.importorskip("torch")


def test_both_train_and_the_figures_are_written(load, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # which it sets, and which is put back here
    path = tmp_path / "out.json"
    sizes = ["--hidden", "32", "--words", "4", "--steps", "12", "--rounds", "2", "--batch", "4"]
    bench = load("bench_sft")
    assert bench.main([*sizes, "--json", str(path)]) == 0
    found = json.loads(path.read_text())
    assert found.keys() == {bench.PLAIN, bench.OURS}
    assert all(len(times) == 2 and min(times) > 0 for times in found.values())
    printed = capsys.readouterr().out
    assert "| a step with a curriculum, longer by | <= 3.00 % |" in printed
    assert "train_runtime" not in printed


def test_both_have_the_same_work(load, tmp_path):
    """Chats of one length, and more than a run needs, so that no epoch ends with a small batch."""
    bench = load("bench_sft")
    arguments = bench.build_parser().parse_args(["--steps", "20", "--batch", "7", "--hidden", "8", "--words", "50"])
    bench.prepare(tmp_path, arguments)
    chats = [json.loads(line)["messages"] for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    assert len(chats) >= 20 * 7
    tokenizer = pytest.importorskip("transformers").AutoTokenizer.from_pretrained(tmp_path / "model")
    assert len({len(tokenizer.apply_chat_template(chat)["input_ids"]) for chat in chats}) == 1
    assert len({chat[1]["content"] for chat in chats}) == len(chats)


@pytest.mark.parametrize(
    ("longer", "verdict"),
    [
        ([0.01, 0.02, 0.0, 0.5], "| met |"),
        ([0.1, 0.2, 0.05, 0.0], "| **NOT MET** |"),
        ([0.1, -0.2, 0.04, 0.0], "| not decided: the middle half of the rounds lies between 0 and 4.00 % |"),
    ],
)
def test_the_goal_is_judged_only_where_the_rounds_agree(load, longer, verdict):
    bench, report = load("bench_sft"), load("report")
    goal = bench.goal({bench.PLAIN: [1.0] * 4, bench.OURS: [1 + share for share in longer]})
    assert verdict in report.render_goals([goal])
