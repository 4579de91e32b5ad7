"""Writing YAML that our reader takes for what was written."""

from typing import Any

import yaml

from curriculum_verl.curriculum.sources import EXPONENT

WIDE = 10**9


class _Dumper(yaml.SafeDumper):
    """Quotes texts that look like 1e-3; without anchors, what stands twice is written twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """PyYAML writes rare line ends bare, which a reader takes for a space, but in double quotes."""
    style = '"' if set(text) & set("\x85\u2028\u2029") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", EXPONENT, list("-+0123456789."))


def flow(value: Any) -> str:
    """A value on one line."""
    return _dump(value, flow=True, width=WIDE).removesuffix("\n").removesuffix("\n...").strip()


def block(value: Any) -> str:
    """A value as people write it: what holds no mapping or list in it on one line."""
    return _dump(value, flow=None, width=110)


def indented(text: str, by: int) -> str:
    """Lines that begin so many columns further right."""
    return "".join(" " * by + line for line in text.splitlines(keepends=True))


def _dump(value: Any, *, flow: bool | None, width: int) -> str:
    text: str = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=flow, sort_keys=False, width=width, allow_unicode=True
    )
    return text
