"""The forgetting figure in a real browser: it says what Python says, draws every run, and a click picks a series."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from compute.experiments.forgetting import TASKS, load_forgetting
from helpers.browser import downloaded, table
from helpers.spoken import say
from widgets.forgetting import ORDER, SLUGS, TASK_SLUGS, Forgetting
from widgets.forgetting.words import SHOWN_LABELS, WAY_LABELS
from widgets.kit.languages import written


@pytest.mark.parametrize("task", TASKS)
def test_it_says_what_python_says(open_page, server, task):
    page = open_page(f"{server}/embed/after/forgetting.html?task={TASK_SLUGS[task]}")
    root = page.locator(".lora-forgetting")
    for way in ORDER:
        root.get_by_label(say("What learns")).select_option(SLUGS[way])
        figure = Forgetting(task=TASK_SLUGS[task], way=SLUGS[way])
        expect(root.locator(".sentence")).to_have_text(figure.sentence())
        expect(root.locator(".note")).to_have_text(figure.values()["note"])
    assert table(root) == figure.table()[1]
    runs = [run for run in load_forgetting().runs if run.task == task]
    expect(root.locator(".point")).to_have_count(len(runs))
    _, text = downloaded(root, "Runs (CSV)")
    assert len(text.splitlines()) == 1 + len(runs)


def test_whatever_is_shown_upwards_every_mark_stands_inside(open_page, server):
    root = open_page(f"{server}/embed/after/forgetting.html").locator(".lora-forgetting")
    for shown, label in SHOWN_LABELS.items():
        root.get_by_label(say("Upwards")).select_option(shown)
        expect(root.locator("figcaption")).to_have_text(say(label))
        box = root.locator("svg").bounding_box()
        for mark in root.locator(".point").all()[::10]:
            inside = mark.bounding_box()
            assert inside["y"] > box["y"] - 1
            assert inside["y"] + inside["height"] < box["y"] + box["height"]
    root.get_by_label(say("Across")).select_option("rate")
    expect(root.locator(".axis").first).to_contain_text(written("0.001"))


def test_a_picked_run_chooses_its_series(open_page, server):
    page = open_page(f"{server}/embed/after/forgetting.html")
    root = page.locator(".lora-forgetting")
    root.locator("svg").focus()
    page.keyboard.press("Home")
    expect(root.locator(".probe")).to_contain_text(say(WAY_LABELS["full"]))
    page.keyboard.press("Enter")
    expect(root.get_by_label(say("What learns"))).to_have_value("full")
