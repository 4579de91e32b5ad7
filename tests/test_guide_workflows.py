"""The workflows that users come with: command lines as they write them, from a clean folder, and what they promise."""

import json
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from curriculum_verl.difficulty import METRICS

ROOT = Path(__file__).parent.parent
BUCKET, PREPROCESS = "bucket_rollouts_by_difficulty.py", "preprocess_bucketed_rollouts.py"
BASIC = f"{BUCKET} -i ./rollouts -o ./bucketed -m mean_reward -n 3"
WORKFLOWS = {
    "step by step": [
        BASIC,
        f"{PREPROCESS} -i ./bucketed -o ./preprocessed",
        f"{PREPROCESS} -i ./bucketed -o ./progressive --buckets easy medium --combine --output-name phase2",
        f"{PREPROCESS} -i ./bucketed -o ./progressive --buckets easy medium hard --combine --output-name phase3",
    ],
    "A, five stages": [
        f"{BUCKET} -i ./rollouts -o ./curriculum_5stage -m mean_reward -n 5 "
        "--bucket-names stage1 stage2 stage3 stage4 stage5",
        f"{PREPROCESS} -i ./curriculum_5stage -o ./preprocessed_5stage",
    ],
    "B, pass at k": [
        f"{BUCKET} -i ./code_rollouts -o ./code_bucketed -m pass_at_k -n 3",
        f"{PREPROCESS} -i ./code_bucketed -o ./code_preprocessed --filter passing_only",
    ],
    "C, quality": [
        f"{BUCKET} -i ./rollouts -o ./analysis -m variance -n 3 --bucket-names consistent moderate inconsistent",
        f"{PREPROCESS} -i ./analysis -o ./analyzed",
    ],
    "D, cumulative": [
        BASIC,
        f"{PREPROCESS} -i ./bucketed -o ./cumulative --buckets easy --combine --output-name cumulative_stage1",
        f"{PREPROCESS} -i ./bucketed -o ./cumulative --buckets easy medium --combine --output-name cumulative_stage2",
        f"{PREPROCESS} -i ./bucketed -o ./cumulative --buckets easy medium hard --combine "
        "--output-name cumulative_stage3",
    ],
    "thresholds": [
        f"{BUCKET} -i ./rollouts -o ./custom_buckets -m mean_reward --thresholds 0.3 0.7 "
        "--bucket-names low medium high",
    ],
    "best only": [BASIC, f"{PREPROCESS} -i ./bucketed -o ./filtered --filter best_only"],
    "passing only": [BASIC, f"{PREPROCESS} -i ./bucketed -o ./filtered --filter passing_only"],
    "metrics compared": [
        command
        for metric in ("mean_reward", "pass_at_k", "variance")
        for command in (
            f"{BUCKET} -i ./rollouts -o ./compare_{metric} -m {metric} -n 3",
            f"{PREPROCESS} -i ./compare_{metric} -o ./preprocessed_{metric}",
        )
    ],
    "script": [
        BASIC,
        f"{PREPROCESS} -i ./bucketed -o ./preprocessed",
        f"{PREPROCESS} -i ./bucketed -o ./preprocessed/cumulative --buckets easy medium --combine "
        "--output-name stage1_and_2",
    ],
}
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def workflows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, "Future[Path]"]:
    """All workflows, two at a time, each in a folder of its own; what their first step has in common is run once."""
    clean = tmp_path_factory.mktemp("clean")
    for rollouts in ("rollouts", "code_rollouts"):
        shutil.copytree(ROOT / "examples" / "rollouts", clean / rollouts)
    bucketed = tmp_path_factory.mktemp("bucketed") / "it"
    shutil.copytree(clean, bucketed)
    run(BASIC, bucketed)

    def run_all(name: str, folder: Path) -> Path:
        first, *rest = WORKFLOWS[name]
        shutil.copytree(bucketed if first == BASIC else clean, folder, dirs_exist_ok=True)
        for command in rest if first == BASIC else [first, *rest]:
            run(command, folder)
        return folder

    with ThreadPoolExecutor(2) as pool:
        return {name: pool.submit(run_all, name, tmp_path_factory.mktemp("folder")) for name in WORKFLOWS}


def run(command: str, folder: Path) -> None:
    script, *flags = shlex.split(command)
    arguments = [sys.executable, str(ROOT / "bucketing" / script), *flags]
    done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    if script == BUCKET:
        easiest = json.loads((folder / flags[3] / "manifest.json").read_text())["buckets"][0]["name"]
        assert f"so {easiest} is the easiest bucket" in " ".join(done.stdout.split())


def buckets(folder: Path) -> dict[str, dict[str, Any]]:
    """What the manifest says of each bucket, easiest first, with its rollouts; all that went in is there, unchanged."""
    manifest = json.loads((folder / "manifest.json").read_text())
    found = {bucket["name"]: bucket for bucket in manifest["buckets"]}
    lines = {name: (folder / f"{name}.jsonl").read_bytes().splitlines() for name in found}
    assert {path.stem for path in folder.glob("*.jsonl")} == {*found, "rejects"}
    source = (ROOT / "examples" / "rollouts" / "arithmetic.jsonl").read_bytes().splitlines()
    assert sorted(line for some in lines.values() for line in some) == sorted(source)
    metric = METRICS[manifest["metric"]["name"]]
    worst = float("-inf")
    for name, bucket in found.items():
        bucket["values"] = [metric([r["score"] for r in json.loads(line)["reward"]]) for line in lines[name]]
        hardness = [metric.hardness(value) for value in bucket["values"]]
        assert min(hardness) > worst, "equal values stay together, and harder ones come later"
        worst = max(hardness)
    return found


def table(folder: Path, name: str, side: str) -> Rows:
    rows: Rows = pq.read_table(folder / f"{name}_{side}.parquet").to_pylist()
    assert rows
    return rows


def data(folder: Path, *names: str) -> dict[str, Rows]:
    """All rows of each bucket or combination; no prompt is on both sides."""
    sides = {side: {name: table(folder, name, side) for name in names} for side in ("train", "val")}
    prompts = {side: {str(row["prompt"]) for rows in of.values() for row in rows} for side, of in sides.items()}
    assert not prompts["train"] & prompts["val"]
    return {name: sides["train"][name] + sides["val"][name] for name in names}


def stages(rows: Rows) -> set[str]:
    return {row["extra_info"]["curriculum_stage"] for row in rows}


def assert_easiest_first(found: dict[str, dict[str, Any]]) -> None:
    rates = [bucket["pass_rate"] for bucket in found.values()]
    assert rates == sorted(rates, reverse=True)
    assert len(set(rates)) == len(rates)


def test_step_by_step(workflows: dict[str, "Future[Path]"]) -> None:
    folder = workflows["step by step"].result()
    found = buckets(folder / "bucketed")
    assert list(found) == ["easy", "medium", "hard"]
    assert_easiest_first(found)
    rows = data(folder / "preprocessed", "easy", "medium", "hard")
    for name, of_bucket in rows.items():
        assert len(of_bucket) == found[name]["prompts"]
        assert stages(of_bucket) == {name}
    manifest = json.loads((folder / "preprocessed" / "manifest.json").read_text())
    assert [bucket["name"] for bucket in manifest["buckets"]] == ["easy", "medium", "hard"]
    phases = data(folder / "progressive", "phase2", "phase3")
    assert stages(phases["phase2"]) == {"easy", "medium"}
    assert len(phases["phase2"]) == len(rows["easy"]) + len(rows["medium"])
    assert len(phases["phase3"]) == 60
    trained = [row["extra_info"]["id"] for row in table(folder / "progressive", "phase3", "train")]
    apart = [table(folder / "preprocessed", name, "train") for name in ("easy", "medium", "hard")]
    assert trained == [row["extra_info"]["id"] for rows in apart for row in rows]


def test_a_row_is_as_verl_reads_it(workflows: dict[str, "Future[Path]"]) -> None:
    folder = workflows["step by step"].result()
    (rows,) = data(folder / "progressive", "phase3").values()
    source = [json.loads(line) for line in (folder / "rollouts" / "arithmetic.jsonl").read_text().splitlines()]
    rollouts = {rollout["id"]: rollout for rollout in source}
    assert len({row["extra_info"]["index"] for row in rows}) == len(rows) == len(rollouts)
    kinds = set()
    for row in rows:
        rollout = rollouts[row["extra_info"]["id"]]
        scores = [reward["score"] for reward in rollout["reward"]]
        assert row["prompt"] == rollout["prompt"]
        assert row["data_source"] == rollout["data_source"]
        assert row["ability"] == "instruction_following"
        assert row["reward_model"]["style"] == "rule"
        kinds.add(kind := row["reward_model"]["ground_truth_format"])
        truth = row["reward_model"]["ground_truth"]
        assert (json.loads(truth) if kind == "json" else truth) == rollout["ground_truth"]
        figures = row["extra_info"]["difficulty_metrics"]
        assert (figures["mean_score"], figures["max_score"]) == (pytest.approx(sum(scores) / 8), max(scores))
        best = row["extra_info"]["best_response"]
        assert best["score"] == max(scores)
        assert rollout["response"]["choices"][best["position"]]["message"]["content"] == best["content"]
    assert kinds == {"text", "json"}


def test_workflow_a_has_five_stages(workflows: dict[str, "Future[Path]"]) -> None:
    folder = workflows["A, five stages"].result()
    names = [f"stage{number}" for number in range(1, 6)]
    found = buckets(folder / "curriculum_5stage")
    assert list(found) == names
    assert_easiest_first(found)
    assert sum(map(len, data(folder / "preprocessed_5stage", *names).values())) == 60


def test_workflow_b_keeps_what_some_response_passes(workflows: dict[str, "Future[Path]"]) -> None:
    folder = workflows["B, pass at k"].result()
    found = buckets(folder / "code_bucketed")
    assert list(found) == ["easy", "medium", "hard"]
    assert_easiest_first(found)
    rows = [row for of_one in data(folder / "code_preprocessed", *found).values() for row in of_one]
    assert all(row["extra_info"]["difficulty_metrics"]["max_score"] >= 0.5 for row in rows)
    never = sum(round(bucket["never_solved"] * bucket["prompts"]) for bucket in found.values())
    assert 0 < never == 60 - len(rows)


def test_workflow_c_tells_the_consistent_from_the_inconsistent(workflows: dict[str, "Future[Path]"]) -> None:
    folder = workflows["C, quality"].result()
    names = ["consistent", "moderate", "inconsistent"]
    found = buckets(folder / "analysis")
    assert list(found) == names
    assert found["consistent"]["metric_min"] == 0
    assert found["consistent"]["metric_max"] < found["inconsistent"]["metric_min"]
    assert sum(map(len, data(folder / "analyzed", *names).values())) == 60


def test_workflow_d_grows_from_stage_to_stage(workflows: dict[str, "Future[Path]"]) -> None:
    folder = workflows["D, cumulative"].result()
    rows = data(folder / "cumulative", *(f"cumulative_stage{number}" for number in (1, 2, 3)))
    ids = [{row["extra_info"]["id"] for row in of_stage} for of_stage in rows.values()]
    assert ids[0] < ids[1] < ids[2]
    assert [stages(of_stage) for of_stage in rows.values()] == [
        {"easy"},
        {"easy", "medium"},
        {"easy", "medium", "hard"},
    ]


def test_thresholds_name_along_the_metric(workflows: dict[str, "Future[Path]"]) -> None:
    found = buckets(workflows["thresholds"].result() / "custom_buckets")
    assert list(found) == ["high", "medium", "low"], "easiest first"
    assert_easiest_first(found)
    assert max(found["low"]["values"]) < 0.3 <= min(found["medium"]["values"])
    assert max(found["medium"]["values"]) < 0.7 <= min(found["high"]["values"])


@pytest.mark.parametrize(("name", "least"), [("best only", 1e-9), ("passing only", 0.5)])
def test_filters_keep_what_they_say(workflows: dict[str, "Future[Path]"], name: str, least: float) -> None:
    folder = workflows[name].result()
    rows = data(folder / "filtered", "easy", "medium", "hard")
    kept = {row["extra_info"]["id"] for of_bucket in rows.values() for row in of_bucket}
    rollouts = [json.loads(line) for line in (folder / "rollouts" / "arithmetic.jsonl").read_text().splitlines()]
    assert kept == {one["id"] for one in rollouts if max(reward["score"] for reward in one["reward"]) >= least}
    assert len(kept) < 60


def test_metrics_can_be_compared(workflows: dict[str, "Future[Path]"]) -> None:
    folder = workflows["metrics compared"].result()
    for metric in ("mean_reward", "pass_at_k", "variance"):
        found = buckets(folder / f"compare_{metric}")
        assert list(found) == ["easy", "medium", "hard"]
        assert found["easy"]["pass_rate"] > found["hard"]["pass_rate"]
        assert sum(map(len, data(folder / f"preprocessed_{metric}", *found).values())) == 60


def test_the_script_of_the_guide(workflows: dict[str, "Future[Path]"]) -> None:
    folder = workflows["script"].result() / "preprocessed"
    rows = data(folder, "easy", "medium", "hard")
    (both,) = data(folder / "cumulative", "stage1_and_2").values()
    assert len(both) == len(rows["easy"]) + len(rows["medium"])


def test_a_second_filter_into_the_same_folder_is_refused_unless_asked_for(workflows: dict[str, "Future[Path]"]) -> None:
    folder = workflows["best only"].result()
    command = [sys.executable, str(ROOT / "bucketing" / PREPROCESS), "-i", "./bucketed", "-o", "./filtered"]
    again = subprocess.run([*command, "--filter", "passing_only"], cwd=folder, capture_output=True, text=True)
    assert again.returncode == 1
    assert "--overwrite" in again.stderr
    forced = subprocess.run([*command, "--filter", "passing_only", "--overwrite"], cwd=folder, capture_output=True)
    assert forced.returncode == 0
