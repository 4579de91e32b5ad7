import pytest

pytest.importorskip("transfer_queue")

from curriculum_verl.verl_plugin.feedback import Trajectory
from curriculum_verl.verl_plugin.rollout_log import RolloutLog, lines

TICKET = {"row": 4, "bucket": "hard", "stage": 1, "weights": {"final": 2.0}}
ROW = {
    "raw_prompt": [{"role": "user", "content": "1+1?"}],
    "data_source": "toy",
    "reward_model": {"style": "rule", "ground_truth": '{"a": 2}', "ground_truth_format": "json"},
    "extra_info": {"id": "p4", "index": 9, "original": '{"level": 3}'},
}


def trajectory(key: str, raw: float | None) -> Trajectory:
    return Trajectory(key, TICKET, 2.0 * (raw or 0.0), {"reward/final": raw, "reward/coherence": 0.1, "acc": 1})


def test_the_responses_of_a_prompt_are_one_line_in_the_format_of_the_bucketing_script():
    group = [trajectory("u_0_0", 1.0), trajectory("u_1_0", 0.25), trajectory("v_0_0", 0.0)]
    first, second = lines(group, [ROW] * 3, ["2", "3", "4"])
    assert first == {
        "id": "p4",
        "prompt": ROW["raw_prompt"],
        "response": ["2", "3"],
        "reward": [1.0, 0.25],
        "ground_truth": {"a": 2},
        "data_source": "toy",
        "extra_info": {"level": 3},
        "bucket": "hard",
        "stage": 1,
        "weights": {"final": 2.0},
        "weighted_reward": [2.0, 0.5],
        "components": {"coherence": [0.1, 0.1], "final": [1.0, 0.25]},
    }
    assert second["response"] == ["4"]


def test_rows_that_are_not_of_our_pipeline_are_logged_too():
    row = ROW | {"extra_info": None, "reward_model": {"ground_truth": "7"}}
    [line] = lines([trajectory("u_0_0", None)], [row], ["x"])
    assert (line["id"], line["ground_truth"], line["extra_info"], line["reward"]) == ("4", "7", {}, [0.0])


def test_a_log_that_cannot_be_written_is_told_and_ends_nothing(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    RolloutLog(str(tmp_path / "file"), None).write(3)
    assert "the rollouts of step 3 are lost" in caplog.text


def test_a_line_that_json_cannot_hold_is_left_out_with_a_word(tmp_path, caplog):
    log = RolloutLog(str(tmp_path), None)
    log._lines = [{"id": "p1", "prompt": object()}, {"id": "p2", "prompt": "x"}]
    log.write(1)
    [line] = (tmp_path / "rollout_000001.jsonl").read_text().splitlines()
    assert '"p2"' in line
    assert "the rollouts of prompt p1 are not logged" in caplog.text


def test_a_step_without_rollouts_is_an_empty_file_and_no_folder_no_log(tmp_path):
    RolloutLog(str(tmp_path / "log"), None).write(3)
    assert (tmp_path / "log" / "rollout_000003.jsonl").read_text() == ""
    RolloutLog(None, None).write(3)
    assert [path.name for path in tmp_path.iterdir()] == ["log"]
