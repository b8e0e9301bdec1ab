"""Names in charts can be read: none stands on another one, none lies on a line, in any figure as it opens."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from lessons import load_all

# Of every chart: names that overlap another text, and names that a curve runs through. A name's box is higher than its
# letters, so that what touches only the upper or lower fifth of it touches no letter.
FOUND = """() => {
  const found = []
  for (const svg of [...document.querySelectorAll('.lora figure svg')].filter((each) => each.clientWidth)) {
    const texts = [...svg.querySelectorAll('text')].filter(
      (text) => text.textContent.trim() && getComputedStyle(text).visibility !== 'hidden',
    )
    const boxes = texts.map((text) => text.getBoundingClientRect())
    const words = (i) => texts[i].textContent
    boxes.forEach((one, i) => boxes.slice(i + 1).forEach((other, j) => {
      const wide = Math.min(one.right, other.right) - Math.max(one.left, other.left)
      const high = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top)
      if (wide > 1 && high > 0.2 * one.height) found.push(`“${words(i)}” and “${words(i + 1 + j)}” overlap`)
    }))
    const { a, d, e, f } = svg.getScreenCTM()
    for (const curve of svg.querySelectorAll('path.curve')) {
      const length = curve.getTotalLength()
      const through = new Set()
      for (let at = 0; at <= length; at += 2) {
        const point = curve.getPointAtLength(at)
        const [x, y] = [point.x * a + e, point.y * d + f]
        boxes.forEach(({ left, right, top, bottom, height }, i) => {
          const inside = x > left && x < right && y > top + 0.2 * height && y < bottom - 0.2 * height
          if (inside && texts[i].matches('.label')) through.add(words(i))
        })
      }
      for (const name of through) found.push(`a curve runs through “${name}”`)
    }
  }
  return found
}"""


@pytest.mark.parametrize("lesson", load_all(), ids=lambda lesson: lesson.slug)
def test_every_name_can_be_read(lesson, open_page, server):
    page = open_page(f"{server}/index.html", viewport={"width": 1280, "height": 900})
    for figure in lesson.figures():
        page.goto(f"{server}/embed/{lesson.slug}/{figure}.html?guess=skip")
        expect(page.locator(".lora .sentence").first).not_to_be_empty()
        assert page.evaluate(FOUND) == [], figure


def test_names_that_overlap_are_found(open_page, server):
    page = open_page(f"{server}/embed/knee/knee.html?guess=skip")
    names = page.locator(".chart").first.locator(".label")
    expect(names.first).to_be_visible()
    names.first.evaluate(
        "one => { const [x, y] = ['x', 'y'].map((name) => one.getAttribute(name));"
        " for (const name of one.closest('svg').querySelectorAll('.label'))"
        " { name.setAttribute('x', x); name.setAttribute('y', y) } }"
    )
    assert any("overlap" in each for each in page.evaluate(FOUND))
