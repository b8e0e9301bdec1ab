"""Mix, swap, store: the reader can say what a mix of two adapters does, how it is made, and what many tasks cost."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from statistics import fmean
from typing import Any

import numpy as np

from compute.adapters.mixing import combine, cosine, difference
from compute.costs.architectures import ARCHITECTURES, parameters
from compute.costs.storing import adapters_bytes, copies_bytes, most_saved
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
from compute.experiments.mixing import R as RANK
from compute.experiments.tasks import FULL, load_tasks
from compute.numbers.interval import Apart, apart
from compute.world.voices import NO_VOICE
from lessons.press.blocks import Answer, Block, Cited, Claim, Correction, Figure, Lesson, Prose, Question, Try
from widgets.mixer import Mixer
from widgets.storage import Storage

LARGE, R, TASKS = ARCHITECTURES["llama-2-7b"], 16, 30
GB = 10**9
PAIRS = [*combinations(MIXED, 2)]
HALF, WHOLE = 0.5, 1.0
BASE = Mix((), (), "products")

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


def _own(name: str) -> Of:
    """Return what an adapter is there for: its voice, or its facts."""
    return _facts if name == "facts" else _voice(name)


def _sizes() -> Mapping[str, Any]:
    layers = load_factors("legal").values()
    base = next(each.numbers for each in load_tasks().learned if each.way == FULL)
    return {
        "r": RANK,
        "adapter": sum(each.lora_B.size + each.lora_A.size for each in layers),
        "base": base,
        "facts": NEW_FACTS,
        "seeds": len(SEEDS),
    }


def _swapped() -> Mapping[str, Any]:
    shares = [_mean(_mix([name], WHOLE), _own(name)) for name in MIXED[:-1]]
    base = load_record().mixes[SEEDS[0], BASE]
    return {
        "low": min(shares),
        "facts": _mean(_mix(["facts"], WHOLE), _facts),
        "base": base.facts,
        "formal": _voice("formal")(base),
    }


def _both() -> Mapping[str, Any]:
    """Return what is left of a voice and of new facts where both are in the model."""
    found: dict[str, Any] = {"weight": WHOLE, "half": HALF}
    found["facts_alone"] = _mean(_mix(["facts"], WHOLE), _facts)
    for voice in ("legal", "code", "formal"):
        mixed, half = (_mix([voice, "facts"], weight) for weight in (WHOLE, HALF))
        found[voice] = _mean(mixed, _voice(voice))
        found[f"{voice}_alone"] = _mean(_mix([voice], WHOLE), _voice(voice))
        found[f"facts_{voice}"] = _mean(mixed, _facts)
        found[f"half_{voice}"] = _mean(half, _voice(voice))
        found[f"half_facts_{voice}"] = _mean(half, _facts)
        found[f"fall_{voice}"] = _apart(half, mixed, _facts)
        found[f"old_{voice}"] = _mean(_mix([voice], WHOLE), lambda measured: measured.old)
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
        "said": _mean(half, _said),
        "said_legal": _mean(_mix(["legal"], WHOLE), _said),
        "said_code": _mean(_mix(["code"], WHOLE), _said),
    }


def _new() -> Mapping[str, Any]:
    half, whole = (_mix(["legal", "formal"], weight) for weight in (HALF, WHOLE))
    rows = {f"half_{name}": _mean(half, _voice(name)) for name in ("legal", "formal", "plain")}
    rows |= {name: _mean(whole, _voice(name)) for name in ("legal", "formal")}
    alone = load_record().mixes[SEEDS[0], mix_of({"formal": HALF}, "products")]
    return {"weight": HALF, "full": WHOLE, "alone": _voice("formal")(alone), **rows}


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


def _ways(method: str) -> Mapping[str, Any]:
    """Return how much of what is written can be said in one way of mixing, against the sum of the products."""
    found = [_apart(_mix(pair, WHOLE, method), _mix(pair, WHOLE), _said) for pair in PAIRS]
    verdicts = [each.verdict for each in found]
    return {
        "weight": WHOLE,
        "pairs": len(PAIRS),
        "below": verdicts.count("below"),
        "above": verdicts.count("above"),
        "level": verdicts.count("level"),
        "most": -min(each.mean for each in found),
    }


def _cosines() -> Mapping[str, Any]:
    found = [abs(cosine(load_factors(one), load_factors(other))) for one, other in PAIRS]
    return {"pairs": len(found), "largest": max(found)}


def _interference() -> Mapping[str, Any]:
    """Return how much a second adapter, or a random one of its size, adds to the loss on what the first is for."""
    found: dict[str, Any] = {"weight": WHOLE}
    for name in ("legal", "formal"):
        alone = _mix([name], WHOLE)
        noisy = load_record().of(Mix((name,), (WHOLE,), "noise"))
        found[f"{name}_noise"] = _apart(noisy, alone, _loss(name)).mean
        for other in MIXED:
            if other != name:
                more = _apart(_mix([name, other], WHOLE), alone, _loss(name))
                found |= {f"{name}_{other}": more.mean, f"{name}_{other}_low": more.low}
                found[f"{name}_{other}_high"] = more.high
    return found


def _storage() -> Mapping[str, Any]:
    copies, adapters = copies_bytes(LARGE, TASKS), adapters_bytes(LARGE, "all-linear", R, TASKS)
    return {
        "label": LARGE.label,
        "r": R,
        "tasks": TASKS,
        "copies": copies / GB,
        "adapters": adapters / GB,
        "ratio": copies / adapters,
        "limit": most_saved(LARGE, "all-linear", R),
        "total": parameters(LARGE),
    }


CLAIMS: Mapping[str, Claim | Cited] = {
    "sizes": Claim(
        _sizes,
        lambda v: v["adapter"] < v["base"] / 10,
    ),
    "seeds": Claim(
        _sizes,
        lambda v: v["seeds"] > 3,
    ),
    "facts-learned": Claim(_sizes, lambda v: v["facts"] > 0),
    "swapped": Claim(
        _swapped,
        lambda v: v["low"] > 0.9 and v["facts"] > 0.95 and v["base"] < 0.2,
    ),
    "both": Claim(
        _both,
        lambda v: min(v["legal"], v["code"], v["facts_legal"], v["facts_code"]) > 0.8,
    ),
    "half-facts": Claim(
        _both,
        lambda v: (
            v["half_legal"] > 0.85
            and max(v["fall_legal"].high, v["fall_code"].high) < 0
            and max(v["half_facts_legal"], v["half_facts_code"]) < 0.75
        ),
    ),
    "formal-facts": Claim(
        _both,
        lambda v: v["formal"] > 0.8 and v["facts_formal"] < 0.7,
    ),
    "formal-old": Claim(
        _both,
        lambda v: v["old_formal"] < v["old_legal"] - 0.1,
    ),
    "two": Claim(
        _two,
        lambda v: v["legal"] + v["code"] > 0.8 and v["none"] < 0.1,
    ),
    "one-each": Claim(
        _two,
        lambda v: v["one"] > 0.85,
    ),
    "two-said": Claim(
        _two,
        lambda v: min(v["said"] - v["said_legal"], v["said"] - v["said_code"]) > -0.03,
    ),
    "half-formal": Claim(
        _new,
        lambda v: v["half_plain"] > max(v["half_formal"], v["half_legal"]),
    ),
    "formal-alone": Claim(
        _new,
        lambda v: v["alone"] < 0.5,
    ),
    "whole-formal": Claim(
        _new,
        lambda v: v["formal"] > 0.7 and v["legal"] < 0.1,
    ),
    "twice": Claim(
        _twice,
        lambda v: abs(v["times"] - 2) < 1e-9 and abs(v["low"] - 2) < 1e-9,
    ),
    "off": Claim(
        _off,
        lambda v: v["low"] > 0.6,
    ),
    "svd": Claim(
        _off,
        lambda v: v["svd"] < v["low"] and v["rounding"] < 1e-9,
    ),
    "factors": Claim(
        lambda: _ways("factors"),
        lambda v: v["below"] >= v["pairs"] - 1 and not v["above"],
    ),
    "whole-svd": Claim(
        lambda: _ways("svd"),
        lambda v: v["below"] + v["above"] + v["level"] == v["pairs"],
    ),
    "cosines": Claim(
        _cosines,
        lambda v: v["largest"] < 0.2,
    ),
    "losses": Claim(
        _interference,
        lambda v: v["legal_formal_low"] > 0 and v["legal_formal"] > 10 * v["legal_facts"],
    ),
    "noise-facts": Claim(
        lambda: {
            **_both(),
            "facts_left": _mean(load_record().of(Mix(("facts",), (WHOLE,), "noise")), _facts),
        },
        lambda v: v["facts_left"] < v["facts_legal"] - 0.1,
    ),
    "storage": Claim(
        _storage,
        lambda v: 20 < v["ratio"] < v["tasks"],
    ),
    "limit": Claim(
        _storage,
        lambda v: v["ratio"] < v["limit"],
    ),
    "punica": Cited("twelve times the throughput, at about 2 ms more for each token", "chen2023", "abstract"),
    "slora": Cited("thousands of them on one card or several", "sheng2023", "abstract"),
    "apple-rank": Cited("rank 16", "apple2024", "section Model Adaptation"),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
## Swap

A base and an adapter are two things. The base stays as it is. So a second task needs no second model: take one
adapter off, put another on [@hu2021, section 4.2].

At r = [[sizes.r]] an adapter of our small model has [[sizes.adapter:,d]] numbers, the base [[sizes.base:,d]]. We
trained four. Two are for voices that the base has read now and then, the legal and the code one. One is for a voice
that it has never read, the formal one. And one is for [[facts-learned.facts]] facts about people whom the base has
not read of. With its adapter at full weight, the model says at least [[swapped.low:.1%]] of its sentences in that
adapter's voice, questions aside, which every voice asks alike. With the facts' adapter it answers
[[swapped.facts:.1%]] of them rightly, where the base answers [[swapped.base:.1%]]. Each was trained from
[[seeds.seeds]] seeds, and what follows is the mean of [[seeds.seeds]] mixes.

Kept beside the base and not merged into it, an adapter can be swapped without a trace: nothing of it is left when it is
off. What if we want both at once?

## Mix

An adapter is a matrix for each layer, and matrices can be added. Multiply each by a weight, and add both to the base.
What will such a model write? Sentences that are half legal and half formal? One kind after the other? Nonsense? And if
one adapter is a voice and the other is knowledge, will it speak in that voice and still know?

A picture of the answer is easy to draw, and many are drawn. This one is measured. For every setting the model wrote
texts of its own and was asked for all the new facts. The forms of the voices say exactly whose a sentence is, or that
it is nobody's; the story so far says whether it can be said.
"""
    )
    yield Figure("mixer", Mixer)
    yield Try(
        """
Raise both weights, and read what the model writes. Then put the new facts in place of the formal voice: at which
weights does it know them and still sound like a lawyer? Then go through the four ways of mixing.
"""
    )
    yield Prose(
        """
## A voice and some facts

This is what one hopes for: two adapters that are about different things. With the legal voice and the new facts at
weight [[both.weight:.0f]] each, [[both.legal:.1%]] of the sentences are legal, and [[both.facts_legal:.1%]] of the
new facts are answered rightly; alone, each adapter has [[both.legal_alone:.1%]] and [[both.facts_alone:.1%]]. With
the code voice it is [[both.code:.1%]] and [[both.facts_code:.1%]]. So it speaks as the one adapter has taught it and
knows what the other has. (Questions and answers are worded alike in every voice.)

You will often see weights that add up to one, as if one were mixing paint. At weight [[half-facts.half]] each,
[[half-facts.half_legal:.1%]] of the sentences are still legal, but only [[half-facts.half_facts_legal:.1%]] of the
new facts are right; beside the code voice it is [[half-facts.half_facts_code:.1%]]. Half an adapter is not half of
what it does, and nothing asks for a sum of one.

The new voice is harder company. Beside the formal voice, [[formal-facts.formal:.1%]] of the sentences are formal and
[[formal-facts.facts_formal:.1%]] of the new facts are right. But look at what that adapter does without any company.
With the formal voice alone, the model answers [[formal-old.old_formal:.1%]] of the facts that the base knew, with the
legal voice alone [[formal-old.old_legal:.1%]]. To learn a voice that the base has never read takes a larger change,
and what it does to the facts that were there it does to the new ones too. That is our reading; measured are the two
shares.

## Two voices

Two voices want the same place. With the legal and the code voice at weight [[two.weight]] each, [[two.legal:.1%]] of
the sentences are legal and [[two.code:.1%]] code, and [[two.none:.1%]] are in no voice. So the mixed model does not
blend the voices. It chooses one for a text and stays with it. Of [[one-each.texts]] texts with a sentence in one of
the two, [[one-each.one:.1%]] have none in the other. And it does not lose the thread. Of what these models write,
[[two-said.said:.1%]] can be said where it stands; with the legal adapter alone it is [[two-said.said_legal:.1%]],
with the code adapter alone [[two-said.said_code:.1%]].

The two are voices that the base had; an adapter only has to tell it which. The formal voice it has to be taught. With
the legal and the formal voice at weight [[half-formal.weight]] each, [[half-formal.half_formal:.1%]] of the sentences
are formal and [[half-formal.half_legal:.1%]] legal. [[half-formal.half_plain:.1%]] are plain, which is neither. With
the formal adapter alone at that weight, [[formal-alone.alone:.1%]] are formal. Half of a lesson is not a lesson. At
weight [[whole-formal.full:.0f]] each it is [[whole-formal.formal:.1%]] formal and [[whole-formal.legal:.1%]] legal.
Does a weight say how often a voice is heard? No: it scales a matrix, and what the model makes of that is a matter of
the whole model.

## Adding factors is not adding adapters

An adapter is a product, $s\\,B A$. Two of them at weights $w_1$ and $w_2$ should make

$$w_1 s\\,B_1 A_1 + w_2 s\\,B_2 A_2.$$

It is tempting to add up the factors instead: the $B$ with the $B$, the $A$ with the $A$. That keeps the size of one
adapter. But multiply it out:

$$(B_1 + B_2)(A_1 + A_2) = B_1 A_1 + B_2 A_2 + B_1 A_2 + B_2 A_1.$$

The last two terms belong to nobody. They connect what one adapter reads to what the other writes.

The smallest example is an adapter mixed with itself. The sum of the products at weight [[twice.weight]] each gives
the adapter back. The sum of the factors gives [[twice.times:.2f]] times the adapter. The cross terms are two more
copies, at half weight each.

In PEFT this way is called `linear`. Its own description calls it a rough approximation and advises against it where
one can afford more [@peft, add_weighted_adapter]. A maintainer agrees that it is not equivalent [@peft, issue 643].
We follow it to the letter: each factor is weighted with the root of weight times scaling.

For our [[off.pairs]] pairs at equal weights, the sum of the factors is off by [[off.low:.0%]] to [[off.high:.0%]] of
the size of what was wanted. One hears it. At weight [[factors.weight:.0f]] each, less of what is written can be said
where it stands than by the sum of the products for [[factors.below]] of the [[factors.pairs]] pairs, at worst
[[factors.most:.0%]] less, and for none more.

## Two ways that are right, and one that is close

Concatenation puts the factors beside each other: one `lora_B` to the right of the other, one `lora_A` below the other.
Their product is the sum of the products, exactly. The price is the sum of the ranks. PEFT calls it `cat`.

The SVD takes that sum and cuts it back to the rank of one adapter. No matrix of that rank is closer
[@eckart1936, whole paper]. For our pairs that loses [[svd.svd:.0%]] at most. It is worse than the exact sum for
[[whole-svd.below]] of the [[whole-svd.pairs]] pairs and better for [[whole-svd.above]]; for [[whole-svd.level]] our
seeds do not tell.

## Interference

Do two adapters get in each other's way? In the weights they hardly touch. Among our [[cosines.pairs]] pairs, the
largest cosine is [[cosines.largest:.2f]] in size. Directions in a space of so many dimensions have room.

In the model it depends on what they are for. Against the legal adapter alone, the loss on legal texts rises by
[[losses.legal_code:.2f]] nats a word with the code adapter beside it, by [[losses.legal_formal:.2f]] with the formal
one and by [[losses.legal_facts:.2f]] with that of the facts. With random numbers of the legal adapter's own size by
[[losses.legal_noise:.2f]]. A random adapter is the control: what it costs, any change of that size costs. With random
numbers of their own adapter's size beside them, [[noise-facts.facts_left:.1%]] of the new facts are right, where the
legal voice leaves [[noise-facts.facts_legal:.1%]]. Adding is exact in each matrix. But between the matrices stand
attention, a nonlinear function and norms, and what comes out of them is not the sum of what each adapter alone would
give. So a cosine near zero is no promise. Measure the loss.

## Store

What do many tasks cost on disk? A full finetune for each means a whole model for each. With LoRA the base is stored
once.
"""
    )
    yield Figure("storage", Storage)
    yield Try(
        """
[Set r to its largest value](#storage?r=256). From how many tasks on are the adapters together larger than the base?
"""
    )
    yield Prose(
        """
For [[storage.tasks]] tasks on [[storage.label]], copies take [[storage.copies:,.0f]] GB, and one base with adapters
of r = [[storage.r]] takes [[storage.adapters:.1f]] GB: [[storage.ratio:.1f]] times less. The saving has a limit, here
[[limit.limit:.0f]] times: the numbers of the model over those of one adapter. With few tasks most of what you store
is the base; with very many it is the adapters. One task alone saves nothing.

## Serve

A merged adapter costs no time, but then the model can do that one task only [@hu2021, section 4.2]. Kept apart,
adapters can differ from one request to the next in the same batch, if the program multiplies by the base once and by
each adapter where it belongs. One system reports [[punica]]. Another keeps very many adapters at hand: [[slora]].

Phones do it too. Apple describes a frozen base with adapters that are loaded and swapped as needed, of
[[apple-rank]].

## Choose

Who sets the weights? You have done it by hand. LoraHub searches for them with a few examples of the task, without any
gradient, once for each task [@huang2023, abstract]. You may read that it trains a gate which routes each query. It
does not. And it adds up factors, so cross terms are part of what it finds [@huang2023, README of its repository].

Others do route. AdapterFusion learns an attention over adapters of another kind, layer by layer
[@pfeiffer2020, abstract]. MixLoRA sends each token to a few of its experts [@mixlora2024, abstract]. Those are new
trained parts, not a sum that is made once.

## In short

- Swapping adapters that are kept apart is exact. Mixing them is an experiment.
- Mixed at half weight, our model chooses a voice for each sentence; it does not blend them.
- Add products, not factors. Concatenation is the same sum as an adapter of twice the rank.
- Almost no overlap in the weights, and still interference in the loss.
- One base with many adapters saves up to the size of the model over that of an adapter.
"""
    )


LESSON = Lesson(
    slug="mixing",
    title="One base, many voices",
    question="Two adapters in one model: what does it write, and what do many of them cost?",
    part="At work",
    order=100,
    minutes=14,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "To add two adapters, what must be added?",
            (
                Answer(
                    "The products",
                    "Each product is what an adapter does to the weight. The sum of the products at weight "
                    "[[twice.weight]] each gives the adapter back. The sum of the factors gives "
                    "[[twice.times:.2f]] times the adapter.",
                    right=True,
                ),
                Answer(
                    "The factors",
                    "Then each factor also meets its neighbour. For our [[off.pairs]] pairs at equal weights, the"
                    " sum of the factors is off by [[off.low:.0%]] to [[off.high:.0%]] of the size of what was "
                    "wanted.",
                ),
                Answer(
                    "Either, if the weights sum to one",
                    "Cross terms do not go away for that. For our [[off.pairs]] pairs at equal weights, the sum "
                    "of the factors is off by [[off.low:.0%]] to [[off.high:.0%]] of the size of what was wanted.",
                ),
            ),
        ),
        Question(
            "Two adapters hardly overlap in the weights. Do they leave each other alone?",
            (
                Answer(
                    "Yes, a cosine near zero says so",
                    "Between the layers stands much that is not linear. Among our [[cosines.pairs]] pairs, the "
                    "largest cosine is [[cosines.largest:.2f]] in size. Against the legal adapter alone, the loss"
                    " on legal texts rises by [[losses.legal_code:.2f]] nats a word with the code adapter beside "
                    "it, by [[losses.legal_formal:.2f]] with the formal one and by [[losses.legal_facts:.2f]] "
                    "with that of the facts. With random numbers of the legal adapter's own size by "
                    "[[losses.legal_noise:.2f]].",
                ),
                Answer(
                    "Not always: measure the loss",
                    "Among our [[cosines.pairs]] pairs, the largest cosine is [[cosines.largest:.2f]] in size. "
                    "Against the legal adapter alone, the loss on legal texts rises by [[losses.legal_code:.2f]] "
                    "nats a word with the code adapter beside it, by [[losses.legal_formal:.2f]] with the formal "
                    "one and by [[losses.legal_facts:.2f]] with that of the facts. With random numbers of the "
                    "legal adapter's own size by [[losses.legal_noise:.2f]].",
                    right=True,
                ),
                Answer(
                    "No, every mix destroys both",
                    "A voice and facts may both be there. With the legal voice and the new facts at weight "
                    "[[both.weight:.0f]] each, [[both.legal:.1%]] of the sentences are legal, and "
                    "[[both.facts_legal:.1%]] of the new facts are answered rightly; alone, each adapter has "
                    "[[both.legal_alone:.1%]] and [[both.facts_alone:.1%]]. With the code voice it is "
                    "[[both.code:.1%]] and [[both.facts_code:.1%]].",
                ),
            ),
        ),
    ),
    corrections=(
        Correction(
            "To mix two adapters, add up their factors.",
            "For our [[off.pairs]] pairs at equal weights, the sum of the factors is off by "
            "[[off.low:.0%]] to [[off.high:.0%]] of the size of what was wanted. At weight "
            "[[factors.weight:.0f]] each, less of what is written can be said where it stands than by the"
            " sum of the products for [[factors.below]] of the [[factors.pairs]] pairs, at worst "
            "[[factors.most:.0%]] less, and for none more.",
            "mixer",
        ),
        Correction(
            "A mixed model blends the voices, as the weights say.",
            "It chooses one. With the legal and the code voice at weight [[two.weight]] each, "
            "[[two.legal:.1%]] of the sentences are legal and [[two.code:.1%]] code, and [[two.none:.1%]]"
            " are in no voice. Of [[one-each.texts]] texts with a sentence in one of the two, "
            "[[one-each.one:.1%]] have none in the other.",
            "mixer",
        ),
        Correction(
            "The weights of a mix must add up to one.",
            "Half an adapter is not half of what it does. With the legal voice and the new facts at "
            "weight [[both.weight:.0f]] each, [[both.legal:.1%]] of the sentences are legal, and "
            "[[both.facts_legal:.1%]] of the new facts are answered rightly; alone, each adapter has "
            "[[both.legal_alone:.1%]] and [[both.facts_alone:.1%]]. With the code voice it is "
            "[[both.code:.1%]] and [[both.facts_code:.1%]]. At weight [[half-facts.half]] each, "
            "[[half-facts.half_legal:.1%]] of the sentences are still legal, but only "
            "[[half-facts.half_facts_legal:.1%]] of the new facts are right; beside the code voice it is "
            "[[half-facts.half_facts_code:.1%]].",
            "mixer",
        ),
        Correction(
            "Adapters that hardly overlap leave each other alone.",
            "Among our [[cosines.pairs]] pairs, the largest cosine is [[cosines.largest:.2f]] in size. "
            "Against the legal adapter alone, the loss on legal texts rises by [[losses.legal_code:.2f]] "
            "nats a word with the code adapter beside it, by [[losses.legal_formal:.2f]] with the formal "
            "one and by [[losses.legal_facts:.2f]] with that of the facts. With random numbers of the "
            "legal adapter's own size by [[losses.legal_noise:.2f]].",
            "mixer",
        ),
    ),
)
