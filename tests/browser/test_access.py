"""No page breaks a rule of WCAG 2.2 AA that axe-core can check, in light, dark and projector, open and revealed."""

import pytest
from playwright.sync_api import expect

from helpers.browser import instrument, open_everything, sentence, violations
from helpers.spoken import say, saying
from widgets.rank import Rank
from widgets.rank.words import WORDS

BIG = {"viewport": {"width": 1920, "height": 1080}}
LOOKS = {
    "start light": ("/index.html?theme=light", {}),
    "start dark": ("/index.html", {"color_scheme": "dark"}),
    "lesson light": ("/lesson/rank.html", {"color_scheme": "light"}),
    "lesson dark": ("/lesson/rank.html?theme=dark", {}),
    "lesson on a phone": ("/lesson/rank.html", {"viewport": {"width": 390, "height": 844}}),
    "embed projector": ("/embed/rank/rank.html?view=projector", BIG),
    "embed dark projector": ("/embed/rank/rank.html?view=projector&theme=dark", BIG),
    "file light": ("/file/rank-rank.html", {}),
    "file dark": ("/file/rank-rank.html", {"color_scheme": "dark"}),
}


@pytest.mark.parametrize("look", ["start light", "lesson dark", "embed projector"])
def test_axe_finds_nothing_as_a_page_opens(open_page, server, look):
    path, context = LOOKS[look]
    page = open_page(server + path, **context)
    instrument(page, "finetune" if "index" in path else "rank")
    assert violations(page) == []


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_where_all_is_open(open_page, server, look):
    path, context = LOOKS[look]
    page = open_page(server + path, **context)
    name = "finetune" if "index" in path else "rank"
    root = instrument(page, name)
    field = page.get_by_label(say("My guess: r ="))
    if field.count():
        field.fill("3")
        page.keyboard.press("Enter")
    open_everything(page)
    if name == "rank":
        root.locator(".delta_w .cells").focus()
        page.keyboard.press("ArrowRight")
        expect(root.locator(".cell")).to_contain_text(saying(WORDS["cells"]["matrix"], row=0, column=1))
    assert violations(page) == []


def test_axe_finds_nothing_where_something_is_said(open_page, server):
    page = open_page(f"{server}/lesson/rank.html?rank.r=900&rank.guess=skip&patterns.r=99")
    expect(instrument(page).locator(".notice")).to_be_visible()
    assert violations(page) == []


def test_a_screen_reader_hears_the_sentence_when_the_slider_rests(open_page, server):
    page = open_page(f"{server}/embed/rank/rank.html?guess=skip")
    root = instrument(page)
    status = root.locator(".unseen[role=status]")
    expect(status).to_have_text(sentence(Rank(), 1))
    page.evaluate(
        """() => {
          globalThis.heard = []
          const status = document.querySelector('.unseen[role=status]')
          new MutationObserver(() => heard.push(status.textContent)).observe(status, { childList: true })
        }"""
    )
    root.get_by_role("slider", name=say("Rank r")).focus()
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    expect(status).to_have_text(sentence(Rank(), 7))
    assert page.evaluate("heard") == [sentence(Rank(), 7)], "once, not at every tick"


def test_every_control_has_a_name_of_its_own(open_page, server):
    page = open_page(f"{server}/lesson/rank.html")
    instrument(page)
    instrument(page, "patterns")
    ids = page.locator("[id]").evaluate_all("all => all.map((one) => one.id)")
    assert len(ids) == len(set(ids)), "an id that stands twice names the wrong control"
    for name in ("Rank r", "Patterns r"):
        expect(page.get_by_role("slider", name=say(name))).to_have_count(1)
    assert page.get_by_label(say("Matrix"), exact=True).count() == 2
