"""Watch it learn: the reader sees a transformer learn a voice by LoRA and by full finetuning, and where r matters."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from compute.experiments.runs import (
    FULL_LEARNING_RATES,
    FULL_SLOW,
    RECORDED_RANKS,
    WITH_EMBEDDINGS,
    load,
    recorded_of,
)
from compute.matrices.controls import noise_band
from compute.matrices.spectrum import r90
from compute.text.voices import NEW_VOICES, TASKS
from compute.training.config import STRENGTHS
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

KNOWN = ("legal", "medical", "code")  # voices that the base has read a little of
LARGEST = RECORDED_RANKS[-1]
HALF, TRAINED = STRENGTHS.index(0.5), STRENGTHS.index(1)
WIDTH = 64  # of the model: its attention matrices are square


def _final(task: str, r: int | str) -> float:
    return load(task, r).validation_loss[-1]


def _sizes() -> Mapping[str, Any]:
    lora, full = load("legal", 4), load("legal", "full")
    return {
        "r": 4,
        "adapted": lora.trainable,
        "full": full.trainable,
        "share": lora.trainable / full.trainable,
        "file": lora.bytes / 1000,
    }


def _known() -> Mapping[str, Any]:
    return {"least": 1, "largest": max(abs(_final(task, 1) - _final(task, "full")) for task in KNOWN)}


def _wall(task: str) -> Mapping[str, Any]:
    return {
        "before": load(task, 1).validation_loss[0],
        "one": _final(task, 1),
        "largest": _final(task, LARGEST),
        "least": 1,
        "rank": LARGEST,
        "full": _final(task, "full"),
    }


def _forgetting(task: str) -> Mapping[str, Any]:
    lora, full = load(task, 4), load(task, "full")
    return {"r": 4, "before": lora.base_loss[0], "adapted": lora.base_loss[-1], "full": full.base_loss[-1]}


def _embeddings() -> Mapping[str, Any]:
    runs = [load(task, WITH_EMBEDDINGS) for task in NEW_VOICES]
    return {
        "r": 4,
        "dialect": _final("dialect", WITH_EMBEDDINGS),
        "language": _final("new language", WITH_EMBEDDINGS),
        "above": max(_final(task, WITH_EMBEDDINGS) - _final(task, "full") for task in NEW_VOICES),
        "trained": runs[0].trainable,
        "rank": 16,
        "more": load("dialect", 16).trainable,
    }


def _slow_known() -> Mapping[str, Any]:
    slow = [load(task, FULL_SLOW).base_loss[-1] for task in KNOWN]
    lora = [load(task, 4).base_loss[-1] for task in KNOWN]
    return {
        "slow": FULL_LEARNING_RATES[FULL_SLOW],
        "usual": FULL_LEARNING_RATES["full"],
        "fit": max(abs(_final(task, FULL_SLOW) - _final(task, "full")) for task in KNOWN),
        "low": min(slow),
        "high": max(slow),
        "r": 4,
        "lora_low": min(lora),
        "lora_high": max(lora),
    }


def _slow_new() -> Mapping[str, Any]:
    ends = {
        f"{name}_{task.split()[-1]}": load(task, r).base_loss[-1]
        for task in NEW_VOICES
        for name, r in (("slow", FULL_SLOW), ("lora", 4))
    }
    gains = [min(_final(task, r) for r in RECORDED_RANKS) - _final(task, FULL_SLOW) for task in NEW_VOICES]
    return {**ends, "r": 4, "better": min(gains)}


def _half() -> Mapping[str, Any]:
    kept, lost = [], []
    for task in TASKS:
        losses = load(task, 4).strengths
        loss, base = losses["validation_loss"], losses["base_loss"]
        kept.append((loss[0] - loss[HALF]) / (loss[0] - loss[TRAINED]))
        lost.append((base[HALF] - base[0]) / (base[TRAINED] - base[0]))
    return {"r": 4, "kept": min(kept), "lost": max(lost)}


def _grows() -> Mapping[str, Any]:
    runs = [load(task, r) for task in TASKS for r in recorded_of(task)]
    rises = [run.strengths["base_loss"][: TRAINED + 1] for run in runs if run.strengths]
    return {"runs": len(rises), "rising": sum(rise == sorted(set(rise)) for rise in rises)}


def _best() -> Mapping[str, Any]:
    losses = {(task, r): load(task, r).strengths["validation_loss"] for task in TASKS for r in RECORDED_RANKS}
    best = {run: STRENGTHS[int(np.argmin(loss))] for run, loss in losses.items()}
    known = {run: strength for run, strength in best.items() if run[0] in KNOWN}
    return {
        "count": len(STRENGTHS),
        "new": {strength for run, strength in best.items() if run not in known},
        "trained": STRENGTHS[TRAINED],
        "low": min(known.values()),
        "high": max(known.values()),
        "gain": max(losses[run][TRAINED] - min(losses[run]) for run in known),
    }


def _ranks() -> Mapping[str, Any]:
    spectra = load("legal", "full").spectra
    square = [r90(np.array(s)) for layer, s in spectra.items() if "attention" in layer]
    return {
        "low": min(square),
        "high": max(square),
        "width": WIDTH,
        "noise": r90(noise_band((WIDTH, WIDTH)).s[1]),
    }


CLAIMS: Mapping[str, Claim | Cited] = {
    "sizes": Claim(
        "At r = {r} its adapters train {adapted:,d} numbers, {share:.0%} of the {full:,d} that full finetuning "
        "trains. The adapter's file has {file:,.0f} kB.",
        _sizes,
        lambda v: v["adapted"] < v["full"] and v["file"] < 100,
    ),
    "known": Claim(
        "For legal, medical and code voice, r = {least} ends within {largest:.3f} nats of full finetuning.",
        _known,
        lambda v: v["largest"] < 0.01,
    ),
    "dialect": Claim(
        "For the dialect the loss falls from {before:.1f} to {one:.2f} at r = {least} and to {largest:.2f} at "
        "r = {rank}; full finetuning reaches {full:.2f}.",
        lambda: _wall("dialect"),
        lambda v: v["before"] > v["one"] > v["largest"] + 0.05 and v["largest"] > v["full"],
    ),
    "language": Claim(
        "For the new language it is {one:.2f} at r = {least} and {largest:.2f} at r = {rank}; full finetuning reaches "
        "{full:.2f}.",
        lambda: _wall("new language"),
        lambda v: v["one"] > v["largest"] + 0.1 and v["largest"] > v["full"] + 0.1,
    ),
    "forgets-less": Claim(
        "While it learned the legal voice, the loss on the base's own voices went from {before:.2f} to {adapted:.2f} "
        "with LoRA at r = {r}, and to {full:.2f} with full finetuning.",
        lambda: _forgetting("legal"),
        lambda v: v["before"] < v["adapted"] < v["full"] - 0.3,
    ),
    "forgets-more": Claim(
        "While it learned the new language it went to {adapted:.1f} with LoRA, and to {full:.1f} with full finetuning.",
        lambda: _forgetting("new language"),
        lambda v: v["adapted"] > v["full"] > v["before"] + 1,
    ),
    "embeddings": Claim(
        "With r = {r} and embeddings that learn too, the loss ends at {dialect:.2f} for the dialect and at "
        "{language:.2f} for the new language. That trains {trained:,d} numbers, fewer than r = {rank} without them "
        "({more:,d}).",
        _embeddings,
        lambda v: abs(v["above"]) < 0.02 and v["trained"] < v["more"],
    ),
    "slow-known": Claim(
        "At a learning rate of {slow:g} in place of {usual:g}, full finetuning learns the known voices as well, within "
        "{fit:.3f} nats. The loss on the base's own voices then ends at {low:.2f} to {high:.2f}. LoRA at r = {r} ends "
        "at {lora_low:.2f} to {lora_high:.2f}.",
        _slow_known,
        lambda v: v["fit"] < 0.01 and abs(v["low"] - v["lora_low"]) < 0.1 > abs(v["high"] - v["lora_high"]),
    ),
    "slow-new": Claim(
        "For the dialect it ends at {slow_dialect:.1f} where LoRA has {lora_dialect:.1f}, for the new language at "
        "{slow_language:.1f} where LoRA has {lora_language:.1f}. It also fits them better "
        "than any r with frozen embeddings, by {better:.2f} nats or more.",
        _slow_new,
        lambda v: (
            v["better"] > 0.05
            and v["slow_dialect"] < v["lora_dialect"] - 1
            and v["slow_language"] < v["lora_language"] - 1
        ),
    ),
    "half": Claim(
        "At half strength the adapters with r = {r} keep {kept:.0%} or more of what they gained on their task. Of "
        "their forgetting {lost:.0%} or less is left.",
        _half,
        lambda v: v["kept"] > 0.85 and v["lost"] < 0.5,
    ),
    "grows": Claim(
        "In each of the {runs} recorded LoRA runs forgetting grows with every quarter up to full strength.",
        _grows,
        lambda v: v["rising"] == v["runs"],
    ),
    "best": Claim(
        "Of the {count} strengths measured, {trained:.0f} is the best for both new voices, at every r. For the known "
        "ones the best lies between {low:.2f} and {high:.2f}, and gains {gain:.3f} nats at most.",
        _best,
        lambda v: v["new"] == {v["trained"]} and v["low"] <= v["trained"] <= v["high"] and v["gain"] < 0.005,
    ),
    "ranks": Claim(
        "In the attention matrices of the legal run, full finetuning keeps nine tenths of the energy of its change "
        "in {low} to {high} of {width} directions. Noise of that shape needs {noise}.",
        _ranks,
        lambda v: v["high"] < v["noise"],
    ),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
## A model to ask

The first lesson took matrices apart that we had made. This one asks a model. It
is a small transformer, the same in kind as the large ones: three blocks, attention and a two-layer network in
each. It has read short sentences in eight voices, mostly plain ones.

We finetune it on one task at a time, twice. Once with LoRA: every matrix of the base is frozen, and only
`lora_B` and `lora_A` learn. Once with full finetuning, where everything learns. Full finetuning is the
control. What LoRA gives up against it, it gives up to its rank, or to what stays frozen beside it.

The *loss* is the mean surprise of the model at the next word, in nats. We measure it on sentences that no run
has trained on. We also measure it on the base's own voices, because a model that learns something may forget
something else.
"""
    )
    yield Figure("lab", Lab)
    yield Try(
        """
Press Reset, then Step, and read what the model writes. Then choose “New language” and do it again. Which of
the two tasks did the base half know already?
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

[[sizes]] The frozen base is still there, in memory and in every multiplication. What shrinks is what must be
trained, kept by the optimiser, and stored for each task.

## Where r does not matter

Some tasks ask for little. [[known]] The base has met these voices, and the change only has to call them up. A
larger r buys nothing here.

## Where it does

Two tasks were kept from the base. The dialect exchanges a third of all words. [[dialect]]

The new language exchanges every word. [[language]] Raising r helps, and then it stops helping. Is it r that is
missing? The embeddings of the words stay frozen too, and a new language is above all new words. So we let them
learn. [[embeddings]] The wall is gone: it was not the rank.

So there is no rank that is right for all tasks. Where the curve goes flat is a question to ask of each task,
and a sweep like the one above answers it. LoRA's authors say the same of a new language in a footnote: a
small rank may not do [@hu2021, footnote to section 7.2].

## What it forgets

[[forgets-less]] Here LoRA forgot less. One study of large models found the same, usually
[@biderman2024, abstract]. Usually is not always. [[forgets-more]]

The rate of learning has a say in this. [[slow-known]] The gap has all but closed.

For the new voices slow full finetuning even forgets less. [[slow-new]]

LoRA kept its one rate in all this. So a gap in forgetting says little about two methods until the rates of both
have been varied.

The base's weights are untouched by LoRA. But the model that answers is base and adapter together, and that
model has forgotten. Take the adapter off and the base is back.

## Turned up and down

An adapter keeps its change apart from the base. So the change can still be multiplied when training is over: the
layer adds `delta_w` times a strength. Zero leaves the base, one is the adapter as it was trained, two adds the
change twice. This asks for no training, only for another scaling.
"""
    )
    yield Figure("strength", Strength)
    yield Try(
        """
Turn the dial to zero and press Step until it ends. Where does the voice change, and where do the sentences
break? Then choose “New language” and do it again.
"""
    )
    yield Prose(
        """
[[half]] The two do not grow together. Most of the task is won on the first half of the way, and most of the
forgetting comes on the second.

[[grows]] The task is another matter. [[best]] That is no wonder: training looked for the best change at the
strength it used. It never looked at the base's own voices. Where they matter, a weaker adapter may be the better
one, and trying costs nothing.

## What was learned, taken apart

A run ends with a change for each matrix. We can look at its singular values as in the first lesson. [[ranks]]
That is lower than noise. It is not tiny. LoRA with a small r does as well on this task all the same: a task
may need less than rebuilding the whole change.

This is one small model with made-up sentences. What carries over to a large one is the way of asking, not the
numbers.

## In short

- LoRA freezes the base and trains a few thin matrices beside it.
- For what the base half knows, the smallest r is enough here. For a new language no r is, until the embeddings
  learn too.
- An adapter can make a model forget. It cannot damage the base, and it can be turned down.
- How much is forgotten depends on the learning rate and the strength, not on the method alone.
"""
    )


LESSON = Lesson(
    slug="lab",
    title="Watch it learn",
    question="How much of a finetune can a thin adapter learn, and what does it cost?",
    part="How it works",
    order=20,
    minutes=20,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "LoRA learns the new language and stops above full finetuning, at every r. What helped?",
            (
                Answer("A larger r", "It helped little beyond the first few. [[language]]"),
                Answer("More strength", "Full strength was the best there. [[best]]"),
                Answer(
                    "Embeddings that learn too",
                    "The words were new, so rank was not what it lacked. [[embeddings]]",
                    right=True,
                ),
            ),
        ),
        Question(
            "The base is frozen. Can the adapted model forget what the base knew?",
            (
                Answer(
                    "Yes, and its strength can be turned down",
                    "The model that answers is base and adapter together. [[forgets-more]] [[half]]",
                    right=True,
                ),
                Answer(
                    "No, its weights are still there",
                    "They are. But another answer comes out. [[forgets-less]]",
                ),
                Answer(
                    "Yes, and always less than full finetuning",
                    "Not always: the learning rate matters. [[slow-new]]",
                ),
            ),
        ),
    ),
    corrections=(
        Correction(
            "LoRA leaves the base as it is, so the model forgets nothing.",
            "The base's weights stay. The model that answers is base and adapter together. [[forgets-less]] "
            "[[forgets-more]]",
            "lab",
        ),
        Correction(
            "LoRA forgets less than full finetuning.",
            "Often, at one rate each. [[slow-known]] [[slow-new]]",
            "lab",
        ),
    ),
)
