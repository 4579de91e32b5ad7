"""A chat as the text and the tokens that a model is given."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from transformers import AutoTokenizer

from curriculum_verl.errors import InputError
from curriculum_verl.generation.backend import Request


class Chats:
    """A tokenizer with its chat template; `more` goes to the template."""

    def __init__(self, folder: Path, more: Mapping[str, Any]):
        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        except (OSError, ValueError) as error:
            raise InputError(f"{folder}: its tokenizer cannot be loaded: {error}") from error
        if not self.tokenizer.chat_template:
            raise InputError(
                f"{folder}: the tokenizer has no chat template, expected that of a model that answers chats; "
                "put one into tokenizer_config.json or chat_template.jinja"
            )
        self._more = dict(more)

    def tokens(self, request: Request) -> list[int]:
        """The tokens of a prompt, up to where the model has to begin."""
        try:
            text = self.tokenizer.apply_chat_template(
                request.messages, tools=request.tools, tokenize=False, add_generation_prompt=True, **self._more
            )
        except (TemplateError, TypeError) as error:
            raise InputError(f"prompt {request.id}: the model's chat template does not take it: {error}") from error
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def text(self, tokens: list[int]) -> str:
        """A response in words."""
        text: str = self.tokenizer.decode(tokens, skip_special_tokens=True)
        return text
