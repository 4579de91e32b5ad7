"""What a preprocessing was asked to do."""

from dataclasses import dataclass
from typing import Literal

from curriculum_verl.preprocessing.filters import Filter

OnBenchmark = Literal["error", "drop", "report"]
OnInvalid = Literal["error", "reject"]

DATA_SOURCE = "bucketed_curriculum"
ABILITY = "instruction_following"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that shapes the data, as given; None where each row, or the bucket folder, decides."""

    buckets: tuple[str, ...] | None = None
    combine: bool = False
    output_name: str = "combined"
    cumulative: bool = False
    data_source: str | None = None
    filter: Filter = "all"
    pass_threshold: float | None = None
    train_val_split: float | None = 0.9  # None: no validation
    seed: int = 0
    ability: str | None = None
    system_prompt: str | None = None
    instruction: str | None = None
    benchmark: tuple[str, ...] = ()
    on_benchmark: OnBenchmark = "error"
    on_invalid: OnInvalid = "error"
