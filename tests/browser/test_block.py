"""The block figure in a real browser: it says what Python says, keys walk the projections, the effects wait."""

from __future__ import annotations

from playwright.sync_api import expect

from helpers.spoken import say, saying
from widgets.block import Block
from widgets.block.words import BEGIN_WORD, WORDS


def test_pressing_projections_says_what_python_says(open_page, server):
    page = open_page(f"{server}/embed/block/block.html")
    sentence = page.locator(".lora-block .sentence")
    diagram = page.get_by_role("group", name=say("The block, from its input down to its output"))
    loss = page.get_by_role("img", name=say("The loss on formal texts falls by, one adapter on alone"))
    expect(loss).to_have_count(0)
    diagram.get_by_role("button", name="v_proj").focus()
    page.keyboard.press("ArrowDown")
    expect(diagram.get_by_role("button", name="o_proj")).to_be_focused()
    page.keyboard.press("Enter")
    expect(diagram.get_by_role("button", pressed=True)).to_have_text("o_proj")
    expect(page.get_by_label(say("Projection"), exact=True)).to_have_value("o_proj")
    expect(sentence).to_have_text(Block(projection="o_proj").sentence())
    page.get_by_label(say("My guess:")).select_option("q_proj")
    page.get_by_role("button", name=say("Reveal")).click()
    expect(loss).to_be_visible()
    expect(page.locator(".verdict")).to_have_text(Block(guess="q_proj").verdict())
    page.get_by_label(say("After the word")).fill("4")
    expect(sentence).to_have_text(Block(projection="o_proj", word=4, guess="q_proj").sentence())
    page.locator(".outputs .change .cells").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".cell")).to_contain_text(saying(WORDS["cells"]["output"], word=BEGIN_WORD, column=1))


def test_an_export_has_both_texts_in_all_blocks(exported, open_page):
    page = open_page(exported / "lesson" / "block.html", offline=True)
    root = page.locator(".lora-block")
    root.get_by_role("button", name=say("Skip")).click()
    root.get_by_label(say("Text"), exact=True).select_option("plain")
    root.get_by_label(say("Block"), exact=True).select_option("2")
    root.get_by_label(say("The strips show")).select_option("change")
    expect(root.locator(".sentence")).to_have_text(Block(text="plain", block="2", guess="skip").sentence())
    root.get_by_label(say("After the word")).fill("9")  # the text has eight
    expect(root.locator(".stepper output")).to_have_text(say(WORDS["word"], word="ben", position=8, tokens=8))
