"""Training in a real browser: the curve grows, readers share a run, and a killed worker is said and forgotten."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator

import psutil
import pytest
from playwright.sync_api import Page, expect

from helpers.app import Served, program
from helpers.spoken import live_part, numbers_in, prefix, say, saying
from lessons.lab import LESSON
from lessons.press.blocks import Live
from lessons.press.prose import say_prose
from widgets.lab.words import OTHER_LENGTH, RECORDED
from widgets.lab.words import WORDS as LAB
from widgets.live.brought import OPENED
from widgets.live.rate_map import WORDS as MAP
from widgets.live.runner import BOOT, KILLED
from widgets.live.settings import ALLOWED, NOT_POSSIBLE
from widgets.live.trainer import OWN
from widgets.live.watched import WORDS
from widgets.strength.words import WORDS as STRENGTH

pytestmark = pytest.mark.long
FINISHED = saying(WORDS["finished"])
RATE = "Learning rate, adapter"
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
        page = open_page(live_part(f"http://localhost:{lab.port}", "lab/train"))
        expect(page.get_by_role("button", name=say("Train"), exact=True)).to_be_visible()
        return page

    return open_lab


def settings(page: Page, **chosen: str) -> None:
    """Fill in fields of the form by their labels."""
    page.get_by_text(say("More settings"), exact=True).click()
    for name, value in {"Method": "lora", **chosen}.items():
        field = page.get_by_label(say(name), exact=True)
        if field.evaluate("field => field.tagName") == "SELECT":
            field.select_option(value)
        else:
            field.fill(value)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=say(name), exact=True).click()


def row(page: Page):
    return page.locator(".row").first


def steps(page: Page) -> int:
    """Return how many steps the progress shows."""
    found = saying(WORDS["first"]).search(row(page).inner_text())
    return int(found[1]) if found else 0


def workers(lab: Served) -> list[psutil.Process]:
    """Return the processes that train."""
    children = psutil.Process(lab.process.pid).children(recursive=True)
    return [child for child in children if BOOT in child.cmdline()]


def test_the_curve_grows_and_the_run_is_there_when_the_reader_comes_back(open_lab, tmp_path):
    page = open_lab()
    settings(page, Steps="100")
    press(page, "Train")
    expect(page.locator(".lora-lab .sentence")).to_have_text(
        saying(LAB["sentence"], step=0, label="New facts"), timeout=PATIENCE_MS
    )
    points = page.locator(".lora-lab .charts").first.locator(".curve.kept").last
    more = points.get_attribute("d").count("L") + 1  # the first of them move when the axis finds its range
    expect(points).to_have_attribute("d", re.compile(f"^M[^L]*(L[^L]*){{{more},}}$"), timeout=PATIENCE_MS)
    page.reload()
    expect(row(page)).to_contain_text(FINISHED, timeout=PATIENCE_MS)
    sentence = page.locator(".lora-lab .sentence")
    expect(sentence).to_have_text(
        saying(
            LAB["sentence"],
            step=100,
            label="New facts",
            sized=say("LoRA with r = {r}", r=1),
            full_name=say(OTHER_LENGTH, name=say(RECORDED, name="full finetuning"), steps=300),
        )
    )
    expect(points).to_have_attribute("d", re.compile("^M[^L]*(L[^L]*){99}$"))
    expect(page.locator(".lora-lab .sample.adapted li")).to_have_count(3)
    expect(page.get_by_label(say("Steps"), exact=True)).to_have_value("100")
    with page.expect_download() as archive:
        page.get_by_role("button", name=say("Take the adapter away (.zip)")).click()
    with zipfile.ZipFile(archive.value.path()) as files:
        files.extractall(tmp_path)
    page.get_by_text(say("Open an adapter that was trained with peft on this base")).click()
    names = ("adapter_config.json", "adapter_model.safetensors")
    page.locator("input[type=file]").set_input_files([tmp_path / "adapter" / name for name in names])
    opened = saying(OPENED, layers=say("{layers:,d} adapted layers", layers=18), r=1)
    opened = page.get_by_role("status").filter(has_text=opened)
    expect(opened).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator(".lora-strength .sentence")).to_have_text(
        saying(STRENGTH["sentences"]["shares"], strength=1.0, label=say(OWN, r=1))
    )
    expect(page.locator(".lora-lab .sentence")).to_be_hidden()


def test_a_prepared_link_fills_in_the_settings(open_page, lab):
    page = open_page(
        f"http://localhost:{lab.port}{prefix()}/lesson/lab.html?train.task=mirror%20voice&train.r=8"
        "&train.target_modules=q_proj&train.layers=0,2"
    )
    page.get_by_role("button", name=say("Train it yourself")).click()
    frame = page.frame_locator("iframe.live-frame")
    expect(frame.get_by_label(say("Task"), exact=True)).to_have_value("mirror voice")
    expect(frame.get_by_label(say("Rank r"), exact=True)).to_have_value("8")
    frame.get_by_text(say("More settings"), exact=True).click()
    for group, ticked in (("Adapted matrices", 1), ("Adapted blocks", 2)):
        boxes = frame.get_by_role("group", name=say(group)).get_by_role("checkbox", checked=True)
        expect(boxes).to_have_count(ticked)
    frame.get_by_label(say("Steps"), exact=True).fill("150")
    frame.get_by_label(say("Steps"), exact=True).blur()
    link = frame.get_by_label(say("A link to these settings")).input_value()
    assert "train.task=mirror+voice" in link
    assert "train.steps=150" in link
    page.goto(link)
    page.get_by_role("button", name=say("Train it yourself")).click()
    expect(frame.get_by_label(say("Steps"), exact=True)).to_have_value("150")
    expect(frame.get_by_label(say("Task"), exact=True)).to_have_value("mirror voice")


def test_two_browsers_watch_one_run_and_one_may_leave(open_lab, lab):
    one, two, other = open_lab(), open_lab(), open_lab()
    for page in (one, two):
        settings(page, Steps="300", Seed="7")  # enough that both see it running
        press(page, "Train")
        expect(row(page)).to_contain_text(saying(WORDS["running"]), timeout=PATIENCE_MS)
    expect(other.get_by_label(say("Steps"), exact=True)).to_have_value("300")
    expect(other.get_by_label(say("Seed"), exact=True)).to_have_value("0")
    expect(other.locator(".row")).to_have_count(0)
    two.goto("about:blank")
    expect(row(one)).to_contain_text(FINISHED, timeout=PATIENCE_MS)
    press(other, "Train")  # with its own settings: those of the other two are not its
    expect(row(other)).to_contain_text("LoRA")
    press(other, "Stop")
    two.goto(live_part(f"http://localhost:{lab.port}", "lab/train"))
    expect(row(two)).to_contain_text(FINISHED)
    # Two runs would not take the same time. The row comes in more than one message: the whole of it is waited for.
    expect(row(two)).to_have_text(row(one).inner_text(), use_inner_text=True)


def test_a_killed_worker_is_said_and_train_starts_again(open_lab, lab):
    page, reader = open_lab(), open_lab()
    settings(page, Steps="400", Seed="11")
    press(page, "Train")
    expect(row(page)).to_contain_text(saying(WORDS["running"], steps=400), timeout=PATIENCE_MS)
    for worker in workers(lab):
        worker.kill()
    expect(row(page)).to_contain_text(saying(WORDS["died"], why=KILLED), timeout=PATIENCE_MS)
    assert lab.ask("/lesson/lab.html").status == 200
    settings(reader, Steps="50")
    press(reader, "Train")
    expect(row(reader)).to_contain_text(FINISHED, timeout=PATIENCE_MS)
    press(page, "Train")
    expect(row(page)).to_contain_text(saying(WORDS["running"]), timeout=PATIENCE_MS)
    press(page, "Stop")
    expect(row(page)).to_contain_text(saying(WORDS["stopped"]))
    assert "Traceback" not in page.content()


def test_a_learning_rate_that_diverges_is_explained(open_lab):
    page = open_lab()
    settings(page, Steps="100", Task="new words")
    page.get_by_label(say("Learning rate, adapter"), exact=True).fill("10")
    press(page, "Train")
    expect(row(page)).to_contain_text(saying(WORDS["diverged"], rate=10), timeout=PATIENCE_MS)
    assert "NaN" not in page.locator("main").inner_text()


def test_a_map_says_how_long_it_takes_and_fills_in(open_lab):
    page = open_lab()
    settings(page, Steps="25", **{"New facts, where they are the task": "8"})
    press(page, "Map rank and rate")
    expect(page.get_by_text(saying(MAP["expected"], runs=18, steps=25))).to_be_visible(timeout=PATIENCE_MS)
    press(page, "Train the map")
    expect(row(page)).to_contain_text(say(MAP["finished"], runs=18), timeout=2 * PATIENCE_MS)
    cells = page.locator(".lora-rate-map .heat td")
    expect(cells).to_have_count(9)
    losses = [numbers_in(text)[0] for text in cells.all_inner_texts()]
    best = page.locator(".lora-rate-map .heat td.best")
    expect(best).to_have_count(1)
    assert numbers_in(best.inner_text())[0] == min(losses)
    expect(page.locator(".lora-rate-map .sentence")).to_contain_text(saying(MAP["lowest"], loss=min(losses)))
    deepest = max(
        range(9), key=lambda i: float(cells.nth(i).evaluate("td => td.style.getPropertyValue('--share')"))
    )
    assert losses[deepest] == min(losses), "the tint is not that of the number"
    region = page.get_by_role("region", name=saying(MAP["title"]))
    region.focus()  # a keyboard reaches it, to scroll on a small screen
    expect(region).to_be_focused()


def test_a_setting_that_is_not_possible_is_refused_in_a_sentence(open_lab):
    page = open_lab()
    page.get_by_label(say("Rank r"), exact=True).fill("65")
    press(page, "Train")
    whole = say(ALLOWED["whole"], low=1, high=64)
    expect(page.get_by_text(say(NOT_POSSIBLE, label="Rank r", given="65", allowed=whole))).to_be_visible()
    expect(page.get_by_label(say("Rank r"), exact=True)).to_have_value("65")  # the reader's to put right
    page.get_by_label(say("Rank r"), exact=True).fill("1")
    page.get_by_text(say("More settings"), exact=True).click()
    page.get_by_label(say("Learning rate, adapter"), exact=True).fill("100")
    press(page, "Train")
    number = say(ALLOWED["number"], low=1e-6, high=10)
    expect(page.get_by_text(say(NOT_POSSIBLE, label=RATE, given="100", allowed=number))).to_be_visible()


def test_an_export_says_what_the_live_lab_adds(exported, open_page):
    page = open_page(exported / "lesson" / "lab.html", offline=True)
    [part] = [block for block in LESSON.build() if isinstance(block, Live)]
    expect(page.locator(".live-part")).to_contain_text(say_prose(part.without).strip())
