"""Sets in a row and updates taken apart in a real browser: they say what Python says, once they are guessed."""

from __future__ import annotations

from playwright.sync_api import expect

from compute.experiments.retention import SETS
from helpers.browser import code
from helpers.spoken import say, saying
from widgets.magnitude import Magnitude
from widgets.sequence import Sequence


def test_the_sequence_says_what_python_says(open_page, server):
    page = open_page(f"{server}/embed/menu/sequence.html")
    sentence = page.locator(".lora-sequence .sentence")
    first = page.get_by_role("slider", name=say("First set, right answers"))
    expect(sentence).to_have_text(Sequence().sentence())
    expect(first).to_have_count(0)
    page.get_by_label(say("My guess, of a hundred:")).fill("100")
    page.get_by_role("button", name=say("Reveal")).click()
    expect(first).to_be_visible()
    expect(page.locator(".verdict")).to_contain_text(
        saying("You said {guess}. Less is left: {truth}.", guess=100)
    )
    for stage in range(SETS + 1):
        page.get_by_label(say("Sets learned")).fill(str(stage))
        expect(sentence).to_have_text(Sequence(stage=stage, guess="skip").sentence())


def test_the_updates_say_what_python_says(open_page, server):
    page = open_page(f"{server}/embed/after/magnitude.html?guess=skip")
    sentence = page.locator(".lora-magnitude .sentence")
    for task, layers, rank in (("new-facts", "all", "1"), ("who-had-it-first", "v_proj", "16")):
        page.get_by_label(say("Task"), exact=True).select_option(task)
        page.get_by_label(say("Layers")).select_option(layers)
        page.get_by_label(say("Rank r of LoRA")).select_option(rank)
        page.get_by_label(say("Updates")).fill("2")
        figure = Magnitude(task=task, layers=layers, rank=rank, checkpoint=2, guess="skip")
        expect(sentence).to_have_text(figure.sentence())
        expect(page.locator(".points.out circle")).to_have_count(2 * (18 if layers == "all" else 3))
    expect(code(page.locator(".lora-magnitude"))).to_have_value(figure.snippet())
