"""One base, many voices: the reader can say how adapters are swapped, mixed, served in one batch, and chosen."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from statistics import fmean
from typing import Any

import numpy as np

from compute.adapters.mixing import combine, cosine, difference
from compute.experiments.mixing import (
    MIXED,
    NEW_FACTS,
    SEEDS,
    Measured,
    Mix,
    load_factors,
    load_record,
    mix_of,
)
from compute.experiments.routed import SETS, study
from compute.experiments.serving import ADAPTERS, load_serving
from compute.experiments.serving import RANKS as SERVED_RANKS
from compute.experiments.tasks import FULL, load_tasks
from compute.numbers.interval import Apart, apart
from compute.serving.routing import RULES
from compute.world.voices import NO_VOICE
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
from widgets.mixer import Mixer
from widgets.routing import Routing
from widgets.serving import Serving

PAIRS = [*combinations(MIXED, 2)]
HALF, WHOLE = 0.5, 1.0
BASE = Mix((), (), "products")
WORDS_EACH = 32  # read of each request
FEW = 5  # stories of each kind from which the router has learned

Of = Callable[[Measured], float]


def _mix(names: Sequence[str], weight: float, method: str = "products") -> list[Measured]:
    """Return what was measured of adapters at one weight, by seed."""
    return load_record().of(mix_of(dict.fromkeys(names, weight), method))


def _voice(name: str) -> Of:
    """Return what gives the share of a voice, on average over the texts."""
    return lambda measured: fmean(measured.shares(name))


def _said(measured: Measured) -> float:
    return fmean(measured.right())


def _facts(measured: Measured) -> float:
    return measured.facts


def _loss(name: str) -> Of:
    return lambda measured: measured.losses[name]


def _mean(measured: Sequence[Measured], of: Of) -> float:
    return fmean(map(of, measured))


def _apart(one: Sequence[Measured], other: Sequence[Measured], of: Of) -> Apart:
    """Return how much higher one mix is than another, seed by seed."""
    return apart([*map(of, one)], [*map(of, other)])


def _sizes() -> Mapping[str, Any]:
    layers = load_factors("legal").values()
    base = next(each.numbers for each in load_tasks().learned if each.way == FULL)
    return {
        "adapter": sum(each.lora_B.size + each.lora_A.size for each in layers),
        "base": base,
        "facts": NEW_FACTS,
        "seeds": len(SEEDS),
    }


def _swapped() -> Mapping[str, Any]:
    """Return what is heard of each voice with its adapter alone, and which new facts are known."""
    return {
        "low": min(_mean(_mix([name], WHOLE), _voice(name)) for name in MIXED if name != "facts"),
        "facts": _mean(_mix(["facts"], WHOLE), _facts),
        "base": load_record().mixes[SEEDS[0], BASE].facts,
    }


def _both() -> Mapping[str, Any]:
    """Return what is left of a voice and of new facts where both are in the model, whole and half."""
    found: dict[str, Any] = {
        "weight": WHOLE,
        "half": HALF,
        "facts_alone": _mean(_mix(["facts"], WHOLE), _facts),
    }
    for voice in ("legal", "code", "formal"):
        mixed, half = (_mix([voice, "facts"], weight) for weight in (WHOLE, HALF))
        found[voice] = _mean(mixed, _voice(voice))
        found[f"{voice}_alone"] = _mean(_mix([voice], WHOLE), _voice(voice))
        found[f"facts_{voice}"] = _mean(mixed, _facts)
        found[f"half_{voice}"] = _mean(half, _voice(voice))
        found[f"half_facts_{voice}"] = _mean(half, _facts)
        found[f"fall_{voice}"] = _apart(half, mixed, _facts)
    return found


def _two() -> Mapping[str, Any]:
    """Return which of two known voices a model writes in, and how many texts have both."""
    half = _mix(["legal", "code"], HALF)
    texts = [{*text.lower()} & {*"lc"} for measured in half for text in measured.told]
    either = [voices for voices in texts if voices]
    return {
        "weight": HALF,
        "legal": _mean(half, _voice("legal")),
        "code": _mean(half, _voice("code")),
        "none": _mean(half, _voice(NO_VOICE)),
        "texts": len(either),
        "one": sum(len(voices) == 1 for voices in either) / len(either),
    }


def _twice() -> Mapping[str, Any]:
    layers = load_factors("legal").values()
    found = [
        np.linalg.norm(combine([each, each], [HALF, HALF], "factors").delta_w) / np.linalg.norm(each.delta_w)
        for each in layers
    ]
    return {"weight": HALF, "low": min(found), "times": max(found)}


def _off() -> Mapping[str, Any]:
    found = {
        method: [
            difference([load_factors(one), load_factors(other)], [HALF, HALF], method) for one, other in PAIRS
        ]
        for method in ("factors", "concatenation", "svd")
    }
    return {
        "pairs": len(PAIRS),
        "low": min(found["factors"]),
        "high": max(found["factors"]),
        "svd": max(found["svd"]),
        "rounding": max(found["concatenation"]),
    }


def _factors() -> Mapping[str, Any]:
    """Return for how many pairs less can be said by the sum of the factors than by that of the products."""
    found = [_apart(_mix(pair, WHOLE, "factors"), _mix(pair, WHOLE), _said) for pair in PAIRS]
    verdicts = [each.verdict for each in found]
    return {
        "weight": WHOLE,
        "pairs": len(PAIRS),
        "below": verdicts.count("below"),
        "above": verdicts.count("above"),
        "most": -min(each.mean for each in found),
    }


def _cosines() -> Mapping[str, Any]:
    found = [abs(cosine(load_factors(one), load_factors(other))) for one, other in PAIRS]
    return {"pairs": len(found), "largest": max(found)}


def _interference() -> Mapping[str, Any]:
    """Return how much a second adapter, or a random one of its size, adds to the loss on what the first is for."""
    alone = _mix(["legal"], WHOLE)
    noisy = load_record().of(Mix(("legal",), (WHOLE,), "noise"))
    found: dict[str, Any] = {"noise": _apart(noisy, alone, _loss("legal")).mean}
    for other in ("code", "formal", "facts"):
        more = _apart(_mix(["legal", other], WHOLE), alone, _loss("legal"))
        found |= {other: more.mean, f"{other}_low": more.low}
    return found


def _pace(r: int) -> Mapping[str, Any]:
    """Return how fast a batch goes with one adapter in it and with as many as there are requests, in two ways."""
    paces = load_serving().paces[WORDS_EACH, r]
    found: dict[str, Any] = {"r": r, "adapters": ADAPTERS[-1]}
    for way in ("together", "merged"):
        found |= {f"{way}_one": paces[way][0].middle, f"{way}_all": paces[way][-1].middle}
    return found


def _routed(rule: str, n: int) -> Mapping[str, Any]:
    """Return how well prompts are sent after n words, and what mistakes cost, in nats a word."""
    known = study()
    routed = known.routed[FEW, rule]
    return {
        "n": n,
        "right": routed.right[0, n],
        "cost": routed.cost[0, n],
        "never": known.never,
        "random": known.random,
        "sets": SETS,
        "worse": int(np.sum(routed.cost[:, n] > known.never)),
    }


def _careful() -> Mapping[str, Any]:
    likely, careful = (_routed(rule, 2) for rule in RULES)
    costs = [study().routed[FEW, rule].cost[:, 2] for rule in RULES]
    return {**careful, "cost_before": likely["cost"], "better": int(np.sum(costs[1] < costs[0]))}


CLAIMS: Mapping[str, Claim | Cited] = {
    "sizes": Claim(_sizes, lambda v: v["adapter"] < v["base"] / 10 and v["seeds"] > 3),
    "swapped": Claim(
        _swapped,
        lambda v: v["low"] > 0.9 and v["facts"] > 0.9 and v["base"] < 0.2,
    ),
    "both": Claim(
        _both,
        lambda v: min(v["legal"], v["code"], v["facts_legal"], v["facts_code"]) > 0.8,
    ),
    "formal-facts": Claim(
        _both,
        lambda v: v["facts_formal"] < v["facts_alone"] - 0.3,
    ),
    "half-facts": Claim(
        _both,
        lambda v: (
            v["half_legal"] > 0.85
            and max(v["fall_legal"].high, v["fall_code"].high) < 0
            and max(v["half_facts_legal"], v["half_facts_code"]) < 0.75
        ),
    ),
    "two": Claim(
        _two,
        lambda v: min(v["legal"], v["code"]) > 0.1 and v["legal"] + v["code"] > 0.9 and v["none"] < 0.02,
    ),
    "one-each": Claim(_two, lambda v: v["one"] > 0.95),
    "twice": Claim(
        _twice,
        lambda v: abs(v["times"] - 2) < 1e-9 and abs(v["low"] - 2) < 1e-9,
    ),
    "off": Claim(_off, lambda v: v["low"] > 0.6),
    "svd": Claim(_off, lambda v: v["svd"] < v["low"] / 2 and v["rounding"] < 1e-9),
    "factors": Claim(_factors, lambda v: v["below"] >= v["pairs"] - 1 and not v["above"]),
    "cosines": Claim(_cosines, lambda v: v["largest"] < 0.2),
    "losses": Claim(
        _interference,
        lambda v: v["formal_low"] > 0 and v["formal"] > 10 * max(v["facts"], v["code"], v["noise"]),
    ),
    "flat": Claim(
        lambda: _pace(SERVED_RANKS[0]),
        lambda v: 0.9 < v["together_all"] / v["together_one"] < 1.1,
    ),
    "copies": Claim(
        lambda: _pace(SERVED_RANKS[0]),
        lambda v: v["merged_one"] > v["together_one"] and v["merged_all"] < v["together_all"] / 2,
    ),
    "rank": Claim(
        lambda: _pace(SERVED_RANKS[-1]),
        lambda v: v["together_one"] < 0.7 * _pace(SERVED_RANKS[0])["together_one"],
    ),
    "first-word": Claim(
        lambda: _routed("probable", 1),
        lambda v: v["right"] > 0.5,
    ),
    "worse": Claim(
        lambda: _routed("probable", 1),
        lambda v: v["random"] > v["cost"] > v["never"] and v["worse"] == v["sets"],
    ),
    "careful": Claim(
        _careful,
        lambda v: v["cost"] < v["cost_before"] / 4 and v["better"] == v["sets"],
    ),
    "punica": Cited("twelve times the throughput, at about 2 ms more for each token", "chen2023", "abstract"),
    "slora": Cited("thousands of them on one card or several", "sheng2023", "abstract"),
    "apple-rank": Cited("rank 16", "apple2024", "section Model Adaptation"),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
The company of [the first chapter](customers.html) is back. It answers letters for fifty customers, each in a voice of
its own and with facts that nobody else has. Merging gave it one fast model, for one of them.

Picture the base as a clerk who reads and writes all the letters, and next to the desk a cabinet with fifty drawers. In
each drawer are a pair of glasses and a pen. The glasses are lora_A: through them the clerk sees in a letter what
matters to this customer. The pen is lora_B, which puts that into the customer's words. A drawer is small: in our model
it holds [[sizes.adapter:,d]] numbers, while the clerk has [[sizes.base:,d]]. What can we do with such a cabinet?

## One drawer at a time

The simplest is to swap: put one set back, take out another [@hu2021, section 4.2]. We filled four drawers. Two hold
voices that the base has met now and then, the legal one and one like program code. The third holds the formal voice,
which the base had never read, and the last [[sizes.facts]] facts about people it had never heard of. With a voice's
drawer open, at least [[swapped.low:.0%]] of the sentences that the model writes are in that voice. With the drawer of
facts open, it gets [[swapped.facts:.0%]] of the questions about them right, where the base gets [[swapped.base:.0%]].
And because nothing was merged into the weights, no trace is left when a drawer is closed again.

So the company now owns three kinds of parts: the clerk, the drawers, and the rule that says which letter opens which
drawer. Each can have its own versions. A new adapter for one customer touches no other customer, and can be withdrawn
the same evening. Only a new base concerns everybody, because every adapter was trained for the old one.

But what about a letter that needs two drawers?

## Two drawers at once

A change is a matrix in each layer, and matrices can be scaled and added, each with a weight of its own. What will such
a mix write: sentences that are half legal and half formal, one after the other, or nonsense? For every setting below,
the model wrote texts of its own and was asked for all the new facts. Every voice has its own sentence forms, so we can
tell which voice a sentence is in, if any.
"""
    )
    yield Figure("mixer", Mixer)
    yield Try(
        """
Raise both weights and read what the model writes. Then [add the new facts to the legal
voice](#mixer?primary=legal&second=facts&w1=100&w2=100): does the model still sound like a lawyer, and does it know the
facts?
"""
    )
    yield Prose(
        """
The figure shows the mixes of one seed; the numbers that follow are means over [[sizes.seeds]] seeds.

Two adapters that are about different things may get on well. With the legal voice and the new facts at full weight
each, [[both.legal:.0%]] of the sentences are legal and [[both.facts_legal:.0%]] of the facts are right; on their own
the two reach [[both.legal_alone:.0%]] and [[both.facts_alone:.0%]]. Weights that add up to one, as if we were mixing
paint, do worse: [at half weight each](#mixer?primary=legal&second=facts&w1=50&w2=50) the voice stays, but only
[[half-facts.half_facts_legal:.0%]] of the facts are right. Half an adapter does not do half of what the whole one does.

Two voices, however, want the same pen. [Half of the legal one and half of the code
one](#mixer?primary=legal&second=code&w1=50&w2=50) make a model that writes [[two.legal:.0%]] of its sentences in the
legal voice and [[two.code:.0%]] in code. It does not waver between them; in each text it chooses one and stays with it.
Of [[one-each.texts]] texts that have a sentence in one of the two voices, [[one-each.one:.1%]] have none in the other.

How to add is less obvious than it seems. We want the sum of the products, $w_1 s\\,B_1 A_1 + w_2 s\\,B_2 A_2$. It is
tempting to add glasses to glasses and pens to pens, since the result is no larger than one adapter. Multiply it out:

$$(B_1 + B_2)(A_1 + A_2) = B_1 A_1 + B_2 A_2 + B_1 A_2 + B_2 A_1.$$

The last two terms belong to nobody. What the clerk has seen through the lawyer's glasses is written down with the
programmer's pen. For our [[off.pairs]] pairs at equal weights, this sum misses the wanted one by [[off.low:.0%]] of its
length or more, and it shows in the texts: [by this
rule](#mixer?primary=legal&second=code&method=factors&w1=100&w2=100), for [[factors.below]] of the pairs, fewer of the
sentences that the model writes make sense where they stand. PEFT calls this rule `linear`, and describes it as a rough
approximation [@peft, add_weighted_adapter]. Its rule `cat` lays both sets side by side in one drawer, which is exact,
but the ranks add up.

Even an exact sum promises nothing. In the weights our adapters hardly overlap: the largest cosine between two of them
is [[cosines.largest:.2f]]. Yet when the formal voice is added, the loss on legal texts rises by [[losses.formal:.1f]]
nats a word, where random numbers as large as the legal adapter cost [[losses.noise:.2f]], and of the new facts only
[[formal-facts.facts_formal:.0%]] are left. Each matrix adds up exactly, but what happens between the matrices is not
linear. The weights alone will not tell you which adapters get on, so measure the loss.

## Fifty letters in one batch

Letters do not come one by one. A server takes all that have arrived and sends them through the base in one pass, a
*batch*, which is fast because the weights are read only once for everybody. Can each letter still open a drawer of its
own? In every layer the product with W is shared, and each letter $i$ adds the product of its own drawer $j(i)$:

$$y_i = W x_i + s\\,B_{j(i)} A_{j(i)}\\, x_i.$$
"""
    )
    yield Figure("serving", Serving)
    yield Try(
        """
Drag the number of adapters from one end to the other, and watch which line hardly moves. Then [take adapters of a
larger rank](#serving?r=64): what costs more, many drawers or large ones?
"""
    )
    yield Prose(
        """
With one adapter for the whole batch, the model runs at [[flat.together_one:.0%]] of the base's speed; with
[[flat.adapters]] different ones, one for each letter, at [[flat.together_all:.0%]]. The number of drawers hardly
matters, since each letter opens only one. A merged copy for each customer is faster as long as all letters want the
same one, but falls to [[copies.merged_all:.0%]] when each wants its own.

Large systems are built on this. Punica multiplies all the thin matrices of a batch in one call and reports, compared
with the servers of its time, [[punica]]; S-LoRA serves [[slora]]. In vLLM a request names its adapter
[@vllm, LoRA Adapters], as it does in Text Generation Inference, which is now only maintained [@tgi, LoRA]; on its
phones Apple swaps adapters of [[apple-rank]]. A later kind, aLoRA, starts working only at the word where it is called,
so that what the base has read before need not be read again [@greenewald2025, abstract]. [A room of its
own](serving.html) counts what a batch costs in time and memory.

## A letter without a name

So far each letter said which customer it belongs to. If it does not, something has to choose a drawer from its first
words. Such a chooser is called a *router*, and here is a very small one: it has seen how a few stories of each kind
begin, and counts their words [@manning2008, section 13.2].
"""
    )
    yield Figure("routing", Routing)
    yield Try(
        """
Type a letter of your own and raise the number of words that are read. Then [let it choose what costs least on
average](#routing?rule=cheapest&n=2).
"""
    )
    yield Prose(
        """
After one word it is right for [[first-word.right:.0%]] of the letters, far more often than chance. And yet its choices
cost [[worse.cost:.3f]] nats a word more than the right ones would, while leaving every drawer shut costs
[[worse.never:.3f]]. How can it be worse than doing nothing? The wrong glasses spoil a letter, while no glasses leave it
as the base would write it, so some mistakes cost more than others. A control that does nothing is easily forgotten. Now
let the router weigh these costs and, when in doubt, open no drawer. After two words it pays [[careful.cost:.3f]] nats a
word, against [[careful.cost_before:.3f]] if it always takes the likeliest drawer.

Others choose more finely: MixLoRA has a trained gate that decides anew for each word [@mixlora2024, abstract]. LoraHub,
often mentioned together with it, has no gate at all; it searches for one mix for a whole task, with a few examples of
that task [@huang2023, abstract].

This was one small model with four adapters, served on one processor core. Which adapters get on and which clash, you
will have to try on your own model.

By now the cabinet is cheap, whatever it holds. The clerk is not: even to use a single drawer, you have to find room for
the whole base. [Can the base be made smaller?](qlora.html)
"""
    )


LESSON = Lesson(
    slug="mixing",
    title="One base, many voices",
    question="Fifty customers, one model: how are their adapters swapped, mixed, served together and chosen?",
    part="At work",
    order=100,
    minutes=10,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "To add two adapters, what must be added?",
            (
                Answer(
                    "The products",
                    "The product is what an adapter adds to the weights. At weight [[twice.weight]] each, the "
                    "products of an adapter with itself give it back; the factors give [[twice.times:.0f]] times as "
                    "much.",
                    right=True,
                ),
                Answer(
                    "The factors",
                    "Then each factor also meets its neighbour's. For our [[off.pairs]] pairs that sum is off by "
                    "[[off.low:.0%]] to [[off.high:.0%]] of the size of what was wanted.",
                ),
                Answer(
                    "Either, if the weights add up to one",
                    "The cross terms stay, whatever the weights. Only the concatenation of the factors is the sum of "
                    "the products; cut back by an SVD to the rank of one adapter it misses [[svd.svd:.0%]] at most.",
                ),
            ),
        ),
        Question(
            "Two adapters hardly overlap in the weights. Do they leave each other alone?",
            (
                Answer(
                    "Yes, a cosine near zero says so",
                    "Between the layers much is not linear. No cosine among our [[cosines.pairs]] pairs is "
                    "above [[cosines.largest:.2f]], and still one adapter raised another's loss by "
                    "[[losses.formal:.1f]] nats a word.",
                ),
                Answer(
                    "No, every mix destroys both",
                    "A voice and facts can both be there: with the legal voice and the new facts at full weight, "
                    "[[both.legal:.0%]] of the sentences are legal and [[both.facts_legal:.0%]] of the facts right.",
                ),
                Answer(
                    "Not always, so measure the loss",
                    "Beside the facts the loss on legal texts rises by [[losses.facts:.2f]] nats a word, beside the "
                    "formal voice by [[losses.formal:.1f]]. The weights alone do not tell one from the other.",
                    right=True,
                ),
            ),
        ),
        Question(
            "A router is unsure which of two adapters a letter asks for. Where should it send it?",
            (
                Answer(
                    "To the likelier one, always",
                    "Likely is not cheap, because a wrong adapter may cost more than none. After [[careful.n]] words "
                    "that rule pays [[careful.cost_before:.3f]] nats a word, the careful one [[careful.cost:.3f]].",
                ),
                Answer(
                    "To what costs least on average, perhaps to no adapter",
                    "Mistakes differ in price, and the router can weigh them. That costs less for "
                    "[[careful.better]] of [[careful.sets]] sets of examples.",
                    right=True,
                ),
                Answer(
                    "Anywhere, since adapters are small",
                    "They are small in memory, not in effect. Drawn by lot, adapters cost [[worse.random:.3f]] nats a "
                    "word, and none at all [[worse.never:.3f]].",
                ),
            ),
        ),
    ),
    corrections=(
        Correction(
            "To mix two adapters, add up their factors.",
            "For our [[off.pairs]] pairs at equal weights, the sum of the factors is off by [[off.low:.0%]] to "
            "[[off.high:.0%]] of the size of what was wanted. At weight [[factors.weight:.0f]] each, less of what is "
            "written is true than by the sum of the products for [[factors.below]] of the "
            "[[factors.pairs]] pairs, at worst [[factors.most:.0%]] less, and for none more.",
            "mixer",
        ),
        Correction(
            "A mixed model blends the voices, as the weights say.",
            "It chooses one. With the legal and the code voice at weight [[two.weight]] each, [[two.legal:.1%]] of the "
            "sentences are legal and [[two.code:.1%]] code, and [[two.none:.1%]] are in no voice. Of "
            "[[one-each.texts]] texts with a sentence in one of the two, [[one-each.one:.1%]] have none in the other.",
            "mixer",
        ),
        Correction(
            "The weights of a mix must add up to one.",
            "Half an adapter is not half of what it does. With the legal voice and the new facts at weight "
            "[[both.weight:.0f]] each, [[both.legal:.1%]] of the sentences are legal, and [[both.facts_legal:.1%]] of "
            "the new facts are answered correctly; alone, each adapter has [[both.legal_alone:.1%]] and "
            "[[both.facts_alone:.1%]]. At weight [[half-facts.half]] each, [[half-facts.half_legal:.1%]] of the "
            "sentences are still legal, but only [[half-facts.half_facts_legal:.1%]] of the new facts are right; with "
            "the code voice it is [[half-facts.half_facts_code:.1%]], where it was [[both.facts_code:.1%]].",
            "mixer",
        ),
        Correction(
            "Adapters that hardly overlap leave each other alone.",
            "Among our [[cosines.pairs]] pairs, the largest cosine is [[cosines.largest:.2f]] in size. Against the "
            "legal adapter alone, the loss on legal texts rises by [[losses.code:.2f]] nats a word with the code "
            "adapter beside it, by [[losses.formal:.2f]] with the formal one and by [[losses.facts:.2f]] with that of "
            "the facts. With random numbers of the legal adapter's own size it rises by [[losses.noise:.2f]].",
            "mixer",
        ),
        Correction(
            "Every further adapter slows a batch down.",
            "Not one that is answered together. With one adapter of r = [[flat.r]] for all requests, the batch goes at "
            "[[flat.together_one:.0%]] of the base's pace, and with [[flat.adapters]] different ones, one for each "
            "request, at [[flat.together_all:.0%]]. What counts is how large each is: at r = [[rank.r]] the same two "
            "batches go at [[rank.together_one:.0%]] and [[rank.together_all:.0%]].",
            "serving",
        ),
        Correction(
            "The router that is right more often is the better one.",
            "Not if mistakes differ in price. After one word a router that takes the likeliest adapter costs "
            "[[worse.cost:.3f]] nats a word, adapters drawn by lot cost [[worse.random:.3f]], and no adapter at all "
            "costs [[worse.never:.3f]]; the router is worse than that for [[worse.worse]] of [[worse.sets]] sets of "
            "examples. After [[careful.n]] words, taking what costs least on average pays [[careful.cost:.3f]] and "
            "taking the likeliest [[careful.cost_before:.3f]].",
            "routing",
        ),
    ),
    teaching=Teaching(
        goals=(
            "name the three kinds of parts that a service with many adapters owns, and say whom a new version of each "
            "concerns",
            "multiply out a sum of factors, and name the terms that belong to no adapter",
            "say what slows a batch down, many adapters or large ones, and show it in a figure",
            "choose a rule for a router whose mistakes differ in price",
        ),
        predictions=(
            Prediction(
                "The legal voice and the code voice are mixed at weight [[two.weight]] each. Does the model write "
                "sentences that are in between, both voices in turn within a text, or one voice a text?",
                "One voice a text. [[two.legal:.0%]] of the sentences are legal and [[two.code:.0%]] code. Of the "
                "texts with a sentence in either voice, [[one-each.one:.1%]] have none in the other.",
                "mixer?primary=legal&second=code&w1=50&w2=50",
            ),
            Prediction(
                "The legal voice and the new facts are added, first at full weight each, then at weight "
                "[[half-facts.half]] each. Which of the two mixes knows more of the facts?",
                "The one at full weight, where [[both.facts_legal:.0%]] of the facts are right. At half weight it is "
                "[[half-facts.half_facts_legal:.0%]]: half an adapter is not half of what it does.",
                "mixer?primary=legal&second=facts&w1=100&w2=100",
            ),
            Prediction(
                "[[flat.adapters]] letters are answered together. First all of them want one adapter, then each wants "
                "another. By how much does the pace fall?",
                "Hardly: from [[flat.together_one:.0%]] of the base's pace to [[flat.together_all:.0%]]. A letter "
                "meets one adapter, whichever it is.",
                "serving",
            ),
            Prediction(
                "After one word a router finds the right adapter far more often than chance would. Do its choices cost "
                "more or less than using no adapter at all?",
                "More: [[worse.cost:.3f]] nats a word above the right choices, where no adapter costs "
                "[[worse.never:.3f]]. A wrong adapter spoils a letter, and none leaves it as the base would write it.",
                "routing",
            ),
        ),
        stops=(
            Stop(
                "Tell of the clerk and the cabinet with fifty drawers. Have the class name what the firm owns, and "
                "who is concerned when a drawer, the rule or the clerk is replaced.",
                "",
                (2, 4),
            ),
            Stop(
                "Collect the first prediction, then let the class read what the mix writes before anybody reads the "
                "shares.",
                "mixer?primary=legal&second=code&w1=50&w2=50",
                (5, 8),
            ),
            Stop(
                "Collect the second prediction, then turn both weights up. Who still says that weights must add up to "
                "one?",
                "mixer?primary=legal&second=facts&w1=50&w2=50&guess=skip",
                (0, 6),
            ),
            Stop(
                "Multiply out the sum of the factors on the board and have the two terms named that belong to nobody. "
                "Then compare the rules in the figure.",
                "mixer?primary=legal&second=code&method=factors&w1=100&w2=100&guess=skip",
                (0, 6),
            ),
            Stop(
                "Collect the third prediction and drag the number of adapters from one end to the other. Then make "
                "each adapter larger: what costs more?",
                "serving",
                (5, 8),
            ),
            Stop(
                "Collect the fourth prediction. Compare the router with the control that does nothing, and let the "
                "class find the rule that beats it.",
                "routing?rule=probable&n=1",
                (4, 8),
            ),
            Stop(
                "Each student writes an answer to every question on the handout. Show the answers, and ask those who "
                "were right how they would convince the others.",
                "recall",
                (4, 5),
            ),
        ),
    ),
)
