"""Every figure as it opens, on a screen, a projector, in a narrow frame and on a phone.

Names in charts can be read: none is cut, none stands on another one, none lies on a line, an axis or a mark. Slider,
picture and curve are in view together.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from lessons import load_all
from widgets.kit.languages import spoken

# Of every chart: names that are cut, that overlap another text, that a line runs through, or that lie on a mark. A
# name's box is higher than its letters, so that what touches only the upper or lower fifth of it touches no letter.
FOUND = """() => {
  const BETWEEN = 3 // pixels, without which two names in a row are read as one
  const found = []
  for (const svg of [...document.querySelectorAll('.lora figure svg')].filter((each) => each.clientWidth)) {
    const texts = [...svg.querySelectorAll('text')].filter(
      (text) => text.textContent.trim() && getComputedStyle(text).visibility !== 'hidden',
    )
    const boxes = texts.map((text) => text.getBoundingClientRect())
    const words = (i) => texts[i].textContent
    const edge = svg.getBoundingClientRect()
    if (getComputedStyle(svg).overflow !== 'visible')
      boxes.forEach(({ left, right, width }, i) => {
        if (width && (left < edge.left - 1 || right > edge.right + 1)) found.push(`“${words(i)}” is cut`)
      })
    boxes.forEach((one, i) => boxes.slice(i + 1).forEach((other, j) => {
      const wide = Math.min(one.right, other.right) - Math.max(one.left, other.left)
      const high = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top)
      const names = texts[i].matches('.label') && texts[i + 1 + j].matches('.label')
      if (wide > (names ? -BETWEEN : 1) && high > 0.2 * one.height)
        found.push(`“${words(i)}” and “${words(i + 1 + j)}” overlap`)
    }))
    const lines = '.curve, .rule, .domain, .tick line, .mark path, .joined, .interval, .span'
    const labels = boxes.map((box, i) => ({ ...box.toJSON(), i })).filter(({ i }) => texts[i].matches('.label'))
    const near = (each) => {
      const edges = each.getBoundingClientRect()
      return labels.filter(({ left, right, top, bottom }) =>
        left < edges.right + 1 && right > edges.left - 1 && top < edges.bottom + 1 && bottom > edges.top - 1)
    }
    for (const line of svg.querySelectorAll(lines)) {
      const close = near(line)
      if (!close.length) continue
      const length = line.getTotalLength()
      const { a, d, e, f } = line.getScreenCTM()
      const through = new Set()
      for (let at = 0; at <= length; at += 2) {
        const point = line.getPointAtLength(at)
        const [x, y] = [point.x * a + e, point.y * d + f]
        for (const { i, left, right, top, bottom, height } of close)
          if (x > left && x < right && y > top + 0.2 * height && y < bottom - 0.2 * height) through.add(words(i))
      }
      for (const name of through) found.push(`a ${line.getAttribute('class')} runs through “${name}”`)
    }
    for (const mark of svg.querySelectorAll('.mark path, .shape, .dot, .bars, .bar, circle:not(.needle)')) {
      if (getComputedStyle(mark).visibility === 'hidden' || getComputedStyle(mark).fill === 'none') continue
      const back = mark.getScreenCTM().inverse()
      for (const { i, left, right, top, bottom, height } of near(mark))
        search: for (let y = top + 0.25 * height; y < bottom - 0.2 * height; y += 2)
          for (let x = left; x < right; x += 2)
            if (mark.isPointInFill(new DOMPoint(x, y).matrixTransform(back))) {
              found.push(`“${words(i)}” lies on a ${mark.getAttribute('class')}`)
              break search
            }
    }
  }
  return found
}"""


# How far below the upper edge of the slider, or of a figure without one, its first matrix and its first curve end.
ENDS = """() => {
  const root = document.querySelector('.lora')
  const shown = (each) => each.clientHeight > 4 && getComputedStyle(each).visibility !== 'hidden'
  const first = (parts) => [...root.querySelectorAll(parts)].find(shown)
  const { top } = (first('.stepper') ?? root).getBoundingClientRect()
  return Object.fromEntries(
    Object.entries({ matrix: '.heatmap .cells', curve: 'figure svg' }).map(([name, parts]) => [
      name,
      (first(parts)?.getBoundingClientRect().bottom ?? top) - top,
    ]),
  )
}"""
VIEWS = {(1280, 900): "", (1280, 800): "projector", (760, 844): "", (390, 844): ""}
IN_VIEW = 720  # what a browser shows of 800 pixels below its own bars
# What comes after the picture that a figure is about, and further down.
LATER = {
    "block": {"matrix"},  # the weights of what was picked among its strips
    "bits": {"matrix"},  # after the histogram that its slider moves
    "inspector": {"curve"},  # after the file, the layers and their choice: it has no slider
}
# Charts are drawn when they have their size, and what they need may change it: wait until three frames are alike.
VIEWED = """async (view) => {
  document.documentElement.dataset.view = view
  for (let before, alike = 0; alike < 3; ) {
    await new Promise(requestAnimationFrame)
    const now = [...document.querySelectorAll('.lora svg')].map((svg) => svg.outerHTML).join()
    alike = now === before ? alike + 1 : 0
    before = now
  }
}"""


# Numbers as English writes them, which another language would read as others: versions have more than one point.
ENGLISH_NUMBERS = r"""() => [...document.querySelector('.lora').querySelectorAll('*')]
  .filter((each) => !each.matches('textarea, code') && each.checkVisibility())
  .flatMap((each) => [...each.childNodes].filter(({ nodeType }) => nodeType === Node.TEXT_NODE))
  .map((text) => text.data)
  .filter((data) => /(?<![\d.,\w])(?:0|\d+(?!\.\d{3}(?!\d)))\.\d+(?![\d.]*\.\d)/.test(data))"""


@pytest.mark.parametrize("lesson", load_all(), ids=lambda lesson: lesson.slug)
def test_every_figure_can_be_read(lesson, open_page, server):
    page = open_page(f"{server}/index.html")
    for figure, kind in lesson.kinds.items():
        page.set_viewport_size({"width": 1280, "height": 900})
        page.goto(f"{server}/embed/{lesson.slug}/{figure}.html?guess=skip")
        expect(page.locator(".lora .sentence").first).not_to_be_empty()
        if spoken().numbers.decimal != ".":
            assert page.evaluate(ENGLISH_NUMBERS) == [], figure
        for (width, height), view in VIEWS.items():
            page.set_viewport_size({"width": width, "height": height})
            page.evaluate(VIEWED, view)
            assert page.evaluate(FOUND) == [], (figure, width, view)
            ends = page.evaluate(ENDS)
            low = {name for name, end in ends.items() if end > IN_VIEW}
            assert low <= LATER.get(kind.script, set()), (figure, width, view, ends)


@pytest.mark.parametrize("step", range(1, 7))
def test_what_a_merge_passes_through_is_in_view_with_its_curve_at_every_step(step, open_page, server):
    page = open_page(f"{server}/embed/merging/merging.html?guess=skip&step={step}")
    expect(page.locator(".lora .sentence").first).not_to_be_empty()
    for (width, height), view in VIEWS.items():
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate(VIEWED, view)
        assert max(page.evaluate(ENDS).values()) <= IN_VIEW, (width, view)
        last = page.locator(".heatmap:visible").last.bounding_box()
        assert last["y"] + last["height"] < page.locator(".chart").bounding_box()["y"]


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


@pytest.mark.parametrize("shown", ["right", "loss", "time-1", "step"])
def test_names_of_crowded_marks_lie_on_none(shown, open_page, server):
    page = open_page(f"{server}/embed/menu/menu.html?guess=skip&shown={shown}")
    expect(page.locator(".scatter .label").first).to_be_visible()
    for width, height in ((390, 844), (1280, 900)):
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate(VIEWED, "")
        assert page.evaluate(FOUND) == [], (shown, width)
    page.evaluate(
        "() => { const name = document.querySelector('.scatter .label');"
        " const [, x, y] = /translate\\(([^,]+),([^)]+)/.exec("
        "document.querySelector('.point .shape').getAttribute('transform'));"
        " name.setAttribute('x', x - 10); name.setAttribute('y', Number(y) + 5) }"
    )
    assert any("lies on a shape" in each for each in page.evaluate(FOUND))
