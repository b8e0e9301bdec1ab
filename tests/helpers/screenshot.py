"""Photograph the rank lesson for the README: `make screenshot` writes assets/screenshot.png."""

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

STATE = "rank.task=blur&rank.r=4&rank.guess=6"
SIZE = {"width": 1160, "height": 1000}


def main() -> None:
    """Export the site, open the lesson's figure in a state that shows something, and keep the picture."""
    from playwright.sync_api import sync_playwright

    from app import export
    from helpers import find_browser

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        export(Path(folder))
        browser = playwright.chromium.launch(executable_path=find_browser.installed(), args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, color_scheme="light")
        page.goto(f"{(Path(folder) / 'lesson' / 'rank.html').as_uri()}?{STATE}")
        page.locator("#rank.live").wait_for()
        page.locator("#rank .instrument-place").screenshot(path=ROOT / "assets" / "screenshot.png")
        browser.close()


if __name__ == "__main__":
    main()
