"""What the failures instrument says: two failures, their knobs, sentences, code."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from compute.experiments.failures import FURTHER, FURTHER_TASK, QUESTIONS, RANKS, STEPS, TURNED, R


@dataclass(frozen=True)
class Told:
    """What is said of one failure.

    Attributes
    ----------
    label : str
        Of the choice.
    note : str
        What is trained, and what the lines are.
    knob : str
        What the slider turns; `of` says where it stands.
    lines : dict of str to tuple of str
        By value: name and kind of a curve.
    own : str
        Which of the values has a band over its seeds.
    sentence : str
        What is seen at a place.
    """

    label: str
    note: str
    knob: str
    of: str
    lines: dict[str, tuple[str, str]]
    own: str
    sentence: str


class BaseName(NamedTuple):
    """How a base is called below the axis, and in a sentence."""

    tick: str
    told: str


SMALL, LARGE, _ = RANKS
TOLD = {
    "data": Told(
        label="Too few examples",
        note=f"Who had a thing first, {STEPS} steps, LoRA on all linear layers, from as many examples as the knob "
        "says. Each rank at its own best learning rate. Stopped in time: at the moment with the lowest loss on "
        "questions that are not tested.",
        knob="Examples to learn from",
        of="{knob} examples",
        lines={
            "shown": (f"shown, r = {LARGE}", "kept second"),
            "unseen": (f"unseen, r = {LARGE}", "kept"),
            "stopped": ("stopped in time", "kept thin"),
            "small": (f"unseen, r = {SMALL}", "control-1"),
            "full": ("unseen, full finetuning", "control-0"),
        },
        own="unseen",
        sentence=f"From {{knob}} examples r = {LARGE} has {{shown:.1%}} of the examples right and {{unseen:.1%}} of "
        f"new questions, stopped in time {{stopped:.1%}}. With r = {SMALL} it is {{small:.1%}} of new questions, with "
        "full finetuning {full:.1%}; the base had {before:.1%}.",
    ),
    "base": Told(
        label="Another base",
        note=f"An adapter for who had a thing first, r = {R}, trained on our base and put on others: our base after "
        f"more steps of full finetuning ({FURTHER_TASK}), and one that says what ours says, word for word, but holds "
        "its inner numbers in another order. Grey: these bases alone, and with an adapter trained on them.",
        knob="Base",
        of="{knob}",
        lines={
            "moved": ("our adapter on it", "kept"),
            "alone": ("base alone", "control-0"),
            "own": ("its own adapter", "control-1"),
        },
        own="moved",
        sentence="With our adapter {knob} has {moved:.1%} of the questions right, without any {alone:.1%}, and with an "
        "adapter that was trained on it {own:.1%}.",
    ),
}
BASE_NAMES: dict[int | str, BaseName] = {
    0: BaseName("ours", "our base"),
    **{steps: BaseName(f"+{steps}", f"our base after {steps} more steps") for steps in FURTHER},
    TURNED: BaseName("reordered", "the base in another order"),
}

TITLE = "Two ways to fail"
CAPTION = (
    f"Across: the places of the knob, not to scale. Up: the share of {QUESTIONS['test']} questions that the model "
    f"gets right, on stories that no run has read; dotted in teal, on the examples themselves. Grey lines are "
    f"controls. "
    "Lines are means of the seeds; the band of the one that fails reaches from its worst seed to its best. Left out: "
    "other tasks and other ranks."
)
ABOUT = "{seeds} seeds, each with examples of its own. Recorded {recorded}."

WORDS: dict[str, Any] = {
    "knobLabel": "The knob",
    "readouts": {
        "shown": "Of the examples",
        "unseen": "Of new questions",
        "moved": "With our adapter",
        "own": "With its own",
    },
    "readoutValues": {name: f"{{{name}:.1%}}" for name in ("shown", "unseen", "moved", "own")},
    "charts": {"right": {"title": "Answers that are right"}},
    "probe": {"all": "{of}: {each}", "each": "{name} {share:.1%}"},
    "downloads": {"shares": "Shares (CSV)", "picture": "Picture (SVG)"},
}

SNIPPETS = {
    "data": """# Run it in the folder of this project.
from statistics import fmean
from compute.experiments.failures import COUNTS, RANKS, load_failures

for r in RANKS:  # 0 is full finetuning
    few = load_failures().of(COUNTS[{place}], r)
    print(f"r = {r}: shown {fmean(few.shown):.1%}, new {fmean(few.unseen):.1%}, stopped {fmean(few.stopped):.1%}")
""",
    "base": """# Run it in the folder of this project.
from statistics import fmean
from compute.experiments.failures import load_failures

for line, bases in load_failures().moved.items():
    print(f"{line}: {fmean(bases[{place}]):.1%}")
""",
}
