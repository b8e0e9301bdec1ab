"""Notes: kept in the browser and nowhere else, handed out as Markdown, printed, and gone when they are deleted."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from helpers.browser import requests_of
from helpers.spoken import say
from lessons.paper import LESSON
from lessons.press.blocks import Notes

FIRST, *_, LAST = (block.title for block in LESSON.build() if isinstance(block, Notes))
HOSTILE = "# <img src=x onerror=document.body.remove()> & r = 4"
UNKEPT = "This browser keeps nothing for this page: export your notes before you leave it."
NO_STORAGE = "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no') } })"


def exported_text(page) -> tuple[str, str]:
    with page.expect_download() as started:
        page.get_by_role("button", name=say("Export my notes")).click()
    return started.value.suggested_filename, Path(started.value.path()).read_text(encoding="utf-8")


def test_a_note_stays_is_exported_escaped_printed_and_deleted(open_page, server):
    page = open_page(f"{server}/lesson/paper.html")
    asked = requests_of(page)
    first, last = page.locator(".notes textarea").first, page.locator(".notes textarea").last
    export = page.get_by_role("button", name=say("Export my notes"))
    expect(export).to_be_disabled()
    first.fill("Older than I thought.\nTwo lines.")
    last.fill(HOSTILE)
    expect(page.locator(".notes .said").first).to_have_text(say("Kept in this browser."))
    assert asked == [], "nothing is sent"
    page.reload()
    expect(first).to_have_value("Older than I thought.\nTwo lines.")
    expect(last).to_have_value(HOSTILE)
    name, text = exported_text(page)
    assert name == "notes-paper.md"
    title = say("My notes on “%(title)s”", title=say(LESSON.title))
    assert text == (
        f"# {title}\n\n## {say(FIRST)}\n\nOlder than I thought.\nTwo lines.\n\n"
        f"## {say(LAST)}\n\n\\# &lt;img src=x onerror=document.body.remove()> &amp; r = 4\n"
    )
    page.emulate_media(media="print")
    expect(page.locator(".notes .printed").last).to_have_text(HOSTILE)
    expect(page.locator(".notes").nth(1)).not_to_be_visible()  # an empty one
    page.emulate_media(media="screen")
    remove = page.get_by_role("button", name=say("Delete my notes"))
    remove.click()
    expect(last).to_have_value(HOSTILE)  # once is not enough
    page.get_by_role("button", name=say("Really delete all notes on this page?")).click()
    expect(first).to_have_value("")
    expect(export).to_be_disabled()
    page.reload()
    expect(last).to_have_value("")


def test_where_nothing_is_kept_it_is_said_and_the_export_still_works(open_page, exported):
    page = open_page("about:blank", offline=True)
    page.add_init_script(NO_STORAGE)
    page.goto((exported / "lesson" / "paper.html").as_uri())
    note = page.locator(".notes textarea").first
    expect(page.locator(".notes .said").first).to_have_text(say(UNKEPT))
    note.fill("kept by me")
    assert exported_text(page)[1].endswith(f"## {say(FIRST)}\n\nkept by me\n")
