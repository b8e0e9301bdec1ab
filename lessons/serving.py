"""Serving many: the reader can say what many adapters in one batch cost, and how a prompt is sent to its adapter."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from compute.costs.architectures import ARCHITECTURES, linear_numbers
from compute.costs.counting import lora_numbers
from compute.experiments.routed import MOST_WORDS, SETS, study
from compute.experiments.serving import ADAPTERS, RANKS, REQUESTS, counted_pace, load_serving, numbers_held
from compute.serving.routing import RULES
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
    told = {"r": r, "words": words, "requests": REQUESTS, "adapters": ADAPTERS[-1]}
    return {**told, "one": paces[0].middle, "all": paces[-1].middle, "every": [p.middle for p in paces]}


def _groups(words: int) -> Mapping[str, Any]:
    swapped, merged = (_pace(words, SMALL_R, way) for way in ("swapped", "merged"))
    together = _pace(words, SMALL_R, "together")
    return {
        **{name: merged[name] for name in ("r", "words", "requests", "adapters", "one", "all")},
        "swapped": swapped["all"],
        "swapped_one": swapped["one"],
        "together": together["all"],
        "together_one": together["one"],
        "times": together["all"] / merged["all"],
    }


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


def _routed(examples: int, rule: str, n: int) -> Mapping[str, Any]:
    known = study()
    routed = known.routed[examples, rule]
    return {
        "examples": examples,
        "n": n,
        "right": routed.right[0, n],
        "best": known.best[rule].right[0, n],
        "cost": routed.cost[0, n],
        "never": known.never,
        "random": known.random,
        "sets": SETS,
        "worse": int(np.sum(routed.cost[:, n] > known.never)),
    }


def _careful() -> Mapping[str, Any]:
    likely, careful = (_routed(FEW, rule, 2) for rule in RULES)
    costs = [study().routed[FEW, rule].cost[:, 2] for rule in RULES]
    before = {"before": likely["right"], "cost_before": likely["cost"]}
    return {**careful, **before, "better": int(np.sum(costs[1] < costs[0]))}


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
    "flat": Claim(
        lambda: _pace(LONG, SMALL_R, "together"),
        lambda v: 0.8 < v["all"] / v["one"] < 1.2 and max(v["every"]) < 1.25 * min(v["every"]) < 1,
    ),
    "rank": Claim(
        lambda: _pace(LONG, LARGEST_R, "together"),
        lambda v: max(v["every"]) < 0.7 * _pace(LONG, SMALL_R, "together")["all"],
    ),
    "groups": Claim(
        lambda: _groups(LONG),
        lambda v: v["swapped"] < v["all"] < v["one"] / 2 and v["swapped"] < v["swapped_one"] / 2,
    ),
    "short": Claim(
        lambda: _groups(SHORT),
        lambda v: v["times"] > 6 and v["all"] < 0.1,
    ),
    "sinks": Claim(
        lambda: _pace(SHORT, LARGEST_R, "together"),
        lambda v: v["one"] / 2 < v["all"] < v["one"],
    ),
    "one": Claim(
        lambda: _groups(LONG),
        lambda v: v["one"] > 0.85 and v["one"] > v["together_one"] + 0.1,
    ),
    "counted": Claim(
        _counted,
        lambda v: v["measured"] > 2 * v["counted"],
    ),
    "large": Claim(
        _counted,
        lambda v: v["large"] < 0.01,
    ),
    "memory": Claim(
        _memory,
        lambda v: v["times"] > 5,
    ),
    "too-large": Claim(
        _memory,
        lambda v: v["one"] > v["total"] and v["large"] > v["merged"],
    ),
    "extra": Claim(
        _extra,
        lambda v: v["low"] > 1.2 * v["base"],
    ),
    "first-word": Claim(
        lambda: _routed(FEW, "probable", 1),
        lambda v: 0.5 < v["right"] < v["best"] == 1,
    ),
    "worse": Claim(
        lambda: _routed(FEW, "probable", 1),
        lambda v: v["random"] > v["cost"] > v["never"] and v["worse"] > v["sets"] / 2,
    ),
    "careful": Claim(
        _careful,
        lambda v: v["cost"] < v["cost_before"] and v["better"] > v["sets"] / 2,
    ),
    "stuck": Claim(
        _stuck,
        lambda v: (
            abs(v["many_right"] - v["few_right"]) < 0.05 and max(v["many_right"], v["few_right"]) < 0.97
        ),
    ),
    "punica": Cited("twelve times the throughput, at about 2 ms more for each token", "chen2023", "abstract"),
    "slora": Cited("up to four times the throughput", "sheng2023", "abstract"),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
A program that answers requests does not take them one by one. It waits a moment, takes all that have come, and sends
them through the model as one batch. The weights are read once for all of them. That is where the speed comes from.

Now let each request want an adapter of its own. A merged model has one adapter inside, so it can answer for one task
only. LoRA's authors name that as a limitation: different tasks do not go through a merged model in one batch
[@hu2021, section 4.2]. Prompt tuning mixes tasks in a batch with ease [@lester2021, figure 2]. Can LoRA?

## Three ways

**Merged copies.** Keep a model for each adapter. Split the batch by task, and send each part through its own model.

**Swapped.** Keep one model. Merge the first adapter into it, answer its requests, merge the next.

**Together.** Do not merge. Send the whole batch through the base. In each layer, add for each request what its own
adapter adds:

$$y_i = W x_i + s\\,B_{j(i)} A_{j(i)}\\, x_i.$$

Here $j(i)$ is the adapter that request $i$ asked for. The product with $W$ is one for the whole batch. The
small products are many, but they have one shape, and torch multiplies them all in a single call, `bmm`.

All three give the same answers, up to rounding; a test holds them to it, and holds them to the peft library. So
the question is what they cost. Guess first.
"""
    )
    yield Figure("serving", Serving)
    yield Try(
        """
Drag the number of adapters from one end to the other, and watch which line does not move. Then do the same at the
largest r. At how many adapters do merged copies cross the line of the batch that is answered together?
"""
    )
    yield Prose(
        """
## What it costs

[[flat.words]] words each and r = [[flat.r]]: with one adapter for all, the batch goes at [[flat.one:.0%]] of the
base's pace. With [[flat.adapters]] different adapters, one for each request, it goes at [[flat.all:.0%]]. The number
of adapters hardly matters, because each request meets one adapter, whichever it is. What matters is how large that
one is. At r = [[rank.r]] the same two batches go at [[rank.one:.0%]] and [[rank.all:.0%]].

The other two have no such cost in each layer. Theirs comes with each further adapter: one more pass, for fewer
requests. Swapped, the pace falls from [[groups.swapped_one:.0%]] with one adapter to [[groups.swapped:.0%]] with
[[groups.adapters]]; with merged copies from [[groups.one:.0%]] to [[groups.all:.0%]].

The less there is to do for a request, the more a batch is worth. A model that writes has just one new word of each
request in a pass. At [[short.words]] word each, merged copies end at [[short.all:.0%]], and the batch that is
answered together is [[short.times:.0f]] times as fast.

There the flat line does sink a little, most of all at the largest rank. At [[sinks.words]] word each and r =
[[sinks.r]] it goes from [[sinks.one:.0%]] to [[sinks.all:.0%]]. So many different factors have to be fetched from
memory, and there is little else to do meanwhile. That is our reading; what we measured is the pace. All paces differ
somewhat from one recording to the next, and the bands show by how much within one.

So is together always best? No. With one adapter for all, the merged copy goes at [[one.one:.0%]] of the base's pace,
and the same adapter kept apart at [[one.together_one:.0%]]. If all requests want the same, merge.

## Why our small model pays so much

By multiplications, r = [[counted.r]] adds [[counted.counted:.0%]] to the work of our model. By the clock it adds
[[counted.measured:.0%]]. Two more multiplications in each layer take time to start, however small they are, and
beside our small matrices that counts. In a large model the matrices are larger and the share of the adapter is
smaller. On [[large.label]], r = [[large.large_r]] on all linear layers adds [[large.large:.1%]] to the
multiplications. We did not measure that one, and a clock may say more than a count.

You may read that the adapter can be fused into the multiplication by the base. The systems below do something else:
they run a second multiplication beside it, written for many adapters at once [@chen2023, abstract].

## Memory

For [[memory.adapters]] adapters of r = [[memory.r]] it is [[memory.together:,d]] numbers together and
[[memory.merged:,d]] as merged copies, [[memory.times:.0f]] times as many. Swapping needs a little more than together:
the original weights, so that what was merged comes out without a trace. That adding and subtracting does leave a
trace is shown in [merging](merging.html).

There is an end to it. At r = [[too-large.high_r]] an adapter of our small model has [[too-large.one:,d]] numbers and
the whole base [[too-large.total:,d]]. Then merged copies are the smaller ones. It is break-even once more: an adapter
is cheap as long as its rank is small.

## How large systems do it

The peft library can mix adapters in a batch. It goes through them one by one in each layer
[@peft, _mixed_batch_forward], which is right for a few.

Punica brought a kernel for a graphics card that takes all small products of a batch at once, and one copy of the base.
On a cluster of fixed size, against the serving systems of its time, its authors report [[punica]].

S-LoRA keeps all adapters in main memory and fetches those that running requests need. It handles adapters of unlike
rank. It is compared with peft and with a plain use of vLLM: [[slora]], and far more adapters.

vLLM lets each request name its adapter [@vllm, LoRA Adapters].

These numbers compare whole systems on graphics cards, ours three ways on one core. They agree in kind, not in size.

## Which adapter?

So far each request said what it wants. What if it is just a prompt? Then something has to choose, before the first
word is written, and it has only the prompt to go by.

Here is about the smallest thing that can. It has seen the beginnings of some stories of each kind and counts their
words. A word that was frequent in legal stories speaks for the legal adapter. It adds that up over the first words of a
prompt. Its name is naive Bayes [@manning2008, section 13.2]. Four answers are possible: legal, medical, code, or no
adapter, which is right for the other voices that the base knows.
"""
    )
    yield Figure("routing", Routing)
    yield Try(
        """
Type a prompt of your own, and raise the number of words that are read. Then let the classifier take what costs least on
average, and watch both curves. Which one gets worse?
"""
    )
    yield Prose(
        """
## A mistake has a price

We know whose voice each prompt is in, since we drew it. So we can count. Having learned from [[first-word.examples]]
stories of each kind and read [[first-word.n]] word, it is right for [[first-word.right:.0%]] of the prompts. Someone
who knows how each voice begins would be right for [[first-word.best:.0%]]. A story of the legal voice begins with
“the”, one of the code voice with “at”. But our classifier does not look at the order of the words, and both words
come up inside the stories of other voices too.

But is being right what we want? A wrong choice is not a matter of yes or no. Under an adapter for something else, a
text costs [[extra.low:.2f]] to [[extra.high:.2f]] nats per word more. Without any adapter it costs at most
[[extra.base:.2f]] more. So the mistakes differ. Sending a legal text to the medical adapter does harm. Sending it to
no adapter just leaves it as it was.

Hence a surprise. The classifier is right far more often than chance. Its choices cost [[worse.cost:.3f]] nats per
word, those drawn by lot [[worse.random:.3f]]. Using no adapter at all costs [[worse.never:.3f]]. The classifier is
worse than that for [[worse.worse]] of [[worse.sets]] sets of examples. A control that does nothing is easily
forgotten.

## When in doubt, do nothing

A classifier gives chances, not only an answer. So let it weigh them: for each adapter, what would it cost on average
to choose it? Then take the cheapest. After [[careful.n]] words that costs [[careful.cost:.3f]] nats per word, where
taking the likeliest costs [[careful.cost_before:.3f]]. It costs less for [[careful.better]] of [[careful.sets]] sets
of examples. In doubt it takes no adapter.

Would more examples help? With [[stuck.few]] stories of each kind to learn from and [[stuck.n]] words to read it is
right for [[stuck.few_right:.0%]] of the prompts, with [[stuck.many]] stories for [[stuck.many_right:.0%]]. So what it
lacks is not data. It cannot see that a word is the first. And its chances are too sure of themselves, for it takes
words for independent that come together.

## What this is not

Our choice is made once for a request, from its words, and takes one whole adapter. Others do something else.

LoraHub does not route requests at all. It searches for one mix of adapters for a task, with a few examples and without
a gradient [@huang2023, abstract]. AdapterFusion learns an attention over adapters of another kind, in each layer
[@pfeiffer2020, abstract]. MixLoRA sends each token to a few of its experts [@mixlora2024, abstract].

## In short

- A merged model answers for one task. A batch of many tasks needs the adapters kept apart.
- Answered together, the cost follows r and not the number of adapters.
- Swapping and merged copies pay for each further adapter, in passes or in memory.
- If everybody wants the same adapter, merge it.
- A router is judged by what its mistakes cost, beside the control that uses no adapter.
"""
    )


LESSON = Lesson(
    slug="serving",
    title="Serving many",
    question="Every request wants another adapter: what does one batch of them cost?",
    part="Rooms",
    order=270,
    minutes=14,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "A batch is answered together. Its one adapter is replaced by many different ones of the same rank. What "
            "happens to its pace?",
            (
                Answer(
                    "It stays about the same",
                    "Each request still meets one adapter. [[flat.words]] words each and r = [[flat.r]]: with one"
                    " adapter for all, the batch goes at [[flat.one:.0%]] of the base's pace. With "
                    "[[flat.adapters]] different adapters, one for each request, it goes at [[flat.all:.0%]].",
                    right=True,
                ),
                Answer(
                    "It falls with every adapter",
                    "So it is with passes for one adapter after the other. Swapped, the pace falls from "
                    "[[groups.swapped_one:.0%]] with one adapter to [[groups.swapped:.0%]] with "
                    "[[groups.adapters]]; with merged copies from [[groups.one:.0%]] to [[groups.all:.0%]].",
                ),
                Answer(
                    "It falls, because all of them must be merged first",
                    "Nothing is merged: the small products are added beside the base. At r = [[rank.r]] the same "
                    "two batches go at [[rank.one:.0%]] and [[rank.all:.0%]].",
                ),
            ),
        ),
        Question(
            "All your requests want the same adapter. Which way is fastest?",
            (
                Answer(
                    "Merge it once",
                    "Then the model is as fast as the base. With one adapter for all, the merged copy goes at "
                    "[[one.one:.0%]] of the base's pace, and the same adapter kept apart at "
                    "[[one.together_one:.0%]].",
                    right=True,
                ),
                Answer(
                    "Keep it apart and answer together",
                    "That pays for two more multiplications in each layer. With one adapter for all, the merged "
                    "copy goes at [[one.one:.0%]] of the base's pace, and the same adapter kept apart at "
                    "[[one.together_one:.0%]].",
                ),
                Answer(
                    "Swap it in for every batch",
                    "That merges again what is merged already, and gains nothing over merging once. Swapped, the "
                    "pace falls from [[groups.swapped_one:.0%]] with one adapter to [[groups.swapped:.0%]] with "
                    "[[groups.adapters]]; with merged copies from [[groups.one:.0%]] to [[groups.all:.0%]].",
                ),
            ),
        ),
        Question(
            "A router is unsure which of two adapters a prompt asks for. Where should it send it?",
            (
                Answer(
                    "To the likelier one, always",
                    "Likely is not cheap: a wrong adapter may cost more than none. Under an adapter for something"
                    " else, a text costs [[extra.low:.2f]] to [[extra.high:.2f]] nats per word more. Without any "
                    "adapter it costs at most [[extra.base:.2f]] more.",
                ),
                Answer(
                    "To what costs least on average, perhaps to no adapter",
                    "A mistake that costs little is a small one. After [[careful.n]] words that costs "
                    "[[careful.cost:.3f]] nats per word, where taking the likeliest costs "
                    "[[careful.cost_before:.3f]]. It costs less for [[careful.better]] of [[careful.sets]] sets "
                    "of examples.",
                    right=True,
                ),
                Answer(
                    "Anywhere, since adapters are small",
                    "Small in memory, not in effect. Under an adapter for something else, a text costs "
                    "[[extra.low:.2f]] to [[extra.high:.2f]] nats per word more. Without any adapter it costs at "
                    "most [[extra.base:.2f]] more.",
                ),
            ),
        ),
    ),
    corrections=(
        Correction(
            "LoRA costs nothing when it answers: merge it.",
            "For one task, so it is. Several do not go through a merged model in one batch. Swapped, the "
            "pace falls from [[groups.swapped_one:.0%]] with one adapter to [[groups.swapped:.0%]] with "
            "[[groups.adapters]]; with merged copies from [[groups.one:.0%]] to [[groups.all:.0%]].",
            "serving",
        ),
        Correction(
            "Every further adapter slows a batch down.",
            "Not one that is answered together. [[flat.words]] words each and r = [[flat.r]]: with one "
            "adapter for all, the batch goes at [[flat.one:.0%]] of the base's pace. With "
            "[[flat.adapters]] different adapters, one for each request, it goes at [[flat.all:.0%]]. At "
            "r = [[rank.r]] the same two batches go at [[rank.one:.0%]] and [[rank.all:.0%]].",
            "serving",
        ),
        Correction(
            "The router that is right more often is the better one.",
            "Not if mistakes differ in price. Its choices cost [[worse.cost:.3f]] nats per word, those "
            "drawn by lot [[worse.random:.3f]]. Using no adapter at all costs [[worse.never:.3f]]. The "
            "classifier is worse than that for [[worse.worse]] of [[worse.sets]] sets of examples. After "
            "[[careful.n]] words that costs [[careful.cost:.3f]] nats per word, where taking the "
            "likeliest costs [[careful.cost_before:.3f]]. It costs less for [[careful.better]] of "
            "[[careful.sets]] sets of examples.",
            "routing",
        ),
    ),
)
