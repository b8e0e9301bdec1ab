"""The grid figure in a real browser: it says what Python says, and frames the best cell of each row."""

from __future__ import annotations

from playwright.sync_api import expect

from compute.experiments.grid import RATES, SCALINGS
from helpers.browser import instrument, open_drawer
from helpers.spoken import say
from widgets.grid import CHOSEN, Grid


def test_it_says_what_python_says_and_frames_the_best(open_page, server):
    page = open_page(f"{server}/embed/scale/grid.html")
    root = instrument(page, "grid")
    drawer = open_drawer(root, "Numbers as a table")
    for runs, (optimizer, _) in CHOSEN.items():
        page.get_by_label(say("Runs"), exact=True).select_option(runs)
        for place in (0, len(SCALINGS) - 1):
            page.get_by_role("slider", name=say("Scaling"), exact=True).fill(str(place))
            figure = Grid(runs=runs, scaling=place)
            expect(root.locator(".sentence")).to_have_text(figure.sentence())
        head, rows = figure.table()
        expect(drawer.locator(":is(th, td)")).to_have_text([*head, *(cell for row in rows for cell in row)])
        expect(root.locator(".heat td")).to_have_count(len(SCALINGS) * len(RATES[optimizer]))
        expect(root.locator(".heat td.best")).to_have_count(len(SCALINGS))
