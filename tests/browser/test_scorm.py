"""A package in a real player, scorm-again: it is told what was done and what was right, and remembers it."""

from __future__ import annotations

import functools
import io
import json
import shutil
import threading
import zipfile
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from helpers import ROOT
from helpers.browser import instrument, requests_of, violations
from helpers.spoken import say
from lessons.merging import LESSON
from lessons.press.scorm import package
from lessons.press.site import Site
from widgets.kit.languages import spoken
from widgets.merging.words import WORDS as MERGING

PLAYER = """<!doctype html><html lang="en"><title>A platform</title><link rel="icon" href="data:,"><body>
<iframe id="lesson" title="Lesson" width="1200" height="900"></iframe>
<script type="module">
  import { Scorm12API } from './scorm12.min.js'
  window.API = new Scorm12API({ autocommit: false, logLevel: 4 })
  const kept = sessionStorage.getItem('cmi')
  if (kept) API.loadFromJSON(JSON.parse(kept))
  window.calls = []
  for (const name of ['LMSInitialize', 'LMSCommit', 'LMSFinish', 'LMSSetValue.cmi.core.lesson_status'])
    API.on(name, () => calls.push(name))
  window.said = []
  const { LMSSetValue } = API
  API.LMSSetValue = (name, value) => {
    said.push([name, value])
    return LMSSetValue.call(API, name, value)
  }
  window.faults = []
  const { throwSCORMError } = API
  API.throwSCORMError = function (...told) {
    faults.push(told.map(String).join(' '))
    return throwSCORMError.apply(this, told)
  }
  document.querySelector('#lesson').src = 'lesson/%s.html'
</script>
"""
OF = len(LESSON.questions)
ASKING = [id_ for id_, kind in LESSON.kinds.items() if "guess" in kind.choices]
ALL = OF + len(ASKING)  # what the score is a share of
PREDICTED = (
    "You have found {found} of {of}, {first} of them at the first try, and made {made} of {predictions} predictions. "
    "Your course is told this, which answer you opened first, and what you predicted."
)
ALONE = "You have found {found} of {of}. That stays in this browser, and nobody else sees it."


@pytest.fixture(scope="module")
def platform(tmp_path_factory) -> Iterator[str]:
    """Serve a package, unpacked as a platform does it, with a player around it."""
    folder = tmp_path_factory.mktemp("platform")
    packed = package(Site(live=False, course=True, languages=[spoken()]), LESSON)
    with zipfile.ZipFile(io.BytesIO(packed)) as files:
        files.extractall(folder)
    shutil.copy(ROOT / "tests" / "helpers" / "scorm12.min.js", folder)
    Path(folder, "player.html").write_text(PLAYER % LESSON.slug, encoding="utf-8")
    quiet = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def told(found: int, first: int, made: int = 0) -> str:
    """Return what the page says of the score."""
    return say(PREDICTED, found=found, of=OF, first=first, made=made, predictions=len(ASKING))


def told_of(page: Page) -> dict[str, str]:
    """Return what the platform was told last, by the standard's names without their beginning."""
    return {name.removeprefix("cmi."): value for name, value in page.evaluate("said")}


def answer(frame, number: int, right: bool) -> None:
    which = "[data-right]" if right else ":not([data-right])"
    frame.locator(".recall li").nth(number).locator(f"details{which} summary").first.click()


def leave(page: Page) -> None:
    """Close the lesson as a platform does, and keep what it was told."""
    page.evaluate("document.querySelector('#lesson').src = 'about:blank'")
    page.wait_for_function("calls.includes('LMSFinish')")


def test_a_platform_is_told_of_completion_and_score_and_remembers(open_page, platform):
    page = open_page(f"{platform}/player.html", viewport={"width": 1300, "height": 950})
    asked = requests_of(page)
    frame = page.frame_locator("#lesson")
    said = frame.locator(".recall [data-told]")
    expect(said).to_have_text(told(0, 0))
    assert page.evaluate("calls")[0] == "LMSInitialize"
    assert page.evaluate("API.cmi.core.lesson_status") == "incomplete"
    answer(frame, 0, right=True)
    expect(said).to_have_text(told(1, 1))
    answer(frame, 1, right=False)
    answer(frame, 1, right=True)
    expect(said).to_have_text(told(2, 1))
    assert page.evaluate("API.cmi.core.lesson_status") == "incomplete"
    assert page.evaluate("API.cmi.core.score.raw") == str(round(100 / ALL))
    expect(frame.get_by_role("button", name=say("Forget my answers"))).to_be_hidden()
    leave(page)
    assert told_of(page)["core.exit"] == "suspend"
    state = page.evaluate("JSON.stringify(API.renderCMIToJSONObject().cmi ?? API.renderCMIToJSONObject())")
    assert json.loads(json.loads(state)["suspend_data"]) == {
        "first": [LESSON_RIGHT[0], WRONG_FIRST, None],
        "found": [0, 1],
        "guessed": {},
    }

    # The next visit, on the same platform and in another browser's empty storage.
    page.evaluate("state => { localStorage.clear(); sessionStorage.setItem('cmi', state) }", state)
    page.reload()
    expect(said).to_have_text(told(2, 1))
    answer(frame, 2, right=True)
    expect(said).to_have_text(told(OF, 2))
    assert page.evaluate("API.cmi.core.lesson_status") == "completed"
    assert page.evaluate("API.cmi.core.score.raw") == str(round(200 / ALL))
    leave(page)
    assert told_of(page)["core.exit"] == ""
    assert page.evaluate("faults") == []
    assert [url for url in asked if not url.startswith((platform, "data:", "about:"))] == []


LESSON_RIGHT = [[each.right for each in question.answers].index(True) for question in LESSON.questions]
WRONG_FIRST = next(at for at, each in enumerate(LESSON.questions[1].answers) if not each.right)


def test_the_platform_sees_which_answer_was_opened_first(open_page, platform):
    page = open_page(f"{platform}/player.html", viewport={"width": 1300, "height": 950})
    frame = page.frame_locator("#lesson")
    expect(frame.locator(".recall [data-told]")).to_have_text(told(0, 0))
    answer(frame, 1, right=False)
    answer(frame, 1, right=True)
    answer(frame, 0, right=True)
    expect(frame.locator(".recall [data-told]")).to_have_text(told(2, 1))
    said = told_of(page)
    names = ("id", "type", "student_response", "result", "correct_responses.0.pattern")
    seen = [[said[f"interactions.{n}.{name}"] for name in names] for n in range(2)]
    letter = "abc"
    assert seen == [
        ["question-2", "choice", letter[WRONG_FIRST], "wrong", letter[LESSON_RIGHT[1]]],
        ["question-1", "choice", letter[LESSON_RIGHT[0]], "correct", letter[LESSON_RIGHT[0]]],
    ]
    assert page.evaluate("faults") == []
    page.evaluate("API.LMSSetValue('cmi.core.score.raw', 'high')")
    assert page.evaluate("faults.length") == 1, "what the standard forbids is noticed"
    assert [line for line in page.said if "405" not in line] == []
    page.said.clear()


@pytest.mark.parametrize("first", ["Reveal", "Skip"])
def test_a_prediction_counts_if_it_was_made_before_the_reveal(open_page, platform, first):
    page = open_page(f"{platform}/player.html", viewport={"width": 1300, "height": 950})
    frame = page.frame_locator("#lesson")
    said = frame.locator(".recall [data-told]")
    expect(said).to_have_text(told(0, 0))
    (asking,) = ASKING
    root, made = frame.locator(f"#{asking}"), int(first == "Reveal")
    root.locator(".guess input").fill("30")
    root.get_by_role("button", name=say(first), exact=True).click()
    expect(said).to_have_text(told(0, 0, made))
    root.get_by_role("button", name=say(MERGING["guess"]["again"])).click()  # what is seen is not predicted
    root.locator(".guess input").fill("40")
    root.get_by_role("button", name=say("Reveal"), exact=True).click()
    answer(frame, 0, right=True)
    expect(said).to_have_text(told(1, 1, made))
    assert page.evaluate("API.cmi.core.score.raw") == str(round(100 * (1 + made) / ALL))
    assert page.evaluate("API.cmi.core.lesson_status") == "incomplete"
    noted = told_of(page)
    assert noted[f"interactions.{made}.id"] == "question-1"
    if made:
        names = ("id", "type", "student_response", "result")
        wanted = [f"prediction-{asking}", "fill-in", "30", "neutral"]
        assert [noted[f"interactions.0.{name}"] for name in names] == wanted
    leave(page)
    kept = json.loads(told_of(page)["suspend_data"])
    assert kept["guessed"] == {asking: "30" if made else "skip"}
    assert page.evaluate("faults") == []


def test_its_figures_play_and_nothing_in_it_leads_out(open_page, platform):
    page = open_page(f"{platform}/lesson/{LESSON.slug}.html")
    root = instrument(page, "merging")
    root.get_by_role("button", name=say("Skip")).click()
    root.get_by_label(say("Adapter"), exact=True).select_option("facts")
    expect(root.locator(".sentence")).to_contain_text(say("New facts"))
    expect(page.locator(".site-head a")).to_have_text([say("Present")])
    page.locator("details").evaluate_all("all => all.forEach((one) => { one.open = true })")
    assert violations(page) == []


def test_without_a_platform_it_is_a_page_like_any_other(open_page, platform):
    page = open_page(f"{platform}/lesson/{LESSON.slug}.html")
    told = page.locator(".recall [data-told]")
    expect(told).to_have_text(say(ALONE, found=0, of=OF))
    page.locator(".recall li").first.locator("details[data-right] summary").click()
    expect(told).to_have_text(say(ALONE, found=1, of=OF))


@pytest.mark.parametrize(
    "kept", ["", "{", "[]", '{"first": 3}', '{"first": ["<b>"], "found": ["x", 99, -1]}']
)
def test_whatever_a_platform_kept_the_page_works(open_page, platform, kept):
    page = open_page("about:blank", viewport={"width": 1300, "height": 950})
    page.goto(f"{platform}/player.html")
    state = json.dumps({"suspend_data": kept, "core": {"lesson_status": "incomplete"}})
    page.evaluate("state => sessionStorage.setItem('cmi', state)", state)
    page.reload()
    frame = page.frame_locator("#lesson")
    expect(frame.locator(".recall [data-told]")).to_have_text(told(0, 0))
    answer(frame, 0, right=True)
    expect(frame.locator(".recall [data-told]")).to_have_text(told(1, 1))
