import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from integration.verl_toy import END, toy_tokenizer
from sft.chat_templates import QWEN, template_tokenizer
from sft.toy_sft import BUCKETS, chat, recipe

from curriculum_verl.curriculum import Curriculum
from curriculum_verl.errors import InputError
from curriculum_verl.sft.data import IGNORED, ROWS, Collator, CurriculumDataset, load_dataset


@pytest.fixture
def dataset(toy: Path, tmp_path: Path) -> CurriculumDataset:
    config = recipe(toy, tmp_path)
    made = load_dataset(toy_tokenizer(), config.data, config.data.train, CurriculumDataset)
    assert isinstance(made, CurriculumDataset)
    made.curriculum = Curriculum.from_config(config.curriculum, made.index)
    return made


def test_a_row_of_the_engine_is_a_row_of_the_data(dataset: CurriculumDataset) -> None:
    tokenizer = toy_tokenizer()
    assert dataset.index.by_name(dataset.index.sizes) == dict.fromkeys(BUCKETS, 12)
    for row in (0, 13, 35):
        item = dataset[row]
        bucket = dataset.index.names[int(dataset.index.bucket_of(torch.tensor([row]).numpy())[0])]
        assert dataset.samples[row].bucket == bucket
        labels = item["labels"]
        assert tokenizer.decode(labels[labels != IGNORED]) == dataset.samples[row].messages[-1]["content"] + END
        assert (labels == item["input_ids"])[labels != IGNORED].all()


def test_the_curriculum_goes_on_and_back_by_hand_and_the_data_stay(dataset: CurriculumDataset) -> None:
    curriculum = dataset.curriculum
    length = len(dataset)
    for step in (1, 2):
        curriculum.draw(4)
        curriculum.observe(step)
    dataset.advance_curriculum()
    assert curriculum.stage.name == "second"
    assert curriculum.metrics()["stage_steps"] == 0
    assert set(curriculum.draw(8).buckets.tolist()) == {0, 1, 2}
    dataset.roll_back_curriculum()
    assert curriculum.stage.name == "first"
    assert set(curriculum.draw(8).buckets.tolist()) == {0}
    assert [(s.step, s.kind, s.reason) for s in curriculum.transitions] == [
        (2, "advance", "by hand"),
        (2, "rollback", "by hand"),
    ]
    assert len(dataset) == length
    with pytest.raises(InputError, match="by -1 in stage 'first': there is no other stage there"):
        dataset.roll_back_curriculum()
    curriculum.observe(3)
    assert curriculum.step == 3


def test_a_switch_by_hand_is_part_of_the_state(dataset: CurriculumDataset, tmp_path: Path) -> None:
    dataset.advance_curriculum()
    dataset.curriculum.save(tmp_path / "state.json")
    other = Curriculum(dataset.curriculum.config, dataset.index)
    other.load(tmp_path / "state.json")
    assert other.stage.name == "second"
    assert other.draw(6).prompts.tolist() == dataset.curriculum.draw(6).prompts.tolist()


@pytest.mark.parametrize("overlong", ["drop", "cut"])
def test_what_is_too_long_is_dropped_or_cut_and_counted(
    toy: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, overlong: str
) -> None:
    lines = (toy / "train.jsonl").read_text()
    long = {"messages": chat("short?", "very long " * 30), "difficulty": "simple"}
    never = {"messages": chat("very long " * 30, "x"), "difficulty": "simple"}
    path = tmp_path / "long.jsonl"
    path.write_text(lines + json.dumps(long) + "\n" + json.dumps(never) + "\n")
    config = replace(recipe(toy, tmp_path).data, overlong="drop" if overlong == "drop" else "truncate")
    with caplog.at_level(logging.WARNING):
        made = load_dataset(toy_tokenizer(), config, [str(path)])
    assert len(made) == 36 + (overlong == "cut")
    assert max(len(made[row]["input_ids"]) for row in range(len(made))) <= 64
    assert f"of 38 samples 2 longer than 64 tokens: {'dropped' if overlong == 'drop' else 'cut'}" in caplog.text
    assert ("1 nothing of the assistant in it: dropped" in caplog.text) == (overlong == "cut")


def test_a_bucket_without_samples_is_refused(toy: Path, tmp_path: Path) -> None:
    path = tmp_path / "few.jsonl"
    path.write_text("".join(line for line in (toy / "train.jsonl").read_text().splitlines(True) if "hard" not in line))
    with pytest.raises(InputError, match="got no sample of bucket hard; expected some of every bucket"):
        load_dataset(toy_tokenizer(), recipe(toy, tmp_path).data, [str(path)])


def test_every_chat_that_the_template_cannot_render_is_named(toy: Path, tmp_path: Path) -> None:
    tokenizer = toy_tokenizer()
    tokenizer.chat_template = tokenizer.chat_template.replace(
        "{{ m['content'] }}", "{% if m['content'] == 'bad' %}{{ raise_exception('no') }}{% endif %}{{ m['content'] }}"
    )
    bad = json.dumps({"messages": chat("a?", "bad"), "difficulty": "simple"}) + "\n"
    path = tmp_path / "bad.jsonl"
    path.write_text((toy / "train.jsonl").read_text() + 7 * bad)
    with pytest.raises(InputError) as caught:
        load_dataset(tokenizer, recipe(toy, tmp_path).data, [str(path)])
    message = str(caught.value)
    assert "got 7 samples that cannot be used" in message
    assert f"{path}:37: the chat template cannot render this chat: TemplateError: no" in message
    assert f"{path}:41:" in message
    assert "and 2 more" in message


def test_thoughts_that_the_template_leaves_out_are_counted(
    toy: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tokenizer = template_tokenizer(QWEN)
    thinks = {"role": "assistant", "content": "", "reasoning_content": "hm"}
    messages = [{"role": "user", "content": "a?"}, thinks, *chat("b?", "yes")]
    path = tmp_path / "silent.jsonl"
    silent = json.dumps({"messages": messages, "difficulty": "simple"}) + "\n"
    path.write_text((toy / "train.jsonl").read_text() + silent)
    config = replace(recipe(toy, tmp_path).data, max_length=256)
    with caplog.at_level(logging.WARNING):
        made = load_dataset(tokenizer, config, [str(path)])
    assert len(made) == 37
    assert "of 37 samples 1 with a turn of the assistant that the chat template renders as nothing" in caplog.text


def test_a_batch_is_padded_without_loss(dataset: CurriculumDataset) -> None:
    batch = Collator(0)([dataset[0], dataset[35]])
    ends = [len(dataset[0]["input_ids"]), len(dataset[35]["input_ids"])]
    assert ends[0] != ends[1]
    assert batch["attention_mask"].sum(1).tolist() == ends
    assert (batch["labels"][0, ends[0] :] == IGNORED).all()
    assert batch[ROWS].tolist() == [0, 35]
