"""Play runs the slider, pauses where it is, and stops at the end."""

from playwright.sync_api import expect

from helpers.browser import instrument, sentence
from helpers.spoken import say
from widgets.rank import Rank

STILL = 600  # seconds of the page's clock, later than it opens: from here on only a test moves it


def test_play_runs_pauses_and_stops_at_the_end(open_page, server):
    page = open_page("about:blank", alone=True)
    page.clock.install(time=0)
    page.goto(f"{server}/embed/rank/rank.html?guess=skip&r=28")
    root = instrument(page)
    page.clock.pause_at(STILL)
    slider = root.get_by_role("slider", name=say("Rank r"))
    root.get_by_role("button", name=say("Play")).click()
    page.clock.run_for(400)
    expect(slider).to_have_value("29")
    root.get_by_role("button", name=say("Pause")).click()
    page.clock.run_for(5000)
    expect(slider).to_have_value("29")
    expect(root.locator(".sentence")).to_have_text(sentence(Rank(), 29))
    root.get_by_role("button", name=say("Play")).click()
    page.clock.run_for(5000)
    expect(slider).to_have_value("32")
    expect(root.get_by_role("button", name=say("Play"))).to_be_visible()
    assert "r=32" in page.url, "where it stopped is in the address"
    root.get_by_role("button", name=say("Play")).click()
    page.clock.run_for(400)
    expect(slider).to_have_value("1")  # from the beginning, one step on
    root.get_by_role("button", name=say("Step")).click()
    expect(slider).to_have_value("2")
    page.clock.run_for(5000)
    expect(slider).to_have_value("2")  # a step ends the run
    root.get_by_role("button", name=say("Play")).click()
    slider.focus()
    page.keyboard.press("ArrowLeft")
    page.clock.run_for(5000)
    expect(slider).to_have_value("1")  # so does the reader's own hand
    root.get_by_role("button", name=say("Step")).click()
    root.get_by_role("button", name=say("Reset")).click()
    expect(slider).to_have_value("1")
    expect(root.locator(".sentence")).to_have_text(sentence(Rank(), 1))


def test_the_patterns_play_to_the_end(open_page, server):
    page = open_page("about:blank", alone=True)
    page.clock.install(time=0)
    page.goto(f"{server}/embed/rank/patterns.html")
    root = instrument(page, "patterns")
    page.clock.pause_at(STILL)
    root.get_by_role("button", name=say("Play")).click()
    page.clock.run_for(1300)
    expect(root.get_by_role("slider")).to_have_value("2")
    page.clock.run_for(20_000)
    expect(root.get_by_role("slider")).to_have_value("16")
    expect(root.get_by_role("button", name=say("Play"))).to_be_visible()
