"""The wall: the reader can question rank, learning rate and place, and say why none of them stopped the language."""

from collections.abc import Iterator, Mapping
from statistics import fmean
from typing import Any

from compute.adapters.scaling import scaling_of
from compute.experiments.grid import RATES, SCALINGS, load_grid
from compute.experiments.tasks import FULL, RANKS, SEEDS, load_tasks, rates_of, way_of, ways
from compute.model.layers import BLOCKS, LAYERS, TARGET_MODULES
from compute.training.config import TrainConfig
from compute.world.tasks import NEW_WORDS
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
from widgets.grid import Grid
from widgets.wall import Wall

LEAST, MOST = RANKS[0], RANKS[-1]
ALL_RANKS = tuple(map(way_of, RANKS))
ALONG = 3e-3  # the learning rate at which all scalings are compared


def _end(way: str, what: str = "loss") -> float:
    return fmean(getattr(load_tasks().of(NEW_WORDS, way), what))


def _gap(r: int) -> float:
    """Return how far above full finetuning a rank ends."""
    return load_tasks().apart(NEW_WORDS, way_of(r)).mean


def _case() -> Mapping[str, Any]:
    before = load_tasks().before[NEW_WORDS]
    return {"before": before["task"], "full": _end(FULL, "task_right"), "stories": before["stories"]}


def _gaps() -> Mapping[str, Any]:
    return {
        "first": LEAST,
        "last": MOST,
        "first_gap": _gap(LEAST),
        "last_gap": _gap(MOST),
        "verdicts": {load_tasks().apart(NEW_WORDS, way).verdict for way in ALL_RANKS},
        "losses": [_end(way) for way in ALL_RANKS],
    }


def _more() -> Mapping[str, Any]:
    last, full = (load_tasks().of(NEW_WORDS, way) for way in (ALL_RANKS[-1], FULL))
    return {"numbers": last.numbers, "full": full.numbers}


def _fall() -> Mapping[str, Any]:
    before = load_tasks().before[NEW_WORDS]["loss"]
    return {
        "r": LEAST,
        "share": (before - _end(ALL_RANKS[0])) / (before - _end(FULL)),
        "right": max(_end(way, "task_right") for way in ALL_RANKS),
        "full": _end(FULL, "task_right"),
    }


def _alibi() -> Mapping[str, Any]:
    tried = {way: load_tasks().of(NEW_WORDS, way) for way in ways(NEW_WORDS)}
    return {
        "inside": all(rates_of(way)[0] < each.rate < rates_of(way)[-1] for way, each in tried.items()),
        "rates": {len(each.tried) for each in tried.values()},
        "steps": TrainConfig.steps,
        "seeds": len(SEEDS),
    }


def _exchange() -> Mapping[str, Any]:
    """Return between which losses the scalings end at the highest rank: at one rate for all, and each at its best."""
    row = load_grid().lora["adamw"][MOST]
    one = [found.tried[RATES["adamw"].index(ALONG)] for found in row]
    known = [loss for loss in one if loss is not None]
    free = [fmean(found.loss) for found in row]
    return {
        "r": MOST,
        "rate": ALONG,
        "low": min(known),
        "high": max(known),
        "free_low": min(free),
        "free_high": max(free),
        "scalings": len(known),
        "plain": scaling_of("alpha/r", TrainConfig.alpha, MOST),
        "least": SCALINGS[0],
    }


def _places() -> Mapping[str, Any]:
    return {"layers": len(LAYERS), "blocks": len(BLOCKS), "kinds": len(TARGET_MODULES)}


CLAIMS: Mapping[str, Claim | Cited] = {
    "case": Claim(
        _case,
        lambda v: v["before"] == 0 and v["full"] > 0.4 and v["stories"] > 0.9,
    ),
    "gaps": Claim(
        _gaps,
        lambda v: (
            v["verdicts"] == {"above"}
            and v["losses"] == sorted(v["losses"], reverse=True)
            and v["last_gap"] > v["first_gap"] / 2
        ),
    ),
    "more": Claim(
        _more,
        lambda v: v["numbers"] > v["full"],
    ),
    "fall": Claim(
        _fall,
        lambda v: 0.85 < v["share"] < 0.95 and v["right"] < v["full"] / 4,
    ),
    "alibi": Claim(
        _alibi,
        lambda v: v["inside"] and v["rates"] == {4} and v["seeds"] == 5,
    ),
    "exchange": Claim(
        _exchange,
        lambda v: (
            v["scalings"] == len(SCALINGS)
            and v["high"] - v["low"] > 20 * (v["free_high"] - v["free_low"])
            and v["plain"] == v["least"]
        ),
    ),
    "places": Claim(
        _places,
        lambda v: v["layers"] == v["blocks"] * v["kinds"] == 18,
    ),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
Somebody has a language of her own. It may be a dialect that is hardly ever written, the shorthand of a hospital ward,
or what the people in a novel speak among themselves. She would like a model to tell its stories in it. Nothing else has
to change: the stories may be the old ones, told in the old order. Only the words are new, every one of them.

So we take [the base](world.html), which follows a story well, and replace each word of its stories by one that it has
never read, always by the same one. Then we look at two things: the loss, which says how badly the next word is guessed,
and what she really cares about, the share of sentences that the model gets right in the new language. Before
finetuning, none is right. After full finetuning, in which everything may learn, [[case.full:.0%]] are, so in the steps
that we have the language can be learned to some extent. With LoRA it cannot, at any rank. This is a case for a
detective. There is no lack of suspects, so let us hear them one by one.

## The first suspect: too little rank

The first was named by LoRA's own authors. In a footnote they say that they do not expect a small rank to work for every
task, and they give a new language as the example [@hu2021, footnote to section 7.2]. After [the suitcase](knee.html)
this is the natural suspicion. So let us take a larger rank, and then a larger one again. The figure asks for your
verdict right away; keep it to yourself until the last suspect has been heard.
"""
    )
    yield Figure("wall", Wall, dict(task="new-words"))
    yield Try(
        """
Start [at r = one](#wall?task=new-words&place=0&measure=loss), slide to [the highest
rank](#wall?task=new-words&place=4&measure=loss), and watch the distance to the grey band, which is full finetuning.
Then measure by [the share that is right](#wall?task=new-words&place=4&measure=right). For comparison, [do the same with
the mirror](#wall?task=mirror-voice&place=4&measure=loss), which shows what a curve looks like when it does arrive.
""",
        run={
            "the wall at the highest rank": {"task": "new-words", "size": "64"},
            "full finetuning": {"task": "new-words", "size": "full"},
        },
    )
    yield Prose(
        """
At r = [[gaps.first]] the language ends [[gaps.first_gap:.2f]] nats per word above full finetuning. Each larger rank
comes a little nearer, and then the curve lies flat in mid-air: at r = [[gaps.last]] it is still [[gaps.last_gap:.2f]]
above. Let us call that a *wall*. With the mirror the curve sank until it met the band of full finetuning; here it never
does.

That is not for lack of numbers. At the highest rank the factors together hold [[more.numbers:,d]] of them, more than
the [[more.full:,d]] of the whole model, and a suitcase larger than the house should hold what is in the house.

The loss, moreover, hides how bad it is. Even at r = [[fall.r]] it falls [[fall.share:.0%]] as far as with full
finetuning, but being less surprised by a language is not yet speaking it. If you read the sentences, you are not so
easily satisfied: at best [[fall.right:.0%]] of them are right, whatever the rank. So we let rank go, because more of it
helps a little and the wall still stands.

## The second suspect: steps of the wrong size

The next suspect works more quietly. What an adapter adds to a layer is the product of its two factors times a number,
the *scaling*, and by the usual rule that is alpha over r. If you raise r and leave alpha alone, every direction is
turned down while you believe that you have added room. Then there is the learning rate, which says how far every step
goes. Could it be that the ranks had room enough all along, and their steps were just the wrong size?

The next figure questions these two together. It does so on another task, with facts about people the base has never
read of. Each cell is one run, with its scaling named at the side; the learning rate grows from left to right.
"""
    )
    yield Figure("grid", Grid, dict(runs=f"adamw-{MOST}", scaling=0))
    yield Try(
        """
Slide the scaling from end to end and follow the framed cell, the best of its row: where does it go? Then run your eye
down a single column, which is all you would see if you used one learning rate for everything.
""",
        run={
            "a small alpha at a large r": {"size": "64", "alpha": "1", "rate": "0.001"},
            "a rate that is too large": {"size": "16", "rate": "0.1"},
        },
    )
    yield Prose(
        """
Down a column, the suspect looks guilty. At a rate of [[exchange.rate:g]] the scalings end anywhere from
[[exchange.low:.2f]] to [[exchange.high:.2f]] nats, and anyone who had tried two of them would swear that the scaling
decides everything. But give each scaling a learning rate of its own, and all of them end between
[[exchange.free_low:.2f]] and [[exchange.free_high:.2f]]. Much of what one knob does the other can undo, because both
say how far a step goes. From row to row the best cell walks across the grid, and its loss hardly changes by comparison.
[A room of its own](scale.html) shows how far this exchange reaches, and where it ends.

So this suspect is dangerous when nobody watches, but we did watch. At the wall the scaling is the same for all ranks,
since alpha is always twice r. And each way to learn, full finetuning included, got the best of four learning rates,
with a worse one on either side of it, so the steps were the right size. The second suspect has an alibi.

## The third suspect: the wrong place

The last one is a matter of address. An adapter sits in particular layers, and LoRA's authors adapted only the matrices
of attention [@hu2021, section 4.2]. Perhaps what the language needs lies in a room that no adapter ever entered.

It is a good question for many a finetune, but it can be answered at once. Each of the [[places.blocks]] blocks of the
base has [[places.kinds]] matrices: four in attention, by which a word looks back at other words, and two in the MLP,
which works on each word by itself. All [[places.layers]] of them had a pair of thin matrices, at every rank that you
tried at the wall. No room in these blocks has been left unsearched.

## Nobody did it

Three suspects have been heard, and each has an alibi. Rank was raised until the adapter was larger than the model; the
rate and the scaling were watched; and the adapter reached every matrix of every block. Yet in each of these runs the
new language stays out, and full finetuning lets it in.

Now give your verdict, in the question [above the first figure](#wall?task=new-words&place=4). It lists one suspect whom
we have questioned, and two whom nobody has thought of asking.

## What this does not show

These are runs of [[alibi.steps]] steps and [[alibi.seeds]] seeds with one small model, and with more steps all of them
may get further. The alibi of the rate was checked at the wall itself; the grid, which explains it, was measured on
facts.

We have questioned everything that learned. Let us turn the question around: what stayed frozen all the while? That is
[where the next chapter looks](frozen.html).
"""
    )


LESSON = Lesson(
    slug="wall",
    title="The wall",
    question="A language in which every word is new: why does no rank reach it?",
    part="The wall",
    order=60,
    minutes=8,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "At the smallest rank, the loss has fallen nearly as far as with full finetuning. Is the language nearly "
            "learned?",
            (
                Answer(
                    "Yes, the rest is detail",
                    "The loss began very high, so most of its fall comes cheaply. Of the sentences that the model "
                    "writes, at best [[fall.right:.0%]] are right at any rank.",
                ),
                Answer(
                    "That cannot be told from the loss",
                    "Here r = [[fall.r]] makes [[fall.share:.0%]] of the fall, and of its sentences almost none is "
                    "right; after full finetuning [[fall.full:.0%]] are. Ask for what you want to have.",
                    right=True,
                ),
                Answer(
                    "No, a loss says nothing",
                    "It says how well words are guessed on average, and it did show the wall: even at r = "
                    "[[gaps.last]] it ends [[gaps.last_gap:.2f]] nats above full finetuning.",
                ),
            ),
        ),
        Question(
            "A colleague compares seven scalings at one learning rate and finds that the scaling decides everything. "
            "What do you ask?",
            (
                Answer(
                    "What happens if each has a rate of its own",
                    "At one rate they ended between [[exchange.low:.2f]] and [[exchange.high:.2f]] nats here, and "
                    "between [[exchange.free_low:.2f]] and [[exchange.free_high:.2f]] with a rate for each.",
                    right=True,
                ),
                Answer(
                    "Whether r was large enough",
                    "More rank gives more room. It does not make a step the right size.",
                ),
                Answer(
                    "Nothing: the numbers speak for themselves",
                    "They do, for that one rate. Both knobs say how far a step goes, so turning one alone mostly "
                    "finds out which of its values happens to suit the other.",
                ),
            ),
        ),
        Question(
            "The factors of an adapter hold more numbers than the whole model. What follows?",
            (
                Answer(
                    "It can do whatever full finetuning can",
                    "It had [[more.numbers:,d]] numbers against [[more.full:,d]] here, and ended far above. What "
                    "may change counts, not only how much of it.",
                ),
                Answer(
                    "It must have been trained badly",
                    "Each rank had the best of several learning rates, with a worse one on either side.",
                ),
                Answer(
                    "Only that it does not lack numbers",
                    "With [[more.numbers:,d]] of them in place of [[more.full:,d]] the wall was still there. "
                    "Something else must be missing.",
                    right=True,
                ),
            ),
        ),
    ),
    teaching=Teaching(
        goals=(
            "tell on a curve a method that meets a wall from one that arrives",
            "say why a loss that has fallen far need not be a skill, and which number to ask for besides",
            "question a comparison that was made at one learning rate",
            "name for each of three suspects what gives it an alibi",
        ),
        predictions=(
            Prediction(
                "At r = [[gaps.first]] the new language ends [[gaps.first_gap:.2f]] nats per word above full "
                "finetuning. How far above will it end at r = [[gaps.last]]?",
                "Still [[gaps.last_gap:.2f]] above. Each larger rank comes a little nearer, and the curve lies flat "
                "before it arrives.",
                "wall?task=new-words&place=4&measure=loss",
            ),
            Prediction(
                "In loss, r = [[fall.r]] makes [[fall.share:.0%]] of the fall that full finetuning makes. Of the "
                "sentences that full finetuning writes in the new language, [[fall.full:.0%]] are right. And of those "
                "that the best rank writes?",
                "At best [[fall.right:.0%]], whatever the rank. To be less surprised by a language is not yet to "
                "speak it.",
                "wall?task=new-words&place=4&measure=right",
            ),
            Prediction(
                "At one learning rate, seven scalings of an adapter with r = [[exchange.r]] end between "
                "[[exchange.low:.2f]] and [[exchange.high:.2f]] nats on new facts. Now each gets the rate that suits "
                "it. Between which losses will they end?",
                "Between [[exchange.free_low:.2f]] and [[exchange.free_high:.2f]]. Scaling and rate both say how far "
                "a step goes, so that one can undo much of what the other does.",
                "grid?runs=adamw-64&scaling=0",
            ),
        ),
        stops=(
            Stop(
                "Tell the case, and that LoRA cannot learn this language at any rank, while full finetuning gets some "
                "way. Collect suspects on the board, each with an empty column for its alibi. Take what the class "
                "says, and do not comment on any of them.",
                "",
                (2, 5),
            ),
            Stop(
                "Collect the first prediction before the chart is on the wall. Slide up rank by rank, and leave the "
                "question above the chart unanswered: it is kept for the end.",
                "wall?task=new-words&place=0&measure=loss",
                (4, 6),
            ),
            Stop(
                "For comparison, the mirror. Let everybody write one sentence on a curve that arrives and one on a "
                "curve that does not; choose the two that will serve as definitions.",
                "wall?task=mirror-voice&place=4&measure=loss",
                (0, 4),
            ),
            Stop(
                "Collect the second prediction. How can both numbers be true at once? What would the person who asked "
                "for the language say to somebody who reports only the first?",
                "wall?task=new-words&place=4&measure=right",
                (3, 6),
            ),
            Stop(
                "Collect the third prediction. One half of the class may look down a single column only, the other "
                "along the rows; each writes the headline of a paper. Read them out, and let the class say what kept "
                "the two apart. Then fill in the alibi.",
                "grid?runs=adamw-64&scaling=0",
                (5, 9),
            ),
            Stop(
                "Draw a block with its matrices and have every place marked that had an adapter in these runs. "
                "Cross-examine: is any of them free? Strike out the last suspect if the class agrees.",
                "wall?task=new-words&place=4&measure=loss",
                (0, 4),
            ),
            Stop(
                "Each student writes a verdict, a reason for it, and an experiment that could prove it wrong, folds "
                "the paper and hands it in. Reveal nothing, in the figure or by a nod. The papers are opened in the "
                "next chapter.",
                "wall?task=new-words&place=4&measure=loss",
                (2, 6),
            ),
            Stop(
                "Answer the questions on the handout. Discuss the last one longest: what do the numbers of an adapter "
                "tell, and what do they leave unsaid?",
                "recall",
                (4, 5),
            ),
        ),
    ),
)
