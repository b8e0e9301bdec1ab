"""The figures of the reading in a real browser: they say what Python says, before the guess and after it."""

from __future__ import annotations

from playwright.sync_api import expect

from helpers.spoken import say, saying
from widgets.amplification import Amplification
from widgets.amplification.words import WORDS
from widgets.intruders import Intruders, verdict


def test_both_figures_say_what_python_says(open_page, server):
    page = open_page(f"{server}/lesson/paper.html")
    root = page.locator("#amplification")
    expect(root.locator(".sentence")).to_have_text(Amplification().sentence())
    root.get_by_label(say("My guess:")).select_option("less")
    root.get_by_role("button", name=say("Reveal")).click()
    expect(root.locator(".sentence")).to_have_text(Amplification(guess="less").sentence())
    expect(root.locator(".verdict")).to_have_text(saying(WORDS["guess"]["wrong"]))
    root.get_by_label(say("By"), exact=True).select_option("8")
    expect(root.locator(".sentence")).to_have_text(Amplification(run="8", guess="skip").sentence())
    root = page.locator("#intruders")
    sentence = root.locator(".sentence")
    expect(sentence).to_have_text(Intruders().sentence())
    root.get_by_label(say("My guess:")).select_option("lora")
    root.get_by_role("button", name=say("Reveal")).click()
    expect(root.locator(".verdict")).to_have_text(verdict("formal-voice", "lora"))
    for epsilon in (20, 50, 90):
        root.get_by_label(say("Threshold")).fill(str(epsilon))
        expect(sentence).to_have_text(Intruders(epsilon=epsilon, guess="skip").sentence())
    root.get_by_label(say("Learned")).select_option("new-facts")
    expect(sentence).to_have_text(Intruders(task="new-facts", epsilon=90, guess="skip").sentence())
    root.get_by_text(say("Numbers as a table")).click()
    expect(root.locator("tbody tr").first).to_be_visible()
    cells = root.locator("tbody tr").first.locator("td, th").all_text_contents()
    assert cells == Intruders(task="new-facts", epsilon=90).table()[1][0]
