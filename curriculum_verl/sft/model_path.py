"""Where a model is: a folder that must be there, or a name on the hub."""

import difflib
from pathlib import Path

from curriculum_verl.errors import InputError


def require_model(path: str) -> None:
    """Refuse what can only be a folder and is none; names on the hub are at most OWNER/NAME."""
    folder = Path(path)
    only_a_folder = folder.is_absolute() or path.startswith((".", "~")) or len(folder.parts) > 2
    if folder.exists() or not only_a_folder:
        return
    there = folder.parent
    while not there.is_dir() and there != there.parent:
        there = there.parent
    missing = folder.relative_to(there).parts[0] if folder != there else folder.name
    inside = sorted(entry.name for entry in there.iterdir() if entry.is_dir()) if there.is_dir() else []
    near = difflib.get_close_matches(missing, inside, n=1, cutoff=0.6)
    hint = f"; did you mean {there / near[0]}?" if near else ""
    raise InputError(f"model.path: there is no folder {path}, expected one with a model, or a name on the hub{hint}")
