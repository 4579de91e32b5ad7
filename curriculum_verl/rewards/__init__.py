"""Rewards: components that score a response, shared by the reward manager, the evaluation and the rollout generator."""
