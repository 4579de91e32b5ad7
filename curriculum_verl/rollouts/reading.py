"""Rollouts one after the other, for whoever has no need of buckets."""

from collections.abc import Iterator
from pathlib import Path

from curriculum_verl.errors import InputError
from curriculum_verl.rollouts.content import ContentReader, Rollout
from curriculum_verl.rollouts.fields import ROLES, Fields
from curriculum_verl.rollouts.lines import numbered_lines
from curriculum_verl.rollouts.scores import LineError


def read_rollouts(path: Path, fields: Fields = ROLES) -> Iterator[Rollout]:
    """The rollouts of a file, one for each line; the first line that cannot be used is an error with its number."""
    reader = ContentReader(fields)
    for number, line in numbered_lines(path):
        try:
            yield reader.rollout(line)
        except LineError as error:
            raise InputError(f"{path}:{number}: not a rollout: {error}") from error
