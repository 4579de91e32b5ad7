"""`python tests/torture`: see command.py. Modules are found from the tests' folder, as pytest does it."""

import importlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

if __name__ == "__main__":
    sys.path[:1] = [str(ROOT / "tests"), str(ROOT)]
    main = importlib.import_module("torture.command").main
    sys.exit(importlib.import_module("curriculum_verl.commands.running").run("python tests/torture", main))
