"""What a model's path stands for: a folder of a model, or of a LoRA adapter with its base; and how to know it again."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curriculum_verl.errors import InputError
from curriculum_verl.generation.fingerprint import fingerprint

ADAPTER = "adapter_config.json"
CONFIG = "config.json"


@dataclass(frozen=True, slots=True)
class Model:
    """Folders: of the model itself, of an adapter on top of it, and of the tokenizer."""

    base: Path
    adapter: Path | None = None

    @property
    def tokenizer(self) -> Path:
        """An adapter may bring its own."""
        own = self.adapter is not None and (self.adapter / "tokenizer_config.json").is_file()
        return self.adapter if own and self.adapter is not None else self.base

    @property
    def folders(self) -> dict[str, Path]:
        """What it is made of."""
        return {"base": self.base} | ({} if self.adapter is None else {"adapter": self.adapter})

    def facts(self) -> dict[str, Any]:
        """Where the model is, and by what it is known again."""
        return {
            "path": str(self.base),
            "adapter": None if self.adapter is None else str(self.adapter),
            "fingerprint": fingerprint(self.folders),
        }


def find_model(path: str, base_model: str | None = None) -> Model:
    """The model that a path, or a name on the hub, stands for; an InputError says what is wrong with it."""
    folder = _folder(path)
    if (folder / ADAPTER).is_file():
        return Model(_base_folder(folder, base_model or _base_of(folder)), folder)
    if base_model is not None:
        raise InputError(f"{path}: has no {ADAPTER}, so that a base model has no meaning; leave it out")
    if not (folder / CONFIG).is_file():
        hint = ""
        if any(folder.glob("model_world_size_*.pt")) or (folder / "actor").is_dir():
            hint = (
                "; this is a checkpoint of verl, which has to be merged first: python -m verl.model_merger merge --help"
            )
        raise InputError(f"{path}: has neither {CONFIG} nor {ADAPTER}, expected a model or a LoRA adapter{hint}")
    return Model(folder)


def _base_folder(adapter: Path, base: str) -> Path:
    try:
        found = _folder(base)
    except InputError as error:
        raise InputError(
            f"{adapter}: is an adapter of {base}, which is not there; where it is now is said by --base-model\n{error}"
        ) from error
    if not (found / CONFIG).is_file():
        raise InputError(f"{found}: the base of the adapter {adapter} has no {CONFIG}; name another with --base-model")
    return found


def _folder(path: str) -> Path:
    folder = Path(path)
    if folder.is_dir():
        return folder
    if folder.is_absolute() or path.startswith(".") or path.count("/") != 1:
        raise InputError(f"{path}: there is no such folder, expected a model, a LoRA adapter, or a hub's owner/name")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(path))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"{path}: there is no such folder, and the hub does not give it either: {reason}") from error


def adapter_rank(adapter: Path) -> int:
    """The largest rank of a LoRA adapter."""
    config = _adapter_config(adapter)
    ranks = [config.get("r", 0), *(config.get("rank_pattern") or {}).values()]
    return max(int(rank) for rank in ranks)


def _adapter_config(adapter: Path) -> dict[str, Any]:
    try:
        config = json.loads((adapter / ADAPTER).read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{adapter / ADAPTER}: cannot be read: {error}") from error
    if not isinstance(config, dict):
        raise InputError(f"{adapter / ADAPTER}: got {type(config).__name__}, expected a mapping")
    return config


def _base_of(adapter: Path) -> str:
    base = _adapter_config(adapter).get("base_model_name_or_path")
    if not base:
        raise InputError(f"{adapter / ADAPTER}: names no base_model_name_or_path; name the base with --base-model")
    return str(base)
