"""What the wall instrument says: title and caption, its tasks and ways, sentences, code."""

from typing import Any, NamedTuple

from compute.experiments.tasks import EMBEDDED, FULL, SUSPECTS
from compute.world.tasks import NEW_WORDS
from widgets.kit.guess import WORDS as GUESS

TITLE = "What each rank reaches"
CAPTION = (
    "First chart: how well the model does on texts that no run trains on, over r; each ring is a seed, and the line "
    "goes through their means. The places of r are not to scale. Grey: full finetuning, from its worst to its best "
    "seed; the dotted line is the floor, which no model can go below. Second chart: what the model still gets right "
    "of what the base knew, which it did not train on. After the guess, the marks next to the lines are runs in which "
    "something else learns, without an adapter or along with one; in the second chart the filled marks are facts. "
    "Each way to learn has the best of four learning rates. Left out: ranks between those recorded, other learning "
    "rates, more steps."
)


class Task(NamedTuple):
    """What is said of a task: as what a sentence has it, the unit of its loss, what is right, a note."""

    of: str
    unit: str
    what: str
    all: str
    note: str


_RIGHT_SENTENCE = "A sentence is right if it is told so, and true in its story."
TASKS = {
    "formal voice": Task(
        "the formal voice",
        "word",
        "sentences",
        "formal sentences that it writes",
        "Stories told formally, in words that the base knows from its other voices. " + _RIGHT_SENTENCE,
    ),
    "mirror voice": Task(
        "the mirror",
        "word",
        "sentences",
        "mirrored sentences that it writes",
        "Plain stories, each sentence from its end to its beginning: all words are known, their order is new. "
        + _RIGHT_SENTENCE,
    ),
    "who had it first": Task(
        "the skill",
        "answer",
        "answers",
        "answers",
        "A question about stories that the base has never been asked. The model learns only from the answers, and is "
        "tested on stories in which the first holder is not the last.",
    ),
    NEW_WORDS: Task(
        "the language of new words",
        "word",
        "sentences",
        "sentences that it writes in new words",
        "Plain stories in which every word has been replaced by one that the base has never read. "
        + _RIGHT_SENTENCE,
    ),
}


class Way(NamedTuple):
    """What is said of a way to learn: its name, how a sentence begins, and its place on an axis."""

    name: str
    by: str
    tick: str


WAYS = {
    "r": Way("r = {r}", "At r = {r}", "{r}"),
    FULL: Way("full finetuning", "By full finetuning", ""),
    SUSPECTS[0]: Way("embeddings alone", "With the embeddings alone and no adapter", "E"),
    SUSPECTS[1]: Way("norms alone", "With the norms alone and no adapter", "N"),
    SUSPECTS[2]: Way(
        f"r = {EMBEDDED} and embeddings", f"With r = {EMBEDDED} and the embeddings", f"{EMBEDDED}E"
    ),
}
_SUSPECTED = f"rank r; E embeddings, N norms, {EMBEDDED}E both"
MEASURES = {"loss": "loss", "right": "share right"}

_LOSS = "{by} {of} ends at {loss:.3f} nats per {unit}"
_RIGHT = "{by}, {right:.0%} of the {all} are right"
WORDS: dict[str, Any] = {
    "note": "{steps} steps a run; numbers are means of {seeds} seeds. Recorded {recorded}.",
    "sentences": {
        "loss": {
            "above": _LOSS
            + ", {loss_apart:.3f} above full finetuning ({loss_least:.3f} to {loss_most:.3f}, by "
            "{seeds} seeds).",
            "level": _LOSS
            + ". Full finetuning ends at {full_loss:.3f}, and {seeds} seeds cannot tell the two apart.",
            "below": _LOSS
            + ", {loss_apart:.3f} below full finetuning ({loss_least:.3f} to {loss_most:.3f}, by {seeds} seeds).",
        },
        "right": {
            "above": _RIGHT + ", more than the {full_right:.0%} of full finetuning.",
            "level": _RIGHT
            + ". By full finetuning it is {full_right:.0%}, and {seeds} seeds cannot tell the two apart.",
            "below": _RIGHT + ", fewer than the {full_right:.0%} of full finetuning.",
        },
        "price": (
            " Of the old facts {facts:.0%} are still right, {before_facts:.0%} before, and of the questions about "
            "stories {stories:.0%}, {before_stories:.0%} before."
        ),
    },
    "placeLabel": "What learns",
    "place": "{name}",
    "readouts": {
        "loss": "Loss, nats per {unit}",
        "right": "Right, of the {what}",
        "floor": "Full finetuning",
        "trainable": "Numbers trained",
        "old": "Still right: facts, stories",
    },
    "readoutValues": {
        "loss": "{loss:.3f}",
        "right": "{right:.1%}",
        "floor": "{full_loss:.3f}, {full_right:.1%}",
        "trainable": "{numbers:,d}",
        "old": "{facts:.0%}, {stories:.0%}",
    },
    "charts": {
        "loss": {
            "title": "Loss on new texts (nats per {unit})",
            "x": "rank r",
            "suspects": _SUSPECTED,
            "curve": "LoRA",
            "full": "full finetuning",
            "floor": "floor",
            "probe": "{name}: {loss:.3f}, seeds {loss_low:.3f} to {loss_high:.3f}; full finetuning {full_loss:.3f}",
        },
        "right": {
            "title": "Right, of the {what}",
            "x": "rank r",
            "suspects": _SUSPECTED,
            "curve": "LoRA",
            "full": "full finetuning",
            "floor": "before",
            "probe": "{name}: {right:.1%}, seeds {right_low:.1%} to {right_high:.1%}; full finetuning {full_right:.1%}",
        },
        "price": {
            "title": "What of the old is still right",
            "x": "rank r",
            "suspects": _SUSPECTED,
            "facts": "facts",
            "stories": "stories",
            "before": "before",
            "probe": "{name}: {facts:.1%} of the facts, {stories:.1%} of the stories' questions",
        },
    },
    "guess": {
        **GUESS,
        "question": (
            "No rank comes near full finetuning: at best {best:.2f} nats per word, against {full:.2f}. What is missing?"
        ),
        "options": [
            ["rank", "a still higher rank"],
            [SUSPECTS[0], "the embeddings: they stayed as they were"],
            [SUSPECTS[1], "the norms: their scales and biases stayed as they were"],
        ],
        "again": "Guess again",
        "right": (
            "You said: {guess}. So it is: alone, without any adapter, the embeddings reach {suspect_0:.2f} nats per "
            "word; the norms alone {suspect_1:.2f}."
        ),
        "wrong": (
            "You said: {guess}. It is {truth}. Alone, without any adapter, the embeddings reach {suspect_0:.2f} nats "
            "per word; the norms alone {suspect_1:.2f}."
        ),
    },
    "tableHead": [
        "what learns",
        "numbers trained",
        "loss, mean of the seeds",
        "lowest",
        "highest",
        "right",
        "worst",
        "best",
        "old facts right",
        "stories right",
        "learning rate",
    ],
    "tableRow": [
        "{way}",
        "{numbers:,d}",
        "{loss:.3f}",
        "{loss_low:.3f}",
        "{loss_high:.3f}",
        "{right:.1%}",
        "{right_low:.1%}",
        "{right_high:.1%}",
        "{facts:.1%}",
        "{stories:.1%}",
        "{rate}",
    ],
    "downloads": {"curves": "Every seed (CSV)", "picture": "Picture (SVG)"},
}

SNIPPET = """# Run it in the folder of this project.
from statistics import fmean
from compute.experiments.tasks import load_tasks

recorded = load_tasks()
learned, full = recorded.of("{task}", "{key}"), recorded.of("{task}", "full")
print(f"{fmean(learned.loss):.3f} nats; full finetuning {fmean(full.loss):.3f}")
print(f"{fmean(learned.task_right):.0%} right; full finetuning {fmean(full.task_right):.0%}")
print(f"of the old: {fmean(learned.facts):.0%} of the facts, {fmean(learned.stories):.0%} of the stories")
"""
