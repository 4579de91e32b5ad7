import math

import pytest

from curriculum_verl.dotted import load_dotted
from curriculum_verl.errors import InputError


def test_finds_what_the_path_names():
    assert load_dotted("math:sqrt") is math.sqrt


@pytest.mark.parametrize(
    "path",
    [
        "",
        ":",
        "math",
        "math:",
        ":sqrt",
        "math:nothing",
        "no_such_module_here:x",
        "math.sqrt:x",
        ".math:x",
        "..a:b",
        "a b:c",
    ],
)
def test_a_path_that_leads_nowhere_says_what_is_expected(path):
    with pytest.raises(InputError) as caught:
        load_dotted(path)
    assert str(caught.value).startswith(f"{path}: cannot be imported (")
    assert "expected package.module:name" in str(caught.value)


def test_what_cannot_be_called_is_refused():
    with pytest.raises(InputError, match="math:pi: got float, expected something that can be called"):
        load_dotted("math:pi")


@pytest.mark.parametrize("source", ["def f(:", "undefined_name", "1 / 0", "import no_such_module_at_all"])
def test_a_module_that_fails_to_import_is_named_with_its_reason(user_module, source):
    module = user_module(f"broken_module_{len(source)}", source)
    with pytest.raises(InputError, match=rf"{module}:f: cannot be imported \(.+\)"):
        load_dotted(f"{module}:f")
