"""The exported site works from a folder with the network off, and one file of it in a sandboxed frame."""

import functools
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import expect

from helpers.browser import choose, instrument, move, requests_of, sentence
from helpers.spoken import prefix, say, saying
from widgets.finetune.words import WORDS as FINETUNE
from widgets.kit.instrument import WORDS
from widgets.kit.text import fill
from widgets.patterns import Patterns
from widgets.rank import Rank

SANDBOX = """<!doctype html><html lang="en"><title>A course</title><body><p>Before.</p>
<script>
  window.heights = []
  addEventListener('message', ({ data }) => data.loraHeight && window.heights.push(data.loraHeight))
</script>
<iframe id="figure" title="Slide the rank" sandbox="allow-scripts" width="900" height="400" src="%s"></iframe>
"""


def plays(root, figure: Rank, ranks=(0, 1, 5, 32)) -> None:
    for r, one in zip(ranks, move(root, *ranks), strict=True):
        assert one["sentence"] == sentence(figure, r)


@pytest.mark.parametrize("path", ["lesson/rank.html", "embed/rank/rank.html", "file/rank-rank.html"])
def test_it_works_from_a_folder_without_a_network(open_page, exported, path):
    page = open_page(exported / path, offline=True)
    asked = requests_of(page)
    root = instrument(page)
    root.get_by_role("button", name=say("Skip")).click()
    plays(root, Rank())
    for task in ("blur", "flat"):
        plays(root, choose(root, task))
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def test_the_start_page_opens_on_a_run_that_can_be_looked_through_and_leads_to_the_first_lesson(
    open_page, exported
):
    page = open_page(exported / "index.html", offline=True)
    step, sentence = page.get_by_role("slider", name=say("Step"), exact=True), page.locator(".sentence")
    expect(sentence).to_have_text(saying(FINETUNE["sentences"]["recorded"]))
    last = sentence.text_content()
    step.focus()
    page.keyboard.press("Home")
    expect(sentence).not_to_have_text(last)
    page.get_by_role("link", name=say("Start: %(title)s", title=say("Fifty customers"))).click()
    instrument(page, "storage")
    expect(page.locator("h1")).to_have_text(say("Fifty customers"))


def test_the_patterns_work_from_a_folder(open_page, exported):
    for path in ("embed/rank/patterns.html", "file/rank-patterns.html"):
        root = instrument(open_page(exported / path, offline=True), "patterns")
        root.get_by_label(say("Matrix")).select_option("reorder")
        expect(root.locator(".sentence")).to_have_text(Patterns(task="reorder").sentence())
        assert move(root, 16)[0]["sentence"] == Patterns(task="reorder", r=16).sentence()


def test_a_single_file_says_what_it_does_not_have(open_page, exported):
    root = instrument(open_page(exported / "file" / "rank-rank.html", offline=True))
    root.get_by_role("button", name=say("Skip")).click()
    size = root.get_by_label(say("Size"), exact=True)
    size.fill("16")
    size.press("Enter")
    have = Rank().enclosed_words()
    said = fill(WORDS["missing"], {"given": "few-patterns, 16, 0", "have": have})
    expect(root.locator(".notice")).to_have_text(said)
    expect(size).to_have_value("32")
    plays(root, Rank())


def test_a_live_part_says_that_python_is_missing(open_page, exported):
    page = open_page(exported / "lesson" / "rank.html", offline=True)
    part = page.locator(".live-part")
    expect(part).to_have_count(1)
    expect(part.locator("code")).to_have_text("make serve")
    expect(part.get_by_role("button")).to_have_count(0)


@pytest.fixture(scope="module")
def exported_site(exported):
    """Serve the exported folder as any web server would."""
    quiet = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    whole = functools.partial(quiet, directory=str(exported).removesuffix(prefix()))
    with ThreadingHTTPServer(("127.0.0.1", 0), whole) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}{prefix()}"
        server.shutdown()


def test_it_works_from_any_web_server(open_page, exported_site):
    root = instrument(
        open_page(f"{exported_site}/lesson/rank.html?rank.task=noise&rank.guess=skip&rank.n=16")
    )
    assert move(root, 3)[0]["sentence"] == Rank(task="noise", n=16, r=3).sentence()


def assert_plays_in_a_frame(page) -> None:
    frame = page.frame_locator("#figure")
    root = frame.locator(".lora-rank")
    root.get_by_role("button", name=say("Skip")).click()
    expect(root.locator(".sentence")).to_be_visible()
    plays(root, Rank())
    plays(root, choose(root, "reorder"))
    page.wait_for_function("window.heights.length > 0")
    page.wait_for_function(
        "h => Math.abs(window.heights.at(-1) - h) <= 1",
        arg=root.evaluate("() => document.body.getBoundingClientRect().height"),
    )


def test_a_single_file_works_in_a_sandboxed_frame(open_page, exported, exported_site, tmp_path):
    page = tmp_path / "course.html"
    page.write_text(SANDBOX % (exported / "file" / "rank-rank.html").as_uri(), encoding="utf-8")
    assert_plays_in_a_frame(open_page(page, offline=True))


def test_a_single_file_works_as_the_text_of_a_sandboxed_frame(open_page, exported, tmp_path):
    page = tmp_path / "course.html"
    page.write_text(SANDBOX % "about:blank", encoding="utf-8")
    page = open_page(page, offline=True)
    text = (exported / "file" / "rank-rank.html").read_text(encoding="utf-8")
    page.evaluate("text => { document.querySelector('#figure').srcdoc = text }", text)
    assert_plays_in_a_frame(page)
    root = page.frame_locator("#figure").locator(".lora-rank")
    root.get_by_text(say("Share and download"), exact=True).click()
    expect(root.get_by_role("button", name=say("Picture (SVG)"))).to_be_visible()
    expect(root.get_by_label(say("A link to exactly this state"))).not_to_be_visible()
