"""A model that trains in seconds, and a task for it: tokenizer, random Qwen2 and sums in parquet, all made in code."""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

END, PAD, START = "<|im_end|>", "<|endoftext|>", "<|im_start|>"
CHAT = (
    "{% for m in messages %}" + START + "{{ m['role'] }}\n{{ m['content'] }}" + END + "\n{% endfor %}"
    "{% if add_generation_prompt %}" + START + "assistant\n{% endif %}"
)
REWARD = '''"""Digits are good, the sum is better."""


def compute_score(data_source, solution_str, ground_truth, extra_info=None, **_):
    answer = solution_str.strip()
    digits = sum(c.isdigit() for c in answer) / max(1, len(answer))
    return {"score": float(answer == ground_truth) + 0.5 * digits, "digits": digits}
'''


@dataclass(frozen=True)
class Toy:
    """Where model, data and reward of a toy run lie."""

    model: Path
    train: Path
    val: Path
    reward: Path


def make_toy(folder: Path) -> Toy:
    """Write a toy once; runs of the same session can share it."""
    toy = Toy(folder / "model", folder / "train.parquet", folder / "val.parquet", folder / "reward.py")
    folder.mkdir(parents=True, exist_ok=True)
    write_model(toy.model)
    rows = [sum_row(index, index // 10, index % 10) for index in range(100)]
    random.Random(0).shuffle(rows)
    write_rows(toy.train, rows[:64])
    write_rows(toy.val, rows[64:72])
    toy.reward.write_text(REWARD)
    return toy


def sum_row(index: int, a: int, b: int) -> dict[str, Any]:
    """One prompt as verl wants it."""
    return {
        "data_source": "toy_sums",
        "prompt": [{"role": "user", "content": f"{a}+{b}=?"}],
        "ability": "math",
        "reward_model": {"style": "rule", "ground_truth": str(a + b)},
        "extra_info": {"index": index},
    }


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    pq.write_table(pa.Table.from_pylist(rows), path)


def write_model(folder: Path, hidden: int = 64, layers: int = 2) -> None:
    """A random Qwen2 (about 0.1 million parameters) and a byte-level tokenizer with a chat template."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    tokenizer = toy_tokenizer()
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    Qwen2ForCausalLM(config).save_pretrained(folder)


def toy_tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=280,
        special_tokens=[PAD, START, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([f"user\n{n}+{n}=?\nassistant\n{n}" for n in range(100)], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=[START],
        model_max_length=256,
        chat_template=CHAT,
    )


def teach(folder: Path, pairs: list[tuple[str, str]], steps: int = 120) -> None:
    """Have the model in a folder learn to answer questions, as far as that goes in seconds."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    examples = []
    for question, answer in pairs:
        asked = tokenizer.apply_chat_template(
            [{"role": "user", "content": question}], add_generation_prompt=True, tokenize=False
        )
        prompt, whole = (tokenizer.encode(text) for text in (asked, asked + answer + END))
        examples.append((whole, [-100] * len(prompt) + whole[len(prompt) :]))
    length = max(len(ids) for ids, _ in examples)
    ids = torch.tensor([ids + [tokenizer.pad_token_id] * (length - len(ids)) for ids, _ in examples])
    labels = torch.tensor([labels + [-100] * (length - len(labels)) for _, labels in examples])
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        batch = torch.randperm(len(examples), generator=generator)[:32]
        loss = model(input_ids=ids[batch], labels=labels[batch]).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.save_pretrained(folder)
