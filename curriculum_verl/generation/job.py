"""All that decides what is generated, as plain data; two runs with the same settings write the same files."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from curriculum_verl.errors import ConfigError
from curriculum_verl.generation.backend import Sampling
from curriculum_verl.generation.data import Catalogue, Data
from curriculum_verl.generation.facts import facts_of
from curriculum_verl.generation.judging import Scoring
from curriculum_verl.generation.settings import BackendSettings

COLDEST = 0.001  # logits divided by less can overflow, and are greedy in all but name


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several runs by hand that share the prompts: a part that hangs together, so that all in order are all."""

    number: int = 1
    of: int = 1

    @property
    def suffix(self) -> str:
        """What its files' names have that no other shard's have."""
        return "" if self.of == 1 else f"-{self.number:05}-of-{self.of:05}"

    def positions(self, prompts: int) -> range:
        """Its prompts."""
        return range(prompts * (self.number - 1) // self.of, prompts * self.number // self.of)


@dataclass(frozen=True, slots=True)
class Source:
    """What the backend's model is put together from, and what it is known again by."""

    path: str
    fingerprint: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Job:
    """`count` responses to each prompt; with `first`, that many to begin with, and no more where they all agree.

    `source` is what the user named, where the backend's model is made of it.
    """

    data: Data
    backend: BackendSettings
    output: Path
    sampling: Sampling = field(default_factory=Sampling)
    count: int = 8
    seed: int = 0
    first: int | None = None
    scoring: Scoring = field(default_factory=Scoring)
    shard: Shard = Shard()
    source: Source | None = None

    def __post_init__(self) -> None:
        problems = []
        if self.count < 1:
            problems.append(f"-n: got {self.count}, expected at least 1")
        if self.first is not None and not 1 <= self.first < self.count:
            problems.append(f"--first: got {self.first}, expected at least 1 and less than -n, {self.count}")
        if not 1 <= self.shard.number <= self.shard.of:
            problems.append(f"--shard: got {self.shard.number}/{self.shard.of}, expected 1/N to N/N")
        if self.sampling.temperature and self.sampling.temperature < COLDEST:
            problems.append(f"--temperature: got {self.sampling.temperature}, expected 0 or at least {COLDEST}")
        if not 0 < self.sampling.top_p <= 1 or self.sampling.top_k < 0:
            problems.append("expected a --top-p above 0 and at most 1, a --top-k from 0")
        if "" in self.sampling.stop:
            problems.append("--stop: got an empty text, with which every response begins; leave it out")
        if self.sampling.max_tokens < 1:
            problems.append(f"--max-tokens: got {self.sampling.max_tokens}, expected at least 1")
        if self.sampling.temperature == 0 and self.count > 1:
            problems.append(f"-n: got {self.count}, but at --temperature 0 all responses are the same; take -n 1")
        if problems:
            raise ConfigError(problems, "arguments")

    def settings(self, catalogue: Catalogue) -> dict[str, Any]:
        """What must be the same for a run to go on where another was stopped."""
        facts = facts_of(self.backend)
        model = facts["model"] if self.source is None else asdict(self.source)
        return {
            "prompts": catalogue.prompts,
            "prompts_hash": catalogue.hash,
            "responses": self.count,
            "stop_early_first": self.first,
            "seed": self.seed,
            "sampling": asdict(self.sampling) | {"stop": list(self.sampling.stop)},
            "backend": facts["backend"],
            "backend_options": facts["options"],
            "model": model.get("fingerprint", model.get("name")),
            "versions": facts["versions"],
            "scoring": self.scoring.facts(),
            "shards": self.shard.of,
        }

    def origin(self, catalogue: Catalogue) -> dict[str, Any]:
        """Where things came from, which does not matter to the result."""
        model = facts_of(self.backend)["model"] if self.source is None else asdict(self.source)
        return {"model": model, "url": self.backend.url, "data": catalogue.sources}
