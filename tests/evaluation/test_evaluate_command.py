"""The command with real models: side by side, stopped and gone on with, on whatever a path may be."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from toy_checkpoints import changed_model

from curriculum_verl import cli
from curriculum_verl.curriculum import Curriculum, PromptIndex
from curriculum_verl.evaluation import run
from curriculum_verl.rollouts import read_rollouts

Evaluate = Callable[..., int]
OPTIONS = ("--verifier", "exact", "--max-tokens", "4", "-n", "4")


@pytest.fixture
def evaluate(tmp_path: Path, data: Path) -> Evaluate:
    """The command, on the toy's data unless others are named, into out/e.json."""

    def run_it(*arguments: str) -> int:
        own = () if {"--data", "--tasks"} & {*arguments} else ("--data", str(data))
        return cli.main(["evaluate", "--out", str(tmp_path / "out" / "e.json"), *own, *OPTIONS, *arguments])

    return run_it


@pytest.fixture
def sampled(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names of the models that are really sampled."""
    names: list[str] = []
    generate = run.generate

    def watched(job: Any, *arguments: Any, **options: Any) -> Any:
        names.append(job.output.name)
        return generate(job, *arguments, **options)

    monkeypatch.setattr(run, "generate", watched)
    return names


def document(tmp_path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((tmp_path / "out" / "e.json").read_text())
    return found


def successes(tmp_path: Path, model: str) -> dict[str, float]:
    return {f["bucket"]: f["success"]["value"] for f in document(tmp_path)["figures"] if f["model"] == model}


def scores(tmp_path: Path, model: str) -> Any:
    found = json.loads((tmp_path / "out" / "e.samples" / f"{model}.json").read_text())
    return [(one["id"], one["scores"], one["tokens"]) for one in found["answered"]]


def test_two_models_are_compared_on_the_same_prompts(
    evaluate: Evaluate, model: Path, taught: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate("--model", f"before={model}", f"after={taught}", "--split", "all", "--k", "2", "4") == 0
    out = capsys.readouterr().out
    found = document(tmp_path)
    assert found["data"]["buckets"] == {"easy": 30, "medium": 30, "hard": 30}
    assert (found["sampling"]["responses"], found["sampling"]["max_tokens"]) == (4, 4)
    assert found["versions"]["torch"]
    assert [one["name"] for one in found["models"]] == ["before", "after"]
    before, after = successes(tmp_path, "before"), successes(tmp_path, "after")
    assert list(after) == ["easy", "medium", "hard", "(all)"]
    assert after["easy"] > before["easy"] + 0.3
    easy = next(change for change in found["changes"] if change["bucket"] == "easy")
    assert easy["success"]["value"] == pytest.approx(after["easy"] - before["easy"])
    assert easy["verdict"] == "learned"
    assert [*found["figures"][0]["pass_at"]] == ["1", "2", "4"]
    assert "learned from before to after: easy +" in out
    assert all(str(tmp_path / "out" / f"e.{ending}") in out for ending in ("json", "csv", "png"))
    table = pd.read_csv(tmp_path / "out" / "e.csv")
    assert set(table.bucket) == {"easy", "medium", "hard", "(all)"}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["e.csv", "e.json", "e.png", "e.samples"]
    assert sorted(path.name for path in (tmp_path / "out" / "e.samples").iterdir()) == ["after.json", "before.json"]


def test_a_model_that_is_done_is_not_sampled_again(
    evaluate: Evaluate, sampled: list[str], model: Path, taught: Path, tmp_path: Path
) -> None:
    assert evaluate("--model", f"before={model}") == 0
    assert evaluate("--model", f"before={model}", f"after={taught}") == 0
    first = (tmp_path / "out" / "e.json").read_bytes()
    assert evaluate("--model", f"before={model}", f"after={taught}") == 0
    assert sampled == ["before", "after"]
    assert (tmp_path / "out" / "e.json").read_bytes() == first
    assert evaluate("--model", f"before={model}", f"after={taught}", "--k", "3") == 0
    assert sampled == ["before", "after"], "other figures of the same samples"
    assert evaluate("--model", f"before={model}", f"after={taught}", "--overwrite") == 0
    assert sampled == ["before", "after"] * 2
    assert (tmp_path / "out" / "e.json").read_bytes() == first, "the same seed"


def test_other_settings_and_other_weights_are_named(
    evaluate: Evaluate, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = shutil.copytree(model, tmp_path / "copy")
    assert evaluate("--model", f"a={copy}") == 0
    assert evaluate("--model", f"a={copy}", "--temperature", "0.5", "--seed", "7") == 1
    err = capsys.readouterr().err
    assert "a: sampling.temperature: 1.0 there, 0.5 now" in err
    assert "a: seed: 0 there, 7 now" in err
    assert "--overwrite" in err
    assert "Traceback" not in err
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    assert evaluate("--model", f"a={copy}") == 1
    assert "a: model.base/model.safetensors: " in capsys.readouterr().err


def test_a_killed_evaluation_goes_on_with_the_model_that_it_was_at(
    evaluate: Evaluate,
    sampled: list[str],
    model: Path,
    taught: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments = ("--model", f"before={model}", f"after={taught}")
    write = run.write_samples

    def killed(samples: Any, path: Path) -> None:
        if path.name == "after.json":
            raise KeyboardInterrupt
        write(samples, path)

    with monkeypatch.context() as patched:
        patched.setattr(run, "write_samples", killed)
        assert evaluate(*arguments) == 130
    assert not (tmp_path / "out" / "e.json").exists()
    assert evaluate(*arguments) == 0
    assert sampled == ["before", "after", "after"]
    before = document(tmp_path)
    shutil.rmtree(tmp_path / "out")
    assert evaluate(*arguments) == 0
    assert document(tmp_path) == before


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(
    evaluate: Evaluate, sampled: list[str], model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate("--model", f"before={model}", "--dry-run", "--split", "all") == 0
    out = capsys.readouterr().out
    assert "30 prompts in easy" in out
    assert "360 responses to be made, at most 1,440 tokens" in out
    assert not (tmp_path / "out").exists()
    assert sampled == []


def test_checkpoints_of_verl_adapters_and_models_of_the_same_weights_answer_alike(
    evaluate: Evaluate, verl_checkpoints: Path, model: Path, adapter: Path, tmp_path: Path
) -> None:
    changed: Any = changed_model(model, "full")
    whole = shutil.copytree(model, tmp_path / "whole")
    changed.save_pretrained(whole)
    models = [
        f"whole={whole}",
        f"merged={verl_checkpoints / 'full' / 'global_step_3'}",
        f"adapter={adapter}",
        f"taken_out={verl_checkpoints / 'lora_only' / 'global_step_3' / 'actor'}",
    ]
    assert evaluate("--model", *models, "--base-model", str(model), "--merged", str(tmp_path / "kept")) == 0
    assert scores(tmp_path, "merged") == scores(tmp_path, "whole")
    assert scores(tmp_path, "taken_out") == scores(tmp_path, "adapter")
    assert scores(tmp_path, "whole") != scores(tmp_path, "adapter")
    assert sorted(path.name.partition("-")[0] for path in (tmp_path / "kept").iterdir()) == ["merged", "taken_out"]
    kinds = {one["name"]: one["kind"] for one in document(tmp_path)["models"]}
    assert kinds == {"whole": "ready", "merged": "merge", "adapter": "ready", "taken_out": "adapter"}


def test_a_run_of_verl_is_evaluated_stage_by_stage_and_merged_models_go(
    evaluate: Evaluate, verl_checkpoints: Path, model: Path, tmp_path: Path
) -> None:
    curriculum = Curriculum.from_config(
        {"stages": [{"name": "goal", "mix": {"easy": 1.0}}]}, PromptIndex.build({"easy": 8, "hard": 8})
    )
    root = tmp_path / "checkpoints"
    for kind, folder in (("lora", root / "stages" / "01_all" / "global_step_2"), ("full", root / "global_step_3")):
        shutil.copytree(verl_checkpoints / kind / "global_step_3", folder)
        curriculum.save(folder / "curriculum.json")
    (root / "latest_checkpointed_iteration.txt").write_text("3")
    assert evaluate("--model", f"base={model}", "--run", str(root), "--limit", "6") == 0
    names = [one["name"] for one in document(tmp_path)["models"]]
    assert names == ["base", "before_01_all@2", "goal@3"]
    left = sorted(path.name for path in (tmp_path / "out" / "e.samples").iterdir())
    assert left == ["base.json", "before_01_all@2.json", "goal@3.json"]
    compared = {(change["before"], change["after"]) for change in document(tmp_path)["changes"]}
    assert compared == {("base", names[1]), ("base", names[2]), (names[1], names[2])}


def test_a_run_of_sft_is_evaluated_on_json_lines_with_its_final_model(evaluate: Evaluate, tmp_path: Path) -> None:
    from sft.toy_sft import recipe, write_toy

    from curriculum_verl.sft.run import run_sft

    (tmp_path / "toy").mkdir()
    toy = write_toy(tmp_path / "toy")
    run_sft(recipe(toy, tmp_path / "sft"))
    lines = tmp_path / "validation.jsonl"
    rows = map(json.loads, (toy / "validation.jsonl").read_text().splitlines())
    chats = [{"prompt": r["messages"][:1], "ground_truth": r["messages"][1]["content"]} for r in rows]
    lines.write_text("".join(json.dumps(chat | {"id": str(n)}) + "\n" for n, chat in enumerate(chats)))
    arguments = ("--model", str(tmp_path / "sft" / "checkpoint-4"), "--run", str(tmp_path / "sft"))
    assert evaluate(*arguments, "--data", str(lines)) == 0
    assert [one["name"] for one in document(tmp_path)["models"]] == ["checkpoint-4", "first@3", "final"]
    assert successes(tmp_path, "final").keys() == {"validation"}, "a file's name is its bucket, and one is all"


def test_models_of_a_server_are_compared_by_their_names_there(
    evaluate: Evaluate, sampled: list[str], data: Path, tmp_path: Path
) -> None:
    from generation.bad_server import running

    def add(handler: Any, body: dict[str, Any]) -> None:
        terms = body["messages"][-1]["content"].removesuffix("=?").split("+")
        text = str(sum(map(int, terms))) if body["model"] == "good" else "?"
        choices = [{"message": {"content": text}, "finish_reason": "length"}] * body.get("n", 1)
        handler.reply(200, {"choices": choices, "usage": {"completion_tokens": 3 * len(choices)}})

    with running() as server:
        server.models, server.always = ["good", "poor"], add
        arguments = ("--model", "poor", "fine=good", "--backend", "openai", "--url", server.url)
        assert evaluate(*arguments) == 0
        assert evaluate(*arguments) == 0
    assert sampled == ["poor", "fine"]
    assert (successes(tmp_path, "poor")["(all)"], successes(tmp_path, "fine")["(all)"]) == (0, 1)
    [overall] = [change for change in document(tmp_path)["changes"] if change["bucket"] == "(all)"]
    assert (overall["after"], overall["verdict"]) == ("fine", "learned")
    figures = document(tmp_path)["figures"][0]
    assert (figures["tokens"]["value"], figures["cut"]["value"]) == (3.0, 1.0)
    assert {one["kind"] for one in document(tmp_path)["models"]} == {"server"}


def test_without_pandas_the_modules_can_be_imported_and_the_command_says_what_is_missing(model: Path) -> None:
    probe = (
        "import sys, pkgutil, importlib; sys.modules['pandas'] = None\n"
        "from curriculum_verl import cli, evaluation\n"
        "for module in pkgutil.iter_modules(evaluation.__path__, evaluation.__name__ + '.'):\n"
        "    importlib.import_module(module.name)\n"
        "print(sorted({'torch', 'transformers', 'verl', 'matplotlib'} & sys.modules.keys()))\n"
        f"sys.exit(cli.main(['evaluate', '--model', '{model}', '--data', 'x.jsonl', '--out', 'e.json']))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "[]\n"), done.stderr
    assert "tables need pandas, which is not installed: pip install pandas" in done.stderr


def test_responses_are_kept_on_demand_as_bucketing_reads_them(
    evaluate: Evaluate, sampled: list[str], model: Path, tmp_path: Path
) -> None:
    assert evaluate("--model", f"a={model}") == 0
    assert evaluate("--model", f"a={model}", "--keep-responses") == 0
    assert evaluate("--model", f"a={model}", "--keep-responses") == 0
    assert sampled == ["a", "a"], "the responses of the first were not kept"
    [rollouts] = (tmp_path / "out" / "e.samples" / "a").glob("*.jsonl")
    kept = list(read_rollouts(rollouts))
    assert [(one.id, one.scores) for one in kept] == [(one[0], one[1]) for one in scores(tmp_path, "a")]
    assert all(len(one.responses) == 4 for one in kept)


def test_what_cannot_be_asked_or_judged_is_told(
    evaluate: Evaluate, model: Path, tmp_path: Path, user_module: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    user_module("picky", "def judge(response):\n    assert response.prompt != 'b'\n    return 1.0\n")
    lines = [{"id": text[0], "prompt": text, "ground_truth": "1"} for text in ("a", "b", "c" * 400)]
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    arguments = ("--model", f"m={model}", "--data", str(tmp_path / "x.jsonl"), "--verifier", "picky:judge")
    assert evaluate(*arguments) == 1
    assert "prompt" in capsys.readouterr().err
    assert evaluate(*arguments, "--on-invalid", "reject", "--overwrite") == 0
    out = capsys.readouterr().out
    assert "m: 1 prompts were not answered" in out
    assert "m: 4 responses could not be scored and count as failed" in out
    [figures] = document(tmp_path)["figures"]
    assert (figures["prompts"], figures["unscored"], figures["success"]["value"]) == (2, 4, 0.5)


def test_tool_use_is_counted_by_the_operations_of_the_scoring_block(tmp_path: Path) -> None:
    from curriculum_verl.evaluation.samples import condense, read_operations
    from curriculum_verl.generation.folder import Places
    from curriculum_verl.generation.job import Shard

    block = tmp_path / "scoring.yaml"
    block.write_text("scoring: {final: {default: exact}, operations: {weights: {SEARCH: 1.0}}}\n")
    places = Places(tmp_path, Shard())
    line = {"id": "a", "prompt": [{"role": "user", "content": "x"}], "response": ['SEARCH(q="a")\nSEARCH(q="b")', "no"]}
    line |= {"reward": [1.0, 0.0], "tokens": [7, 2], "finish": ["length", "stop"]}
    places.rollouts.write_text(json.dumps(line) + "\n")
    [answers] = condense(places, {}, read_operations(block)).answers({"a": "easy"})
    assert [trace.calls for trace in answers.traces] == [2, 0]
    assert answers.cut == [True, False]
    [answers] = condense(places, {}, read_operations(None)).answers({"a": "easy"})
    assert [trace.calls for trace in answers.traces] == [0, 0]


def test_a_response_that_could_not_be_judged_stands_beside_those_that_could(tmp_path: Path) -> None:
    from curriculum_verl.evaluation.samples import condense
    from curriculum_verl.generation.folder import Places
    from curriculum_verl.generation.job import Shard
    from curriculum_verl.rewards.settings import Operations

    places = Places(tmp_path, Shard())
    line = {"id": "a", "prompt": [{"role": "user", "content": "x"}], "response": ["1"], "reward": [1.0]}
    line |= {"tokens": [2], "finish": ["stop"], "unscored": [{"number": 0, "reason": "too slow", "response": "2"}]}
    places.rollouts.write_text(json.dumps(line) + "\n")
    samples = condense(places, {}, Operations())
    [answers] = samples.answers({"a": "easy"})
    assert (answers.scores, answers.tokens, len(answers.traces)) == ([1.0, None], [2], 2)
    assert samples.unscored == {"too slow": 1}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "expected --model or --run"),
        (["--model", "x=nowhere/to/be"], 1, "there is no such folder"),
        (["--model", "a={model}", "--k", "8"], 1, "--k: got 8, expected at most the responses to a prompt, -n 4"),
        (["--model", "a={model}", "--temperature", "0"], 1, "take -n 1"),
        (["--model", "a={model}", "--out", "{tmp}/e.txt"], 1, r"ends in .json"),
        (["--model", "a={model}", "b={model}/.."], 1, "expected a folder of a Hugging Face model"),
        (["--run", "{tmp}"], 1, "expected the folder of a run"),
        (["--run", "{tmp}", "--backend", "openai", "--url", "http://localhost:1/v1"], 1, "--backend openai cannot"),
        (["--model", "a={model}", "--verifier", "exakt"], 1, "did you mean 'exact'"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_sampled(
    arguments: list[str],
    code: int,
    message: str,
    evaluate: Evaluate,
    sampled: list[str],
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = [argument.format(model=model, tmp=tmp_path) for argument in arguments]
    if code == 2:
        with pytest.raises(SystemExit):
            evaluate(*given)
    else:
        assert evaluate(*given) == code
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err
    assert sampled == []
