"""What stands around the lessons: contents, words that open, search, from a folder as from a server."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from helpers.browser import RULES
from helpers.spoken import say, saying
from lessons import load_all
from lessons.press.glossary import TERMS

FINETUNE, BREAK_EVEN, INTRUDER = (
    next(term for term in TERMS if term.word == word)
    for word in ("finetune", "break-even rank", "intruder dimension")
)


def test_a_word_opens_and_closes_by_keyboard(server, open_page):
    page = open_page(f"{server}/lesson/customers.html")
    word = page.locator("[popovertarget=term-finetune]").first
    meaning = page.locator("#term-finetune")
    expect(meaning).to_be_hidden()
    word.focus()
    page.keyboard.press("Enter")
    expect(meaning).to_be_visible()
    expect(meaning).to_contain_text(say(FINETUNE.meaning).partition(",")[0])
    page.keyboard.press("Escape")
    expect(meaning).to_be_hidden()
    expect(word).to_be_focused()


@pytest.mark.parametrize("wide", [390, 1280, 1920])
def test_the_contents_lead_to_every_lesson_and_fit_the_screen(server, open_page, wide):
    page = open_page(f"{server}/lesson/rank.html", viewport={"width": wide, "height": 800})
    page.locator(".contents summary").click()
    contents = page.get_by_role("navigation", name=say("Contents"))
    box = contents.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= wide
    expect(contents.locator("[aria-current=page]")).to_have_text(say("A thin change"))
    contents.get_by_role("link", name=say("Where to put it")).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(say("Where to put it"))


def test_the_headings_stand_beside_the_text_where_there_is_room(server, open_page):
    page = open_page(f"{server}/lesson/rank.html", viewport={"width": 1920, "height": 1080})
    there = page.get_by_role("navigation", name=say("On this page"))
    last = there.get_by_role("link").last
    last.click()
    expect(page.get_by_role("heading", level=2, name=last.inner_text(), exact=True)).to_be_in_viewport()
    page.set_viewport_size({"width": 1280, "height": 800})
    expect(there).to_be_hidden()


@pytest.mark.parametrize("lesson", load_all(), ids=lambda lesson: lesson.slug)
def test_on_wide_screens_text_headings_and_figures_stand_beside_each_other(server, open_page, lesson):
    page = open_page(f"{server}/lesson/{lesson.slug}.html", viewport={"width": 1680, "height": 1050})
    headings = page.locator(".on-page").bounding_box()
    figures = [figure.bounding_box() for figure in page.locator("figure.instrument").all()]
    assert headings["y"] + headings["height"] <= figures[0]["y"], "the list ends above the first figure"
    for text in page.locator(":is(.prose, .try)").all():
        box = text.bounding_box()
        for other in (headings, *figures):
            assert box["x"] + box["width"] <= other["x"], "no figure lies on the text"
    assert page.evaluate("document.documentElement.scrollWidth") <= 1680


def test_a_figure_stays_in_view_while_its_text_passes(server, open_page):
    page = open_page(f"{server}/lesson/wall.html", viewport={"width": 1680, "height": 1050})
    figure = page.locator("#wall.live")
    expect(figure).to_be_visible()
    last = page.locator(".of-figure:has(#wall) > .prose").last
    last.evaluate("text => scrollTo(0, text.getBoundingClientRect().bottom + scrollY - innerHeight)")
    expect(figure.locator("input[type=range]").or_(figure.locator(".sentence")).first).to_be_in_viewport()
    page.set_viewport_size({"width": 1280, "height": 800})
    expect(figure).to_have_css("position", "static")


@pytest.mark.parametrize("from_folder", [False, True])
def test_the_search_finds_sections_and_words(server, open_page, exported, from_folder):
    page = open_page((exported / "search.html").as_uri() if from_folder else f"{server}/search.html")
    asked, found = page.get_by_role("searchbox"), page.locator("#found li")
    expect(asked).to_be_focused()
    asked.fill(BREAK_EVEN.said()[0])
    expect(found.first).to_be_visible()
    expect(page.get_by_role("status")).to_have_text(saying("{n} places have them."))
    asked.fill("mearchenko pastur wigglesworth")
    expect(found).to_have_count(0)
    expect(page.get_by_role("status")).to_have_text(say("Nothing has these words."))
    asked.fill(INTRUDER.said()[0])
    found.first.get_by_role("link").click()
    expect(page.locator("#term-intruder-dimension")).to_be_in_viewport()
    page.go_back()
    expect(asked).to_have_value(INTRUDER.said()[0])


@pytest.mark.parametrize("name", ["search", "glossary", "cite", "404"])
def test_pages_that_are_no_lessons_are_accessible(server, open_page, name):
    page = open_page(f"{server}/{name}.html")
    assert Axe().run(page, options=RULES).response["violations"] == []


def test_a_wrong_address_is_helped_at_any_depth(server, open_page):
    for path in ("nope.html", "lesson/nope.html", "a/b/c/d"):
        page = open_page(f"{server}/{path}")
        assert all("404" in said for said in page.said), page.said
        page.said.clear()
        expect(page.get_by_role("heading", level=1)).to_have_text(say("Not found"))
        page.get_by_role("main").locator("a[href$='index.html']").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("LoRA, live")
