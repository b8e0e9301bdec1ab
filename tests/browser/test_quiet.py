"""A tick asks nobody: no request on a published page, no websocket frame on a Panel page."""

import pytest
from playwright.sync_api import expect

from helpers.app import serve
from helpers.browser import choose, instrument, move, requests_of, sentence, until_quiet
from helpers.spoken import english_only, say
from widgets.kit.instrument import WORDS
from widgets.kit.text import fill
from widgets.rank import Rank


def test_sliding_on_a_published_page_asks_nobody(open_page, server):
    page = open_page(f"{server}/lesson/rank.html?rank.guess=skip")
    sockets = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    root = instrument(page)
    asked = requests_of(page)
    move(root, *range(33))
    page.get_by_role("slider", name=say("Rank r")).focus()
    page.keyboard.press("Home")
    page.wait_for_url(lambda url: "rank.r=0" in url)
    page.get_by_role("slider", name=say("Patterns r")).focus()
    page.keyboard.press("End")
    page.wait_for_url(lambda url: "patterns.r=16" in url)
    assert asked == []
    assert sockets == []


def test_another_matrix_is_one_request(open_page, server):
    page = open_page(f"{server}/lesson/rank.html?rank.guess=skip")
    root = instrument(page)
    asked = requests_of(page)
    choose(root, "blur")
    assert asked == [f"{server}/arrays/rank/blur-32-0.js"]
    choose(root, "few-patterns")
    choose(root, "blur")
    assert len(asked) == 1, "what is here is not asked for again"


@pytest.mark.parametrize("task", ["few-patterns", "blur", "noise"])
def test_a_size_that_is_not_published_is_made_by_the_server(open_page, server, task):
    root = instrument(open_page(f"{server}/embed/rank/rank.html?guess=skip"))
    figure = choose(root, task, 48, 0 if task == "blur" else 7)
    for r, one in zip((0, 1, 11, 48), move(root, 0, 1, 11, 48), strict=True):
        assert one["sentence"] == sentence(figure, r)


def test_what_an_export_does_not_have_is_refused_and_the_figure_stays(open_page, exported):
    page = open_page(exported / "lesson" / "rank.html")
    root = instrument(page)
    root.get_by_role("button", name=say("Skip")).click()
    choose(root, "blur")
    before = move(root, 7)[0]
    for label, value in (("Size", "48"), ("Size", "100")):
        field = root.get_by_label(say(label), exact=True)
        field.fill(value)
        field.press("Enter")
        given = f"blur, {value}"  # there is no chance in it: a seed does not apply
        notice = fill(WORDS["missing"], {"given": given, "have": Rank.published_words()})
        expect(root.locator(".notice")).to_have_text(notice)
        expect(field).to_have_value("32")
        expect(root).not_to_have_attribute("aria-busy", "true")
        assert move(root, 7)[0] == before
    choose(root, "flat")
    expect(root.locator(".notice")).not_to_be_visible()


ONE_LANGUAGE = english_only("the pages of `panel serve` are in English alone")


@pytest.fixture(scope="module")
def panel_server():
    """Serve the app with Panel's own command."""
    with serve("-m", "panel", "serve", "app.py") as address:
        yield f"{address}/app"


@ONE_LANGUAGE
def test_sliding_on_a_panel_page_sends_no_frame(open_page, panel_server):
    frames = []

    def watch(page):
        page.on("websocket", lambda socket: socket.on("framesent", lambda frame: frames.append(frame)))

    page = open_page("about:blank")
    watch(page)
    page.goto(f"{panel_server}?lesson=rank")
    root = instrument(page)
    root.get_by_role("button", name=say("Skip")).click()
    expect(root.locator(".sentence")).to_be_visible()
    page.wait_for_function("document.readyState === 'complete'")
    until_quiet(page, frames)
    frames.clear()
    shown = move(root, *range(33), settled=False)
    assert [one["sentence"] for one in shown] == [sentence(Rank(), r) for r in range(33)]
    page.wait_for_timeout(300)
    assert frames == []
    move(root, 9)
    until_quiet(page, frames)
    assert frames, "the session learns where the slider came to rest"
    choose(root, "noise", 20, 3)
    figure = Rank(task="noise", n=20, seed=3)
    assert move(root, 4)[0]["sentence"] == sentence(figure, 4)


@ONE_LANGUAGE
def test_the_panel_page_keeps_its_state_in_the_address(open_page, panel_server):
    page = open_page(f"{panel_server}?lesson=rank&rank.task=blur&rank.r=6&rank.guess=skip")
    root = instrument(page)
    expect(root.locator(".sentence")).to_have_text(Rank(task="blur", r=6).sentence())
    expect(root.locator(".sentence")).to_be_visible()
