"""Rollouts by the real vLLM's offline engine on a CPU; `make test-vllm` installs and runs it."""

import gc
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

if find_spec("vllm") is None:
    pytest.skip("`make test-vllm` installs vLLM and runs this", allow_module_level=True)

from integration.verl_toy import teach, write_model

from curriculum_verl.generation.backend import Backend, Request, Sampling
from curriculum_verl.generation.backends.vllm import Vllm
from curriculum_verl.generation.building import build_backend
from curriculum_verl.generation.settings import BackendSettings, Kind

pytestmark = pytest.mark.filterwarnings("ignore")  # vLLM's own

SUMS = [(f"{a}+{b}=?", str(a + b)) for a in range(6) for b in range(6)]
ON_A_CPU = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_OFFLINE": "1",
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    write_model(folder, hidden=128)  # vLLM's attention on a CPU wants heads of 32 or more
    teach(folder, SUMS, steps=150)
    return folder


def generate(model: Path, data: Path, out: Path, *more: str) -> str:
    command = [sys.executable, "-m", "curriculum_verl.cli", "generate", "--model", str(model), "--data", str(data)]
    command += ["--out", str(out), "--backend", "vllm", "-n", "4", "--max-tokens", "6", "--verifier", "exact"]
    command += ["--dtype", "float32", "--eager", "--context", "64", *more]
    done = subprocess.run(command, env=os.environ | ON_A_CPU, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "sums.jsonl"
    rows = [{"id": question, "prompt": question, "ground_truth": answer} for question, answer in SUMS]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def lines(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "rollouts.jsonl").read_text().splitlines()]


def test_every_prompt_has_its_responses_with_scores(model: Path, data: Path, tmp_path: Path) -> None:
    said = generate(model, data, tmp_path / "out", "--stop-early", "--first", "2")
    found = lines(tmp_path / "out")
    assert [line["id"] for line in found] == [question for question, _ in SUMS]
    assert {len(line["response"]) for line in found} <= {2, 4}
    right = [score for line in found for score in line["reward"]]
    assert sum(right) > len(right) / 3, "the model that was taught is the one that answers"
    assert "stopped early" in said
    manifest = json.loads((tmp_path / "out" / "generation.json").read_text())
    assert manifest["settings"]["versions"]["vllm"]


@pytest.fixture(scope="module")
def on_vllm(model: Path) -> Iterator[Backend]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ON_A_CPU.items():
            patch.setenv(name, value)
        with loaded(model) as backend:
            yield backend


@contextmanager
def loaded(path: Path) -> Iterator[Backend]:
    """VLLM leaves its sockets to the collector, which warns of them: here, and not when pytest ends."""
    with closing(build_backend(settings("vllm", path))) as backend:
        yield backend
    del backend
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()


def settings(kind: Kind, path: Path) -> BackendSettings:
    return BackendSettings(kind, str(path), dtype="float32", context=64, eager=True, refused="skip")


def request(question: str, count: int, seed: int = 0, first: int = 0) -> Request:
    return Request(question, [{"role": "user", "content": question}], count, seed, first)


def greedy(backend: Backend) -> dict[str, str]:
    asked = [request(question, 1) for question, _ in SUMS]
    return {asked.id: made[0].text for asked, made in backend.sample(asked, Sampling(temperature=0, max_tokens=6))}


@pytest.fixture
def adapter(model: Path, tmp_path: Path) -> Path:
    """One that makes the model say something else."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    config = LoraConfig(r=8, lora_alpha=64, target_modules=["q_proj", "v_proj", "down_proj"], init_lora_weights=False)
    torch.manual_seed(1)
    network = get_peft_model(AutoModelForCausalLM.from_pretrained(model), config)
    network.peft_config["default"].base_model_name_or_path = str(model)
    network.save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


def test_greedy_responses_are_those_of_transformers(model: Path, on_vllm: Backend) -> None:
    with closing(build_backend(settings("hf", model))) as backend:
        assert greedy(on_vllm) == greedy(backend)


def test_with_an_adapter_too(model: Path, adapter: Path, on_vllm: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ON_A_CPU.items():
        monkeypatch.setenv(name, value)
    with closing(build_backend(settings("hf", adapter))) as backend:
        expected = greedy(backend)
    with loaded(adapter) as backend:
        assert greedy(backend) == expected
    assert greedy(on_vllm) != expected


def test_a_response_depends_on_its_seed_and_its_number(on_vllm: Backend) -> None:
    asked = [request(question, 3, seed) for seed, (question, _) in enumerate(SUMS[:8])]
    later = [request(one.id, 2, one.seed, first=1) for one in asked[:3]]
    found, alone = (
        {one.id: [response.text for response in made] for one, made in on_vllm.sample(some, Sampling(max_tokens=6))}
        for some in (asked, later)
    )
    assert alone == {one.id: found[one.id][1:] for one in later}
    assert len({text for texts in found.values() for text in texts}) > 3


def test_a_prompt_that_is_too_long_is_told(on_vllm: Backend) -> None:
    assert isinstance(on_vllm, Vllm)
    [(asked, made)] = on_vllm.sample([request("1" * 100, 1)], Sampling(max_tokens=6))
    assert made == []
    assert on_vllm.refused[asked.id].kind == "prompt_too_long"
