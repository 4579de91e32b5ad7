"""`curriculum-verl generate` as users call it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from generation import bad_server
from generation.conftest import write_lines

from curriculum_verl.commands import generate
from curriculum_verl.commands.running import run

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Runs the command on the sums; gives the exit code and what it printed."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        given = ["--model", str(model), "--out", "out", "--max-tokens", "6", *arguments]
        code = run("generate", generate.main, given)
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return code, printed.out, printed.err

    return call


def test_what_it_says_when_it_is_done(command: Command, sums: Path) -> None:
    code, out, _ = command("--data", "sums.jsonl", "-n", "6", "--verifier", "exact", "--stop-early")
    assert code == 0
    assert "20 rollouts with " in out
    assert "tokens/s" in out
    assert "stopped early: " in out
    assert "all wrong); saved " in out
    assert out.endswith("out/rollouts.jsonl\nout/generation.json\n")
    manifest = json.loads(Path("out/generation.json").read_text())
    assert manifest["settings"]["stop_early_first"] == 3
    code, out, _ = command("--data", "sums.jsonl", "-n", "6", "--verifier", "exact", "--stop-early")
    assert (code, "nothing was left to do" in out) == (0, True)


def test_a_shard_without_prompts_is_no_error(command: Command, sums: Path) -> None:
    given = ["--data", "sums.jsonl", "--limit", "2", "--verifier", "exact", "-n", "1", "--shard"]
    for shard, said in (("1/3", "0 rollouts with 0 responses and 0 tokens"), ("3/3", "1 rollout with 1 response and ")):
        code, out, err = command(*given, shard)
        assert (code, err) == (0, "")
        assert out.startswith(said)
    assert Path("out/rollouts-00001-of-00003.jsonl").read_bytes() == b""


def test_a_run_without_a_single_rollout_fails_and_says_why(command: Command) -> None:
    rows = [{"id": str(n), "prompt": "1+1=?", "data_source": "new"} for n in range(3)]
    write_lines(Path("d.jsonl"), [*rows, {"id": "4", "prompt": "1+1=?", "data_source": "other"}])
    code, out, err = command("--data", "d.jsonl")
    assert code == 1
    assert "rejected: unscored: 4 (in out/rejects.jsonl)\n  3 x no verifier for data source 'new'" in out
    assert err.startswith("generate: 4 prompts, and not one rollout: no verifier for data source 'new'")
    assert "--overwrite" in err


def test_an_early_stop_says_what_it_does_to_pass_rates(command: Command, sums: Path) -> None:
    given = ["--data", "sums.jsonl", "-n", "6", "--verifier", "exact"]
    assert "their pass rates are drawn to 0 and 1" in command(*given, "--stop-early")[1]
    assert "pass rates" not in command(*given, "--overwrite")[1]


def test_a_server_that_counts_no_tokens_and_filters(
    command: Command, sums: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(handler: bad_server.Handler, _: object) -> None:
        choice = {"message": {"content": "4"}, "finish_reason": "content_filter"}
        handler.reply(200, {"choices": [choice, {"message": {"content": "5"}}]})

    with bad_server.running() as server:
        server.always = answer
        given = ["--backend", "openai", "--model", "toy", "--url", server.url, "--verifier", "exact", "-n", "2"]
        code, out, err = command("--data", "sums.jsonl", *given)
        assert code == 0, err
        assert out.startswith("20 rollouts with 40 responses and an unknown number of tokens\n")
        assert "warning: the server gives no usage.completion_tokens for 40 responses\n" in out
        assert "content filter ended 20 responses" in out


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(command: Command, sums: Path) -> None:
    given = ["--data", "sums.jsonl", "--verifier", "exact", "-n"]
    code, out, _ = command(*given, "4", "--limit", "10", "--dry-run")
    assert code == 0
    assert "10 prompts of sums.jsonl" in out
    assert "4 responses to each of 10 prompts: 40" in out
    assert "at most 240 tokens" in out
    assert out.endswith("a dry run: nothing was written\n")
    assert not Path("out").exists()
    assert command(*given, "2")[0] == 0
    assert "20 prompts of these are finished already" in command(*given, "2", "--dry-run")[1]
    assert "responses: 2 there, 3 now" in command(*given, "3", "--dry-run")[1]


def test_tasks_of_reasoning_gym_in_levels(command: Command) -> None:
    pytest.importorskip("reasoning_gym")
    code, out, err = command("--tasks", "reasoning_gym:chain_sum", "--levels", "0", "2", "--task-size", "3", "-n", "2")
    assert code == 0, out + err
    found = [json.loads(line) for line in Path("out/rollouts.jsonl").read_text().splitlines()]
    assert [line["extra_info"]["level"] for line in found] == [0, 0, 0, 2, 2, 2]
    assert all(len(line["reward"]) == 2 for line in found)


def test_scoring_as_a_recipe_has_it(command: Command, sums: Path) -> None:
    Path("recipe.yaml").write_text("curriculum:\n  scoring:\n    final: {default: numeric, pass_threshold: 0.9}\n")
    assert command("--data", "sums.jsonl", "--scoring", "recipe.yaml", "-n", "2")[0] == 0
    final = json.loads(Path("out/generation.json").read_text())["settings"]["scoring"]["final"]
    assert (final["default"], final["pass_threshold"]) == ("numeric", 0.9)


def test_a_function_of_the_users_own(command: Command, sums: Path) -> None:
    Path("mine.py").write_text("def length(response):\n    return min(1.0, len(response.text) / 10)\n")
    assert command("--data", "sums.jsonl", "--verifier", "mine.py:length", "-n", "2")[0] == 0
    line = json.loads(Path("out/rollouts.jsonl").read_text().splitlines()[0])
    assert line["reward"] == [len(text) / 10 for text in line["response"]]
    versions = json.loads(Path("out/generation.json").read_text())["settings"]["scoring"]["versions"]
    assert versions["mine.py:length"].startswith("sha256:")
    Path("mine.py").write_text("def length(response):\n    return 1.0\n")
    code, _, err = command("--data", "sums.jsonl", "--verifier", "mine.py:length", "-n", "2")
    assert code == 1
    assert "scoring.versions.mine.py:length: " in err


def test_all_that_can_be_wrong_is_told_before_a_model_is_loaded(
    command: Command, sums: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from curriculum_verl.generation import worker

    def never(*_: object) -> None:
        raise AssertionError("a model was loaded")

    monkeypatch.setattr(worker, "build_backend", never)
    Path("bad.yaml").write_text("final: {default: exakt, workers: {count: 0}}\n")
    Path("none.yaml").write_text("coherence: {window: 24}\n")
    for arguments, said in [
        (["--data", "sums.jsonl", "--verifier", "exakt"], "unknown verifier 'exakt'"),
        (["--data", "sums.jsonl", "--scoring", "bad.yaml"], "scoring.final.workers.count: got 0"),
        (["--data", "sums.jsonl", "--scoring", "none.yaml"], "scoring has no `final`"),
        (["--data", "sums.jsonl", "--shard", "2-8"], "--shard: got '2-8', expected I/N"),
        (["--data", "sums.jsonl", "--shard", "9/8"], "--shard: got 9/8"),
        (["--data", "sums.jsonl", "--backend", "openai"], "url: is missing"),
        (["--data", "none.jsonl"], "none.jsonl: got no prompts, there is no such file"),
        (["--data", "sums.jsonl", "--stop", ""], "--stop: got an empty text"),
        (["--data", "sums.jsonl", "--model", "nowhere"], "nowhere: there is no such folder"),
        (["--tasks", "reasoning_gym:rush_hour"], "rush_hour is refused"),
        (["--data", "sums.jsonl", "--fields", "promt=a"], "did you mean 'prompt'"),
    ]:
        code, _, err = command(*arguments)
        assert code == 1
        assert said in err, arguments


@pytest.mark.parametrize(
    ("arguments", "said"),
    [([], "expected --data or --tasks"), (["--data", "a", "--first", "2"], "with --stop-early only")],
)
def test_options_that_do_not_go_together(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        generate.main(["--model", "m", "--out", "o", *arguments])
    assert said in capsys.readouterr().err


def test_bad_lines_are_told_with_their_place(command: Command) -> None:
    write_lines(Path("d.jsonl"), [{"id": "a", "prompt": "1+1=?", "ground_truth": "2"}, {"id": "b"}])
    code, _, err = command("--data", "d.jsonl", "--verifier", "exact")
    assert code == 1
    assert "d.jsonl:2: got no prompt" in err
    code, out, _ = command("--data", "d.jsonl", "--verifier", "exact", "--on-invalid", "reject")
    assert code == 0
    assert "rejected: no_prompt: 1 (in out/rejects.jsonl)" in out


@pytest.mark.parametrize("kind", ["full", "lora"])
def test_a_checkpoint_of_verl_answers_like_any_model(
    command: Command, sums: Path, verl_checkpoints: Path, tmp_path: Path, kind: str
) -> None:
    step = verl_checkpoints / kind / "global_step_3"
    given = ["--model", str(step), "--data", "sums.jsonl", "--verifier", "exact", "-n", "1"]
    code, _, err = command(*given)
    assert code == 0, err
    assert f"{step}: is put together from verl's checkpoint" in err
    assert len((tmp_path / "out" / "rollouts.jsonl").read_text().splitlines()) == 20
    manifest = json.loads(Path("out/generation.json").read_text())
    assert manifest["origin"]["model"]["path"] == str(step)
    assert any(name.startswith("actor/model_world_size_2") for name in manifest["settings"]["model"])
    assert [path.name for path in tmp_path.iterdir() if "merged" in path.name] == [], "what was merged is gone"
    assert "20 prompts of these are finished already" in command(*given, "--dry-run")[1]


def test_other_weights_under_the_same_name_are_refused(command: Command, sums: Path, model: Path) -> None:
    copy = shutil.copytree(model, "copy")
    given = ["--model", "copy", "--data", "sums.jsonl", "--verifier", "exact", "-n", "1"]
    assert command(*given)[0] == 0
    weights = Path(copy, "model.safetensors")
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    code, _, err = command(*given)
    assert code == 1
    assert "model.base/model.safetensors: " in err
