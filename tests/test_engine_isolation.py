"""The engine decides without a model: importing it loads, and even tries to load, no heavy module."""

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
for package in ("curriculum", "curriculum.policies"):
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
    engine = list((Path(curriculum_verl.__file__).parent / "curriculum").rglob("*.py"))
    assert int(run.stdout.split()[-1]) > len(engine), "every module of the engine was imported"


def test_the_probe_sees_an_import_even_where_the_module_is_not_installed() -> None:
    guarded = "try:\n    import verl\nexcept ImportError:\n    pass\n"
    spoiled = PROBE.replace("import curriculum_verl.curriculum\n", guarded, 1)
    run = subprocess.run([sys.executable, "-c", spoiled], capture_output=True, text=True, check=True)
    assert run.stdout.startswith("tried ['verl']")


def test_the_engine_imports_nothing_of_the_layers_above_it() -> None:
    folder = Path(curriculum_verl.__file__).parent
    layers = [path.stem for path in folder.iterdir() if path.stem in ("commands", "simulation", "cli", "describe")]
    assert len(layers) == 4
    for source in (folder / "curriculum").rglob("*.py"):
        text = source.read_text()
        assert not [layer for layer in layers if f"curriculum_verl.{layer}" in text], source
