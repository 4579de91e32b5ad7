"""A model that sees, of a few thousand parameters, with a real processor that needs no torchvision, and two colours."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from integration.verl_toy import END, START, toy_tokenizer
from PIL import Image
from sft.toy_sft import recipe

from curriculum_verl.sft.config import SftConfig

IMAGE = "<image>"
COLOURS = {"red": (220, 30, 30), "blue": (30, 30, 220)}
SEEING_CHAT = (  # contents are lists of parts, as templates of such models expect them
    "{% for m in messages %}" + START + "{{ m['role'] }}\n"
    "{% for p in m['content'] %}{% if p['type'] == 'image' %}" + IMAGE + "{% else %}{{ p['text'] }}{% endif %}"
    "{% endfor %}" + END + "\n{% endfor %}{% if add_generation_prompt %}" + START + "assistant\n{% endif %}"
)


def seeing_tokenizer(*more: str) -> Any:
    tokenizer = toy_tokenizer()
    tokenizer.add_special_tokens(
        {"additional_special_tokens": [START, IMAGE, *more]}, replace_extra_special_tokens=False
    )
    tokenizer.chat_template = SEEING_CHAT
    return tokenizer


def write_seeing_model(folder: Path) -> Path:
    """A random LLaVA: CLIP sees 16 x 16 pixels as four tokens, Qwen2 speaks."""
    import torch
    from transformers import CLIPVisionConfig, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor, Qwen2Config
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    tokenizer = seeing_tokenizer()
    pixels = CLIPImageProcessorPil(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16})
    LlavaProcessor(
        pixels,
        tokenizer,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=SEEING_CHAT,
    ).save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4}
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**sizes, image_size=16, patch_size=8, attention_dropout=0.1),
        text_config=Qwen2Config(
            **sizes,
            vocab_size=len(tokenizer),
            num_key_value_heads=2,
            max_position_embeddings=256,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        ),
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE),
        vision_feature_layer=-1,
    )
    LlavaForConditionalGeneration(config).save_pretrained(folder)
    return folder


def picture(colour: str, seed: int, size: tuple[int, int] = (24, 18)) -> Image.Image:
    """Noise around a colour: no two pictures are the same."""
    noise = np.random.default_rng(seed).integers(-30, 30, (size[1], size[0], 3))
    return Image.fromarray((np.array(COLOURS[colour]) + noise).clip(0, 255).astype(np.uint8))


def seeing_rows(folder: Path, first: int, count: int) -> list[dict[str, Any]]:
    """Simple and medium ask for the colour, one by each way to place an image; hard is a text without one."""
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for n in range(first, first + count):
        colour = list(COLOURS)[n % 2]
        name = f"pictures/{n}.png"
        picture(colour, n).save(folder / name)
        said = {"role": "assistant", "content": colour}
        marked = [{"role": "user", "content": f"{IMAGE}?"}, said]
        parts = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "?"}]}, said]
        rows += [
            {"messages": marked, "images": [name], "difficulty": "simple"},
            {"messages": parts, "images": [name], "difficulty": "medium"},
            {"messages": [{"role": "user", "content": "say 1"}, {**said, "content": "1"}], "difficulty": "hard"},
        ]
    return rows


def write_seeing(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def write_seeing_toy(folder: Path) -> Path:
    write_seeing_model(folder / "model")
    write_seeing(folder / "train.jsonl", seeing_rows(folder, 0, 16))
    write_seeing(folder / "validation.jsonl", seeing_rows(folder, 100, 8))
    return folder


def seeing_recipe(toy: Path, output: Path, *overrides: str) -> SftConfig:
    return recipe(toy, output, "model.vision=true", *overrides)
