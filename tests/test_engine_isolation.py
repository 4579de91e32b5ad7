"""The engine decides without a model: importing it loads, and even tries to load, no heavy module."""

import re
import subprocess
import sys
from pathlib import Path

import curriculum_verl

HEAVY = ("torch", "verl", "ray", "transformers", "gradio", "pandas", "vllm", "peft", "wandb", "matplotlib", "pyarrow")

PROBE = f"""
import importlib, pkgutil, sys

class Watch:
    tried = []
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {HEAVY!r}:
            self.tried.append(name)
        return None

sys.meta_path.insert(0, Watch())
import curriculum_verl.curriculum
for name in ("difficulty", "buckets", "manifest"):
    importlib.import_module("curriculum_verl." + name)
for package in ("curriculum", "curriculum.policies", "rewards", "rewards.sandbox", "rewards.verifiers"):
    module = importlib.import_module("curriculum_verl." + package)
    for info in pkgutil.iter_modules(module.__path__, module.__name__ + "."):
        importlib.import_module(info.name)
loaded = sorted(set(sys.modules) & set({HEAVY!r}))
modules = sum(name.startswith("curriculum_verl") for name in sys.modules)
print("tried", Watch.tried, "loaded", loaded, "modules", modules)
"""


def test_importing_the_engine_loads_no_heavy_module() -> None:
    run = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
    assert run.stdout.startswith("tried [] loaded [] modules ")
    folder = Path(curriculum_verl.__file__).parent
    engine = [path for package in ("curriculum", "rewards") for path in (folder / package).rglob("*.py")]
    assert int(run.stdout.split()[-1]) > len(engine), "every module of the engine was imported"


def test_the_probe_sees_an_import_even_where_the_module_is_not_installed() -> None:
    guarded = "try:\n    import verl\nexcept ImportError:\n    pass\n"
    spoiled = PROBE.replace("import curriculum_verl.curriculum\n", guarded, 1)
    run = subprocess.run([sys.executable, "-c", spoiled], capture_output=True, text=True, check=True)
    assert run.stdout.startswith("tried ['verl'")


ENGINE = ("curriculum", "schema", "errors", "atomic", "dotted", "manifest", "difficulty", "buckets")


def test_the_engine_imports_nothing_of_the_layers_above_it() -> None:
    folder = Path(curriculum_verl.__file__).parent
    sources = [source for name in ENGINE for source in (folder / name).rglob("*.py") or [folder / f"{name}.py"]]
    sources += [folder / f"{name}.py" for name in ENGINE if (folder / f"{name}.py").exists()]
    imported = {
        match[1]: source.name
        for source in sources
        for match in re.finditer(r"^\s*(?:from|import) curriculum_verl\.(\w+)", source.read_text(), re.MULTILINE)
    }
    assert len(imported) >= 5
    assert not {name: source for name, source in imported.items() if name not in ENGINE}
