"""A room for a class: a teacher and five students through one lesson, and what each of them sees, hears and may do."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from helpers.browser import violations
from helpers.spoken import filled, say, saying
from lessons.first import LESSON
from lessons.press.room_words import REFUSED, WORDS

PATH = f"lesson/{LESSON.slug}.html"
STUDENTS = 5
STEPS = 5
SMALL = {"viewport": {"width": 320, "height": 700}}
LOOKS = [
    SMALL,
    SMALL | {"color_scheme": "dark"},
    {"reduced_motion": "reduce"},
    {"forced_colors": "active"},
    {},
]
WAIT_MS = 120_000  # six browsers train at once on two cores
ASKED, PREDICTION = LESSON.questions[0], LESSON.teaching.predictions[2]


def bar(page: Page):
    return page.locator("section.in-room")


def status(page: Page):
    return bar(page).locator("> [role=status]")


def opened(open_page, server: str) -> tuple[Page, str]:
    """Return the page of a teacher who has opened a room, and its code."""
    page = open_page(f"{server}/room.html")
    page.get_by_role("button", name=say("Open a room")).click()
    expect(bar(page).locator(".code")).to_have_text(saying(WORDS["code"]))
    code = filled(WORDS["code"], bar(page).locator(".code").text_content())["code"]
    assert re.fullmatch("[A-Z]{6}", code)
    return page, code


def second_page(page: Page, url: str) -> Page:
    """Open another page in the same browser, whose faults are those of the first."""
    other = page.context.new_page()
    other.goto(url)
    return other


def fine(page: Page) -> None:
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.long
def test_a_class_follows_predicts_is_shown_the_answers_and_trains(open_page, server):
    board, code = opened(open_page, server)
    assert code not in board.url
    join = bar(board).get_by_role("img", name=say(WORDS["qr"], address=f"{server}/room.html"))
    expect(join).to_be_visible()
    expect(bar(board)).to_contain_text(saying(WORDS["local"]))
    fine(board)

    students = [open_page(f"{server}/room.html#{code}", **look) for look in LOOKS[:-1]]
    typed = open_page(f"{server}/room.html")
    typed.get_by_label(say("Its code, six letters")).fill("WRONGX")
    typed.get_by_role("button", name=say("Join")).click()
    expect(typed.locator("#class-room .notice")).to_have_text(say(REFUSED["wrong"]))
    typed.get_by_label(say("Its code, six letters")).fill(f"{code[:3].lower()} {code[3:].lower()}")
    typed.get_by_role("button", name=say("Join")).click()
    students.append(typed)
    expect(bar(board)).to_contain_text(say(WORDS["here"], here=STUDENTS, following=STUDENTS))
    assert all("#" not in each.url for each in students), "whoever looks over her shoulder reads no code"

    # The teacher opens a lesson, and leads.
    teacher = second_page(board, f"{server}/{PATH}")
    bar(teacher).get_by_label(say(WORDS["followMe"])).check()
    for each in students:
        each.wait_for_url(f"**/{PATH}*")
        expect(status(each)).to_have_text(say("You are with your teacher."))
    teacher.locator("#inits").get_by_label(say("The factors start with")).first.select_option("a-zero")
    for each in students:
        expect(each.locator("#inits").get_by_label(say("The factors start with")).first).to_have_value(
            "a-zero"
        )

    # One looks elsewhere, and comes back.
    rover = students[0]
    rover.goto(f"{server}/glossary.html")
    expect(status(rover)).to_have_text(say("You look elsewhere."))
    expect(bar(board)).to_contain_text(say(WORDS["here"], here=STUDENTS, following=STUDENTS - 1))
    bar(rover).get_by_role("button", name=say("Back to the class")).click()
    rover.wait_for_url(f"**/{PATH}*")
    expect(bar(board)).to_contain_text(say(WORDS["here"], here=STUDENTS, following=STUDENTS))

    # Another opens the room a second time: one student, one page.
    double = second_page(students[1], f"{server}/{PATH}")
    expect(bar(students[1])).to_contain_text(say("The room goes on in another tab or window of yours."))
    expect(bar(board)).to_contain_text(saying(WORDS["here"], here=STUDENTS))
    double.close()
    bar(students[1]).get_by_role("button", name=say("Come back here")).click()
    expect(bar(students[1])).to_contain_text(say("You are with your teacher."))

    # A prediction, in words; nobody sees an answer before the teacher shows them.
    ask(teacher, f"{LESSON.slug}/prediction-3")
    for each, answer in zip(students, ("Never", "never.", "after 1 step", "NEVER", "never"), strict=True):
        expect(status(each)).to_contain_text(say(WORDS["asked"], ask=say(PREDICTION.ask)))
        bar(each).get_by_label(say("Your answer, a word or a number")).fill(answer)
        bar(each).get_by_role("button", name=say("Send")).click()
        expect(bar(each)).to_contain_text(say(WORDS["sent"], label=answer.rstrip(".")))
    expect(bar(teacher)).to_contain_text(say(WORDS["answered"], answered=STUDENTS, here=STUDENTS))
    assert not [each for each in (board, teacher, *students) if each.locator(".counts").count()]
    bar(teacher).get_by_role("button", name=say("Show the answers")).click()
    for each in (board, teacher, *students):
        expect(each.locator(".counts tbody tr")).to_have_text([re.compile("^[Nn].*4$"), "after 1 step1"])
        expect(bar(each)).to_contain_text(
            saying(WORDS["truth"], truth=say(PREDICTION.truth).partition("[[")[0])
        )
    expect(status(students[0])).to_have_text(say("The answers of the class are shown."))

    # A question: four answer in the bar, one on the page itself, where only her first counts.
    ask(teacher, f"{LESSON.slug}/question-1")
    for each, answer in zip(students, (1, 1, 0, 2), strict=False):
        bar(each).get_by_label(say(ASKED.answers[answer].text).replace("`", "")).check()
        bar(each).get_by_role("button", name=say("Send")).click()
    for answer in (2, 1):
        students[-1].locator(".recall li").first.locator("summary").nth(answer).click()
    expect(bar(teacher)).to_contain_text(say(WORDS["answered"], answered=STUDENTS, here=STUDENTS))
    bar(teacher).get_by_role("button", name=say("Show the answers")).click()
    expect(students[0].locator(".counts td:nth-of-type(1)").nth(0)).to_be_visible()
    assert counts(students[0]) == counts(board) == ["1", "2", "2"]
    expect(bar(students[0]).locator(".counts th[scope=row]").nth(1)).to_have_text(re.compile("^✓ "))
    for each in (teacher, *students[:2]):  # small, and small and dark
        fine(each)

    # Everyone trains: each her own seed, and the results are one picture.
    bar(board).get_by_label(say("Each gets")).select_option("seed")
    bar(board).get_by_label(say("Task")).select_option("new-facts")
    bar(board).get_by_label(say("Steps")).fill(str(STEPS))
    bar(board).get_by_role("button", name=say("Hand out the parts")).click()
    for each in students:
        expect(bar(each).locator(".part")).to_contain_text(saying(WORDS["part"]))
        expect(each.locator("#finetune").get_by_label(say("Steps"), exact=True)).to_have_value(str(STEPS))
    seeds = {
        each.locator("#finetune").get_by_label(say("Seed"), exact=True).input_value() for each in students
    }
    assert seeds == {str(i) for i in range(STUDENTS)}
    for each in students:
        bar(each).get_by_role("button", name=say("Train my part")).click()
    for each in students:
        expect(bar(each).locator(".part")).to_contain_text(saying(WORDS["trained"]), timeout=WAIT_MS)
    expect(bar(board)).to_contain_text(say(WORDS["results"], over=STUDENTS, parts=STUDENTS))
    expect(board.locator(".of-class svg .curve.faint")).to_have_count(STUDENTS)
    bar(board).get_by_text(say("Numbers as a table")).click()
    rows = board.locator(".of-class tbody tr")
    expect(rows).to_have_count(STUDENTS)
    for row, seed in zip(rows.all(), range(STUDENTS), strict=True):
        assert row.locator("th, td").all_text_contents()[:2] == [str(seed), str(STEPS)]
    assert not [each for each in students if each.locator(".of-class svg").count()]
    bar(board).get_by_role("button", name=say("Show the picture to all")).click()
    for each in students:
        expect(each.locator(".of-class svg .curve.faint")).to_have_count(STUDENTS)
    fine(board)
    fine(students[0])

    # Her laptop is closed: the room waits, and is there when she comes back. Then she ends it.
    context = board.context
    teacher.close()
    board.close()
    for each in students:
        expect(bar(each)).to_contain_text(say(WORDS["absent"]))
    again = context.new_page()
    again.goto(f"{server}/room.html")
    expect(bar(again)).to_contain_text(saying(WORDS["here"], here=STUDENTS))
    expect(bar(students[0])).to_contain_text(say("You are with your teacher."))
    bar(students[2]).get_by_role("button", name=say("Leave the room")).click()
    expect(bar(students[2])).to_have_count(0)
    expect(bar(again)).to_contain_text(saying(WORDS["here"], here=STUDENTS - 1))
    end = bar(again).get_by_role("button", name=say("End the room"))
    end.click()
    bar(again).get_by_role("button", name=say(WORDS["endSure"])).click()
    for each in (again, students[0]):
        expect(bar(each)).to_contain_text(say("The room is over. Nothing of it is kept."))
        assert each.evaluate("localStorage.getItem('lora-room')") == "{}"
    students[0].reload()
    expect(students[0].locator("figure.instrument.live")).to_have_count(len(LESSON.figures()))
    expect(bar(students[0])).to_have_count(0)


def ask(teacher: Page, question: str) -> None:
    bar(teacher).get_by_label(say("Ask the class")).select_option(question)
    bar(teacher).get_by_role("button", name=say("Ask"), exact=True).click()


def counts(page: Page) -> list[str]:
    return page.locator(".counts tbody tr td:nth-of-type(1)").all_text_contents()


def test_who_is_in_no_room_loads_nothing_of_it(open_page, server, exported):
    page = open_page("about:blank")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{server}/{PATH}")
    expect(page.locator("figure.instrument.live")).to_have_count(len(LESSON.figures()))
    page.goto((exported / "room.html").as_uri())
    expect(page.locator("main")).to_contain_text("python app.py")
    assert [url for url in asked if "room.js" in url or "/ws" in url] == []
    assert not (exported / "assets" / "room.js").exists()


def test_who_joins_by_keyboard_and_loses_the_server_goes_on(open_page, server):
    teacher, code = opened(open_page, server)
    page = open_page("about:blank")
    page.add_init_script(
        "const Own = WebSocket; globalThis.made = []; globalThis.WebSocket = class extends Own {"
        " constructor(...of) { super(...of); made.push(this) } }"
    )
    page.goto(f"{server}/room.html")
    page.get_by_label(say("Its code, six letters")).focus()
    page.keyboard.type(code)
    page.keyboard.press("Enter")
    expect(bar(teacher)).to_contain_text(saying(WORDS["here"], here=1))
    page.evaluate("made.at(-1).close()")
    expect(bar(page).locator(".notice")).to_have_text(say(WORDS["lost"]))
    expect(bar(page).locator(".notice")).to_be_hidden()
    expect(bar(teacher)).to_contain_text(saying(WORDS["here"], here=1))
    assert page.evaluate("made.length") >= 2
