"""Bucketing: from scored rollouts to named sets of prompts of like difficulty, easiest first."""
