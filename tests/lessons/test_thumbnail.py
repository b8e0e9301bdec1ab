"""The small pictures of the start page: what they draw is where its numbers say."""

import re

import numpy as np
import pytest

from helpers.prose import Page
from lessons import load_all
from lessons.press.thumbnail import GAP, HIGH, LEVELS, RADIUS, WIDE, thumbnail
from widgets.patterns import Patterns

TOP, BOTTOM = RADIUS, HIGH - 2 * GAP - RADIUS


def drawn(*panels) -> dict[str, str]:
    """Return the paths of a picture of these panels by their class, and strength where they have one."""
    figure = Patterns()
    figure.picture = lambda: list(panels)
    paths = Page(thumbnail(figure)).all("path")
    return {each["class"] + each.get("fill-opacity", ""): each["d"] for each in paths}


def points(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"([\d.]+) ([\d.]+)", path)]


def test_curves_share_one_scale_and_reach_all_of_it():
    found = drawn({"curve kept": [0.0, 1.0, 4.0], "curve lost": [2.0, 2.0, 2.0]})
    kept, lost = points(found["curve kept"]), points(found["curve lost"])
    assert [y for _, y in kept] == pytest.approx([BOTTOM, BOTTOM - (BOTTOM - TOP) / 4, TOP], abs=0.1)
    assert {y for _, y in lost} == {(TOP + BOTTOM) / 2}
    assert [x for x, _ in kept] == pytest.approx([RADIUS, (WIDE - 2 * GAP) / 2, WIDE - 2 * GAP - RADIUS])


def test_bars_stand_on_zero():
    found = drawn({"bars kept": [10.0, 12.0]})
    heights = [y for _, y in points(found["bars kept"])]
    assert [BOTTOM - heights[1], BOTTOM - heights[5]] == pytest.approx(
        [(BOTTOM - TOP) * 10 / 12, BOTTOM - TOP], abs=0.1
    )
    assert heights[0] == heights[3] == BOTTOM


def test_dots_stand_where_their_points_are():
    found = drawn({"dots kept": [(1, 5), (3, 7)], "dots control": [(2, 6)]})
    (x, y), *_ = points(found["dots control"])
    assert (x + RADIUS, y) == ((WIDE - 2 * GAP) / 2, (TOP + BOTTOM) / 2)


def test_cells_have_the_side_and_the_strength_of_their_number():
    found = drawn(np.array([[1.0, 1.0, 0.0], [-0.5, 0.02, 0.5]]))
    assert found == {"more1": "M0 0h2v1h-2z", "less0.5": "M0 1h1v1h-1z", "more0.5": "M2 1h1v1h-1z"}
    assert LEVELS == 4
    assert drawn(np.zeros((2, 2))) == {}


def test_the_picture_says_what_the_figure_says():
    figure = Patterns(r=2)
    (said,) = [each["aria-label"] for each in Page(thumbnail(figure)).all("svg") if "aria-label" in each]
    assert said == figure.sentence()
    figure.sentence = lambda: '"><script>alert(1)</script>'
    assert not Page(thumbnail(figure)).all("script")


STILL = [
    pytest.param(block.make, id=f"{lesson.slug}-{id_}")
    for lesson in load_all()
    for id_, block in lesson.figures().items()
    if not block.make().engine()  # one that trains has nothing to show before
]


@pytest.mark.parametrize("make", STILL)
def test_a_figure_has_a_picture_for_the_start_page_and_where_there_is_no_script(make):
    figure = make()
    if "guess" in figure.choices:
        figure.guess = "skip"
    panels = figure.picture()
    assert panels, (
        f"{type(figure).__name__}.pictured names the columns of its table that a small picture draws"
    )
    drawn = [
        values
        for panel in panels
        for values in ([panel] if isinstance(panel, np.ndarray) else panel.values())
    ]
    assert all(np.isfinite(values).all() for values in drawn)
    assert any(np.ptp(values) > 0 for values in drawn), "flat lines say nothing"
