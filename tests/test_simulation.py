"""Simulation: the engine itself against a log or a learner, and what is told about it."""

import dataclasses
import gzip
import json
import re
from pathlib import Path

import numpy as np
import pytest
from made_up_traces import eventful, two_bucket_config, uneventful
from matplotlib.colors import to_hex
from matplotlib.image import imread
from numpy.typing import NDArray

from curriculum_verl import cli, simulation
from curriculum_verl.commands.recipe_run import run_of
from curriculum_verl.curriculum import load_config
from curriculum_verl.errors import InputError
from curriculum_verl.simulation.logs import read_log
from curriculum_verl.simulation.prompts import Prompts
from curriculum_verl.simulation.report import report, table, timeline, tokens_to
from curriculum_verl.simulation.run import RunSettings, Trace, simulate
from curriculum_verl.simulation.setup import Setup
from curriculum_verl.simulation.trace_picture import draw_trace, picture_of
from curriculum_verl.simulation.worlds import Answers, Learner, invented_learner, learner_from_log

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
        learner.learn(prompts, learner.respond(prompts, np.full(100, 8), np.random.default_rng(0)).pass_rates)
    practised = learner.pass_rates()
    assert practised[1] > before[1] + 0.2
    assert practised[0] > before[0], "neighbours gain too"
    assert practised[1] - before[1] > practised[2] - before[2]
    easy = np.arange(100)
    for _ in range(200):
        learner.learn(easy, np.ones(100))  # no signal: nothing is learned, medium is not replayed
    assert before[1] < learner.pass_rates()[1] < practised[1] - 0.05


def test_a_batch_without_variance_teaches_nothing() -> None:
    learner = invented_learner(BUCKETS, seed=0)
    before = learner.ability.copy()
    learner.learn(np.arange(300), np.ones(300))
    assert (learner.ability == before).all()


def test_bucket_files_are_the_buckets_easiest_first_whatever_the_order(tmp_path: Path) -> None:
    log = read_log([bucketed(tmp_path)], ["hard", "easy", "medium"]).world(0.5)
    assert log.index.names == ("easy", "medium", "hard")
    assert log.index.sizes.tolist() == [30, 25, 20]
    assert log.pass_rates().tolist() == [0.75, 0.5, 0.25]
    assert log.tokens.tolist() == [10.0, 10.0, 100.0]


def test_raw_rollouts_are_cut_by_mean_score_with_equal_scores_in_one_bucket(tmp_path: Path) -> None:
    scores = [[k / 4, k / 4] for k in (4, 4, 4, 0, 0, 2, 2, 1)]
    log = read_log([write_rollouts(tmp_path / "all.jsonl", scores)], ["easy", "medium", "hard"]).world(0.5)
    assert log.index.sizes.tolist() == [3, 2, 3]
    assert log.pass_rates().tolist() == [1.0, 1.0, 0.0]


def test_a_logged_prompt_answers_with_its_own_scores(tmp_path: Path) -> None:
    log = read_log([bucketed(tmp_path)], list(BUCKETS)).world(0.5)
    answers = log.respond(np.array([0, 74]), np.array([4000, 2000]), np.random.default_rng(0))
    assert answers.pass_rates == pytest.approx([0.75, 0.25], abs=0.03)
    assert answers.scores[:4000].mean() == pytest.approx(0.75, abs=0.03)
    assert len(answers.scores) == 6000


def test_a_learner_starts_where_the_log_stands(tmp_path: Path) -> None:
    log = read_log([bucketed(tmp_path)], list(BUCKETS)).world(0.5)
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
        read_log([tmp_path], ["easy", "hard"])


def test_a_folder_without_rollouts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="got no rollouts"):
        read_log([tmp_path], ["easy"])


def example_trace(world: Learner, **changes: object) -> Trace:
    config = load_config(EXAMPLES / "three_stages.yaml", list(BUCKETS))
    return simulate(config, world, RunSettings(**({"steps": 120} | changes)))  # type: ignore[arg-type]


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
    trace = simulate(load_config(block), invented_learner(BUCKETS, seed=0), RunSettings(steps=20))
    assert [(t.kind, t.step) for t in trace.transitions] == [("advance", 12), ("rollback", 20)]
    assert (trace.pass_rates[12] != trace.pass_rates[20]).any()
    trace = simulate(load_config(block), invented_learner(BUCKETS, seed=0), RunSettings(steps=21))
    world = invented_learner(BUCKETS, seed=0)
    simulate(load_config(block), world, RunSettings(steps=20))
    assert world.pass_rates() == pytest.approx(trace.pass_rates[12]), "after the rollback: as at the advance"


def test_the_timeline_names_every_stretch_and_what_ended_it() -> None:
    trace = example_trace(invented_learner(BUCKETS, seed=0))
    lines = timeline(trace, "learn_goal").splitlines()[2:]
    assert [line.split()[0] for line in lines] == ["learn_goal", "learn_coherence", "everything"]
    assert "advance: train/success_rate over 20 above 0.85" in lines[0]
    assert "the simulation ended" in lines[2]


def test_tokens_to_a_target_count_what_was_spent_before_it() -> None:
    trace = example_trace(invented_learner(BUCKETS, seed=0))
    mean = trace.pass_rates.mean(axis=1)
    first = int(np.argmax(mean >= 0.5))
    assert tokens_to(trace, 0.5) == trace.tokens[:first].sum()
    assert tokens_to(trace, 1.1) is None


def test_a_table_lines_up() -> None:
    assert table([["a", "n"], ["long", 1], ["b", 100]]).splitlines() == [
        "a       n",
        "---------",
        "long    1",
        "b     100",
    ]


def test_no_chart_writes_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["simulate", str(EXAMPLES / "uniform.yaml"), "--steps", "3", "--no-chart"]) == 0
    assert list(tmp_path.iterdir()) == []


# Scores of any scale


def scaled(folder: Path, failing: float, passing: float) -> Path:
    """Easy prompts pass in three of four, hard ones in one of four."""
    folder.mkdir(exist_ok=True)
    write_rollouts(folder / "easy.jsonl", [[passing] * 3 + [failing]] * 40)
    write_rollouts(folder / "hard.jsonl", [[passing] + [failing] * 3] * 40)
    return folder


@pytest.mark.parametrize(
    ("threshold", "failing", "passing"), [(0.5, 0.0, 1.0), (0.0, -1.0, 1.0), (5.0, 0.0, 10.0), (-1.0, -3.0, -0.5)]
)
def test_a_learner_passes_as_the_log_does_and_scores_on_its_scale(
    tmp_path: Path, threshold: float, failing: float, passing: float
) -> None:
    block = {"pass_threshold": threshold, "stages": [{"name": "a", "mix": {"easy": 0.5, "hard": 0.5}}]}
    log = read_log([scaled(tmp_path, failing, passing)], ["easy", "hard"]).world(threshold)
    trace = simulate(load_config(block), learner_from_log(log, learn_rate=0.0), RunSettings(steps=40), None)
    assert trace.success.mean() == pytest.approx(0.5, abs=0.02)
    assert trace.pass_rates[-1] == pytest.approx([0.75, 0.25], abs=1e-6)
    for world in (log, learner_from_log(log)):
        answers = world.respond(np.arange(80), np.full(80, 50), np.random.default_rng(0))
        assert set(answers.scores.tolist()) == {failing, passing}
        assert (answers.passed == (answers.scores == passing)).all()
        assert answers.scores.mean() == pytest.approx((failing + passing) / 2, abs=0.05 * (passing - failing))


def test_a_learner_scores_the_mean_of_each_kind_and_mirrors_a_kind_that_was_never_logged(tmp_path: Path) -> None:
    log = read_log([write_rollouts(tmp_path / "easy.jsonl", [[0.0, 0.2, 0.8], [1.0, 0.6, 0.1]])], ["easy"])
    mixed = learner_from_log(log.world(0.5))
    assert (mixed.failing, mixed.passing) == pytest.approx((0.1, 0.8))
    never = learner_from_log(log.world(4.0))
    assert (never.failing, never.passing) == pytest.approx((0.45, 7.55))
    always = learner_from_log(log.world(-0.1))
    assert (always.failing, always.passing) == pytest.approx((-0.65, 0.45)), "mirrored by 0.55"
    barely = learner_from_log(read_log([write_rollouts(tmp_path / "one.jsonl", [[1.0]])], ["a"]).world(1.0))
    assert (barely.failing, barely.passing) == pytest.approx((0.5, 1.0)), "0.5 at least"


@pytest.mark.parametrize("threshold", [-1.0, 0.0, 5.0])
def test_stages_of_invented_prompts_end_whatever_the_threshold(threshold: float) -> None:
    ends = {"metric": "train/success_rate", "window": 5, "above": 0.9}
    stages = [{"name": "a", "mix": {"easy": 1.0}, "exit": ends}, {"name": "b", "mix": {"hard": 1.0}}]
    world = invented_learner({"easy": 50, "hard": 50}, 0)
    trace = simulate(load_config({"pass_threshold": threshold, "stages": stages}), world, RunSettings(steps=100), None)
    assert 5 < trace.transitions[0].step < 60
    assert 0.7 < trace.success[0] < 0.9
    usual = simulate(load_config({"stages": stages}), invented_learner({"easy": 50, "hard": 50}, 0), RunSettings(100))
    assert (trace.success == usual.success).all()


# Group sizes


class Watched:
    """A learner that keeps what it was asked and what it was told."""

    def __init__(self, learner: Learner):
        self.learner, self.asked, self.told = learner, [], []
        self.index, self.tokens, self.pass_rates = learner.index, learner.tokens, learner.pass_rates
        self.weights, self.restore = learner.weights, learner.restore

    def respond(self, prompts: NDArray[np.int64], counts: NDArray[np.int64], random: np.random.Generator) -> Answers:
        self.asked.append((self.index.bucket_of(prompts), counts))
        return self.learner.respond(prompts, counts, random)

    def learn(self, prompts: NDArray[np.int64], pass_rates: NDArray[np.float64]) -> None:
        self.told.append(pass_rates)
        self.learner.learn(prompts, pass_rates)


GROUPS = {
    "stages": [{"name": "a", "mix": {"easy": 0.5, "hard": 0.5}}],
    "alerts": [{"name": "few", "metric": "train/easy/informative", "below": 0.9}],
}


def test_buckets_get_as_many_responses_as_the_recipe_says() -> None:
    run = RunSettings(steps=6, batch=16, responses=4, group_size={"easy": 2, "hard": 32})
    world = Watched(invented_learner({"easy": 50, "medium": 50, "hard": 50}, 0))
    trace = simulate(load_config(GROUPS), world, run, None)
    assert (trace.prompts == [8, 0, 8]).all()
    assert (trace.tokens == [8 * 2 * 256, 0, 8 * 32 * 256]).all()
    for buckets, counts in world.asked:
        assert (counts == np.array([2, 4, 32])[buckets]).all()
    shares = {
        n: {
            float(rate)
            for (buckets, _), told in zip(world.asked, world.told, strict=True)
            for rate in told[buckets == n]
        }
        for n in (0, 2)
    }
    assert shares[0] <= {0.0, 0.5, 1.0}, "signal is that of a group of two"
    assert all((rate * 32).is_integer() for rate in shares[2])
    assert len(shares[2]) > 3
    assert trace.alerts, "groups of two are seldom mixed, and the engine sees them"
    assert trace.success[0] == pytest.approx(world.told[0].mean())
    even = simulate(load_config(GROUPS), invented_learner({"easy": 50, "hard": 50}, 0), RunSettings(6, 16, 32), None)
    assert not even.alerts


def test_a_group_size_of_no_bucket_is_refused() -> None:
    with pytest.raises(InputError, match=r"curriculum.group_size: unknown bucket 'eazy'.*did you mean 'easy'"):
        simulate(load_config(GROUPS), invented_learner({"easy": 5, "hard": 5}, 0), RunSettings(group_size={"eazy": 3}))


def test_answers_of_groups_that_differ_come_apart_where_prompts_do() -> None:
    answers = Answers(np.arange(6.0), np.array([1, 0, 1, 1, 0, 0], dtype=bool), np.array([1, 3, 2]))
    assert answers.by_prompt(answers.scores) == [[0.0], [1.0, 2.0, 3.0], [4.0, 5.0]]
    assert answers.pass_rates == pytest.approx([1.0, 2 / 3, 0.0])
    even = Answers(np.arange(6.0), np.zeros(6, dtype=bool), np.array([3, 3]))
    assert np.array_equal(even.by_prompt(even.scores), [[0, 1, 2], [3, 4, 5]])


# Which files are buckets


@pytest.mark.parametrize("ending", [".jsonl.gz", ".json"])
def test_a_bucket_file_is_known_by_its_name_whatever_its_ending(tmp_path: Path, ending: str) -> None:
    folder = bucketed(tmp_path / "b")
    packed = []
    for file in folder.iterdir():
        target = tmp_path / f"{file.stem}{ending}"
        content = file.read_bytes()
        target.write_bytes(gzip.compress(content) if ending == ".jsonl.gz" else content)
        packed.append(target)
    log = read_log(packed, list(BUCKETS))
    assert log.sizes == {"easy": 30, "medium": 25, "hard": 20}
    assert not log.cut


def test_files_of_one_bucket_in_two_folders_are_put_together(tmp_path: Path) -> None:
    folders = [bucketed(tmp_path / name) for name in ("a", "b")]
    assert read_log(folders, list(BUCKETS)).sizes == {"easy": 60, "medium": 50, "hard": 40}


def test_files_that_are_buckets_beside_others_are_refused_with_what_to_do(tmp_path: Path) -> None:
    folder = bucketed(tmp_path)
    with pytest.raises(InputError) as refused:
        read_log([folder], ["easy", "hard"])
    message = str(refused.value)
    assert f"others ({folder / 'medium.jsonl'})" in message
    assert "expected all of them named like the buckets easy, hard, or none" in message
    assert "with --buckets" in message
    assert read_log([folder], ["easy", "medium", "hard"]).sizes["medium"] == 25


def test_too_few_different_scores_are_told_in_words_of_the_simulation(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"2 different mean scores, expected at least 3 .* easy, medium, hard"
    ) as refused:
        read_log([write_rollouts(tmp_path / "all.jsonl", [[1.0]] * 5 + [[0.0]] * 5)], list(BUCKETS))
    assert "--tie-break" not in str(refused.value)


# What is played, in words


def test_prompts_say_how_they_came_into_buckets_and_what_tokens_are(tmp_path: Path) -> None:
    assert Prompts({"easy": 2000, "hard": 10}).in_words() == [
        "prompts: invented, screened with 8 responses each; easiest bucket first: easy (2,000), hard (10)",
        "tokens: 256 a response, as nothing is generated",
    ]
    named = Prompts.logged(read_log([bucketed(tmp_path / "b")], list(BUCKETS)))
    assert (
        named.in_words()[0]
        == "prompts: logged, each file a bucket; easiest bucket first: easy (30), medium (25), hard (20)"
    )
    assert named.in_words()[1].endswith("logged responses, 4 characters a token")
    assert named.world(0.5, Setup(RunSettings())).tokens.tolist() == [10.0, 10.0, 100.0]
    folder = tmp_path / "raw"
    folder.mkdir()
    (folder / "all.jsonl").write_text('{"prompt": "a", "reward": [1]}\n{"prompt": "b", "reward": [0]}\n')
    cut = Prompts.logged(read_log([folder], ["easy", "hard"]))
    assert "logged, cut into the buckets by mean score" in cut.in_words()[0]
    assert cut.in_words()[1] == "tokens: 256 a response, as no text was logged"
    assert cut.world(0.5, Setup(RunSettings())).tokens.tolist() == [256.0, 256.0]
    with (folder / "all.jsonl").open("a") as file:
        file.write('{"prompt": "c", "reward": [1], "response": ["12345678"]}\n')
    partly = Prompts.logged(read_log([folder], ["easy", "hard"]))
    assert "where no text was logged (hard), 256 a response" in partly.in_words()[1]
    assert partly.world(0.5, Setup(RunSettings())).tokens.tolist() == [2.0, 256.0]


def test_a_world_is_that_of_the_seed_and_learner_that_are_asked_for(tmp_path: Path) -> None:
    prompts = Prompts({"easy": 50, "hard": 50})
    worlds = [prompts.world(0.5, Setup(RunSettings(seed=seed))) for seed in (0, 0, 1)]
    rates = [world.pass_rates().tolist() for world in worlds]
    assert rates[0] == rates[1] != rates[2]
    logged = Prompts.logged(read_log([bucketed(tmp_path)], list(BUCKETS)))
    for found in (prompts, logged):
        learner = found.world(0.5, Setup(RunSettings(), learner={"learn_rate": 3.0, "transfer": 2.0, "forget": 1.0}))
        assert isinstance(learner, Learner)
        assert (learner.learn_rate, learner.transfer, learner.forget) == (3.0, 2.0, 1.0)
    assert not isinstance(logged.world(0.5, Setup(RunSettings(), learns=False)), Learner)
    worlds = [logged.world(threshold, Setup(RunSettings())) for threshold in (0.5, 1.5)]
    assert worlds[0].pass_rates()[0] > worlds[1].pass_rates()[0], "each has its own threshold"


# What is told


def test_a_report_has_every_number_of_the_trace() -> None:
    run = RunSettings(steps=9, batch=8, responses=4, group_size={"hard": 3})
    assert (
        report(eventful(), two_bucket_config(), run)
        == """\
5 steps of 8 prompts x 4 responses (3 of hard), 3 validations

stage   steps  prompts  tokens  train success  ended by
----------------------------------------------------------------------------------
first     1-2       16   1,600          0.800  advance: stage/steps at_least 2 (2)
second    3-4       16   3,800          0.300  rollback: dropped by 0.08
first     5-5        8   1,000          0.650  stop: enough

bucket  prompts  share  tokens  pass rate before  after
-------------------------------------------------------
easy         28  0.700   2,800             0.700  0.800
hard         12  0.300   3,600             0.100  0.700

warning: metric reward/coherence is unknown
forgetting: bucket easy at step 3
forgetting: bucket easy at step 4
alert stuck at step 4: stage/steps at_least 2 (2)
alert stuck at step 5: stage/steps at_least 2 (3)"""
    )
    quiet = report(uneventful(), two_bucket_config(), run)
    assert "first    1-4       32   6,000          0.500  the simulation ended" in quiet
    assert not any(word in quiet for word in ("warning", "forgetting", "alert"))


def test_a_trace_holds_the_alerts_alarms_and_warnings_of_the_engine() -> None:
    block = {
        "stages": [
            {"name": "a", "mix": {"easy": 1.0}, "exit": {"metric": "stage/steps", "at_least": 20}},
            {"name": "b", "mix": {"hard": 1.0}, "exit": {"metric": "reward/coherence", "above": 0.5}},
            {"name": "c", "mix": {"hard": 1.0}},
        ],
        "alerts": [
            {"name": "stuck", "metric": "stage/steps", "at_least": 5, "repeat": 10},
            {"name": "never", "metric": "train/easy/success_rate", "below": 0.1},
        ],
        "forgetting_alarm": -0.03,
    }
    world = invented_learner({"easy": 50, "hard": 50}, seed=0, learn_rate=0.5, forget=0.1)
    trace = simulate(load_config(block), world, RunSettings(steps=100), None)
    assert [(step, alert.name) for step, alert in trace.alerts][:3] == [(5, "stuck"), (15, "stuck"), (25, "stuck")]
    assert trace.alerts[0][1].reason == "stage/steps at_least 5 (5)"
    assert {bucket for _, bucket in trace.alarms} == {"easy"}
    assert all(step > 20 and step % 10 == 0 for step, _ in trace.alarms), "found by a validation after the switch"
    assert any("reward/coherence" in warning for warning in trace.warnings)
    assert trace.stop is None
    assert len(trace.stages) == 100
    assert trace.validations == 10


def test_a_run_ends_where_the_recipe_says_stop() -> None:
    block = {"stages": [{"name": "a", "mix": {"easy": 1.0}}], "stop": {"metric": "run/steps", "at_least": 13}}
    trace = simulate(load_config(block), invented_learner({"easy": 50}, seed=0), RunSettings(steps=100), None)
    assert trace.stop is not None
    assert "run/steps" in trace.stop
    assert len(trace.stages) == 13 == len(trace.pass_rates) - 1
    assert trace.validations == 1


def test_a_validation_that_is_asked_for_comes_at_once_and_tells_the_present_rates() -> None:
    block = {
        "stages": [
            {"name": "a", "mix": {"easy": 1.0}, "exit": {"metric": "stage/steps", "at_least": 7}},
            {"name": "b", "mix": {"easy": 1.0}},
        ],
        "advance": {"validate_now": True, "min_performance": 0.0},
        "rollback": {"threshold": -0.9},
    }
    world = invented_learner({"easy": 50}, seed=0, learn_rate=1.0)
    run = RunSettings(steps=30, validate_every=1000, validation_trials=10**6)
    trace = simulate(load_config(block), world, run, None)
    assert trace.validations > 0
    switch = trace.transitions[0]
    assert switch.after == pytest.approx(trace.pass_rates[switch.step, 0], abs=0.005)
    assert abs(trace.pass_rates[switch.step, 0] - trace.pass_rates[0, 0]) > 0.05


def test_the_chart_shows_shares_rates_tokens_switches_and_alerts() -> None:
    trace = eventful()
    figure = picture_of(trace, "a $1$ recipe")
    shares, rates, tokens = figure.axes
    assert shares.get_title() == r"a \$1\$ recipe"
    easy = shares.collections[0].get_paths()[0].vertices
    assert {round(float(y), 3) for y in easy[:, 1]} == {0.0, 1.0, 0.25, 0.375, 0.875}
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["easy", "hard", "alert raised"]
    colours = [to_hex(line.get_color()) for line in rates.lines[:2]]
    assert colours[0] != colours[1]
    assert [to_hex(area.get_facecolor()[0]) for area in shares.collections] == colours
    for b in (0, 1):
        assert np.array_equal(rates.lines[b].get_xydata(), np.column_stack([np.arange(6), trace.pass_rates[:, b]]))
        spent = np.column_stack([np.arange(1, 6), np.cumsum(trace.tokens[:, b])])
        assert np.array_equal(tokens.lines[b].get_xydata(), spent)
    for axes in (rates, tokens):
        switches = [(line.get_xdata()[0], line.get_linestyle()) for line in axes.lines[2:]]
        assert switches == [(2.5, "-"), (4.5, ":")]
    assert [text.get_text().strip() for text in shares.texts] == ["to second", "back to first"]
    assert shares.lines[-1].get_xydata().tolist() == [[4.0, 1.0], [5.0, 1.0]]
    assert len(picture_of(uneventful(), "").axes[0].lines) == 0


def test_the_chart_is_written_whatever_the_names(tmp_path: Path) -> None:
    odd = dataclasses.replace(uneventful(), buckets=("$\\frac{$", "b"))
    draw_trace(odd, "$x_{", tmp_path / "chart.png")
    assert imread(tmp_path / "chart.png").shape[0] > 500


# The command


def test_simulate_prints_the_story_of_a_learner_or_of_the_log_and_draws_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chart = tmp_path / "chart.png"
    log = str(bucketed(tmp_path / "b"))
    command = [
        "simulate",
        str(EXAMPLES / "three_stages.yaml"),
        "--rollouts",
        log,
        "--steps",
        "30",
        "--chart",
        str(chart),
    ]
    assert cli.main(command) == 0
    learner = capsys.readouterr().out
    assert "model: a learner that starts where the rollouts stand" in learner
    assert chart.read_bytes().startswith(b"\x89PNG")
    assert cli.main([*command, "--as-logged", "--no-chart"]) == 0
    logged = capsys.readouterr().out
    assert "nothing is learned" in logged
    for out in (learner, logged):
        assert "prompts: logged, each file a bucket; easiest bucket first: easy (30), medium (25), hard (20)" in out
        assert "tokens: the mean length" in out
        assert "30 steps of 64 prompts x 8 responses, 3 validations" in out
        assert "learn_goal" in out
    rows = [next(line for line in out.splitlines() if line.startswith("easy ")).split() for out in (learner, logged)]
    assert rows[0][-2] == "0.750"
    assert float(rows[0][-1]) > 0.76
    assert rows[1][-2:] == ["0.750", "0.750"]


def recipe_of_verl(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "_root.yaml").write_text(
        "defaults: [ppo_trainer, _self_, optional platform: none]\n"
        "data: {train_batch_size: 12}\ntrainer: {total_training_steps: 9, test_freq: 2}\n"
        "actor_rollout_ref: {rollout: {n: 3}}\n"
    )
    recipe = folder / "mine.yaml"
    recipe.write_text(
        "defaults: [_root, _self_]\ndata: {train_batch_size: 10}\ntrainer: {test_freq: -1}\n"
        "curriculum:\n  group_size: {easy: 5}\n  stages: [{name: a, mix: {easy: 1.0}}]\n"
    )
    return recipe


def test_a_recipe_is_played_as_the_run_that_it_asks_verl_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = recipe_of_verl(tmp_path)
    command = ["simulate", str(recipe), "--no-chart", "--prompts", "50"]
    assert cli.main(command) == 0
    out = capsys.readouterr().out
    assert (
        "run: steps 9 (_root.yaml), prompts a step 10 (mine.yaml), responses a prompt 3 (_root.yaml), "
        "steps between validations 10 (default)" in out
    )
    assert "9 steps of 10 prompts x 3 responses (5 of easy), 0 validations" in out
    assert f"{9 * 10 * 5 * 256:,}" in out
    asked = ["--steps", "4", "--batch", "6", "--responses", "2", "--validate-every", "1"]
    assert cli.main([*command, *asked]) == 0
    out = capsys.readouterr().out
    assert "run: steps 4 (--steps), prompts a step 6 (--batch), responses a prompt 2 (--responses)" in out
    assert "steps between validations 1 (--validate-every)" in out
    assert "4 steps of 6 prompts x 2 responses (5 of easy), 4 validations" in out


@pytest.mark.parametrize(
    ("defaults", "steps"), [("[_self_, _root]", 9), ("[_root]", 7), ("[mine, _root, _self_]", 7), ("{a: b}", 7)]
)
def test_who_has_the_last_word_on_a_run(tmp_path: Path, defaults: str, steps: int) -> None:
    recipe = recipe_of_verl(tmp_path)
    recipe.write_text(f"defaults: {defaults}\ntrainer: {{total_training_steps: 7}}\n")
    assert run_of(recipe)["steps"].number == steps


@pytest.mark.parametrize("said", ["null", "'???'", "'${data.size}'", "-1", "0", "2.5", "true"])
def test_what_is_no_number_leaves_the_run_open(tmp_path: Path, said: str) -> None:
    recipe = recipe_of_verl(tmp_path)
    recipe.write_text(f"defaults: [_root, _self_]\ntrainer: {{total_training_steps: {said}}}\n")
    assert "steps" not in run_of(recipe)


def test_the_help_says_what_is_played(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("simulate", "compare", "tune"):
        with pytest.raises(SystemExit):
            cli.main([command, "--help"])
        out = " ".join(capsys.readouterr().out.split())
        assert "With --rollouts a learner starts where these stand, prompt by prompt" in out
        assert "4 characters a token" in out
        assert "a response counts as 256" in out
        assert "data.train_batch_size" in out


# Layers


def test_the_simulation_knows_no_page_and_no_command() -> None:
    folder = Path(simulation.__file__).parent
    imported = {
        name.removeprefix("curriculum_verl.").split(".")[0]
        for file in folder.glob("*.py")
        for name in re.findall(r"^\s*(?:from|import) (curriculum_verl\.[\w.]+)", file.read_text(), re.MULTILINE)
    }
    assert "simulation" in imported
    assert not imported & {"analysis", "commands", "monitor", "tuning", "verl_plugin", "web"}
