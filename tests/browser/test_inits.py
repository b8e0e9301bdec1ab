"""The inits figure in a real browser: it says what Python says, and the gradients are veiled until the guess."""

from __future__ import annotations

from urllib.parse import urlencode

from playwright.sync_api import expect

from helpers.spoken import say, saying
from widgets.inits import Inits
from widgets.inits.words import WORDS
from widgets.kit.text import fill

TITLE = "Norm of the gradients of both factors"


def address(prefix: str = "", **choices: str | int) -> str:
    """Return the query of a state: the room opens on another one than the instrument does by itself."""
    state = Inits().state() | choices
    return "?" + urlencode({f"{prefix}{name}": value for name, value in state.items()})


def test_the_replay_says_what_python_says(open_page, server):
    page = open_page(f"{server}/embed/init/inits.html" + address(init="mixed", guess="skip", rate=1))
    sentence = page.locator(".lora-inits .sentence")
    step = page.get_by_role("button", name=say("Step"), exact=True)
    for at in range(3):
        expect(sentence).to_have_text(Inits(init="mixed", rate=1, step=at, guess="skip").sentence())
        step.click()


def test_a_run_that_was_given_up_says_so(open_page, server):
    page = open_page(
        f"{server}/embed/init/inits.html" + address(init="a-zero", guess="skip", rate=3, step=50)
    )
    said = Inits(init="a-zero", rate=3, step=50, guess="skip").sentence()
    assert say(WORDS["givenUp"]) in said
    expect(page.locator(".lora-inits .sentence")).to_have_text(said)
    expect(page.locator(".readouts")).to_contain_text(say("given up"))


def test_the_gradients_are_veiled_until_the_guess(open_page, server):
    page = open_page(f"{server}/embed/init/inits.html" + address())
    gradients = page.get_by_role("slider", name=say(TITLE))
    sentence = page.locator(".lora-inits .sentence")
    expect(gradients).to_have_count(0)
    expect(sentence).to_have_text(Inits().sentence())
    page.get_by_label(say("My guess:")).select_option("both")
    page.get_by_role("button", name=say("Reveal")).click()
    expect(gradients).to_be_visible()
    expect(page.locator(".verdict")).to_have_text(
        say(WORDS["guess"]["wrong"], guess="both factors", init="lora_B = 0", truth="only lora_B")
    )
    expect(sentence).to_have_text(Inits(guess="both").sentence())
    page.get_by_label(say("The factors start with")).select_option("a-zero")  # no new question asks itself
    expect(gradients).to_be_visible()
    expect(sentence).to_have_text(Inits(init="a-zero", guess="skip").sentence())


def test_a_click_in_the_last_chart_chooses_the_learning_rate(open_page, server):
    page = open_page(f"{server}/embed/init/inits.html" + address(guess="skip"))
    sweep = page.get_by_role("slider", name=say("Loss after the whole run against the learning rate"))
    sweep.focus()
    sweep.press("ArrowRight")
    sweep.press("Enter")
    expect(page.get_by_label(say("Learning rate"), exact=True)).to_have_value("3")
    expect(page.locator(".lora-inits .sentence")).to_have_text(Inits(rate=3, guess="skip").sentence())


def test_another_problem_is_loaded_when_chosen(open_page, server):
    page = open_page(f"{server}/lesson/init.html" + address("inits."))
    expect(page.locator("#inits.live")).to_be_visible()
    with page.expect_request("**/arrays/inits/new-facts-adamw.js"):
        page.get_by_label(say("What learns")).select_option("new-facts")
        page.get_by_label(say("Optimiser"), exact=True).select_option("adamw")
    expected = Inits(problem="new-facts", optimizer="adamw").sentence()
    expect(page.locator(".lora-inits .sentence")).to_have_text(expected)


def test_the_ends_of_all_starts_stand_in_a_table(open_page, server):
    page = open_page(
        f"{server}/embed/init/inits.html?init=a-zero&guess=skip&problem=new-facts&optimizer=adamw"
    )
    shown = Inits(init="a-zero", problem="new-facts", optimizer="adamw").make_arrays()["inits"]
    rows = page.locator(".ends tbody tr")
    learning = [each for each in shown.values() if each["ends"]]
    expect(rows).to_have_count(len(learning))
    for i, each in enumerate(learning):
        for part in ("rate", "told", "against"):
            expect(rows.nth(i)).to_contain_text(fill("{part}", {"part": each["ends"][part]}))
        expect(rows.nth(i).locator("circle")).to_have_count(len(each["ends"]["loss"]))
    expect(page.locator(".ends [aria-current]")).to_contain_text("lora_A = 0")
    expect(page.locator(".readouts")).to_contain_text(
        saying(WORDS["readoutValues"]["best"], best_rate=shown["a-zero"]["ends"]["rate"])
    )
