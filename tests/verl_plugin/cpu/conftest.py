"""The tiny model, and verl imported without its complaints about what is missing."""

import warnings

import pytest

pytest.importorskip("torch")
pytest.importorskip("verl")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import verl.workers.rollout.replica
    import verl.workers.rollout.utils  # noqa: F401

from inference.tiny import make_model, model, one_thread

__all__ = ["make_model", "model", "one_thread"]
