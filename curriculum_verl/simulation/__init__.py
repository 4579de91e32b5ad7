"""Trying a curriculum without a model: the engine itself against logged rollouts or a learner in a few numbers."""
