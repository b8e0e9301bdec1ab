"""The menu: the reader can say what each method changes, what it costs, whether it merges, and what was measured."""

from collections.abc import Iterator, Mapping
from typing import Any

from compute.menu_plan import MENU_TASKS, SIZES
from compute.recorded_menu import Entry, entry, load_menu, timing
from lessons._blocks import Answer, Block, Cited, Claim, Correction, Figure, Lesson, Prose, Question, Try
from widgets.menu import Menu

KNOWN, NEW = MENU_TASKS
OTHERS = [method for method in SIZES if method != "full"]


def _of(task: str, method: str, place: int = -1) -> Entry:
    return entry(load_menu(), task, method, SIZES[method][place])


def _loss(task: str, method: str, place: int = -1) -> float:
    return _of(task, method, place).validation_loss


def _known() -> Mapping[str, Any]:
    losses = [_loss(KNOWN, method, place) for method in OTHERS for place in range(len(SIZES[method]))]
    return {
        "before": load_menu().before[KNOWN][0],
        "full": _loss(KNOWN, "full"),
        "low": min(losses),
        "high": max(losses),
    }


CLAIMS: Mapping[str, Claim | Cited] = {
    "known": Claim(
        "In the legal voice, which the base half knows, it goes from {before:.2f} nats to {full:.2f} with full "
        "finetuning, and to between {low:.2f} and {high:.2f} with each of the others.",
        _known,
        lambda v: v["high"] < v["before"] - 0.05,
    ),
    "latency": Cited("twenty to thirty percent", "hu2021", "Table 1"),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
LoRA is one dish of many. Some are older, some came beside it. All of them freeze most of the model.

$$W' = \\operatorname{diag}(m / \\lVert V \\rVert)\\, V, \\quad V = W + s B A$$

$$k' = l_k \\odot k$$

$$h' = h + U\\, \\sigma(D\\, h)$$

$$[p_1, \\dots, p_n, x_1, \\dots, x_T]$$

$$W' = W + s\\, P\\, \\Lambda\\, Q$$
[[known]] [[latency]]
"""
    )
    yield Figure("menu", Menu)
    yield Try("Look at it.")


LESSON = Lesson(
    slug="menu",
    title="Beside LoRA: the menu",
    question="There are other ways to train few numbers. What does each change, and what does it cost?",
    part="How far it goes",
    order=90,
    minutes=14,
    claims=CLAIMS,
    build=build,
    questions=(
        Question("a?", (Answer("b", "c", right=True), Answer("d", "e"), Answer("f", "g"))),
        Question("a2?", (Answer("b", "c", right=True), Answer("d", "e"), Answer("f", "g"))),
    ),
)
