"""Simulation: the engine itself against a log or a learner, and what is told about it."""

import json
from pathlib import Path

import numpy as np
import pytest

from curriculum_verl import cli
from curriculum_verl.curriculum import load_config
from curriculum_verl.errors import InputError
from curriculum_verl.simulation.chart import draw_trace
from curriculum_verl.simulation.logs import read_log
from curriculum_verl.simulation.report import comparison, report, table, timeline, tokens_to
from curriculum_verl.simulation.run import Settings, Trace, simulate
from curriculum_verl.simulation.worlds import Learner, invented_learner, learner_from_log

EXAMPLES = Path(__file__).parent.parent / "examples"
BUCKETS = {"easy": 100, "medium": 100, "hard": 100}


def write_rollouts(path: Path, scores: list[list[float]], characters: int = 40) -> Path:
    lines = [
        {
            "prompt": f"p{i}",
            "reward": [{"score": s} for s in row],
            "response": {"choices": ["x" * characters] * len(row)},
        }
        for i, row in enumerate(scores)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def bucketed(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    write_rollouts(folder / "hard.jsonl", [[0, 0, 0, 1.0]] * 20, characters=400)
    write_rollouts(folder / "easy.jsonl", [[1, 1, 1, 0.0]] * 30)
    write_rollouts(folder / "medium.jsonl", [[1, 0, 1, 0.0]] * 25)
    return folder


def test_a_learner_practises_transfers_and_forgets() -> None:
    learner = invented_learner(BUCKETS, seed=0)
    before = learner.pass_rates()
    prompts = np.arange(100, 200)  # medium only
    for _ in range(40):
        learner.learn(prompts, learner.respond(prompts, 8, np.random.default_rng(0)))
    practised = learner.pass_rates()
    assert practised[1] > before[1] + 0.2
    assert practised[0] > before[0], "neighbours gain too"
    assert practised[1] - before[1] > practised[2] - before[2]
    easy = np.arange(100)
    for _ in range(200):
        learner.learn(easy, np.ones((100, 8)))  # no signal: nothing is learned, medium is not replayed
    assert before[1] < learner.pass_rates()[1] < practised[1] - 0.05


def test_a_batch_without_variance_teaches_nothing() -> None:
    learner = invented_learner(BUCKETS, seed=0)
    before = learner.ability.copy()
    learner.learn(np.arange(300), np.ones((300, 8)))
    assert (learner.ability == before).all()


def test_bucket_files_are_the_buckets_easiest_first_whatever_the_order(tmp_path: Path) -> None:
    log = read_log([bucketed(tmp_path)], ["hard", "easy", "medium"], 0.5)
    assert log.index.names == ("easy", "medium", "hard")
    assert log.index.sizes.tolist() == [30, 25, 20]
    assert log.pass_rates().tolist() == [0.75, 0.5, 0.25]
    assert log.tokens.tolist() == [10.0, 10.0, 100.0]


def test_raw_rollouts_are_cut_by_mean_score_with_equal_scores_in_one_bucket(tmp_path: Path) -> None:
    scores = [[k / 4, k / 4] for k in (4, 4, 4, 0, 0, 2, 2, 1)]
    log = read_log([write_rollouts(tmp_path / "all.jsonl", scores)], ["easy", "medium", "hard"], 0.5)
    assert log.index.sizes.tolist() == [3, 2, 3]
    assert log.pass_rates().tolist() == [1.0, 1.0, 0.0]


def test_a_logged_prompt_answers_with_its_own_scores(tmp_path: Path) -> None:
    log = read_log([bucketed(tmp_path)], list(BUCKETS), 0.5)
    scores = log.respond(np.repeat([0, 74], 500), 8, np.random.default_rng(0))
    assert scores[:500].mean() == pytest.approx(0.75, abs=0.03)
    assert scores[500:].mean() == pytest.approx(0.25, abs=0.03)


def test_a_learner_starts_where_the_log_stands(tmp_path: Path) -> None:
    log = read_log([bucketed(tmp_path)], list(BUCKETS), 0.5)
    assert learner_from_log(log).pass_rates() == pytest.approx([0.75, 0.5, 0.25], abs=1e-6)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "got no prompts"),
        ('{"prompt": "a", "reward": []}\n', "all.jsonl:1: not a rollout: got an empty list of rewards"),
        (
            '{"id": 1, "prompt": "a", "reward": [1]}\n\n{"id": 2, "prompt": "b", "reward": [null]}\n',
            "all.jsonl:3: not a rollout",
        ),
        ('{"reward": [{"score": NaN}]}\n', "all.jsonl:1: not a rollout"),
        ('{"reward": [{"score": 1}', "all.jsonl:1: not a rollout"),
    ],
)
def test_rollouts_that_cannot_be_used_are_named_with_their_line(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "all.jsonl").write_text(content)
    with pytest.raises(InputError, match=message):
        read_log([tmp_path], ["easy", "hard"], 0.5)


def test_a_folder_without_rollouts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="got no rollouts"):
        read_log([tmp_path], ["easy"], 0.5)


def example_trace(world: Learner, **changes: object) -> Trace:
    config = load_config(EXAMPLES / "three_stages.yaml", list(BUCKETS))
    return simulate(config, world, Settings(**({"steps": 120} | changes)))  # type: ignore[arg-type]


def test_the_three_stage_example_earns_both_advances_and_its_batches_match_the_mix() -> None:
    trace = example_trace(invented_learner(BUCKETS, seed=0))
    assert [t.kind for t in trace.transitions] == ["advance", "advance"]
    switch = trace.transitions[0].step
    assert trace.prompts[switch - 1].tolist() == [64, 0, 0]
    assert np.abs(trace.prompts[switch] - [25.6, 38.4, 0]).max() < 1
    assert (trace.prompts.sum(axis=1) == 64).all()
    assert (trace.tokens == trace.prompts * 8 * 256).all()
    assert trace.pass_rates[-1, 1] > trace.pass_rates[0, 1] + 0.3


def test_a_simulation_is_deterministic_in_its_seed() -> None:
    runs = [example_trace(invented_learner(BUCKETS, seed=0), seed=seed) for seed in (1, 1, 2)]
    assert (runs[0].pass_rates == runs[1].pass_rates).all()
    assert (runs[0].success != runs[2].success).any()


def test_a_rollback_of_weights_takes_back_what_was_learned() -> None:
    block = {
        "stages": [
            {"name": "one", "mix": {"easy": 1.0}, "exit": {"metric": "stage/steps", "at_least": 12}},
            {"name": "two", "mix": {"hard": 1.0}},
        ],
        "rollback": {"threshold": -0.2, "restore": "weights", "cooldown": 1000},
    }
    trace = simulate(load_config(block), invented_learner(BUCKETS, seed=0), Settings(steps=20))
    assert [(t.kind, t.step) for t in trace.transitions] == [("advance", 12), ("rollback", 20)]
    assert (trace.pass_rates[12] != trace.pass_rates[20]).any()
    trace = simulate(load_config(block), invented_learner(BUCKETS, seed=0), Settings(steps=21))
    world = invented_learner(BUCKETS, seed=0)
    simulate(load_config(block), world, Settings(steps=20))
    assert world.pass_rates() == pytest.approx(trace.pass_rates[12]), "after the rollback: as at the advance"


def test_the_timeline_names_every_stretch_and_what_ended_it() -> None:
    trace = example_trace(invented_learner(BUCKETS, seed=0))
    lines = timeline(trace, "learn_goal").splitlines()[2:]
    assert [line.split()[0] for line in lines] == ["learn_goal", "learn_coherence", "everything"]
    assert "advance: train/success_rate over 20 above 0.85" in lines[0]
    assert "the simulation ended" in lines[2]


def test_alerts_are_reported_with_their_steps(tmp_path: Path) -> None:
    alerts = [
        {"name": "stuck", "metric": "stage/steps", "at_least": 5, "repeat": 10},
        {"name": "easy fails", "metric": "train/easy/success_rate", "below": 0.1},
    ]
    config = load_config({"stages": [{"name": "a", "mix": {"easy": 1.0}}], "alerts": alerts})
    trace = simulate(config, invented_learner(BUCKETS, seed=0), Settings(steps=20))
    assert [(step, alert.name) for step, alert in trace.alerts] == [(5, "stuck"), (15, "stuck")]
    text = report(trace, config, Settings(steps=20))
    assert "alert stuck at step 15: stage/steps at_least 5 (15)" in text
    draw_trace(trace, "alerts", tmp_path / "chart.png")
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")


def test_tokens_to_a_target_count_what_was_spent_before_it() -> None:
    trace = example_trace(invented_learner(BUCKETS, seed=0))
    mean = trace.pass_rates.mean(axis=1)
    first = int(np.argmax(mean >= 0.5))
    assert tokens_to(trace, 0.5) == trace.tokens[:first].sum()
    assert tokens_to(trace, 1.1) is None
    assert "not reached" in comparison({"a": trace, "b": trace})


def test_a_table_lines_up() -> None:
    assert table([["a", "n"], ["long", 1], ["b", 100]]).splitlines() == [
        "a       n",
        "---------",
        "long    1",
        "b     100",
    ]


def test_simulate_prints_the_story_and_draws_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chart = tmp_path / "chart.png"
    recipe = str(EXAMPLES / "three_stages.yaml")
    assert (
        cli.main(
            ["simulate", recipe, "--rollouts", str(bucketed(tmp_path / "b")), "--steps", "30", "--chart", str(chart)]
        )
        == 0
    )
    out = capsys.readouterr().out
    assert "as they are: nothing is learned" in out
    assert "learn_goal" in out
    assert "30 steps of 64 prompts x 8 responses" in out
    assert chart.read_bytes().startswith(b"\x89PNG")
    assert len(chart.read_bytes()) > 20_000


def test_compare_puts_recipes_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipes = [str(EXAMPLES / name) for name in ("three_stages.yaml", "posterior.yaml")]
    chart = tmp_path / "chart.png"
    assert cli.main(["simulate", "--compare", *recipes, "--steps", "30", "--chart", str(chart)]) == 0
    out = capsys.readouterr().out
    assert all(recipe in out.split("side by side")[1] for recipe in recipes)
    assert "tokens to a mean of 0.5" in out
    assert chart.exists()


def test_no_chart_writes_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["simulate", str(EXAMPLES / "uniform.yaml"), "--steps", "3", "--no-chart"]) == 0
    assert list(tmp_path.iterdir()) == []


def test_recipes_over_different_data_are_not_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipes = []
    for number in (1, 2):
        manifest, recipe = tmp_path / f"m{number}.json", tmp_path / f"r{number}.yaml"
        manifest.write_text(
            json.dumps({"version": 1, "ids_hash": f"{number}", "buckets": [{"name": "easy", "prompts": 9}]})
        )
        recipe.write_text(f"curriculum:\n  data: {manifest}\n  stages: [{{name: a, mix: {{easy: 1.0}}}}]\n")
        recipes.append(str(recipe))
    compare = ["simulate", "--compare", *recipes, "--steps", "2", "--no-chart"]
    assert cli.main(compare) == 1
    assert "got recipes with different data" in capsys.readouterr().err
    assert cli.main([*compare, "--buckets", "easy"]) == 0
