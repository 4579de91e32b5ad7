"""The tiny model."""

from inference.tiny import make_model, model, one_thread

__all__ = ["make_model", "model", "one_thread"]
