"""The figure of lossy formats in a real browser: it says what Python says."""

from __future__ import annotations

from playwright.sync_api import expect

from compute.experiments.lossy import FORMATS
from compute.training.config import BASE_FORMATS
from helpers.browser import instrument, open_drawer
from helpers.spoken import say
from widgets.lossy import Lossy


def test_it_says_what_python_says(open_page, server):
    page = open_page(f"{server}/embed/qlora/lossy.html")
    root = instrument(page, "lossy")
    drawer = open_drawer(root, "Numbers as a table")
    head, rows = Lossy().table()
    expect(drawer.locator(":is(th, td)")).to_have_text([*head, *(cell for row in rows for cell in row)])
    for place, name in enumerate(BASE_FORMATS):
        page.get_by_label(say("Format"), exact=True).fill(str(place))
        expect(root.locator(".sentence")).to_have_text(Lossy(format=place).sentence())
        expect(page.get_by_role("slider", name=say("Facts right with an adapter"))).to_have_count(
            int(name in FORMATS)
        )
