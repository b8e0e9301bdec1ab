"""The knee and the wall in a real browser: they say what Python says, and no tick draws a chart again."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from widgets.knee import Knee
from widgets.wall import Wall


def drag(page, value: int) -> None:
    """Put the slider of the tolerance at a value, as a hand on it would."""
    page.get_by_label("Tolerance", exact=True).fill(str(value))


@pytest.mark.parametrize("task", ["few-patterns", "blur", "reorder", "flat", "noise"])
def test_the_knee_says_what_python_says_at_every_tolerance(open_page, server, task):
    page = open_page(f"{server}/embed/knee/knee.html?task={task}&guess=skip")
    sentence = page.locator(".lora-knee .sentence")
    for measure in ("norm", "squared"):
        page.get_by_label("The tolerance is for the").select_option(measure)
        for percent in (1, 5, 25, 50):
            drag(page, percent)
            expected = Knee(task=task, measure=measure, tolerance=percent).sentence()
            expect(sentence).to_have_text(expected)


def test_the_knee_is_veiled_until_the_guess(open_page, server):
    page = open_page(f"{server}/embed/knee/knee.html")
    error = page.get_by_role("slider", name="Error of the best copy")
    expect(error).to_have_count(0)
    page.get_by_label("My guess: r =").fill("2")
    page.get_by_role("button", name="Reveal").click()
    expect(error).to_be_visible()
    expect(page.locator(".verdict")).to_contain_text("It takes more: r = 24.")
    expect(page.locator(".mark.guess")).to_contain_text("your guess: 2")
    expect(page.locator(".mark.absent")).to_contain_text("no knee")


def test_a_tick_moves_the_mark_and_draws_no_curve_again(open_page, server):
    page = open_page(f"{server}/embed/knee/knee.html?task=blur&guess=skip")
    curve = page.locator(".lora-knee .curve").first
    curve.evaluate("node => (node.dataset.kept = 'yes')")
    mark = page.locator(".mark.truth")
    expect(mark).to_contain_text("knee r = 9")
    drag(page, 50)
    expect(mark).to_contain_text("knee r = 4")
    expect(curve).to_have_attribute("data-kept", "yes")


def test_a_rank_picked_in_the_chart_sets_the_tolerance_that_it_meets(open_page, server):
    page = open_page(f"{server}/embed/knee/knee.html?task=blur&guess=skip")
    chart = page.get_by_role("slider", name="Error of the best copy")
    chart.focus()
    for _ in range(4):
        chart.press("ArrowLeft")
    chart.press("Enter")
    expect(page.locator(".mark.truth")).to_contain_text("knee r = 5")


@pytest.mark.parametrize("task", ["legal", "dialect", "new-language"])
def test_the_wall_says_what_python_says_at_every_tolerance(open_page, server, task):
    page = open_page(f"{server}/embed/knee/wall.html?task={task}")
    sentence = page.locator(".lora-wall .sentence")
    for hundredths in (1, 5, 12, 50, 80):
        drag(page, hundredths)
        expect(sentence).to_have_text(Wall(task=task, tolerance=hundredths).sentence())


def test_the_wall_is_marked_and_falls_away_when_more_is_accepted(open_page, server):
    page = open_page(f"{server}/embed/knee/wall.html")
    mark = page.locator(".mark.knee:not(.thin)")
    expect(mark).to_have_class(re.compile("absent"))
    expect(mark).to_contain_text("not within 0.05")
    drag(page, 50)
    expect(mark).not_to_have_class(re.compile("absent"))
    expect(mark).to_contain_text("knee r = 4")


def test_the_export_has_every_matrix_and_task(exported, open_page):
    page = open_page(exported / "lesson" / "knee.html", offline=True)
    page.locator("#knee").get_by_label("Matrix", exact=True).select_option("flat")
    page.locator("#knee").get_by_role("button", name="Skip").click()
    expect(page.locator(".lora-knee .sentence")).to_have_text(Knee(task="flat").sentence())
    page.locator("#wall").get_by_label("Task", exact=True).select_option("dialect")
    expect(page.locator(".lora-wall .sentence")).to_have_text(Wall(task="dialect").sentence())
