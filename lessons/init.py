"""Where the factors start: the reader can say which factor learns first, and what that choice does and does not do."""

from collections.abc import Iterator, Mapping
from statistics import fmean
from typing import Any

from compute.costs.sizes import first_step_ratio
from compute.experiments.inits import (
    FACTS,
    LEARNING,
    MIRROR,
    PROBLEMS,
    RATES,
    SEEDS,
    SMALL,
    STEPS,
    USUAL,
    Ends,
    InitRun,
    load_inits,
)
from compute.training.config import OPTIMIZERS, WATCHED
from lessons.press.blocks import Answer, Block, Cited, Claim, Correction, Figure, Lesson, Prose, Question, Try
from widgets.inits import Inits

WIDE = (4096, 4096)  # one attention matrix of a mid-size model
SMALL_SHAPE = (64, 64)
SHOWN = 2  # place of the learning rate that the figure opens with
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


def _mirror() -> Mapping[str, Any]:
    usual, mirror = (_run(SMALL, "sgd", init) for init in ("B=0", "A=0"))
    return {
        "silent": usual.lora_A[0],
        "live": usual.lora_B[0],
        "mirror_live": mirror.lora_A[0],
        "mirror_silent": mirror.lora_B[0],
        "next": usual.lora_A[1],
        "mirror_next": mirror.lora_B[1],
    }


def _never() -> Mapping[str, Any]:
    runs = [
        run for problem in PROBLEMS for of in load_inits(problem).runs.values() for run in of["both zero"]
    ]
    return {"steps": WATCHED, "distance": max(max(run.distance) for run in runs)}


def _alive(init: str) -> Mapping[str, Any]:
    run = _run(SMALL, "sgd", init)
    return {"grad_A": run.lora_A[0], "grad_B": run.lora_B[0], "distance": run.distance[0]}


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
    found = {}
    for name, problem in (("", SMALL), ("told_", MIRROR), ("facts_", FACTS)):
        found[f"{name}base"] = _run(problem, "sgd", "both zero").loss[0]
        found[f"{name}start"] = _run(problem, "sgd", "both random").loss[0]
    return found


def _wide() -> Mapping[str, Any]:
    r = 8
    return {
        "n": WIDE[0],
        "r": r,
        "sgd": first_step_ratio(WIDE, r, "sgd"),
        "adamw": first_step_ratio(WIDE, r, "adamw"),
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
    "mirror": Claim(
        _mirror,
        lambda v: v["silent"] == v["mirror_silent"] == 0 < min(v["live"], v["mirror_live"]),  # exactly
    ),
    "next": Claim(
        _mirror,
        lambda v: min(v["next"], v["mirror_next"]) > 0,
    ),
    "never": Claim(
        _never,
        lambda v: v["distance"] == 0,  # exactly
    ),
    "mixed": Claim(
        lambda: _alive("mixed"),
        lambda v: min(v["grad_A"], v["grad_B"]) > 0 == v["distance"],
    ),
    "orthogonal": Claim(
        lambda: _alive("orthogonal"),
        lambda v: min(v["grad_A"], v["grad_B"]) > 0 == v["distance"],
    ),
    "pissa": Claim(
        lambda: _alive("PiSSA"),
        lambda v: min(v["grad_A"], v["grad_B"]) > 0 == v["distance"],
    ),
    "gradient": Claim(
        lambda: _alive("LoRA-GA"),
        lambda v: min(v["grad_A"], v["grad_B"]) > 0 == v["distance"],
    ),
    "random": Claim(
        _random,
        lambda v: v["start"] > 10 * v["base"],
    ),
    "random-model": Claim(
        _random,
        lambda v: v["facts_start"] > v["facts_base"] + 1 and v["told_start"] < v["told_base"] - 1,
    ),
    "first-step": Claim(
        _first_step,
        lambda v: abs(v["sgd"] / v["sgd_rule"] - 1) < 0.25 and abs(v["adamw"] / v["adamw_rule"] - 1) < 0.05,
    ),
    "wide": Claim(
        _wide,
        lambda v: v["sgd"] == v["n"] / v["r"] and abs(v["adamw"] ** 2 - v["sgd"]) < 1e-6,
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
        lambda v: v["worst"] < v["frequencies"],
    ),
    "told-sgd": Claim(
        lambda: _means(MIRROR, "sgd"),
        lambda v: (
            {v["verdicts"][name] for name in ("mirror", "mixed", "random")} == {"above"}
            and {v["verdicts"][name] for name in ("orthogonal", "pissa", "gradient")} == {"level"}
        ),
    ),
    "spread": Claim(
        lambda: _means(MIRROR, "sgd"),
        lambda v: v["low"] < v["high"],
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
## A start that changes nothing

A finetune should begin where the base is. So the product of the two factors should be zero at first. LoRA's
authors draw `lora_A` at random and set `lora_B` to zero [@hu2021, section 4.1].

Why this way round? The usual story has a reason ready. It says that zeroing `lora_B` is the only choice that
starts from the base and still lets both factors learn at once. It sounds right. We can ask the gradients.

Let $G$ be the gradient of the loss for the whole weight, and $s$ the scaling. Then

$$\\text{grad_lora_B} = s \\, G \\, \\text{lora_A}^{\\top}$$

$$\\text{grad_lora_A} = s \\, \\text{lora_B}^{\\top} G$$

Each factor hears of the loss through the other one. What does a factor hear if the other is zero? Make your
guess below, then step.
"""
    )
    yield Figure("inits", Inits)
    yield Try(
        """
Stay at step zero and go through all the starts. With which of them do both factors get a gradient? Then choose
the rate that is best for `lora_B = 0`, and switch to `lora_A = 0`.
""",
        run={
            "`lora_A = 0`": {"init": "A=0", "size": "4"},
            "both zero": {"init": "both zero", "size": "4"},
            "both random": {"init": "both random", "size": "4"},
        },
    )
    yield Prose(
        """
## Who learns first

With lora_B at zero, the gradient of lora_B has norm [[mirror.live:.3f]] before the first step, and that of lora_A is
[[mirror.silent:.0f]]. With lora_A at zero it is the other way round: [[mirror.mirror_silent:.0f]] for lora_B,
[[mirror.mirror_live:.3f]] for lora_A. These zeros are exact: no batch and no optimiser changes them. So the usual
start does not give both factors a gradient. It gives one.

The other has to wait for one step. After one step the silent gradients are [[next.next:.4f]] and
[[next.mirror_next:.4f]]. By then the first factor is no longer zero, and both learn. The two starts are mirror images
here.

With both at zero nobody ever begins. After [[never.steps]] steps the weights are [[never.distance:.0f]] away from the
base, with both optimisers and at every learning rate.

## Not the only way

Several starts do what the story asks for.

- *Mixed.* Half of the directions begin with `lora_A` at zero, the other half with `lora_B`. Before the first step the
  norms are [[mixed.grad_A:.3f]] for lora_A and [[mixed.grad_B:.3f]] for lora_B, and the distance from the base is
  [[mixed.distance:.0f]].
- *Orthogonal.* PEFT draws both factors at right angles [@peft, LoraConfig, init_lora_weights]. The norms are
  [[orthogonal.grad_A:.3f]] and [[orthogonal.grad_B:.3f]], at distance [[orthogonal.distance:.0f]] but for rounding.
- *PiSSA* takes both factors from the largest singular directions of the weight, and takes these directions out of the
  weight [@meng2024, abstract]. Nothing is zero, and the sum is the base. The norms are [[pissa.grad_A:.3f]] and
  [[pissa.grad_B:.3f]], again at distance [[pissa.distance:.0f]] but for rounding.
- *LoRA-GA* looks at the task first [@wang2024, abstract]. It takes the gradient of the first examples for the whole
  weight, gives its strongest directions to `lora_A` and the next ones to `lora_B`, and takes their product out of the
  weight. The first step of SGD is then, but for its length, the nearest that this rank allows to the step of full
  finetuning. The norms are [[gradient.grad_A:.3f]] and [[gradient.grad_B:.3f]], at distance [[gradient.distance:.0f]]
  but for rounding.

And the mirror image is in use. For embeddings, loralib and PEFT start `lora_A` at zero and draw `lora_B`
[@loralib, layers.py, class Embedding]. Asked about it, LoRA's first author expected no meaningful difference, as
long as the other factor is not zero [@loralib, issue 98].

Must a finetune start at the base at all? Draw both factors and see. It lifts the small layer's loss from
[[random.base:.2f]] to [[random.start:.1f]] before anything is learned. That is a heavy price. On the mini-model it
depends on the task, because a base that is sure of the wrong words can gain by being shaken. Drawn factors lift the
loss on new facts from [[random-model.facts_base:.1f]] to [[random-model.facts_start:.1f]], and lower that of telling
backwards from [[random-model.told_base:.1f]] to [[random-model.told_start:.1f]]. In one study, starts with both
factors away from zero generally did as well, and were less sensitive to the learning rate [@li2025, abstract].

## What the difference is

Which factor is zero decides who learns first. It also decides how far the first step goes, and that is the larger
difference. From `lora_B` at zero, a step of SGD with learning rate $\\eta$ changes the weight by

$$-\\eta \\, s^2 \\, G \\, \\text{lora_A}^{\\top} \\text{lora_A}$$

and from `lora_A` at zero by

$$-\\eta \\, s^2 \\, \\text{lora_B} \\, \\text{lora_B}^{\\top} G$$

The usual rule draws entries of `lora_A` smaller the more inputs a layer has. Those of `lora_B` depend on $r$ alone,
so they are larger. On the small layer the first step goes [[first-step.sgd:.1f]] times as far with lora_A at zero
under SGD, and [[first-step.adamw:.1f]] times as far under AdamW. A rule of thumb says [[first-step.sgd_rule:.0f]] and
[[first-step.adamw_rule:.0f]]. The rule is $\\sqrt{dk}/r$ for SGD and $\\sqrt{k/r}$ for AdamW, with $d$ rows and $k$
columns. It grows with the width. For a [[wide.n:,d]] × [[wide.n:,d]] matrix with r = [[wide.r]] it says
[[wide.sgd:.0f]] and [[wide.adamw:.1f]].

A longer first step is not a better one. Under SGD on the small layer, the largest of our rates that a run survives is
[[rates.usual:g]] with lora_B at zero and [[rates.mirror:g]] with lora_A at zero. So the first ends below
[[small.small:.3f]] at its best rate with every seed. The second ends no lower than [[small.lowest:.2f]], where the
base was at [[small.base:.2f]], and [[small.lost]] of its [[small.seeds]] seeds is given up. Under AdamW they end at
[[small-adamw.usual:.4f]] and [[small-adamw.mirror:.4f]], means of [[small-adamw.seeds]] seeds. Theory for very wide
layers points the same way: the usual start stands larger learning rates and learns better on average
[@hayou2024, abstract].

One surprise remains. On the small layer PiSSA gets no further than [[full-house.pissa:.2f]] with any rate or
optimiser, and LoRA-GA no further than [[full-house.gradient:.2f]], where the base was at [[full-house.base:.2f]].
Both have factors that are busy from the start: they hold directions that were taken out of the weight. To take in
what is missing, they would have to let go of those, and for both there is no room in four.

## And on a model?

The mini-model learns to tell its stories backwards, and facts about people of whom it has never read. It knows all the
words of both. Every start gets the learning rate that is its own best, because one that makes the first step longer may
want a smaller one. And each runs with several seeds: which numbers are drawn, and in which order the texts come, is
luck.

Telling backwards comes first, by plain SGD. A writer who knows how often each word comes, and nothing else, would
have a loss of [[control.frequencies:.2f]] there. Under SGD every start, at its best rate and with every seed, ends
below that: at [[control.worst:.2f]] or lower. Over [[told-sgd.seeds]] seeds it is [[told-sgd.usual:.2f]] nats with
lora_B at zero. With lora_A at zero ([[told-sgd.mirror:.2f]]), mixed ([[told-sgd.mixed:.2f]]) and with both random
([[told-sgd.random:.2f]]) it is higher. The orthogonal start ([[told-sgd.orthogonal:.2f]]), PiSSA
([[told-sgd.pissa:.2f]]) and LoRA-GA ([[told-sgd.gradient:.2f]]) cannot be told from the usual one. The seeds of
lora_B at zero alone reach from [[spread.low:.2f]] to [[spread.high:.2f]].

Under AdamW the starts come together: [[told-adamw.usual:.2f]] with lora_B at zero, and all others within
[[told-adamw.others:.2f]] of it, but for both random, which end at [[told-adamw.random:.2f]]. On new facts AdamW ends
at [[facts-adamw.usual:.2f]] from the usual start. From lora_A at zero ([[facts-adamw.mirror:.2f]]), mixed
([[facts-adamw.mixed:.2f]]), LoRA-GA ([[facts-adamw.gradient:.2f]]) and both random ([[facts-adamw.random:.2f]]) it
ends higher; the orthogonal start ([[facts-adamw.orthogonal:.2f]]) and PiSSA ([[facts-adamw.pissa:.2f]]) cannot be
told from it. Under SGD it is the orthogonal start that ends lowest there, at [[facts-sgd.orthogonal:.2f]] against
[[facts-sgd.usual:.2f]].

All this is one rank, short runs, three problems. You can run all of these starts but LoRA-GA for longer in
[the live lab](lab.html?train.init=A%3D0): the start stands under “More settings”. LoRA-GA is not among them, because it
must see texts before there is an adapter to set up.

## In short

- `lora_B = 0` gives `lora_A` no gradient at all in the first step. `lora_A = 0` is its mirror image.
- It is not the only start that leaves the base as it is, nor the only one in use.
- What differs is the length of the first step, and with it the learning rate that fits.
- Which start ends lowest depends on the problem and the optimiser. Try them at several rates.
"""
    )


LESSON = Lesson(
    slug="init",
    title="Where the factors start",
    question="One factor starts at zero. Does it matter which?",
    part="Rooms",
    order=230,
    minutes=12,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "`lora_B` starts at zero. Which factor moves in the first step of SGD?",
            (
                Answer(
                    "Both",
                    "Each hears of the loss through the other, and one hears nothing yet. With lora_B at zero, "
                    "the gradient of lora_B has norm [[mirror.live:.3f]] before the first step, and that of "
                    "lora_A is [[mirror.silent:.0f]]. With lora_A at zero it is the other way round: "
                    "[[mirror.mirror_silent:.0f]] for lora_B, [[mirror.mirror_live:.3f]] for lora_A.",
                ),
                Answer(
                    "Only `lora_B`",
                    "It hears of the loss through `lora_A`, which is not zero. With lora_B at zero, the gradient "
                    "of lora_B has norm [[mirror.live:.3f]] before the first step, and that of lora_A is "
                    "[[mirror.silent:.0f]]. With lora_A at zero it is the other way round: "
                    "[[mirror.mirror_silent:.0f]] for lora_B, [[mirror.mirror_live:.3f]] for lora_A. After one "
                    "step the silent gradients are [[next.next:.4f]] and [[next.mirror_next:.4f]].",
                    right=True,
                ),
                Answer(
                    "Only `lora_A`",
                    "It is the other way round: `lora_A` hears through `lora_B`, which is zero. With lora_B at "
                    "zero, the gradient of lora_B has norm [[mirror.live:.3f]] before the first step, and that of"
                    " lora_A is [[mirror.silent:.0f]]. With lora_A at zero it is the other way round: "
                    "[[mirror.mirror_silent:.0f]] for lora_B, [[mirror.mirror_live:.3f]] for lora_A.",
                ),
            ),
        ),
        Question(
            "You swap the start: now `lora_A` is zero. What must you look at again?",
            (
                Answer(
                    "The learning rate",
                    "The first step is of another length. On the small layer the first step goes "
                    "[[first-step.sgd:.1f]] times as far with lora_A at zero under SGD, and "
                    "[[first-step.adamw:.1f]] times as far under AdamW. A rule of thumb says "
                    "[[first-step.sgd_rule:.0f]] and [[first-step.adamw_rule:.0f]]. Under SGD on the small layer,"
                    " the largest of our rates that a run survives is [[rates.usual:g]] with lora_B at zero and "
                    "[[rates.mirror:g]] with lora_A at zero.",
                    right=True,
                ),
                Answer(
                    "Whether it learns at all",
                    "It does: the two starts are mirror images. With lora_B at zero, the gradient of lora_B has "
                    "norm [[mirror.live:.3f]] before the first step, and that of lora_A is [[mirror.silent:.0f]]."
                    " With lora_A at zero it is the other way round: [[mirror.mirror_silent:.0f]] for lora_B, "
                    "[[mirror.mirror_live:.3f]] for lora_A.",
                ),
                Answer("Whether it begins at the base", "It does, as the product is zero either way."),
            ),
        ),
    ),
    corrections=(
        Correction(
            "Zeroing `lora_B` and drawing `lora_A` is the only start that lets both factors learn at once and still "
            "begins at the base.",
            "It lets one of them learn. With lora_B at zero, the gradient of lora_B has norm "
            "[[mirror.live:.3f]] before the first step, and that of lora_A is [[mirror.silent:.0f]]. With"
            " lora_A at zero it is the other way round: [[mirror.mirror_silent:.0f]] for lora_B, "
            "[[mirror.mirror_live:.3f]] for lora_A. Other starts let both. Before the first step the "
            "norms are [[mixed.grad_A:.3f]] for lora_A and [[mixed.grad_B:.3f]] for lora_B, and the "
            "distance from the base is [[mixed.distance:.0f]].",
            "inits",
        ),
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
