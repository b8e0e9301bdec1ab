"""The reader can say what an adapter file holds, how strongly each program will run it, and how much of it is used."""

from collections.abc import Iterator, Mapping
from statistics import fmean
from typing import Any

import numpy as np

from compute.adapters.scaling import scaling_of
from compute.matrices.controls import noise_product_band
from compute.matrices.spectrum import r90
from lessons.press.blocks import Answer, Block, Cited, Claim, Correction, Figure, Lesson, Prose, Question, Try
from widgets.inspector import Example, Inspector, examples

HALF = 0.5  # of the numbers of an adapter
RESAVED = 1  # the alpha that a tool writes where none was


def _file() -> Mapping[str, Any]:
    own = examples()["own"]
    return {
        "layers": len(own.layers),
        "tensors": 2 * len(own.layers),
        "r": own.r,
        "alpha": own.config["lora_alpha"],
    }


def _root() -> Mapping[str, Any]:
    """Return what is made of the note that asks for the root: by who reads all of it, and by who reads alpha alone."""
    plain, rooted = examples()["own"], examples()["rooted"]
    alpha, r = rooted.config["lora_alpha"], rooted.r
    half_read = scaling_of("alpha/r", alpha, r)
    return {
        "r": r,
        "alpha": alpha,
        "scale": rooted.scale,
        "same": rooted.scale == plain.scale and rooted.layers is plain.layers,
        "half_read": half_read,
        "times": rooted.scale / half_read,
    }


def _resaved() -> Mapping[str, Any]:
    r = examples()["own"].r
    return {"r": r, "alpha": RESAVED, "times": 1 / scaling_of("alpha/r", RESAVED, r)}


def _used(example: Example) -> list[int]:
    return [r90(np.array(s)) for _, s in example.layers.values()]


def _lost(example: Example, kept: list[int]) -> float:
    """Return the relative error of all layers together when each keeps its first directions."""
    squares = [np.array(s) ** 2 for _, s in example.layers.values()]
    lost = sum(float(each[k:].sum()) for each, k in zip(squares, kept, strict=True))
    return float(np.sqrt(lost / sum(float(each.sum()) for each in squares)))


def _share(example: Example, kept: list[int]) -> float:
    """Return the share of the numbers that is left."""
    sides = [sum(shape) for shape, _ in example.layers.values()]
    return sum(k * side for k, side in zip(kept, sides, strict=True)) / example.numbers


def _reviews() -> Mapping[str, Any]:
    example = examples()["imdb"]
    used = _used(example)
    noise = [r90(noise_product_band(shape, example.r).s[1]) for shape, _ in example.layers.values()]
    return {
        "r": example.r,
        "mean": fmean(used),
        "most": max(used),
        "noise": min(noise),
        "kept": _share(example, used),
        "error": _lost(example, used),
    }


def _budget() -> Mapping[str, Any]:
    """Return the error of GPT-2's adapter with half of its numbers, spent evenly and where they hold most."""
    example = examples()["gpt2"]
    even = [example.r // 2] * len(example.layers)
    offers = sorted(
        (
            (s / sum(shape), i)
            for i, (shape, values) in enumerate(example.layers.values())
            for s in np.square(values)
        ),
        reverse=True,
    )
    kept = [0] * len(example.layers)
    for _, i in offers[: sum(even)]:  # its layers are of one shape, so that each direction costs the same
        kept[i] += 1
    return {
        "r": even[0],
        "shapes": len({shape for shape, _ in example.layers.values()}),
        "even": _lost(example, even),
        "spent": _lost(example, kept),
        "least": min(kept),
        "most": max(kept),
        "share": _share(example, kept),
    }


CLAIMS: Mapping[str, Claim | Cited] = {
    "file": Claim(_file, lambda v: v["tensors"] == 36 and v["alpha"] == 2 * v["r"]),
    "root": Claim(_root, lambda v: v["same"] and v["times"] == v["r"] ** 0.5),
    "resaved": Claim(_resaved, lambda v: v["times"] == v["r"]),
    "reviews": Claim(
        _reviews,
        lambda v: v["mean"] < v["r"] / 2 and v["most"] < v["noise"] and v["kept"] < 0.4 and v["error"] < 0.2,
    ),
    "budget": Claim(
        _budget,
        lambda v: (
            v["spent"] < 0.7 * v["even"]
            and v["shapes"] == 1
            and v["share"] == HALF
            and v["most"] > v["least"] + 2
        ),
    ),
}


def build() -> Iterator[Block]:
    """Yield the blocks of the page."""
    yield Prose("""
A colleague sends you an adapter, two files of a few megabytes, and writes that it works. In your program the model
answers as though it had never been trained; in another one it answers as though somebody had shouted at it. Nothing is
damaged. An adapter is a map without a scale bar: it tells in which directions the weights are to move and in what
proportions, while the distance stands on a second sheet, which not every program reads.

## A look before it runs

Looking takes neither the base model nor a graphics card, and no time to speak of. The figure opens an adapter of yours
in the browser, and no byte of it leaves your computer. Until you bring one, it shows three others, of which this page
has the singular values.
""")
    yield Figure("inspector", Inspector)
    yield Try("""
Train an adapter in [the figure that trains](first.html#finetune), take it away, and open both of its files here. Cut
it to the same rank in each layer, as PEFT, and open what you get where it was trained: from which rank on does it
still answer?
""")
    yield Prose("""
## Two thin matrices a layer, and a note beside them

For every matrix that was adapted the file holds `lora_A` and `lora_B`, each under a long key that spells where in the
model it belongs. Ours has [[file.layers]] such layers and therefore [[file.tensors]] tensors. The keys come in
dialects: PEFT begins them with `base_model.model.`, trainers of image models write `lora_down` and `lora_up`, MLX lays
both matrices on their side. Relatives such as LoHa and LoKr store other products of small matrices. A program that
finds none of the names it expects may well leave the model as it was and say nothing, which is why the figure names
the dialect first. Parts without their partner, layers that are zero, doubled or not a number, and keys that belong
nowhere are listed under the spectrum.

What the weights do not hold is how far to go. In PEFT's format that stands beside them, in `adapter_config.json`, which
says r = [[file.r]] and alpha = [[file.alpha]] for ours; image models mostly keep an `alpha` next to each pair instead.
Whoever passes on the weights alone has passed on the map and kept the scale. PEFT's upload to a public hub of models
takes both files [@peft, PeftModel.push_to_hub], and what comes from such a hub should have both. (AdapterHub, in spite
of its name, is another project, with a library of its own.)

## One file, several strengths

The change that a layer makes is $s B A$. LoRA as it was published takes alpha over $r$ for the scaling $s$
[@hu2021, section 4.1], and rsLoRA takes alpha over the root of $r$ [@kalajdzievski2023, abstract]. Each program works
$s$ out for itself, from whichever parts of the sheet its authors thought of, so that one file can run at several
strengths. The table in the figure does the sum for seven programs, by the rules in their code when this page was
written.

[Write our note the other way](#inspector?example=rooted), with alpha = [[root.alpha]] and the root, and to PEFT
nothing has changed: it multiplies by [[root.scale:g]] as before. The converter of llama.cpp reads alpha from the
config but not the line that asks for the root [@llamacpp, convert_lora_to_gguf.py], so that there the same factors are
multiplied by [[root.half_read:g]], and the adapter is [[root.times:g]] times too weak.

ComfyUI looks for an `alpha` beside each pair, and where it finds none it multiplies by one
[@comfyui, comfy/weight_adapter/lora.py]. That is harmless until somebody saves the adapter again with a tool that
writes alpha = [[resaved.alpha]] into the empty place: everybody who reads it now divides by $r$, and an adapter of
rank [[resaved.r]] has become [[resaved.times:g]] times weaker, although not a number of its factors has changed.

Before you train again because an adapter seems too weak, then, compare two columns of that table. What the scaling
does while one trains is [another room's matter](scale.html), and [merging](merging.html) ends the question for good,
since the merged weights have $s$ in them.

## The rank that was paid for

Rank is chosen before training, when nobody knows how many directions the task will need, and it is paid in every layer
alike. Afterwards the directions can be counted, as the cells of the figure do: how many of them hold nine tenths of
the energy. What such spectra look like beside chance is told [in a chapter of its own](spectra.html); here the
question is a housekeeper's. How much of the adapter could be given back?

[Open the adapter for film reviews](#inspector?example=imdb&cut=energy&amount=90) that somebody trained at rank
[[reviews.r]]. Its layers need [[reviews.mean:.1f]] directions on average, where products of random factors would need
at least [[reviews.noise]]. If each layer keeps just these, [[reviews.kept:.0%]] of the numbers are left, and the
change as a whole is off by [[reviews.error:.0%]] of its length.

It pays to spend unevenly. In the adapter for GPT-2, [half of the rank in each
layer](#inspector?example=gpt2&cut=rank&amount=4) leaves an error of [[budget.even:.1%]], but [half of the numbers
where they hold most](#inspector?example=gpt2&cut=budget&amount=50) leave one of [[budget.spent:.1%]]. The size of the
file is the same. Spent so, some layers keep [[budget.least]] directions and others [[budget.most]], whereas equal
shares give to some what they cannot use and take from others what they need.

What you take away is an adapter again, in the dialect that you choose. Where it was cut, the scaling has been
multiplied into the factors and the config says so, which draws the scale bar onto the map: every program that loads it
will now find the same strength.

## What the page cannot see

By itself it sees the change and not the weights beneath, so that of a DoRA, which rescales the sum of both, only the
factors are shown. Put the base beside it, and it says how large each change is against its weight, what a DoRA truly
changes, and how much a merge into few bits would lose; that too stays on your computer. Energy is not usefulness
either: a direction that holds little of it may be the one that a rare question needs. Three small adapters are no
survey, and none of them was run again after the cut. Try yours on questions of your own before you delete the whole
one.
""")


LESSON = Lesson(
    slug="adapter",
    title="What is in an adapter",
    question="A colleague sends you an adapter. How strongly will it act, and how much of it is needed?",
    part="Rooms",
    order=205,
    minutes=7,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "An adapter of rank [[root.r]] was trained with rsLoRA. How does it act in a program that reads alpha and "
            "the factors, but not which rule was used?",
            (
                Answer(
                    "As it was trained, since the factors have absorbed the rule",
                    "The factors are stored without the scaling. It has to be known again wherever they are "
                    "multiplied.",
                ),
                Answer(
                    "Weaker, by the root of the rank",
                    "Alpha over $r$ is smaller than alpha over the root of $r$ by just that root: [[root.times:g]] "
                    "times at this rank.",
                    right=True,
                ),
                Answer(
                    "Stronger, by the rank itself",
                    "The program divides by $r$ where the training divided by the root of $r$, so it divides by more.",
                ),
            ),
        ),
        Question(
            "A file loads without a complaint, and the model answers as before. What should be looked at first?",
            (
                Answer(
                    "Whether the numbers were stored too coarsely",
                    "Sixteen bits round each number a little. They do not make a trained change disappear.",
                ),
                Answer(
                    "Whether the rank is too low for the task",
                    "Then it would have learned too little, and would have answered no better where it was trained.",
                ),
                Answer(
                    "Whether the program knows the names of its tensors, and by what it multiplies",
                    "A dialect that is not understood, and a scaling that comes out near zero, both leave the model "
                    "as it was, and neither need be reported.",
                    right=True,
                ),
            ),
        ),
        Question(
            "The layers of an adapter of rank [[reviews.r]] have nine tenths of their energy in [[reviews.mean:.1f]] "
            "directions, on average. What follows?",
            (
                Answer(
                    "Most of its change can be kept with fewer numbers",
                    "With these directions alone, [[reviews.kept:.0%]] of the numbers are left, "
                    "at an error of [[reviews.error:.0%]]. Whether the task notices has to be tried.",
                    right=True,
                ),
                Answer(
                    "It should have been trained at a lower rank",
                    "That is another question: a lower rank may be harder to train, and some of the layers use more "
                    "than the average.",
                ),
                Answer(
                    "The other directions are noise",
                    "They hold a tenth of the energy. A small direction can be what a rare question needs.",
                ),
            ),
        ),
    ),
    corrections=(
        Correction(
            "The weights of an adapter say how strong it is.",
            "They do not: $s$ stands beside them, and programs read it by rules of their own. At rank [[root.r]] the "
            "plain rule and the one with the root differ [[root.times:g]] times, and a saved alpha of "
            "[[resaved.alpha]] makes the same factors [[resaved.times:g]] times weaker.",
            "inspector",
        ),
    ),
)
