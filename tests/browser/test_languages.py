"""The languages in a real browser: it writes what Python writes, leads from one to another, and has room for all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from helpers.browser import instrument
from helpers.instruments import every_instrument
from helpers.pseudo import doubled, from_the_right, pseudo
from helpers.spoken import english_only
from lessons.press.site import Site
from widgets.kit.instrument import bundle
from widgets.kit.languages import language, speaking
from widgets.rank import Rank

pytestmark = english_only("they choose their languages themselves")

PHONE = {"viewport": {"width": 390, "height": 844}}
SPANISH = language("es")
# A figure in a page that has nothing else: what it says, and its table, as it opens.
SHOWN = """([name, values]) => {
  const model = { get: (key) => values[key], set: (key, value) => (values[key] = value), on() {}, save_changes() {} }
  const el = document.createElement('div')
  document.body.append(el)
  globalThis[`lora_${name}`].default.render({ model, el })
  const table = el.querySelector('.drawers details:has(.table)')
  if (table) table.open = true
  return new Promise((resolve) => setTimeout(() => {
    const texts = (selector) => [...el.querySelectorAll(`.drawers .table ${selector}`)].map((cell) => cell.textContent)
    const sentence = el.querySelector('.sentence').textContent
    resolve({ sentence, head: texts('thead th'), cells: texts('tbody :is(th, td)') })
    el.remove()
  }))
}"""


def test_the_browser_writes_in_spanish_what_python_writes(open_page):
    page = open_page("about:blank")
    page.set_content(Site(live=False, languages=[SPANISH]).lost().replace("<script", "<template"))
    page.add_script_tag(content=bundle("kit"))
    for kind in every_instrument():
        if kind.engine():  # what it says comes with its training
            continue
        page.add_script_tag(content=bundle(kind.script))
        with speaking(SPANISH):
            figure = kind(**({"guess": "skip"} if "guess" in kind.choices else {}))
            given = {name: json.loads(getattr(figure, name)) for name in ("spec", "arrays")}
            values = {"hide": [], "links": {}, "notice": ""} | given | figure.state()
            shown = page.evaluate(SHOWN, [kind.script, values])
            head, rows = figure.table()
            assert shown["sentence"] == figure.sentence(), kind
        assert shown["head"] == head, kind
        assert shown["cells"] == [cell for row in rows for cell in row], kind


def test_an_address_leads_to_a_language_and_a_link_to_another_with_the_state(open_page, server):
    page = open_page(f"{server}/lesson/rank.html?lang=es&rank.r=4&rank.guess=skip#the-best-copy")
    assert page.url == f"{server}/es/lesson/rank.html?rank.r=4&rank.guess=skip#the-best-copy"
    assert page.evaluate("document.documentElement.lang") == "es"
    expect(page.locator("#the-best-copy")).to_have_text("La mejor copia")
    with speaking(SPANISH):
        said = Rank(r=4).sentence()
    expect(instrument(page).locator(".sentence")).to_have_text(said)
    page.get_by_role("link", name="English", exact=True).click()
    expect(page).to_have_url(f"{server}/lesson/rank.html?rank.r=4&rank.guess=skip#the-best-copy")
    expect(instrument(page).locator(".sentence")).to_have_text(Rank(r=4).sentence())


PAGES = ("lesson/rank.html", "lesson/placing.html", "teach/rank.html")
# What lies beyond an edge of the screen and cannot be scrolled to, and what is cut where it stands.
BEYOND = """() => {
  const wide = document.documentElement.clientWidth
  const hidden = '.scrolled, .places, .table, .formula, .unseen, .skip, details:not([open]) *'
  return [...document.querySelectorAll('body *')].filter((each) => {
    const { left, right, width } = each.getBoundingClientRect()
    const { overflowX, clipPath } = getComputedStyle(each)
    const cut = ['hidden', 'clip'].includes(overflowX) && clipPath === 'none' && each.scrollWidth > each.clientWidth + 1
    return width && !each.closest(hidden) && (right > wide + 1 || left < -1 || cut)
  }).map((each) => each.outerHTML.slice(0, 100))
}"""


@pytest.mark.parametrize(
    "long",
    [pseudo("en-x-long", doubled), pseudo("ar-x-right", from_the_right, "rtl")],
    ids=lambda each: each.code,
)
def test_there_is_room_for_long_words_and_for_those_from_the_right(open_page, tmp_path, long):
    write(Site(live=False, languages=[long]), tmp_path)
    for path in PAGES:
        page = open_page(tmp_path / path, **PHONE)
        if path.startswith("lesson"):
            expect(page.locator(".live .sentence").first).to_be_attached()
        page.locator(".contents summary").click()
        assert not page.evaluate(
            "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        ), path
        assert page.evaluate(BEYOND) == [], path
    page = open_page(tmp_path / PAGES[0], **PHONE)
    for picture in page.locator(".lora .maps, .lora svg").all():  # a matrix is the same from left to right
        assert picture.evaluate("each => getComputedStyle(each).direction") == "ltr"


def write(site: Site, folder: Path) -> None:
    """Write the pages, and what they load."""
    for path in (*PAGES, *(path for path in site.paths if path.startswith("assets/") and "_" not in path)):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(site.read(path))
