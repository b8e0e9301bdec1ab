"""Training in a real browser: the curve grows, readers share a run, and a killed worker is said and forgotten."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator

import psutil
import pytest
from playwright.sync_api import Page, expect

from helpers.app import Served, program
from widgets.live.runner import BOOT

pytestmark = pytest.mark.long
FINISHED = re.compile(r"finished: \d+ steps in [\d.]+ s")
PATIENCE_MS = 180_000  # for a run, on two cores that other tests use too


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Iterator[Served]:
    """Serve the app for these tests alone: they kill its workers."""
    log = tmp_path_factory.mktemp("lab") / "log"
    with program(log, "app.py") as served:
        yield served


@pytest.fixture
def open_lab(open_page, lab):
    def open_lab() -> Page:
        page = open_page(f"http://localhost:{lab.port}/live/lab/train")
        expect(page.get_by_role("button", name="Train", exact=True)).to_be_visible()
        return page

    return open_lab


def settings(page: Page, **chosen: str) -> None:
    """Fill in fields of the form by their labels, spaces as underscores."""
    page.get_by_text("More settings", exact=True).click()
    for name, value in {"Method": "lora", **chosen}.items():
        field = page.get_by_label(name.replace("_", " "), exact=True)
        if field.evaluate("field => field.tagName") == "SELECT":
            field.select_option(value)
        else:
            field.fill(value)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def row(page: Page):
    return page.locator(".row").first


def steps(page: Page) -> int:
    """Return how many steps the progress shows."""
    found = re.search(r"step (\d+) of", row(page).inner_text())
    return int(found[1]) if found else 0


def workers(lab: Served) -> list[psutil.Process]:
    """Return the processes that train."""
    children = psutil.Process(lab.process.pid).children(recursive=True)
    return [child for child in children if BOOT in child.cmdline()]


def test_the_curve_grows_and_the_run_is_there_when_the_reader_comes_back(open_lab, tmp_path):
    page = open_lab()
    settings(page, Steps="100")
    press(page, "Train")
    expect(page.locator(".lora-lab .sentence")).to_contain_text(
        "After 0 steps on “New facts”", timeout=PATIENCE_MS
    )
    points = page.locator(".lora-lab .charts").first.locator(".curve.kept").last
    seen = points.get_attribute("d")
    expect(points).to_have_attribute("d", re.compile(f"^{re.escape(seen)}L"), timeout=PATIENCE_MS)
    page.reload()
    expect(row(page)).to_contain_text(FINISHED, timeout=PATIENCE_MS)
    sentence = page.locator(".lora-lab .sentence")
    expect(sentence).to_contain_text("After 100 steps on “New facts”, LoRA with r = 1")
    expect(sentence).to_contain_text("recorded full finetuning (300 steps)")
    expect(points).to_have_attribute("d", re.compile("^M[^L]*(L[^L]*){99}$"))
    expect(page.locator(".lora-lab .sample.adapted li")).to_have_count(3)
    expect(page.get_by_label("Steps", exact=True)).to_have_value("100")
    with page.expect_download() as archive:
        page.get_by_role("button", name="Take the adapter away").click()
    with zipfile.ZipFile(archive.value.path()) as files:
        files.extractall(tmp_path)
    page.get_by_text("Open an adapter that was trained with peft", exact=False).click()
    names = ("adapter_config.json", "adapter_model.safetensors")
    page.get_by_label("Choose adapter_config.json", exact=False).set_input_files(
        [tmp_path / "adapter" / name for name in names]
    )
    opened = page.get_by_role("status").filter(has_text="Opened: 18 adapted layers, r = 1")
    expect(opened).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator(".lora-strength .sentence")).to_contain_text("At strength 1.00 “your adapter, r = 1”")
    expect(page.locator(".lora-lab .sentence")).to_be_hidden()


def test_a_prepared_link_fills_in_the_settings(open_page, lab):
    page = open_page(
        f"http://localhost:{lab.port}/lesson/lab.html?train.task=mirror%20voice&train.r=8&train.target_modules=q_proj"
        "&train.layers=0,2"
    )
    page.get_by_role("button", name="Train it yourself").click()
    frame = page.frame_locator("iframe.live-frame")
    expect(frame.get_by_label("Task", exact=True)).to_have_value("mirror voice")
    expect(frame.get_by_label("Rank r", exact=True)).to_have_value("8")
    frame.get_by_text("More settings", exact=True).click()
    for group, ticked in (("Adapted matrices", 1), ("Adapted blocks", 2)):
        boxes = frame.get_by_role("group", name=group).get_by_role("checkbox", checked=True)
        expect(boxes).to_have_count(ticked)
    frame.get_by_label("Steps", exact=True).fill("150")
    frame.get_by_label("Steps", exact=True).blur()
    link = frame.get_by_label("A link to these settings").input_value()
    assert "train.task=mirror+voice" in link
    assert "train.steps=150" in link
    page.goto(link)
    page.get_by_role("button", name="Train it yourself").click()
    expect(frame.get_by_label("Steps", exact=True)).to_have_value("150")
    expect(frame.get_by_label("Task", exact=True)).to_have_value("mirror voice")


def test_two_browsers_watch_one_run_and_one_may_leave(open_lab, lab):
    one, two, other = open_lab(), open_lab(), open_lab()
    for page in (one, two):
        settings(page, Steps="300", Seed="7")  # enough that both see it running
        press(page, "Train")
        expect(row(page)).to_contain_text("tokens a second", timeout=PATIENCE_MS)
    expect(other.get_by_label("Steps", exact=True)).to_have_value("300")
    expect(other.get_by_label("Seed", exact=True)).to_have_value("0")
    expect(other.locator(".row")).to_have_count(0)
    two.goto("about:blank")
    expect(row(one)).to_contain_text(FINISHED, timeout=PATIENCE_MS)
    press(other, "Train")  # with its own settings: those of the other two are not its
    expect(row(other)).to_contain_text("LoRA")
    press(other, "Stop")
    two.goto(f"http://localhost:{lab.port}/live/lab/train")
    expect(row(two)).to_contain_text(FINISHED)
    # Two runs would not take the same time. The row comes in more than one message: the whole of it is waited for.
    expect(row(two)).to_have_text(row(one).inner_text(), use_inner_text=True)


def test_a_killed_worker_is_said_and_train_starts_again(open_lab, lab):
    page, reader = open_lab(), open_lab()
    settings(page, Steps="400", Seed="11")
    press(page, "Train")
    expect(row(page)).to_contain_text("of 400, ", timeout=PATIENCE_MS)
    for worker in workers(lab):
        worker.kill()
    expect(row(page)).to_contain_text("was killed", timeout=PATIENCE_MS)
    expect(row(page)).to_contain_text("Train starts it again.")
    assert lab.ask("/lesson/lab.html").status == 200
    settings(reader, Steps="50")
    press(reader, "Train")
    expect(row(reader)).to_contain_text(FINISHED, timeout=PATIENCE_MS)
    press(page, "Train")
    expect(row(page)).to_contain_text("tokens a second", timeout=PATIENCE_MS)
    press(page, "Stop")
    expect(row(page)).to_contain_text("stopped after")
    assert "Traceback" not in page.content()


def test_a_learning_rate_that_diverges_is_explained(open_lab):
    page = open_lab()
    settings(page, Steps="100", Task="new words")
    page.get_by_label("Learning rate, adapter", exact=True).fill("10")
    press(page, "Train")
    expect(row(page)).to_contain_text("diverged at step", timeout=PATIENCE_MS)
    expect(row(page)).to_contain_text("learning rate of 10 is too large")
    assert "NaN" not in page.locator("main").inner_text()


def test_a_map_says_how_long_it_takes_and_fills_in(open_lab):
    page = open_lab()
    settings(page, Steps="25", **{"New facts, where they are the task": "8"})
    press(page, "Map rank and rate")
    expect(page.get_by_text("Press again to train them.")).to_contain_text(
        re.compile(r"18 runs of 25 steps: .* take about \d+ (s|minutes)"), timeout=PATIENCE_MS
    )
    press(page, "Train the map")
    expect(row(page)).to_contain_text("finished: 18 runs", timeout=2 * PATIENCE_MS)
    cells = page.locator(".lora-rate-map .heat td")
    expect(cells).to_have_count(9)
    losses = [float(text.split()[0]) for text in cells.all_inner_texts()]
    best = page.locator(".lora-rate-map .heat td.best")
    expect(best).to_have_count(1)
    assert float(best.inner_text().split()[0]) == min(losses)
    expect(page.locator(".lora-rate-map .sentence")).to_contain_text(
        f"The lowest loss is {min(losses):.3f} nats"
    )
    deepest = max(
        range(9), key=lambda i: float(cells.nth(i).evaluate("td => td.style.getPropertyValue('--share')"))
    )
    assert losses[deepest] == min(losses), "the tint is not that of the number"
    region = page.get_by_role("region", name="Loss of the finished models")
    region.focus()  # a keyboard reaches it, to scroll on a small screen
    expect(region).to_be_focused()


def test_a_setting_that_is_not_possible_is_refused_in_a_sentence(open_lab):
    page = open_lab()
    page.get_by_label("Rank r", exact=True).fill("65")
    press(page, "Train")
    said = "Rank r = 65 is not possible: a whole number from 1 to 64."
    expect(page.get_by_role("status").filter(has_text="not possible")).to_have_text(said)
    expect(page.get_by_label("Rank r", exact=True)).to_have_value("65")  # the reader's to put right
    page.get_by_label("Rank r", exact=True).fill("1")
    page.get_by_text("More settings", exact=True).click()
    page.get_by_label("Learning rate, adapter", exact=True).fill("100")
    press(page, "Train")
    said = "Learning rate, adapter = 100 is not possible: from 1e-06 to 10."
    expect(page.get_by_role("status").filter(has_text="not possible")).to_have_text(said)


def test_an_export_says_what_the_live_lab_adds(exported, open_page):
    page = open_page(exported / "lesson" / "lab.html", offline=True)
    expect(page.locator(".live-part")).to_contain_text("The served app has a live part here")
