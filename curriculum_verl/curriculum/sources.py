"""Where a curriculum block comes from: a YAML file, a mapping, or a Hydra config; plain dicts and lists come out."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from curriculum_verl.errors import ConfigError
from curriculum_verl.schema import Unresolved

ROOT = "curriculum"

ConfigSource = str | Path | Mapping[str, Any]


def read_block(source: ConfigSource) -> Any:
    """The curriculum block of a source, which may be the block itself or hold it under the key `curriculum`."""
    data = read_yaml(source) if isinstance(source, str | Path) else source
    if isinstance(data, Mapping) and ROOT in data:
        return plain(
            data[ROOT], ROOT
        )  # only the block: the rest of a Hydra config may hold what cannot be resolved yet
    if isinstance(data, Mapping) and "stages" in data:
        return plain(data, ROOT)
    raise ConfigError([f"{ROOT}: is missing; expected a block `{ROOT}:` with at least `stages:`"], source_name(source))


def source_name(source: ConfigSource) -> str:
    """What messages call the source."""
    return str(source) if isinstance(source, str | Path) else f"{ROOT} config"


def plain(node: Any, path: str) -> Any:
    """Plain dicts and lists from anything that behaves like them; OmegaConf resolves its interpolations on the way.

    What cannot be resolved stays as an Unresolved, so that it is reported together with every other mistake.
    """
    try:
        if isinstance(node, Mapping) or (hasattr(node, "keys") and hasattr(node, "__getitem__")):
            return {str(key): plain(_get(node, key), f"{path}.{key}") for key in node}
        if isinstance(node, Sequence) and not isinstance(node, str | bytes):
            return [plain(_get(node, position), f"{path}[{position}]") for position in range(len(node))]
    except RecursionError:
        raise ConfigError([f"{ROOT}: is nested too deeply to be read"]) from None
    return node


def _get(node: Any, key: Any) -> Any:
    try:
        return node[key]
    except Exception as error:  # OmegaConf's errors (a missing ???, an unresolved ${...}) need OmegaConf to be named
        return Unresolved(str(error).splitlines()[0])


def read_yaml(path: str | Path) -> Any:
    """The content of a YAML file; every way in which it cannot be read is a ConfigError."""
    try:
        with Path(path).open(encoding="utf-8-sig") as file:
            return yaml.load(file, _Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        raise ConfigError([f"{line}not valid YAML: {getattr(error, 'problem', None) or error}"], str(path)) from error
    except OSError as error:
        raise ConfigError([f"cannot be read: {error.strerror}"], str(path)) from error
    except RecursionError:
        raise ConfigError(["not valid YAML: nested too deeply"], str(path)) from None
    except ValueError as error:  # not UTF-8, or a value that YAML takes for a date or number that does not exist
        raise ConfigError([f"not valid YAML: {error}"], str(path)) from error


def read_value(text: str) -> Any:
    """A value as a YAML file would have it; a yaml.YAMLError or ValueError if it is none."""
    return yaml.load(text, _Loader)


class _Loader(yaml.SafeLoader):
    """YAML as people mean it: 1e-3 is a number, and a key that stands twice is a mistake."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                message = f"the key {key.value!r} stands twice"
                raise yaml.composer.ComposerError(None, None, message, key.start_mark)
            seen.add(str(key.value))
        return node


EXPONENT = re.compile(r"[-+]?(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)[eE][-+]?\d+$")
"""What is a number here and a text for YAML 1.1, such as 1e-3; who writes YAML has to quote a text like that."""
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", EXPONENT, list("-+0123456789."))
