"""Fresh trajectories of real, tiny models."""

import json
from pathlib import Path
from typing import Any

import pytest
from analysis.conftest import Command
from analysis.made_up import write_lines

pytest.importorskip("torch")

OPTIONS = ("--generate", "--verifier", "exact", "--max-tokens", "4", "-n", "4")


@pytest.fixture(scope="session")
def taught(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    import shutil

    from integration.verl_toy import teach

    folder = shutil.copytree(model, tmp_path_factory.mktemp("taught") / "model")
    teach(folder, [(f"{a}+{b}=?", str(a + b)) for a in range(6) for b in range(4)], steps=80)
    return folder


@pytest.fixture
def sums(tmp_path: Path) -> Path:
    rows = [
        {"id": f"{a}+{b}", "prompt": f"{a}+{b}=?", "ground_truth": str(a + b), "level": "low" if a < 3 else "high"}
        for a in range(6)
        for b in range(4)
    ]
    return write_lines(tmp_path / "sums.jsonl", rows)


def document(tmp_path: Path) -> Any:
    return json.loads((tmp_path / "out" / "analysis.json").read_text())


def test_two_models_answer_the_same_prompts(
    command: Command, model: Path, taught: Path, sums: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--model", f"before={model}", f"after={taught}", "--data", str(sums), "--bucket-field", "level"]
    assert command(*OPTIONS, *given, "--buckets", "low", "high") == 0
    found = document(tmp_path)
    assert found["length"] == "tokens", "generated responses have counts of tokens"
    assert [run["responses"] for run in found["runs"]] == [96, 96]
    assert [run["buckets"] for run in found["runs"]] == [["low", "high"]] * 2
    [success] = [one for one in found["changes"] if (one["bucket"], one["measure"]) == ("(all)", "success")]
    assert (success["prompts"], success["verdict"], success["direction"]) == (24, "clear", "higher")
    assert "after against before, 24 shared prompts: clearly higher: success" in capsys.readouterr().out
    assert (tmp_path / "out" / "evaluation.samples" / "after" / "rollouts.jsonl").is_file()
    evaluated = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    [after] = [one for one in evaluated["figures"] if (one["model"], one["bucket"]) == ("after", "(all)")]
    assert after["success"]["value"] == pytest.approx(success["second"])


def test_chosen_prompts_are_asked_and_keep_their_buckets(
    command: Command, taught: Path, sums: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--model", f"after={taught}", "--data", str(sums), "--bucket-field", "level"]
    assert command(*OPTIONS, *given, "--prompts", "1+1,4+2") == 0
    [run] = document(tmp_path)["runs"]
    assert run["responses"] == 8
    assert set(run["buckets"]) == {"low", "high"}
    assert {text["id"] for one in document(tmp_path)["side_by_side"] for text in one["responses"].values()} <= {
        "1+1",
        "4+2",
    }
    assert command(*OPTIONS, *given, "--prompts", "1+1,9+9", "--overwrite") == 1
    assert "--prompts: the data have no prompt 9+9; expected ids such as 0+0, 0+1" in capsys.readouterr().err


def test_an_analysis_that_was_stopped_after_sampling_does_not_sample_again(
    command: Command, taught: Path, sums: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from curriculum_verl.analysis import writing
    from curriculum_verl.evaluation import run as evaluation_run

    given = [*OPTIONS, "--model", f"after={taught}", "--data", str(sums), "--limit", "3"]

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(writing, "page", stop)
        assert command(*given) == 130
    assert not (tmp_path / "out" / "analysis.json").exists()

    def sampled(*_: object, **__: object) -> None:
        raise AssertionError("was sampled before")

    monkeypatch.setattr(evaluation_run, "generate", sampled)
    assert command(*given) == 0
    assert document(tmp_path)["runs"][0]["responses"] == 12


def test_logged_and_fresh_trajectories_stand_beside_each_other(
    command: Command, taught: Path, sums: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logged = write_lines(
        tmp_path / "log.jsonl",
        [{"id": f"0+{b}", "prompt": f"0+{b}=?", "response": ["9"], "reward": [0.0]} for b in range(4)],
    )
    given = ["--model", f"after={taught}", "--data", str(sums), "--limit", "4"]
    assert command(*OPTIONS, *given, "--runs", f"before={logged}") == 0
    assert [(one["before"], one["after"], one["prompts"]) for one in document(tmp_path)["shared"]] == [
        ("before", "after", 4)
    ]
    assert command(*OPTIONS, *given, "--runs", f"after={logged}", "--overwrite") == 1
    assert "the name after is that of a run" in capsys.readouterr().err


def test_fields_of_the_data_are_not_looked_for_in_what_was_sampled(
    command: Command, taught: Path, tmp_path: Path
) -> None:
    rows = [{"name": f"sum {a}", "question": f"{a}+1=?", "ground_truth": str(a + 1)} for a in range(3)]
    data = write_lines(tmp_path / "own.jsonl", rows)
    given = ["--model", f"after={taught}", "--data", str(data), "--fields", "id=name", "prompt=question"]
    assert command(*OPTIONS, *given) == 0
    found = document(tmp_path)
    assert found["runs"][0]["skipped"] == {}
    assert {text["id"] for one in found["side_by_side"] for text in one["responses"].values()} <= {
        "sum 0",
        "sum 1",
        "sum 2",
    }
