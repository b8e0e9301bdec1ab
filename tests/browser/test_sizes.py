"""The sizes figure in a real browser: it says what Python says, and hides what a teacher hides."""

from __future__ import annotations

from playwright.sync_api import expect

from compute.experiments.sizes import WIDTHS
from helpers.browser import instrument, open_drawer
from helpers.spoken import say
from widgets.sizes import Sizes


def test_it_says_what_python_says(open_page, server):
    page = open_page(f"{server}/embed/scale/sizes.html")
    root = instrument(page, "sizes")
    drawer = open_drawer(root, "Numbers as a table")
    head, rows = Sizes().table()
    expect(drawer.locator(":is(th, td)")).to_have_text([*head, *(cell for row in rows for cell in row)])
    for place in range(len(WIDTHS)):
        page.get_by_label(say("Width of the base"), exact=True).fill(str(place))
        expect(root.locator(".sentence")).to_have_text(Sizes(wide=place).sentence())


def test_charts_can_be_hidden(open_page, server):
    page = open_page(f"{server}/embed/scale/sizes.html?hide=rate,old")
    root = instrument(page, "sizes")
    expect(root.locator(".charts > *:visible")).to_have_count(1)
