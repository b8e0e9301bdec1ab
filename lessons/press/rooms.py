"""Rooms for classes: who is in, what the teacher shows and asks, what is pooled; in memory, without names, for a while.

Nothing here knows how messages travel. A room hears what a teacher or a student sends, refuses what is none of its
messages, and says what each of them may see. That is always the whole of it, so whoever comes back has missed nothing.
"""

import hmac
import re
import secrets
import sys
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from compute.world.tasks import FACTS
from lessons.press.blocks import TRAINER
from widgets.finetune import COUNTS, Finetune
from widgets.kit.text import slug
from widgets.live.fair import address_of

LETTERS = "CDFHJKLMNPRTVWXY"  # none looks like another or like a digit, and without vowels there are no words
LENGTH = 6  # letters of a code: one of 17 million
MOST = 200  # students in a room
ANSWERS = 100  # of one student: more than a lesson asks
WRITTEN = 40  # letters of a free answer
CURVE = 24  # points of one student's run
DIGITS = 4  # of a result: more than is shown
STEPS = 1000  # of a class's runs, at most
QUERY = 4000  # letters of a page's state
WAITS = 2 * 3600.0  # seconds that a room waits for its teacher
LONGEST = 12 * 3600.0  # seconds that it lasts, whoever is there
TRIES = 20  # wrong codes from one address at once: a class of thirty may have only one
TRY_AGAIN = 10.0  # seconds until one of them is given back
ADDRESSES = 10_000  # remembered for that

Message = Mapping[str, Any]
Told = dict[str, Any]


class Refused(Exception):
    """Something is not possible; `why` is the name of a sentence in room_words.py."""

    def __init__(self, why: str):
        super().__init__(why)
        self.why = why


class Question(NamedTuple):
    """What can be asked of a class: a prediction, a question at the end of a lesson, or what a figure has guessed.

    `options` are values and labels; without them an answer is a number or, if it is `written`, free.
    """

    id: str
    kind: str
    title: str
    ask: str
    options: tuple[tuple[str, str], ...] = ()
    written: bool = False
    right: str = ""
    truth: str = ""

    def taken(self, answer: Any) -> str:
        """Return an answer as it is pooled; raise Refused if it is none.

        Examples
        --------
        >>> Question("a/prediction-1", "prediction", "", "", written=True).taken("  About 12 %. ")
        'About 12%'
        """
        text = " ".join(answer.split()) if isinstance(answer, str) else ""
        if self.options:
            possible = text in dict(self.options)
        elif self.written:
            text = text.replace(" %", "%").rstrip(".")
            possible = 0 < len(text) <= WRITTEN and text.isprintable()
        else:
            possible = re.fullmatch(r"\d{1,6}", text, re.ASCII) is not None
        if not possible:
            raise Refused("answer")
        return text

    def counts(self, answers: Collection[str]) -> list[Told]:
        """Return how often each answer was given: options in their order, numbers by size, others by how often."""
        if self.options:
            pooled = Counter(answers)
            return [
                {"label": label, "n": pooled[value], "right": value == self.right}
                for value, label in self.options
            ]
        spelled: dict[str, str] = {}
        for answer in answers:
            spelled.setdefault(answer.casefold(), answer)
        pooled = Counter(answer.casefold() for answer in answers)
        sizes = {text: _size(text) for text in pooled}
        numbers = None not in sizes.values()
        order = sorted(pooled, key=lambda text: (sizes[text] if numbers else -pooled[text], text))
        return [{"label": spelled[text], "n": pooled[text], "right": False} for text in order]


def _size(text: str) -> float | None:
    """Return the number that a text is, with or without a sign of per cent."""
    found = re.fullmatch(r"[-+]?\d{1,15}([.,]\d{1,15})?%?", text, re.ASCII)
    return float(text.rstrip("%").replace(",", ".")) if found else None


class Point(NamedTuple):
    """What a student's run has come to at a step: shares of right answers, and the loss if it is a number."""

    step: int
    task: float
    facts: float
    loss: float | None


@dataclass(eq=False)
class Student:
    """Somebody in a room, known by a token that her browser keeps and by nothing else."""

    token: str
    here: bool = False
    away: bool = False  # she looks elsewhere
    left: float = 0.0  # when she was last here
    answers: dict[str, str] = field(default_factory=dict)
    part: int | None = None  # of what everyone trains
    points: list[Point] = field(default_factory=list)
    trained: bool = False


@dataclass(frozen=True)
class Sweep:
    """What everyone trains: the same settings, and one part of them for each student."""

    kind: str  # seed, or facts: how many new facts there are to learn
    task: str
    size: str
    steps: int

    @classmethod
    def read(cls, given: Any) -> "Sweep":
        """Return what a teacher asks for; raise Refused if the trainer cannot do it."""
        if not isinstance(given, dict) or given.keys() != {"kind", "task", "size", "steps"}:
            raise Refused("message")
        kind, steps = given["kind"], given["steps"]
        task = slug(FACTS) if kind == "facts" else given["task"]
        known = kind in ("seed", "facts") and task in options("task") and given["size"] in options("size")
        if not known or type(steps) is not int or not 1 <= steps <= STEPS:
            raise Refused("message")
        return cls(kind, task, given["size"], steps)

    def part(self, i: int) -> dict[str, str]:
        """Return the choices of part i.

        Examples
        --------
        >>> Sweep("facts", "new-facts", "1", 300).part(6)
        {'facts': '32', 'seed': '1'}
        """
        if self.kind == "seed":
            return {"seed": str(i)}
        return {"facts": str(COUNTS[i % len(COUNTS)]), "seed": str(i // len(COUNTS))}

    def choices(self, i: int) -> dict[str, str]:
        """Return all choices of the trainer for part i that are not its usual ones."""
        return {"task": self.task, "size": self.size, "steps": str(self.steps), **self.part(i)}


def options(choice: str) -> list[str]:
    """Return the values that a choice of the trainer may have."""
    return [value for value, _ in Finetune.schema()[choice]["options"]]


class ClassRoom:
    """One room. Only who has its key steers it; who has its code is in."""

    def __init__(self, code: str, key: str, questions: Callable[[str], Mapping[str, Question]], now: float):
        self.code, self.key, self.questions = code, key, questions
        self.opened = self.seen = now  # `seen`: when the teacher was last here
        self.teachers = 0  # her windows
        self.students: dict[str, Student] = {}
        self.follow = False
        self.place: Told | None = None
        self.asked: Question | None = None
        self.revealed = False
        self.sweep: Sweep | None = None
        self.round = 0
        self.shown = False  # whether students see the picture of what everyone trained
        self.over = False

    def join(self, token: str, now: float) -> Student:
        """Let a student in, or in again if she has been here; raise Refused if the room is full."""
        if known := self.students.get(token):
            return known
        if len(self.students) >= MOST:
            gone = min(
                (each for each in self.students.values() if not each.here),
                key=lambda each: each.left,
                default=None,
            )
            if gone is None:
                raise Refused("full")
            del self.students[gone.token]
        student = Student(secrets.token_urlsafe(16), left=now)
        self.students[student.token] = student
        self._deal(student)
        return student

    def went(self, student: Student, now: float) -> None:
        """Note that a student's page is closed; she may come back."""
        student.here, student.left = False, now

    def ended(self, now: float) -> bool:
        """Return whether the room is over: by its teacher, without her for long, or after half a day."""
        waited = 0.0 if self.teachers else now - self.seen
        return self.over or waited > WAITS or now - self.opened > LONGEST

    def hear_teacher(self, message: Message, pages: Collection[str]) -> None:
        """Do what a teacher asks for; raise Refused, and then nothing is done."""
        if len(message) != 1:
            raise Refused("message")
        [(deed, given)] = message.items()
        if deed == "show":
            self._show(given, pages)
        elif deed in ("follow", "reveal", "shown") and type(given) is bool:
            if deed == "follow" and given and self.place and not self.follow:
                self.place = self.place | {"n": self.place["n"] + 1}
            setattr(self, "revealed" if deed == "reveal" else deed, given)
        elif deed == "ask":
            self.asked, self.revealed = None if given is None else self.question(given), False
        elif deed == "train":
            self._train(None if given is None else Sweep.read(given))
        elif deed == "end" and given is True:
            self.over = True
        else:
            raise Refused("message")

    def hear_student(self, student: Student, message: Message) -> None:
        """Take what a student sends; raise Refused, and then nothing is taken."""
        if len(message) != 1:
            raise Refused("message")
        [(deed, given)] = message.items()
        if deed in ("answer", "noticed"):
            self._answer(student, given, again=deed == "answer")
        elif deed == "result":
            self._result(student, given)
        elif deed == "away" and type(given) is bool:
            student.away = given
        elif deed == "leave" and given is True:
            del self.students[student.token]
        else:
            raise Refused("message")

    def question(self, id_: Any) -> Question:
        """Return what is asked under an id, <lesson>/<name>."""
        found = self.questions(id_.partition("/")[0]).get(id_) if isinstance(id_, str) else None
        if found is None:
            raise Refused("message")
        return found

    def _show(self, given: Any, pages: Collection[str]) -> None:
        if not isinstance(given, dict) or given.keys() != {"page", "query", "at"}:
            raise Refused("message")
        page, query, at = given["page"], given["query"], given["at"]
        spelled = all(isinstance(each, str) for each in (page, query, at))
        if not spelled or len(query) > QUERY or not re.fullmatch(r"[\w-]{0,80}", at):
            raise Refused("message")
        if not re.fullmatch(r"[\w.~%&=+*!'(),:/-]*", query, re.ASCII):
            raise Refused("message")
        if page not in pages:  # such as her key: it leads nobody
            return
        before = self.place or {"page": None, "n": 0}
        n = before["n"] + (page != before["page"])
        self.place = {"page": page, "query": query, "at": at, "n": n}

    def _answer(self, student: Student, given: Any, again: bool) -> None:
        """Take an answer. One that was noticed on a page counts if it is the first: why it is wrong stands there."""
        if not isinstance(given, dict) or given.keys() != {"id", "value"}:
            raise Refused("message")
        question = self.question(given["id"])
        answer = question.taken(given["value"])
        if question.id in student.answers and not again:
            return
        if self.asked == question and self.revealed:
            if not again:
                return
            raise Refused("late")
        if len(student.answers) >= ANSWERS and question.id not in student.answers:
            raise Refused("message")
        student.answers[question.id] = answer

    def _train(self, sweep: Sweep | None) -> None:
        self.sweep, self.shown = sweep, False
        for student in self.students.values():
            student.part, student.points, student.trained = None, [], False
        if sweep is None:
            return
        self.round += 1
        for student in self.students.values():
            if student.here:
                self._deal(student)

    def _deal(self, student: Student) -> None:
        """Give a student the first part that nobody has."""
        if self.sweep is None or student.part is not None:
            return
        dealt = {each.part for each in self.students.values()}
        student.part = next(i for i in range(len(dealt) + 1) if i not in dealt)

    def came(self, student: Student) -> None:
        """Note that a student's page is open; what everyone trains she trains, too."""
        student.here = True
        self._deal(student)

    def _result(self, student: Student, given: Any) -> None:
        if not isinstance(given, dict) or given.keys() != {"round", "step", "task", "facts", "loss", "over"}:
            raise Refused("message")
        if self.sweep is None or given["round"] != self.round or student.part is None:
            return  # the class has gone on
        step, task, facts, loss = (given[name] for name in ("step", "task", "facts", "loss"))
        if type(step) is not int or not 0 <= step <= self.sweep.steps or type(given["over"]) is not bool:
            raise Refused("message")
        if (
            not _number(task, 1)
            or not _number(facts, 1)
            or not (loss is None or _number(loss, sys.float_info.max))
        ):
            raise Refused("message")
        if student.trained:
            return  # the first run counts
        points = [each for each in student.points if each.step < step]
        if len(points) < CURVE or given["over"]:
            rounded = None if loss is None else round(loss, DIGITS)
            student.points = [*points, Point(step, round(task, DIGITS), round(facts, DIGITS), rounded)]
        student.trained = given["over"]

    def for_teacher(self) -> Told:
        """Return all that a teacher sees."""
        here = [each for each in self.students.values() if each.here]
        told = self._common() | {
            "role": "teacher",
            "here": len(here),
            "following": sum(not each.away for each in here),
        }
        if self.asked:
            told["asked"] |= {"answered": len(self._pool(self.asked))}
        if self.sweep:
            told["train"] |= {"results": self._results()}
        return told

    def for_students(self) -> Told:
        """Return what all students see; what each of them sees besides is `for_one`."""
        told = self._common() | {"role": "student", "teacher": self.teachers > 0}
        if self.sweep and self.shown:
            told["train"] |= {"results": self._results()}
        return told

    def for_one(self, student: Student) -> Told:
        """Return what one student sees besides."""
        own: Told = {"away": student.away}
        if self.asked:
            own["answer"] = student.answers.get(self.asked.id)
        if self.sweep and student.part is not None:
            last = student.points[-1].task if student.trained else None
            own["part"] = {"choices": self.sweep.choices(student.part), "right": last}
            own["part"] |= self.sweep.part(student.part)
        return own

    def _common(self) -> Told:
        asked = self.asked and self.question(self.asked.id)  # in the language of who is told
        told: Told = {
            "code": self.code,
            "follow": self.follow,
            "place": self.place,
            "asked": None,
            "train": None,
        }
        if asked:
            told["asked"] = {
                "id": asked.id,
                "kind": asked.kind,
                "title": asked.title,
                "ask": asked.ask,
                "options": asked.options,
                "written": WRITTEN if asked.written else 0,
                "revealed": self.revealed,
            }
        if asked and self.revealed:
            told["asked"] |= {"counts": asked.counts(self._pool(asked)), "truth": asked.truth}
        if self.sweep:
            told["train"] = {"round": self.round, "shown": self.shown, **vars(self.sweep)}
            told["train"] |= {"page": f"lesson/{TRAINER[0]}.html", "figure": TRAINER[1]}
        return told

    def _pool(self, asked: Question) -> list[str]:
        return [each.answers[asked.id] for each in self.students.values() if asked.id in each.answers]

    def _results(self) -> list[Told]:
        """Return what has come of each part so far, in their order; whose it is is not said."""
        if self.sweep is None:
            return []
        parts = sorted(
            (each.part, each.points, each.trained) for each in self.students.values() if each.part is not None
        )
        shown = slice(None) if self.sweep.kind == "seed" else slice(-1, None)  # curves, or their ends
        return [
            self.sweep.part(part) | {"points": points[shown], "over": over} for part, points, over in parts
        ]


def _number(value: Any, most: float) -> bool:
    return type(value) in (int, float) and 0 <= value <= most


class ClassRooms:
    """All rooms of a server: how many there may be, and who finds one by its code."""

    def __init__(
        self,
        most: int,
        pages: Collection[str],
        questions: Callable[[str], Mapping[str, Question]],
        clock: Callable[[], float] = time.monotonic,
    ):
        self.most, self.pages, self.questions, self.clock = most, pages, questions, clock
        self.each = -(-most // 2)  # from one address: who opens rooms for fun leaves some to others
        self.rooms: dict[str, ClassRoom] = {}
        self.opened = 0
        self.refused: Counter[str] = Counter()
        self._openers: dict[str, str] = {}  # the address that each room was opened from
        self._tries: OrderedDict[str, tuple[float, float]] = OrderedDict()  # wrong ones by address, and when

    def open(self, address: str) -> ClassRoom:
        """Open a room; raise Refused if there are enough of them."""
        self.forget()
        address = address_of(address)
        mine = list(self._openers.values()).count(address)
        if len(self.rooms) >= self.most or mine >= self.each:
            raise self._refusal("rooms")
        code = ""
        while not code or code in self.rooms:
            code = "".join(secrets.choice(LETTERS) for _ in range(LENGTH))
        room = ClassRoom(code, secrets.token_urlsafe(16), self.questions, self.clock())
        self.rooms[code], self._openers[code] = room, address
        self.opened += 1
        return room

    def join(self, code: Any, token: Any, address: str) -> tuple[ClassRoom, Student]:
        """Return the room of a code, and the student who joins it; raise Refused.

        Who has been in it comes back by her token, whatever others at her address have tried.
        """
        room = self._room(code)
        token = token if isinstance(token, str) else ""
        if room is None or token not in room.students:
            self._try(address_of(address), found=room is not None)
        if room is None:
            raise self._refusal("wrong")
        try:
            return room, room.join(token, self.clock())
        except Refused as refused:
            raise self._refusal(refused.why) from None

    def lead(self, code: Any, key: Any, address: str) -> ClassRoom:
        """Return the room of a code to whoever has its key; raise Refused."""
        room = self._room(code)
        fits = (
            room is not None
            and isinstance(key, str)
            and hmac.compare_digest(key.encode(errors="replace"), room.key.encode())
        )
        if room is None or not fits:
            self._try(address_of(address), found=False)
            raise self._refusal("wrong")
        return room

    def forget(self) -> list[ClassRoom]:
        """Forget rooms that are over, and return them so that those who are in can be told."""
        over = [room for room in self.rooms.values() if room.ended(self.clock())]
        for room in over:
            room.over = True
            del self.rooms[room.code], self._openers[room.code]
        return over

    def readers(self) -> int:
        """Return how many students are in rooms now."""
        return sum(each.here for room in self.rooms.values() for each in room.students.values())

    def _room(self, code: Any) -> ClassRoom | None:
        """Return the room of a code as somebody may have written it: in small letters, in two halves."""
        spelled = re.sub(r"[\s-]", "", code).upper() if isinstance(code, str) and len(code) <= 20 else ""
        room = self.rooms.get(spelled)
        return None if room is None or room.ended(self.clock()) else room

    def _try(self, address: str, found: bool) -> None:
        """Count a wrong code; raise Refused where an address has tried too many, also for a right one."""
        now = self.clock()
        tried, since = self._tries.pop(address, (0.0, now))
        tried = max(0.0, tried - (now - since) / TRY_AGAIN)
        late = tried > TRIES - 1
        tried += not found and not late
        if tried:
            self._tries[address] = (tried, now)
        if len(self._tries) > ADDRESSES:
            self._tries.popitem(last=False)
        if late:
            raise self._refusal("tries")

    def _refusal(self, why: str) -> Refused:
        self.refused[why] += 1
        return Refused(why)
