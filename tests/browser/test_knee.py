"""The knee and the wall in a real browser: they say what Python says, and no tick draws a chart again."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from compute.experiments.tasks import RANKS, SEEDS, SUSPECTS
from helpers.browser import instrument, open_drawer
from helpers.spoken import say, saying
from widgets.knee import Knee
from widgets.knee.words import WORDS as KNEE
from widgets.wall import MOST, Wall
from widgets.wall.words import WORDS as WALL


def drag(page, value: int) -> None:
    """Put the slider of the tolerance at a value, as a hand on it would."""
    page.get_by_label(say("Tolerance"), exact=True).fill(str(value))


@pytest.mark.parametrize("task", ["few-patterns", "blur", "reorder", "flat", "noise"])
def test_the_knee_says_what_python_says_at_every_tolerance(open_page, server, task):
    page = open_page(f"{server}/embed/knee/knee.html?task={task}&guess=skip")
    sentence = page.locator(".lora-knee .sentence")
    for measure in ("norm", "squared"):
        page.get_by_label(say("The tolerance is for the")).select_option(measure)
        for percent in (1, 5, 25, 50):
            drag(page, percent)
            expected = Knee(task=task, measure=measure, tolerance=percent).sentence()
            expect(sentence).to_have_text(expected)


def test_the_knee_is_veiled_until_the_guess(open_page, server):
    page = open_page(f"{server}/embed/knee/knee.html")
    error = page.get_by_role("slider", name=say("Error of the best copy"))
    expect(error).to_have_count(0)
    page.get_by_label(say("My guess: r =")).fill("2")
    page.get_by_role("button", name=say("Reveal")).click()
    expect(error).to_be_visible()
    expect(page.locator(".verdict")).to_have_text(saying(KNEE["guess"]["tooLow"], guess=2, truth=24))
    expect(page.locator(".label.guess")).to_contain_text(say("your guess: {guess}", guess=2))
    expect(page.locator(".label.absent")).to_contain_text(say("no knee"))


def test_a_tick_moves_the_mark_and_draws_no_curve_again(open_page, server):
    page = open_page(f"{server}/embed/knee/knee.html?task=blur&guess=skip")
    curve = page.locator(".lora-knee .curve").first
    curve.evaluate("node => (node.dataset.kept = 'yes')")
    mark = page.locator(".label.truth")
    expect(mark).to_contain_text(say("knee r = {knee}", knee=9))
    drag(page, 50)
    expect(mark).to_contain_text(say("knee r = {knee}", knee=4))
    expect(curve).to_have_attribute("data-kept", "yes")


def test_a_rank_picked_in_the_chart_sets_the_tolerance_that_it_meets(open_page, server):
    page = open_page(f"{server}/embed/knee/knee.html?task=blur&guess=skip")
    chart = page.get_by_role("slider", name=say("Error of the best copy"))
    chart.focus()
    for _ in range(4):
        chart.press("ArrowLeft")
    chart.press("Enter")
    expect(page.locator(".label.truth")).to_contain_text(say("knee r = {knee}", knee=5))


@pytest.mark.parametrize("task", ["mirror-voice", "who-had-it-first", "new-words"])
def test_the_wall_says_what_python_says_of_every_way(open_page, server, task):
    page = open_page(f"{server}/embed/wall/wall.html?task={task}&guess=skip")
    root = instrument(page, "wall")
    drawer = open_drawer(root, "Numbers as a table")
    for measure in ("right", "loss"):
        page.get_by_label(say("Measured by")).select_option(measure)
        for place in (0, 3, len(RANKS) - 1, MOST):
            figure = Wall(task=task, measure=measure, place=place, guess="skip")
            page.get_by_label(say("What learns"), exact=True).fill(
                str(min(place, len(figure.table()[1]) - 2))
            )
            expect(root.locator(".sentence")).to_have_text(figure.sentence())
    head, rows = figure.table()
    expect(drawer.locator(":is(th, td)")).to_have_text([*head, *(cell for row in rows for cell in row)])


def test_what_is_missing_is_asked_first_and_only_of_the_new_words(open_page, server):
    page = open_page(f"{server}/embed/wall/wall.html?task=mirror-voice")
    root = instrument(page, "wall")
    expect(root.locator(".guess")).to_be_hidden()
    page.get_by_label(say("Task"), exact=True).select_option("new-words")
    slider = page.get_by_label(say("What learns"), exact=True)
    expect(slider).to_have_attribute("max", str(len(RANKS) - 1))
    expect(root.locator(".mark.embeddings")).to_have_count(0)
    expect(root.locator(".mark.seed")).to_have_count(len(RANKS) * len(SEEDS))
    page.get_by_label(say("My guess:")).select_option("norms")
    page.get_by_role("button", name=say("Reveal")).click()
    _, truth, guess = (label for _, label in WALL["guess"]["options"])
    said = saying(WALL["guess"]["wrong"], guess=guess, truth=truth)
    expect(root.locator(".verdict")).to_have_text(said)
    expect(slider).to_have_attribute("max", str(MOST))
    expect(root.locator(".mark.embeddings")).to_have_count(len(SUSPECTS))
    expect(root.locator(".mark.seed")).to_have_count((MOST + 1) * len(SEEDS))
    page.get_by_label(say("Task"), exact=True).select_option("formal-voice")
    expect(root.locator(".guess")).to_be_hidden()
    expect(root.locator(".mark.embeddings")).to_have_count(0)


def test_a_way_is_picked_in_the_chart_by_the_keyboard(open_page, server):
    page = open_page(f"{server}/embed/wall/wall.html?task=new-words&guess=skip")
    chart = page.get_by_role("slider", name=say("What of the old is still right"))
    chart.focus()
    chart.press("End")
    chart.press("ArrowLeft")
    expect(chart).to_have_attribute(
        "aria-valuetext", saying(WALL["charts"]["price"]["probe"], name="norms alone")
    )
    chart.press("Enter")
    expected = Wall(task="new-words", place=MOST - 1, guess="skip").sentence()
    expect(page.locator(".lora-wall .sentence")).to_have_text(expected)


def test_the_export_has_every_matrix_and_task(exported, open_page):
    page = open_page(exported / "lesson" / "knee.html", offline=True)
    page.locator("#knee").get_by_label(say("Matrix"), exact=True).select_option("flat")
    page.locator("#knee").get_by_role("button", name=say("Skip")).click()
    expect(page.locator(".lora-knee .sentence")).to_have_text(Knee(task="flat").sentence())
    page = open_page(exported / "lesson" / "wall.html", offline=True)
    page.locator("#wall").get_by_label(say("Task"), exact=True).select_option("formal-voice")
    expect(page.locator(".lora-wall .sentence")).to_have_text(Wall(task="formal-voice").sentence())
