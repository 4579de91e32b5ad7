"""From nothing to a trained model on a CPU: tasks, warm-up, rollouts, buckets, data, GRPO by stages, a summary."""
