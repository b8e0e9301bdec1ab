"""What goes wrong while readers are there: the server is told to end while it trains, or restarted under a reader."""

from __future__ import annotations

import time

import psutil
from playwright.sync_api import expect

from helpers.app import Served, program
from widgets.live.runner import BOOT

LIVE = "/live/lab/train"


def workers(served: Served) -> list[psutil.Process]:
    children = psutil.Process(served.process.pid).children(recursive=True)
    return [child for child in children if BOOT in child.cmdline()]


def test_told_to_end_while_it_trains_it_ends_with_all_its_workers(tmp_path, open_page):
    with program(tmp_path / "log.txt", "app.py") as served:
        page = open_page(f"http://127.0.0.1:{served.port}{LIVE}")
        page.get_by_role("button", name="Train", exact=True).click(timeout=60_000)
        expect(page.locator(".row").first).to_contain_text("tokens a second", timeout=60_000)
        training = workers(served)
        served.process.terminate()
        start = time.monotonic()
        assert served.process.wait(30) == 0
        gone, alive = psutil.wait_procs(training, timeout=5)
        assert time.monotonic() - start < 5
        assert (len(gone) > 0, alive) == (True, [])
        expect(page.locator("#gone")).to_be_visible()
        page.said.clear()  # the browser complains of the lost connection
    assert "Traceback" not in served.printed()


def test_a_reader_is_told_that_the_server_was_restarted_and_goes_on(tmp_path, open_page):
    with program(tmp_path / "log.txt", "app.py") as served:
        page = open_page(f"http://127.0.0.1:{served.port}/lesson/lab.html")
        page.locator(".live-part button").first.click()
        frame = page.frame_locator("iframe.live-frame")
        expect(frame.get_by_role("button", name="Train", exact=True)).to_be_visible(timeout=60_000)
        expect(frame.locator("#gone")).to_be_hidden()
        served.process.kill()
        served.process.wait()
        expect(frame.locator("#gone")).to_contain_text("The server is no longer there", timeout=30_000)
        expect(frame.get_by_role("link", name="Open this part again")).to_be_visible()
        slider = page.locator("#lab")
        expect(slider).to_be_visible()
        page.locator("#lab").get_by_role("button", name="Step", exact=True).click()
        page.said.clear()  # the browser complains of the lost connection
