"""The comments of a text in YAML."""

from collections import Counter

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # several times as fast, where PyYAML has it


def comments(text: str) -> Counter[str]:
    """Every comment, and how often it stands there: what begins with a # between two tokens."""
    found: Counter[str] = Counter()
    end = 0
    for token in yaml.scan(text, LOADER):
        found.update(_between(text[end : token.start_mark.index]))
        end = max(end, token.end_mark.index)
    found.update(_between(text[end:]))
    return found


def _between(gap: str) -> list[str]:
    return [line[line.index("#") :].strip() for line in gap.splitlines() if "#" in line]
