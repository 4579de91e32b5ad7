"""From settings to a sandbox."""

from collections.abc import Callable

from curriculum_verl.rewards.sandbox.fusion import FusionSandbox
from curriculum_verl.rewards.sandbox.limits import SandboxSettings
from curriculum_verl.rewards.sandbox.local import LocalSandbox
from curriculum_verl.rewards.sandbox.running import Sandbox

_BACKENDS: dict[str, Callable[[SandboxSettings], Sandbox]] = {"local": LocalSandbox, "sandbox_fusion": FusionSandbox}


def build_sandbox(settings: SandboxSettings) -> Sandbox:
    """The sandbox that the settings name; InputError when it cannot be had here."""
    return _BACKENDS[settings.backend](settings)
