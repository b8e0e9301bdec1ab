"""Watch it learn: the reader sees a transformer learn facts and a skill, and what it forgets meanwhile."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from compute.experiments.forgetting import load_forgetting
from compute.experiments.runs import FULL, LAB_TASKS, RECORDED_RANKS, load
from compute.matrices.controls import noise_band
from compute.matrices.spectrum import r90
from compute.training.config import STRENGTHS
from compute.world.tasks import FACTS, NEW_WORDS, SKILL
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
from widgets.finetune import Finetune
from widgets.lab import Lab
from widgets.live.trainer import Trainer
from widgets.strength import Strength

R = 1  # the rank that the lesson looks at
LARGEST = RECORDED_RANKS[-1]
HALF, MOST, TRAINED = STRENGTHS.index(0.5), STRENGTHS.index(0.75), STRENGTHS.index(1)
WIDTH = 64  # of the model: its attention matrices are square
VOICES = ("formal voice", "mirror voice")


def _final(task: str, r: int | str) -> float:
    return load(task, r).validation_loss[-1]


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
        "numbers": run.trainable / run.config["n_texts"],
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
        "after": _right(SKILL, R),
        "facts": _right(SKILL, R, "facts"),
        "full_facts": _right(SKILL, FULL, "facts"),
        "largest": LARGEST,
        "largest_facts": _right(SKILL, LARGEST, "facts"),
    }


def _best_rates() -> Mapping[str, Any]:
    recorded = load_forgetting()
    kept = {way: recorded.mean(SKILL, way, recorded.best(SKILL, way), "facts") for way in ("r = 4", FULL)}
    return {"r": 4, "facts": kept["r = 4"], "full_facts": kept[FULL]}


def _voices() -> Mapping[str, Any]:
    formal, mirror = VOICES
    return {
        "r": R,
        "formal": _final(formal, R),
        "formal_full": _final(formal, FULL),
        "mirror": _final(mirror, R),
        "mirror_full": _final(mirror, FULL),
        "more": 8,
        "mirror_more": _final(mirror, 8),
        "before": load(mirror, R).validation_loss[0],
    }


def _wall() -> Mapping[str, Any]:
    return {
        "best": max(_right(NEW_WORDS, r) for r in RECORDED_RANKS),
        "least": RECORDED_RANKS[0],
        "most": LARGEST,
        "full": _right(NEW_WORDS, FULL),
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
    "best-rates": Claim(
        _best_rates,
        lambda v: v["full_facts"] >= v["facts"] > 0.85,
    ),
    "voices": Claim(
        _voices,
        lambda v: (
            0 < v["formal"] - v["formal_full"] < 0.05
            and v["mirror"] - v["mirror_full"] > 0.1 > v["mirror_more"] - v["mirror_full"]
        ),
    ),
    "wall": Claim(
        _wall,
        lambda v: v["best"] < 0.05 and v["full"] > 0.35,
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
## A model to ask

The first lesson took matrices apart that we had made. This one asks a model, the one that
[you have met](world.html): three small blocks that know some facts about people by heart, and answer questions about
stories that they have never read.

We finetune it on one task at a time, twice. Once with LoRA: every matrix of the base is frozen, and only
`lora_B` and `lora_A` learn. Once with full finetuning, where everything learns. Full finetuning is the
control: if LoRA ends worse, suspect its rank, what stayed frozen, or the learning rate.

Both happen in your own browser, on this page, as soon as you press the button. No text leaves it.

What counts is what is *right*: the answer to a question, or a sentence in the voice that was asked for which can be
said where it stands. And because a model that learns something may forget something else, we go on asking for facts
that the base knew.
"""
    )
    yield Figure("finetune", Finetune)
    yield Try(
        """
Press Finetune. What happens to the old facts while the new ones come right? Then take more facts, until one direction
cannot hold them. [Set the pace to slow](#finetune?pace=slow) and step through the beginning: which of the factors
moves first?
""",
        run={
            "facts, too many for one direction": {"facts": "2048", "batch": "128"},
            "a voice by one direction": {"task": "mirror-voice", "size": "1"},
            "the voice by full finetuning": {"task": "mirror-voice", "size": "full"},
        },
    )
    yield Prose(
        """
## Who moves first

`lora_B` starts at zero, so that the model starts as the base. What the loss says to one factor passes through the
other. So at the first step `lora_A` hears nothing, and only `lora_B` moves. From then on both do. What follows from
that is [a lesson of its own](init.html).

## The same, recorded

Here are five ranks and full finetuning of each task, recorded with torch, so that you can go back and forth in all of
them and compare.
"""
    )
    yield Figure("lab", Lab)
    yield Try(
        """
Press Reset, then Step, and watch the answers come right. What happens to the old facts meanwhile? Then choose “Who had
it first” and do it again.
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
## What it costs

At r = [[sizes.r]] the adapters train [[sizes.adapted:,d]] numbers, [[sizes.share:.1%]] of the [[sizes.full:,d]] that
full finetuning trains. The adapter's file has [[sizes.file:,.0f]] kB. The frozen base is still there, in memory and
in every multiplication. What shrinks is what must be trained, kept by the optimiser, and stored for each task.

## Facts come, facts go

Somebody wants the model to know people whom it has never heard of. Of the [[facts.count]] new facts, the base guesses
[[facts.before:.0%]] rightly. With r = [[facts.r]] all of them are right after [[facts.step]] steps. The thinnest
change there is was enough, because each fact asks for very little. How much fits in before it is not enough is [a
lesson of its own](knee.html).

Now look at the second picture. Before, [[forgotten.before:.0%]] of the facts that the base knew were right.
Afterwards LoRA with r = [[forgotten.r]] has [[forgotten.left:.0%]] of them left and full finetuning
[[forgotten.full:.0%]]. Nobody asked for that. The new facts are asked for in the same words as the old ones, and no
step of training looked at an old name. Questions about stories suffer less: [[stories.stories:.0%]] of those are
still right, and [[stories.stories_full:.0%]] after full finetuning.

The base's weights are untouched by LoRA. But the model that answers is base and adapter together, and that
model has forgotten. Take the adapter off and the base is back.

## A skill is cheaper

“Who had it first?” is a question that the base was never asked, though it can answer who had it last. The base has
[[skill.before:.0%]] right, because it names whoever had the thing last. After [[skill.step]] steps at r = [[skill.r]]
it is [[skill.early:.0%]]. Nothing new has to be stored here: the model already reads the stories, and only has to
look for something else in them. One direction in each matrix is enough.

At the end LoRA with r = [[skill-kept.r]] still has [[skill-kept.facts:.0%]] of the old facts, full finetuning
[[skill-kept.full_facts:.0%]]. Is that the difference between the two methods? With r = [[skill-rank.largest]] at the
same learning rate and scaling, [[skill-rank.largest_facts:.0%]] are left. A larger r takes larger steps at the same
settings. One study of large models found that LoRA usually forgets less than full finetuning, and learns less
[@biderman2024, abstract]. Before you believe it of yours, vary the learning rates of both. [What finetuning leaves
behind](after.html) does: on this skill, with each method at its own best learning rate and r = [[best-rates.r]], LoRA
keeps [[best-rates.facts:.0%]] of the old facts, and full finetuning [[best-rates.full_facts:.0%]].

## Where r matters, and where nothing helps

For the formal voice r = [[voices.r]] ends at [[voices.formal:.2f]] nats, where full finetuning has
[[voices.formal_full:.2f]]. For the mirror it ends at [[voices.mirror:.2f]], with r = [[voices.more]] at
[[voices.mirror_more:.2f]], and full finetuning has [[voices.mirror_full:.2f]]. The formal voice has no word of its
own, so there is little to learn but which form to use. The mirror is a new order of all words, and a rank of one
cannot carry it.

“New words” exchanges every word for one that the model has never read. From r = [[wall.least]] to r = [[wall.most]],
no adapter gets more than [[wall.best:.0%]] of its sentences right. Full finetuning gets [[wall.full:.0%]]. Is it r
that is missing? The [lesson on rank](knee.html) finds out who did it. LoRA's authors say of a new language in a
footnote that a small rank may not do [@hu2021, footnote to section 7.2].

## Turned up and down

An adapter keeps its change apart from the base. So the change can still be multiplied when training is over: the
layer adds `delta_w` times a strength. Zero leaves the base, one is the adapter as it was trained, two adds the
change twice. This asks for no training, only for another scaling.
"""
    )
    yield Figure("strength", Strength)
    yield Try(
        """
[Turn the dial to zero](#strength?strength=0) and press Step until it ends. Where do the answers come right, and where
do they break? Then choose “Who had it first” and look for a strength that keeps both.
"""
    )
    yield Prose(
        """
At half strength the adapter with r = [[half.r]] has [[half.task:.0%]] of the new facts right and [[half.facts:.0%]]
of the old ones, which are [[half.whole:.0%]] at full strength. At twice the strength it has [[half.twice:.0%]] of the
new ones. Facts are brittle: a change that is half made gives half of the answers, and one that is overdone spoils
them.

With the skill of r = [[three-quarters.r]], strength [[three-quarters.strength:.2f]] still answers
[[three-quarters.task:.0%]] rightly, and keeps [[three-quarters.facts:.0%]] of the old facts in place of
[[three-quarters.whole:.0%]]. Training looked for the best change at the strength it used, and never looked at the old
facts. Where they matter, a weaker adapter may be the better one, and trying costs nothing.

Of the [[grows.runs]] recorded adapters, [[grows.worse]] know fewer of the old facts than the base did. None of them
forgot nothing.

## What was learned, taken apart

A run ends with a change for each matrix. We can look at its singular values as in the first lesson. In the attention
matrices of the facts' run, full finetuning keeps nine tenths of the energy of its change in [[ranks.low]] to
[[ranks.high]] of [[ranks.width]] directions. Noise of that shape needs [[ranks.noise]]. That is lower than noise, and
still far more than the one direction with which LoRA did as well. Whether that low number says something about the
task is [a harder question](spectra.html).

This is one small model of a made-up world, one seed and one learning rate for each method. What carries over to a large
one is the way of asking, not the numbers.

## In short

- LoRA freezes the base and trains a few thin matrices beside it.
- The thinnest change there is was enough for a list of facts, and for a skill.
- An adapter can make a model forget. It cannot damage the base, and it can be turned down.
- How much is forgotten depends on the task, the learning rate and the strength, not on the method alone.
"""
    )


LESSON = Lesson(
    slug="lab",
    title="Watch it learn",
    question="How much of a finetune can a thin adapter learn, and what does it cost?",
    part="Rooms",
    order=210,
    minutes=18,
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
                    "base guesses [[facts.before:.0%]] rightly. With r = [[facts.r]] all of them are right after "
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
        Correction(
            "LoRA forgets less than full finetuning.",
            "Often, at one rate each. At the end LoRA with r = [[skill-kept.r]] still has "
            "[[skill-kept.facts:.0%]] of the old facts, full finetuning [[skill-kept.full_facts:.0%]]. "
            "But with a larger r: With r = [[skill-rank.largest]] at the same learning rate and scaling, "
            "[[skill-rank.largest_facts:.0%]] are left. And with a rate chosen for each: on this skill, "
            "with each method at its own best learning rate and r = [[best-rates.r]], LoRA keeps "
            "[[best-rates.facts:.0%]] of the old facts, and full finetuning "
            "[[best-rates.full_facts:.0%]].",
            "lab",
        ),
    ),
)
