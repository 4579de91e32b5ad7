"""The health of the training itself: success, KL, signal, length, entropy, loss, gradient, learning rate."""

from curriculum_verl.monitor.figures.buckets import of_buckets
from curriculum_verl.monitor.figures.drawing import metric_chart, things, told
from curriculum_verl.monitor.view import View
from curriculum_verl.web.charts import Chart

GRPO_ONLY = "runs of GRPO tell this, fine-tuning does not"


def success(view: View) -> Chart:
    """How many responses pass."""
    drawn = things([("success", "curriculum/train/success_rate")])
    return metric_chart(view, "Success in training", drawn, "no step has told a success rate", share=True)


def kl(view: View) -> Chart:
    """Whichever divergences the run tells."""
    pairs = [
        ("to the step before (ppo_kl)", "actor/ppo_kl"),
        ("to the reference (kl_loss)", "actor/kl_loss"),
        ("rollout to training", "rollout_corr/kl"),
    ]
    return metric_chart(view, "KL divergence", told(view, pairs), GRPO_ONLY, exponentformat="e")


def filtering(view: View) -> Chart:
    """The share of groups that teach something."""
    drawn = things([("groups with a signal", "curriculum/filtering_rate")])
    title = "GRPO filtering rate: groups with a learning signal"
    return metric_chart(view, title, drawn, GRPO_ONLY, share=True)


def length(view: View) -> Chart:
    """Tokens of a response, of all and by bucket."""
    drawn = [*things([("all", "response_length/mean")]), *of_buckets(view, "curriculum/response_length/{}")]
    return metric_chart(view, "Response length (tokens)", drawn, GRPO_ONLY, rangemode="tozero")


def entropy(view: View) -> Chart:
    """How undecided the policy is."""
    return metric_chart(view, "Entropy of the policy", things([("entropy", "actor/entropy")]), GRPO_ONLY)


def loss(view: View) -> Chart:
    """What is minimised."""
    pairs = [("policy loss", "actor/pg_loss"), ("whole loss", "actor/loss")]
    pairs += [("training", "train/loss"), ("validation", "eval/loss")]
    return metric_chart(view, "Loss", told(view, pairs), "no step has told a loss")


def gradient(view: View) -> Chart:
    """The norm of the gradient."""
    drawn = told(view, [("GRPO", "actor/grad_norm"), ("fine-tuning", "train/grad_norm")])
    return metric_chart(view, "Norm of the gradient", drawn, "no step has told it", rangemode="tozero")


def learning_rate(view: View) -> Chart:
    """The step size of the optimizer, which is no noise to be averaged."""
    drawn = told(view, [("GRPO", "actor/lr"), ("fine-tuning", "train/learning_rate")])
    as_it_is = View(view.runs, 1, view.last)
    return metric_chart(as_it_is, "Learning rate", drawn, "no step has told it", exponentformat="e", rangemode="tozero")
