"""From logits to a token: settings of a request, and the draw."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from curriculum_verl.errors import InputError

IGNORED = {"n", "logprobs", "include_stop_str_in_output", "skip_special_tokens", "spaces_between_special_tokens"}
KNOWN = {"temperature", "top_p", "top_k", "repetition_penalty", "max_tokens", "max_new_tokens", "seed", "ignore_eos"}


@dataclass(frozen=True, slots=True)
class Settings:
    """How one request samples. Temperature 0 is greedy."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = -1
    max_tokens: int | None = None
    seed: int | None = None
    ignore_eos: bool = False

    @property
    def greedy(self) -> bool:
        """Whether the best token is taken."""
        return self.temperature == 0

    @property
    def filtered(self) -> bool:
        """Whether some tokens are out of the question."""
        return not self.greedy and (self.top_k > 0 or self.top_p < 1)

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> "Settings":
        """From verl's sampling parameters; refuse what would silently be ignored."""
        unknown = sorted(set(params) - KNOWN - IGNORED)
        if unknown:
            raise ValueError(
                f"the rollout hf_cpu does not know the sampling parameters {unknown}; it knows {sorted(KNOWN)}"
            )
        if params.get("repetition_penalty", 1.0) != 1.0:
            raise ValueError(
                f"the rollout hf_cpu has no repetition_penalty, got {params['repetition_penalty']}; "
                "leave it at 1.0 (with any other value the log-probs would not be those of the actor)"
            )
        return cls(
            temperature=float(params.get("temperature", 1.0)),
            top_p=float(params.get("top_p", 1.0)),
            top_k=int(params.get("top_k", -1)),
            max_tokens=params.get("max_tokens", params.get("max_new_tokens")),
            seed=params.get("seed"),
            ignore_eos=bool(params.get("ignore_eos", False)),
        )


def draw(logits: torch.Tensor, settings: Sequence[Settings], randoms: Sequence[float]) -> tuple[list[int], list[float]]:
    """A token for each row, and its log-prob under the temperature alone.

    top_p and top_k steer the draw, but the actor that the log-prob is compared with knows nothing of them.
    """
    place = logits.device
    temperatures = torch.tensor([1.0 if s.greedy else s.temperature for s in settings], device=place)
    log_probs = torch.log_softmax(logits.float() / temperatures[:, None], dim=-1)
    probs = log_probs.double().exp()
    for row, s in enumerate(settings):
        if s.filtered:
            probs[row] = _filtered(probs[row], s)
    mass = probs.cumsum(-1)
    if not mass[:, -1].isfinite().all():
        raise InputError(
            "the model gives logits that are no numbers (NaN or infinite), so no token can be drawn: its weights are "
            "broken or have diverged, or they overflow in this dtype"
        )
    wanted = torch.tensor(randoms, dtype=torch.float64, device=place)[:, None] * mass[:, -1:]
    tokens = torch.searchsorted(mass, wanted, right=True)[:, 0].clamp_(max=logits.shape[-1] - 1)
    greedy = torch.tensor([s.greedy for s in settings], device=place)
    tokens = torch.where(greedy, logits.argmax(-1), tokens)
    return tokens.tolist(), log_probs.gather(-1, tokens[:, None])[:, 0].tolist()


def _filtered(probs: torch.Tensor, settings: Settings) -> torch.Tensor:
    """Nothing but the top_k most probable tokens, and of those the fewest that hold top_p of the mass."""
    ordered, order = probs.sort(descending=True, stable=True)
    if settings.top_k > 0:
        ordered[settings.top_k :] = 0
    before = ordered.cumsum(0) - ordered
    ordered[before >= settings.top_p * math.fsum(ordered.tolist())] = 0
    return torch.zeros_like(probs).scatter_(0, order, ordered)
