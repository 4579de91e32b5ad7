"""The share of a worker."""

from collections.abc import Callable
from pathlib import Path

from curriculum_verl.generation.job import Job
from curriculum_verl.generation.worker import Work


def test_the_shares_of_all_workers_are_all_prompts_once_without_those_that_are_done(
    make_job: Callable[..., Job], tmp_path: Path
) -> None:
    for of in (1, 2, 7):
        shares = [Work(make_job(), tmp_path, range(3, 18), number, of) for number in range(of)]
        found = [position for share in shares for position, _ in share.prompts({5: None, 6: None})]
        assert sorted(found) == [3, 4, *range(7, 18)]
    [first, *_] = Work(make_job(), tmp_path, range(3, 18)).prompts({})
    assert first[1].id == "0+3=?"
