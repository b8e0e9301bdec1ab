"""One figure on somebody else's page: nothing around it, its state respected, its height that of its content."""

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import expect

from helpers.browser import instrument, move, sentence
from helpers.spoken import say
from widgets.kit.instrument import WORDS
from widgets.rank import Rank

QUERY = "r=8&task=blur&hide=matrix,guess"
ALONE = "<cite>%(title)s</cite>, from LoRA, live, by its authors."
PLACED = '<cite>%(title)s</cite>, from <a href="%(home)s" target="_blank" rel="noopener">%(place)s</a>, by its authors.'
PAGE = """<!doctype html><html lang="en"><title>A course</title><body style="width: 52rem"><h1>A course</h1>
{}<p id="after">After.</p>"""


@pytest.fixture
def course():
    """Serve pages of another origin; each holds the given figure."""
    pages = {}

    class Course(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(pages["/"].encode())

        def log_message(self, *_):
            pass

    def serve(figure: str) -> str:
        pages["/"] = PAGE.format(figure)
        return f"http://localhost:{server.server_port}/"

    with ThreadingHTTPServer(("127.0.0.1", 0), Course) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield serve
        server.shutdown()


def credited(text: str, **values: str) -> str:
    return re.sub("<[^>]*>", "", say(text, title=Rank.title, **values)) + " CC BY 4.0"


def assert_is_the_figure(frame) -> None:
    root = frame.locator(".lora-rank")
    figure = Rank(task="blur")
    expect(root.locator(".sentence")).to_have_text(sentence(figure, 8))
    expect(root.locator(".sentence")).to_be_visible()
    assert move(root, 20)[0]["sentence"] == sentence(figure, 20)
    for chrome in (".site-head", ".site-foot", "h1", ".skip", ".live-part"):
        expect(frame.locator(chrome)).to_have_count(0)
    expect(root.get_by_label(say("Matrix"))).to_have_count(0)
    expect(root.get_by_role("button", name=say("Reveal"))).to_have_count(0)
    expect(root.get_by_role("button", name=say("Step"))).to_be_visible()


def test_a_figure_that_is_gone_leads_on(open_page, server):
    page = open_page(f"{server}/embed/scale/scale.html")
    page.wait_for_url(f"{server}/embed/scale/grid.html")
    instrument(page, "grid")


def test_by_iframe(open_page, server, course):
    address = f"{server}/embed/rank/rank.html?{QUERY}".replace("&", "&amp;")
    page = open_page(course(f'<iframe id="f" title="r" width="800" height="900" src="{address}"></iframe>'))
    assert_is_the_figure(page.frame_locator("#f"))


def test_by_script_its_height_follows_its_content(open_page, server, course):
    script = f'<script src="{server}/embed.js" data-figure="rank/rank" data-query="{QUERY}"></script>'
    page = open_page(course(script.replace("&", "&amp;")), viewport={"width": 1000, "height": 800})
    expect(page.locator("iframe")).to_have_count(1)
    frame = page.frame_locator("iframe")
    assert_is_the_figure(frame)

    def height() -> float:
        return page.locator("iframe").bounding_box()["height"]

    def settle(grown_from: float) -> float:
        page.wait_for_function(
            "([from]) => document.querySelector('iframe').offsetHeight > from", arg=[grown_from]
        )
        content = frame.locator("body").evaluate("body => body.getBoundingClientRect().height")
        page.wait_for_function(
            "h => Math.abs(document.querySelector('iframe').offsetHeight - h) <= 1", arg=content
        )
        scrolls = frame.locator("html").evaluate("html => html.scrollHeight > html.clientHeight + 1")
        assert not scrolls, "the whole figure shows"
        return height()

    closed = settle(100)
    frame.get_by_text(say("Numbers as a table"), exact=True).click()
    opened = settle(closed)
    frame.get_by_text(say("Numbers as a table"), exact=True).click()
    page.wait_for_function("h => document.querySelector('iframe').offsetHeight < h", arg=opened)
    assert abs(height() - closed) <= 2, "it shrinks again"
    assert page.locator("iframe").get_attribute("title")


def test_every_part_can_be_hidden(open_page, server):
    shown = {
        "matrix": "Matrix",
        "table": "Numbers as a table",
        "code": "The code behind this number",
        "share": "Share and download",
        "steps": "Step",
        "charts": "Relative error: what the copy misses",
    }
    page = open_page(f"{server}/embed/rank/rank.html?guess=skip")
    for words in shown.values():
        expect(page.get_by_text(say(words), exact=True).first).to_be_visible()
    page = open_page(f"{server}/embed/rank/rank.html?hide={','.join(Rank.parts)}")
    expect(page.locator(".sentence")).to_be_visible()
    for words in shown.values():
        for found in page.get_by_text(say(words), exact=True).all():
            expect(found).not_to_be_visible()
    expect(page.get_by_role("slider")).to_have_count(1)
    assert set(shown) | {"guess", "factors"} == set(Rank.parts)


def test_by_script_its_colours_follow_the_page(open_page, server, course):
    script = f'<script src="{server}/embed.js" data-figure="rank/rank" data-query="guess=skip"></script>'
    page = open_page(course(script), color_scheme="light")
    root = page.frame_locator("iframe").locator("html")
    expect(root).to_have_class("scripted")
    for theme in ("dark", "light"):
        page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
        expect(root).to_have_attribute("data-theme", theme)
    page.evaluate("() => { delete document.documentElement.dataset.theme }")
    expect(root).not_to_have_attribute("data-theme", "light")
    page.evaluate("() => { document.documentElement.style.colorScheme = 'dark' }")
    expect(root).to_have_attribute("data-theme", "dark")


def test_both_codes_that_are_offered_show_the_state_that_the_reader_sees(open_page, server, course):
    page = open_page(f"{server}/lesson/rank.html?rank.task=blur&rank.guess=skip&rank.hide=matrix,guess")
    root = page.locator("#rank .lora-rank")
    move(root, 8)
    root.get_by_text(say("Share and download"), exact=True).click()
    for label in ("embedLabel", "scriptLabel"):
        box = root.get_by_label(say(WORDS[label]))
        expect(box).to_have_value(re.compile("r=8"))
        there = open_page(course(box.input_value())).frame_locator("iframe")
        expect(there.locator(".lora-rank .sentence")).to_have_text(sentence(Rank(task="blur"), 8))


def test_a_figure_that_stands_alone_says_what_it_is_and_from_where(open_page, server):
    page = open_page(f"{server}/embed/rank/rank.html")
    credit = page.locator(".credit")
    expect(credit).to_have_text(credited(PLACED, home="", place=f"LoRA, live: {say('A thin change')}"))
    with page.expect_popup() as opened:
        credit.get_by_role("link", name="LoRA, live").click()
    expect(opened.value.locator("#rank .lora-rank")).to_be_visible()
    page = open_page(f"{server}/file/rank-rank.html")
    expect(page.locator(".credit")).to_have_text(credited(ALONE))
