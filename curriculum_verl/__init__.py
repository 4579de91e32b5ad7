"""Curriculum learning for the stock verl trainer."""

__version__ = "0.1.0"
