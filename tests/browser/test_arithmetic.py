"""The arithmetic of the read-outs: their formulas with the numbers of the moment in them."""

from __future__ import annotations

import re

import pytest

from helpers.browser import instrument, open_drawer
from lessons import load_all

SHOWN = [
    pytest.param(lesson.slug, id_, id=f"{lesson.slug}-{id_}")
    for lesson in load_all()
    for id_, kind in lesson.kinds.items()
    if "arithmetic" in kind.words
]


def drawer(root) -> list[str]:
    """Return what the open drawer says."""
    found = open_drawer(root, "The arithmetic").locator("dd")
    found.first.wait_for()  # it is written when the drawer has opened
    return found.all_inner_texts()


@pytest.mark.parametrize(("slug", "figure"), SHOWN)
def test_every_gap_of_the_arithmetic_is_filled(server, open_page, slug, figure):
    page = open_page(f"{server}/lesson/{slug}.html?{figure}.guess=skip")
    said = drawer(page.locator(f"#{figure} .lora"))
    assert said
    for sum_ in said:
        assert not re.search(r"[{}]|NaN|undefined|\b0 / 0\b", sum_)


def test_it_is_the_arithmetic_of_what_is_shown_and_follows_the_slider(server, open_page):
    page = open_page(f"{server}/lesson/rank.html?rank.guess=skip&rank.r=3")
    root = instrument(page, "rank")
    said = drawer(root)
    assert any("3 × (32 + 32) = 192" in each for each in said)
    root.locator("input[type=range]").press("ArrowRight")
    root.locator(".arithmetic dd", has_text="4 × (32 + 32) = 256").wait_for()
