"""Evaluation per bucket: models side by side on the same prompts, with intervals that know that responses are kin."""
