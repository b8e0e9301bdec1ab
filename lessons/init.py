"""How to start: the reader can name several starts, and say what they change and what they do not."""

from collections.abc import Iterator, Mapping
from statistics import fmean
from typing import Any

from compute.costs.sizes import first_step_ratio
from compute.experiments.inits import (
    FACTS,
    LEARNING,
    MIRROR,
    RATES,
    SEEDS,
    SMALL,
    STEPS,
    USUAL,
    Ends,
    InitRun,
    load_inits,
)
from compute.training.config import OPTIMIZERS
from lessons.press.blocks import Answer, Block, Cited, Claim, Correction, Figure, Lesson, Prose, Question, Try
from widgets.inits import Inits
from widgets.inits.words import slug

WIDE = (4096, 4096)  # one attention matrix of a mid-size model
SMALL_SHAPE = (64, 64)
SHOWN = 2  # place of the learning rate that the figure opens with
BOTH = ("mixed", "orthogonal", "PiSSA", "LoRA-GA")  # begin at the base, with a gradient for either factor
NAMES = {
    "usual": "B=0",
    "mirror": "A=0",
    "random": "both random",
    "mixed": "mixed",
    "orthogonal": "orthogonal",
    "pissa": "PiSSA",
    "gradient": "LoRA-GA",
}


def _run(problem: str, optimizer: str, init: str, rate: int = SHOWN) -> InitRun:
    return load_inits(problem).runs[optimizer][init][rate]


def _alive() -> Mapping[str, Any]:
    """Return how small the first gradient of a factor is, and how far the model is from the base, from four starts."""
    runs = [_run(MIRROR, "adamw", init) for init in BOTH]
    return {
        "least": min(min(run.lora_A[0], run.lora_B[0]) for run in runs),
        "distance": max(run.distance[0] for run in runs),
        "starts": len(BOTH),
    }


def _first_step() -> Mapping[str, Any]:
    times = {
        optimizer: _run(SMALL, optimizer, "A=0").moved / _run(SMALL, optimizer, "B=0").moved
        for optimizer in ("sgd", "adamw")
    }
    return {
        **times,
        "sgd_rule": first_step_ratio(SMALL_SHAPE, 4, "sgd"),
        "adamw_rule": first_step_ratio(SMALL_SHAPE, 4, "adamw"),
    }


def _random() -> Mapping[str, Any]:
    return {
        "base": _run(SMALL, "sgd", "both zero").loss[0],
        "start": _run(SMALL, "sgd", "both random").loss[0],
    }


def _shaken() -> Mapping[str, Any]:
    """Return how far drawn factors lift the loss on new facts, and lower that of telling backwards."""
    lifted = {
        problem: _run(problem, "sgd", "both random").loss[0] - _run(problem, "sgd", "both zero").loss[0]
        for problem in (FACTS, MIRROR)
    }
    return {"facts": lifted[FACTS], "told": -lifted[MIRROR]}


def _wide() -> Mapping[str, Any]:
    r = 8
    return {
        "n": WIDE[0],
        "r": r,
        "sgd": first_step_ratio(WIDE, r, "sgd"),
    }


def _ends(problem: str, optimizer: str, init: str) -> Ends:
    return load_inits(problem).ends[optimizer][init]


def _rate(problem: str, optimizer: str, init: str) -> float:
    """Return the learning rate that is best for a start."""
    return RATES[problem][optimizer][_ends(problem, optimizer, init).rate]


def _means(problem: str, optimizer: str) -> dict[str, Any]:
    """Return what each start comes to at its own best rate, on average over seeds, and its controls."""
    recorded = load_inits(problem)
    ends = recorded.ends[optimizer]
    usual = ends[USUAL].known
    return {
        **{key: fmean(ends[init].known) for key, init in NAMES.items()},
        "base": recorded.runs[optimizer]["both zero"][0].final,
        "frequencies": recorded.frequencies,
        "low": min(usual),
        "high": max(usual),
        "seeds": len(SEEDS),
        "steps": STEPS[problem],
        "worst": max(loss for init in LEARNING for loss in ends[init].known),
        "least": min(min(ends[init].known) for init in LEARNING),
        "verdicts": {key: _verdict(problem, optimizer, init) for key, init in NAMES.items()},
    }


def _together(problem: str) -> dict[str, Any]:
    """Return the means under AdamW, and how far from the usual start's those are that do not move the base at once."""
    means = _means(problem, "adamw")
    others = (abs(means[key] - means["usual"]) for key in NAMES if key not in ("usual", "random"))
    return {**means, "others": max(others)}


def _verdict(problem: str, optimizer: str, init: str) -> str | None:
    """Return whether a start ends above the usual one, below it, or within what the seeds leave open."""
    apart = load_inits(problem).apart(optimizer, init)
    return apart and apart.verdict


def _gap(problem: str, optimizer: str, init: str) -> dict[str, float]:
    apart = load_inits(problem).apart(optimizer, init)
    return {**apart._asdict(), "size": abs(apart.mean)} if apart else {}


def _largest_rate(init: str) -> float:
    """Return the largest rate of SGD on the small layer with which the first seed is not given up."""
    over = zip(load_inits(SMALL).runs["sgd"][init], RATES[SMALL]["sgd"], strict=True)
    return max(rate for run, rate in over if run.final is not None)


CLAIMS: Mapping[str, Claim | Cited] = {
    "alive": Claim(
        _alive,
        lambda v: v["least"] > 1 and v["distance"] == 0 and v["starts"] == 4,
    ),
    "random": Claim(
        _random,
        lambda v: v["start"] > 10 * v["base"],
    ),
    "random-model": Claim(
        _shaken,
        lambda v: v["facts"] > 1 and v["told"] > 1,
    ),
    "first-step": Claim(
        _first_step,
        lambda v: abs(v["sgd"] / v["sgd_rule"] - 1) < 0.25 and abs(v["adamw"] / v["adamw_rule"] - 1) < 0.05,
    ),
    "wide": Claim(
        _wide,
        lambda v: v["sgd"] == v["n"] / v["r"] and v["r"] == 8,
    ),
    "rates": Claim(
        lambda: {"usual": _largest_rate("B=0"), "mirror": _largest_rate("A=0")},
        lambda v: v["usual"] > 3 * v["mirror"],
    ),
    "small": Claim(
        lambda: {
            "small": 0.001,
            "lowest": min(_ends(SMALL, "sgd", "A=0").known),
            "lost": len(SEEDS) - len(_ends(SMALL, "sgd", "A=0").known),
            **_means(SMALL, "sgd"),
        },
        lambda v: v["high"] < v["small"] and v["lowest"] > 0.8 * v["base"] and v["lost"] == 1,
    ),
    "small-adamw": Claim(
        lambda: _means(SMALL, "adamw"),
        lambda v: v["verdicts"]["mirror"] == "above" and 5 * v["usual"] < v["mirror"],
    ),
    "full-house": Claim(
        lambda: (
            {
                key: min(
                    loss for optimizer in OPTIMIZERS for loss in _ends(SMALL, optimizer, NAMES[key]).known
                )
                for key in ("pissa", "gradient")
            }
            | {"base": _means(SMALL, "sgd")["base"]}
        ),
        lambda v: v["pissa"] > 0.9 * v["base"] and 0.05 * v["base"] < v["gradient"] < 0.2 * v["base"],
    ),
    "control": Claim(
        lambda: _means(MIRROR, "sgd"),
        lambda v: v["worst"] < 0.6 * v["frequencies"],
    ),
    "told-sgd": Claim(
        lambda: _means(MIRROR, "sgd"),
        lambda v: (
            {v["verdicts"][name] for name in ("mirror", "mixed", "random")} == {"above"}
            and {v["verdicts"][name] for name in ("orthogonal", "pissa", "gradient")} == {"level"}
            and v["seeds"] == 5
        ),
    ),
    "told-adamw": Claim(
        lambda: _together(MIRROR),
        lambda v: v["others"] < 0.1 < v["random"] - v["usual"] and v["verdicts"]["random"] == "above",
    ),
    "facts-adamw": Claim(
        lambda: _means(FACTS, "adamw"),
        lambda v: (
            {v["verdicts"][name] for name in ("mirror", "mixed", "gradient", "random")} == {"above"}
            and {v["verdicts"][name] for name in ("orthogonal", "pissa")} == {"level"}
        ),
    ),
    "facts-sgd": Claim(
        lambda: _means(FACTS, "sgd"),
        lambda v: v["verdicts"]["orthogonal"] == "below",
    ),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
[The first adapter](first.html) began with `lora_A` drawn at random and `lora_B` at zero, so that only lora_B learned
in the first step. Its authors chose to begin so [@hu2021, section 4.1], and PEFT does unless it is told otherwise.
This room tries eight ways to start: what each leaves of the base, how far its first step goes, and what it comes to
when the village's model learns something from there.

## Eight starts

Two of them have a zero in one factor, as [the chapter shows](first.html#inits): `lora_B` or, as the mirror image,
`lora_A`. With *both at zero* nothing is ever learned. Asked about the embeddings, which his code starts the other way
round, LoRA's first author expected no meaningful difference between the first two, as long as one factor is not zero
[@loralib, issue 98]. Then there are four that begin at the base and nevertheless have, on the model, a gradient for
both factors:

- *Mixed.* Half of the directions begin with `lora_A` at zero, the other half with `lora_B`.
- *Orthogonal.* PEFT draws both factors at right angles to each other, so that their product vanishes
  [@peft, LoraConfig, init_lora_weights].
- *PiSSA* makes both factors of the largest singular directions of the weight, and takes these directions out of the
  weight [@meng2024, abstract]. Nothing is zero, and the sum is the base.
- *LoRA-GA* looks at the task first [@wang2024, abstract]. It takes the gradient of the first examples for the whole
  weight, gives its strongest directions to `lora_A` and the next ones to `lora_B`, and takes their product out of the
  weight. But for its length, the first step of SGD is then the nearest that this rank allows to the step of full
  finetuning.

On the model these four begin at a distance of [[alive.distance:.0f]] from the base, but for rounding.

To begin with an addition that adds nothing is not LoRA's invention. ReZero, for one, multiplies what each layer adds to
its input by a learned number that starts at zero, so that a very deep network begins as the identity
[@bachlechner2020, section 1].

Must a finetune start at the base at all? The eighth start draws *both factors at random*. It lifts the loss of a
small layer from [[random.base:.2f]] to [[random.start:.1f]] before anything is learned. On the model it depends on
the task, because a base that is sure of the wrong words can gain by being shaken: drawn factors lift the loss on new
facts by [[random-model.facts:.1f]] nats, and lower that of telling backwards by [[random-model.told:.1f]]. In one
study, starts with both factors away from zero generally did as well, and were less sensitive to the learning rate
[@li2025, abstract].

## From where the model learns best

The figure shows the village's model while it learns to tell its stories backwards. The last chart and the table below
the curves hold what counts: the loss after the whole run against the learning rate, and every start at the rate that
is its own best, because one that makes the first step longer may want a smaller one.
"""
    )
    yield Figure(
        "inits", Inits, dict(problem=slug(MIRROR), optimizer="adamw", init=slug("PiSSA"), guess="skip")
    )
    yield Try(
        """
Go through the starts under AdamW, and then [under SGD](#inits?optimizer=sgd). Where do they lie apart? Then look at
[the small layer](#inits?problem=small-layer&optimizer=sgd&init=a-zero): how large a rate does `lora_A = 0` survive
there?
""",
        run={
            "`lora_A = 0`": {"init": "A=0", "size": "4"},
            "orthogonal": {"init": "orthogonal", "size": "4"},
            "PiSSA": {"init": "PiSSA", "size": "4"},
            "both random": {"init": "both random", "size": "4"},
        },
    )
    yield Prose(
        """
Telling backwards comes first, by plain SGD. A writer who knows how often each word comes, and nothing else, would
have a loss of [[control.frequencies:.2f]] there, and every start, at its best rate and with every seed, ends far
below that, at [[control.worst:.2f]] or lower. With lora_B at zero it is [[told-sgd.usual:.2f]] nats, over five seeds.
With lora_A at zero ([[told-sgd.mirror:.2f]]), mixed and with both random it is higher, whereas the orthogonal start,
PiSSA and LoRA-GA cannot be told from the usual one.

Under AdamW the starts come together: the usual one ends at [[told-adamw.usual:.2f]] and all others within
[[told-adamw.others:.2f]] of it, but for both random, which end at [[told-adamw.random:.2f]].

New facts are a sharper test, on which no start is the best everywhere. There AdamW ends at [[facts-adamw.usual:.2f]]
nats from the usual start, and higher from lora_A at zero ([[facts-adamw.mirror:.2f]]), mixed, LoRA-GA and both
random; the orthogonal start and PiSSA cannot be told from it. Under SGD it is the orthogonal start that ends lowest,
at [[facts-sgd.orthogonal:.2f]] where the usual one has [[facts-sgd.usual:.2f]].

## The length of the first step

Which factor is zero decides not only who learns first but also how far the first step goes, and that is the larger
difference. From `lora_B` at zero, a step of SGD with learning rate $\\eta$ changes the weight by

$$-\\eta \\, s^2 \\, G \\, \\text{lora_A}^{\\top} \\text{lora_A}$$

and from `lora_A` at zero by

$$-\\eta \\, s^2 \\, \\text{lora_B} \\, \\text{lora_B}^{\\top} G$$

The usual rule draws entries of `lora_A` smaller the more inputs a layer has, while those of `lora_B` depend on $r$
alone, so that they are larger. On a small layer the first step goes [[first-step.sgd:.1f]] times as far with lora_A
at zero under SGD, and [[first-step.adamw:.1f]] times as far under AdamW. A rule of thumb says $\\sqrt{dk}/r$ for the
one and $\\sqrt{k/r}$ for the other, with $d$ rows and $k$ columns. It grows with the width: for a matrix of
[[wide.n:,d]] rows and columns and a rank of eight it says [[wide.sgd:.0f]] times under SGD.

A longer first step is not a better one. Under SGD the largest of our rates that a run on the small layer survives is
[[rates.usual:g]] with lora_B at zero and [[rates.mirror:g]] with lora_A at zero. With the first, every seed ends
below [[small.small:.3f]]; with the second, none ends below [[small.lowest:.2f]], where the base was at
[[small.base:.2f]].

Under AdamW they end at [[small-adamw.usual:.4f]] and [[small-adamw.mirror:.4f]]. Theory for very wide layers points
the same way: the usual start stands larger learning rates and learns better on average [@hayou2024, abstract].

One surprise remains, for PiSSA gets no further than [[full-house.pissa:.2f]] on the small layer, with any rate or
optimiser, and LoRA-GA no further than [[full-house.gradient:.2f]]. Their factors are busy from the start with
directions that were taken out of the weight. To take in what is missing they would have to let go of those, and there
is no room for it in four directions.

## Others that look at the weights or at the data

Three more starts are often offered, which we have not run. OLoRA makes both factors of a QR decomposition of the
weight, so that they begin orthonormal [@buyukakyuz2024, abstract]. CorDA decomposes the weight multiplied by the
covariance of what the layer reads in a few samples, and gives the adapter either the largest components, for a new
task, or the smallest, so that knowledge is kept [@yang2024, abstract]. EVA takes the directions in which the layer's
inputs vary most in the task's own texts, and gives more rank to the layers where they vary more
[@paischer2024, abstract]. Their authors report gains over the usual start. Before you believe it of your own task,
give each start the learning rate that is best for it.

## What this does not show

All this is one rank, short runs and three problems, one of them a toy. Which start ends lowest depends on the problem
and the optimiser, so try them at several rates. All but LoRA-GA can be run for longer in [the live part of the
lab](lab.html?train.init=A%3D0), where the start is under “More settings”; LoRA-GA must see texts before there is an
adapter to set up.
"""
    )


LESSON = Lesson(
    slug="init",
    title="How to start",
    question="One factor usually starts at zero. Which other ways are there, and do they matter?",
    part="Rooms",
    order=230,
    minutes=8,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "You swap the usual start: now `lora_A` is zero and `lora_B` is drawn. What must you look at again?",
            (
                Answer(
                    "The learning rate",
                    "The first step is of another length, on a small layer [[first-step.sgd:.1f]] times as far under "
                    "SGD. The largest of our rates that a run survives there is [[rates.usual:g]] with lora_B at zero "
                    "and [[rates.mirror:g]] with lora_A at zero.",
                    right=True,
                ),
                Answer(
                    "Whether it learns at all",
                    "It does, for one of the factors is not zero. The two starts are mirror images.",
                ),
                Answer("Whether it begins at the base", "It does, as the product is zero either way."),
            ),
        ),
        Question(
            "A finetune should begin where the base is. Does a factor have to be zero for that?",
            (
                Answer(
                    "Yes, or the product is not zero",
                    "Two factors that are not zero can have a product that is: orthogonal ones do, and mixed ones.",
                ),
                Answer(
                    "Yes, one of them, and it must be `lora_B`",
                    "With `lora_A` at zero the product is zero as well, and embeddings are started so in practice.",
                ),
                Answer(
                    "No, and the product need not even be zero",
                    "PiSSA and LoRA-GA take the product of their factors out of the weight, so that the sum is the "
                    "base.",
                    right=True,
                ),
            ),
        ),
    ),
    corrections=(
        Correction(
            "The two factors are not alike, so swapping their starts would break training.",
            "The gradients are mirror images. What differs is the length of the first step. On the small "
            "layer the first step goes [[first-step.sgd:.1f]] times as far with lora_A at zero under SGD,"
            " and [[first-step.adamw:.1f]] times as far under AdamW. A rule of thumb says "
            "[[first-step.sgd_rule:.0f]] and [[first-step.adamw_rule:.0f]].",
            "inits",
        ),
    ),
)
