"""Presenting a page: one part at a time by the keyboard, answers veiled, the time, and a second window that follows."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from helpers.browser import violations
from helpers.spoken import filled, say, saying
from lessons.merging import LESSON
from widgets.merging import Merging

PATH = f"lesson/{LESSON.slug}.html"
STATE = "merging.precision=bf16&merging.strength=0.01&merging.step=2"
LARGE = {"viewport": {"width": 1920, "height": 1080}}
QUESTION = LESSON.questions[0]
WHERE, TIME = "{n} of {of}: {title}", "{time} of {all}"


def where(page: Page):
    return page.locator(".present-bar .where")


def presented(page: Page) -> Page:
    """Return the page once it is presented and its figures can be played with."""
    expect(page.locator(".present-bar")).to_be_attached()
    expect(page.locator("figure.instrument.live")).to_have_count(len(LESSON.figures()))
    return page


def shown(page: Page) -> list[str]:
    """Return the ids and words of what is shown of the page's text."""
    return page.locator("main .unit").evaluate_all(
        "all => all.filter((one) => one.checkVisibility()).map((one) => one.id || one.textContent.trim())"
    )


def step_to(page: Page, told: re.Pattern, key: str = "PageDown") -> None:
    """Go on until something is presented."""
    for _ in range(80):
        if told.search(where(page).text_content()):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{told.pattern} is never presented")


ASK = say(QUESTION.ask)[:40]
ASKED, FIGURE = (re.compile(re.escape(each)) for each in (ASK, Merging.title))


def test_the_keys_go_through_the_page_and_each_part_is_told(open_page, server):
    page = presented(open_page(f"{server}/{PATH}?view=present", **LARGE))
    status = page.locator("body > [role=status]")
    expect(status).to_have_text(saying(WHERE, n=1, title=say(LESSON.title)))
    assert shown(page)[0] == say(LESSON.title)
    expect(page.locator(".site-head")).to_be_hidden()
    seen = []
    for _ in range(80):
        now = where(page).text_content()
        if not seen or seen[-1] != now:
            assert status.text_content() == now
            seen.append(now)
        page.keyboard.press("PageDown")
    of = len(seen)
    assert [int(filled(WHERE, each)["n"]) for each in seen] == list(range(1, of + 1))
    for heading in re.findall(r"^## (.+)$", "\n".join(LESSON.texts()), re.MULTILINE):
        assert any(each.endswith(say(heading)) for each in seen)
    assert [each for each in seen if FIGURE.search(each)]
    assert [each for each in seen if ASKED.search(each)]
    page.keyboard.press("Home")
    expect(where(page)).to_have_text(seen[0])
    page.keyboard.press("End")
    expect(where(page)).to_have_text(seen[-1])
    page.keyboard.press("ArrowLeft")
    expect(where(page)).to_have_text(seen[-2])
    page.keyboard.press("ArrowRight")
    expect(where(page)).to_have_text(seen[-1])


def test_every_part_of_the_text_is_presented(open_page, server):
    page = presented(open_page(f"{server}/{PATH}?view=present", **LARGE))
    everything = page.locator(":is(.prose > *, .try, figure.instrument, .recall li)")
    wanted = everything.evaluate_all("all => all.map((one) => one.textContent.trim().slice(0, 60))")
    found: set[str] = set()
    for _ in range(80):
        found |= set(
            page.locator(".unit.now").evaluate_all(
                "all => all.map((one) => one.textContent.trim().slice(0, 60))"
            )
        )
        page.keyboard.press("PageDown")
    assert set(wanted) <= found


def test_it_begins_at_the_figure_of_its_address_in_its_state_and_can_be_loaded_again(open_page, server):
    page = presented(open_page(f"{server}/{PATH}?view=present&minutes=4&{STATE}#merging", **LARGE))
    expect(where(page)).to_contain_text(Merging.title)
    assert shown(page)[0] == "merging"
    expect(page.locator("#merging").get_by_label(say("Strength"), exact=True)).to_have_value("0.01")
    page.keyboard.press("PageDown")
    page.reload()
    presented(page)
    assert re.search(r"[?&]at=\d+", page.url)


def test_a_control_keeps_its_arrows_and_a_remote_goes_on(open_page, server):
    page = presented(open_page(f"{server}/{PATH}?view=present&merging.guess=skip#merging", **LARGE))
    before = where(page).text_content()
    slider = page.locator("#merging").get_by_role("slider").first
    slider.focus()
    value = slider.input_value()
    page.keyboard.press("ArrowRight")
    expect(slider).not_to_have_value(value)
    expect(where(page)).to_have_text(before)
    for _ in range(12):
        page.keyboard.press("PageDown")
    expect(where(page)).not_to_have_text(before)
    assert page.evaluate("document.activeElement.localName") == "main", "what had the focus is hidden now"


def test_answers_are_veiled_until_they_are_asked_for_and_count_as_nobodys(open_page, server):
    page = presented(open_page(f"{server}/{PATH}?view=present#recall", **LARGE))
    expect(where(page)).to_contain_text(ASK)
    opened = page.locator(".recall details[open]")
    expect(opened).to_have_count(0)
    for answer in QUESTION.answers:
        assert say(answer.text) in " ".join(page.locator(".unit.now").all_text_contents())
    page.keyboard.press("a")
    expect(opened).to_have_count(1)
    expect(opened).to_have_attribute("data-right", "")
    right = next(say(answer.text) for answer in QUESTION.answers if answer.right)
    told = say("The right answer is shown: {answer}", answer=right)
    expect(page.locator("body > [role=status]")).to_have_text(told)
    page.get_by_role("button", name=say("Veil the answer")).click()
    expect(opened).to_have_count(0)
    page.keyboard.press("a")
    page.keyboard.press("PageDown")
    expect(opened).to_have_count(0)
    expect(page.locator(".recall li.found")).to_have_count(0)
    assert page.evaluate("JSON.parse(localStorage.getItem('lora-recall') ?? '{}').merging ?? []") == []


def test_the_time_is_counted_stopped_and_said_to_be_up(open_page, server):
    page = open_page("about:blank", alone=True, **LARGE)
    page.clock.install()
    page.goto(f"{server}/{PATH}?view=present&minutes=1")
    presented(page)
    timer = page.get_by_role("timer")
    expect(timer).to_have_text(saying(TIME, all="1:00"))
    page.clock.run_for(30_000)
    page.keyboard.press("t")
    said = timer.text_content()
    assert int(filled(TIME, said)["time"].split(":")[1]) >= 30
    page.clock.run_for(60_000)
    expect(timer).to_have_text(said)
    page.keyboard.press("t")
    page.clock.run_for(31_000)
    expect(page.locator("body > [role=status]")).to_have_text(say("The time is up."))


@pytest.mark.long
@pytest.mark.parametrize("way", ["served", "folder"])
def test_a_second_window_follows(open_page, server, exported, way):
    address = f"{server}/{PATH}" if way == "served" else (exported / PATH).as_uri()
    page = presented(open_page(f"{address}?view=present", **LARGE))
    assert page.url.startswith("file:") is (way == "folder")
    with page.expect_popup() as opened:
        page.keyboard.press("w")
    other = opened.value
    faults: list[str] = []
    other.on("pageerror", lambda error: faults.append(str(error)))
    presented(other)
    expect(other.locator(".present-bar")).to_be_hidden()
    expect(where(other)).to_have_text(where(page).text_content())
    step_to(page, FIGURE)
    expect(where(other)).to_contain_text(Merging.title)
    page.locator("#merging").get_by_label(say("Precision")).select_option("fp16")
    expect(other.locator("#merging").get_by_label(say("Precision"))).to_have_value("fp16")
    page.locator("main").focus()
    step_to(page, ASKED)
    expect(where(other)).to_contain_text(ASK)
    expect(other.locator(".recall details[open]")).to_have_count(0)
    page.keyboard.press("a")
    expect(other.locator(".recall details[open]")).to_have_count(1)
    page.keyboard.press("End")
    page.locator(".neighbours [rel=next]").click()
    expect(page.locator(".present-bar")).to_be_attached()
    other.wait_for_url(re.compile(r"/mixing\.html\?view=present&follow="))
    page.keyboard.press("PageDown")
    expect(other.locator(".present-bar .where")).to_have_text(where(page).text_content())
    assert faults == []


def test_another_presentation_is_not_followed(open_page, server):
    page = presented(open_page(f"{server}/{PATH}?view=present&lead=one", **LARGE))
    stranger = page.context.new_page()
    stranger.goto(f"{server}/{PATH}?view=present&follow=two")
    presented(stranger)
    page.keyboard.press("End")
    stranger.wait_for_timeout(500)
    expect(where(stranger)).to_have_text(saying(WHERE, n=1))


def test_one_leaves_by_a_key_and_comes_by_a_link(open_page, server):
    page = open_page(f"{server}/{PATH}?{STATE}", viewport={"width": 1280, "height": 800})
    page.get_by_role("link", name=say("Present"), exact=True).click()
    presented(page)
    step_to(page, FIGURE)
    expect(page.locator("#merging").get_by_label(say("Strength"), exact=True)).to_have_value("0.01")
    page.keyboard.press("Escape")
    expect(page.locator(".site-head")).to_be_visible()
    expect(page.locator(".present-bar")).to_have_count(0)
    assert "view=" not in page.url
    assert "merging.strength=0.01" in page.url


@pytest.mark.parametrize(
    "context", [LARGE, {"viewport": {"width": 320, "height": 700}}, {"color_scheme": "dark"}]
)
def test_axe_finds_nothing_and_nothing_sticks_out(open_page, server, context):
    page = presented(open_page(f"{server}/{PATH}?view=present&merging.guess=skip", **context))
    for told in (saying(WHERE, n=2), FIGURE, ASKED):
        step_to(page, told)
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_page_that_is_no_lesson_is_presented_by_its_sections(open_page, server):
    page = open_page(f"{server}/teach/index.html?view=present")
    expect(where(page)).to_have_text(saying(WHERE, n=1, title=say("For a class")))


def test_an_embedded_figure_is_not_presented(open_page, server):
    page = open_page(f"{server}/embed/{LESSON.slug}/merging.html?view=present")
    expect(page.locator("figure.instrument.live")).to_be_visible()
    expect(page.locator(".present-bar")).to_have_count(0)
