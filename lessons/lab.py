"""Watch it learn: the reader sees a transformer learn a voice by LoRA and by full finetuning, and where r matters."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from compute.noise import noise_band
from compute.recorded import RECORDED_RANKS, load
from compute.spectrum import r90
from lessons._blocks import Block, Cited, Claim, Figure, Lesson, Live, Prose, Try
from widgets.lab import Lab
from widgets.trainer import Trainer

KNOWN = ("legal", "medical", "code")  # voices that the base has read a little of
LARGEST = RECORDED_RANKS[-1]
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
control. What LoRA gives up against it, it gives up because of its rank.

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
missing? The embeddings of the words stay frozen too, and a new language is above all new words. A later lesson
lets them learn.

So there is no rank that is right for all tasks. Where the curve goes flat is a question to ask of each task,
and a sweep like the one above answers it. LoRA's authors say the same of a new language in a footnote: a
small rank may not do [@hu2021, footnote to section 7.2].

## What it forgets

[[forgets-less]] Here LoRA forgot less. One study of large models found the same, usually
[@biderman2024, abstract]. Usually is not always. [[forgets-more]]

Each of these runs has one learning rate, and the rate decides much of what is forgotten, for both methods. So
read the gap as one case, not as a law.

The base's weights are untouched by LoRA. But the model that answers is base and adapter together, and that
model has forgotten. Take the adapter off and the base is back.

## What was learned, taken apart

A run ends with a change for each matrix. We can look at its singular values as in the first lesson. [[ranks]]
That is lower than noise. It is not tiny. LoRA with a small r does as well on this task all the same: a task
may need less than rebuilding the whole change.

This is one small model with made-up sentences. What carries over to a large one is the way of asking, not the
numbers.

## In short

- LoRA freezes the base and trains a few thin matrices beside it.
- For what the base half knows, the smallest r is enough here. For a new language no r is.
- An adapter can make a model forget. It cannot damage the base.
"""
    )


LESSON = Lesson(
    slug="lab",
    title="Watch it learn",
    question="How much of a finetune can a thin adapter learn, and what does it cost?",
    order=20,
    minutes=15,
    claims=CLAIMS,
    build=build,
)
