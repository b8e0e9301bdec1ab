"""What the failures instrument says: five failures, their knobs, sentences, questions, code."""

from dataclasses import dataclass
from typing import Any

from widgets.kit.guess import WORDS as GUESS


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
    lines : dict of str to dict of str to tuple of str
        By chart and value: name and kind of a curve.
    sentence : str
        What is seen at a place. `diverged` stands instead where the run broke off.
    ask : str
        The question of the guess: whether `compared`, a loss at a place and another one, falls, stays or rises.
    """

    label: str
    note: str
    knob: str
    of: str
    lines: dict[str, dict[str, tuple[str, str]]]
    sentence: str
    ask: str
    compared: tuple[tuple[str, int], tuple[str, int]]
    diverged: str = ""


KEPT, TRAINED, LOST, CONTROL, OTHER = "kept", "kept second", "lost", "control-1", "control-0"
BASE = "On the base's own voices the loss went from {before_base:.2f} to {base:.2f}."

TOLD = {
    "rank": Told(
        label="Too small a rank",
        note="The new language, LoRA on all linear layers, 300 steps, the runs of the lab. Grey: full finetuning, and "
        "LoRA whose embeddings learn too (a square).",
        knob="Rank r",
        of="r = {knob}",
        lines={
            "task": {
                "train": ("trained on", TRAINED),
                "validation": ("unseen", KEPT),
                "full_validation": ("full finetuning", CONTROL),
                "embeddings_validation": ("embeddings learn too", OTHER),
            },
            "base": {
                "base": ("LoRA", LOST),
                "full_base": ("full finetuning", CONTROL),
                "embeddings_base": ("embeddings learn too", OTHER),
            },
        },
        sentence="With r = {knob} the new language ends at {validation:.2f} nats per token on unseen sentences and at "
        "{train:.2f} on those of the last steps, full finetuning at {full_validation:.2f} on unseen ones. "
        + BASE,
        ask="r grows from 4 to 32, eight times as many numbers. What does the loss on unseen sentences of the new "
        "language do?",
        compared=(("validation", 2), ("validation", 5)),
    ),
    "forgetting": Told(
        label="Forgetting in disguise",
        note="The new language with r = 4, 300 steps. In each step some of the 32 texts are replaced by texts that the "
        "base was trained on. Grey: the base without an adapter.",
        knob="Base texts in a step",
        of="{knob} of 32 texts",
        lines={
            "task": {"validation": ("unseen", KEPT)},
            "base": {"base": ("with the adapter", LOST), "before_base": ("base alone", CONTROL)},
        },
        sentence="With {knob} of 32 texts in each step from the base's own voices, the new language ends at "
        "{validation:.2f} nats per token on unseen sentences. " + BASE,
        ask="In each step two of 32 texts are now the base's own. What does the loss on the new language do, against "
        "none?",
        compared=(("validation", 0), ("validation", 2)),
    ),
    "data": Told(
        label="Too much rank, too little data",
        note="The legal voice with r = 32, 300 steps, from as many different texts as the knob says. Grey: r = 1 on "
        "the same texts, and the best of six moments of the run with r = 32, which stopping there would have kept.",
        knob="Texts to learn from",
        of="{knob} texts",
        lines={
            "task": {
                "train": ("trained on", TRAINED),
                "validation": ("unseen", KEPT),
                "small_validation": ("unseen, r = 1", CONTROL),
                "best": ("stopped in time", OTHER),
            },
            "base": {
                "base": ("r = 32", LOST),
                "small_base": ("r = 1", CONTROL),
                "before_base": ("base alone", OTHER),
            },
        },
        sentence="From {knob} texts r = 32 ends at {train:.2f} nats per token on what it trains on and at "
        "{validation:.2f} on unseen legal sentences, where the base began at {before_validation:.2f}. With r = 1 it is "
        "{small_validation:.2f}, at the best moment of r = 32 it was {best:.2f}. " + BASE,
        ask="There are 64 texts to learn from. What does the loss on unseen legal sentences do, from the start of the "
        "finetune to its end?",
        compared=(("before_validation", 1), ("validation", 1)),
    ),
    "alpha": Told(
        label="alpha too large",
        note="The legal voice with r = 4, 300 steps, at a learning rate of 0.005. Grey: the same alpha, and a learning "
        "rate that is smaller by as much as alpha is larger than 8.",
        knob="alpha",
        of="alpha = {knob}",
        lines={
            "task": {"validation": ("unseen", KEPT), "matched_validation": ("rate matched", CONTROL)},
            "base": {
                "base": ("one rate", LOST),
                "matched_base": ("rate matched", CONTROL),
                "before_base": ("base alone", OTHER),
            },
        },
        sentence="With alpha = {knob} the legal voice ends at {validation:.2f} nats per token on unseen sentences. "
        + BASE
        + " With a learning rate matched to alpha it is {matched_validation:.2f} and {matched_base:.2f}.",
        diverged="With alpha = {knob} the loss breaks off: {broken} of {seeds} runs diverged{left}. With a learning "
        "rate matched to alpha the legal voice ends at {matched_validation:.2f} nats per token on unseen sentences, "
        "and the base's own voices at {matched_base:.2f}.",
        ask="alpha grows from 8 to 128, and nothing else changes. What does the loss on unseen legal sentences do?",
        compared=(("validation", 1), ("validation", 3)),
    ),
    "base": Told(
        label="Another base",
        note="An adapter for the legal voice, r = 4, trained on our base and put on others: our base after more steps "
        "of full finetuning on the medical voice, and one that began with another seed and had fewer steps. Grey: "
        "these bases alone, and with an adapter trained on them.",
        knob="Base",
        of="{knob}",
        lines={
            "task": {
                "validation": ("our adapter on it", KEPT),
                "alone_validation": ("base alone", CONTROL),
                "own_validation": ("its own adapter", OTHER),
            },
            "base": {
                "base": ("our adapter on it", LOST),
                "alone_base": ("base alone", CONTROL),
                "own_base": ("its own adapter", OTHER),
            },
        },
        sentence="On {place} our adapter gives {validation:.2f} nats per token on unseen legal sentences, where that "
        "base alone has {alone_validation:.2f} and an adapter trained on it {own_validation:.2f}. On the base's own "
        "voices it is {base:.2f}, without an adapter {alone_base:.2f}.",
        ask="The adapter is put on a base that began with another seed and has read the same texts. Against that base "
        "alone, what does the loss on legal sentences do?",
        compared=(("alone_validation", 4), ("validation", 4)),
    ),
}

# Of the bases: below the axis, beside the slider, in a sentence.
BASES = {
    0: ("ours", "our base", "its own base"),
    20: ("+20", "our base, 20 steps on", "our base after 20 more steps"),
    100: ("+100", "our base, 100 steps on", "our base after 100 more steps"),
    300: ("+300", "our base, 300 steps on", "our base after 300 more steps"),
    "another seed": ("new", "another seed", "a base from another seed"),
}

TITLE = "Five ways to fail"
CAPTION = (
    "Across: the places of the knob, one run each, not to scale. Left: the final loss on the task, on unseen "
    "sentences and, dotted in teal, on the texts of the last steps. Right: the final loss on the base's "
    "own voices; what it gains is forgetting. Grey lines are controls. A band reaches from one of two seeds to the "
    "other and the line is their mean; lines without a band are one run. A line ends where the run diverged. Left "
    "out: other tasks, other ranks, other learning rates."
)

WORDS: dict[str, Any] = {
    "knobLabel": "The knob",
    "diverged": "diverged",
    "recorded": "Recorded {recorded}.",
    "all": "all",
    "left": ", and what did not ended at {left:.2f} nats per token on unseen sentences",
    "veiled": "{label}: what does the loss do?",
    "readouts": {
        "validation": "Task, unseen",
        "train": "Task, trained on",
        "base": "Base's own voices",
    },
    "readoutValues": {"validation": "{validation:.3f}", "train": "{train:.3f}", "base": "{base:.3f}"},
    "charts": {
        "task": {"title": "Loss on the task (nats per token)"},
        "base": {"title": "Loss on the base's own voices (nats per token)"},
    },
    "guess": {
        **GUESS,
        "question": "Guess first. {ask}",
        "options": [
            ["falls", "it falls"],
            ["stays", "it stays within 0.05 nats"],
            ["rises", "it rises"],
        ],
        "again": "Guess for this failure",
        "right": "You said that {guess}, and so it is: from {from:.2f} to {to:.2f}.",
        "wrong": "You said that {guess}. Here {truth}: from {from:.2f} to {to:.2f}.",
    },
    "tableHead": ["task, unseen", "task, trained on", "base's own voices"],
    "columns": {"task": "task", "base": "base's own voices"},
    "none": "none",
    "probe": {"all": "{of}: {each}", "each": "{name} {loss:.3f}"},
    "downloads": {"losses": "Losses (CSV)", "picture": "Picture (SVG)"},
}

SNIPPET = """# Run it in the folder of this project.
from compute.experiments.failures import failure_config, load_failures

runs = load_failures().lines[{failure}][{line}][{place}]
for run in runs:  # one for each seed, None for one that diverged
    print("diverged" if run is None else f"unseen {run.validation:.3f}, base's own voices {run.base:.3f}")
print(failure_config({failure}, {line}, {place}))  # compute.training.loop.train(...) runs it again
"""
