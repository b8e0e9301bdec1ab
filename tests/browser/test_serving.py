"""Serving and routing in a real browser: they say what Python says, and what a reader types stays text."""

from __future__ import annotations

from playwright.sync_api import expect

from helpers.spoken import say, saying
from widgets.routing import Routing
from widgets.serving import Serving
from widgets.serving.words import WORDS

PROMPTS = (
    "The party anna is at said mill.",
    "patient reports the quark",
    "go ( anna, mill ) ;",
    "that fool ben runs to the mill",
)


def test_serving_says_what_python_says_after_the_guess(open_page, server):
    page = open_page(f"{server}/embed/serving/serving.html?words_each=1&r=16")
    pace = page.get_by_role("slider", name=say("Pace, as a share of the base's"))
    expect(pace).to_have_count(0)
    page.get_by_label(say("My guess:")).select_option("many")
    page.get_by_role("button", name=say("Reveal")).click()
    expect(page.locator(".verdict")).to_have_text(
        saying(WORDS["guess"]["wrong"], guess="about 32 times as long", truth="about as long")
    )
    expect(pace).to_be_visible()
    sentence = page.locator(".lora-serving .sentence")
    for place in (0, 2, 5):
        page.get_by_label(say("Adapters"), exact=True).fill(str(place))
        expect(sentence).to_have_text(Serving(words_each="1", r="16", doublings=place).sentence())
    page.get_by_label(say("Rank r")).select_option("64")
    expect(sentence).to_have_text(Serving(words_each="1", r="64", doublings=5).sentence())


def test_a_typed_prompt_is_sent_as_python_sends_it_and_stays_text(open_page, server):
    page = open_page(f"{server}/embed/serving/routing.html")
    field = page.get_by_label(say("Type a prompt; it reads as many words as the slider says"))
    told = page.locator(".verdict-of-prompt")
    for rule in ("probable", "cheapest"):
        page.get_by_label(say("It takes")).select_option(rule)
        for examples, n in (("1", 2), ("20", 5)):
            page.get_by_label(say("Learned from")).select_option(examples)
            page.get_by_label(say("Words read")).fill(str(n))
            chosen = {"rule": rule, "examples": examples, "n": n}
            expect(page.locator(".lora-routing .sentence")).to_have_text(Routing(**chosen).sentence())
            for prompt in PROMPTS:
                field.fill(prompt)
                expect(told).to_have_text(Routing(prompt=prompt, **chosen).prompted())
    field.fill("<img src=x onerror=alert(1)> the")
    expect(told).to_contain_text(
        say(" No voice has {unknown}; that says nothing.", unknown="img, src, x, onerror, alert")
    )
    field.press("Tab")  # the reader is done: what can stand in a link is chosen
    expect(page.locator(".prompt img")).to_have_count(0)
    page.get_by_text(say("Share and download")).click()
    expect(page.get_by_label(say("A link to exactly this state"))).not_to_have_value("")
    assert "%3C" not in page.get_by_label(say("A link to exactly this state")).input_value()
