"""A matrix in few bits in a real browser: what it quantises itself is what Python says, and the guess is veiled."""

from __future__ import annotations

from playwright.sync_api import expect

from compute.experiments.sample_weights import SAMPLE_WEIGHTS
from helpers.spoken import say, saying
from widgets.bits import BLOCKS, WORDS, Bits
from widgets.quantised import Quantised


def test_the_browser_quantises_as_python_does(open_page, server):
    page = open_page(f"{server}/embed/qlora/bits.html")
    sentence = page.locator(".lora-bits .sentence")
    page.get_by_text(say("Numbers as a table")).click()
    for matrix, block in zip(SAMPLE_WEIGHTS, (0, 2, 3, 4, 5), strict=True):
        page.get_by_label(say("Matrix"), exact=True).select_option(matrix)
        page.get_by_label(say("Weights that share a scale")).fill(str(block))
        figure = Bits(matrix=matrix, block=block)
        expect(sentence).to_have_text(figure.sentence())
        _, rows = figure.table()
        for row in rows:
            got = page.locator(
                ".lora-bits tbody tr", has=page.get_by_role("rowheader", name=row[0], exact=True)
            )
            expect(got).to_have_text("".join(row))
    expect(page.locator(".stepper output")).to_have_text(say("all {block:,d}", block=BLOCKS[-1]))
    page.get_by_role("application", name=say("the matrix")).focus()
    expect(page.locator(".cell")).to_contain_text(saying(WORDS["cells"]["weights"], row=0, column=0))


def test_the_loss_is_veiled_until_the_guess_and_follows_the_format(open_page, server):
    page = open_page(f"{server}/embed/qlora/quantised.html")
    after = page.get_by_role("slider", name=say("After training: task right"))
    expect(after).to_have_count(0)
    page.get_by_label(say("My guess:")).fill("20")
    page.get_by_role("button", name=say("Reveal")).click()
    expect(after).to_be_visible()
    expect(page.locator(".verdict")).to_have_text(
        say("You said {guess}. It is more: {truth}.", guess=20, truth=98)
    )
    sentence = page.locator(".lora-quantised .sentence")
    for place in (0, 1, 5):
        page.get_by_label(say("The frozen layers are stored in")).fill(str(place))
        expect(sentence).to_have_text(Quantised(format=place).sentence())
    page.get_by_label(say("Task"), exact=True).select_option("new-facts")
    expect(sentence).to_have_text(Quantised(task="new-facts", format=5).sentence())
