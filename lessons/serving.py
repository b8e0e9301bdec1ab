"""Serving many: the reader can say what three ways to serve a mixed batch cost, and what a router's mistakes do."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from compute.costs.architectures import ARCHITECTURES, linear_numbers
from compute.costs.counting import lora_numbers
from compute.experiments.routed import MOST_WORDS, study
from compute.experiments.serving import (
    ADAPTERS,
    RANKS,
    REQUESTS,
    WAYS,
    counted_pace,
    load_serving,
    numbers_held,
)
from lessons.press.blocks import Answer, Block, Cited, Claim, Correction, Figure, Lesson, Prose, Question, Try
from widgets.routing import Routing
from widgets.serving import Serving

LARGE, LARGE_R = ARCHITECTURES["llama-2-7b"], 16
SMALL_R, LARGEST_R = RANKS[0], RANKS[-1]
SHORT, LONG = 1, 32  # words read of each request
FEW, MANY = 5, 100  # examples of each kind
ALL = MOST_WORDS  # that are read of a prompt


def _pace(words: int, r: int, way: str) -> Mapping[str, Any]:
    """Return how fast a way is with one adapter in the batch, and with as many as there are requests."""
    paces = load_serving().paces[words, r][way]
    return {"r": r, "one": paces[0].middle, "all": paces[-1].middle}


def _groups(words: int) -> Mapping[str, Any]:
    """Return how fast all three ways are at the smallest rank."""
    found: dict[str, Any] = {"adapters": ADAPTERS[-1], "requests": REQUESTS, "words": words}
    for way in WAYS:
        pace = _pace(words, SMALL_R, way)
        found |= {way: pace["all"], f"{way}_one": pace["one"]}
    return {**found, "times": found["together"] / found["merged"], "apart": 1 / found["together_one"] - 1}


def _counted() -> Mapping[str, Any]:
    counted = counted_pace(load_serving().model, SMALL_R)
    more = lora_numbers(LARGE, "all-linear", LARGE_R) / linear_numbers(LARGE)
    measured = _pace(LONG, SMALL_R, "together")["all"]
    return {
        "r": SMALL_R,
        "counted": 1 / counted - 1,
        "measured": 1 / measured - 1,
        "label": LARGE.label,
        "large_r": LARGE_R,
        "large": more,
    }


def _memory() -> Mapping[str, Any]:
    model, most = load_serving().model, ADAPTERS[-1]
    held = {way: numbers_held(way, model, SMALL_R, most) for way in ("together", "merged")}
    return {
        **held,
        "adapters": most,
        "r": SMALL_R,
        "times": held["merged"] / held["together"],
        "total": model.total,
        "high_r": LARGEST_R,
        "one": LARGEST_R * model.per_rank,
        "large": numbers_held("together", model, LARGEST_R, most),
    }


def _extra() -> Mapping[str, Any]:
    extra = study().extra
    wrong = [extra[i, j] for i in range(len(extra)) for j in range(1, len(extra)) if i != j]
    return {"low": min(wrong), "high": max(wrong), "base": extra[1:, 0].max()}


def _first_word() -> Mapping[str, Any]:
    """Return for how many prompts one word is enough: for our router, and for one who knows the voices."""
    known = study()
    return {
        "examples": FEW,
        "right": known.routed[FEW, "probable"].right[0, 1],
        "best": known.best["probable"].right[0, 1],
    }


def _stuck() -> Mapping[str, Any]:
    few, many = (study().routed[m, "probable"].right[:, ALL] for m in (FEW, MANY))
    return {
        "few": FEW,
        "many": MANY,
        "n": ALL,
        "few_right": float(np.mean(few)),
        "many_right": float(np.mean(many)),
    }


CLAIMS: Mapping[str, Claim | Cited] = {
    "groups": Claim(
        lambda: _groups(LONG),
        lambda v: v["swapped"] < v["merged"] < v["merged_one"] / 2 and v["swapped"] < v["swapped_one"] / 2,
    ),
    "short": Claim(
        lambda: _groups(SHORT),
        lambda v: v["times"] > 6 and max(v["merged"], v["swapped"]) < 0.1,
    ),
    "sinks": Claim(
        lambda: _pace(SHORT, LARGEST_R, "together"),
        lambda v: v["one"] / 2 < v["all"] < v["one"],
    ),
    "one": Claim(
        lambda: _groups(LONG),
        lambda v: v["merged_one"] > 0.85 and v["merged_one"] > v["together_one"] + 0.1,
    ),
    "counted": Claim(_counted, lambda v: v["measured"] > 2 * v["counted"]),
    "large": Claim(_counted, lambda v: v["large"] < 0.01),
    "memory": Claim(_memory, lambda v: v["times"] > 5),
    "too-large": Claim(_memory, lambda v: v["one"] > v["total"] and v["large"] > v["merged"]),
    "extra": Claim(_extra, lambda v: v["low"] > 1.2 * v["base"]),
    "first-word": Claim(_first_word, lambda v: 0.5 < v["right"] < 0.9 and v["best"] == 1),
    "stuck": Claim(
        _stuck,
        lambda v: v["many_right"] < v["few_right"] + 0.02 and max(v["many_right"], v["few_right"]) < 0.97,
    ),
    "slora": Cited("up to four times the throughput", "sheng2023", "abstract"),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
A batch in which every request wants another adapter can be answered almost as fast as one in which all want the same:
[One base, many voices](mixing.html#serving) shows it. This room opens the books. It compares three ways through such a
batch when there is little to compute, counts what each must hold in memory, and takes apart the mistakes of the router
that stands at the door.

## Three ways through one batch

**Merged copies.** Keep a model for each adapter. Split the batch by task, and send each part through its own model.

**Swapped.** Keep one model. Merge the first adapter into it, answer the requests that want it, take it out, merge the
next.

**Together.** Merge nothing. Send the whole batch through the base, and in each layer add for every request what its
own adapter adds. The small products are many, but they all have one shape, so that torch multiplies them in a single
call, `bmm`.

All three give the same answers up to rounding; a test holds them to it, and to what the peft library gives. What
differs is the cost. The figure begins with the hardest case, a model that writes: each pass has one new word of every
request, and hardly anything to do for it.
"""
    )
    yield Figure("serving", Serving, dict(words_each=str(SHORT)))
    yield Try(
        """
Let each request bring [more words](#serving?words_each=32&r=4), and see which of the lines comes closer to the base.
Then take [the largest rank](#serving?words_each=1&r=64) and look at the line that hardly moved before.
"""
    )
    yield Prose(
        """
## Little work for many

The less there is to do for a request, the more a batch is worth, because the time goes into calls and into fetching
weights. At one word each and with [[short.adapters]] adapters, the batch that is answered together keeps
[[short.together:.0%]] of the base's pace. Merged copies end at [[short.merged:.0%]] and swapping at
[[short.swapped:.0%]], for both make a pass for each adapter. With more words in each request the passes have something
to do, and the gap closes: at [[groups.words]] words, copies end at [[groups.merged:.0%]].

The line of those answered together does sink a little, most of all at the largest rank. At r = [[sinks.r]] it goes
from [[sinks.one:.0%]] to [[sinks.all:.0%]]. So many different factors must be fetched from memory while there is
little else to do; that is our reading, and what we measured is the pace. Paces differ from one recording to the next,
and the bands show by how much within one.

Together is not always best. If all requests want one adapter, a merged copy goes at [[one.merged_one:.0%]] of the
base's pace, and the same adapter kept apart at [[one.together_one:.0%]].

## A count is not a clock

By multiplications, r = [[counted.r]] adds [[counted.counted:.0%]] to the work of our model. By the clock it adds
[[one.apart:.0%]], and [[counted.measured:.0%]] where every request has an adapter of its own, since two more
multiplications in each layer take time to start, however small they are, and beside our small matrices that counts. In
a large model the share is smaller: on [[large.label]], r = [[large.large_r]] on all linear layers adds
[[large.large:.1%]] to the multiplications. We did not measure that one, and there too a clock may say more than a
count.

The systems that serve large models do not fuse the adapter into the multiplication by the base. They run a second
multiplication beside it, written for many adapters at once [@chen2023, abstract]. The peft library goes through the
adapters of a batch one by one in each layer [@peft, _mixed_batch_forward], which is right for a few. S-LoRA keeps all
of them in main memory, fetches those that running requests need, and handles adapters of unlike rank; against peft and
a plain use of vLLM it reports [[slora]]. These numbers compare whole systems on graphics cards, and ours three ways on
one core of one machine. They agree in kind, not in size.

## What must be held

For [[memory.adapters]] adapters of r = [[memory.r]] it is [[memory.together:,d]] numbers together and
[[memory.merged:,d]] as merged copies. Swapping needs a little more than together, namely the original weights, so that
what was merged comes out [without a trace](merging.html#wear).

There is an end to it. At r = [[too-large.high_r]] an adapter of our small model has [[too-large.one:,d]] numbers, and
the whole base [[too-large.total:,d]], so that merged copies are the smaller ones. It is the break-even rank once more:
an adapter is cheap as long as its rank is small.

## What a mistake costs

A router that reads the beginning of a prompt and picks an adapter is right or wrong; but wrong comes in several
prices. Ours is naive Bayes: a word that was frequent in legal stories speaks for the legal adapter, and it adds that
up over the words that it reads [@manning2008, section 13.2].
"""
    )
    yield Figure("routing", Routing, dict(rule="cheapest", n=2))
    yield Try(
        """
Let it learn from [more stories](#routing?examples=100&rule=probable&n=8) and read more words. Does it come as close to
“knowing the voices” as it could?
"""
    )
    yield Prose(
        """
Under an adapter for something else, a text costs [[extra.low:.2f]] to [[extra.high:.2f]] nats a word more than under
its own. Without any adapter it costs at most [[extra.base:.2f]] more. So a legal text that is sent to the medical
adapter is harmed, and one that is sent to none is just left as it was. A router that knows these prices may take no
adapter when in doubt, and [in the chapter](mixing.html#routing) that is what saves it.

Could it simply be right more often? After one word it is right for [[first-word.right:.0%]] of the prompts, where
somebody who knows how each voice begins would be right for [[first-word.best:.0%]]. A legal story begins with “the”
and one in the code voice with “at”, but our router does not look at the order of the words, and both words come up
inside the stories of other voices too. More examples do not help: with [[stuck.n]] words to read it is right for
[[stuck.few_right:.0%]] having learned from [[stuck.few]] stories of each kind, and no more often with [[stuck.many]].
What it lacks is not data. It takes words for independent that come together, and so its chances are too sure of
themselves.

Our choice is made once for a request and takes one whole adapter. AdapterFusion does something else: it learns an
attention over adapters of another kind, in each layer [@pfeiffer2020, section 3].
"""
    )


LESSON = Lesson(
    slug="serving",
    title="Serving many",
    question="Every request wants another adapter: what do three ways to answer a batch of them cost?",
    part="Rooms",
    order=270,
    minutes=7,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "A model writes word by word for a batch in which everybody wants another adapter. Which way is fastest?",
            (
                Answer(
                    "Swap the adapters in, one after the other",
                    "That is a merge and a pass for each of them, with one word of one request in it. It ends at "
                    "[[short.swapped:.0%]] of the base's pace.",
                ),
                Answer(
                    "Keep a merged copy for each adapter",
                    "Each copy is fast, but each makes a pass of its own for one request. Together they end at "
                    "[[short.merged:.0%]] of the base's pace.",
                ),
                Answer(
                    "Keep the adapters apart and answer together",
                    "The product with the base is shared, and each request adds its own thin one. That is "
                    "[[short.times:.0f]] times as fast as merged copies.",
                    right=True,
                ),
            ),
        ),
        Question(
            "All your requests want the same adapter. Which way is fastest?",
            (
                Answer(
                    "Merge it once",
                    "Then the model is about as fast as the base: it goes at [[one.merged_one:.0%]] of the base's "
                    "pace, and with the adapter kept apart at [[one.together_one:.0%]].",
                    right=True,
                ),
                Answer(
                    "Keep it apart and answer together",
                    "That pays for two more multiplications in each layer, which by the clock add "
                    "[[one.apart:.0%]] here.",
                ),
                Answer(
                    "Swap it in for every batch",
                    "That merges again what is merged already, and gains nothing over merging once.",
                ),
            ),
        ),
    ),
    corrections=(
        Correction(
            "LoRA costs nothing when it answers: merge it.",
            "That is so for one task. Several do not go through a merged model in one batch "
            "[@hu2021, section 4.2]. With [[groups.requests]] requests of [[groups.words]] words each, the pace falls "
            "from [[groups.swapped_one:.0%]] of the base's with one adapter to [[groups.swapped:.0%]] with "
            "[[groups.adapters]] if they are swapped, and with merged copies from [[groups.merged_one:.0%]] to "
            "[[groups.merged:.0%]].",
            "serving",
        ),
    ),
)
