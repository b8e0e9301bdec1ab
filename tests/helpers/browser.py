"""What the browser's tests share: find an instrument on a page, move its slider, read what it says."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from helpers.spoken import say
from widgets.kit.instrument import Instrument
from widgets.kit.matrix import TASK_LABELS
from widgets.kit.text import fill
from widgets.rank import Rank, case
from widgets.rank.words import READOUT_VALUES

# U and Vh reach the browser in float32, each entry rounded by at most 2**-24 of itself. By Cauchy-Schwarz, with rows of
# U and columns of Vh no longer than 1, an entry of a copy is off by at most 2 * 2**-24 * s[0]. The hundredth more is
# for the products of two roundings and for sums in float64.
FLOAT32_COPY = 2.02 * 2.0**-24

RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
    "resultTypes": ["violations"],
}
MOVE = """(root, [ranks, settled]) => {
  const slider = root.querySelector('input[type=range]')
  const entries = (selector, entry) => Object.fromEntries([...root.querySelectorAll(selector)].map(entry))
  const said = []
  for (const r of ranks) {
    slider.value = r
    slider.dispatchEvent(new Event('input', { bubbles: true }))
    said.push({
      r: slider.valueAsNumber,
      sentence: root.querySelector('.sentence').textContent,
      readouts: entries('.readouts dd', (dd) => [dd.className.replace('of-', ''), dd.textContent]),
      pictures: entries('figure.heatmap', (map) => [
        map.className.replace('heatmap ', ''),
        map.querySelector('canvas').toDataURL(),
      ]),
    })
  }
  if (settled) slider.dispatchEvent(new Event('change', { bubbles: true }))
  return said
}"""

# Chromium drops downloads beyond ten a second, so that the files of many ranks are taken where the page makes them.
HAND_OUT = """async (root, [label, ranks]) => {
  const slider = root.querySelector('input[type=range]')
  const press = [...root.querySelectorAll('button')].find((button) => button.textContent === label)
  const { createObjectURL } = URL
  const { click } = HTMLAnchorElement.prototype
  const made = []
  URL.createObjectURL = (blob) => { made.push(blob.text()); return 'blob:' }
  HTMLAnchorElement.prototype.click = () => {}
  try {
    for (const r of ranks) {
      slider.value = r
      slider.dispatchEvent(new Event('input', { bubbles: true }))
      press.click()
    }
    return await Promise.all(made)
  } finally {
    URL.createObjectURL = createObjectURL
    HTMLAnchorElement.prototype.click = click
  }
}"""


def instrument(page, name: str = "rank") -> Locator:
    """Return the figure of an instrument once it can be played with."""
    root = page.locator(f".lora-{name}").first  # a Panel page holds a second one, for the reader's own matrix
    expect(root.locator("input[type=range]").first).to_be_enabled()  # the mixer has two
    return root


def move(root: Locator, *ranks: int, settled: bool = True) -> list[dict[str, Any]]:
    """Drag the slider over the ranks; return what figure and text showed at each."""
    return root.evaluate(MOVE, [ranks, settled])


def choose(root: Locator, task: str = "few-patterns", n: int = 32, seed: int = 0) -> Rank:
    """Choose a matrix with the controls; return the instrument in Python once the page shows it."""
    root.get_by_label(say("Matrix"), exact=True).select_option(task)
    name = say(TASK_LABELS[task])
    name = name if task == "noise" else name.lower()
    expect(root.locator(".sentence")).to_contain_text(f"{name}, ")
    for label, value in (("Size", n), ("Seed", seed)):
        expect(root).not_to_have_attribute("aria-busy", "true")
        field = root.get_by_label(say(label), exact=True)
        if field.is_enabled() and field.input_value() != str(value):
            field.fill(str(value))
            field.press("Enter")
    expect(root.locator(".sentence")).to_contain_text(f"{name}, {n} × {n}")
    expect(root).not_to_have_attribute("aria-busy", "true")
    return Rank(task=task, n=n, seed=seed)


def readouts(figure: Rank, r: int) -> dict[str, str]:
    """Return the read-outs that Python would write."""
    values = figure.values(r)
    templates = {
        name: text if isinstance(text, str) else text[case(values)] for name, text in READOUT_VALUES.items()
    }
    return {name: fill(text, values) for name, text in templates.items()}


def sentence(figure: Instrument, r: int) -> str:
    """Return the sentence that Python would say at rank r."""
    figure.r = r
    return figure.sentence()


def open_drawer(root: Locator, name: str) -> Locator:
    """Open a drawer if it is shut, by its English name; return it."""
    drawer = root.locator("details", has=root.page.get_by_text(say(name), exact=True))
    if drawer.get_attribute("open") is None:
        drawer.locator("summary").click()
    return drawer


def code(root: Locator) -> Locator:
    """Open the drawer of the code; return the field that holds it."""
    field = open_drawer(root, "The code behind this number").locator("textarea")
    expect(field).not_to_have_value("")  # it is written when the drawer has opened
    return field


def table(root: Locator) -> list[list[str]]:
    """Return the rows of the numbers behind the picture."""
    open_drawer(root, "Numbers as a table")
    expect(root.locator("tbody tr").first).to_be_visible()
    return root.locator("tbody").evaluate(
        "body => [...body.rows].map((row) => [...row.cells].map((cell) => cell.textContent))"
    )


def downloaded(root: Locator, label: str) -> tuple[str, str]:
    """Press a download button, by its English name; return the name and text of the file."""
    open_drawer(root, "Share and download")
    with root.page.expect_download() as started:
        root.get_by_role("button", name=say(label)).click()
    return started.value.suggested_filename, Path(started.value.path()).read_text(encoding="utf-8")


def files(root: Locator, label: str, ranks: Iterable[int]) -> list[str]:
    """Return the texts of the files that a download button makes at each of the ranks, in their order."""
    ranks = list(ranks)
    texts = root.evaluate(HAND_OUT, [say(label), ranks])
    assert len(texts) == len(ranks)
    return texts


def matrix_of(csv: str) -> np.ndarray:
    """Return the numbers of a CSV without a head."""
    return np.array([[float(cell) for cell in line.split(",")] for line in csv.splitlines()])


def requests_of(page: Page) -> list[str]:
    """Return a list that grows with the address of each request from now on."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    return asked


def give(page, name: str, data: bytes) -> Locator:
    """Choose a file in the live part; return the place where it says what has become of it."""
    kind = "application/octet-stream"
    page.get_by_label(say("Your file")).set_input_files({"name": name, "mimeType": kind, "buffer": data})
    return page.locator(".lora-upload .notice")


def until_quiet(page: Page, sent: list) -> None:
    """Wait until a page has nothing more to send by itself."""
    seen = -1
    while len(sent) > seen:
        seen = len(sent)
        page.wait_for_timeout(1000)


def violations(page) -> list[str]:
    """Return what axe-core finds, each with the elements concerned."""
    found = Axe().run(page, options=RULES).response["violations"]
    return [f"{one['id']}: {one['help']}: {[node['html'][:120] for node in one['nodes']]}" for one in found]


def open_everything(page) -> None:
    """Open every drawer of a page, and wait for the tables in them."""
    page.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true })")
    for cell in page.locator("details tbody").all():
        expect(cell.locator("tr").first).to_be_visible()
