"""The docs are true: their commands run, and every key and parameter stands there with its default."""

import dataclasses
import importlib
import inspect
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pyarrow as pa
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from curriculum_verl import train
from curriculum_verl.commands import bucket, preprocess
from curriculum_verl.curriculum.config import (
    AdmissionConfig,
    Advance,
    CurriculumConfig,
    MetricCondition,
    Patience,
    Plateau,
    Probation,
    Rollback,
    Stage,
)
from curriculum_verl.curriculum.policies import POLICIES
from curriculum_verl.difficulty import METRICS
from curriculum_verl.preprocessing.rows import SCHEMA
from curriculum_verl.rewards.scorer import Scorer, ScoringSettings
from curriculum_verl.rewards.scoring import Response, Score
from curriculum_verl.rollouts import read_rollouts
from curriculum_verl.rollouts.content import ContentReader
from curriculum_verl.rollouts.fields import ROLES
from curriculum_verl.sft.config import (
    DataConfig,
    EvaluationConfig,
    LoraConfig,
    ModelConfig,
    TrainingConfig,
    read_config,
)
from curriculum_verl.verl_plugin.settings import PluginSettings

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *(ROOT / folder / "README.md" for folder in ("bucketing", "recipes")),
    ROOT / "CONTRIBUTING.md",
]
GUIDES = [ROOT / "docs" / f"{name}.md" for name in ("BUCKETING_GUIDE", "CURRICULUM_PIPELINE_GUIDE")]
# What sets the project up is what CI itself runs before any test.
SET_UP = re.compile(r"^(git clone|make demo|make test).*\n", re.MULTILINE)
RUN = {"bash": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}
SHOWN = {"json", "text", "yaml"}


def blocks(page: Path) -> list[tuple[str, str]]:
    """The blocks of a page in order, with their languages, set-up left out."""
    found = re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    return [(language, code) for language, text in found if (code := SET_UP.sub("", text)).strip()]


def to_run(page: Path) -> list[tuple[str, str]]:
    return [(language, code) for language, code in blocks(page) if language in RUN]


def shown(page: Path, language: str) -> list[str]:
    return [code for found, code in blocks(page) if found == language]


def lay_out(folder: Path) -> Path:
    """What a reader has in front of them, as far as the pages use it."""
    for name in ("examples", "bucketing", "recipes"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return lay_out(tmp_path)


def must_run(command: list[str], folder: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = os.environ | {"PATH": path}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout}\n{done.stderr}"
    assert done.stdout.strip(), f"{command[-1]} printed nothing"
    assert "Traceback" not in done.stderr


def run_page(page: Path, folder: Path) -> Path:
    for language, code in to_run(page):
        must_run([*RUN[language], code], folder)
    return folder


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Path, "Future[Path]"]]:
    """All pages, run two at a time, each in a folder of its own."""
    with ThreadPoolExecutor(2) as pool:
        by_length = sorted(PAGES, key=lambda page: -len(to_run(page)))
        yield {page: pool.submit(run_page, page, lay_out(tmp_path_factory.mktemp("page"))) for page in by_length}


@pytest.mark.parametrize("page", [page for page in PAGES if to_run(page)], ids=lambda page: page.name)
def test_every_block_of_a_page_runs_after_those_before_it(page: Path, pages: dict[Path, "Future[Path]"]) -> None:
    folder = pages[page].result()
    for line in "".join(shown(page, "text")).replace("\\\n", " ").splitlines():
        check_shown(shlex.split(line), folder)


def test_what_the_page_on_fine_tuning_makes_is_what_it_says(pages: dict[Path, "Future[Path]"]) -> None:
    """Its try of everything goes through stages; killed and resumed runs end; trajectories are trained on."""
    folder = pages[ROOT / "docs" / "SFT_CURRICULUM_GUIDE.md"].result() / "build"
    told = [json.loads(line) for line in (folder / "sft_demo" / "run" / "curriculum.jsonl").read_text().splitlines()]
    assert [line["step"] for line in told if line["kind"] == "step"] == list(range(1, 31))
    assert "medium_joins" in [line["target"] for line in told if line["kind"] == "advance"]
    for run, model, data in (
        ("sft_demo/run", "model", "test"),
        ("sft", "adapter_model", "validation"),
        ("sft_cota", "adapter_model", "validation"),
    ):
        assert json.loads((folder / run / "evaluation.json").read_text())["data"] == data
        assert (folder / run / "final" / f"{model}.safetensors").is_file()


def check_shown(words: list[str], folder: Path) -> None:
    """What is too long to run is a script that is there, or a training whose recipe and settings can be read."""
    if words[0] == "curriculum-verl":
        command = importlib.import_module(f"curriculum_verl.commands.{words[1].replace('-', '_')}")
        command.build_parser().parse_args(words[2:])
        return
    words = words[3:] if words[:2] == ["torchrun", "--nproc-per-node"] else words[1:]
    if words[0] != "-m":
        assert (ROOT / words[0]).is_file(), words
        return
    options = [word for word in words[2:] if "=" in word]
    if words[1] == "curriculum_verl.train":
        given = train.parse_arguments(words[2:])
        assert (folder / given.config).is_file(), words
        if given.mode == "sft":
            read_config(folder / given.config, [*options, "model.path=m", "data.train=t", "data.validation=v"])
            return
    else:
        assert words[1] == "verl.trainer.main_ppo", words
    for override in OverridesParser.create().parse_overrides(options):
        value = override.value()
        if override.key_or_group in ("data.train_files", "data.val_files"):
            for name in value if isinstance(value, list) else [value]:
                assert (folder / name).is_file(), name


def test_no_block_escapes_the_tests() -> None:
    for page in PAGES:
        assert {language for language, _ in blocks(page)} <= RUN.keys() | SHOWN, page
    assert sum(len(to_run(page)) for page in PAGES) >= 30


def test_the_component_that_the_page_on_rewards_shows_scores_in_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [code] = [code for language, code in to_run(ROOT / "docs" / "rewards.md") if code.startswith('"""my_rewards.py')]
    assert len(code.split("\n\n\nprint")[0].splitlines()) <= 20
    (tmp_path / "my_rewards.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    settings = ScoringSettings(parameters={"brevity": {"free": 10}})
    scorer = Scorer(settings, ["final", "brevity"], {"brevity": "my_rewards:Brevity"})
    assert scorer.score(Response("x" * 15))["brevity"] == Score(0.5, {"steps": 1.0})
    assert scorer.score(Response(""))["brevity"].failure == "empty response"


SCRIPTS = ["examples/quickstart.py", "-m examples.custom_metric", "examples/example_bucketing_usage.py"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_example_runs(script: str, checkout: Path) -> None:
    must_run([sys.executable, *script.split()], checkout)


def test_the_example_rollouts_are_what_their_script_makes(checkout: Path) -> None:
    made = checkout / "examples" / "rollouts" / "arithmetic.jsonl"
    shipped = made.read_bytes()
    made.unlink()
    must_run([sys.executable, "examples/make_rollouts.py"], checkout)
    assert made.read_bytes() == shipped
    assert len(shipped) < 150_000
    for rollout in read_rollouts(made):
        if not rollout.ground_truth_is_json:
            right = [float(text.endswith(f"= {rollout.ground_truth}")) for text in rollout.responses]
            assert right == rollout.scores


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_rows_that_are_shown_are_rows_that_are_read_or_written(page: Path) -> None:
    rows = [json.loads(code) for code in shown(page, "json")]
    assert rows
    for row in rows:
        if "reward_model" in row:
            assert pa.Table.from_pylist([row], SCHEMA).to_pylist() == [row]
        else:
            assert ContentReader(ROLES).rollout(json.dumps(row).encode()).scores


@pytest.mark.parametrize(
    ("page", "command"),
    [(GUIDES[0], bucket), (GUIDES[1], preprocess)],
    ids=lambda it: it.__name__.split(".")[-1] if inspect.ismodule(it) else it.name,
)
def test_every_option_is_documented(page: Path, command: ModuleType) -> None:
    text = page.read_text()
    options = [max(action.option_strings, key=len) for action in command.build_parser()._actions]
    for option in {*options} - {"--help"}:
        short = {"--input": "-i", "--output": "-o", "--metric": "-m", "--num-buckets": "-n"}.get(option, option)
        assert re.search(rf"(?<![\w-]){short}(?![\w-])", text), option


def test_every_metric_and_every_reason_is_documented() -> None:
    text = "".join(page.read_text() for page in GUIDES)
    assert all(f"`{metric}`" in text for metric in METRICS)
    code = "".join(
        path.read_text()
        for package in ("rollouts", "bucketing", "preprocessing")
        for path in (ROOT / "curriculum_verl" / package).glob("*.py")
    )
    reasons = re.findall(r'LineError\(\s*"(\w+)"|reasons\[\w.*\] = "(\w+)"', code)
    assert len(reasons) >= 15
    assert all(f"`{one or other}`" in text for one, other in reasons)


TABLES = {
    CurriculumConfig: ("recipe", "# The recipe, key by key"),
    Stage: ("recipe", "## A stage"),
    Advance: ("recipe", "## `advance`"),
    Rollback: ("recipe", "## `rollback`"),
    Probation: ("recipe", "## `probation`"),
    PluginSettings: ("recipe", "## For verl's trainer"),
    ModelConfig: ("SFT_CURRICULUM_GUIDE", "### `model`"),
    DataConfig: ("SFT_CURRICULUM_GUIDE", "### `data`"),
    TrainingConfig: ("SFT_CURRICULUM_GUIDE", "### `training`"),
    EvaluationConfig: ("SFT_CURRICULUM_GUIDE", "### `evaluation`"),
    LoraConfig: ("SFT_CURRICULUM_GUIDE", "### `lora`"),
}


@pytest.mark.parametrize("config", TABLES)
def test_every_key_of_a_recipe_is_documented_with_its_default(config: type) -> None:
    name, heading = TABLES[config]
    page = (ROOT / "docs" / f"{name}.md").read_text()
    section = re.search(rf"^{re.escape(heading)}$.*?(?=^##|\Z)", page, re.DOTALL | re.MULTILINE)
    assert section is not None
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]*?) \|", section.group(), re.MULTILINE))
    assert {field.name for field in dataclasses.fields(config)} == rows.keys()
    for field in dataclasses.fields(config):
        shown = rows[field.name].strip("`")
        if isinstance(field.default, bool):
            assert shown == str(field.default).lower()
        elif isinstance(field.default, int | float):
            assert float(shown) == field.default
        elif isinstance(field.default, str):
            assert shown == field.default
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            assert shown == "required"


@pytest.mark.parametrize("config", [MetricCondition, Plateau, Patience, AdmissionConfig])
def test_every_key_of_a_condition_and_of_admission_is_documented(config: type) -> None:
    page = (ROOT / "docs" / "recipe.md").read_text()
    assert all(re.search(rf"\b{field.name}\b", page) for field in dataclasses.fields(config))


@pytest.mark.parametrize("name", POLICIES)
def test_every_parameter_of_a_policy_is_documented_with_its_default(name: str) -> None:
    page = (ROOT / "docs" / "policies.md").read_text()
    section = re.search(rf"^\| `{name}` \| `.*?(?=^\| `\w+` \| `|\Z)", page, re.DOTALL | re.MULTILINE)
    parameters = [p for p in inspect.signature(POLICIES[name]).parameters.values() if p.name != "pools"]
    if not parameters:
        assert name in ("uniform", "mixture")
        return
    assert section is not None
    for parameter in parameters:
        row = re.search(rf"^\|[^|]*\| `{parameter.name}` \| ([^|]*) \|", section.group(), re.MULTILINE)
        assert row is not None, parameter.name
        if isinstance(parameter.default, float | int):
            assert float(row.group(1)) == parameter.default


def test_every_link_between_pages_leads_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            assert "://" in target or (page.parent / target).exists(), f"{page.name}: {target}"
