"""Tasks in a row and updates taken apart in a real browser: they say what Python says, once they are guessed."""

from __future__ import annotations

from playwright.sync_api import expect

from widgets.magnitude import Magnitude
from widgets.sequence import Sequence


def test_the_sequence_says_what_python_says(open_page, server):
    page = open_page(f"{server}/embed/after/sequence.html")
    sentence = page.locator(".lora-sequence .sentence")
    first = page.get_by_role("slider", name="First task")
    expect(sentence).to_have_text(Sequence().sentence())
    expect(first).to_have_count(0)
    page.get_by_label("My guess, of a hundred:").fill("100")
    page.get_by_role("button", name="Reveal").click()
    expect(first).to_be_visible()
    expect(page.locator(".verdict")).to_contain_text("You said 100 for the legal voice. Less is left")
    for order in ("new-first", "known"):
        page.get_by_label("Order", exact=True).select_option(order)
        for measure in ("loss", "share"):
            page.get_by_label("Measured by").select_option(measure)
            page.get_by_label("Tasks learned").fill("1")
            expected = Sequence(order=order, measure=measure, stage=1, guess="skip").sentence()
            expect(sentence).to_have_text(expected)


def test_the_updates_say_what_python_says(open_page, server):
    page = open_page(f"{server}/embed/after/magnitude.html?guess=skip")
    sentence = page.locator(".lora-magnitude .sentence")
    for layers, rank, way in (("all", "1", "full-slow"), ("v_proj", "16", "full")):
        page.get_by_label("Layers").select_option(layers)
        page.get_by_label("Rank r of LoRA").select_option(rank)
        page.get_by_label("Beside it").select_option(way)
        page.get_by_label("Updates").fill("2")
        figure = Magnitude(layers=layers, rank=rank, way=way, checkpoint=2, guess="skip")
        expect(sentence).to_have_text(figure.sentence())
        expect(page.locator(".points.out circle")).to_have_count(2 * (18 if layers == "all" else 3))
    page.get_by_text("The code behind this number").click()
    expect(page.get_by_label("Paste this into Python")).to_have_value(figure.snippet())
