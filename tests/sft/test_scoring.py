import numpy as np
import pytest
import torch

from curriculum_verl.curriculum import PromptIndex
from curriculum_verl.curriculum.tracker import Rate
from curriculum_verl.sft.callback import without_improvement
from curriculum_verl.sft.scoring import bucket_metrics, by_bucket, row_accuracy, row_loss, scores_of

INDEX = PromptIndex.build({"easy": 2, "hard": 3})


def test_accuracy_and_loss_are_of_the_labels_alone() -> None:
    labels = torch.tensor([[-100, 1, 2, -100], [-100, -100, 3, 0]])
    logits = torch.zeros(2, 4, 4)
    logits[0, 0, 1] = 9.0  # predicts the label behind it
    logits[0, 1, 3] = 9.0  # does not
    logits[1, 1, 3] = logits[1, 2, 0] = 9.0
    assert row_accuracy(logits, labels).tolist() == [0.5, 1.0]
    right = float(torch.nn.functional.cross_entropy(logits[1:, 1], torch.tensor([3])))
    assert row_loss(logits, labels)[1].item() == pytest.approx(right, rel=1e-3)
    assert row_loss(logits, labels)[0].item() > 4


def test_a_row_that_two_processes_saw_counts_once() -> None:
    rows = np.array([0, 1, 2, 3, 4, 4])
    values = np.array([1.0, 0.0, 1.0, 0.0, 0.5, 0.5])
    assert by_bucket(INDEX, rows, values) == {"easy": 0.5, "hard": 0.5}
    assert by_bucket(INDEX, np.array([0]), np.array([1.0])) == {"easy": 1.0}


def test_metrics_have_every_bucket_and_their_plain_mean() -> None:
    metrics = bucket_metrics({"score": {"easy": 1.0, "hard": 0.5}}, INDEX.names)
    assert metrics == {"score": 0.75, "easy_score": 1.0, "hard_score": 0.5}
    given = {f"eval_{name}": value for name, value in metrics.items()}
    assert scores_of(given, INDEX, rates=False) == {"easy": 1.0, "hard": 0.5}
    assert scores_of(given, INDEX, rates=True) == {"easy": Rate(1.0, 2), "hard": Rate(0.5, 3)}


def test_patience_counts_evaluations_after_the_best_and_begins_anew_with_a_stage() -> None:
    history = [{"step": s, "eval_score": v} for s, v in ((1, 0.2), (2, 0.9), (3, 0.4), (4, 0.5), (5, 0.4))]
    history.insert(1, {"step": 1, "loss": 3.0})
    assert without_improvement(history, 0) == 3
    assert without_improvement(history, 3) == 1
    assert without_improvement([], 0) == 0
