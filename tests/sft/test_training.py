"""Real runs of the Trainer: stages, resume, and everything in which the Trainer would break a curriculum."""

import json
from pathlib import Path

import pytest
import torch
from sft.killed import run_and_kill
from sft.toy_sft import BUCKETS, recipe, same, told, weights

from curriculum_verl.curriculum.state import read_state
from curriculum_verl.errors import InputError, StateError
from curriculum_verl.sft.run import build_trainer, run_sft
from curriculum_verl.sft.trainer import CurriculumTrainer

STEPS = 12  # more than one pass over the data, which is nine steps
LONG = (
    f"training.max_steps={STEPS}",
    "training.schedule=linear",
    "training.log_every=1",
    "curriculum.policy={name: bandit}",  # learns from every row's score
)
NOT_THE_SAME_TWICE = ("runtime", "per_second")  # seconds


@pytest.fixture(scope="module")
def whole(toy: Path, tmp_path_factory: pytest.TempPathFactory) -> CurriculumTrainer:
    """A run that was never interrupted."""
    return run_sft(recipe(toy, tmp_path_factory.mktemp("whole"), *LONG))


def test_a_stage_ends_on_its_condition_and_everything_is_told(whole: CurriculumTrainer) -> None:
    [switch] = whole.curriculum.transitions
    assert (switch.step, switch.kind, switch.target) == (3, "advance", "second")
    assert [line["step"] for line in told(whole.root, "advance")] == [3]
    assert told(whole.root, "start")[0]["buckets"] == BUCKETS
    steps = told(whole.root)
    assert [line["step"] for line in steps] == list(range(1, STEPS + 1)), "one line for each step"
    assert [line["metrics"]["curriculum/stage"] for line in steps] == [0, 0, *[1] * (STEPS - 2)]
    assert steps[2]["metrics"]["curriculum/event/advance"] == 1
    assert steps[2]["metrics"]["val/hard"] == steps[2]["metrics"]["eval/hard_score"]
    assert all("curriculum/stage" in entry for entry in whole.state.log_history[:-1])


def test_rows_are_of_the_stage_from_the_very_next_step(whole: CurriculumTrainer) -> None:
    shares = [line["metrics"]["curriculum/share/simple"] for line in told(whole.root)]
    assert shares[:3] == [1.0] * 3
    assert shares[3] < 1, "a batch that was read ahead would still be of the first stage"


def test_nothing_is_drawn_that_was_not_trained_on(whole: CurriculumTrainer) -> None:
    for line in told(whole.root):
        drawn = sum(line["metrics"][f"curriculum/drawn/{bucket}"] for bucket in BUCKETS)
        assert drawn == 4 * line["step"]
    assert sum(read_state(whole.root / "checkpoint-4" / "curriculum.json")["drawn"]) == 16


def test_the_run_has_the_steps_that_were_asked_for_whatever_the_size_of_the_data(whole: CurriculumTrainer) -> None:
    assert len(whole.train_dataset) / 4 < STEPS
    assert whole.state.global_step == whole.state.max_steps == STEPS
    assert len(whole._get_train_sampler()) == 4 * STEPS
    rates = [line["metrics"]["train/learning_rate"] for line in told(whole.root)]
    assert rates == pytest.approx([0.01 * (1 - step / STEPS) for step in range(STEPS)])


def test_the_evaluation_is_by_bucket_and_in_a_file(whole: CurriculumTrainer) -> None:
    report = json.loads((whole.root / "evaluation.json").read_text())
    assert report["step"] == STEPS
    assert report["stage"] == "second"
    assert [report["buckets"][bucket]["samples"] for bucket in BUCKETS] == [4, 4, 4]
    scores = [report["buckets"][bucket]["score"] for bucket in BUCKETS]
    assert report["mean"]["score"] == pytest.approx(sum(scores) / 3)
    assert same(weights(whole.root / "final"), weights(whole.root / f"checkpoint-{STEPS}"))


def steady(metrics: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if not name.endswith(NOT_THE_SAME_TWICE)}


def test_a_killed_run_goes_on_as_one_that_never_stopped(toy: Path, tmp_path: Path, whole: CurriculumTrainer) -> None:
    run_and_kill("sft.toy_sft:recipe", 11, toy, tmp_path, *LONG, "training.save_every=5")
    assert not (tmp_path / "final").exists()
    with pytest.raises(InputError, match="holds a run; go on with it by --resume"):
        run_sft(recipe(toy, tmp_path, *LONG))
    resumed = run_sft(recipe(toy, tmp_path, *LONG, "training.save_every=5"), "auto")
    assert told(tmp_path, "start")[-1]["step"] == 10, "beyond one pass over the data, where the Trainer would give up"
    after = told(tmp_path)[-2:]
    for one, other in zip(after, told(whole.root)[-2:], strict=True):
        assert one["step"] == other["step"]
        assert steady(one["metrics"]) == steady(other["metrics"]), "losses, learning rates, draws and all"
    assert same(weights(tmp_path / "final"), weights(whole.root / "final"))
    states = [read_state(run / f"checkpoint-{STEPS}" / "curriculum.json") for run in (tmp_path, whole.root)]
    for state in states:  # samples, positions, transitions and what the policy learned
        state["config"] = None
    assert json.dumps(states[0], default=str) == json.dumps(states[1], default=str)
    assert resumed.curriculum.transitions == whole.curriculum.transitions


def test_a_resume_with_other_data_is_refused(toy: Path, tmp_path: Path, whole: CurriculumTrainer) -> None:
    other = tmp_path / "train.jsonl"
    other.write_text("".join((toy / "train.jsonl").read_text().splitlines(keepends=True)[:-1]))
    config = recipe(toy, tmp_path / "out", *LONG, f"data.train={other}")
    with pytest.raises(StateError, match="is of a run with other settings"):
        run_sft(config, str(whole.root / "checkpoint-8"))


def count_evaluations(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    steps: list[int] = []
    evaluate = CurriculumTrainer.evaluation_loop

    def counting(self: CurriculumTrainer, *args: object, **kwargs: object) -> object:
        steps.append(self.state.global_step)
        return evaluate(self, *args, **kwargs)

    monkeypatch.setattr(CurriculumTrainer, "evaluation_loop", counting)
    return steps


@pytest.mark.parametrize("every", [3, 100], ids=["scheduled", "asked for"])
def test_what_is_due_at_a_switch_is_all_done_and_once(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    steps = count_evaluations(monkeypatch)
    flags = ("training.max_steps=4", "training.save_every=3", "training.log_every=3", f"training.eval_every={every}")
    trainer = build_trainer(recipe(toy, tmp_path, *flags))
    trainer.train()
    assert steps == [3, 4], "one at the switch, one at the end; none inside another"
    assert [entry["step"] for entry in trainer.state.log_history if "loss" in entry] == [3]
    assert (tmp_path / "checkpoint-3" / "trainer_state.json").is_file()
    assert (tmp_path / "stages" / "01_second" / "global_step_3" / "curriculum.json").is_file()
    assert trainer.curriculum.validated_step == 4


def test_harder_data_is_taken_back_at_once_when_the_score_drops(toy: Path, tmp_path: Path) -> None:
    strict = ("training.max_steps=4", "curriculum.rollback={threshold: -0.05}", "evaluation.score=negative_loss")
    trainer = run_sft(recipe(toy, tmp_path, *strict))
    kinds = [(switch.step, switch.kind) for switch in trainer.curriculum.transitions]
    assert kinds[:2] == [(3, "advance"), (3, "rollback")]
    assert trainer.curriculum.stage.name == "first"
    assert trainer.curriculum.metrics()["interval"] == 2, "doubled"
    assert not (tmp_path / "stages").exists(), "no stage began"
    assert told(tmp_path)[2]["metrics"]["curriculum/performance_drop"] < -0.05


WEIGHTS = (
    "training.max_steps=6",
    "training.schedule=linear",
    "training.log_every=1",
    "training.eval_every=2",
    "training.save_every=1",
    "curriculum.advance={validate_now: false}",
    "curriculum.rollback={threshold: -0.05, restore: weights, cooldown: 100}",
)


@pytest.mark.parametrize("kind", ["whole model", "adapters"])
def test_weights_and_optimizer_are_taken_back_and_the_schedule_goes_on(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    def scripted(metrics: dict[str, float], index: object, rates: bool) -> dict[str, float]:
        return dict.fromkeys(BUCKETS, {2: 0.9, 4: 0.1}.get(trainer.state.global_step, 0.5))

    monkeypatch.setattr("curriculum_verl.sft.callback.scores_of", scripted)
    lora = ["lora={rank: 2, dropout: 0.1}"] if kind == "adapters" else []
    trainer = build_trainer(recipe(toy, tmp_path, *WEIGHTS, *lora))
    trainer.train()
    assert [(s.step, s.kind) for s in trainer.curriculum.transitions] == [(3, "advance"), (4, "rollback")]
    kept = tmp_path / "stages" / "01_second" / "global_step_3"
    restored = tmp_path / "checkpoint-4"
    assert same(weights(restored), weights(kept))
    assert not same(weights(tmp_path / "checkpoint-2"), weights(kept)), "the weights do move"
    assert not same(weights(tmp_path / "checkpoint-5"), weights(restored)), "training goes on from there"
    assert optimizer_steps(restored) == [3]
    assert optimizer_steps(tmp_path / "checkpoint-6") == [5]
    rates = [line["metrics"]["train/learning_rate"] for line in told(tmp_path)]
    assert rates == pytest.approx([0.01 * (1 - step / 6) for step in range(6)]), "steps and schedule never go back"
    assert next_rate(restored) == pytest.approx(0.01 * (1 - 4 / 6)), "that of the next step, not of the stage's start"
    assert trainer.state.best_global_step != 4, "the weights that were evaluated there are gone"
    assert (tmp_path / "stages" / "00_first" / "global_step_4" / "model.safetensors").exists() or lora


def optimizer_steps(folder: Path) -> list[int]:
    state = torch.load(folder / "optimizer.pt", weights_only=True)["state"]
    return sorted({int(entry["step"]) for entry in state.values()})


def next_rate(folder: Path) -> float:
    return float(torch.load(folder / "optimizer.pt", weights_only=True)["param_groups"][0]["lr"])


def test_a_stage_can_be_resumed_from(toy: Path, tmp_path: Path, whole: CurriculumTrainer) -> None:
    folder = whole.root / "stages" / "01_second" / "global_step_3"
    trainer = run_sft(recipe(toy, tmp_path, *LONG), str(folder))
    assert told(tmp_path)[0]["step"] == 4
    assert same(weights(trainer.root / "final"), weights(whole.root / "final"))


def test_generated_answers_decide_through_the_verifiers(toy: Path, tmp_path: Path) -> None:
    wanted = ("training.max_steps=20", "training.eval_every=20", "training.schedule=constant", "training.save_every=20")
    answers = ("evaluation.score=answers", "evaluation.max_new_tokens=4")
    stay = "curriculum.stages=[{name: all, mix: {simple: 1.0}}]"
    run_sft(recipe(toy, tmp_path, *wanted, *answers, stay))
    report = json.loads((tmp_path / "evaluation.json").read_text())
    assert report["buckets"]["simple"]["score"] == 1.0, "twenty steps teach the one answer"
    assert report["buckets"]["hard"]["score"] == 0.0
    assert told(tmp_path)[-1]["metrics"]["val/simple"] == 1.0


def test_it_ends_early_and_the_final_model_is_the_best(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = ("training.early_stopping=2", "training.final={of: best}", "training.eval_every=1", "training.save_every=1")
    scores = iter([0.1, 0.9, 0.3, 0.2, 0.1, 0.0, 0.0, 0.0, 0.5])
    by_bucket = CurriculumTrainer._by_bucket
    monkeypatch.setattr(
        CurriculumTrainer, "_by_bucket", lambda self, given: by_bucket(self, given) | {"score": next(scores)}
    )
    config = recipe(toy, tmp_path, *end, "curriculum.stages=[{name: all, mix: {simple: 1.0}}]")
    trainer = run_sft(config)
    assert trainer.state.global_step == 4
    assert trainer.state.best_global_step == 2
    assert same(weights(tmp_path / "final"), weights(tmp_path / "checkpoint-2"))
    assert json.loads((tmp_path / "evaluation.json").read_text())["model"] == ["checkpoint-2"]
    assert run_sft(config, "auto").state.global_step == 4, "nor does it go on when it is resumed"


def test_adapters_in_half_precision_resume_exactly_and_end_as_a_mean(toy: Path, tmp_path: Path) -> None:
    small = ("lora={rank: 2, dropout: 0.3}", "model.dtype=bfloat16", "training.bf16=true", "training.log_every=1")
    frugal = ("training.gradient_checkpointing=true", "training.final={of: last, count: 2}")
    whole = run_sft(recipe(toy, tmp_path / "whole", *small, *frugal))
    resumed = run_sft(recipe(toy, tmp_path / "again", *small, *frugal), str(tmp_path / "whole" / "checkpoint-4"))
    assert resumed.state.global_step == whole.state.global_step == 8
    last = weights(tmp_path / "again" / "checkpoint-8")
    assert same(last, weights(tmp_path / "whole" / "checkpoint-8"))
    assert all("lora_" in name for name in last)
    before, mean = weights(tmp_path / "whole" / "checkpoint-4"), weights(tmp_path / "whole" / "final")
    assert all(torch.allclose(mean[name], (before[name] + last[name]) / 2) for name in last)
    assert not same(mean, last)


def test_a_run_that_had_ended_trains_no_further(toy: Path, tmp_path: Path) -> None:
    stages = "curriculum.stages=[{name: all, mix: {simple: 1.0}}]"
    stop = "curriculum.stop={metric: run/steps, at_least: 5}"
    config = recipe(toy, tmp_path, stages, stop)
    ended = run_sft(config)
    assert ended.state.global_step == 5
    assert [line["reason"] for line in told(tmp_path, "stop")] == ["run/steps at_least 5 (5)"]
    final = weights(tmp_path / "final")
    again = run_sft(config, "auto")
    assert again.state.global_step == 5
    assert same(weights(tmp_path / "final"), final)
