"""The refusal figure in a real browser: it says what Python says."""

from __future__ import annotations

from playwright.sync_api import expect

from compute.experiments.refusal import COUNTS
from helpers.browser import instrument, open_drawer
from helpers.spoken import say
from widgets.refusal import WAYS, Refusal


def test_it_says_what_python_says(open_page, server):
    page = open_page(f"{server}/embed/failures/refusal.html")
    root = instrument(page, "refusal")
    drawer = open_drawer(root, "Numbers as a table")
    for name in WAYS:
        page.get_by_label(say("What learns"), exact=True).select_option(name)
        for at in range(len(COUNTS)):
            page.get_by_label(say("Examples"), exact=True).fill(str(at))
            figure = Refusal(examples=at, r=name)
            expect(root.locator(".sentence")).to_have_text(figure.sentence())
            head, rows = figure.table()
            cells = [*head, *(cell for row in rows for cell in row)]
            expect(drawer.locator(":is(th, td)")).to_have_text(cells)
