"""What the sequence instrument says: ways to learn three sets, sentences, code."""

from typing import Any

from compute.experiments.retention import EACH, FULL, FULL_REPLAY, OLD_SHARE, ONE, REPLAY, R
from widgets.kit.guess import WORDS as GUESS

# Of a way: key of its values, name at a curve, class of the curve.
WAYS_TOLD = {
    ONE: ("one", "one adapter", "kept"),
    EACH: ("each", "an adapter each", "kept second"),
    REPLAY: ("replay", "one, old questions", "kept thin"),
    FULL: ("full", "full", "control-1"),
    FULL_REPLAY: ("both", "full, old questions", "control-0"),
}

TITLE = "Three sets of facts in a row"
CAPTION = (
    "Horizontal: how many sets are learned. Vertical: the share of right answers, in one picture for each set and in "
    "one for the "
    f"facts that the base knew. Teal: one adapter of r = {R} trained on and on; dotted, an adapter for each set, each "
    f"set asked of its own and the old facts of none; thin, one adapter with {OLD_SHARE:.0%} old questions in each "
    "step. Grey: full finetuning, dashed without old questions and dotted with as many. Each way at its own best "
    "learning rate. Lines are means of the seeds; the band of the one adapter reaches from its worst to its best. "
    "Left out: other sizes, ranks and shares of old questions."
)
ABOUT = "{seeds} seeds. Recorded {recorded}."

WORDS: dict[str, Any] = {
    "stageLabel": "Sets learned",
    "stages": ["none", "the first", "two", "three"],
    "ticks": ["none", "1st", "2nd", "3rd"],
    "sentence": (
        "Sets learned: {told}. Of the {size} facts of the first set one adapter trained on and on has {one:.0%} right, "
        "with old questions too {replay:.0%}, an adapter for each set {each:.0%}, full finetuning {full:.0%}, with old "
        "questions too {both:.0%}. Of the facts that the base knew, the one adapter has {one_old:.0%}."
    ),
    "veiled": "Three sets of {size} new facts, one after the other: how much is left of the first?",
    "readouts": {
        "one": "One adapter, first set",
        "replay": "One adapter, old questions too",
        "each": "An adapter each",
        "full": "Full finetuning",
        "both": "Full, old questions too",
    },
    "readoutValues": {name: f"{{{name}:.0%}}" for name in ("one", "replay", "each", "full", "both")},
    "titles": ["First set, right answers", "Second set", "Third set", "The facts that the base knew"],
    "x": "sets learned",
    "probe": {"each": "{name} {value:.1%}", "all": "{told}: {each}"},
    "guess": {
        **GUESS,
        "question": (
            "Guess first. One adapter learns a set of {size} facts, then another, then a third. After that: of a "
            "hundred facts of the first set, how many does it still know?"
        ),
        "field": "My guess, of a hundred:",
        "again": "Guess again",
        "right": "You said {guess}, and {truth} it is.",
        "tooLow": "You said {guess}. More is left: {truth}.",
        "tooHigh": "You said {guess}. Less is left: {truth}.",
    },
    "tableHead": ["way", "seed", "sets learned", "first set", "second set", "third set", "old facts"],
    "downloads": {"stages": "Stages (CSV)", "picture": "Picture (SVG)"},
}

SNIPPET = """# Run it in the folder of this project.
from compute.experiments.retention import WAYS, load_retention

for way in WAYS:
    print(f"{way}: {load_retention().of(way).mean({stage}, 0):.3f}")
"""
