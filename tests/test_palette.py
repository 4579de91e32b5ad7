import subprocess
import sys
from itertools import pairwise

import pytest

from curriculum_verl.palette import COLOURS, colours_of, scale, shades, style


def lightness(colour: str) -> float:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_a_few_are_told_apart_by_colour_and_without_it() -> None:
    few = [style(number, 5) for number in range(5)]
    for part in ("colour", "hatch", "mark", "dash"):
        assert len({getattr(one, part) for one in few}) == 5, part


def test_many_are_a_scale_from_dark_to_light_in_the_order_given() -> None:
    many = [lightness(colour) for colour in colours_of(12)]
    assert many == sorted(many)
    assert min(after - before for before, after in pairwise(many)) > 0.02
    assert style(3, 12).hatch == ""


def test_a_position_beyond_the_last_colour_begins_again_where_the_count_is_not_known() -> None:
    assert style(len(COLOURS)).colour == COLOURS[0]


@pytest.mark.parametrize("count", [1, 2, 5, 40])
def test_buckets_go_from_light_to_dark(count: int) -> None:
    light = [lightness(colour) for colour in shades(count)]
    assert light == sorted(light, reverse=True)
    assert len(set(light)) == count


def test_the_scale_is_about_matplotlibs_viridis() -> None:
    from matplotlib import colormaps
    from matplotlib.colors import to_rgb

    for step in range(101):
        expected = colormaps["viridis"](step / 100)[:3]
        assert to_rgb(scale(step / 100)) == pytest.approx(expected, abs=0.08)


def test_whoever_wants_colours_does_not_load_matplotlib() -> None:
    code = "import sys, curriculum_verl.palette; print('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
