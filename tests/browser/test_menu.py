"""The menu in a real browser: it says what Python says, a mark can be picked, and the guess lifts the veil."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from helpers.spoken import say, saying
from widgets.menu import Menu, shipped
from widgets.menu.words import WORDS


def test_the_browser_says_what_python_says_and_a_mark_can_be_picked(open_page, server):
    page = open_page(f"{server}/embed/menu/menu.html?guess=skip")
    sentence = page.locator(".lora-menu .sentence")
    expect(sentence).to_have_text(Menu(guess="skip").sentence())
    for state in (
        {"task": "formal-voice", "method": "ia3", "shown": "time-1"},
        {"task": "new-facts", "method": "adalora", "shown": "step"},
        {"task": "new-facts", "method": "lora-xs", "shown": "loss"},
        {"task": "formal-voice", "method": "adalora", "shown": "forgetting"},
    ):
        for name, label in (("task", "Task"), ("method", "Method"), ("shown", "Upwards")):
            page.get_by_label(say(label), exact=True).select_option(state[name])
        expect(sentence).to_have_text(Menu(**state, guess="skip").sentence())
        expect(page.locator(".lora-menu .ways")).to_be_visible(visible=state["method"] == "adalora")
    chart = page.locator(".scatter svg")
    chart.focus()
    chart.press("Home")
    expect(chart).to_have_attribute("aria-valuetext", re.compile(f"^{say('full finetuning')}, "))
    chart.press("Enter")
    expect(page.get_by_label(say("Method"), exact=True)).to_have_value("full")


def test_the_marks_are_veiled_until_the_guess(open_page, server):
    page = open_page(f"{server}/embed/menu/menu.html")
    expect(page.locator(".scatter svg")).not_to_be_visible()
    expect(page.locator(".lora-menu .sentence")).to_have_text(Menu().sentence())
    close = shipped()["guessed"]["close"]
    wrong = next(name for name in shipped()["guessed"]["rights"] if name not in close)
    for guess, told in ((wrong, "wrong"), (close[-1], "right")):
        page.get_by_label(say("My guess:")).select_option(guess)
        page.get_by_role("button", name=say("Reveal")).click()
        expect(page.locator(".scatter svg")).to_be_visible()
        expect(page.locator(".verdict")).to_have_text(saying(WORDS["guess"][told]))
        page.get_by_role("button", name=say("Guess again")).click()
