"""Where the factors start: the reader can say which factor learns first, and what that choice does and does not do."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from compute.costs.sizes import first_step_ratio
from compute.experiments.inits import PROBLEMS, RATES, SMALL, STEPS, InitRun, load_inits
from compute.text.tokenizer import vocab_size
from lessons.press.blocks import Answer, Block, Cited, Claim, Correction, Figure, Lesson, Prose, Question, Try
from widgets.inits import Inits

WIDE = (4096, 4096)  # one attention matrix of a mid-size model
SMALL_SHAPE = (64, 64)
SHOWN = 2  # place of the learning rate that the figure opens with
TASK = "new language"
NEAR = ("usual", "mirror", "mixed", "orthogonal", "pissa")  # that start from the base


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
    return {"steps": STEPS, "distance": max(max(run.distance) for run in runs)}


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
    small, model = (_run(problem, "sgd", "both random") for problem in (SMALL, TASK))
    return {
        "base": _run(SMALL, "sgd", "both zero").loss[0],
        "start": small.loss[0],
        "model_base": _run(TASK, "sgd", "both zero").loss[0],
        "model_start": model.loss[0],
        "blind": math.log(vocab_size()),
    }


def _wide() -> Mapping[str, Any]:
    r = 8
    return {
        "n": WIDE[0],
        "r": r,
        "sgd": first_step_ratio(WIDE, r, "sgd"),
        "adamw": first_step_ratio(WIDE, r, "adamw"),
    }


def _best(problem: str, optimizer: str, init: str) -> tuple[InitRun, float]:
    """Return the run whose final loss is the best of all rates, and its rate."""
    over = zip(load_inits(problem).runs[optimizer][init], RATES[problem][optimizer], strict=True)
    return min(
        ((run, rate) for run, rate in over if run.final is not None), key=lambda each: each[0].final or 0
    )


def _final(problem: str, optimizer: str, init: str) -> float:
    return _best(problem, optimizer, init)[0].final or 0.0


def _finals(problem: str, optimizer: str) -> dict[str, float]:
    """Return the best final loss by init, and the span of the usual one's seeds."""
    names = {"usual": "B=0", "mirror": "A=0", "mixed": "mixed", "orthogonal": "orthogonal", "pissa": "PiSSA"}
    found = {key: _final(problem, optimizer, init) for key, init in names.items()}
    seeds = [loss for loss in _best(problem, optimizer, "B=0")[0].finals if loss is not None]
    return found | {
        "random": _final(problem, optimizer, "both random"),
        "base": _final(problem, optimizer, "both zero"),
        "low": min(seeds),
        "high": max(seeds),
        "seeds": len(seeds),
    }


def _largest_rate(init: str) -> float:
    """Return the largest rate of SGD on the small layer with which no seed is given up."""
    over = zip(load_inits(SMALL).runs["sgd"][init], RATES[SMALL]["sgd"], strict=True)
    return max(rate for run, rate in over if None not in run.finals)


CLAIMS: Mapping[str, Claim | Cited] = {
    "mirror": Claim(
        "With lora_B at zero, the gradient of lora_B has norm {live:.3f} before the first step, and that of lora_A is "
        "{silent:.0f}. With lora_A at zero it is the other way round: {mirror_silent:.0f} for lora_B, "
        "{mirror_live:.3f} for lora_A.",
        _mirror,
        lambda v: v["silent"] == v["mirror_silent"] == 0 < min(v["live"], v["mirror_live"]),  # exactly
    ),
    "next": Claim(
        "After one step the silent gradients are {next:.4f} and {mirror_next:.4f}.",
        _mirror,
        lambda v: min(v["next"], v["mirror_next"]) > 0,
    ),
    "never": Claim(
        "After {steps} steps the weights are {distance:.0f} away from the base, with both optimisers and at every "
        "learning rate.",
        _never,
        lambda v: v["distance"] == 0,  # exactly
    ),
    "mixed": Claim(
        "Before the first step the norms are {grad_A:.3f} for lora_A and {grad_B:.3f} for lora_B, and the distance "
        "from the base is {distance:.0f}.",
        lambda: _alive("mixed"),
        lambda v: min(v["grad_A"], v["grad_B"]) > 0 == v["distance"],
    ),
    "orthogonal": Claim(
        "The norms are {grad_A:.3f} and {grad_B:.3f}, at distance {distance:.0f} but for rounding.",
        lambda: _alive("orthogonal"),
        lambda v: min(v["grad_A"], v["grad_B"]) > 0 == v["distance"],
    ),
    "pissa": Claim(
        "The norms are {grad_A:.3f} and {grad_B:.3f}, again at distance {distance:.0f} but for rounding.",
        lambda: _alive("PiSSA"),
        lambda v: min(v["grad_A"], v["grad_B"]) > 0 == v["distance"],
    ),
    "random": Claim(
        "It lifts the small layer's loss from {base:.2f} to {start:.1f} before anything is learned.",
        _random,
        lambda v: v["start"] > 10 * v["base"],
    ),
    "random-model": Claim(
        "There the drawn change takes the loss from {model_base:.1f} to {model_start:.1f}, nearer to the "
        "{blind:.1f} of a blind guess.",
        _random,
        lambda v: v["blind"] < v["model_start"] < v["model_base"] - 1,
    ),
    "first-step": Claim(
        "On the small layer the first step goes {sgd:.1f} times as far with lora_A at zero under SGD, and {adamw:.1f} "
        "times as far under AdamW. A rule of thumb says {sgd_rule:.0f} and {adamw_rule:.0f}.",
        _first_step,
        lambda v: abs(v["sgd"] / v["sgd_rule"] - 1) < 0.25 and abs(v["adamw"] / v["adamw_rule"] - 1) < 0.05,
    ),
    "wide": Claim(
        "For a {n:,d} × {n:,d} matrix with r = {r} it says {sgd:.0f} and {adamw:.1f}.",
        _wide,
        lambda v: v["sgd"] == v["n"] / v["r"] and abs(v["adamw"] ** 2 - v["sgd"]) < 1e-6,
    ),
    "rates": Claim(
        "Under SGD on the small layer, the largest of our rates that every seed survives is {usual:g} with lora_B at "
        "zero and {mirror:g} with lora_A at zero.",
        lambda: {"usual": _largest_rate("B=0"), "mirror": _largest_rate("A=0")},
        lambda v: v["usual"] > 3 * v["mirror"],
    ),
    "small": Claim(
        "So the first ends below {small:.3f} at its best rate, the second at {mirror:.2f}, where the base was at "
        "{base:.2f}.",
        lambda: {"small": 0.001, **_finals(SMALL, "sgd")},
        lambda v: v["usual"] < v["small"] and v["mirror"] > 0.8 * v["base"],
    ),
    "small-adamw": Claim(
        "Under AdamW both do best at the rate {rate:g}, and end at {usual:.4f} and {mirror:.4f}.",
        lambda: {"rate": _best(SMALL, "adamw", "B=0")[1], **_finals(SMALL, "adamw")},
        lambda v: v["rate"] == _best(SMALL, "adamw", "A=0")[1] and 5 * v["usual"] < v["mirror"],
    ),
    "model": Claim(
        "Under SGD, at its best rate each, lora_B at zero ends at {usual:.2f} nats, lora_A at zero at {mirror:.2f}, "
        "both random at {random:.2f} and PiSSA at {pissa:.2f}.",
        lambda: _finals(TASK, "sgd"),
        lambda v: max(v["mirror"], v["random"], v["pissa"]) < v["usual"] - 0.4,
    ),
    "model-adamw": Claim(
        "Under AdamW lora_B at zero ends at {usual:.2f}, lora_A at zero at {mirror:.2f}, mixed at {mixed:.2f}, "
        "orthogonal at {orthogonal:.2f}, PiSSA at {pissa:.2f} and both random at {random:.2f}.",
        lambda: _finals(TASK, "adamw"),
        lambda v: v["random"] > max(v[name] for name in NEAR),
    ),
    "noise": Claim(
        "The {seeds} seeds of lora_B at zero alone reach from {low:.2f} to {high:.2f}.",
        lambda: _finals(TASK, "adamw"),
        lambda v: max(v[name] for name in NEAR) - min(v[name] for name in NEAR) < v["high"] - v["low"],
    ),
    "full-house": Claim(
        "On the small layer PiSSA gets no further than {pissa:.2f} with any rate or optimiser, where the base was at "
        "{base:.2f}.",
        lambda: _finals(SMALL, "adamw"),
        lambda v: v["pissa"] > 0.9 * v["base"] and abs(v["pissa"] - _final(SMALL, "sgd", "PiSSA")) < 0.005,
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
"""
    )
    yield Prose(
        """
## Who learns first

[[mirror]] These zeros are exact: no batch and no optimiser changes them. So the usual start does not give both
factors a gradient. It gives one.

The other has to wait for one step. [[next]] By then the first factor is no longer zero, and both learn. The two
starts are mirror images here.

With both at zero nobody ever begins. [[never]]

## Not the only way

Several starts do what the story asks for.

- *Mixed.* Half of the directions begin with `lora_A` at zero, the other half with `lora_B`. [[mixed]]
- *Orthogonal.* PEFT draws both factors at right angles [@peft, LoraConfig, init_lora_weights]. [[orthogonal]]
- *PiSSA* takes both factors from the largest singular directions of the weight, and takes these directions out of
  the weight [@meng2024, abstract]. Nothing is zero, and the sum is the base. [[pissa]]

And the mirror image is in use. For embeddings, loralib and PEFT start `lora_A` at zero and draw `lora_B`
[@loralib, layers.py, class Embedding]. Asked about it, LoRA's first author expected no meaningful difference, as
long as the other factor is not zero [@loralib, issue 98].

Must a finetune start at the base at all? Draw both factors and see. [[random]] That is a heavy price. Yet on
the new language the same start even helps at first. [[random-model]] In one study, starts with both factors
away from zero generally did as well, and were less sensitive to the learning rate [@li2025, abstract].

## What the difference is

Which factor is zero decides who learns first. It also decides how far the first step goes, and that is the larger
difference. From `lora_B` at zero, a step of SGD with learning rate $\\eta$ changes the weight by

$$-\\eta \\, s^2 \\, G \\, \\text{lora_A}^{\\top} \\text{lora_A}$$

and from `lora_A` at zero by

$$-\\eta \\, s^2 \\, \\text{lora_B} \\, \\text{lora_B}^{\\top} G$$

The usual rule draws entries of `lora_A` smaller the more inputs a layer has. Those of `lora_B` depend on $r$
alone, so they are larger. [[first-step]] The rule is $\\sqrt{dk}/r$ for SGD and $\\sqrt{k/r}$ for AdamW, with $d$ rows
and $k$ columns. It grows with the width. [[wide]]

A longer first step is not a better one. [[rates]] [[small]] [[small-adamw]] Theory for very wide layers points
the same way: the usual start stands larger learning rates and learns better on average [@hayou2024, abstract].

## And on a model?

Here the order is another one. The mini-model learns a new language. [[model]]

[[model-adamw]] How much of that is luck? [[noise]] All but the last lie closer together than these. Where the
rate of AdamW is tuned, a start from the base is as good as another here.

One surprise remains. [[full-house]] Its factors are busy from the start: they hold the four strongest directions
of the weight. To take in what is missing, they would have to let go of those. On the new language that is no
hindrance.

All this is fifty steps, one rank, two problems. You can run any of these starts for longer in
[the live lab](lab.html?train.init=A%3D0): the start stands under “More settings”.

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
    part="How to set it up",
    order=50,
    minutes=12,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "`lora_B` starts at zero. Which factor moves in the first step of SGD?",
            (
                Answer(
                    "Both", "Each hears of the loss through the other, and one hears nothing yet. [[mirror]]"
                ),
                Answer(
                    "Only `lora_B`",
                    "It hears of the loss through `lora_A`, which is not zero. [[mirror]] [[next]]",
                    right=True,
                ),
                Answer(
                    "Only `lora_A`",
                    "It is the other way round: `lora_A` hears through `lora_B`, which is zero. [[mirror]]",
                ),
            ),
        ),
        Question(
            "You swap the start: now `lora_A` is zero. What must you look at again?",
            (
                Answer(
                    "The learning rate",
                    "The first step is of another length. [[first-step]] [[rates]]",
                    right=True,
                ),
                Answer("Whether it learns at all", "It does: the two starts are mirror images. [[mirror]]"),
                Answer("Whether it begins at the base", "It does, as the product is zero either way."),
            ),
        ),
    ),
    corrections=(
        Correction(
            "Zeroing `lora_B` and drawing `lora_A` is the only start that lets both factors learn at once and still "
            "begins at the base.",
            "It lets one of them learn. [[mirror]] Other starts let both. [[mixed]]",
            "inits",
        ),
        Correction(
            "The two factors are not alike, so swapping their starts would break training.",
            "The gradients are mirror images. What differs is the length of the first step. [[first-step]]",
            "inits",
        ),
    ),
)
