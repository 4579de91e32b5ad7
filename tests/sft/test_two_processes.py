"""Two processes over gloo: one draw that they share, one state, the same decisions."""

import json
from pathlib import Path

from sft.toy_sft import told
from sft.two_processes import run_in_two

from curriculum_verl.curriculum.state import read_state

PROCESS = """
import json, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from sft.toy_sft import recipe
from curriculum_verl.sft.run import run_sft
from curriculum_verl.sft.trainer import CurriculumTrainer
seen = []
compute = CurriculumTrainer.compute_loss
def watch(self, model, inputs, *args, **kwargs):
    if model.training:
        seen.append(inputs["rows"].tolist())
    return compute(self, model, inputs, *args, **kwargs)
CurriculumTrainer.compute_loss = watch
answers = ("evaluation.score=answers", "evaluation.max_new_tokens=2", "data.validation=" + sys.argv[3])
config = recipe(Path(sys.argv[1]), Path(sys.argv[2]), "training.max_steps=5", "training.device_batch_size=1", *answers)
trainer = run_sft(config)
transitions = [[t.step, t.kind, t.before, t.after] for t in trainer.curriculum.transitions]
state = trainer.curriculum.state_dict()
told = {"rank": trainer.args.process_index, "seen": seen, "transitions": transitions, "state": json.dumps(state)}
Path(sys.argv[2] + f".{trainer.args.process_index}").write_text(json.dumps(told))
"""


def test_ranks_draw_disjoint_rows_and_agree_on_everything(toy: Path, tmp_path: Path) -> None:
    odd = tmp_path / "odd.jsonl"  # seven samples: the last batch of the second process is filled up
    lines = (toy / "validation.jsonl").read_text().splitlines(keepends=True)
    odd.write_text("".join(lines[:7]))
    run_in_two(tmp_path, PROCESS, toy, tmp_path / "out", odd)
    one, other = (json.loads((tmp_path / f"out.{rank}").read_text()) for rank in range(2))
    assert len(one["seen"]) == len(other["seen"]) == 10, "five steps of two rows each"
    for step in range(5):
        rows = [row for told in (one, other) for batch in told["seen"][2 * step : 2 * step + 2] for row in batch]
        assert len(set(rows)) == 4, "one draw, shared out"
    assert one["transitions"] == other["transitions"]
    assert [switch[:2] for switch in one["transitions"]] == [[3, "advance"]]
    assert one["state"] == other["state"]
    saved = read_state(tmp_path / "out" / "checkpoint-5" / "curriculum.json")
    assert sum(saved["drawn"]) == 20
    assert len(told(tmp_path / "out", "start")) == 1, "only the first process reports"
    assert [line["step"] for line in told(tmp_path / "out")] == [1, 2, 3, 4, 5]
    report = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert [report["buckets"][bucket]["samples"] for bucket in ("simple", "medium", "hard")] == [3, 2, 2]
