import json

import pytest

pytest.importorskip("torch")


def test_both_train_and_the_figures_are_written(load, tmp_path, capsys):
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
