"""A small model and small data for a dry run of the recipe, made here: nothing is downloaded."""
# ruff: noqa: T201, TID251  # a command, above the engine

import json
import random
import sys
from pathlib import Path
from typing import Any

PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
CHAT = (
    "{% for m in messages %}" + START + "{{ m['role'] }}\n{{ m['content'] }}" + END + "\n{% endfor %}"
    "{% if add_generation_prompt %}" + START + "assistant\n{% endif %}"
)
SIZES = {"train": 120, "validation": 8, "test": 8}  # chats of each bucket


def make_chat(difficulty: str, randomness: random.Random) -> dict[str, Any]:
    """A sum of two, three or five digits; every step of it is written out, and the answer marked for verifiers."""
    terms = [randomness.randint(0, 9) for _ in range({"simple": 2, "medium": 3, "hard": 5}[difficulty])]
    sums = [sum(terms[: end + 1]) for end in range(1, len(terms))]
    steps = " ".join(f"then {total}" for total in sums[:-1])
    messages = [
        {"role": "user", "content": f"{'+'.join(map(str, terms))}=?"},
        {"role": "assistant", "content": f"{steps} #### {sums[-1]}".strip()},
    ]
    return {"messages": messages, "difficulty": difficulty, "ground_truth": str(sums[-1])}


def write_data(folder: Path) -> None:
    """Files of chats, the same ones every time; no question of the training data is asked in the others."""
    randomness = random.Random(0)
    held_out: set[str] = set()
    for name, size in reversed(SIZES.items()):
        chats = []
        for level in ("simple", "medium", "hard"):
            for _ in range(size):
                while (chat := make_chat(level, randomness))["messages"][0]["content"] in held_out:
                    pass
                chats.append(chat)
        held_out |= {chat["messages"][0]["content"] for chat in chats}
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(chat) + "\n" for chat in chats))


def write_model(folder: Path) -> None:
    """A random Qwen2 of 0.1 million parameters with a tokenizer of single bytes."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

    letters = pre_tokenizers.ByteLevel.alphabet()
    tokens = {token: number for number, token in enumerate([PAD, START, END, *sorted(letters)])}
    tokenizer = Tokenizer(models.BPE(tokens, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, extra_special_tokens=[START], chat_template=CHAT
    ).save_pretrained(folder)
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=len(tokens),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        bos_token_id=None,
        eos_token_id=tokens[END],
        pad_token_id=tokens[PAD],
    )
    Qwen2ForCausalLM(config).save_pretrained(folder)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    write_data(target)
    write_model(target / "model")
    print(f"{target}: {', '.join(f'{name}.jsonl' for name in SIZES)} and a model")
