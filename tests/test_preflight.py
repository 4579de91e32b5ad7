"""What the GRPO launch script looks at before anything starts, with the real Python."""

import os
import shutil
import socket
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from made_up_rollouts import rollout, solved, write
from omegaconf import OmegaConf

from curriculum_verl.bucketing.run import bucket_rollouts
from curriculum_verl.bucketing.settings import Settings
from curriculum_verl.parallel import InProcess
from curriculum_verl.preprocessing.run import preprocess
from curriculum_verl.preprocessing.settings import Settings as DataSettings

FOLDER = Path(__file__).parent.parent / "recipes" / "grpo_curriculum"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model as far as anything looks at it before it is loaded."""
    folder = tmp_path_factory.mktemp("model")
    (folder / "config.json").write_text('{"dtype": "bfloat16"}')
    (folder / "tokenizer.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(bytes(2000))
    return folder


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("some data")
    write(folder / "rollouts.jsonl", [rollout(n, solved(n % 10, 10)) for n in range(200)])
    bucket_rollouts([folder / "rollouts.jsonl"], folder / "bucketed", Settings(), InProcess(), report=False)
    preprocess(folder / "bucketed", folder / "my data", DataSettings(), InProcess())
    return folder / "my data" / "manifest.json"


def test_all_that_is_missing_is_said_together(
    preflight: ModuleType, tmp_path: Path, manifest: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    pytest.importorskip("verl")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").mkdir()
    (tmp_path / "checkpoints/curriculum_verl/three_stages/global_step_5").mkdir(parents=True)
    data = shutil.copytree(manifest.parent, tmp_path / "data") / "manifest.json"
    (data.parent / "easy_val.parquet").unlink()
    told = ["--model", "model", "--", str(FOLDER / "three_stages.yaml"), f"curriculum.data='{data}'"]
    overrides = ["curriculum.stages.0.mix.easy=0.5", "trainer.nnodes=2", "actor_rollout_ref.actor.clip_ratio=high"]
    assert preflight.main([*told, *overrides]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("  - "), "verl's own words are elsewhere"
    for words in (
        "model model: lacks config.json, a tokenizer",
        "easy_val.parquet: there is no such file",
        "got shares that sum to 0.5",
        "holds a run (global_step_5): --resume goes on with it, --fresh moves it aside",
        "vllm is not installed",
        "trainer.nnodes=2 needs an existing Ray cluster",
    ):
        assert words in "\n".join(said)
    assert preflight.main([*told, "trainer.experimen_name=x"]) == 1
    unknown = "three_stages.yaml cannot be composed: Could not override 'trainer.experimen_name'"
    assert unknown in capsys.readouterr().out


def test_what_verl_does_not_take_is_said_beside_it(
    preflight: ModuleType, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    pytest.importorskip("verl")
    monkeypatch.chdir(tmp_path)
    told = ["--model", str(model), "--", str(FOLDER / "three_stages.yaml"), "actor_rollout_ref.rollout.name=hf_cpu"]
    loss = "actor_rollout_ref.actor.loss_agg_mode=mean"
    assert preflight.main([*told, "trainer.n_gpus_per_node=0", loss]) == 1
    said = capsys.readouterr().out
    assert "curriculum.data: is missing" in said
    assert "verl does not take the config: " in said
    assert "Invalid loss_agg_mode: mean" in said


def test_when_nothing_is_missing_it_is_ready(tmp_path: Path, model: Path, manifest: Path) -> None:
    pytest.importorskip("verl")
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "VERL_"))}
    told = ["three_stages", "--model", model, "--data", manifest, "--cpu", "--dry-run", "data.train_batch_size=8"]
    done = subprocess.run(
        [FOLDER / "run.sh", *told, "trainer.experiment_name='my run'"],
        cwd=tmp_path,
        env=bare | {"PYTHON": sys.executable},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"ready to train; output: {tmp_path}/checkpoints/curriculum_verl/my run\n" in done.stdout + done.stderr
    assert not (tmp_path / "checkpoints").exists()


@pytest.fixture
def preflight(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(FOLDER)
    import preflight

    return preflight


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(FOLDER)
    import checks

    return checks


def test_python_is_looked_at(checks: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("verl")
    assert list(checks.check_python()) == []
    monkeypatch.setenv("VERL_USE_EXTERNAL_PLUGINS", "other")
    assert "keeps the plug-in out" in "".join(checks.check_python())
    monkeypatch.setenv("VERL_USE_EXTERNAL_PLUGINS", "other, curriculum_verl")
    assert list(checks.check_python()) == []
    monkeypatch.setattr(checks, "version", lambda name: "0.10.1")
    monkeypatch.setattr(checks, "entry_points", lambda group: [SimpleNamespace(name="other")])
    assert len(found := list(checks.check_python())) == 2
    assert "got verl 0.10.1, expected 0.9.x" in found[0]
    assert "verl cannot find the plug-in, only other" in found[1]

    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(checks, "version", missing)
    assert "verl is not installed in" in next(checks.check_python())


def test_a_model_is_whole_or_a_name(checks: ModuleType, model: Path, tmp_path: Path) -> None:
    for whole in (str(model), "Qwen/Qwen3-1.7B", "gpt2"):
        assert list(checks.check_model(whole)) == []
    for none in ("/no/such/folder", "./models/tiny", "a/b/c", str(tmp_path / "none")):
        assert "there is no such folder" in "".join(checks.check_model(none))
    copy = shutil.copytree(model, tmp_path / "copy")
    (copy / "tokenizer.json").unlink()
    (copy / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model.safetensors", "b": "gone"}}')
    assert "lacks a tokenizer (tokenizer.json or tokenizer.model or vocab.json), gone:" in "".join(
        checks.check_model(str(copy))
    )


def config(**trainer: Any) -> Any:
    usual = {"nnodes": 1, "n_gpus_per_node": 4, "device": "cuda", "save_freq": 20, "max_actor_ckpt_to_keep": 2}
    return OmegaConf.create(
        {
            "trainer": usual | trainer,
            "curriculum": {"stages": [{}, {}, {}]},
            "actor_rollout_ref": {"model": {"lora_rank": 0}},
        }
    )


@pytest.mark.parametrize(("found", "words"), [(4, ""), (2, "trainer.n_gpus_per_node=2"), (0, "train with --cpu")])
def test_gpus_are_counted(checks: ModuleType, monkeypatch: pytest.MonkeyPatch, found: int, words: str) -> None:
    device = pytest.importorskip("verl.utils.device")
    monkeypatch.setattr(device, "get_torch_device", lambda: SimpleNamespace(device_count=lambda: found))
    said = list(checks.check_devices(config(), None))
    assert bool(said) == bool(words)
    assert words in "".join(said)
    assert list(checks.check_devices(config(device="cpu"), None)) == []


def test_gpus_of_a_cluster_are_counted_by_node(checks: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [{"Alive": alive, "Resources": {"GPU": gpus}} for alive, gpus in ((True, 8), (True, 2), (False, 8))]
    ray = SimpleNamespace(init=lambda *_, **__: None, nodes=lambda: nodes, shutdown=lambda: None)
    monkeypatch.setitem(sys.modules, "ray", ray)
    assert list(checks.check_devices(config(), "auto")) == []
    said = "".join(checks.check_devices(config(nnodes=2), "auto"))
    assert "have 8, 2 GPUs, expected 2 nodes with 4" in said
    assert "a Ray of its own" in "".join(checks.check_devices(config(device="cpu"), "auto"))
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # taken, and nobody listens
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
        assert "no Ray cluster answers" in "".join(checks.check_devices(config(), address))


def test_room_for_checkpoints_is_measured(
    checks: ModuleType, monkeypatch: pytest.MonkeyPatch, model: Path, tmp_path: Path
) -> None:
    needed = (2 + 1 + 2) * 1000 * 12  # two kept, one being written, two transitions; a thousand parameters
    for free, enough in ((needed, True), (needed - 1, False)):
        monkeypatch.setattr(checks.shutil, "disk_usage", lambda _, free=free: SimpleNamespace(free=free))
        said = list(checks.check_disk(config(), tmp_path / "not" / "there", str(model)))
        assert said == [] if enough else f"{tmp_path}: has 0.0 GB free, 5 checkpoints" in said[0]
    never = config(save_freq=-1)
    never.curriculum.checkpoint_stages = False
    assert list(checks.check_disk(never, tmp_path, str(model))) == []
    assert list(checks.check_disk(config(), tmp_path, "name/on_the_hub")) == []


def test_runs_are_not_mixed(checks: ModuleType, tmp_path: Path) -> None:
    def said(resume: str | None = None, fresh: bool = False, folder: Path = tmp_path, shared: bool = False) -> str:
        return "".join(checks.check_output(folder, resume, fresh, shared))

    assert said() == ""
    (tmp_path / "hydra").mkdir()
    assert said() == "", "a run that never saved anything is none"
    (tmp_path / "curriculum.jsonl").touch()
    assert "holds a run (curriculum.jsonl)" in said()
    assert said(resume="auto") == said(fresh=True) == ""
    step = tmp_path / "global_step_3"
    (step / "actor").mkdir(parents=True)
    assert "expected a folder global_step_N that holds actor and curriculum.json" in said(resume=str(step))
    (step / "curriculum.json").touch()
    assert said(resume=str(step)) == ""
    assert "expected an absolute path" in said(folder=Path("checkpoints/x"), shared=True)
