"""Difficulty of trajectories for supervised fine-tuning: read, scored by weighted factors, sorted into buckets."""
