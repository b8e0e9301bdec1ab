"""Reading the paper."""

from collections.abc import Iterator, Mapping

from lessons._blocks import Block, Cited, Claim, Figure, Lesson, Notes, Prose, Try
from widgets.amplification import Amplification
from widgets.intruders import Intruders

CLAIMS: Mapping[str, Claim | Cited] = {}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose("## x\n\nx [@hu2021, section 4.1]")
    yield Notes("freeze", "Freeze and inject")
    yield Figure("amplification", Amplification)
    yield Try("x")
    yield Figure("intruders", Intruders)
    yield Notes("dual", "Dual use")


LESSON = Lesson(
    slug="paper",
    title="Reading the paper",
    question="x?",
    part="How far it goes",
    order=110,
    minutes=12,
    claims=CLAIMS,
    build=build,
    questions=(),
)
