"""Tuning before training: recipes are edited, played against rollouts or a simple learner, and compared."""
