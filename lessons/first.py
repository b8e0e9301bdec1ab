"""The first adapter: the reader can say what the two factors do, which of them learns first, and what a file holds."""

from collections.abc import Iterator, Mapping
from statistics import fmean
from typing import Any

from compute.experiments.inits import PROBLEMS, SMALL, InitRun, load_inits
from compute.experiments.learned import load_learned
from compute.experiments.runs import load
from compute.experiments.tasks import FULL, SEEDS, load_tasks, way_of
from compute.matrices.spectrum import energy, r90
from compute.matrices.svd import factorize
from compute.model.forward import PROJECTIONS
from compute.model.layers import BLOCKS, LAYERS
from compute.training.config import OPTIMIZERS, WATCHED
from lessons.press.blocks import (
    Answer,
    Block,
    Cited,
    Claim,
    Correction,
    Figure,
    Lesson,
    Prediction,
    Prose,
    Question,
    Stop,
    Teaching,
    Try,
)
from widgets.finetune import Finetune
from widgets.inits import Inits

TASK, R = "formal voice", 1
WIDTH = 64  # of the model
SHOWN = 2  # place of the learning rate that the figure opens with


def _run(init: str) -> InitRun:
    return load_inits(SMALL).runs["sgd"][init][SHOWN]


def _mirror() -> Mapping[str, Any]:
    usual, mirror = _run("B=0"), _run("A=0")
    return {
        "silent": usual.lora_A[0],
        "live": usual.lora_B[0],
        "mirror_live": mirror.lora_A[0],
        "mirror_silent": mirror.lora_B[0],
        "next": usual.lora_A[1],
    }


def _never() -> Mapping[str, Any]:
    runs = [
        run
        for problem in PROBLEMS
        for optimizer in OPTIMIZERS
        for run in load_inits(problem).runs[optimizer]["both zero"]
    ]
    return {"steps": WATCHED, "distance": max(max(run.distance) for run in runs)}


def _mixed() -> Mapping[str, Any]:
    run = _run("mixed")
    return {"grad_A": run.lora_A[0], "grad_B": run.lora_B[0], "distance": run.distance[0]}


def _sizes() -> Mapping[str, Any]:
    recorded = load_tasks()
    trained, full = (recorded.of(TASK, way).numbers for way in (way_of(R), FULL))
    return {
        "trained": trained,
        "full": full,
        "times": full / trained,
        "width": WIDTH,
        "blocks": len(BLOCKS),
        "layers": len(PROJECTIONS),
        "pairs": len(LAYERS),
        "file": load(TASK, R).bytes / 1000,
    }


def _voice() -> Mapping[str, Any]:
    recorded = load_tasks()
    before, thin, full = recorded.before[TASK], recorded.of(TASK, way_of(R)), recorded.of(TASK, FULL)
    loss, loss_full = fmean(thin.loss), fmean(full.loss)
    return {
        "before": before["loss"],
        "loss": loss,
        "loss_full": loss_full,
        "share": (before["loss"] - loss) / (before["loss"] - loss_full),
        "right_before": before["task"],
        "right": fmean(thin.task_right),
        "right_full": fmean(full.task_right),
        "seeds": len(SEEDS),
        "apart": recorded.apart(TASK, way_of(R)).low,
        "known": before["facts"],
        "thin": fmean(thin.facts),
        "thick": fmean(full.facts),
    }


def _thick() -> Mapping[str, Any]:
    s = factorize(load_learned("formal-voice-v_proj")).s
    return {"r90": r90(s), "one": energy(s)[R]}


CLAIMS: Mapping[str, Claim | Cited] = {
    "mirror": Claim(
        _mirror,
        lambda v: (
            v["silent"] == v["mirror_silent"] == 0 < min(v["live"], v["mirror_live"], v["next"])
        ),  # exactly
    ),
    "never": Claim(
        _never,
        lambda v: v["distance"] == 0 and v["steps"] == 50,  # exactly
    ),
    "mixed": Claim(
        _mixed,
        lambda v: min(v["grad_A"], v["grad_B"]) > 0 == v["distance"],
    ),
    "sizes": Claim(
        _sizes,
        lambda v: v["blocks"] == 3 and v["layers"] == 6 and v["pairs"] == 18 and v["times"] > 50,
    ),
    "voice": Claim(
        _voice,
        lambda v: (
            0.98 < v["share"] < 1
            and v["apart"] > 0
            and v["right_before"] < v["right"] < v["right_full"]
            and v["seeds"] == 5
        ),
    ),
    "facts": Claim(
        _voice,
        lambda v: max(v["thin"], v["thick"]) < v["known"] / 2,
    ),
    "thick": Claim(
        _thick,
        lambda v: v["r90"] > 10 and v["one"] < 0.25,
    ),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
The law firm is the first of the fifty customers to get its note. It wants the village's stories told in a formal voice.
Two chapters ago we taught the model just that, by letting all of its numbers move. This time almost nothing may move:
we train a thin change from the start, the thinnest there is. And we do it slowly enough to see what happens, because if
you send a customer a note, you should be able to say what is in it.

## A listener and a speaker

Put two people next to a linear layer, q_proj for instance. The *listener* sits where the list of numbers comes in. She
hears all [[sizes.width]] of them and writes a single number on a slip of paper, which says how much she heard of one
particular thing. The *speaker* sits where the layer's answer goes out, reads the slip, and adds one particular list to
the answer, as loudly as the slip says. Together they are one pattern of the last chapter: her row is `lora_A`, his
column is `lora_B`, and what comes out is

$$y = W x + s\\, B A\\, x$$

where $W$ stays frozen, $B$ and $A$ are short for the two matrices, and $s$ is a volume that we will come to below. A
slip holds r numbers. Ours holds one, so whatever the listener has to tell the speaker must pass through that single
number.

Three blocks of six layers make eighteen such pairs, with [[sizes.trained:,d]] numbers in all; full finetuning moved
[[sizes.full:,d]]. In the figure below, [choose the formal voice](#finetune?task=formal-voice&size=1) and press
Finetune. Your own browser then trains the pairs, and no text leaves it.
"""
    )
    yield Figure("finetune", Finetune)
    yield Try(
        """
Read the sentences as it trains: at which step do they begin to sound formal? Then set [the pace to
slow](#finetune?task=formal-voice&size=1&pace=slow), press Reset, and take a few steps. Which of the two thin matrices
moves first, and what do the sizes of their gradients say?
""",
        run={
            "the formal voice with one number on each slip": {"task": "formal-voice", "size": "1"},
            "a voice that turns every sentence around": {"task": "mirror-voice", "size": "1"},
            "that voice by full finetuning": {"task": "mirror-voice", "size": "full"},
        },
    )
    yield Prose(
        """
## The speaker begins in silence

A finetune should start from the base as it is. If the two said something before they had learned anything, the first
sentences would come from a damaged model. So LoRA's authors draw `lora_A` at random and set `lora_B` to zero
[@hu2021, section 4.1]. The listener then listens for something arbitrary, and the speaker is silent.

Then the first texts come, the model makes mistakes, and word of them has to be passed back. Let $G$ be the gradient for
the whole matrix $W$: for each of its numbers, it says how the loss would change with it. What reaches the two
*factors*, as the two thin matrices are also called, is

$$\\text{grad_lora_B} = s \\, G \\, \\text{lora_A}^{\\top}
\\qquad \\text{grad_lora_A} = s \\, \\text{lora_B}^{\\top} G$$

Each hears of the error through the other. The speaker knows at once what he should have said, because the slips have
been in front of him all the time. The listener gets a complaint only by way of the speaker, weighted by what he made of
her slips, and so far he has made nothing of them. Guess what she hears, and then step.
"""
    )
    yield Figure("inits", Inits, dict(hide=["readouts", "sweep", "ends"]))
    yield Try(
        """
Stay at step zero and choose [the mirror image](#inits?init=a-zero&step=0), then [both at
zero](#inits?init=both-zero&step=0). In each case, who is told something, and who ever moves as you keep stepping?
""",
        run={
            "`lora_A = 0`": {"init": "A=0", "size": "4"},
            "both zero": {"init": "both zero", "size": "4"},
            "both random": {"init": "both random", "size": "4"},
        },
    )
    yield Prose(
        """
She hears nothing at all. On this small layer the gradient of lora_B has a length of [[mirror.live:.2f]] before the
first step, and that of lora_A is exactly [[mirror.silent:.0f]]. Whatever is multiplied by zero is zero, and no choice
of texts or optimiser can change that. With the first step the speaker begins to say something, so that complaints come
back through him. Her gradient is now [[mirror.next:.2f]], and from then on both learn.

The two could also swap parts. If the listener starts at zero and the speaker is drawn at random, the model still starts
out as the base, and now it is she who learns first. The code that came with the paper uses this mirror image for the
embeddings [@loralib, layers.py, class Embedding]. But if both start at zero, nobody is ever told anything. After
[[never.steps]] steps such a model had not moved at all, with either optimiser and at every learning rate that we tried.

There are other ways to start, some of which leave the model unchanged and still let both factors hear at once. [A room
of its own](init.html) runs eight of them.

## One number is enough for a voice

What did the law firm get? On formal stories the base had a loss of [[voice.before:.2f]] nats, and full finetuning
brings it down to [[voice.loss_full:.2f]]. Eighteen slips with one number each bring it to [[voice.loss:.2f]], which is
[[voice.share:.0%]] of the way with less than a fiftieth of the numbers. Each method had the learning rate that suits it
best. The losses are means over five *seeds*, that is, five runs that differ only in what is drawn at random, and over
stories that neither model has read.

The two are not quite equal, though. When the models write by themselves, [[voice.right:.0%]] of the sentences from the
thin change are formal and fit the story, against [[voice.right_full:.0%]] after full finetuning.

Has training found a copy of the thick change? It cannot have. In the delta_w that we took apart in the last chapter,
the strongest pattern holds only [[thick.one:.0%]] of the energy, and it takes [[thick.r90]] patterns to hold nine
tenths. So this is a different change, at best a small part of that one, and yet it does nearly the same work. That is
the bet LoRA makes, and this time it has paid off.

## How loud, and on what paper

The $s$ in the formula is the *scaling*: a number called *alpha*, divided by r. It is the speaker's volume. Why it is
divided by r, and when it should not be, is told in [a room of its own](scale.html).

The note itself is two files, at least as PEFT, the usual library, stores it. One, adapter_model.safetensors, holds the
thin matrices. The other, adapter_config.json, says what a program must know to put them in place: r, alpha, the layers
that have a pair (target_modules), and the name of the base that the note was made for [@peft, LoraConfig]. Press “Take
what was learned” in the figure above, and you have both, with the base's name left blank. For our voice they take about
[[sizes.file:.0f]] kB, and the base is not in them.

## What this does not show

One voice in one village shows that a thin change *can* be enough, not that it usually is, and this voice has no word
that the base did not know. We have also passed over one curve in the figure. As the new voice comes, facts that the
base knew by heart go: at the end only [[facts.thin:.0%]] of them are right with the thin change, and
[[facts.thick:.0%]] with full finetuning.

So one number on each slip is enough? It was enough for a way of speaking. But the next customer has a long list of
people and things that the model has never heard of, and every one of them must be right. So [how much fits on such a
slip](knee.html)?
"""
    )


LESSON = Lesson(
    slug="first",
    title="The first adapter",
    question="Can training find a thin change by itself, and how does it begin?",
    part="The bet",
    order=40,
    minutes=9,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "`lora_B` starts at zero. Which factor moves in the first step of SGD?",
            (
                Answer(
                    "Both",
                    "Each hears of the error through the other, and one of them hears nothing yet.",
                ),
                Answer(
                    "Only `lora_B`",
                    "It hears through `lora_A`, which is not zero. On the small layer its gradient has a length of "
                    "[[mirror.live:.2f]], and that of lora_A is exactly [[mirror.silent:.0f]] until lora_B has moved.",
                    right=True,
                ),
                Answer(
                    "Only `lora_A`",
                    "That is the mirror image: it would be so if `lora_A` were zero and `lora_B` drawn.",
                ),
            ),
        ),
        Question(
            "An adapter of rank one does nearly as well on the formal voice as full finetuning. What has it learned?",
            (
                Answer(
                    "The best copy, with one pattern in each layer, of what full finetuning learns",
                    "Nobody showed it that change, which was made in another run. It was trained on the stories, and "
                    "did whatever lowered their loss.",
                ),
                Answer(
                    "The same change, written more thinly",
                    "One pattern cannot be a copy of a change that takes [[thick.r90]] patterns for nine tenths of "
                    "its energy.",
                ),
                Answer(
                    "A different change, which gives nearly the same voice",
                    "The loss asks only for the stories. It came [[voice.share:.0%]] of the way down, by a change "
                    "that cannot be a copy of the thick one.",
                    right=True,
                ),
            ),
        ),
        Question(
            "Somebody sends you adapter_model.safetensors and adapter_config.json. What else do you need?",
            (
                Answer(
                    "The base that it was made for",
                    "The files say what is to be added to its weights, and at which layers. The weights are not in "
                    "them.",
                    right=True,
                ),
                Answer(
                    "The texts that it was trained on",
                    "What was learned from them is in the two thin matrices of each layer.",
                ),
                Answer("Nothing, they are a model", "They are a note. By itself it answers no letter."),
            ),
        ),
    ),
    corrections=(
        Correction(
            "Zeroing `lora_B` and drawing `lora_A` is the only start that lets both factors learn at once and still "
            "begins at the base.",
            "It lets one of them learn. With lora_B at zero, the gradient of lora_B has norm [[mirror.live:.3f]] "
            "before the first step, and that of lora_A is [[mirror.silent:.0f]]. With lora_A at zero it is the other "
            "way round: [[mirror.mirror_silent:.0f]] for lora_B, [[mirror.mirror_live:.3f]] for lora_A. Other starts "
            "let both learn. If half of the directions begin with lora_A at zero and the other half with lora_B, the "
            "norms are [[mixed.grad_A:.3f]] for lora_A and [[mixed.grad_B:.3f]] for lora_B, and the distance from the "
            "base is [[mixed.distance:.0f]].",
            "inits",
        ),
    ),
    teaching=Teaching(
        goals=(
            "draw lora_A and lora_B beside a layer, and say what passes from one to the other",
            "read off the two gradients which factor moves first, and what the mirror image does",
            "say why two zeros never learn, and find a start with which both factors learn at once",
            "tell a thin change that does the work from a copy of the thick one",
            "say what is in the two files of an adapter, and what is not",
        ),
        predictions=(
            Prediction(
                "Eighteen pairs with one number on each slip train [[sizes.trained:,d]] numbers on the formal voice; "
                "full finetuning moves [[sizes.full:,d]]. How far down do they bring the loss, as a share of the way "
                "that full finetuning goes?",
                "[[voice.share:.0%]] of the way, to [[voice.loss:.2f]] nats, in the mean over [[voice.seeds]] seeds. "
                "Full finetuning ends at [[voice.loss_full:.2f]].",
                "finetune?task=formal-voice&size=1",
            ),
            Prediction(
                "lora_A is drawn at random and lora_B is zero. Before the first step of SGD, which of them has a "
                "gradient: both, one of them, or neither?",
                "Only lora_B, whose gradient has a length of [[mirror.live:.2f]]. That of lora_A is "
                "[[mirror.silent:.0f]], exactly, until lora_B has moved.",
                "inits?init=b-zero&step=0",
            ),
            Prediction(
                "Both factors begin at zero. After how many steps does the model begin to learn?",
                "Never: after [[never.steps]] steps it had not moved at all, with either optimiser and at every "
                "learning rate that was tried. Each hears of the error through the other, and the other says nothing.",
                "inits?init=both-zero&step=0",
            ),
        ),
        stops=(
            Stop(
                "Three students act the layer. One multiplies, one listens and writes a single number on a slip, one "
                "reads it and adds his list to the answer as loudly as it says. Let the class call out inputs. What "
                "gets lost on the slip?",
                "",
                (3, 4),
            ),
            Stop(
                "Collect the first prediction. Each pair trains on its own device and reads its sentences aloud as "
                "they turn; write on the board at which step every pair first hears the formal voice. One run in a "
                "browser will differ a little from the mean.",
                "finetune?task=formal-voice&size=1",
                (6, 9),
            ),
            Stop(
                "Collect the second prediction. Let the actors play the first complaint that comes back: the speaker "
                "has said nothing so far, so what can he tell the listener? Then show the gradients, and step once.",
                "inits?init=b-zero&step=0",
                (5, 7),
            ),
            Stop(
                "Collect the third prediction. Whoever said a number explains which of the two moves first, and why.",
                "inits?init=both-zero&step=0&guess=skip",
                (2, 5),
            ),
            Stop(
                "Somebody claims that only a lora_B of zero begins at the base and lets both factors learn at once. "
                "Let the class find what is wrong with that, with two starts from the list as witnesses.",
                "inits?init=mixed&step=0&guess=skip",
                (0, 6),
            ),
            Stop(
                "Train once more, slowly, and read the two gradients aloud step by step. What becomes of that of "
                "lora_A after the first step? Meanwhile ask whether this thin change is a copy of the thick one, and "
                "how one would know.",
                "finetune?task=formal-voice&size=1&pace=slow",
                (0, 7),
            ),
            Stop(
                "Questions on paper. For the last one, let two students play a company that has received the two "
                "files and the friend who sent them.",
                "recall",
                (4, 7),
            ),
        ),
    ),
)
