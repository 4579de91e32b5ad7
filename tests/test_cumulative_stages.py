"""One run a stage: what the driver does and in which order, whatever kills it; trainer and evaluation are stand-ins."""

import json
import os
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import yaml
from made_up_rollouts import rollout, solved, write

from curriculum_verl.bucketing.run import bucket_rollouts
from curriculum_verl.bucketing.settings import Settings
from curriculum_verl.curriculum import Curriculum, load_config
from curriculum_verl.errors import ConfigError
from curriculum_verl.parallel import InProcess
from curriculum_verl.preprocessing.run import preprocess
from curriculum_verl.preprocessing.settings import Settings as DataSettings

FOLDER = Path(__file__).parent.parent / "recipes" / "grpo_curriculum"
SCRIPT = FOLDER / "run_cumulative_stages.sh"
PATIENCE = 120  # seconds until a stand-in must have got to work, or all must have ended
STAGES = ("easy", "easy_medium", "easy_medium_hard")
# In the place of Python: trainer and evaluation are those below, looks find what `problems` says.
PYTHON = """#!/usr/bin/env bash
case "$*" in
    "-c "*) exit 0 ;;
    *preflight.py*)
        if [[ -n ${{problems-}} ]]; then echo "$problems" && exit 1; fi
        echo "$PWD/out" ;;
    *main_ppo*) exec {python} {folder}/trainer.py "$@" ;;
    *"curriculum_verl.cli evaluate"*"--dry-run"*)
        if [[ -n ${{refused-}} ]]; then echo "$refused" >&2 && exit 1; fi ;;
    *"curriculum_verl.cli evaluate"*) exec {python} {folder}/evaluate.py "$@" ;;
    *next_stage.py*)
        if [[ ${{dies-}} == next ]]; then exec {python} -c 'import moments; moments.reach("next")'; fi
        exec {python} "$@" ;;
    *) exec {python} "$@" ;;
esac
"""
MOMENTS = '''
import json, os, signal
from pathlib import Path

import psutil

def note(**line):
    with open("journal.jsonl", "a") as file:
        file.write(json.dumps(line) + "\\n")

def reach(moment):
    """Everything of the session is killed here, or hangs, or fails, if a test says so."""
    if os.environ.get("dies") == moment:
        for process in psutil.process_iter():
            if process.pid != os.getpid() and os.getsid(process.pid) == os.getsid(0):
                process.kill()
        os.kill(os.getpid(), signal.SIGKILL)
    if os.environ.get("hangs") == moment:
        Path("pipe").write_text("here")
        signal.pause()
    if os.environ.get("fails") == moment:
        raise SystemExit(7)
'''
# Draws by the engine, and its weights are the steps that they were trained in.
TRAINER = """
import sys
from pathlib import Path

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from moments import note, reach

from curriculum_verl.curriculum import Curriculum
from curriculum_verl.verl_plugin.settings import engine_part

arguments = sys.argv[sys.argv.index("--config-path"):]
config = yaml.safe_load(Path(arguments[1], arguments[3] + ".yaml").read_text())
told = {o.key_or_group: o.value() for o in OverridesParser.create().parse_overrides(arguments[4:])}
root = Path(config["trainer"]["default_local_dir"])
tracker = root / "latest_checkpointed_iteration.txt"
block = engine_part(config["curriculum"]) | {"data": told["curriculum.data"]}
curriculum = Curriculum.from_config({"curriculum": block})
weights = ""
if tracker.exists():
    last = root / f"global_step_{tracker.read_text()}"
    curriculum.load(last / "curriculum.json")
    weights = (last / "actor" / "weights").read_text()
while curriculum.step < config["trainer"]["total_training_steps"] and not curriculum.stopped:
    step = curriculum.step + 1
    draw = curriculum.draw(4)
    note(step=step, stage=curriculum.stage.name, prompts=draw.prompts.tolist())
    reach(f"step {step}")
    curriculum.observe(step, draw.prompts, [[1.0, 0.0]] * 4)
    weights += f"{step} "
    folder = root / f"global_step_{step}"
    (folder / "actor").mkdir(parents=True, exist_ok=True)
    (folder / "actor" / "weights").write_text(weights)
    (folder / "rewards.json").write_text("{}")
    curriculum.save(folder / "curriculum.json")
    tracker.write_text(str(step))
    reach(f"saved {step}")
"""
EVALUATE = """
import json, sys
from pathlib import Path

from moments import note, reach

arguments = sys.argv[1:]
models = dict(a.split("=") for a in arguments[arguments.index("--model") + 1 : arguments.index("--data")])
assert all(Path(model).is_dir() for name, model in models.items() if name != "before"), models
reach(f"evaluate {[*models][-1]}")
note(evaluated=[*models])
Path(arguments[arguments.index("--out") + 1]).write_text(json.dumps({"models": [{"name": name} for name in models]}))
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("some data")
    write(folder / "rollouts.jsonl", [rollout(n, solved(n % 10, 10)) for n in range(60)])
    bucket_rollouts([folder / "rollouts.jsonl"], folder / "bucketed", Settings(), InProcess(), report=False)
    preprocess(folder / "bucketed", folder / "data", DataSettings(), InProcess())
    return folder / "data" / "manifest.json"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the driver is started; its name has a blank in it."""
    folder = tmp_path / "a folder"
    folder.mkdir()
    for name, text in (("trainer.py", TRAINER), ("evaluate.py", EVALUATE), ("moments.py", MOMENTS)):
        (folder / name).write_text(text)
    (folder / "python").write_text(PYTHON.format(python=shlex.quote(sys.executable), folder=shlex.quote(str(folder))))
    (folder / "python").chmod(0o755)
    return folder


def start(folder: Path, data: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "VERL_"))}
    own = {"PYTHON": str(folder / "python"), "RAY_TMPDIR": str(folder), "PYTHONPATH": str(folder)}
    return subprocess.Popen(
        [SCRIPT, "--model", "some/model", "--data", data, "--steps", "2", "--output", "my output", *arguments],
        cwd=folder,
        env=bare | own | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def run(folder: Path, data: Path, *arguments: str, code: int = 0, **environment: str) -> str:
    with start(folder, data, *arguments, **environment) as running:
        try:
            out, _ = running.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            running.terminate()
            raise
    assert running.returncode == code, out
    assert "Traceback" not in out
    return out


def journal(folder: Path) -> list[dict[str, Any]]:
    path = folder / "journal.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def trained(folder: Path) -> dict[int, tuple[str, list[int]]]:
    """Stage and prompts of every step, of the process that did it last."""
    return {line["step"]: (line["stage"], line["prompts"]) for line in journal(folder) if "step" in line}


def one_run(folder: Path, data: Path) -> dict[int, tuple[str, list[int]]]:
    """What a single run with the stages of the last recipe would have drawn."""
    recipe = yaml.safe_load((folder / "my output" / "03_easy_medium_hard" / "recipe.yaml").read_text())
    block = {key: recipe["curriculum"][key] for key in ("policy", "stages", "advance")}
    curriculum = Curriculum.from_config({"curriculum": block | {"data": str(data)}})
    found = {}
    for step in range(1, 7):
        draw = curriculum.draw(4)
        found[step] = (curriculum.stage.name, draw.prompts.tolist())
        curriculum.observe(step, draw.prompts, [[1.0, 0.0]] * 4)
    return found


def state(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in (folder / "my output").rglob("*") if path.name != ".lock"}


def test_killed_anywhere_it_trains_and_evaluates_as_one_run_would(folder: Path, data: Path) -> None:
    pytest.importorskip("verl")  # whose config the recipes are composed with
    moments = [
        "evaluate before",
        "step 1",
        "step 2",
        "evaluate easy",
        "next",
        "step 3",
        "saved 4",
        "evaluate easy_medium",
    ]
    for moment in [*moments, "step 6", "evaluate easy_medium_hard"]:
        run(folder, data, code=-signal.SIGKILL, dies=moment)
    said = run(folder, data)
    assert "all is done" in said
    assert trained(folder) == one_run(folder, data)
    times = [line["step"] for line in journal(folder) if "step" in line]
    assert {step: times.count(step) for step in range(1, 7)} == {1: 2, 2: 2, 3: 2, 4: 1, 5: 1, 6: 2}
    names = [line["evaluated"][-1] for line in journal(folder) if "evaluated" in line]
    assert names == ["before", *STAGES]
    output = folder / "my output"
    assert (output / "03_easy_medium_hard/global_step_6/actor/weights").read_text() == "1 2 3 4 5 6 "
    kept = json.loads((output / "03_easy_medium_hard/global_step_6/curriculum.json").read_text())["state"]
    assert [(line["step"], line["target"]) for line in kept["manager"]["transitions"]] == [
        (2, STAGES[1]),
        (4, STAGES[2]),
    ]
    lines = [json.loads(line) for line in (output / "curriculum.jsonl").read_text().splitlines()]
    assert [(line["kind"], line["step"]) for line in lines] == [("advance", 2), ("advance", 4)]
    before = state(folder), len(journal(folder))
    assert "all is done" in run(folder, data)
    assert before == (state(folder), len(journal(folder)))
    assert "03_easy_medium_hard: steps 5 to 6 on easy, medium, hard: done" in run(folder, data, "--dry-run")


@pytest.fixture
def begun(folder: Path, data: Path) -> Path:
    """A run that was killed in its second step."""
    run(folder, data, "a.b=1", "--gpus", "2", code=-signal.SIGKILL, dies="step 2")
    return folder


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--gpus", "2"], 'overrides.a.b: "a.b=1" there, nothing now'),
        (["--gpus", "2", "a.b=2"], 'overrides.a.b: "a.b=1" there, "a.b=2" now'),
        (["--gpus", "4", "a.b=1"], "gpus: 2 there, 4 now"),
        (["--gpus", "2", "a.b=1", "--steps", "2,2,3"], "steps: [2,2,2] there, [2,2,3] now"),
        (["--gpus", "2", "a.b=1", "--eval-responses", "9"], 'evaluation: ["-n","8"'),
        (
            ["--gpus", "2", "a.b=1", "--recipe", "three_stages"],
            "recipe.three_stages.curriculum.policy.name: nothing there",
        ),
        (["--gpus", "2", "a.b=1", "--model", "other/model"], 'model.path: "some/model" there, "other/model" now'),
    ],
)
def test_other_settings_are_refused_by_name(begun: Path, data: Path, arguments: list[str], words: str) -> None:
    before = state(begun)
    said = run(begun, data, *arguments, code=1)
    assert "my output: holds a run with other settings" in said
    assert words in said
    assert state(begun) == before


def test_a_dry_run_says_what_is_done_and_writes_nothing(begun: Path, data: Path, tmp_path: Path) -> None:
    before = state(begun)
    said = run(begun, data, "a.b=1", "--gpus", "2", "--dry-run")
    assert "evaluation of some/model: done" in said
    assert "01_easy: steps 1 to 2 on easy: at step 1\n" in said
    assert "02_easy_medium: steps 3 to 4 on easy, medium: to do" in said
    assert state(begun) == before
    words = [shlex.split(line) for line in said.splitlines() if " --data " in line]
    assert words[0][:2] == [str(FOLDER / "run.sh"), str(begun / "my output" / "01_easy" / "recipe.yaml")]
    assert words[0][-1] == "a.b=1"
    assert f"easy={begun}/my output/01_easy/global_step_2" in words[1]
    options = shlex.join(words[1])
    assert "-n 8 --backend vllm --max-tokens 2048 --workers 2" in options
    shutil.rmtree(begun / "my output")
    assert "to do" in run(begun, data, "--dry-run")
    assert not (begun / "my output").exists()


def test_what_a_run_lacks_is_said_before_anything_is_made(folder: Path, data: Path) -> None:
    for arguments in ([], ["--dry-run"]):
        said = run(folder, data, *arguments, code=1, problems="  - no GPUs")
        assert said.endswith("nothing was started:\n  - no GPUs\n")
        assert journal(folder) == []
        assert not (folder / "my output" / "settings.json").exists()
    assert run(folder, data, code=7, fails="evaluate before").count("the same command goes on from here") == 1


def test_an_evaluation_that_cannot_be_made_does_not_claim_the_folder(folder: Path, data: Path) -> None:
    said = run(folder, data, "--", "--tempreature", "0.7", code=1)
    assert "unrecognized arguments: --tempreature" in said
    said = run(folder, data, "--", "--temperature", "0", code=1, refused="at --temperature 0 take -n 1")
    assert said.endswith("nothing was started:\nat --temperature 0 take -n 1\n")
    assert not (folder / "my output" / "settings.json").exists()
    assert "all is done" in run(folder, data, "--eval-responses", "1", "--", "--temperature", "0"), "as another command"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--modle", "x"], "--modle: no such option"),
        (["--steps", "0"], "--steps 0: expected a number"),
        (["--steps", "10,x"], "--steps 10,x: expected a number"),
        (["--gpus", "all"], "--gpus all: expected a number"),
        (["--eval-responses", "none"], "--eval-responses none: expected a number"),
        (["--model"], "--model: got nothing"),
        (["another"], "another: expected an option or key=value"),
        (["--recipe", "five"], "no such recipe, expected one of adarft, cumulative, "),
    ],
)
def test_wrong_usage_is_said(folder: Path, data: Path, arguments: list[str], words: str) -> None:
    assert words in run(folder, data, *arguments, code=2)
    assert not (folder / "my output").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--steps", "1,2"], "--steps: got 2 numbers, expected 1 or 3"),
        (["++curriculum.stages.0.mix={easy: 1}"], "curriculum.stages.0.mix: this script sets it, leave it out"),
        (["trainer.total_training_steps=9"], "this script sets it, say it by --steps"),
        (["trainer.save_freq=-1"], "trainer.save_freq: is not above 0"),
        (["--recipe", "reward_curriculum"], "--recipe: its stages differ in `rewards`"),
        (["--", "--out=x.json"], "--out=x.json after --: this script sets it"),
        (["--data", "nowhere.json"], "nowhere.json: the manifest cannot be read"),
        (["--output", "."], "which is none of this script's"),
    ],
)
def test_what_cannot_work_is_said(folder: Path, data: Path, arguments: list[str], words: str) -> None:
    assert words in run(folder, data, *arguments, code=1)
    assert not (folder / "my output").exists()


@contextmanager
def at_work(folder: Path, data: Path, moment: str) -> Iterator[subprocess.Popen[str]]:
    """A driver that has got to a moment, where its stand-in hangs."""
    os.mkfifo(folder / "pipe")
    pipe = os.open(folder / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    running = start(folder, data, hangs=moment)
    assert select.select([pipe], [], [], PATIENCE)[0], "it never got to work"
    children = psutil.Process(running.pid).children(recursive=True)
    try:
        yield running
    finally:
        os.close(pipe)
        (folder / "pipe").unlink()
        for process in [running, *children]:
            with suppress(psutil.NoSuchProcess):
                process.kill()


@pytest.mark.parametrize("moment", ["step 1", "evaluate before"])
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_what_is_at_work(folder: Path, data: Path, moment: str, sent: signal.Signals, code: int) -> None:
    with at_work(folder, data, moment) as running:
        children = psutil.Process(running.pid).children(recursive=True)
        assert children
        running.send_signal(sent)
        said, _ = running.communicate(timeout=PATIENCE)
        assert running.returncode == code, said
        assert not any(child.is_running() for child in children)
    assert f"stopped by {sent.name}; the same command goes on from here" in said
    run(folder, data, code=7, fails="step 2")
    assert max(trained(folder)) == 2


def test_two_at_once_are_refused_also_when_one_was_killed_and_its_trainer_was_not(folder: Path, data: Path) -> None:
    with at_work(folder, data, "step 1") as running:
        [stage] = psutil.Process(running.pid).children()
        for kill in (False, True):
            if kill:
                running.kill()
                running.wait(PATIENCE)
            said = run(folder, data, code=1)
            assert f"a run is at work there, or what a killed one has left (process {stage.pid})" in said
        trainer = stage.children()[0]
        trainer.kill()
        psutil.wait_procs([stage, trainer], timeout=PATIENCE)
    run(folder, data, code=7, fails="step 2")


def test_a_stage_that_fails_ends_it_with_its_code(folder: Path, data: Path) -> None:
    said = run(folder, data, code=7, fails="step 2")
    assert "01_easy: steps 1 to 2 on easy: ended with code 7; the same command goes on from here" in said


def test_help_needs_no_python(tmp_path: Path) -> None:
    said = subprocess.run([SCRIPT, "--help"], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"}, check=True)
    assert said.stdout.startswith("usage: run_cumulative_stages.sh --model MODEL")
    for option in set(re.findall(r"(?<= )--[\w-]+(?= [|)])", SCRIPT.read_text())):
        assert option in said.stdout, option
    lacking = subprocess.run(
        [SCRIPT, "--model", "x", "--data", "y"],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHON": str(tmp_path / "none")},
    )
    assert lacking.returncode == 1
    assert "no Python has curriculum_verl" in lacking.stderr


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_shellcheck_finds_nothing() -> None:
    assert subprocess.run(["shellcheck", SCRIPT], capture_output=True, text=True).stdout == ""


def test_every_command_of_readme_and_help_is_one(folder: Path, data: Path) -> None:
    helped = subprocess.run([SCRIPT, "--help"], capture_output=True, text=True, check=True).stdout
    text = (FOLDER / "README.md").read_text() + helped.partition("examples\n")[2]
    lines = [
        line.strip()
        for line in text.replace("\\\n", " ").splitlines()
        if line.strip().startswith(("recipes/grpo_curriculum/run_cumulative_stages.sh ", "run_cumulative_stages.sh "))
    ]
    assert len(lines) >= 5
    (folder / "preprocessed").symlink_to(data.parent)
    for line in lines:
        _, *words = shlex.split(line)
        words = ["some/model" if word.startswith("models/") else word for word in words]
        cut = words.index("--") if "--" in words else len(words)
        assert "to do" in run(folder, data, *words[:cut], "--dry-run", *words[cut:]), line


# The plan, in Python.


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch, data: Path, tmp_path: Path) -> Any:
    monkeypatch.syspath_prepend(FOLDER)
    import stage_plan

    def plan(
        recipe: str, *overrides: str, gpus: int | None = None, cpu: bool = False, after: tuple[str, ...] = ()
    ) -> Any:
        return stage_plan.read_plan(
            SimpleNamespace(
                model="some/model",
                data=str(data),
                recipe=str(FOLDER / f"{recipe}.yaml"),
                steps="5,6,7",
                output=str(tmp_path / "run"),
                eval_responses="8",
                gpus=gpus,
                cpu=cpu,
                overrides=list(overrides),
            ),
            after,
        )

    return plan


RECIPES = sorted({path.stem for path in FOLDER.glob("[!_]*.yaml")} - {"reward_curriculum"})


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_can_be_had_in_stages(recipe: str, plan: Any, tmp_path: Path) -> None:
    pytest.importorskip("verl")
    from hydra import compose, initialize_config_dir

    from curriculum_verl.verl_plugin.settings import engine_block

    made = plan(recipe, gpus=3)
    given = load_config(FOLDER / f"{recipe}.yaml")
    for number, stage in enumerate(made.stages):
        (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(stage.content, sort_keys=False))
        with initialize_config_dir(str(tmp_path), version_base=None):
            config = compose("recipe", made.told)
        curriculum = load_config({"curriculum": engine_block(config)}, ["easy", "medium", "hard"])
        assert [stage.name for stage in curriculum.stages] == list(STAGES[: number + 1])
        assert list(curriculum.stages[-1].mix) == ["easy", "medium", "hard"][: number + 1]
        assert curriculum.policy == given.policy
        assert curriculum.stages[-1].rewards == given.stages[-1].rewards
        assert config.trainer.total_training_steps == 18, "one schedule of the learning rate for all stages"
        assert (config.trainer.n_gpus_per_node, config.trainer.default_local_dir) == (3, str(stage.folder))
        assert config.actor_rollout_ref.model.path == "some/model", "the reference of the KL term"
    assert [(stage.start, stage.end) for stage in made.stages] == [(0, 5), (5, 11), (11, 18)]


def test_an_evaluation_scores_what_the_run_scores(plan: Any) -> None:
    reward = "reward.custom_reward_function.path=my_reward.py"
    assert "--verifier my_reward.py:compute_score" in " ".join(plan("lora", reward, cpu=True).evaluation)
    named = plan("lora", reward, "reward.custom_reward_function.name=score", after=("--max-tokens", "9")).evaluation
    assert named[-2:] == ("--max-tokens", "9")
    assert "my_reward.py:score" in named
    assert "2048" not in named
    given = plan("lora", reward, after=("--verifier", "math", "--ray")).evaluation
    assert given.count("--verifier") == 1
    assert "--workers" not in given
    pairs = " ".join(plan("cumulative", "actor_rollout_ref.rollout.tensor_model_parallel_size=4", gpus=8).evaluation)
    assert "--backend vllm" in pairs
    assert "--tensor-parallel 4 --workers 2" in pairs
    assert "--backend hf" in " ".join(plan("lora", cpu=True).evaluation)


def test_all_mistakes_are_said_together(plan: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        plan("cumulative", "trainer.save_freq=0", "curriculum.stop=null", after=("--run", "x"))
    assert len(caught.value.problems) == 3


def test_a_run_that_begins_with_an_adapter_is_compared_with_it(plan: Any) -> None:
    assert plan("lora").before == "some/model"
    assert plan("lora", "actor_rollout_ref.model.lora_adapter_path=sft/final").before == "sft/final"
