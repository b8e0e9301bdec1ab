"""What a reader found stays in her browser, is told on the start page, and can be forgotten."""

import pytest
from playwright.sync_api import expect

from helpers.spoken import say
from lessons.rank import LESSON

OF = len(LESSON.questions)
TOLD = "You have found {found} of {of}. That stays in this browser, and nobody else sees it."
FOUND = "{found} of {of} questions found"


def test_an_answer_explains_itself_and_what_was_found_stays(open_page, server):
    page = open_page(f"{server}/lesson/rank.html")
    recall = page.locator(".recall")
    first = recall.locator("li").first
    told = recall.locator("[data-told]")
    expect(told).to_have_text(say(TOLD, found=0, of=OF))

    wrong = first.locator("details:not([data-right])").first
    wrong.locator("summary").press("Enter")
    expect(wrong.locator(".why")).to_be_visible()
    expect(told).to_have_text(say(TOLD, found=0, of=OF))

    first.locator("details[data-right] summary").press("Enter")
    expect(wrong.locator(".why")).to_be_hidden()
    expect(told).to_have_text(say(TOLD, found=1, of=OF))

    page.goto(f"{server}/index.html")
    expect(page.locator(".lessons .found[data-lesson=rank]")).to_have_text(" · " + say(FOUND, found=1, of=OF))
    expect(page.locator(".lessons .found[data-lesson=lab]")).to_be_empty()

    page.goto(f"{server}/lesson/rank.html")
    expect(told).to_have_text(say(TOLD, found=1, of=OF))
    recall.get_by_role("button", name=say("Forget my answers")).click()
    expect(told).to_have_text(say(TOLD, found=0, of=OF))
    assert page.evaluate("JSON.parse(localStorage.getItem('lora-recall')).rank") == []


@pytest.mark.parametrize("kept", ["{", "null", "[]", '{"rank": 3}', '{"rank": ["<b>"]}'])
def test_whatever_stands_in_the_storage_the_page_works(open_page, server, kept):
    page = open_page("about:blank")
    page.add_init_script(f"localStorage.setItem('lora-recall', {kept!r})")
    page.goto(f"{server}/lesson/rank.html")
    page.locator(".recall li").last.locator("details[data-right] summary").click()
    expect(page.locator(".recall [data-told]")).to_have_text(say(TOLD, found=1, of=OF))
    expect(page.locator(".recall li.found")).to_have_count(1)
