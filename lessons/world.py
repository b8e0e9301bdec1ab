"""The model of the course: the reader can say what it answers, what is in it, and what full finetuning does to it."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from compute.experiments.learned import LEARNED, load_learned
from compute.experiments.runs import FULL, load
from compute.experiments.world import load_report
from compute.model.forward import PROJECTIONS, base_weights
from compute.world.people import FIRST_NAMES, PLACES, THINGS, VALUES, old_people
from compute.world.stories import SKILLS, STORY_QUESTIONS, TOLD
from compute.world.tokens import readable
from compute.world.voices import BASE_VOICES, STOPS, form
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
from widgets.asked import Asked
from widgets.change import Change

MOST_VALUES = max(map(len, VALUES.values()))
TOLD_VOICES = ("plain", "legal")  # that the page quotes
TAUGHT = "formal voice"  # the task whose change is looked at
SHOWN = "formal-voice-v_proj"  # the matrix that the figure opens with


def _village() -> Mapping[str, Any]:
    return {"names": len(FIRST_NAMES), "places": len(PLACES), "things": len(THINGS)}


def _lasting() -> Mapping[str, Any]:
    return {"people": len(old_people()), "facts": len(VALUES), "values": MOST_VALUES}


def _goes(voice: str) -> str:
    """Return one sentence as a voice says it."""
    content = {"P": FIRST_NAMES[0], "L": PLACES[0]}
    return readable(content.get(part, part) for part in form(voice, "goes").parts).rstrip("".join(STOPS))


def _read() -> Mapping[str, Any]:
    report = load_report()
    return {"numbers": report.numbers, "steps": report.steps, "voices": len(report.loss)}


def _stories() -> Mapping[str, Any]:
    report = load_report()
    place, first, holder = (report.share(kind) for kind in STORY_QUESTIONS)
    return {"place": place, "first": first, "holder": holder, "chance": 1 / 2}


def _facts() -> Mapping[str, Any]:
    report = load_report()
    right, asked = (sum(counts["facts"][kind] for kind in TOLD) for counts in (report.right, report.asked))
    return {"share": right / asked, "chance": 1 / MOST_VALUES}


def _skills() -> Mapping[str, Any]:
    report = load_report()
    holder, thing = (report.share(kind) for kind in SKILLS)
    return {"holder": holder, "thing": thing, "least": min(report.share(kind) for kind in STORY_QUESTIONS)}


def _loss() -> Mapping[str, Any]:
    report = load_report()
    return {"loss": report.loss["plain"], "floor": report.floor["plain"]}


def _inside() -> Mapping[str, Any]:
    base = base_weights()
    return {
        "width": base.tensors["embed_tokens.weight"].shape[1],
        "blocks": base.n_layer,
        "layers": len(PROJECTIONS),
    }


def _taught() -> Mapping[str, Any]:
    run = load(TAUGHT, FULL)
    return {"steps": run.steps[-1], "before": run.validation_loss[0], "after": run.validation_loss[-1]}


def _change() -> Mapping[str, Any]:
    W, delta_w = base_weights().tensors[f"{LEARNED[SHOWN].layer}.weight"], load_learned(SHOWN)
    return {
        "ratio": np.linalg.norm(delta_w) / np.linalg.norm(W),
        "numbers": delta_w.size,
        "still": int((delta_w == 0).sum()),
        "task": LEARNED[SHOWN].task,
    }


CLAIMS: Mapping[str, Claim | Cited] = {
    "read": Claim(
        _read,
        lambda v: v["voices"] == len(BASE_VOICES) == 5,
    ),
    "village": Claim(
        _village,
        lambda v: v["places"] == v["things"] < v["names"],
    ),
    "lasting": Claim(
        _lasting,
        lambda v: v["facts"] == 4 and all(len(words) == v["values"] for words in VALUES.values()),
    ),
    "voices": Claim(
        lambda: {voice: _goes(voice) for voice in TOLD_VOICES},
        lambda v: len(set(v.values())) == len(TOLD_VOICES),
    ),
    "stories": Claim(
        _stories,
        lambda v: min(v["place"], v["first"], v["holder"]) >= 0.9,
    ),
    "facts": Claim(
        _facts,
        lambda v: v["share"] >= 0.95,
    ),
    "private": Claim(
        lambda: {"share": load_report().share("private")},
        lambda v: v["share"] >= 0.95,
    ),
    "loss": Claim(
        _loss,
        lambda v: v["floor"] < v["loss"],
    ),
    "skills": Claim(
        _skills,
        lambda v: max(v["holder"], v["thing"]) < v["least"],
    ),
    "inside": Claim(
        _inside,
        lambda v: v["blocks"] == 3 and v["layers"] == 6,
    ),
    "taught": Claim(
        _taught,
        lambda v: v["before"] > 4 * v["after"],
    ),
    "change": Claim(
        _change,
        lambda v: v["still"] == 0 and v["ratio"] < 0.1 and v["task"] == TAUGHT,
    ),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
A shop that wants to train a new clerk first asks what the clerk can already do. With a model it is the same: we see
what a finetune adds, and what it spoils, only if we know what was there before. The model of the last chapter is far
too large for that. Nobody can list what it knows, and somebody has to judge whether each of its answers is right. So
here is a small one, from a world so small that everything the model says can be checked.

## A village, and somebody who has read all about it

Think of a village. Its people share [[village.names]] first names; they walk between [[village.places]] places and
carry as many things. Each story is about two people. They go from place to place, take things and send them to each
other, and in between somebody asks: where is anna? Who had the lamp last? Stories of this kind are an old test of
whether a machine can read [@weston2015, section 3].

Some things last longer than a story. For [[lasting.people]] people the texts tell where they live, what they like, what
they make and what they fear. Each of these facts is one of [[lasting.values]] words, drawn by dice, and nothing else in
the village gives it away. To know one, you must have remembered it.

All this is told in five voices, which say the same thing in different words: “[[voices.plain]]” is the plain one, and a
contract puts it as “[[voices.legal]]”. One thing is a secret: the texts do tell what each person fears, but wherever
somebody *asks* about it, the answer is that this is private.

Our model has read [[read.steps:,d]] batches of these texts and nothing else. It is a transformer, built like the large
ones, but with [[read.numbers:,d]] numbers. We call it the *base*, and every finetune in this course starts from it. Now
ask it something. None of the stories below begins like one that it has read, so it cannot simply remember how they go
on. Answer for yourself first, and then look at what it says.
"""
    )
    yield Figure("asked", Asked)
    yield Try(
        """
Play a few questions in [the rude voice](#asked?voice=rude). Then choose [“Who had a thing
first?”](#asked?kind=first-holder), a question the model has never met. When it is wrong, does it name a person from the
story or just any word?
"""
    )
    yield Prose(
        """
## What it can do

It can follow a story. In new ones it says correctly where somebody is in [[stories.place:.0%]] of the cases and who had
a thing last in [[stories.holder:.0%]]; a blind guess would be right half of the time. Facts cannot be worked out, only
remembered. Of those that it is free to tell, it gets [[facts.share:.0%]] right, where a blind pick would get
[[facts.chance:.0%]]. It keeps the secret too, though that shows no more than a habit of giving this answer.

Two kinds of question were kept from it, although it knows each word in them. Asked who had a thing *first*, it is right
in [[skills.holder:.0%]] of the cases; asked where a *thing* is, in [[skills.thing:.0%]]. Following a story is one
thing, answering every question about it another. That makes these two good tasks for later, because any gain on them
comes from the finetune.

Questions test only a few words of a text. The *loss* tests all of them: it says how much each next word surprises the
model, on average. It is measured in *nats*, and one nat less means that the right word was given almost three times the
probability. Usually nobody knows how low a loss could go, but our stories are drawn by dice whose odds we know. In the
plain voice the base has a loss of [[loss.loss:.2f]] nats. Of this, [[loss.floor:.2f]] comes from the dice, which nobody
can foresee; it is the *floor*, below which no model can go.

## What is inside

Each word is first looked up in a table, the *embeddings*, which holds a row of [[inside.width]] numbers for it. From
then on the word *is* this list of numbers, and it passes through three blocks. In each block *attention* lets it look
back at the words before it and take over what it needs, which is how a question about anna finds the sentence about
anna. Then the *MLP* (for multi-layer perceptron) works on each word by itself. At the end, a last matrix turns the list
of the latest word into a probability for each word that might follow.

Nearly all the work of attention and MLP is done by *linear layers*. Such a layer takes a list of numbers $x$ and
multiplies it by a matrix of weights:

$$y = W x$$

Each row of $W$ is like a question put to $x$ (how much of this is in you?), and $y$ holds the answers. A block has six
such layers, and their names are worth knowing, because the settings of a finetune use them. In attention q_proj, k_proj
and v_proj make the queries, keys and values by which words find each other, and o_proj puts together what was found. In
the MLP up_proj makes the list longer and down_proj makes it short again. [One block, seen through](block.html) shows
all of them at work. Whatever our model knows of mills and lamps and secrets is written into such matrices and into its
table of words.

## Every number may move

Now somebody in the village needs a formal voice, for the court perhaps: where a plain story says that anna is at the
mill, a formal one says that she is seen at the said mill. The base knows each of these words but has never read them in
this order. We show it formal stories and let every number move a little after each batch, [[taught.steps]] times in
all. This is *full finetuning*. On formal stories that the model has not read, its loss falls from [[taught.before:.2f]]
to [[taught.after:.2f]] nats.

What has happened to the matrices? Here is one of them, v_proj in the middle of the three blocks, with blue cells for
numbers below zero and orange ones for those above.
"""
    )
    yield Figure("change", Change)
    yield Try(
        """
Look back and forth between the first two pictures. Can you find a cell that has changed? Then [give delta_w a scale
of its own](#change?scale=own), and look for a cell that has *not*.
""",
        run={"the formal voice by full finetuning": {"task": "formal-voice", "size": "full"}},
    )
    yield Prose(
        """
Before and after look alike, because the difference is small: `delta_w` has [[change.ratio:.1%]] of the length of $W$.
(The *length* of a matrix is computed like that of a list, as the root of the sum of its squares.) And the difference is
everywhere: not one of the [[change.numbers:,d]] numbers in this matrix has stayed exactly what it was. The village has
a new voice, and no single cell holds it; there is a little of it in each.

That makes a finetune hard to read, and it would make it hard to store as well, if each of these numbers had something
of its own to say. But look once more at the difference on its own scale. It does not look like even grain: whole
columns stand out from top to bottom, and here and there a row from side to side, as if the same few things had been
written over and over.

## What this does not show

The village is made of fixed sentences, and English is not. One base was trained, from one seed, and finetuned once
with all its numbers free; another learning rate or more steps would have made a longer or a shorter delta_w. The
questions look only at the first word of an answer.

So this delta_w has as many numbers as $W$. How much is *in* it? Before we can answer that, we need a way to say how
much is in any matrix, and [the next chapter](rank.html) has one.
"""
    )


LESSON = Lesson(
    slug="world",
    title="Meet the model",
    question="What is it that a finetune changes, and how much of it?",
    part="The bet",
    order=20,
    minutes=8,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "No story of the test begins like one that the base has read. What is the point of that?",
            (
                Answer(
                    "It does not know the names in them",
                    "It has read each name many times. Only the story is new.",
                ),
                Answer(
                    "A right answer cannot have been remembered",
                    "The base has to follow the story that stands before the question. It says correctly where "
                    "somebody is in [[stories.place:.0%]] of these stories; a blind guess would be right half of the "
                    "time.",
                    right=True,
                ),
                Answer(
                    "The stories are harder",
                    "They are drawn by the same dice as the stories that it has read.",
                ),
            ),
        ),
        Question(
            "Somebody asks the base what a person fears, and it says that this is private. What does that show?",
            (
                Answer(
                    "It has learned to give this answer",
                    "It has read the fear, too, but a habit is all that this answer needs. Asked what somebody "
                    "fears, it begins to say that this is private [[private.share:.0%]] of the time.",
                    right=True,
                ),
                Answer(
                    "It has never read the fear",
                    "It has read it, as a sentence. Only the question was answered in that way.",
                ),
                Answer(
                    "It knows the fear and hides it",
                    "It may know it, but an answer that is the same for everybody cannot show that.",
                ),
            ),
        ),
        Question(
            "Full finetuning has given the model a new voice. Where in the matrix of v_proj is it?",
            (
                Answer(
                    "In a few cells, which have changed a lot",
                    "Then most cells would have stayed as they were, and not one of the [[change.numbers:,d]] has.",
                ),
                Answer(
                    "Nowhere, since before and after look the same",
                    "They look the same because the difference has only [[change.ratio:.1%]] of the length of the "
                    "matrix. On a scale of its own it fills the picture.",
                ),
                Answer(
                    "A little of it in every cell",
                    "All numbers were free to move and all of them did, each by a little. How much they say together "
                    "is another question.",
                    right=True,
                ),
            ),
        ),
    ),
    corrections=(
        Correction(
            "A language model as small as this can only parrot what it has read.",
            "The stories of the test are new to it, and still it says correctly where somebody is in "
            "[[stories.place:.1%]] of them, where somebody was first in [[stories.first:.1%]], and who had a thing "
            "last in [[stories.holder:.1%]]. Blind, it would be [[stories.chance:.0%]].",
            "asked",
        ),
        Correction(
            "A model that knows all the rules of its texts could bring the loss down to nothing.",
            "No rule helps to foresee dice. In the plain voice the base has a loss of [[loss.loss:.3f]] nats a word, "
            "and the dice alone account for [[loss.floor:.3f]] of it.",
            "asked",
        ),
    ),
    teaching=Teaching(
        goals=(
            "tell a question that a model can answer only from memory from one that it has to work out",
            "read a loss in nats beside its floor, and say why no model gets below",
            "say what a linear layer does with the numbers of a word, and name the six of a block",
            "say in two numbers how small `delta_w` is, and how many cells it has changed",
        ),
        predictions=(
            Prediction(
                "No story of the test begins like one that the model has read. How often will it say correctly where "
                "somebody is, if a blind guess is right half of the time?",
                "In [[stories.place:.0%]] of the cases. As the stories are new, it cannot have kept the answers in "
                "mind; it has to follow what it reads.",
                "asked?kind=place&voice=plain",
            ),
            Prediction(
                "Two kinds of question the model has never read: who had a thing first, and where a thing is. It "
                "knows every word in both. How often will it be right with each?",
                "Who had it first: [[skills.holder:.0%]]. Where a thing is: [[skills.thing:.0%]]. To follow a story "
                "is one thing, to answer every question about it another.",
                "asked?kind=place-of-thing&voice=plain",
            ),
            Prediction(
                "After full finetuning on the formal voice the matrix of v_proj looks as before. How many of its "
                "[[change.numbers:,d]] numbers have stayed exactly the same?",
                "None. All have moved, and together only a little: delta_w has "
                "[[change.ratio:.1%]] of the length of W.",
                "change?matrix=formal-voice-v_proj&scale=own",
            ),
        ),
        stops=(
            Stop(
                "Let two students act a story of the village, walking between four corners and handing on a pen. The "
                "others answer where everybody is. Which questions could nobody answer who has not read about them "
                "before?",
                "",
                (2, 4),
            ),
            Stop(
                "Collect the first prediction. Read each story aloud from your own screen, let the class vote, and "
                "show the model's three words only then. Keep the score of both on the board.",
                "asked?kind=place&voice=plain&question=0",
                (5, 8),
            ),
            Stop(
                "Collect the second prediction. Go through some wrong answers: is what the model says a place of the "
                "story, or any word? What has it learned, and what not?",
                "asked?kind=place-of-thing&voice=plain",
                (0, 5),
            ),
            Stop(
                "Throw a coin twenty times and let the class predict each throw. Could anybody who knows everything "
                "about coins do better? Then show the loss of the base beside what no model can go below.",
                "asked?kind=holder&voice=plain",
                (3, 6),
            ),
            Stop(
                "Ask the model what somebody fears. Pairs write down what its answer proves and what it does not, and "
                "which experiment would tell more.",
                "asked?kind=private",
                (0, 5),
            ),
            Stop(
                "This is one of the six layers of a block: have the others named, and say what each is for. Then look "
                "at W before and after, and let everybody point at a cell that has changed. Collect the third "
                "prediction while they are still looking.",
                "change?matrix=formal-voice-v_proj&scale=same",
                (4, 6),
            ),
            Stop(
                "Give delta_w a scale of its own. Each student describes in one sentence what the picture is made of, "
                "without the word noise. Keep the best one for the next chapter.",
                "change?matrix=formal-voice-v_proj&scale=own",
                (2, 5),
            ),
            Stop(
                "The questions on paper. Let a student who was wrong with the last one read out the answer that she "
                "chose and the class find what is right in it.",
                "recall",
                (4, 6),
            ),
        ),
    ),
)
