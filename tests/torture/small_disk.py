"""Runs a command twice in a small file system of its own, which nobody else sees and which is gone afterwards.

unshare --mount python small_disk.py PLACE FIRST SECOND WORD ...

PLACE becomes a file system in memory with the mount options FIRST, then the same one with SECOND. What it holds in the
end is copied to PLACE.kept; what was said, and the exit codes, go to PLACE.told as JSON.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path


def main(place: Path, first: str, second: str, words: list[str]) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1g", "torture", place], check=True)
    place.joinpath("out").mkdir()  # on a disk that is only read later, too
    told = []
    for options in (first, second):
        subprocess.run(["mount", "-o", f"remount,{options}", place], check=True)
        done = subprocess.run(words, cwd=place, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        told.append({"code": done.returncode, "said": done.stdout + done.stderr})
    shutil.copytree(place, place.with_name(f"{place.name}.kept"))
    place.with_name(f"{place.name}.told").write_text(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:])
