"""One browser for the tests of a module, as two cannot be driven at once; a recipe on a desk."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from chromium import chromium
from tuning.recipes import write_recipe

if TYPE_CHECKING:
    from curriculum_verl.tuning.desk import Desk
    from curriculum_verl.tuning.model import Tuning


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture
def tuning(tmp_path: Path) -> "Tuning":
    from tuning.tuned import tuning_of  # needs gradio

    return tuning_of(write_recipe(tmp_path))


@pytest.fixture
def desk(tuning: "Tuning") -> "Desk":
    from curriculum_verl.tuning.desk import Desk

    return Desk(tuning)
