"""The rules of a room for a class: who is in, what is taken and shown, when it is over; all without a socket."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest

from lessons.first import LESSON
from lessons.press import rooms
from lessons.press.classroom import questions_of
from lessons.press.room_words import REFUSED
from lessons.press.rooms import ClassRoom, ClassRooms, Question, Refused, Student, Sweep
from widgets.finetune import COUNTS, Finetune

PAGES = {"lesson/first.html", "index.html"}
ASKED = {each.id: each for each in questions_of(LESSON).values()}
CHOICE, FREE, GUESS = "first/question-1", "first/prediction-1", "first/guess-inits"
SHOW = {"page": "lesson/first.html", "query": "inits.step=2", "at": "inits"}
TRAIN = {"kind": "seed", "task": "formal-voice", "size": "1", "steps": 40}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def all_rooms(clock) -> ClassRooms:
    return ClassRooms(4, PAGES, lambda slug: ASKED if slug == "first" else {}, clock)


@pytest.fixture
def room(all_rooms) -> ClassRoom:
    return all_rooms.open("192.0.2.1")


def come(all_rooms: ClassRooms, room: ClassRoom, count: int = 1) -> list[Student]:
    """Let students join, each with her page open."""
    there = [all_rooms.join(room.code, "", "192.0.2.2")[1] for _ in range(count)]
    for each in there:
        room.came(each)
    return there


def refused(why: str):
    return pytest.raises(Refused, match=f"^{why}$")


def test_every_refusal_has_a_sentence():
    assert all(said.endswith(".") for said in REFUSED.values())
    with refused("anything") as caught:
        raise Refused("anything")
    assert caught.value.why not in REFUSED


def test_a_code_cannot_be_confused_and_is_read_as_people_write_it(all_rooms, room):
    assert len(room.code) == 6
    assert not {*room.code} & {*"ABEGIOQSUZ0123456789"}
    spelled = f" {room.code[:3].lower()}-{room.code[3:].lower()} "
    assert all_rooms.join(spelled, "", "192.0.2.2")[0] is room


@pytest.mark.parametrize("code", ["XXXXXX", "", None, 7, [], "X" * 10_000])
def test_a_wrong_code_opens_nothing(all_rooms, room, code):
    with refused("wrong"):
        all_rooms.join(code, "", "192.0.2.2")
    with refused("wrong"):
        all_rooms.lead(code, room.key, "192.0.2.2")


def test_only_the_key_leads(all_rooms, room):
    [student] = come(all_rooms, room)
    assert all_rooms.lead(room.code, room.key, "192.0.2.9") is room
    for key in ("", None, room.code, student.token, room.key[:-1], "ü", "\ud800"):
        with refused("wrong"):
            all_rooms.lead(room.code, key, "192.0.2.9")
    before = room.for_teacher()
    for deed in ({"show": SHOW}, {"ask": CHOICE}, {"reveal": True}, {"end": True}, {"train": TRAIN}):
        with refused("message"):
            room.hear_student(student, deed)
    assert room.for_teacher() == before
    assert room.key not in str([room.for_teacher(), room.for_students(), room.for_one(student)])


def test_codes_cannot_be_tried_out(all_rooms, room, clock):
    def tries() -> int:
        for tried in range(1000):
            try:
                all_rooms.join("XXXXXX", "", "192.0.2.66")
            except Refused as why:
                if why.why == "tries":
                    return tried
        return 1000

    [student] = come(all_rooms, room)
    assert tries() == rooms.TRIES
    with refused("tries"):  # nor is a right one told apart then
        all_rooms.join(room.code, "", "192.0.2.66")
    assert all_rooms.join(room.code, student.token, "192.0.2.66")[1] is student, "who is in is in"
    assert all_rooms.join(room.code, "", "192.0.2.67")[0] is room, "others may"
    clock.now += 3600
    assert tries() == rooms.TRIES, "an hour does not save up more than that"
    clock.now += rooms.TRY_AGAIN
    assert tries() <= 1
    assert all_rooms.refused["tries"] == 4


def test_of_those_who_try_not_too_many_are_remembered(all_rooms, monkeypatch):
    monkeypatch.setattr(rooms, "ADDRESSES", 5)
    for i in range(50):
        with refused("wrong"):
            all_rooms.join("XXXXXX", "", f"192.0.2.{i}")
    assert len(all_rooms._tries) == 5


def test_there_are_so_many_rooms_and_half_of_them_from_one_address(all_rooms, room):
    all_rooms.open("192.0.2.1")
    with refused("rooms"):
        all_rooms.open("192.0.2.1")
    all_rooms.open("192.0.2.3")
    all_rooms.open("192.0.2.4")
    with refused("rooms"):
        all_rooms.open("192.0.2.5")
    room.hear_teacher({"end": True}, PAGES)
    assert all_rooms.open("192.0.2.5").code in all_rooms.rooms


def test_it_holds_two_hundred_and_whoever_left_first_makes_room(all_rooms, room, clock):
    there = come(all_rooms, room, rooms.MOST)
    with refused("full"):
        all_rooms.join(room.code, "", "192.0.2.2")
    for second, each in enumerate((there[7], there[3]), start=1):
        room.went(each, float(second))
    [last] = come(all_rooms, room)
    assert len(room.students) == rooms.MOST
    assert there[7].token not in room.students
    assert {there[3].token, last.token} <= room.students.keys()


def test_who_joins_twice_is_one_and_finds_all_as_it_was(all_rooms, room):
    [student] = come(all_rooms, room)
    room.hear_teacher({"ask": FREE}, PAGES)
    room.hear_student(student, {"answer": {"id": FREE, "value": "half"}})
    room.went(student, 1.0)
    assert room.for_teacher()["here"] == 0
    back = all_rooms.join(room.code, student.token, "198.51.100.1")[1]
    room.came(back)
    assert back is student
    assert (room.for_teacher()["here"], room.for_one(back)["answer"]) == (1, "half")


def test_it_waits_for_its_teacher_and_ends(all_rooms, room, clock):
    room.teachers = 1
    clock.now += rooms.WAITS + 1
    assert all_rooms.forget() == [], "she is there"
    room.teachers, room.seen = 0, clock.now
    [student] = come(all_rooms, room)
    clock.now += rooms.WAITS - 1
    assert all_rooms.forget() == []
    assert room.for_students()["teacher"] is False
    assert all_rooms.lead(room.code, room.key, "192.0.2.1") is room
    clock.now += 2
    with refused("wrong"):
        all_rooms.join(room.code, student.token, "192.0.2.2")
    assert all_rooms.forget() == [room]
    assert all_rooms.rooms == {} == all_rooms._openers


def test_it_does_not_last_longer_than_a_day_of_school(all_rooms, room, clock):
    room.teachers = 1
    clock.now += rooms.LONGEST + 1
    assert all_rooms.forget() == [room]


def test_pages_are_followed_by_those_who_do(all_rooms, room):
    [student] = come(all_rooms, room)
    room.hear_teacher({"show": SHOW}, PAGES)
    room.hear_teacher({"follow": True}, PAGES)
    first = room.for_students()["place"]
    assert {name: first[name] for name in SHOW} == SHOW
    room.hear_teacher({"show": SHOW | {"query": "inits.step=3"}}, PAGES)
    assert room.for_students()["place"] == first | {"query": "inits.step=3"}, "the same page: nobody is moved"
    room.hear_teacher({"show": SHOW | {"page": "index.html"}}, PAGES)
    assert room.for_students()["place"]["n"] == first["n"] + 1
    room.hear_teacher({"show": SHOW | {"page": "teach/first.html"}}, PAGES)
    assert room.for_students()["place"]["page"] == "index.html", "the page with the answers leads nobody"
    room.hear_student(student, {"away": True})
    assert (room.for_one(student)["away"], room.for_teacher()["following"]) == (True, 0)
    for follow in (False, True):
        room.hear_teacher({"follow": follow}, PAGES)
    assert room.for_students()["place"]["n"] == first["n"] + 2, "she calls them together again"


def test_answers_are_pooled_and_shown_only_when_the_teacher_shows_them(all_rooms, room):
    there = come(all_rooms, room, 3)
    room.hear_teacher({"ask": CHOICE}, PAGES)
    for student, value in zip(there, "110", strict=True):
        room.hear_student(student, {"answer": {"id": CHOICE, "value": value}})
    room.hear_student(there[0], {"answer": {"id": CHOICE, "value": "2"}})  # she has changed her mind
    room.hear_student(
        there[1], {"noticed": {"id": CHOICE, "value": "0"}}
    )  # she reads what is said of it on the page
    hidden = room.for_teacher()["asked"]
    assert hidden["answered"] == 3
    assert not {"counts", "truth"} & (hidden.keys() | room.for_students()["asked"].keys())
    room.hear_teacher({"reveal": True}, PAGES)
    for told in (room.for_teacher(), room.for_students()):
        assert [each["n"] for each in told["asked"]["counts"]] == [1, 1, 1]
        assert [each["right"] for each in told["asked"]["counts"]] == [False, True, False]
    with refused("late"):
        room.hear_student(there[0], {"answer": {"id": CHOICE, "value": "1"}})
    [late] = come(all_rooms, room)
    room.hear_student(
        late, {"noticed": {"id": CHOICE, "value": "1"}}
    )  # she reads on, and is not scolded for it
    assert late.answers == {}
    room.hear_teacher({"ask": GUESS}, PAGES)
    assert "counts" not in room.for_students()["asked"], "the next one is veiled again"
    room.hear_student(there[0], {"noticed": {"id": GUESS, "value": "lora_B"}})
    assert room.for_teacher()["asked"]["answered"] == 1


def test_free_answers_are_counted_as_they_are_meant():
    asked = Question("a/prediction-1", "prediction", "1", "How much?", written=True)
    numbers = [asked.taken(text) for text in ("90 %", "90%", " 9% ", "100%")]
    assert [(each["label"], each["n"]) for each in asked.counts(numbers)] == [
        ("9%", 1),
        ("90%", 2),
        ("100%", 1),
    ]
    words = [asked.taken(text) for text in ("Never.", "never", "after one step")]
    assert [(each["label"], each["n"]) for each in asked.counts(words)] == [
        ("Never", 2),
        ("after one step", 1),
    ]


@pytest.mark.parametrize("value", ["", " ", "x" * 41, 7, None, ["a"], {"a": 1}, "a\x07b", "‮abc"])
def test_no_answer_is_taken_that_is_none(all_rooms, room, value):
    [student] = come(all_rooms, room)
    for id_ in (FREE, CHOICE, GUESS):
        with refused("answer"):
            room.hear_student(student, {"answer": {"id": id_, "value": value}})
    assert student.answers == {}


def test_all_that_a_lesson_asks_can_be_asked():
    teaching = LESSON.teaching
    assert teaching
    kinds = [each.kind for each in ASKED.values()]
    assert kinds.count("prediction") == len(teaching.predictions)
    assert kinds.count("question") == len(LESSON.questions)
    guessed = {name for name, kind in LESSON.kinds.items() if "guess" in kind.choices}
    assert {id_ for id_ in ASKED if ASKED[id_].kind == "guess"} == {f"first/guess-{name}" for name in guessed}
    for each, question in zip(
        LESSON.questions, (ASKED[f"first/question-{i}"] for i in (1, 2, 3)), strict=True
    ):
        assert each.answers[int(question.right)].right


def test_everyone_trains_a_part_of_her_own(all_rooms, room):
    there = come(all_rooms, room, 4)
    room.went(there[1], 1.0)
    room.hear_teacher({"train": TRAIN}, PAGES)
    assert [each.part for each in there] == [0, None, 1, 2]
    [late] = come(all_rooms, room)
    room.came(there[1])
    assert (late.part, there[1].part) == (3, 4)
    told = room.for_one(late)["part"]["choices"]
    assert told == {"task": "formal-voice", "size": "1", "steps": "40", "seed": "3"}
    Finetune(**told | {"steps": 40, "seed": 3})  # the trainer has such choices
    room.hear_student(late, {"leave": True})
    [next_one] = come(all_rooms, room)
    assert next_one.part == 3


def test_numbers_of_facts_go_round():
    sweep = Sweep.read(TRAIN | {"kind": "facts"})
    assert sweep.task == "new-facts"
    parts = [sweep.part(i) for i in range(len(COUNTS) + 1)]
    assert [each["facts"] for each in parts] == [*map(str, COUNTS), str(COUNTS[0])]
    assert [each["seed"] for each in parts] == ["0"] * len(COUNTS) + ["1"]


def result(**changed: Any) -> Mapping[str, Any]:
    return {
        "result": {"round": 1, "step": 20, "task": 0.5, "facts": 0.9, "loss": 1.5, "over": False} | changed
    }


def test_results_come_in_and_are_shown_to_all_when_the_teacher_does(all_rooms, room):
    one, two = come(all_rooms, room, 2)
    room.hear_teacher({"train": TRAIN}, PAGES)
    for step in (0, 20, 20, 10):  # a run that was begun anew
        room.hear_student(one, result(step=step))
    room.hear_student(one, result(step=40, task=1, over=True, loss=None))
    room.hear_student(one, result(step=40, task=0, over=True))  # the first run counts
    assert room.for_teacher()["train"]["results"] == [
        {"seed": "0", "points": [(0, 0.5, 0.9, 1.5), (10, 0.5, 0.9, 1.5), (40, 1, 0.9, None)], "over": True},
        {"seed": "1", "points": [], "over": False},
    ]
    assert room.for_one(one)["part"]["right"] == 1
    assert "results" not in room.for_students()["train"]
    room.hear_teacher({"shown": True}, PAGES)
    assert room.for_students()["train"]["results"] == room.for_teacher()["train"]["results"]
    room.hear_teacher({"train": TRAIN | {"steps": 30}}, PAGES)
    room.hear_student(two, result())  # of the round before
    assert not any(each["points"] for each in room.for_teacher()["train"]["results"])


def test_of_numbers_of_facts_the_ends_are_shown(all_rooms, room):
    [student] = come(all_rooms, room)
    room.hear_teacher({"train": TRAIN | {"kind": "facts"}}, PAGES)
    for step in (0, 20):
        room.hear_student(student, result(step=step, task=1 / 3))
    [told] = room.for_teacher()["train"]["results"]
    assert told == {"facts": "8", "seed": "0", "points": [(20, 0.3333, 0.9, 1.5)], "over": False}


def test_a_curve_has_so_many_points_and_its_end(all_rooms, room):
    [student] = come(all_rooms, room)
    room.hear_teacher({"train": TRAIN | {"steps": 1000}}, PAGES)
    for step in range(100):
        room.hear_student(student, result(step=step))
    room.hear_student(student, result(step=1000, over=True))
    assert len(student.points) == rooms.CURVE + 1
    assert student.points[-1][0] == 1000


WRONG_OF_A_TEACHER = [
    {},
    {"follow": True, "reveal": True},
    {"follow": 1},
    {"show": None},
    {"show": SHOW | {"more": 1}},
    {"show": SHOW | {"at": "a b"}},
    {"show": SHOW | {"at": "x" * 81}},
    {"show": SHOW | {"query": "x" * 4001}},
    {"show": SHOW | {"query": "<script>"}},
    {"show": SHOW | {"page": 3}},
    {"ask": "first/question-99"},
    {"ask": "nowhere/question-1"},
    {"ask": ["first/question-1"]},
    {"train": TRAIN | {"steps": 1001}},
    {"train": TRAIN | {"steps": "40"}},
    {"train": TRAIN | {"steps": True}},
    {"train": TRAIN | {"size": "3"}},
    {"train": TRAIN | {"task": ["new-facts"]}},
    {"train": TRAIN | {"kind": "rank"}},
    {"train": {"kind": "seed"}},
    {"end": False},
    {"code": "x"},
]
WRONG_OF_A_STUDENT = [
    {},
    {"away": "yes"},
    {"leave": 1},
    {"answer": None},
    {"answer": {"id": FREE}},
    {"answer": {"id": "first/question-99", "value": "1"}},
    result(step=-1),
    result(step=41),
    result(step=1.0),
    result(task=1.1),
    result(task=math.nan),
    result(task=True),
    result(facts="1"),
    result(loss=math.inf),
    result(loss=10**400),  # JSON can spell it, and no float can hold it
    result(over=1),
    {"result": {"round": 1}},
]


@pytest.mark.parametrize("message", WRONG_OF_A_TEACHER, ids=str)
def test_what_is_no_message_of_a_teacher_changes_nothing(all_rooms, room, message):
    come(all_rooms, room)
    before = room.for_teacher()
    with refused("message"):
        room.hear_teacher(message, PAGES)
    assert room.for_teacher() == before


@pytest.mark.parametrize("message", WRONG_OF_A_STUDENT, ids=str)
def test_what_is_no_message_of_a_student_changes_nothing(all_rooms, room, message):
    [student] = come(all_rooms, room)
    room.hear_teacher({"train": TRAIN}, PAGES)
    before = room.for_teacher(), room.for_one(student)
    with refused("message"):
        room.hear_student(student, message)
    assert (room.for_teacher(), room.for_one(student)) == before


def test_one_student_cannot_fill_the_memory(all_rooms, room, monkeypatch):
    monkeypatch.setattr(rooms, "ANSWERS", 2)
    [student] = come(all_rooms, room)
    room.hear_student(student, {"answer": {"id": FREE, "value": "a"}})
    room.hear_student(student, {"answer": {"id": CHOICE, "value": "1"}})
    room.hear_student(student, {"answer": {"id": FREE, "value": "b"}})
    with refused("message"):
        room.hear_student(student, {"answer": {"id": GUESS, "value": "none"}})


def test_nobody_is_named(all_rooms, room):
    there = come(all_rooms, room, 3)
    room.hear_teacher({"train": TRAIN}, PAGES)
    said = str([room.for_teacher(), room.for_students(), *(room.for_one(each) for each in there)])
    assert not any(each.token in said for each in there)
    assert "192.0.2" not in said + str(vars(room))
