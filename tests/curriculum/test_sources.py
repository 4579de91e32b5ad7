from collections import OrderedDict
from types import MappingProxyType

import pytest
from omegaconf import OmegaConf

from curriculum_verl.curriculum.loading import load_config
from curriculum_verl.curriculum.sources import plain, read_block, read_yaml
from curriculum_verl.errors import ConfigError


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "recipe.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_the_block_or_what_holds_it():
    block = {"stages": [1]}
    assert read_block(block) == block
    assert read_block({"curriculum": block, "trainer": {}}) == block


def test_the_file_may_be_named_by_text(write):
    assert read_block(str(write("curriculum: {stages: []}"))) == {"stages": []}


@pytest.mark.parametrize("source", [{}, {"stage": []}, {"trainer": {}}])
def test_a_source_without_the_block_says_so(source):
    with pytest.raises(ConfigError, match="curriculum: is missing; expected a block `curriculum:` with at least"):
        read_block(source)


@pytest.mark.parametrize("text", ["", "just text", "- a\n- b", "42"])
def test_a_file_without_the_block_says_so_and_names_the_file(write, text):
    path = write(text)
    with pytest.raises(ConfigError, match="curriculum: is missing") as caught:
        read_block(path)
    assert str(caught.value).startswith(f"{path}: 1 problem")


def test_mappings_and_sequences_of_any_kind_become_plain():
    node = OrderedDict(a=MappingProxyType({1: (2, "text")}), b=[None, 1.5, b"x"])
    assert plain(node, "config") == {"a": {"1": [2, "text"]}, "b": [None, 1.5, b"x"]}
    assert type(plain(node, "config")) is dict


def test_a_config_that_holds_itself_is_an_error():
    loop = {}
    loop["stages"] = [loop]
    with pytest.raises(ConfigError, match="nested too deeply"):
        plain(loop, "config")


def test_numbers_as_people_write_them(write):
    path = write("{a: 1e-3, b: 1E5, c: 2.5e+1, d: .5e1, e: 1.0, f: 10, g: 1_000, h: 1e3x, i: e5, j: '1e3', k: -1e-3}")
    assert read_yaml(path) == {
        "a": 0.001,
        "b": 1e5,
        "c": 25.0,
        "d": 5.0,
        "e": 1.0,
        "f": 10,
        "g": 1000,
        "h": "1e3x",
        "i": "e5",
        "j": "1e3",
        "k": -0.001,
    }


def test_a_key_that_stands_twice_is_found_with_its_line(write):
    path = write("curriculum:\n  seed: 1\n  stages: []\n  seed: 2\n")
    with pytest.raises(ConfigError, match="line 4: not valid YAML: the key 'seed' stands twice") as caught:
        read_yaml(path)
    assert str(path) in str(caught.value)


def test_a_key_that_a_merge_overrides_does_not_stand_twice(write):
    path = write("base: &base {x: 1, y: 2}\nother: {<<: *base, x: 3}\n")
    assert read_yaml(path)["other"] == {"x": 3, "y": 2}


def test_a_merge_of_a_merge_does_not_stand_twice(write):
    path = write("base: &base {x: 1}\nstages:\n  - exit: &exit {<<: *base, x: 2}\nlast: {<<: *exit}\n")
    assert read_yaml(path) == {"base": {"x": 1}, "stages": [{"exit": {"x": 2}}], "last": {"x": 2}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1, 2\nb: 3", "line 2: not valid YAML"),
        ("a:\n\t- 1", "line 2: not valid YAML"),
        ("a: *nowhere", "line 1: not valid YAML: found undefined alias"),
        ("a: 1\n---\nb: 2", "not valid YAML"),
        ("a: !!python/object:os.system x", "not valid YAML: could not determine a constructor"),
        ("? [a]\n: 1", "not valid YAML: found unhashable key"),
        (b"\xff\xfe\xff", "cannot be read|not valid YAML"),
        (b"a: \xff", "cannot be read|not valid YAML"),
        ("a: \x00", "not valid YAML"),
        ("[" * 5000, "cannot be read|not valid YAML"),
        ("seed: 2024-99-99", "not valid YAML"),
        ("seed: 0x_", "not valid YAML"),
        ("seed: !!int one", "not valid YAML"),
        ("seed: !!float one", "not valid YAML"),
    ],
)
def test_a_file_that_is_no_yaml_is_a_config_error(write, text, message):
    path = write(text)
    with pytest.raises(ConfigError, match=message) as caught:
        read_yaml(path)
    assert str(caught.value).startswith(f"{path}: 1 problem\n")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot be read: .*No such file"):
        read_yaml(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_yaml(tmp_path)


def test_a_byte_order_mark_is_no_part_of_the_first_key(write):
    assert read_yaml(write(b"\xef\xbb\xbfa: 1")) == {"a": 1}


def test_everything_that_hydra_cannot_resolve_is_reported_with_every_other_mistake():
    config = OmegaConf.create(
        {
            "trainer": {"never": "???"},
            "curriculum": {
                "seed": "???",
                "polcy": {},
                "stages": [{"name": "a", "mix": {"easy": "${nowhere.at.all}"}}],
            },
        }
    )
    with pytest.raises(ConfigError) as error:
        load_config(config)
    assert len(error.value.problems) == 3
    text = str(error.value)
    assert "curriculum.seed: cannot be resolved: Missing mandatory value" in text
    assert "curriculum.stages[0] (a).mix.easy: cannot be resolved" in text
    assert "did you mean 'policy'?" in text


def test_the_rest_of_a_hydra_config_is_left_alone():
    block = {"stages": [{"name": "a", "mix": {"easy": "${share}"}}]}
    config = OmegaConf.create({"trainer": {"never": "???"}, "share": 1.0, "curriculum": block})
    assert load_config(config).stages[0].mix == {"easy": 1.0}
