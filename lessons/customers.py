"""Why anybody wants a thin change: the reader can say what a finetune adds, and what it costs to keep and to train."""

from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any

from compute.costs.architectures import ARCHITECTURES, block_matrices, parameters
from compute.costs.counting import lora_numbers
from compute.costs.memory import GB, PRECISIONS, full_states, lora_states
from compute.costs.storing import BYTES, adapters_bytes, copies_bytes, most_saved
from lessons.press.blocks import (
    Answer,
    Block,
    Cited,
    Claim,
    Figure,
    Lesson,
    Prediction,
    Prose,
    Question,
    Stop,
    Teaching,
    Try,
)
from widgets.counting import Counting
from widgets.storage import Storage

NAME, R, CUSTOMERS = "llama-2-70b", 16, 50
WIDEST = 256  # the largest rank that the figures offer
MODEL = ARCHITECTURES[NAME]
TARGETS = "all-linear"
BILLION = 10**9


def _copies() -> Mapping[str, Any]:
    return {
        "label": MODEL.label,
        "billions": parameters(MODEL) / BILLION,
        "one": copies_bytes(MODEL, 1) / GB,
        "all": copies_bytes(MODEL, CUSTOMERS) / GB,
        "bytes": BYTES,
        "tasks": CUSTOMERS,
    }


def _matrix() -> Mapping[str, Any]:
    shape = block_matrices(MODEL)["q_proj"]
    return {"side": shape[0], "numbers": shape[0] * shape[1], "square": shape[0] == shape[1]}


def _notes() -> Mapping[str, Any]:
    copies, notes = copies_bytes(MODEL, CUSTOMERS), adapters_bytes(MODEL, TARGETS, R, CUSTOMERS)
    return {
        "r": R,
        "notes": notes / GB,
        "each": lora_numbers(MODEL, TARGETS, R) * BYTES / GB,
        "base": copies_bytes(MODEL, 1) / GB,
        "ratio": copies / notes,
        "limit": most_saved(MODEL, TARGETS, R),
        "alone": adapters_bytes(MODEL, TARGETS, R, 1) - copies_bytes(MODEL, 1),
        "widest": WIDEST,
        "even": ceil(most_saved(MODEL, TARGETS, WIDEST)),
    }


def _memory() -> Mapping[str, Any]:
    numbers, trained = parameters(MODEL), lora_numbers(MODEL, TARGETS, R)
    each = PRECISIONS["mixed"]
    full, lora = full_states(numbers, "mixed"), lora_states(numbers, trained, "mixed")
    return {
        "trained": sum(each),
        "frozen": each.weights,
        "full": sum(full) / GB,
        "adapted": sum(lora) / GB,
        "base": numbers * each.weights / GB,
    }


CLAIMS: Mapping[str, Claim | Cited] = {
    "copies": Claim(
        _copies,
        lambda v: v["tasks"] == 50 and v["bytes"] == 2 and 69 <= round(v["billions"]) < 70,
    ),
    "matrix": Claim(
        _matrix,
        lambda v: v["square"] and v["numbers"] == v["side"] ** 2,
    ),
    "notes": Claim(
        _notes,
        lambda v: 40 < v["ratio"] < CUSTOMERS and v["alone"] > 0 and v["each"] < v["base"] / 300,
    ),
    "limit": Claim(
        _notes,
        lambda v: v["ratio"] < v["limit"],
    ),
    "wide": Claim(
        _notes,
        lambda v: v["even"] < CUSTOMERS,  # fifty such notes are thicker than the binder
    ),
    "memory": Claim(
        _memory,
        lambda v: (
            v["trained"] == 16
            and v["frozen"] == 2
            and v["full"] > 7 * v["adapted"]
            and v["adapted"] < 1.05 * v["base"]
        ),
    ),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
Imagine a company that answers letters for fifty customers with the help of one language model. Each of them wants a
voice of its own and wants its own facts known: a law firm that never says hello, a bicycle shop whose tyres come in
thirty sizes, a clinic that must not call a rash harmless. The model knows none of this. So for each customer the
company takes a copy of the model, trains the copy a little further on that customer's letters, and puts fifty models on
its shelf.

Such training is called *finetuning*. Somebody else has already trained the model, at great cost, on more text than
anybody could read. We only show it some texts of our own, ask it to guess each next word, and after every few texts
adjust its numbers a little in the direction that would have made its guesses better. There is no other trick: the same
training simply goes on, with different texts.

## Fifty binders on a shelf

What comes out of a finetune is a file as large as what went in, because every number in it was allowed to move. Suppose
the model is [[copies.label]], which has [[copies.billions:.0f]] billion numbers [@touvron2023, released configuration].
At two bytes each, one copy takes [[copies.one:,.0f]] GB, and fifty take [[copies.all:,.0f]] GB.

Picture a shelf with fifty thick binders. All of them hold the same book, copied out fifty times, and in each copy
somebody has made pencil corrections for one customer. When a mistake is found in the book, it has to be corrected fifty
times; when a customer leaves, a whole binder is thrown away for the sake of its pencil marks. Nobody would run a
library like that. You would keep a single binder and write, for each customer, a note to slip into it that says what to
read differently.

How thick is such a note? We can find out what was changed, because we have both models: take any matrix of the model's
numbers (its *weights*) as it is after the finetune, and subtract the same matrix as it was before. The difference is a
matrix of the same shape. It is called `delta_w`, and we will meet it on nearly every page that follows. Nothing is lost
in this step, since the old matrix plus the difference is the new one. But nothing is won either. In this model a single
matrix may have [[matrix.side:,d]] rows and as many columns, which makes [[matrix.numbers:,d]] numbers, and its
difference has exactly as many. Written out in full, the note is as thick as the binder.

Two questions are easily mistaken for one here. How many numbers is a change *allowed* to have? All of them, if we let
all of them move, and we did so only because it was the simplest thing to do. How many does it *need*? Nobody has asked
that yet. Does a law firm's way of writing really take [[copies.billions:.0f]] billion corrections?

## One binder and fifty notes

LoRA, short for *low-rank adaptation*, is a bet that it takes far fewer [@hu2021, section 4.1]. It leaves the big model,
the *base*, exactly as it is. Next to each matrix that is to change, it trains two thin ones, whose product is the
change. How thin they are is set by a number that everybody calls r. What r counts is the subject of [the chapter after
next](rank.html); until then it is enough to know that a small r means thin matrices. All the thin matrices of one
customer together are an *adapter*. That is our note.

The next figure compares the two shelves: in grey, a whole copy for each customer; in gold, one base and an adapter for
each.
"""
    )
    yield Figure("storage", Storage, dict(model=NAME, targets=TARGETS, r=R, tasks=CUSTOMERS))
    yield Try(
        """
Go down to [a single customer](#storage?tasks=1), then back to [fifty](#storage?tasks=50). How much does LoRA save when
there is only one? Then make the notes [as thick as the figure allows](#storage?r=256&tasks=50), and look where the
golden line begins to climb.
"""
    )
    yield Prose(
        """
With one customer there is no saving at all, since the binder has to be on the shelf anyway and the note comes on top.
With fifty, one base and all its notes take [[notes.notes:,.0f]] GB, which is [[notes.ratio:.0f]] times less than the
copies. (For the number in the figure now, [[#storage.tasks:,d]], it is [[#storage.ratio:,.1f]] times.) Each note takes
[[notes.each:.2f]] GB, so one more customer costs hardly anything. With ever more of them the saving approaches
[[limit.limit:,.0f]] times, the size of the base divided by that of a note.

Thick notes spoil it. At r = [[wide.widest]] the notes of [[wide.even]] customers already take more room than the base
itself, and from then on it is mostly the notes that you pay for.

## What training keeps in memory

Disks are cheap, and for many people the shelf is not what hurts. Training hurts. The usual recipe keeps
[[memory.trained]] bytes in the card's memory for each number that may move. They hold the number itself, the gradient
that says which way it should go, and the records of the *optimiser*, which is the part that does the moving: a more
precise copy of the number and two averages of its past gradients [@rajbhandari2020, section 3]. A number that is
*frozen*, only read and never changed, needs [[memory.frozen]] bytes.
"""
    )
    yield Figure(
        "memory",
        Counting,
        dict(model=NAME, targets=TARGETS, r=R, guess="skip", hide=["model", "guess", "numbers"]),
    )
    yield Try(
        """
Move r from one end to the other. Which part of LoRA's bar responds, and which does not move at all? Compare both bars
with the vertical lines: each marks the memory of a card on the market.
"""
    )
    yield Prose(
        """
To finetune all of this model takes [[memory.full:,.0f]] GB before a single text is read; with LoRA it takes
[[memory.adapted:,.0f]] GB. The gradients and the optimiser's records are nearly gone, because almost nothing moves any
more. The base itself has stayed: to use a note, you still have to open the binder. The third bar stores the base less
precisely, which [a later chapter](qlora.html) tries out, and [the counting room](counting.html) takes all of these bars
apart.

## Whose note is it?

Once base and change are two files, they can go separate ways. The base, the adapters and the rule that says which
letter gets which adapter are separate parts, and each can have its own versions. A mistake in the clinic's note is
corrected without touching the other forty-nine. When the bicycle shop leaves, it takes its note along or has it
deleted, and nothing of its letters remains in the base, since the base never learned from them. A customer may even
keep her note at home and lend it out only while a letter is being written.

Two things do not follow. A note is no safer to give away than the letters it was made from, because a model with the
note slipped in may repeat some of them. And a note fits only one binder: it says what to add to *these* numbers, so a
new base needs new notes.

## What this does not show

Everything on this page was counted, and nothing was measured. The figures say what a thin change would save, if a thin
change were enough; they cannot tell whether the letters are any good with it. They also leave out how long training
takes, and what has to be in memory while a letter is being written.

The other chapters measure. They are for people who read Python and remember how matrices are multiplied; transformers
and LoRA itself are explained on the way. A chapter takes less than ten minutes, nothing has to be installed, and what
is trained here is trained in your own browser.

So must a change be as large as the model it changes? The shelf cannot tell us. We need a model so small that we can
train it, open it, and compare it with itself number by number, and [the next chapter introduces one](world.html).
"""
    )


LESSON = Lesson(
    slug="customers",
    title="Fifty customers",
    question="Fifty customers want fifty models. Does each have to be a whole one?",
    part="The bet",
    order=10,
    minutes=7,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "You subtract the weights of a model before finetuning from those after it. What do you have?",
            (
                Answer(
                    "A change as large as the model, unless it turns out to be simple",
                    "Each matrix has a difference of its own shape, `delta_w`. How many numbers it is allowed to have "
                    "is one question, how many it needs is another.",
                    right=True,
                ),
                Answer(
                    "An adapter",
                    "An adapter is a pair of thin matrices for each chosen layer. The difference left by a finetune "
                    "in which every number may move has as many numbers as the model.",
                ),
                Answer(
                    "Mostly zeros, because only a few numbers are needed",
                    "In this finetune every number was free to move, and they move whether the change needs them all "
                    "or not.",
                ),
            ),
        ),
        Question(
            "A company has one customer and one model. What does LoRA save it on the disk?",
            (
                Answer(
                    "Nearly the whole model, since the adapter is so small",
                    "The adapter cannot answer a letter by itself. It is a note to a base, and the base must be there.",
                ),
                Answer(
                    "Nothing: the adapter comes on top of the base",
                    "The saving begins with the second customer. With fifty, one base and adapters of r = [[notes.r]] "
                    "take [[notes.ratio:.0f]] times less than fifty copies of [[copies.label]].",
                    right=True,
                ),
                Answer(
                    "Half of it",
                    "There would be two files in either case, an old and a new model or a base and an adapter, if the "
                    "old model is kept at all.",
                ),
            ),
        ),
        Question(
            "Why does training with LoRA take so much less memory, although the whole base is in it?",
            (
                Answer(
                    "Because the base is left out while the thin matrices are trained",
                    "Every text still passes through the base. Without it there would be nothing to correct.",
                ),
                Answer(
                    "Because the thin matrices are kept in fewer bits",
                    "Each of their numbers takes [[memory.trained]] bytes, like any that is trained. There are only "
                    "a few of them.",
                ),
                Answer(
                    "Because a frozen number needs no gradient and no records of the optimiser",
                    "A number that may move takes [[memory.trained]] bytes in the usual recipe, a frozen one "
                    "[[memory.frozen]]. For [[copies.label]] that is [[memory.full:,.0f]] GB or, with adapters of r = "
                    "[[notes.r]], [[memory.adapted:,.0f]] GB.",
                    right=True,
                ),
            ),
        ),
    ),
    teaching=Teaching(
        goals=(
            "say what a finetune changes, and why the file that comes out of it is as large as the one that went in",
            "reckon what fifty copies of a model take, and what one base with fifty adapters takes",
            "say when a shared base saves nothing, and what thick adapters do to the saving",
            "say which part of the memory of training LoRA does away with, and which part it leaves",
        ),
        predictions=(
            Prediction(
                "A company has one customer. It may keep one finetuned copy of [[copies.label]], or the base and one "
                "adapter of r = [[notes.r]]. How much room does the adapter save?",
                "None. The base has to be there in any case, with its [[notes.base:,.0f]] GB, and the "
                "[[notes.each:.2f]] GB of the adapter come on top.",
                "storage?r=16&tasks=1",
            ),
            Prediction(
                "Now the adapters are made as thick as the figure allows, r = [[wide.widest]]. How many customers "
                "does it take until the adapters together need more room than the base?",
                "At [[wide.even]] customers. With fifty on the shelf, most of the room is taken by the "
                "notes, and no longer by the binder.",
                "storage?r=256&tasks=50",
            ),
            Prediction(
                "LoRA trains a very small share of the numbers of [[copies.label]]. What training keeps in memory "
                "before the first text is read falls from [[memory.full:,.0f]] GB to how much?",
                "To [[memory.adapted:,.0f]] GB. The base alone takes [[memory.base:,.0f]] of that, because every text "
                "still has to go through it.",
                "memory?r=16",
            ),
        ),
        stops=(
            Stop(
                "Choose three of the fifty customers with the class and write down what each of them wants. What "
                "would be the same in their three models, and what is different? Leave the answers on the board.",
                "",
                (2, 4),
            ),
            Stop(
                "In pairs: one writes a matrix of four numbers, the other changes each of them a little. Subtract "
                "them. How many numbers does the difference have, and how many did anybody say that it needs?",
                "",
                (0, 6),
            ),
            Stop(
                "Collect the first prediction. Ask those who said “half” which two files they were thinking of, and "
                "only then show one customer.",
                "storage?r=16&tasks=1",
                (4, 6),
            ),
            Stop(
                "Before the slider moves, everybody reckons from the numbers on the page what fifty copies take, and "
                "what one base takes with fifty notes. Compare with the figure. What does the saving come close to "
                "with ever more customers, and why does it stop there?",
                "storage?r=16&tasks=50",
                (4, 8),
            ),
            Stop(
                "Collect the second prediction. Then let somebody find with the slider the thickest note for which "
                "the shelf is still worth having, and say how she decided.",
                "storage?r=256&tasks=50",
                (0, 6),
            ),
            Stop(
                "Collect the third prediction, then move r from end to end. Have each piece of the bars named by "
                "somebody who can say when it is needed: for reading, for correcting, or for both.",
                "memory?r=16",
                (6, 9),
            ),
            Stop(
                "The questions of the handout, first alone and then with a neighbour. Take up the board again at the "
                "end: what was the same has become the base, and what differed the notes.",
                "recall",
                (4, 6),
            ),
        ),
    ),
)
