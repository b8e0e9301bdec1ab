"""What a lesson is made of: blocks in reading order, and claims whose numbers are computed and tested."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import InitVar, dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, urlencode

from panel.viewable import Viewable

from widgets.kit.instrument import Instrument


@dataclass(frozen=True)
class Claim:
    """Values that compute gives, and what must be true of them for the sentences that hold them to stand."""

    values: Callable[[], Mapping[str, Any]]
    holds: Callable[[Mapping[str, Any]], bool]


@dataclass(frozen=True)
class Cited:
    """A number of somebody else's, with the place where it stands."""

    value: str
    source: str
    place: str


@dataclass(frozen=True)
class Prose:
    """Markdown text.

    `[[key.name:spec]]` sets a value of a claim as Python formats it, `[[key]]` a cited number, `[@key, place]` a
    citation. `[set r to four](#rank?r=4)` sets choices of a figure, and `[[#rank.error:.1%]]` follows what it shows.
    """

    text: str
    kind = "prose"


TRAINER = ("first", "finetune")  # lesson and figure that train in the reader's browser


@dataclass(frozen=True)
class Try:
    """One thing to try on the figure before it; Markdown.

    Where its experiment is a setting of the trainer, `run` says which: {words of a link: {choice: value}}. The links
    that open the trainer so become the last paragraph of the text.
    """

    text: str
    run: InitVar[Mapping[str, Mapping[str, str]]] = MappingProxyType({})
    kind = "try"

    def __post_init__(self, run: Mapping[str, Mapping[str, str]]) -> None:
        """Write the links."""
        if run:
            links = "; ".join(f"[{words}]({_trainer(choices)})" for words, choices in run.items())
            object.__setattr__(self, "text", f"{self.text}\n**Run it yourself**, in your browser: {links}.\n")


def _trainer(choices: Mapping[str, str]) -> str:
    lesson, figure = TRAINER
    state = urlencode({f"{figure}.{name}": value for name, value in choices.items()}, quote_via=quote)
    return f"{lesson}.html?{state}#{figure}"


@dataclass(frozen=True)
class Figure:
    """An instrument as a lesson opens it, under an id that its address and its embed carry."""

    id: str
    instrument: type[Instrument]
    opened: Mapping[str, Any] = field(default_factory=dict)
    kind = "instrument"

    def make(self) -> Instrument:
        """Make the instrument, which takes time where much is computed for it."""
        return self.instrument(**self.opened)


@dataclass(frozen=True)
class Live:
    """A part that needs a Python session; a page offers it, and says what to do where there is none."""

    id: str
    title: str
    invitation: str
    without: str
    make: Callable[[], Viewable]
    kind = "live"


@dataclass(frozen=True)
class Notes:
    """A place for the reader's own notes on a passage; they stay in her browser."""

    id: str
    title: str
    kind = "notes"


@dataclass(frozen=True)
class Correction:
    """What is often told, what is so instead, and the figure that shows it. Markdown with marks, as in Prose."""

    story: str
    truth: str
    figure: str


@dataclass(frozen=True)
class Answer:
    """One answer to a question, and why it is right or where it goes wrong. Markdown with marks, as in Prose."""

    text: str
    why: str
    right: bool = False


@dataclass(frozen=True)
class Question:
    """Something to recall when the lesson is over: one of the answers is right, and each is explained."""

    ask: str
    answers: tuple[Answer, ...]

    def texts(self) -> list[str]:
        """Return its Markdown."""
        return [self.ask, *(text for answer in self.answers for text in (answer.text, answer.why))]


PLANS = (20, 45)  # minutes for which a class on a lesson is planned


@dataclass(frozen=True)
class Stop:
    """A part of a class: what is done there, at which place of the page, and for how many minutes in each of PLANS.

    Markdown with marks, as in Prose. The place is a figure and its choices, `merging?precision=bf16&strength=1`; or the
    name of anything on the page, such as `recall`; or nothing for its beginning. No minutes leave it out of a plan.
    """

    text: str
    place: str
    minutes: tuple[int, int]


@dataclass(frozen=True)
class Prediction:
    """What a class says before a figure shows it, and what the figure shows then. Markdown with marks, as in Prose.

    The place is that of the figure, as in Stop.
    """

    ask: str
    truth: str
    place: str


@dataclass(frozen=True)
class Teaching:
    """How a lesson is taught: what a student can do afterwards (Markdown with marks), predictions, and the plans."""

    goals: tuple[str, ...]
    predictions: tuple[Prediction, ...]
    stops: tuple[Stop, ...]

    def texts(self) -> list[str]:
        """Return its Markdown."""
        asked = [text for each in self.predictions for text in (each.ask, each.truth)]
        return [*self.goals, *asked, *(stop.text for stop in self.stops)]

    def places(self) -> list[str]:
        """Return the places of the page that it names."""
        return [each.place for each in self.predictions] + [stop.place for stop in self.stops]


Block = Prose | Try | Figure | Live | Notes

# The parts of the story, chapter after chapter, and then the rooms: pages to look things up in, in any order.
PARTS = ("The bet", "The wall", "At work", "The fine print", "Rooms")


@dataclass(frozen=True)
class Lesson:
    """One page, a chapter of the story or a room: what it asks, what stands on it, and what it claims."""

    slug: str
    title: str
    question: str
    part: str  # one of PARTS
    order: int  # with gaps, so that a lesson can be put between two others
    minutes: int
    claims: Mapping[str, Claim | Cited]
    build: Callable[[], Iterator[Block]]
    questions: tuple[Question, ...]
    corrections: tuple[Correction, ...] = ()
    teaching: Teaching | None = None

    @property
    def is_chapter(self) -> bool:
        """Whether the page is a chapter of the story, and not a room."""
        return self.part != PARTS[-1]

    def texts(self) -> list[str]:
        """Return the Markdown of the lesson: its blocks, then its questions."""
        asked = [text for question in self.questions for text in question.texts()]
        return [block.text for block in self.build() if isinstance(block, Prose | Try)] + asked

    @cached_property
    def kinds(self) -> Mapping[str, type[Instrument]]:
        """Return the classes of the figures by id."""
        return {id_: block.instrument for id_, block in self.figures().items()}

    def figures(self) -> dict[str, Figure]:
        """Return the figures by id."""
        return {block.id: block for block in self.build() if isinstance(block, Figure)}

    def notes(self) -> list[Notes]:
        """Return the places for the reader's notes."""
        return [block for block in self.build() if isinstance(block, Notes)]

    def live_parts(self) -> dict[str, Live]:
        """Return the live parts by id."""
        return {block.id: block for block in self.build() if isinstance(block, Live)}
