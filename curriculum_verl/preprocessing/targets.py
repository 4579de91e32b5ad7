"""What is written where: the names of the files of every data set that one call makes."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from curriculum_verl.errors import InputError
from curriculum_verl.manifest import DataFile, manifest_kind, read_manifest
from curriculum_verl.outputs import unfinished
from curriculum_verl.preprocessing.settings import Settings

SHOWN = 6  # file names in a message
SIDES = ("train", "val")
LONGEST = 240 - len("_train-00000-of-00000.parquet")  # bytes; no system takes more than 255 for a file's name
LONGEST_JOINED = 150


@dataclass(frozen=True, slots=True)
class Target:
    """A data set with a manifest of its own: its buckets, each in files of its own or, under a name, all in one."""

    buckets: tuple[str, ...]
    name: str | None = None

    @property
    def manifest(self) -> str:
        """The file name of its manifest."""
        return self._named("manifest.json")

    @property
    def prompts(self) -> str:
        """The file name of what is known of every training prompt."""
        return self._named("prompts.npy")

    @property
    def rejects(self) -> str:
        """The file name of the lines that could not be used."""
        return self._named("rejects.jsonl")

    def _named(self, ending: str) -> str:
        return ending if self.name is None else f"{self.name}.{ending}"

    def stem(self, bucket: str, side: str) -> str:
        """The name, without ending, of the file in which a bucket's rows of one side stand."""
        return f"{bucket if self.name is None else self.name}_{side}"

    def files_in(self, folder: Path) -> list[str]:
        """Those of its files, in whole or in parts, that a folder holds."""
        stems = {self.stem(bucket, side) for bucket in self.buckets for side in SIDES}
        own = {self.manifest, self.prompts, self.rejects}
        names = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
        part = re.compile(r"(-\d{5,}-of-\d{5,})?\.parquet$")
        return [name for name in names if name in own or (part.search(name) and part.sub("", name) in stems)]


def targets_of(settings: Settings, buckets: Sequence[str]) -> list[Target]:
    """The data sets that are asked for, of these buckets, easiest first."""
    if settings.cumulative:
        made = [Target(tuple(buckets[:end]), _joined(buckets[:end])) for end in range(1, len(buckets) + 1)]
    else:
        made = [Target(tuple(buckets), settings.output_name if settings.combine else None)]
    for target in made:
        for name in target.buckets if target.name is None else [target.name]:
            if not name or name.startswith(".") or "/" in name or "\0" in name:
                raise InputError(f"got the name {name!r} for a file, expected one without '/' and '.' at its start")
            if _length(name) > LONGEST:
                raise InputError(
                    f"got the name {name!r} of {_length(name)} bytes for a file, expected at most {LONGEST}; give the "
                    "bucket a shorter one (bucket_rollouts_by_difficulty.py --bucket-names), or use --combine and a "
                    "short --output-name"
                )
    return made


def _joined(buckets: Sequence[str]) -> str:
    """The name of a combination: all of its buckets, or the first and the last where that would be too long."""
    name = "+".join(buckets)
    return name if _length(name) <= LONGEST_JOINED else f"{buckets[0]}..{buckets[-1]}"


def _length(name: str) -> int:
    return len(name.encode(errors="surrogatepass"))


def refuse_used(folder: Path, targets: Iterable[Target], overwrite: bool) -> None:
    """An error if any file of the data sets is there already, unless that may be replaced."""
    targets = list(targets)
    for target in targets:
        if manifest_kind(folder / target.manifest) == "buckets":
            raise InputError(f"{folder}: is a bucket folder, expected another: its manifest must not be replaced")
    used = list(dict.fromkeys(name for target in targets for name in target.files_in(folder)))
    if used and not overwrite:
        raise InputError(
            f"{folder}: holds {_shown(used)}; choose another folder or --output-name, or --overwrite, "
            "which replaces what an earlier run of the same name made and leaves all else alone"
        )
    for manifest in set(folder.glob("*manifest.json")) - {folder / target.manifest for target in targets}:
        theirs = [file.path for file in _listed(manifest) if file.path in used]
        if theirs:
            raise InputError(
                f"{folder}: holds {_shown(theirs)}, which {manifest.name} names too and which would not be replaced "
                "with it; choose another folder or --output-name"
            )


def _shown(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def outdated_files(folder: Path, targets: Iterable[Target]) -> list[str]:
    """The files of an earlier run that the data sets replace: of the same names, or named by the same manifest."""
    targets = list(targets)
    others = set(folder.glob("*manifest.json")) - {folder / target.manifest for target in targets}
    kept = {file.path for manifest in others for file in _listed(manifest)}
    found = [name for target in targets for name in target.files_in(folder)]
    for target in targets:
        for manifest in (target.manifest, unfinished(target.manifest)):
            found += [file.path for file in _listed(folder / manifest)]
    return [name for name in dict.fromkeys(found) if name not in kept and (folder / name).is_file()]


def _listed(manifest: Path) -> list[DataFile]:
    try:
        return read_manifest(manifest).files if manifest.is_file() else []
    except InputError:  # it is to be replaced, whatever it is
        return []
