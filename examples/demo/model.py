"""A tokenizer of single characters and a Qwen2 of 0.6 million parameters, both made here: nothing is downloaded."""

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM
from transformers.utils.logging import disable_progress_bar

PAD, END = "<|endoftext|>", "<|im_end|>"
CHARACTERS = "0123456789*=Ċ"  # the last is a line break, which verl expects of a Qwen beside the two marks
PLAIN = (  # a chat without marks, but for the end of an answer, which has to be learned
    "{% for message in messages %}{{ message['content'] }}"
    "{% if message['role'] == 'assistant' %}" + END + "{% endif %}{% endfor %}"
)
LONGEST = 64  # tokens

disable_progress_bar()  # of the loading of 38 small tensors


def make_tokenizer() -> PreTrainedTokenizerFast:
    """One token a character: a byte-level tokenizer without merges, as transformers expects of a Qwen2."""
    vocabulary = {token: number for number, token in enumerate([PAD, END, *CHARACTERS])}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        model_max_length=LONGEST,
        chat_template=PLAIN,
    )


def make_model(seed: int, *, hidden: int = 128, layers: int = 3) -> Qwen2ForCausalLM:
    """Random weights, the same ones for the same seed."""
    torch.manual_seed(seed)
    config = Qwen2Config(
        vocab_size=len(CHARACTERS) + 2,
        hidden_size=hidden,
        intermediate_size=3 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=LONGEST,
        initializer_range=0.05,
        tie_word_embeddings=True,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=None,
    )
    return Qwen2ForCausalLM(config)


def save(model: Any, folder: Path) -> None:
    """Model and tokenizer as Hugging Face has them, which is what verl loads."""
    model.save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)


def load(folder: Path) -> tuple[Any, Any]:
    """Model and tokenizer."""
    return AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
