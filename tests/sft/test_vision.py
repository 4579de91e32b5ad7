"""Real runs of a small model that sees, and how chats with images become tokens and labels."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from sft.killed import run_and_kill
from sft.toy_sft import BUCKETS, recipe, same, told, weights
from sft.vision_toy import (
    IMAGE,
    SEEING_CHAT,
    picture,
    seeing_recipe,
    seeing_rows,
    seeing_tokenizer,
    write_seeing,
    write_seeing_toy,
)

from curriculum_verl.errors import ConfigError, InputError
from curriculum_verl.sft.answers import answer
from curriculum_verl.sft.chat import encode
from curriculum_verl.sft.data import IGNORED, ROWS, load_dataset
from curriculum_verl.sft.pictures import Store, place_images
from curriculum_verl.sft.run import build_trainer, load_model, load_tokenizer, run_sft
from curriculum_verl.sft.samples import Sample
from curriculum_verl.sft.vision import Seer, VisionCollator, load_processor

END = "<|im_end|>"
MARKED = SEEING_CHAT.replace(
    "{{ p['text'] }}",
    "{% if m['role'] == 'assistant' %}{% generation %}{{ p['text'] }}{% endgeneration %}"
    "{% else %}{{ p['text'] }}{% endif %}",
)


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_seeing_toy(tmp_path_factory.mktemp("seeing"))


# --- processors


def llava() -> Any:
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    size = {"height": 16, "width": 16}
    return transformers.LlavaProcessor(
        CLIPImageProcessorPil(size={"shortest_edge": 16}, crop_size=size),
        seeing_tokenizer(),
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
    )


def llava_next() -> Any:
    """As many tokens as an image is large."""
    from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil

    pixels = LlavaNextImageProcessorPil(
        size={"shortest_edge": 16},
        crop_size={"height": 16, "width": 16},
        image_grid_pinpoints=[[16, 32], [32, 16], [32, 32]],
    )
    return transformers.LlavaNextProcessor(
        pixels,
        seeing_tokenizer(),
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
    )


def aya() -> Any:
    """Other tokens around and between those of an image."""
    from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil

    more = ["<|START_OF_IMG|>", "<|END_OF_IMG|>", "<|IMG_PATCH|>", "<|IMG_LINE_BREAK|>", "TILE", "TILE_GLOBAL"]
    pixels = GotOcr2ImageProcessorPil(size={"height": 16, "width": 16})
    return transformers.AyaVisionProcessor(
        pixels, seeing_tokenizer(*more), patch_size=4, img_size=16, downsample_factor=1
    )


def gemma3() -> Any:
    """A token in the template that is not the image's, and line breaks around, which melt with those of the text."""
    from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil

    roles = {"boi_token": "<boi>", "eoi_token": "<eoi>", "image_token": "<soft>"}
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=seeing_tokenizer()._tokenizer,
        eos_token=END,
        pad_token="<|endoftext|>",
        extra_special_tokens=roles,
        chat_template=SEEING_CHAT.replace(IMAGE, "<boi>"),
    )
    tokenizer.add_tokens(["\n" * count for count in (2, 3, 4)])  # as Gemma's has it
    pixels = Gemma3ImageProcessorPil(size={"height": 16, "width": 16})
    return transformers.Gemma3Processor(pixels, tokenizer, image_seq_length=4)


def sample(*turns: str, images: tuple[tuple[str, tuple[int, int]], ...] = ()) -> Sample:
    roles = ["user", "assistant"] * len(turns)
    messages = [{"role": role, "content": text} for role, text in zip(roles, turns, strict=False)]
    files = []
    for colour, size in images:
        picture(colour, 0, size).save(file := BytesIO(), "PNG")
        files.append(file.getvalue())
    placed, found = place_images(messages, files, Path(), Store(), "x:1")
    return Sample(placed, "simple", "", images=found)


CHATS = [
    sample(
        "<image><image>?",
        "red, and a little red",
        "\n<image>",
        "blue\nit is",
        images=(("red", (20, 60)), ("red", (64, 48)), ("blue", (10, 10))),
    ),
    sample("no image", "none"),
    sample("<image>", "blue", images=(("blue", (31, 17)),)),
]
SAID = [f"red, and a little red{END}blue\nit is{END}", f"none{END}", f"blue{END}"]


def rows_of(tokenizer: Any, chats: list[Sample]) -> list[dict[str, Any]]:
    made = []
    for row, chat in enumerate(chats):
        encoded = encode(tokenizer, chat.messages)
        tokens, spoken = torch.tensor(encoded.tokens), torch.tensor(encoded.spoken)
        labels = torch.where(spoken, tokens, IGNORED)
        made.append({"input_ids": tokens, "labels": labels, ROWS: row, "sample": chat, "encoded": encoded})
    return made


@pytest.mark.parametrize("make", [llava, llava_next, aya, gemma3])
def test_labels_are_what_the_assistant_says_and_lengths_are_known_before(make: Any, tmp_path: Path) -> None:
    make().save_pretrained(tmp_path)
    processor = load_processor(str(tmp_path))
    tokenizer = processor.tokenizer
    rows = rows_of(tokenizer, CHATS)
    seer = Seer(processor)
    lengths = [seer.length(row["encoded"], row["sample"]) for row in rows]
    assert lengths[0] >= len(rows[0]["input_ids"]) + 3 * 3
    for chosen in ([0], [1], [2, 0], [0, 1, 2]):  # with and without images, and both in one batch
        batch = VisionCollator(processor)([rows[n] for n in chosen])
        said = [tokenizer.decode(labels[labels != IGNORED]) for labels in batch["labels"]]
        assert said == [SAID[n] for n in chosen]
        assert ((batch["labels"] == batch["input_ids"]) | (batch["labels"] == IGNORED)).all()
        written = batch["attention_mask"].sum(1).tolist()
        for found, n in zip(written, chosen, strict=True):
            assert abs(found - lengths[n]) <= 2 * len(CHATS[n].images), "line breaks around an image melt"
        assert ("pixel_values" in batch) == (chosen != [1])


def test_markers_of_the_template_are_followed(tmp_path: Path) -> None:
    processor = llava()
    processor.tokenizer.chat_template = MARKED
    [labels] = VisionCollator(processor)(rows_of(processor.tokenizer, CHATS[:1]))["labels"]
    assert processor.tokenizer.decode(labels[labels != IGNORED]) == SAID[0].replace(END, ""), "the end is not marked"


def test_a_template_that_writes_no_image_is_refused() -> None:
    processor = llava()
    processor.tokenizer.chat_template = SEEING_CHAT.replace(IMAGE, "")
    with pytest.raises(InputError, match="the chat template writes no image; expected one of"):
        Seer(processor)


def test_a_text_that_holds_the_token_of_an_image_is_refused() -> None:
    processor = llava()
    chat = sample("<image>", "that was <image>", images=(("red", (9, 9)),))
    with pytest.raises(InputError, match=r"got 1 images, but the chat template writes '<image>' 2 times"):
        Seer(processor).length(encode(processor.tokenizer, chat.messages), chat)


# --- runs

LEARN = (
    "training.max_steps=60",
    "training.eval_every=30",
    "training.save_every=60",
    "training.learning_rate=0.003",
    "training.schedule=constant",
)


def test_a_model_learns_to_name_the_colour_of_pictures_it_has_not_seen(seeing: Path, tmp_path: Path) -> None:
    config = seeing_recipe(seeing, tmp_path, *LEARN, "evaluation.score=answers", "evaluation.max_new_tokens=6")
    before = build_trainer(config).evaluate()
    assert before["eval_token_accuracy"] < 0.3
    trainer = run_sft(config)
    report = json.loads((tmp_path / "evaluation.json").read_text())
    for bucket in BUCKETS:
        assert report["buckets"][bucket]["token_accuracy"] > 0.9
        assert report["buckets"][bucket]["score"] > 0.9, "a blind model has at most half of the colours"
    assert trainer.curriculum.stage.name == "second"
    again = load_tokenizer(seeing_recipe(seeing, tmp_path, f"model.path={tmp_path / 'final'}"))
    assert type(again.image_processor).__name__ in ("CLIPImageProcessorPil", "CLIPImageProcessor")  # with torchvision


def test_a_model_that_sees_nothing_of_use_guesses(seeing: Path, tmp_path: Path) -> None:
    rows = seeing_rows(tmp_path, 0, 16)
    for path in (tmp_path / "pictures").iterdir():
        picture("red", 0).save(path)
    train = write_seeing(tmp_path / "train.jsonl", rows)
    answers = ("evaluation.score=answers", "evaluation.max_new_tokens=6", f"data.train={train}")
    trainer = run_sft(seeing_recipe(seeing, tmp_path / "out", *LEARN, *answers))
    assert trainer.evaluate()["eval_simple_score"] <= 0.5


def test_questions_with_images_end_where_the_answer_begins(seeing: Path, tmp_path: Path) -> None:
    asked: list[dict[str, torch.Tensor]] = []

    class Recorder:
        device = torch.device("cpu")

        def generate(self, **inputs: Any) -> torch.Tensor:
            asked.append(inputs)
            return torch.cat([inputs["input_ids"], torch.full((len(inputs["input_ids"]), 1), 70)], dim=1)

    processor = load_tokenizer(seeing_recipe(seeing, tmp_path))
    made = list(answer(Recorder(), processor, CHATS, batch=2, new_tokens=1))
    assert made == [processor.tokenizer.decode([70])] * 3
    assert [len(inputs["input_ids"]) for inputs in asked] == [2, 1]
    assert asked[0]["attention_mask"].sum(1).unique().numel() == 2, "of different lengths"
    assert all(inputs["attention_mask"][:, -1].all() for inputs in asked)
    assert [len(inputs["pixel_values"]) for inputs in asked] == [3, 1]
    assert all(processor.tokenizer.decode(inputs["input_ids"][0]).endswith("assistant\n") for inputs in asked)


def test_a_killed_run_goes_on_as_one_that_never_stopped(seeing: Path, tmp_path: Path) -> None:
    run_and_kill("sft.vision_toy:seeing_recipe", 6, seeing, tmp_path / "killed", "training.log_every=1")
    whole = run_sft(seeing_recipe(seeing, tmp_path / "whole", "training.log_every=1"))
    resumed = run_sft(seeing_recipe(seeing, tmp_path / "killed", "training.log_every=1"), "auto")
    assert told(resumed.root, "start")[-1]["step"] == 4
    assert same(weights(resumed.root / "final"), weights(whole.root / "final"))
    losses = [[line["metrics"]["train/loss"] for line in told(run.root)[-2:]] for run in (whole, resumed)]
    assert losses[0] == losses[1]


def test_the_final_model_has_the_names_of_its_release_and_is_that_of_the_last_checkpoint(
    seeing: Path, tmp_path: Path
) -> None:
    run_sft(seeing_recipe(seeing, tmp_path, "training.final={of: last, count: 2}"))
    assert "language_model.lm_head.weight" in weights(tmp_path / "final")
    assert "lm_head.weight" in weights(tmp_path / "checkpoint-8"), "or nothing of it would be loaded again"
    made = [
        load_model(seeing_recipe(seeing, tmp_path, f"model.path={tmp_path / name}")).state_dict()
        for name in ("checkpoint-4", "checkpoint-8", "final")
    ]
    for name, mean in made[2].items():
        assert torch.allclose(mean, (made[0][name] + made[1][name]) / 2, atol=1e-6), name
    assert not same(made[0], made[1])


def test_adapters_are_on_what_speaks_unless_modules_are_named(seeing: Path, tmp_path: Path) -> None:
    def adapted(*overrides: str) -> set[str]:
        model = load_model(seeing_recipe(seeing, tmp_path, *overrides))
        return {name.split(".lora_A")[0] for name, _ in model.named_parameters() if "lora_A" in name}

    found = adapted("lora={rank: 2}")
    assert len(found) == 7
    assert all(".language_model.layers.0." in name for name in found)
    named = adapted("lora={rank: 2, target: [multi_modal_projector.linear_1, q_proj]}")
    assert any("multi_modal_projector" in name for name in named)
    assert any("vision_tower" in name for name in named)


def test_adapters_train_with_checkpointing(seeing: Path, tmp_path: Path) -> None:
    wanted = ("lora={rank: 2}", "training.gradient_checkpointing=true", "training.max_steps=4")
    trainer = run_sft(seeing_recipe(seeing, tmp_path, *wanted))
    assert trainer.state.global_step == 4
    trained = weights(tmp_path / "final")
    assert any(float(value.abs().max()) > 0 for name, value in trained.items() if "lora_B" in name)


def test_a_model_that_sees_may_read_text_alone(seeing: Path, toy: Path, tmp_path: Path) -> None:
    data = (f"data.train={toy / 'train.jsonl'}", f"data.validation={toy / 'validation.jsonl'}")
    assert run_sft(seeing_recipe(seeing, tmp_path, *data, "training.max_steps=2")).state.global_step == 2


# --- refusals


def test_a_model_for_text_says_what_to_do_with_images(seeing: Path, toy: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"got images, expected text; for a model that sees say model\.vision=true"):
        build_trainer(recipe(seeing, tmp_path, f"model.path={toy / 'model'}"))
    with pytest.raises(InputError, match=r"model\.vision: got .*model, which sees no images"):
        build_trainer(seeing_recipe(seeing, tmp_path, f"model.path={toy / 'model'}"))


def test_an_image_is_not_cut(seeing: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.overlong: got 'truncate' with model\.vision=true"):
        seeing_recipe(seeing, tmp_path, "data.overlong=truncate")


def test_the_tokens_of_images_count(seeing: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = seeing_recipe(seeing, tmp_path)
    processor = load_tokenizer(config)
    whole = load_dataset(processor, config.data, config.data.train)
    longest = max(len(whole[row]["input_ids"]) for row in range(len(whole)))
    shorter = seeing_recipe(seeing, tmp_path, f"data.max_length={longest}")
    with pytest.raises(InputError, match=r"no sample of bucket simple, medium \(32 longer than \d+ tokens: dropped\)"):
        load_dataset(processor, shorter.data, shorter.data.train)


def test_an_image_that_breaks_off_is_named_with_its_row(seeing: Path, tmp_path: Path) -> None:
    rows = seeing_rows(tmp_path, 0, 4)
    whole = BytesIO()
    picture("red", 0, (90, 90)).save(whole, "PNG")
    for path in (tmp_path / "pictures").iterdir():
        path.write_bytes(whole.getvalue()[:2000])
    train = write_seeing(tmp_path / "train.jsonl", rows)
    trainer = build_trainer(seeing_recipe(seeing, tmp_path / "out", f"data.train={train}"))
    with pytest.raises(
        InputError, match=r"train\.jsonl:\d+: images\[0\] \(.*png\) cannot be read as an image: .*trunc"
    ):
        trainer.train()


@pytest.mark.skipif(find_spec("torchvision") is not None, reason="torchvision is installed")
def test_a_processor_that_needs_torchvision_says_so(tmp_path: Path) -> None:
    seeing_tokenizer().save_pretrained(tmp_path)
    processor = {
        "processor_class": "Qwen2VLProcessor",
        "image_processor": {"image_processor_type": "Qwen2VLImageProcessor"},
        "video_processor": {"video_processor_type": "Qwen2VLVideoProcessor"},
    }
    (tmp_path / "processor_config.json").write_text(json.dumps(processor))
    with pytest.raises(InputError, match=r"model\.vision: the processor of .* cannot be loaded \(torchvision is not"):
        load_processor(str(tmp_path))


WITHOUT_PIL = """
import sys
class Without:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, *args):
        return None if name.partition(".")[0] == "PIL" else self.finder.find_spec(name, *args)
    def __getattr__(self, name):
        return getattr(self.finder, name)
sys.meta_path = [Without(finder) for finder in sys.meta_path]
from pathlib import Path
import torch
from sft.toy_sft import recipe
from curriculum_verl.sft.run import run_sft
torch.set_num_threads(1)
run_sft(recipe(Path(sys.argv[1]), Path(sys.argv[2]), "training.max_steps=2", *sys.argv[3:]))
ours = [name for name in sys.modules if name == "PIL" or name.endswith(("processing_auto", "sft.vision"))]
print("loaded:", *ours)
"""


@pytest.mark.parametrize("packing", ["false", "true"])
def test_text_needs_neither_pillow_nor_a_processor(toy: Path, tmp_path: Path, packing: str) -> None:
    root = Path(__file__).parents[2]
    env = os.environ | {"PYTHONPATH": f"{root / 'tests'}:{root}", "OMP_NUM_THREADS": "1"}
    answers = ("evaluation.score=answers", "evaluation.max_new_tokens=2", f"data.packing={packing}")
    command = [sys.executable, "-c", WITHOUT_PIL, toy, tmp_path / "out", *answers]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].strip() == "loaded:"
