"""Guess first: nothing gives the answer away before, and the guess stays beside the truth after."""

import pytest
from playwright.sync_api import expect

from compute.matrices.examples import make_task
from compute.matrices.spectrum import knee_rank
from compute.matrices.svd import factorize
from helpers.browser import choose, instrument, move
from helpers.spoken import say
from widgets.kit.matrix import task_matrix
from widgets.kit.text import fill
from widgets.rank.words import WORDS

KNEE = knee_rank(factorize(make_task("blur", 32, 0)).s)
LABEL, REORDER = (task_matrix(task, 32, 0).label for task in ("blur", "reorder"))


def waits(root) -> None:
    for part in (".readouts", ".sentence", ".charts"):
        expect(root.locator(part)).not_to_be_visible()


@pytest.mark.parametrize(
    ("guess", "words"), [(KNEE - 4, "tooLow"), (KNEE, "right"), (KNEE + 11, "tooHigh"), (0, "tooLow")]
)
def test_the_guess_gets_a_verdict_and_two_marks(open_page, server, guess, words):
    root = instrument(open_page(f"{server}/lesson/rank.html?rank.task=blur"))
    expect(root.locator(".question")).to_have_text(
        fill(WORDS["guess"]["question"], {"label": LABEL, "tolerance": 0.05})
    )
    waits(root)
    root.get_by_label(say("My guess: r =")).fill(str(guess))
    root.get_by_role("button", name=say("Reveal")).click()
    values = {"guess": guess, "truth": KNEE, "knee": KNEE, "label": LABEL}
    expect(root.locator(".verdict")).to_have_text(fill(WORDS["guess"][words], values))
    for part in (".readouts", ".sentence", ".charts"):
        expect(root.locator(part)).to_be_visible()
    expect(root.locator(".label.truth")).to_have_text(fill(WORDS["guess"]["truthMark"], values))
    expect(root.locator(".label.guess")).to_have_text(fill(WORDS["guess"]["guessMark"], values))


def test_the_guess_stays_while_the_reader_goes_on(open_page, server):
    root = instrument(open_page(f"{server}/lesson/rank.html?rank.task=blur"))
    root.get_by_label(say("My guess: r =")).fill("5")
    root.page.keyboard.press("Enter")
    verdict = fill(WORDS["guess"]["tooLow"], {"guess": 5, "truth": KNEE, "label": LABEL})
    move(root, 3, 20)
    expect(root.locator(".verdict")).to_have_text(verdict)
    expect(root.locator(".mark.guess")).to_be_visible()
    choose(root, "reorder")
    expect(root.locator(".verdict")).to_have_text(verdict)
    expect(root.locator(".sentence")).to_be_visible()
    root.get_by_role("button", name=say("Guess for this matrix")).click()
    waits(root)
    expect(root.locator(".question")).to_contain_text(REORDER)
    root.get_by_label(say("My guess: r =")).fill("32")
    root.page.keyboard.press("Enter")
    expect(root.locator(".verdict")).to_have_text(
        say(WORDS["guess"]["right"], guess=32, truth=32, label=REORDER)
    )


def test_the_guess_can_be_skipped(open_page, server):
    root = instrument(open_page(f"{server}/lesson/rank.html"))
    waits(root)
    root.get_by_role("button", name=say("Skip")).click()
    for part in (".readouts", ".sentence", ".charts"):
        expect(root.locator(part)).to_be_visible()
    expect(root.locator(".mark.guess")).to_have_count(0)
    expect(root.locator(".verdict")).to_be_empty()


def test_an_empty_guess_is_asked_for_again(open_page, server):
    root = instrument(open_page(f"{server}/lesson/rank.html"))
    root.get_by_role("button", name=say("Reveal")).click()
    waits(root)
    expect(root.get_by_label(say("My guess: r ="))).to_be_visible()
