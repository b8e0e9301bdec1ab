"""The wear figure in a real browser: in every state it says what Python says."""

from __future__ import annotations

import csv

from playwright.sync_api import expect

from compute.adapters.merge_state import CYCLES
from compute.experiments.merging import TASKS, load_record
from compute.numbers.precision import PRECISIONS
from helpers.browser import code, downloaded, table
from helpers.spoken import say
from widgets.wear import WAYS, Wear

ADDRESS = "/embed/merging/wear.html"


def test_it_says_what_python_says(open_page, server):
    page = open_page(server + ADDRESS)
    expect(page.locator("#wear.live")).to_be_visible()
    root = page.locator(".lora-wear")
    for task in TASKS:
        page.get_by_label(say("Adapter"), exact=True).select_option(task)
        for precision in PRECISIONS:
            page.get_by_label(say("Precision")).select_option(precision)
            for rounds in (0, len(CYCLES) - 1):
                page.get_by_label(say("In and out"), exact=True).fill(str(rounds))
                figure = Wear(task=task, precision=precision, rounds=rounds)
                expect(root.locator(".sentence")).to_have_text(figure.sentence())
    assert table(root) == figure.table()[1]
    expect(code(root)).to_have_value(figure.snippet())


def test_where_nothing_is_rounded_two_ways_are_one(open_page, server):
    page = open_page(f"{server}{ADDRESS}?precision=fp32")
    expect(page.get_by_text(say("the same, either way"))).to_be_visible()
    page.get_by_label(say("Precision")).select_option("fp16")
    expect(page.get_by_text(say("the same, either way"))).to_have_count(0)


def test_the_file_holds_every_precision(open_page, server):
    page = open_page(server + ADDRESS)
    _, text = downloaded(page.locator(".lora-wear"), "All precisions (CSV)")
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) == len(TASKS) * len(PRECISIONS) * len(CYCLES)
    for row in rows:
        state = load_record().states[f"{row['task']}-{row['precision']}-1"]
        place = CYCLES.index(int(row["times"]))
        assert [float(row[way]) for way in WAYS] == [state[way][place] for way in WAYS]
