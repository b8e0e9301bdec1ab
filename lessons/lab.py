"""The lab: the reader replays, trains and turns adapters up and down, and sees what is learned and forgotten."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from compute.experiments.runs import FULL, LAB_TASKS, RECORDED_RANKS, load
from compute.matrices.controls import noise_band
from compute.matrices.spectrum import r90
from compute.training.config import STRENGTHS
from compute.world.tasks import FACTS, SKILL
from lessons.press.blocks import (
    Answer,
    Block,
    Cited,
    Claim,
    Correction,
    Figure,
    Lesson,
    Live,
    Prose,
    Question,
    Try,
)
from widgets.lab import Lab
from widgets.live.trainer import Trainer
from widgets.strength import Strength

R = 1  # the rank that the lesson looks at
LARGEST = RECORDED_RANKS[-1]
HALF, MOST, TRAINED = STRENGTHS.index(0.5), STRENGTHS.index(0.75), STRENGTHS.index(1)
WIDTH = 64  # of the model: its attention matrices are square


def _right(task: str, r: int | str, what: str = "task") -> float:
    return load(task, r).right[-1][what]


def _sizes() -> Mapping[str, Any]:
    lora, full = load(FACTS, R), load(FACTS, FULL)
    return {
        "r": R,
        "adapted": lora.trainable,
        "full": full.trainable,
        "share": lora.trainable / full.trainable,
        "file": lora.bytes / 1000,
    }


def _facts() -> Mapping[str, Any]:
    run = load(FACTS, R)
    right = [each["task"] for each in run.right]
    return {
        "r": R,
        "count": run.config["n_texts"],
        "before": right[0],
        "after": right[-1],
        "step": run.steps[right.index(1)] if 1 in right else math.inf,
    }


def _forgotten() -> Mapping[str, Any]:
    return {
        "r": R,
        "before": load(FACTS, R).right[0]["facts"],
        "left": _right(FACTS, R, "facts"),
        "full": _right(FACTS, FULL, "facts"),
        "stories": _right(FACTS, R, "stories"),
        "stories_full": _right(FACTS, FULL, "stories"),
    }


def _skill() -> Mapping[str, Any]:
    run = load(SKILL, R)
    return {
        "r": R,
        "before": run.right[0]["task"],
        "early": run.right[1]["task"],
        "step": run.steps[1],
        "facts": _right(SKILL, R, "facts"),
        "full_facts": _right(SKILL, FULL, "facts"),
        "largest": LARGEST,
        "largest_facts": _right(SKILL, LARGEST, "facts"),
    }


def _half() -> Mapping[str, Any]:
    run = load(FACTS, R)
    right = run.strengths["right"]
    return {
        "r": R,
        "task": right[HALF]["task"],
        "facts": right[HALF]["facts"],
        "whole": right[TRAINED]["facts"],
        "twice": right[-1]["task"],
    }


def _three_quarters() -> Mapping[str, Any]:
    right = load(SKILL, R).strengths["right"]
    return {
        "r": R,
        "strength": STRENGTHS[MOST],
        "task": right[MOST]["task"],
        "facts": right[MOST]["facts"],
        "whole": right[TRAINED]["facts"],
    }


def _grows() -> Mapping[str, Any]:
    runs = [load(task, r) for task in LAB_TASKS for r in RECORDED_RANKS]
    ends = [(run.strengths["right"][0]["facts"], run.strengths["right"][TRAINED]["facts"]) for run in runs]
    return {"runs": len(runs), "worse": sum(after < before for before, after in ends)}


def _ranks() -> Mapping[str, Any]:
    spectra = load(FACTS, FULL).spectra
    square = [r90(np.array(s)) for layer, s in spectra.items() if "attention" in layer]
    return {
        "low": min(square),
        "high": max(square),
        "width": WIDTH,
        "noise": r90(noise_band((WIDTH, WIDTH)).s[1]),
    }


CLAIMS: Mapping[str, Claim | Cited] = {
    "sizes": Claim(
        _sizes,
        lambda v: v["adapted"] < v["full"] / 50 and v["file"] < 25,
    ),
    "facts": Claim(
        _facts,
        lambda v: v["before"] < 0.15 and v["after"] == 1 and v["step"] <= 200,
    ),
    "forgotten": Claim(
        _forgotten,
        lambda v: v["before"] > 0.95 and max(v["left"], v["full"]) < 0.25,
    ),
    "stories": Claim(
        _forgotten,
        lambda v: v["left"] + 0.4 < v["stories"] < v["stories_full"],
    ),
    "skill": Claim(
        _skill,
        lambda v: v["before"] < 0.05 and v["early"] > 0.9,
    ),
    "skill-kept": Claim(
        _skill,
        lambda v: v["facts"] > 0.6 > 0.2 > v["full_facts"],
    ),
    "skill-rank": Claim(
        _skill,
        lambda v: v["largest_facts"] < 0.1,
    ),
    "half": Claim(
        _half,
        lambda v: 0.3 < v["task"] < 0.7 and v["facts"] > v["whole"] + 0.3 and v["twice"] < 0.6,
    ),
    "three-quarters": Claim(
        _three_quarters,
        lambda v: v["task"] > 0.9 and v["facts"] > v["whole"] + 0.1,
    ),
    "grows": Claim(
        _grows,
        lambda v: v["worse"] == v["runs"],
    ),
    "ranks": Claim(
        _ranks,
        lambda v: v["high"] < v["noise"],
    ),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
This is the room where things are trained. In [the first adapter](first.html) your own browser finetunes the small
model. Here are the larger instruments: recorded runs that you can wind back and forth, a live part in which a server
trains what you choose, and a dial that turns an adapter up and down when its training is over.

In all three the model is [the base of the world](world.html), finetuned on one task at a time and twice: with LoRA,
where every matrix of the base is frozen and `lora_B` and `lora_A` learn, and by full finetuning, where everything does.
Full finetuning is the control. If LoRA ends worse, suspect its rank, what stayed frozen, or the learning rate.

What counts is what is *right*: the answer to a question, or a sentence that is told as it should be and is true in
its story. A model that learns one thing may forget another, so we go on asking for facts that the base knew.
"""
    )
    yield Figure("lab", Lab)
    yield Try(
        """
Press Reset, then Step, and watch the answers come right, while you keep an eye on the old facts. Then choose [another
task](#lab?task=who-had-it-first) and do it again. The lower charts take the finished run apart: how its end depends on
the rank, and which singular values the change of a layer has.
""",
        run={
            "facts, too many for one direction": {"facts": "2048", "batch": "128"},
            "a voice by one direction": {"task": "mirror-voice", "size": "1"},
            "the voice by full finetuning": {"task": "mirror-voice", "size": "full"},
        },
    )
    yield Prose(
        """
## What to look for

**Size.** At r = [[sizes.r]] the adapters train [[sizes.adapted:,d]] numbers, [[sizes.share:.1%]] of what full
finetuning trains, and fill a file of [[sizes.file:,.0f]] kB. The frozen base is still there, in memory and in every
multiplication. What shrinks is what must be trained, kept by the optimiser, and stored for each task.

**Facts come, facts go.** Of the [[facts.count]] new facts the base guesses [[facts.before:.0%]], and with r =
[[facts.r]] all of them are right after [[facts.step]] steps. Meanwhile the old ones go from [[forgotten.before:.0%]] to
[[forgotten.left:.0%]]. The new facts are asked for in the same words as the old, and no step of training looked at an
old name. Questions about stories suffer less, with [[stories.stories:.0%]] right at the end: a story is followed, and a
fact has to be remembered.

**A skill is cheaper.** “Who had it first?” is a question that the base was never asked, and it answers with whoever had
the thing last. After [[skill.step]] steps [[skill.early:.0%]] are right: nothing new has to be stored, the model only
has to look for something else in what it reads. Of the old facts r = [[skill-kept.r]] leaves [[skill-kept.facts:.0%]],
and full finetuning [[skill-kept.full_facts:.0%]].

Before you take that for a law, raise the rank. At the same settings r = [[skill-rank.largest]] leaves
[[skill-rank.largest_facts:.0%]], because a larger r takes larger steps. One study of a far larger model found that LoRA
usually forgets less than full finetuning, and learns less [@biderman2024, abstract]; [what finetuning leaves
behind](after.html#forgetting) varies the learning rates of both.

**The shape of what was learned.** In the attention matrices of the facts' run full finetuning keeps nine tenths of the
energy of its change in at most [[ranks.high]] of [[ranks.width]] directions, where noise needs [[ranks.noise]]. That is
lower than noise, and far more than the one direction with which LoRA did as well. [The shape of a change](spectra.html)
asks what it means.

## Train what you like

The figure above replays. The next part trains, in Python and in front of you: choose a task, a rank, a scaling, a
learning rate, the matrices and blocks that have adapters, or one of the other methods. It draws the run while it goes
and puts full finetuning beside it. “Train every r” sweeps the rank, and “Map rank and rate” tries both together, which
a GPU does as one job and a processor one after the other. When a run is finished you may keep it, in the format that
PEFT reads, and an adapter that you have trained elsewhere on this base can be opened here and measured.
"""
    )
    yield Live(
        "train",
        title="Train it yourself",
        invitation="Train it yourself",
        without="""
The served app has a live part here: it trains this model in front of you, with a rank, a learning rate and matrices of
your choice, and hands you the adapter. The figure above replays runs that were recorded.
""",
        make=Trainer,
    )
    yield Prose(
        """
## Turned up and down

An adapter keeps its change apart from the base, so that the change can still be multiplied when training is over: the
layer adds `delta_w` times a strength. Zero leaves the base, one is the adapter as it was trained, two adds the change
twice. This asks for no training, only for another scaling.
"""
    )
    yield Figure("strength", Strength)
    yield Try(
        """
[Turn the dial to zero](#strength?strength=0) and press Step until it ends. Where do the answers come right, and where
do they break? Then choose [“Who had it first”](#strength?task=who-had-it-first) and look for a strength that keeps
both.
""",
        run={
            "new facts, to turn the dial when they are learned": {"facts": "128", "size": "1"},
            "the skill": {"task": "who-had-it-first", "size": "1"},
        },
    )
    yield Prose(
        """
At half strength the adapter with r = [[half.r]] has [[half.task:.0%]] of the new facts right and [[half.facts:.0%]] of
the old ones, which are [[half.whole:.0%]] at full strength; at twice the strength it has [[half.twice:.0%]] of the new
ones. Facts are brittle: a change that is half made gives half of the answers, and one that is overdone spoils them.

A skill bears more. At strength [[three-quarters.strength:.2f]] its adapter still gets [[three-quarters.task:.0%]]
right, and keeps [[three-quarters.facts:.0%]] of the old facts in place of [[three-quarters.whole:.0%]]. Training
looked for the best change at the strength that it used, and never looked at the old facts. Where they matter, a weaker
adapter may be the better one, and trying costs nothing.

## What this does not show

The recorded runs have one seed and one learning rate for each method, on one small model of a made-up world. All
[[grows.runs]] adapters among them know fewer of the old facts than the base did. What carries over to a large model is
the way of asking, not the numbers.
"""
    )


LESSON = Lesson(
    slug="lab",
    title="The lab",
    question="What can be trained, replayed and turned up here, and what is there to look for?",
    part="Rooms",
    order=210,
    minutes=8,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "An adapter has learned new facts, and the old ones come out wrong. What has happened to the base?",
            (
                Answer(
                    "Nothing: take the adapter off, and it knows them",
                    "The model that answers is base and adapter together. Before, [[forgotten.before:.0%]] of the"
                    " facts that the base knew were right. Afterwards LoRA with r = [[forgotten.r]] has "
                    "[[forgotten.left:.0%]] of them left and full finetuning [[forgotten.full:.0%]].",
                    right=True,
                ),
                Answer("Its weights were overwritten", "They are frozen. The answers changed all the same."),
                Answer(
                    "It ran out of room",
                    "The new facts fit into the thinnest change there is. Of the [[facts.count]] new facts, the "
                    "base guesses [[facts.before:.0%]]. With r = [[facts.r]] all of them are right after "
                    "[[facts.step]] steps.",
                ),
            ),
        ),
        Question(
            "Why does the skill cost so few of the old facts, where new facts cost most of them?",
            (
                Answer(
                    "It asks for another place to look, and has nothing to store",
                    "It is learned after very few steps. The base has [[skill.before:.0%]] right, because it "
                    "names whoever had the thing last. After [[skill.step]] steps at r = [[skill.r]] it is "
                    "[[skill.early:.0%]]. At the end LoRA with r = [[skill-kept.r]] still has "
                    "[[skill-kept.facts:.0%]] of the old facts, full finetuning [[skill-kept.full_facts:.0%]].",
                    right=True,
                ),
                Answer("Its adapter has a smaller rank", "The rank is the same in both."),
                Answer(
                    "It is trained with LoRA",
                    "So are the facts. And with a larger r LoRA forgets here, too. With r = "
                    "[[skill-rank.largest]] at the same learning rate and scaling, "
                    "[[skill-rank.largest_facts:.0%]] are left.",
                ),
            ),
        ),
    ),
    corrections=(
        Correction(
            "LoRA leaves the base as it is, so the model forgets nothing.",
            "The base's weights stay. The model that answers is base and adapter together. Before, "
            "[[forgotten.before:.0%]] of the facts that the base knew were right. Afterwards LoRA with r "
            "= [[forgotten.r]] has [[forgotten.left:.0%]] of them left and full finetuning "
            "[[forgotten.full:.0%]].",
            "lab",
        ),
    ),
)
