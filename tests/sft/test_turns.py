"""What has a loss under the rules of several families of templates: the turns of the assistant as they are rendered."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sft.chat_templates import CHANNELS, TEMPLATES, template_tokenizer

from curriculum_verl.errors import InputError
from curriculum_verl.sft.chat import encode

TOKENIZERS = {name: template_tokenizer(template) for name, template in TEMPLATES.items()}
TOOLS = [{"type": "function", "function": {"name": "calc", "parameters": {}}}]
EMPTY = "<think>\n\n</think>\n\n"
CALL = {
    "qwen": '<tool_call>\n{"name": "calc", "arguments": {"x": 1}}\n</tool_call><|im_end|>',
    "marked": '<tool_call>\n{"name": "calc", "arguments": {"x": 1}}\n</tool_call><|im_end|>',
    "mistral": '[TOOL_CALLS] [{"name": "calc", "arguments": {"x": 1}, "id": "abcdefghi"}]</s>',
    "llama": '{"name": "calc", "parameters": {"x": 1}}<|eot_id|>',
    "channels": ' to=calc<|channel|>commentary<|message|>{"x": 1}<|call|>',
}
SAID = {
    "qwen": "{}<|im_end|>",
    "marked": "{}<|im_end|>",
    "mistral": " {}</s>",
    "llama": "{}<|eot_id|>",
    "channels": "<|channel|>final<|message|>{}<|end|>",
}


def call(content: str = "", name: str = "calc", **more: Any) -> dict[str, Any]:
    arguments = {"x": 1} if name == "calc" else {"query": "cats"}
    function = {"name": name, "arguments": arguments}
    calls = [{"type": "function", "id": "abcdefghi", "function": function}]
    return {"role": "assistant", "content": content, "tool_calls": calls} | more


def user(text: str = "Q") -> dict[str, Any]:
    return {"role": "user", "content": text}


def says(text: str, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text} | more


def tool(text: str = "42") -> dict[str, Any]:
    return {"role": "tool", "content": text}


def parts(family: str, chat: list[dict[str, Any]], tools: Any = None) -> list[str]:
    """Every run of tokens with a loss, as text."""
    tokenizer = TOKENIZERS[family]
    encoded = encode(tokenizer, chat, tools)
    found: list[list[int]] = [[]]
    for token, said in zip(encoded.tokens, encoded.spoken, strict=True):
        if said:
            found[-1].append(token)
        elif found[-1]:
            found.append([])
    return [tokenizer.decode(tokens) for tokens in found if tokens]


def last(family: str, text: str) -> str:
    """The last turn of a chat, as the family renders it."""
    said = SAID[family].format(text)
    if family in ("qwen", "marked"):
        return EMPTY + said
    return said.replace("<|end|>", "<|return|>")


@pytest.mark.parametrize("tools", [None, TOOLS])
@pytest.mark.parametrize("family", TEMPLATES)
def test_a_call_of_a_tool_has_its_loss_as_a_whole(family: str, tools: Any) -> None:
    chat = [user(), call(), tool(), says("It is 42.")]
    assert parts(family, chat, tools) == [CALL[family], last(family, "It is 42.")]
    more = [*chat, user(), says("bye")]  # the same question again
    assert parts(family, more, tools) == [CALL[family], SAID[family].format("It is 42."), last(family, "bye")]
    at_the_end = [user(), says("yes"), user("Q2"), call()]
    ends = EMPTY + CALL[family] if family in ("qwen", "marked") else CALL[family]
    assert parts(family, at_the_end, tools) == [SAID[family].format("yes"), ends]


@pytest.mark.parametrize("family", ["qwen", "marked"])
def test_words_before_calls_and_several_calls_and_answers_are_all_there(family: str) -> None:
    several = call("Let me look.")
    several["tool_calls"] *= 2
    chat = [user(), several, tool(), tool("43"), says("It is 42."), user("Q2"), call("Again."), tool(), says("bye")]
    one = CALL[family].removesuffix("<|im_end|>")
    assert parts(family, chat, TOOLS) == [
        f"Let me look.\n{one}\n{one}<|im_end|>",
        "It is 42.<|im_end|>",
        f"Again.\n{CALL[family]}",
        f"{EMPTY}bye<|im_end|>",
    ]


@pytest.mark.parametrize("family", ["qwen", "marked"])
@pytest.mark.parametrize("apart", [True, False])
def test_thoughts_are_learned_where_they_are_rendered(family: str, apart: bool) -> None:
    def thinks(thought: str, message: dict[str, Any]) -> dict[str, Any]:
        if apart:
            return message | {"reasoning_content": thought}
        return message | {"content": f"<think>\n{thought}\n</think>\n\n{message['content']}"}

    task = [user(), thinks("plan", call()), tool(), thinks("ok", says("It is 42."))]
    thought = "<think>\n{}\n</think>\n\n{}"
    assert parts(family, task) == [
        thought.format("plan", CALL[family]),
        thought.format("ok", "It is 42.<|im_end|>"),
    ]
    more = [*task, user("Q2"), thinks("hm", says("bye"))]
    assert parts(family, more) == [CALL[family], "It is 42.<|im_end|>", thought.format("hm", "bye<|im_end|>")]


def test_thoughts_in_a_channel_of_their_own_and_another_token_at_the_end() -> None:
    task = [user(), call(reasoning_content="plan"), tool(), says("42", reasoning_content="ok")]
    thought = "<|channel|>analysis<|message|>{}<|end|><|start|>assistant{}"
    final = "<|channel|>final<|message|>42"
    assert parts("channels", task) == [
        thought.format("plan", CALL["channels"]),
        thought.format("ok", f"{final}<|return|>"),
    ]
    more = [*task, user(), says("bye")]
    assert parts("channels", more) == [CALL["channels"], f"{final}<|end|>", last("channels", "bye")]


def test_a_call_with_an_end_of_its_own_keeps_it() -> None:
    chat = [user(), call(name="search"), tool(), says("Cats.")]
    assert parts("llama", chat) == ['<|python_tag|>search.call(query="cats")<|eom_id|>', "Cats.<|eot_id|>"]
    moved = template_tokenizer(TEMPLATES["llama"].replace("<s>", "<s>{{ messages | length }}"))  # by what comes later
    encoded = encode(moved, chat)
    said = [token for token, spoken in zip(encoded.tokens, encoded.spoken, strict=True) if spoken]
    assert moved.decode(said) == '<|python_tag|>search.call(query="cats")<|eom_id|>Cats.<|eot_id|>'


def test_a_system_text_that_moves_to_the_last_question_moves_no_loss() -> None:
    chat = [{"role": "system", "content": "S"}, user(), call(), tool(), says("It is 42.")]
    assert parts("mistral", chat, TOOLS) == [CALL["mistral"], " It is 42.</s>"]


@pytest.mark.parametrize("family", ["qwen", "channels"])
def test_a_turn_of_which_nothing_is_rendered_has_no_loss_and_is_counted(family: str) -> None:
    silent = says("", reasoning_content="hm")
    if family == "channels":
        tokenizer = template_tokenizer(
            CHANNELS.replace("<|start|>assistant<|channel|>final<|message|>", "<|start|>assistant")
        )
    else:
        tokenizer = TOKENIZERS[family]
    encoded = encode(tokenizer, [user(), silent, user("Q2"), says("bye")])
    assert encoded.unsaid == 1
    said = [token for token, spoken in zip(encoded.tokens, encoded.spoken, strict=True) if spoken]
    assert tokenizer.decode(said) in (last("qwen", "bye"), "bye<|return|>")
    assert encode(tokenizer, [user(), says(""), user("Q2"), says("bye")]).unsaid == 0, "it had nothing to say"


def test_a_template_that_knows_no_tools_teaches_no_empty_turn() -> None:
    tokenizer = template_tokenizer(
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    encoded = encode(tokenizer, [user(), call(), tool(), says("42")])
    said = [token for token, spoken in zip(encoded.tokens, encoded.spoken, strict=True) if spoken]
    assert (tokenizer.decode(said), encoded.unsaid) == ("42<|im_end|>", 1)


@pytest.mark.parametrize("family", ["mistral", "llama"])
def test_what_a_template_refuses_is_an_error_for_people(family: str) -> None:
    bad = call()
    bad["tool_calls"] = [{**one, "id": "x"} for one in bad["tool_calls"]] * 2
    with pytest.raises(InputError, match="the chat template cannot render this chat"):
        encode(TOKENIZERS[family], [user(), bad, tool(), says("x")])


WORDS = st.text(st.sampled_from('abQ4 \n]{"'), min_size=1, max_size=6).filter(lambda text: text == text.strip())
TURNS = st.lists(st.tuples(WORDS, st.booleans(), WORDS, WORDS), min_size=1, max_size=3)


@settings(max_examples=60)
@given(st.sampled_from(sorted(TEMPLATES)), TURNS, st.booleans())
def test_whatever_is_asked_and_said_the_loss_is_on_the_turns(
    family: str, turns: list[tuple[str, bool, str, str]], tools: bool
) -> None:
    chat, wanted = [], []
    for asked, calls, found, said in turns:
        chat += [user(asked), *([call(), tool(found)] if calls else []), says(said)]
        wanted += [*([CALL[family]] if calls else []), SAID[family].format(said)]
    wanted[-1] = last(family, turns[-1][3])
    assert parts(family, chat, TOOLS if tools else None) == wanted
