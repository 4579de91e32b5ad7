"""Chat templates with the rules of several families of models, written for tests from their documentation."""

from typing import Any

from integration.verl_toy import toy_tokenizer

# ChatML; calls in <tool_call>, what tools say as the user's; thoughts only behind the last question, and there a last
# turn always has a place for them.
QWEN = (
    "{% set ns = namespace(asked=-1) %}"
    "{% for m in messages %}{% if m.role == 'user' %}{% set ns.asked = loop.index0 %}{% endif %}{% endfor %}"
    "{% if tools %}<|im_start|>system\n{{ tools | tojson }}<|im_end|>\n{% endif %}"
    "{% for m in messages %}{% set content = m.content %}"
    "{% if m.role == 'tool' %}"
    "{% if messages[loop.index0 - 1].role != 'tool' %}<|im_start|>user{% endif %}"
    "\n<tool_response>\n{{ content }}\n</tool_response>"
    "{% if loop.last or messages[loop.index0 + 1].role != 'tool' %}<|im_end|>\n{% endif %}"
    "{% elif m.role == 'assistant' %}{% set thought = m.reasoning_content or '' %}"
    "{% if '</think>' in content %}"
    "{% set thought = content.split('</think>')[0].split('<think>')[-1].strip('\n') %}"
    "{% set content = content.split('</think>')[-1].lstrip('\n') %}{% endif %}"
    "<|im_start|>assistant\n"
    "{% if loop.index0 > ns.asked and (loop.last or thought) %}<think>\n{{ thought }}\n</think>\n\n{% endif %}"
    "{{ content }}{% for call in m.tool_calls or [] %}{{ '' if loop.first and not content else '\n' }}"
    '<tool_call>\n{"name": "{{ call.function.name }}", '
    '"arguments": {{ call.function.arguments | tojson }}}\n</tool_call>'
    "{% endfor %}<|im_end|>\n"
    "{% else %}<|im_start|>{{ m.role }}\n{{ content }}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Tools and the system's text stand before the last question; turns alternate; calls take the place of content.
MISTRAL = (
    "{% set ns = namespace(n=0, system='') %}{% for m in messages %}"
    "{% if m.role == 'system' %}{% set ns.system = m.content %}"
    "{% elif m.role != 'tool' and not m.tool_calls %}{% if (m.role == 'user') != (ns.n % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}{% set ns.n = ns.n + 1 %}{% endif %}{% endfor %}"
    "{% set last = messages | selectattr('role', 'equalto', 'user') | list | last %}<s>"
    "{% for m in messages %}{% if m.role == 'user' %}"
    "{% if tools and m == last %}[AVAILABLE_TOOLS] {{ tools | tojson }}[/AVAILABLE_TOOLS]{% endif %}"
    "[INST] {{ ns.system + '\n\n' if loop.last and ns.system else '' }}{{ m.content }}[/INST]"
    "{% elif m.tool_calls %}[TOOL_CALLS] [{% for call in m.tool_calls %}"
    "{% if call.id | length != 9 %}{{ raise_exception('ids have 9 characters') }}{% endif %}"
    '{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}, "id": "{{ call.id }}"}'
    "{{ '' if loop.last else ', ' }}{% endfor %}]</s>"
    "{% elif m.role == 'assistant' %} {{ m.content | trim }}</s>"
    "{% elif m.role == 'tool' %}[TOOL_RESULTS] {\"content\": {{ m.content }}}[/TOOL_RESULTS]{% endif %}{% endfor %}"
)
# Headers with the role; the one call of a turn is its text; a call of a built-in tool ends in another token.
LLAMA = (
    "<s>{% for m in messages %}{% if m.tool_calls %}{% if m.tool_calls | length != 1 %}"
    "{{ raise_exception('one call at a time') }}{% endif %}{% set call = m.tool_calls[0].function %}"
    "<|head|>assistant<|/head|>\n\n{% if call.name == 'search' %}"
    '<|python_tag|>search.call(query="{{ call.arguments.query }}")<|eom_id|>'
    '{% else %}{"name": "{{ call.name }}", "parameters": {{ call.arguments | tojson }}}<|eot_id|>{% endif %}'
    "{% elif m.role == 'tool' %}<|head|>ipython<|/head|>\n\n{{ m.content | tojson }}<|eot_id|>"
    "{% else %}<|head|>{{ m.role }}<|/head|>\n\n{{ m.content | trim }}<|eot_id|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|head|>assistant<|/head|>\n\n{% endif %}"
)
# Channels: thoughts of a turn only behind the last question, and another token at the end of the whole chat.
CHANNELS = (
    "{% set ns = namespace(asked=-1) %}"
    "{% for m in messages %}{% if m.role == 'user' %}{% set ns.asked = loop.index0 %}{% endif %}{% endfor %}"
    "{% for m in messages %}{% if m.role == 'assistant' %}"
    "{% if m.reasoning_content and loop.index0 > ns.asked %}"
    "<|start|>assistant<|channel|>analysis<|message|>{{ m.reasoning_content }}<|end|>{% endif %}"
    "{% if m.tool_calls %}{% for call in m.tool_calls %}<|start|>assistant to={{ call.function.name }}"
    "<|channel|>commentary<|message|>{{ call.function.arguments | tojson }}<|call|>{% endfor %}"
    "{% else %}<|start|>assistant<|channel|>final<|message|>{{ m.content }}"
    "{{ '<|return|>' if loop.last else '<|end|>' }}{% endif %}"
    "{% else %}<|start|>{{ m.role }}<|message|>{{ m.content }}<|end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant{% endif %}"
)
# The same as QWEN, with what the assistant says between markers.
MARKED = QWEN.replace(
    "<|im_start|>assistant\n{% if loop.index0", "<|im_start|>assistant\n{% generation %}{% if loop.index0"
).replace("{% endfor %}<|im_end|>\n{% else %}", "{% endfor %}<|im_end|>{% endgeneration %}\n{% else %}")
SPECIAL = [
    "<s>",
    "</s>",
    "[INST]",
    "[/INST]",
    "[TOOL_CALLS]",
    "[AVAILABLE_TOOLS]",
    "[/AVAILABLE_TOOLS]",
    "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]",
    "<|head|>",
    "<|/head|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|python_tag|>",
    "<|start|>",
    "<|end|>",
    "<|channel|>",
    "<|message|>",
    "<|call|>",
    "<|return|>",
]
TEMPLATES = {"qwen": QWEN, "mistral": MISTRAL, "llama": LLAMA, "channels": CHANNELS, "marked": MARKED}


def template_tokenizer(template: str) -> Any:
    """A tokenizer that knows the special tokens of all of these."""
    tokenizer = toy_tokenizer()
    tokenizer.add_special_tokens({"extra_special_tokens": ["<|im_start|>", *SPECIAL]})
    tokenizer.chat_template = template
    return tokenizer
