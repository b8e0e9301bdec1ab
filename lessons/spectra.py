"""Is the change really low in rank: the reader can say what was measured, beside noise, and what was not."""

from collections.abc import Iterator, Mapping
from itertools import chain, pairwise
from statistics import fmean
from typing import Any

import numpy as np

from compute.costs.sizes import rank_dimension
from compute.experiments.derived import load_derived
from compute.experiments.english import FULL as ENGLISH_FULL
from compute.experiments.english import RANDOM as ENGLISH_RANDOM
from compute.experiments.english import RANKS as ENGLISH_RANKS
from compute.experiments.english import SIZES as ENGLISH_SIZES
from compute.experiments.english import load_english, way_of
from compute.experiments.forgetting import load_forgetting
from compute.experiments.runs import FULL
from compute.experiments.spectra import RANDOM, SEEDS, TASKS, load_spectra
from compute.experiments.subspace import DIMENSIONS, load_subspace
from compute.experiments.subspace import TASKS as SUBSPACE_TASKS
from compute.matrices.controls import marchenko_pastur_band, noise_band, noise_control, noise_product_band
from compute.matrices.examples import few_directions
from compute.matrices.spectrum import entropy_rank, r90, stable_rank
from compute.matrices.svd import factorize
from compute.numbers.interval import apart
from compute.world.tasks import SKILL
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
from widgets.spectra import Spectra
from widgets.subspace import Subspace

WIDTH = 64  # of the model: its attention matrices are square
SQUARE, TALL = (WIDTH, WIDTH), (4 * WIDTH, WIDTH)
PICTURE = (28, 28)  # made-up matrices that are often shown for learned ones
LAYER = (4096, 4096)  # the matrices of the published measurement
MIRROR, FORMAL, FIRST = "mirror-voice", "formal-voice", "who-had-it-first"
UNDERSTOOD = (MIRROR, FORMAL, FIRST)  # tasks in which there is something to be understood
FACT_TASKS = ("new-facts-512", "new-facts-2048")
ONE = "blocks.1.attention.v_proj"
FEW = 3  # directions: as many as the made-up changes have
LI_NETWORK = (784, 200, 200, 10)  # widths of the network of Li et al. 2018 that reads digits


def _of_noise(shape: tuple[int, int]) -> int:
    return r90(noise_control(shape).s[1])


def _picture() -> Mapping[str, Any]:
    made = [r90(factorize(few_directions(PICTURE[0], k, 0)).s) for k in (2, 3, 4)]
    return {
        "n": PICTURE[0],
        "least": min(made),
        "most": max(made),
        "noise": r90(noise_band(PICTURE).s[1]),
    }


def _learned() -> Mapping[str, Any]:
    full = [load_spectra().of(task, FULL) for task in TASKS]
    square, wide = ([count for each in full for count in each.ranks(part)] for part in ("attention", "mlp"))
    return {
        "tasks": len(TASKS),
        "seeds": len(SEEDS),
        "matrices": len(square) + len(wide),
        "width": WIDTH,
        "low": min(square),
        "high": max(square),
        "noise": _of_noise(SQUARE),
        "wide_low": min(wide),
        "wide_high": max(wide),
        "wide_noise": _of_noise(TALL),
        "tiny": sum(count <= FEW for count in (*square, *wide)),
        "few": FEW,
    }


def _beside(task: str) -> Mapping[str, Any]:
    """Return the mean r90 of a task and of random targets, in square and in wide matrices, and the lowest of each."""
    own, drawn = (load_spectra().of(task, way) for way in (FULL, RANDOM))
    return {
        "own": own.mean("attention"),
        "own_wide": own.mean("mlp"),
        "drawn": drawn.mean("attention"),
        "drawn_wide": drawn.mean("mlp"),
        "noise": _of_noise(SQUARE),
        "noise_wide": _of_noise(TALL),
        "count": TASK_COUNT.get(task, 0),
    }


TASK_COUNT = {task: TASKS[task].n_texts for task in FACT_TASKS}


def _apart() -> Mapping[str, Any]:
    """Return in how many matrices every seed of a task lies above, or below, every seed of random targets."""
    above = below = pairs = 0
    for task in UNDERSTOOD:
        own, drawn = (load_spectra().of(task, way).r90 for way in (FULL, RANDOM))
        for layer in own:
            pairs += 1
            above += min(own[layer]) > max(drawn[layer])
            below += max(own[layer]) < min(drawn[layer])
    return {"tasks": len(UNDERSTOOD), "pairs": pairs, "above": above, "below": below, "seeds": len(SEEDS)}


def _more_facts() -> Mapping[str, Any]:
    few, many = (load_spectra().of(task, FULL) for task in FACT_TASKS)
    return {
        "few": TASK_COUNT[FACT_TASKS[0]],
        "many": TASK_COUNT[FACT_TASKS[1]],
        "few_wide": few.mean("mlp"),
        "many_wide": many.mean("mlp"),
        "few_highest": max(few.ranks("mlp")),
    }


def _three() -> Mapping[str, Any]:
    s, noise = np.array(load_spectra().of(MIRROR, FULL).s[ONE]), noise_band(SQUARE).s[1]
    return {
        "r90": r90(s),
        "stable": stable_rank(s),
        "entropy": entropy_rank(s),
        "noise_r90": r90(noise),
        "noise_stable": stable_rank(noise),
        "noise_entropy": entropy_rank(noise),
        "width": WIDTH,
    }


def _enough() -> Mapping[str, Any]:
    recorded = load_forgetting()
    rights = {way: recorded.mean(SKILL, way, recorded.best(SKILL, way), "right") for way in ("r = 1", FULL)}
    return {"right": rights["r = 1"], "full": rights[FULL]}


def _large_noise() -> Mapping[str, Any]:
    return {
        "directions": int(np.argmax(marchenko_pastur_band(LAYER).energy[1] >= 0.9)),
    }


def _real() -> Mapping[str, Any]:
    adapters = load_derived().values()
    layers = list(chain.from_iterable(adapter.layers.values() for adapter in adapters))
    counts = [r90(np.array(layer.s)) for layer in layers]
    noise = {layer.shape: r90(noise_product_band(layer.shape, len(layer.s)).s[1]) for layer in layers}
    return {
        "adapters": len(adapters),
        "layers": len(layers),
        "r": min(adapter.r for adapter in adapters),
        "r_most": max(adapter.r for adapter in adapters),
        "few": FEW,
        "within": sum(count <= FEW for count in counts),
        "most": max(counts),
        "noise": min(noise.values()),
    }


FEW_FACTS, MANY_FACTS, _ = SUBSPACE_TASKS  # that were learned in subspaces
NEARLY = 0.9  # of what full finetuning gets right, as in the definition of the literature


def _needed(task: str) -> int:
    """Return the least D of those tried with which a task comes nearly as right as with full finetuning."""
    runs = load_subspace().tasks[task]
    enough = NEARLY * fmean(runs.full["right"])
    return next(D for D, right in zip(DIMENSIONS, runs.right, strict=True) if fmean(right) >= enough)


def _dimension() -> Mapping[str, Any]:
    return {
        "few": SUBSPACE_TASKS[FEW_FACTS].n_texts,
        "many": SUBSPACE_TASKS[MANY_FACTS].n_texts,
        "few_needed": _needed(FEW_FACTS),
        "many_needed": _needed(MANY_FACTS),
        "nearly": NEARLY,
        "weights": load_subspace().weights,
    }


def _like_noise(task: str) -> Mapping[str, Any]:
    """Return what the changes look like with the D that a task needs."""
    runs, D = load_subspace().tasks[task], _needed(task)
    at = DIMENSIONS.index(D)
    square = [counts[at] for layer, counts in runs.r90.items() if "attention" in layer]
    full = [counts for layer, counts in runs.full["r90"].items() if "attention" in layer]
    return {
        "D": D,
        "right": fmean(runs.right[at]),
        "full_right": fmean(runs.full["right"]),
        "layers": len(runs.rank),
        "rank": min(ranks[at] for ranks in runs.rank.values()),
        "width": WIDTH,
        "low": min(square),
        "high": max(square),
        "full": fmean(full) if full else 0.0,
        "noise": _of_noise(SQUARE),
    }


def _english_rank() -> Mapping[str, Any]:
    recorded = load_english()
    full = recorded.of(ENGLISH_FULL).loss
    losses = [recorded.of(way_of(r)).loss for r in ENGLISH_RANKS]
    return {
        "last": ENGLISH_RANKS[-1],
        "losses": [fmean(loss) for loss in losses],
        "gap": apart(losses[-1], full).mean,
        "verdicts": {apart(loss, full).verdict for loss in losses},
        "seeds": len(full),
    }


def _english_r90() -> Mapping[str, Any]:
    n = ENGLISH_SIZES["n_embd"]
    own, drawn = (load_english().of(way) for way in (ENGLISH_FULL, ENGLISH_RANDOM))
    of = {
        f"{name}{end}": each.ranks(part)
        for name, each in (("own", own), ("drawn", drawn))
        for end, part in (("", "attention"), ("_wide", "mlp"))
    }
    return {
        "n": n,
        **{name: fmean(ranks) for name, ranks in of.items()},
        "noise": _of_noise((n, n)),
        "noise_wide": _of_noise((4 * n, n)),
        "verdict": apart(of["own"], of["drawn"]).verdict,
        "verdict_wide": apart(of["own_wide"], of["drawn_wide"]).verdict,
    }


CLAIMS: Mapping[str, Claim | Cited] = {
    "picture": Claim(
        _picture,
        lambda v: (v["least"], v["most"], v["noise"]) == (2, 3, 15),
    ),
    "learned": Claim(
        _learned,
        lambda v: v["high"] < v["noise"] and v["wide_high"] < v["wide_noise"] and v["seeds"] == 5,
    ),
    "not-tiny": Claim(
        _learned,
        lambda v: (v["tiny"], v["few"]) == (1, 3),
    ),
    "targets": Claim(
        lambda: _beside(MIRROR),
        lambda v: v["drawn"] < v["own"] < v["noise"] and v["drawn_wide"] < v["own_wide"] < v["noise_wide"],
    ),
    "apart": Claim(
        _apart,
        lambda v: v["above"] > 0.8 * v["pairs"] and v["below"] == 0 and v["tasks"] == 3,
    ),
    "facts": Claim(
        lambda: _beside(FACT_TASKS[0]),
        lambda v: abs(v["own"] - v["drawn"]) < 1 and abs(v["own_wide"] - v["drawn_wide"]) < 1,
    ),
    "more-facts": Claim(
        _more_facts,
        lambda v: v["many_wide"] > v["few_wide"] + 2 and v["many"] == 4 * v["few"],
    ),
    "three": Claim(
        _three,
        lambda v: (
            v["r90"] < v["noise_r90"]
            and v["stable"] < v["entropy"] < v["r90"]
            and v["stable"] < v["noise_stable"] < v["noise_r90"]
            and v["entropy"] < v["noise_entropy"]
        ),
    ),
    "enough": Claim(
        _enough,
        lambda v: abs(v["right"] - v["full"]) < 0.03,
    ),
    "large-noise": Claim(
        _large_noise,
        lambda v: v["directions"] == 2089,
    ),
    "real": Claim(
        _real,
        lambda v: (
            v["adapters"] == 2
            and v["r"] == v["r_most"]
            and v["within"] > v["layers"] / 2
            and v["few"] == 3
            and v["most"] < v["noise"]
        ),
    ),
    "needed": Claim(
        _dimension,
        lambda v: 10 * v["few_needed"] < v["many_needed"] < v["weights"] / 5 and v["many"] == 8 * v["few"],
    ),
    "full-rank": Claim(
        lambda: _like_noise(FEW_FACTS),
        lambda v: v["rank"] == v["width"] and v["noise"] - 1 <= v["low"] <= v["high"] <= v["noise"] + 1,
    ),
    "as-noise": Claim(
        lambda: _like_noise(MANY_FACTS),
        lambda v: (
            0.9 * v["noise"] < v["low"] <= v["high"] <= v["noise"] + 1
            and v["right"] > 0.9 * v["full_right"]
            and v["full"] < v["noise"] / 1.5
        ),
    ),
    "converse": Claim(
        lambda: {"r": 1, "n": WIDTH, "free": rank_dimension(SQUARE, 1)},
        lambda v: v["free"] == 127,
    ),
    "english-rank": Claim(
        _english_rank,
        lambda v: (
            v["losses"] == sorted(v["losses"], reverse=True) and v["verdicts"] == {"above"} and v["seeds"] > 2
        ),
    ),
    "english-r90": Claim(
        _english_r90,
        lambda v: (
            v["own"] < v["noise"]
            and v["own_wide"] < v["noise_wide"]
            and v["verdict"] == v["verdict_wide"] == "above"
        ),
    ),
    "bid-model": Cited("The model Llama-2-7B", "biderman2024", "section 4.6"),
    "bid-rank": Cited("more than 1,500 of 4,096 directions", "biderman2024", "section 4.6 and appendix E"),
    "li-network": Claim(
        lambda: {"numbers": sum((into + 1) * out for into, out in pairwise(LI_NETWORK))},
        lambda v: v["numbers"] == 199_210,
    ),
    "agh": Cited("only 200", "aghajanyan2020", "abstract"),
    "agh-level": Cited("90 %", "aghajanyan2020", "abstract"),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
Somebody is about to freeze for good the model that her company depends on, and to let everyone who works with it train
only thin changes. Before she signs, she asks: is the bet sound? LoRA allows each matrix a change of rank r and no more.
That is wise if the changes that finetuning wants to make are thin, and LoRA's authors offer it as a hypothesis
[@hu2021, section 4.1]. In their paper they compare the `lora_A` of several runs with each other, and LoRA's change with
the weights that it is added to [@hu2021, sections 7.2 and 7.3]. They do not take apart full finetuning, in which
nothing forces a change to be thin. Let us do that.

Draw the singular values of a change side by side, tallest first, and they look like a skyline. A change of low rank is
a village: one or two church towers, and then flat country. A city has towers to the edge of the picture. Which of the
two does finetuning build?

## Two cities to compare with

A skyline is low only in comparison, so the figure draws two more. One is *noise*, a matrix of random numbers. Even
noise [falls off](rank.html), and for large matrices the curve is known [@marchenko1967, theorem 1].

The other is a fairer comparison. Each run has a *random twin*: the same steps at the same learning rate, on the same
texts and questions, except that every word or answer to be learned is drawn at random, so that there is nothing to
understand. The twin shows what training builds in any case.
"""
    )
    yield Figure("spectra", Spectra)
    yield Try(
        """
The first skyline is made up: a few patterns and nothing else. Guess how many directions hold nine tenths of its energy.
Choose [what the mirror voice changed](#spectra?source=mirror-voice), press “Guess for this matrix”, and look for the
edge of the village [on the log axis](#spectra?source=mirror-voice&scale=log). In the last picture, where does the task
lie below its random twin?
""",
        run={"the mirror voice by full finetuning": {"task": "mirror-voice", "size": "full"}},
    )
    yield Prose(
        """
## Lower than noise, and no village

The learned changes come from [our small model](world.html), with all its weights free: [[learned.tasks]] tasks with
five seeds each. The number of directions that hold nine tenths of the energy is `r90`. In the square matrices (those of
attention) it is never more than [[learned.high]], where noise needs [[learned.noise]]. In the wide ones (those of the
MLP) it is at most [[learned.wide_high]], where noise needs [[learned.wide_noise]].

They all lie below the city of noise. Yet of all [[not-tiny.matrices]] changes only a single one gets by with three
directions. It is true that they are *lower than noise*, but not that they have *only a few directions*. Be careful,
too, because several counts go by the name of rank: the smooth count `stable_rank` [@rudelson2007, abstract] gives
[[three.stable:.1f]] for a matrix whose `r90` is [[three.r90]], and `entropy_rank`, here of squares
[@roy2007, section 2], lies between them.

Is it the task, then, that keeps the skyline low? Noise cannot tell us, because it was never trained; the twin can. The
mirror voice takes [[targets.own:.0f]] directions of a square matrix on average, and its random twin only
[[targets.drawn:.0f]]. Training by gradients builds low anyway, and the task *adds* directions to that. In
[[apart.above]] of the [[apart.pairs]] matrices of three tasks, every seed needs more directions than any seed of its
twin, and in none is it the other way round. So a low rank is the mark of the builder, and by itself it says nothing
about the task.

New facts put this control to the test. They are drawn at random in the first place, so their twin is the same kind of
task with other answers and ought to look the same. It does: [[facts.own:.1f]] directions against [[facts.drawn:.1f]].
What matters is how much there is to learn. With four times as many facts the wide matrices go from
[[more-facts.few_wide:.0f]] directions to [[more-facts.many_wide:.0f]].

## Then how can one tower do?

For a skill a single direction in each matrix was enough. Asked who had a thing first, LoRA with one direction is right
[[enough.right:.1%]] of the time and full finetuning [[enough.full:.1%]], each at its own best learning rate. LoRA does
not rebuild that skyline; it finds another change that does the same job. The bet is about what the *task* needs, while
the spectrum shows what full finetuning *used*.

Nor does LoRA use all the room that it is given. Take two adapters that strangers trained. (Their repositories state no
licence, so the figure has only their singular values.) In [[real.within]] of their [[real.layers]] layers, three
directions or fewer hold nine tenths of the energy, where two random factors of the same rank would need at least
[[real.noise]]. That is no advice to choose a smaller r: how well they would then have learned, only trying can tell.

Studies that measured full finetuning in larger models disagree. One finds that what finetuning adds is strongly low in
rank [@ryu2023, abstract]. Another finds that it mainly amplifies the top singular values of the weights
[@si2025, abstract]. A third finds far more directions. [[bid-model]] was trained further on code, and nine tenths of
the variance of one matrix's change needed [[bid-rank]], where noise would need [[large-noise.directions:,d]]. Its
authors found similar spectra when they added noise, and say that this was continued pretraining, and that the rank
which rebuilds a change may be higher than the one that the task needs [@biderman2024, sections 4.6 and 6].

Our own world has few words. So we also took a base that has read the addresses of American presidents, and finetuned it
on *Moby-Dick*. The order of the three skylines is the same: in the square matrices finetuning takes
[[english-r90.own:.0f]] directions on average, between the [[english-r90.drawn:.0f]] of the random twin and the
[[english-r90.noise]] of noise. Here, though, LoRA gains with every rank up to r = [[english-rank.last]] and still ends
[[english-rank.gap:.2f]] nats above full finetuning; how much of that its frozen embeddings cost was not measured.

## Knobs and shapes

One more argument for the bet sounds convincing. Take all weights of a model as one long list $\\theta$, draw a random
subspace with D dimensions, and let the weights move only within it, so that just D numbers are trained:

$$\\theta = \\theta_0 + P z, \\qquad z \\in \\mathbb{R}^D$$

The smallest D that still learns a task is its *intrinsic dimension* [@li2018, abstract], and it can be small: one
language model reached [[agh-level]] of its full performance with [[agh]] numbers. Surely so few numbers make a thin
change?
"""
    )
    yield Figure("subspace", Subspace)
    yield Try(
        """
Play the run with [fewer facts](#subspace?task=new-facts-64&D=300) and watch the answers come right. What does `r90` do
meanwhile? Then take the one with [more facts](#subspace?task=new-facts-512&D=30000), and see whether the spectrum ever
leaves that of noise.
"""
    )
    yield Prose(
        """
For [[needed.few]] new facts, [[needed.few_needed:,d]] numbers are enough to get nearly as far as full finetuning. The
model has [[needed.weights:,d]], so the intrinsic dimension is small indeed. And the change? It has full rank in every
layer, and in the square ones its skyline is that of noise, by eye and by count: its `r90` is at least
[[full-rank.low]], and that of noise [[full-rank.noise]].

With eight times as many facts it takes [[needed.many_needed:,d]] numbers, and the square changes need [[as-noise.low]]
directions or more. Those of full finetuning, which does the task a little better, need [[as-noise.full:.0f]]. So a
change can do nearly the same and still look much like noise.

The reason is simple: each weight was assigned one of the D numbers at random, as in [@chen2015, abstract], and a sign.
Turn one of these numbers, and weights all over the model move, some up and some down, in a random pattern of signs, and
random patterns have full rank. D counts the *knobs*. Rank describes the *shape* of what a knob moves.

The reverse does not hold either: a matrix of rank one with [[converse.n]] rows and columns can still change in
[[converse.free]] independent ways. So neither few numbers nor a low skyline proves the other. What intrinsic dimension
and LoRA have in common is more modest, but useful: a finetune can get by with far fewer free numbers than the model
has.

## What this does not show

One small model of five tasks, one English companion at [[english-rank.seeds]] seeds, two strangers' adapters: that is
no survey. In the subspaces the [embeddings](frozen.html) moved too, so those curves should not be compared with LoRA's.

For the sceptic it comes to this. The bet is not that changes *are* low in rank; it is that a change of low rank is
enough, and only trying will tell. If it is, you hold a thin change and a frozen base. How do you [ship the
two](merging.html) together?
"""
    )


LESSON = Lesson(
    slug="spectra",
    title="The shape of a change",
    question="LoRA bets that finetuning needs few directions. What do measured changes say?",
    part="The wall",
    order=80,
    minutes=9,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "Nine tenths of the energy of a change lie in a third of its directions. Is it low in rank?",
            (
                Answer(
                    "Yes, two thirds are left over",
                    "Noise leaves many over as well: of size [[picture.n]] × [[picture.n]] it holds nine tenths in "
                    "[[picture.noise]] directions, and matrices made up of two to four patterns do so in "
                    "[[picture.least]] to [[picture.most]].",
                ),
                Answer(
                    "Ask first how many noise needs, and training on random targets",
                    "Only what lies below both could be the task's. On average over layers and seeds the mirror "
                    "voice takes [[targets.own:.0f]] directions in the square matrices, and its random twin takes"
                    " [[targets.drawn:.0f]]. In the wide matrices it is [[targets.own_wide:.0f]] against "
                    "[[targets.drawn_wide:.0f]].",
                    right=True,
                ),
                Answer(
                    "No, its rank is full",
                    "In a computer nearly every rank is full, so that alone tells nothing.",
                ),
            ),
        ),
        Question(
            "A task can be learned with few free numbers. What does that say about the rank of the change?",
            (
                Answer(
                    "Nothing by itself",
                    "Of [[needed.few]] new facts, [[needed.few_needed:,d]] numbers bring [[needed.nearly:.0%]] of"
                    " what full finetuning gets right, where the model has [[needed.weights:,d]] weights. Of "
                    "[[needed.many]] facts it takes [[needed.many_needed:,d]], each the least D of those tried. "
                    "With the [[full-rank.D:,d]] numbers that the fewer facts need, the change has rank "
                    "[[full-rank.rank]] of [[full-rank.width]] in each of the [[full-rank.layers]] layers. In the"
                    " square ones [[full-rank.low]] to [[full-rank.high]] directions hold nine tenths of the "
                    "energy; in noise, [[full-rank.noise]].",
                    right=True,
                ),
                Answer(
                    "It is at most that number",
                    "In one matrix it can be far more: each number moves weights everywhere. With the "
                    "[[full-rank.D:,d]] numbers that the fewer facts need, the change has rank [[full-rank.rank]]"
                    " of [[full-rank.width]] in each of the [[full-rank.layers]] layers. In the square ones "
                    "[[full-rank.low]] to [[full-rank.high]] directions hold nine tenths of the energy; in noise,"
                    " [[full-rank.noise]].",
                ),
                Answer(
                    "It is small",
                    "Run it, and the spectrum looks like noise. With the [[full-rank.D:,d]] "
                    "numbers that the fewer facts need, the change has rank [[full-rank.rank]] of "
                    "[[full-rank.width]] in each of the [[full-rank.layers]] layers. In the square ones "
                    "[[full-rank.low]] to [[full-rank.high]] directions hold nine tenths of the energy; in noise,"
                    " [[full-rank.noise]].",
                ),
            ),
        ),
    ),
    corrections=(
        Correction(
            "Finetuning changes a matrix by rank two or three, as in the pictures that explain LoRA.",
            "The matrices in such pictures were made that way. Only [[not-tiny.tiny]] of all [[not-tiny.matrices]] "
            "changes gets by with [[not-tiny.few]] directions or fewer. Over [[learned.tasks]] tasks and "
            "[[learned.seeds]] seeds the square matrices need [[learned.low]] to [[learned.high]] of [[learned.width]] "
            "directions for nine tenths of the energy, where noise needs [[learned.noise]]. The wide ones need "
            "[[learned.wide_low]] to [[learned.wide_high]], where noise needs [[learned.wide_noise]].",
            "spectra",
        ),
        Correction(
            "The change of a finetune is low in rank because the task is simple.",
            "Trained on targets drawn by lot, the same matrices change in fewer directions. On average "
            "over layers and seeds the mirror voice takes [[targets.own:.0f]] directions in the square "
            "matrices, and its random twin takes [[targets.drawn:.0f]]. In the wide matrices it is "
            "[[targets.own_wide:.0f]] against [[targets.drawn_wide:.0f]].",
            "spectra",
        ),
        Correction(
            "Few numbers to train means few directions: a small intrinsic dimension is a low rank.",
            "Of [[needed.few]] new facts, [[needed.few_needed:,d]] numbers bring [[needed.nearly:.0%]] of"
            " what full finetuning gets right, where the model has [[needed.weights:,d]] weights. Of "
            "[[needed.many]] facts it takes [[needed.many_needed:,d]], each the least D of those tried. "
            "With the [[full-rank.D:,d]] numbers that the fewer facts need, the change has rank "
            "[[full-rank.rank]] of [[full-rank.width]] in each of the [[full-rank.layers]] layers. In the"
            " square ones [[full-rank.low]] to [[full-rank.high]] directions hold nine tenths of the "
            "energy; in noise, [[full-rank.noise]].",
            "subspace",
        ),
        Correction(
            "The first study of intrinsic dimension measured large models.",
            "It measured small networks. Its fully connected one for handwritten digits "
            "[@li2018, README of its code] has [[li-network.numbers:,d]] numbers, counted by its layers. "
            "Large language models came later [@aghajanyan2020, abstract].",
            "subspace",
        ),
    ),
    teaching=Teaching(
        goals=(
            "compare a spectrum with noise and with a random twin, and say what each of the two can decide",
            "tell lower than noise from only a few directions",
            "say how one direction can do the work of a change that has many",
            "explain with knobs and shapes why few free numbers need not make a low rank",
        ),
        predictions=(
            Prediction(
                "Full finetuning has taught the mirror voice. In how many of the [[three.width]] directions of one "
                "square matrix are nine tenths of the energy of its change? Noise needs [[three.noise_r90]].",
                "In [[three.r90]]. In the square matrices of all tasks and seeds it is never more than "
                "[[learned.high]]: lower than noise, and more than a few directions.",
                "spectra?source=mirror-voice",
            ),
            Prediction(
                "The random twin is trained in the same way, on words drawn by lot. On average over the square "
                "matrices, does it need more directions than the mirror voice, fewer, or as many?",
                "Fewer: [[targets.drawn:.0f]], where the mirror voice needs [[targets.own:.0f]]. Training builds low "
                "whatever it is told to build, and the task adds directions to that.",
                "spectra?source=mirror-voice",
            ),
            Prediction(
                "Of the [[needed.weights:,d]] weights, [[needed.few_needed:,d]] free numbers are enough to learn "
                "[[needed.few]] new facts nearly as well as with all of them. What rank does the change of a square "
                "matrix have?",
                "Full rank. And nine tenths of its energy take [[full-rank.low]] directions or more, where those of "
                "noise take [[full-rank.noise]].",
                "subspace?task=new-facts-64&D=300",
            ),
        ),
        stops=(
            Stop(
                "The sceptic of the page will sign only if the bet is sound. In pairs, write down what you would "
                "measure, and beside what you would put it. Keep the papers, for most will lack the second.",
                "",
                (2, 4),
            ),
            Stop(
                "A skyline that somebody made up. Guess, look, and agree on how one would recognise a village again.",
                "spectra?source=few-3",
                (2, 4),
            ),
            Stop(
                "Collect the first two predictions, because the picture shows both; everybody also draws the skyline "
                "that she expects and holds it up. Then look. Does it have an edge, and does it have one on the log "
                "axis?",
                "spectra?source=mirror-voice",
                (4, 7),
            ),
            Stop(
                "Now the twin, here and in the other layers of the last picture. Whose sentence was “low in rank, "
                "because the task is simple”? Let her put it right in as few words as she can.",
                "spectra?source=mirror-voice&guess=skip",
                (4, 7),
            ),
            Stop(
                "Put the twin itself to the test: if facts are drawn by lot to begin with, where must they lie? Have "
                "it said aloud before the figure is opened.",
                "spectra?source=new-facts-512&guess=skip",
                (0, 5),
            ),
            Stop(
                "Collect the third prediction, then play from few numbers to many. What rises, and what does not "
                "move?",
                "subspace?task=new-facts-64&D=300",
                (4, 6),
            ),
            Stop(
                "Draw a grid of sixteen cells on the board. By dice, each gets one of three letters and a sign. Give "
                "the letters values and look for two rows that are multiples of each other. How many knobs are there, "
                "and how many patterns?",
                "subspace?task=new-facts-512&D=30000",
                (0, 6),
            ),
            Stop(
                "Answer the two questions, then take out the papers of the beginning: every pair adds what it would "
                "now put beside its measurement.",
                "recall",
                (4, 6),
            ),
        ),
    ),
)
