"""Responses of a model to prompts, from whatever can generate them."""
