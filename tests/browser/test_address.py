"""Every state is a link; what is not possible in an address is said in a sentence, and nothing of it is run."""

import re
from urllib.parse import parse_qs, quote, urlsplit

from playwright.sync_api import expect

from compute.experiments.learned import LEARNED
from helpers.browser import choose, instrument, open_drawer, sentence
from helpers.spoken import say
from widgets.kit.instrument import WORDS
from widgets.kit.text import fill
from widgets.rank import Rank

TASKS_SAID = ", ".join(["few-patterns, blur, reorder, noise, flat", *LEARNED])
SCRIPT = "<script>alert(1)</script>"
IMAGE = "<img src=x onerror=alert(1)>"
LONG = "9" * 5000


def out_of_range(name: str, given: str, low: int, high: int, value: int) -> str:
    return fill(
        WORDS["outOfRange"], {"name": say(name), "given": given, "low": low, "high": high, "value": value}
    )


def not_a_choice(name: str, given: str, allowed: str, value: str) -> str:
    return fill(WORDS["notAChoice"], {"name": say(name), "given": given, "allowed": allowed, "value": value})


BAD = {
    "rank.r=900": (out_of_range("Rank r", "900", 0, 32, 32), Rank(r=32)),
    "rank.r=-3": (out_of_range("Rank r", "-3", 0, 32, 0), Rank(r=0)),
    "rank.r=abc": (out_of_range("Rank r", "abc", 0, 32, 1), Rank(r=1)),
    "rank.r=2.5": (out_of_range("Rank r", "2.5", 0, 32, 1), Rank(r=1)),
    "rank.r=": (out_of_range("Rank r", "", 0, 32, 1), Rank(r=1)),
    "rank.n=7": (out_of_range("Size", "7", 16, 128, 16), Rank(n=16)),
    "rank.seed=99999999999": (
        out_of_range("Seed", "99999999999", 0, 2**32 - 1, 2**32 - 1),
        Rank(seed=2**32 - 1),
    ),
    f"rank.seed={LONG}": (out_of_range("Seed", LONG[:40], 0, 2**32 - 1, 0), Rank()),
    f"rank.task={SCRIPT}": (not_a_choice("Matrix", SCRIPT, TASKS_SAID, "few-patterns"), Rank()),
    f"rank.task={IMAGE}": (not_a_choice("Matrix", IMAGE, TASKS_SAID, "few-patterns"), Rank()),
    "rank.task=__proto__": (not_a_choice("Matrix", "__proto__", TASKS_SAID, "few-patterns"), Rank()),
    "rank.guess=perhaps": (
        not_a_choice("Guess", "perhaps", "the words ask and skip, or a whole number", "ask"),
        Rank(),
    ),
    "rank.task=blur&rank.task=flat": ("", Rank(task="blur")),
    "rank.r=5&nonsense=1&constructor=2&__proto__=3": ("", Rank(r=5)),
}


def test_what_is_not_possible_is_said(open_page, server):
    page = open_page("about:blank")
    dialogs = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    for query, (notice, shown) in BAD.items():
        page.goto(f"{server}/lesson/rank.html?{quote(query, safe='=&')}")
        root = instrument(page)
        expect(root.locator(".notice"), query[:60]).to_have_text(notice)
        assert root.locator(".notice").is_visible() == bool(notice)
        expect(root.locator(".sentence"), query[:60]).to_have_text(shown.sentence())
        page.get_by_role("slider", name=say("Rank r")).focus()  # the page is of use as before
        page.keyboard.press("Home")
        page.keyboard.press("ArrowRight")
        expect(root.locator(".sentence")).to_have_text(sentence(shown, 1))
        assert page.locator(".lora img, .lora script").count() == 0
    assert dialogs == []


def test_a_part_that_does_not_exist_is_said(open_page, server):
    page = open_page(f"{server}/embed/rank/rank.html?hide=nonsense,charts,{quote(IMAGE)}")
    parts = ", ".join(Rank.parts)
    root = instrument(page)
    said = fill(WORDS["notAPart"], {"given": f"nonsense, {IMAGE}"[:40], "allowed": parts})
    expect(root.locator(".notice")).to_have_text(said)
    expect(root.locator(".charts")).to_have_count(0)
    assert page.locator(".lora img").count() == 0


def test_from_the_first_change_on_the_address_holds_the_whole_state(open_page, server):
    page = open_page(f"{server}/lesson/rank.html")
    instrument(page)
    assert page.url == f"{server}/lesson/rank.html", "nothing was changed yet"
    page.get_by_role("slider", name=say("Rank r")).focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_url(lambda url: "rank.r=2" in url)
    assert parse_qs(urlsplit(page.url).query) == {
        "patterns.task": ["few-patterns"],
        "patterns.r": ["1"],
        "rank.task": ["few-patterns"],
        "rank.n": ["32"],
        "rank.seed": ["0"],
        "rank.r": ["2"],
        "rank.guess": ["ask"],
    }


def test_a_link_opens_what_was_left(open_page, server):
    page = open_page(f"{server}/lesson/rank.html?rank.hide=charts&theme=dark")
    root = instrument(page)
    figure = choose(root, "flat", 48, 7)
    page.get_by_label(say("My guess: r =")).fill("20")
    page.keyboard.press("Enter")
    slider = page.get_by_role("slider", name=say("Rank r"))
    slider.focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.wait_for_url(lambda url: "rank.r=5" in url)
    link = open_drawer(root, "Share and download").get_by_label(say("A link to exactly this state"))
    expect(link).to_have_value(page.url)
    verdict = root.locator(".verdict").inner_text()

    fresh = instrument(open_page(page.url))
    expect(fresh.locator(".sentence")).to_have_text(sentence(figure, 5))
    expect(fresh.get_by_label(say("Matrix"), exact=True)).to_have_value("flat")
    expect(fresh.get_by_label(say("Size"), exact=True)).to_have_value("48")
    expect(fresh.get_by_label(say("Seed"), exact=True)).to_have_value("7")
    expect(fresh.locator(".verdict")).to_have_text(verdict)
    expect(fresh.locator(".charts")).to_have_count(0)
    expect(fresh.page.locator("html")).to_have_attribute("data-theme", "dark")


def test_the_embed_code_shows_this_state(open_page, server, tmp_path):
    page = open_page(f"{server}/lesson/rank.html?rank.task=blur&rank.r=6&rank.guess=skip&rank.hide=table")
    code = open_drawer(instrument(page), "Share and download").get_by_label(say(WORDS["embedLabel"]))
    start = f'<iframe src="{server}/embed/rank/rank.html?task=blur&amp;n=32&amp;seed=0&amp;r=6&amp;guess=skip'
    end = f'&amp;hide=table" title="{Rank.title}" style="width:100%;height:'
    expect(code).to_have_value(
        re.compile(re.escape(start + end) + r"\d{3,4}px;border:0\" loading=\"lazy\"></iframe>")
    )
    course = tmp_path / "course.html"
    course.write_text(
        f'<!doctype html><html lang="en"><title>t</title>{code.input_value()}', encoding="utf-8"
    )
    inside = open_page(course).frame_locator("iframe")
    expect(inside.locator(".sentence")).to_have_text(Rank(task="blur", r=6).sentence())
