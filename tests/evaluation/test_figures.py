import io
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib import image

from curriculum_verl.evaluation.chart import draw
from curriculum_verl.evaluation.figures import OVERALL, Answers, Measuring, changes_of, figures_of, pairs
from curriculum_verl.evaluation.report import Report, write
from curriculum_verl.evaluation.tables import frame, in_words, table
from curriculum_verl.rewards.usage import Trace

BUCKETS = ["easy", "hard"]
MEASURING = Measuring(ks=(1, 2, 4))
TOOL = Trace((("ZOOM_IN", 1),), calls=1, steps=1)


def answers(bucket: str, passes: Sequence[int], *, n: int = 4, first: int = 0, tokens: int = 5) -> list[Answers]:
    return [
        Answers(
            id=f"{bucket}-{first + number}",
            bucket=bucket,
            scores=[1.0] * passed + [0.0] * (n - passed),
            tokens=[tokens] * n,
            cut=[False] * n,
            traces=[Trace()] * n,
        )
        for number, passed in enumerate(passes)
    ]


def test_figures_are_those_of_the_prompts_of_a_bucket() -> None:
    given = answers("hard", [0, 1]) + answers("easy", [4, 2, 0])
    figures = figures_of("m", given, BUCKETS, MEASURING)
    assert list(figures) == ["easy", "hard", OVERALL], "easiest first, and all of them last"
    assert figures["easy"].success.value == figures["easy"].pass_at[1].value == figures["easy"].score.value == 0.5
    assert figures["easy"].pass_at[2].value == pytest.approx((1 + (1 - 1 / 6) + 0) / 3)
    assert figures["easy"].pass_at[4].value == pytest.approx(2 / 3)
    assert (figures["hard"].success.value, figures["hard"].prompts, figures["hard"].responses) == (0.125, 2, 8)
    assert figures[OVERALL].success.value == pytest.approx((1 + 0.5 + 0 + 0 + 0.25) / 5)
    assert figures[OVERALL].success.low < figures[OVERALL].success.value < figures[OVERALL].success.high


def test_a_response_without_a_score_does_not_pass_and_is_counted() -> None:
    odd = Answers(
        "a", "easy", [1.0, None, 0.5, 0.4], [2, 4, 6, 8], [False, True, True, False], [TOOL] * 2 + [Trace()] * 2
    )
    figures = figures_of("m", [odd], BUCKETS, MEASURING)
    assert list(figures) == ["easy"], "one bucket is all there is"
    easy = figures["easy"]
    assert (easy.unscored, easy.success.value, easy.score.value) == (1, 0.5, pytest.approx(1.9 / 4))
    assert (easy.tokens.value, easy.cut.value, easy.tool_use.value, easy.calls) == (5.0, 0.5, 0.5, 0.5)


def test_tokens_that_a_server_does_not_count_are_left_out_and_shown_as_unknown(tmp_path: Path) -> None:
    some = Answers("a", "easy", [1.0, 0.0], [4, None], [False] * 2, [Trace()] * 2)
    none = Answers("b", "hard", [1.0, 0.0], [None, None], [False] * 2, [Trace()] * 2)
    figures = list(figures_of("m", [some, none], BUCKETS, Measuring()).values())
    assert [one.tokens.value for one in figures[::2]] == [4.0, 4.0]
    assert [line.split()[-2] for line in table(figures, []).splitlines()[2:]] == ["4.0", "-", "4.0"]
    made = {name: [none] for name in "ab"}
    changes = changes_of(made, BUCKETS, Measuring())
    write(Report({}, [{"name": name} for name in made], figures, changes), tmp_path / "e.json", tmp_path / "aside")
    found = pd.read_csv(tmp_path / "e.csv")
    assert found[(found.measure == "tokens") & (found.bucket == "hard")].value.isna().all()
    assert json.loads((tmp_path / "e.json").read_text())["figures"][1]["tokens"]["value"] is None


def test_malformed_calls_are_a_share_of_those_attempted() -> None:
    broken = Trace((("ZOOM_IN", 1),), calls=1, malformed=3)
    one = Answers("a", "easy", [0.0], [1], [False], [broken])
    assert figures_of("m", [one], BUCKETS, Measuring())["easy"].malformed == 0.75
    assert figures_of("m", answers("easy", [0]), BUCKETS, Measuring())["easy"].malformed == 0


def test_the_threshold_decides_what_passes() -> None:
    one = Answers("a", "easy", [0.4, 0.6], [1, 1], [False] * 2, [Trace()] * 2)
    for threshold, expected in ((0.5, 0.5), (0.3, 1.0), (0.7, 0.0)):
        found = figures_of("m", [one], BUCKETS, Measuring(pass_threshold=threshold))
        assert found["easy"].success.value == expected


def test_models_are_compared_with_the_first_and_with_the_one_before() -> None:
    assert pairs(["a"]) == []
    assert pairs(["a", "b"]) == [("a", "b")]
    assert pairs(["a", "b", "c", "d"]) == [("a", "b"), ("a", "c"), ("a", "d"), ("b", "c"), ("c", "d")]


def test_a_change_is_of_the_prompts_that_both_models_answered() -> None:
    before = answers("easy", [4] * 12 + [2]) + answers("hard", [0] * 12)
    after = answers("easy", [0] * 12) + answers("hard", [4] * 12)[::-1]  # in another order
    easy, hard, both = changes_of({"before": before, "after": after}, BUCKETS, MEASURING)
    assert (easy.prompts, easy.success.value, easy.verdict) == (12, -1.0, "forgotten")
    assert (hard.prompts, hard.success.value, hard.verdict) == (12, 1.0, "learned")
    assert (both.bucket, both.success.value, both.verdict) == (OVERALL, 0.0, "")
    assert hard.pass_at[4].value == hard.score.value == 1.0
    assert hard.tokens.value == 0


def test_prompts_are_paired_by_their_ids_whatever_their_order() -> None:
    given = answers("easy", [0, 4, 1, 3] * 5)
    [change] = changes_of({"a": given, "b": given[::-1]}, BUCKETS, MEASURING)
    unseen = 1 - 0.025 ** (1 / 20)
    assert (change.success.low, change.success.high) == (pytest.approx(-unseen), pytest.approx(unseen))
    assert change.score.low is None, "no prompt differs"


def test_a_change_is_learned_only_if_chance_does_not_explain_it() -> None:
    few = changes_of({"a": answers("easy", [0, 2, 1]), "b": answers("easy", [1, 2, 1])}, BUCKETS, MEASURING)
    assert (few[0].success.value > 0, few[0].verdict) == (True, "")


def test_the_same_answers_give_the_same_figures() -> None:
    given = answers("easy", [0, 1, 2, 3, 4] * 4)
    assert figures_of("m", given, BUCKETS, MEASURING) == figures_of("m", given, BUCKETS, MEASURING)


@pytest.fixture
def report() -> Report:
    made = {"before": answers("easy", [1, 2] * 8) + answers("hard", [0] * 16)}
    made["$after_"] = answers("easy", [4] * 16, tokens=7) + answers("hard", [0, 1] * 8)
    figures = [one for name, given in made.items() for one in figures_of(name, given, BUCKETS, MEASURING).values()]
    return Report({}, [{"name": name} for name in made], figures, changes_of(made, BUCKETS, MEASURING))


def test_the_table_shows_models_below_each_other_bucket_by_bucket(report: Report) -> None:
    text = table(report.figures, report.changes)
    lines = text.splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["easy", "$after_", "hard", "$after_", "(all)", "$after_"]
    assert "37.5 [" in lines[2]
    assert "100.0 [" in lines[3]
    assert lines[3].endswith("learned")
    assert "change from before" in lines[0]
    assert "tool use" not in text, "no model uses any"
    assert not any(line.endswith(" ") for line in lines)


def test_one_model_has_no_changes_in_its_table(report: Report) -> None:
    text = table([one for one in report.figures if one.model == "before"], [])
    assert "change" not in text
    assert len(text.splitlines()) == 5


def test_the_frame_has_every_value_with_its_interval(report: Report) -> None:
    found = frame(report.figures, report.changes)
    own = found[(found.against == "") & (found.measure == "pass@4")].pivot(
        index="bucket", columns="model", values="value"
    )
    assert own.loc["easy", "$after_"] == 1.0
    change = found[(found.against == "before") & (found.measure == "success") & (found.bucket == "easy")]
    assert (change.model.item(), change.value.item(), change.verdict.item()) == ("$after_", 0.625, "learned")
    assert set(found.measure) >= {
        "success",
        "pass@1",
        "score",
        "tokens",
        "cut",
        "tool_use",
        "calls",
        "malformed",
        "unscored",
    }


def test_words_say_what_was_learned_and_what_was_forgotten(report: Report) -> None:
    [line] = in_words(report.changes, report.names)
    assert line.startswith("learned from before to $after_: easy +62.5 [")
    swapped = {name: answers("easy", passes) for name, passes in (("a", [4] * 9), ("b", [0] * 9))}
    [line] = in_words(changes_of(swapped, BUCKETS, MEASURING), ["a", "b"])
    assert line.startswith("forgotten from a to b: easy -100.0 [-100.0, ")
    same = {name: answers("easy", [1, 2, 3]) for name in "ab"}
    assert in_words(changes_of(same, BUCKETS, MEASURING), ["a", "b"]) == [
        "no bucket changed by more than chance explains"
    ]
    stages = {name: answers("easy", passes) for name, passes in (("a", [0] * 9), ("b", [4] * 9), ("c", [0] * 9))}
    told = in_words(changes_of(stages, BUCKETS, MEASURING), list(stages))
    assert [line.partition(":")[0] for line in told] == ["learned from a to b", "forgotten from b to c"]
    assert in_words([], ["a"]) == []


@pytest.mark.parametrize("models", [1, 2, 11])
def test_the_chart_has_a_bar_for_every_model_and_bucket(models: int) -> None:
    given = {f"m{number}": answers("easy", [number % 5] * 5) + answers("hard", [0, 1]) for number in range(models)}
    figures = [one for name, made in given.items() for one in figures_of(name, made, BUCKETS, MEASURING).values()]
    drawn = draw(list(given), figures, changes_of(given, BUCKETS, MEASURING))
    height, width, _ = image.imread(io.BytesIO(drawn)).shape
    assert width >= 1000
    assert height >= (1000 if models > 1 else 500)


def test_all_files_are_written_together(report: Report, tmp_path: Path) -> None:
    out = tmp_path / "out" / "evaluation.json"
    write(report, out, tmp_path / "aside")
    names = ["evaluation.csv", "evaluation.json", "evaluation.png"]
    assert sorted(path.name for path in out.parent.iterdir()) == names
    document = json.loads(out.read_text())
    assert (document["kind"], len(document["figures"]), len(document["changes"])) == ("evaluation", 6, 3)
    assert document["changes"][0]["verdict"] == "learned"
    assert document["figures"][0]["pass_at"]["4"]["value"] <= 1
    table = pd.read_csv(out.with_suffix(".csv"))
    assert math.isclose(
        table.query("model == 'before' and bucket == 'easy' and measure == 'success'").value.item(), 0.375
    )
    assert np.isnan(table[table.measure == "calls"].low).all()


def test_while_files_are_replaced_no_document_stands(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out" / "evaluation.json"
    write(report, out, tmp_path / "aside")
    replace = Path.replace

    def killed(self: Path, target: Path) -> Path:
        if Path(target).name == "evaluation.png":
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write(report, out, tmp_path / "again")
    assert not out.exists()
