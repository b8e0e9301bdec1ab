"""The capacity figure in a real browser: it says what Python says, and draws base text where it was read."""

from __future__ import annotations

from playwright.sync_api import expect

from compute.experiments.capacity import COUNTS, MIXED
from helpers.browser import instrument, open_drawer
from helpers.spoken import say
from widgets.capacity import Capacity


def test_it_says_what_python_says(open_page, server):
    page = open_page(f"{server}/embed/knee/capacity.html")
    root = instrument(page, "capacity")
    drawer = open_drawer(root, "Numbers as a table")
    for facts in range(len(COUNTS)):
        page.get_by_label(say("New facts"), exact=True).fill(str(facts))
        figure = Capacity(facts=facts)
        expect(root.locator(".sentence")).to_have_text(figure.sentence())
        head, rows = figure.table()
        expect(drawer.locator(":is(th, td)")).to_have_text([*head, *(cell for row in rows for cell in row)])


def test_the_dashed_line_stands_where_base_text_was_read(open_page, server):
    page = open_page(f"{server}/embed/knee/capacity.html")
    root = instrument(page, "capacity")
    for facts, count in enumerate(COUNTS):
        page.get_by_label(say("New facts"), exact=True).fill(str(facts))
        expect(root.locator(".curve.squared")).to_have_count(int(count == MIXED))
