import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from integration.verl_toy import CHAT, END, PAD, START, toy_tokenizer

from curriculum_verl.errors import InputError
from curriculum_verl.sft.chat import encode

TOKENIZER = toy_tokenizer()
MARKED = CHAT.replace(
    "{{ m['content'] }}" + END,
    "{% if m['role'] == 'assistant' %}{% generation %}{{ m['content'] }}" + END + "{% endgeneration %}"
    "{% else %}{{ m['content'] }}" + END + "{% endif %}",
)
# As Qwen3 does: what an earlier turn thought is left out once the user has spoken again.
FORGETFUL = (
    "{% set last = messages | length - 1 %}{% for m in messages %}" + START + "{{ m['role'] }}\n"
    "{{ m['content'] if loop.index0 == last else m['content'].split('</think>')[-1] }}" + END + "\n{% endfor %}"
    "{% if add_generation_prompt %}" + START + "assistant\n{% endif %}"
)


def spoken(messages: list[dict[str, str]], template: str = CHAT) -> str:
    """What has a loss, as text."""
    TOKENIZER.chat_template = template
    encoded = encode(TOKENIZER, messages)
    assert len(encoded.tokens) == len(encoded.spoken)
    return TOKENIZER.decode([token for token, said in zip(encoded.tokens, encoded.spoken, strict=True) if said])


def turns(*texts: str) -> list[dict[str, str]]:
    return [
        {"role": role, "content": text} for role, text in zip(["user", "assistant"] * len(texts), texts, strict=False)
    ]


def test_only_what_the_assistant_says_has_a_loss_and_its_end_of_turn() -> None:
    chat = [{"role": "system", "content": "be short"}, *turns("1+1=?", "2", "and 2+2?", "4")]
    assert spoken(chat) == f"2{END}4{END}"


@pytest.mark.parametrize("template", [CHAT, FORGETFUL])
def test_a_template_with_markers_gives_the_same(template: str) -> None:
    chat = turns("1+1=?", "two, that is 2", "sure?", "yes")
    assert spoken(chat, MARKED) == spoken(chat, template)


def test_thoughts_that_the_template_leaves_out_are_not_learned_and_nothing_else_is_lost() -> None:
    chat = turns("a?", "<think>hm</think>yes", "b?", "<think>oh</think>no")
    assert spoken(chat, FORGETFUL) == f"yes{END}<think>oh</think>no{END}"


def test_a_call_of_a_tool_is_learned_too() -> None:
    template = CHAT.replace("{{ m['content'] }}", "{{ m['content'] }}{% if m.tool %}CALL {{ m.tool }}{% endif %}")
    chat = [*turns("add", ""), {"role": "tool", "content": "3"}, {"role": "assistant", "content": "3"}]
    chat[1]["tool"] = "plus"
    assert spoken(chat, template) == f"CALL plus{END}3{END}"


def test_the_assistant_may_speak_first_and_a_template_may_insist_on_whole_chats() -> None:
    assert spoken(turns("", "hello", "a", "b")[1:]) == f"hello{END}b{END}"
    insisting = "{% if messages|length < 4 %}{{ raise_exception('too short') }}{% endif %}" + CHAT
    assert spoken(turns("1+1=?", "2", "2+2=?", "4"), insisting) == f"2{END}4{END}"


def test_a_template_that_hides_the_assistant_is_refused() -> None:
    hiding = "{% for m in messages %}{% if m['role'] == 'user' %}{{ m['content'] }}" + END + "{% endif %}{% endfor %}"
    with pytest.raises(InputError, match=r"does not show where message 1 stands"):
        spoken(turns("a", "b", "c", "d"), hiding)


@settings(max_examples=60)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ue000")), min_size=2, max_size=6))
def test_whatever_is_said_comes_back_as_it_is(texts: list[str]) -> None:
    if any(mark in text for mark in (PAD, START, END) for text in texts):
        return
    chat = turns(*texts[: len(texts) // 2 * 2])
    assert spoken(chat) == "".join(message["content"] + END for message in chat if message["role"] == "assistant")
