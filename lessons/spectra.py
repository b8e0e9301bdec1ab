"""Is the change really low in rank: the reader can say what was measured, beside noise, and what was not."""

from collections.abc import Iterator, Mapping
from itertools import chain
from statistics import fmean
from typing import Any

import numpy as np

from compute.costs.sizes import break_even_rank, rank_dimension
from compute.experiments.derived import load_derived
from compute.experiments.english import FULL as ENGLISH_FULL
from compute.experiments.english import RANDOM as ENGLISH_RANDOM
from compute.experiments.english import RANKS as ENGLISH_RANKS
from compute.experiments.english import READ_BATCH, READ_STEPS, load_english, way_of
from compute.experiments.english import SEEDS as ENGLISH_SEEDS
from compute.experiments.english import SIZES as ENGLISH_SIZES
from compute.experiments.forgetting import load_forgetting
from compute.experiments.runs import FULL
from compute.experiments.spectra import LORA, RANDOM, SEEDS, TASKS, R, load_spectra, ways
from compute.experiments.subspace import DIMENSIONS, load_subspace
from compute.experiments.subspace import SEEDS as SUBSPACES
from compute.experiments.subspace import TASKS as SUBSPACE_TASKS
from compute.matrices.controls import marchenko_pastur_band, noise_band, noise_control, noise_product_band
from compute.matrices.examples import few_directions
from compute.matrices.spectrum import entropy_rank, r90, stable_rank
from compute.matrices.svd import factorize
from compute.numbers.interval import apart
from compute.numbers.quantising import FLOAT32
from compute.world.tasks import SKILL
from lessons.press.blocks import Answer, Block, Cited, Claim, Correction, Figure, Lesson, Prose, Question, Try
from widgets.kit.formats import BASE_NAMES
from widgets.spectra import Spectra
from widgets.subspace import Subspace

WIDTH = 64  # of the model: its attention matrices are square
SQUARE, TALL = (WIDTH, WIDTH), (4 * WIDTH, WIDTH)
PICTURE = (28, 28)  # the matrices of the usual picture
LAYER = (4096, 4096)  # the matrices of the published measurement
MIRROR, FORMAL, FIRST = "mirror-voice", "formal-voice", "who-had-it-first"
UNDERSTOOD = (MIRROR, FORMAL, FIRST)  # tasks in which there is something to be understood
FACT_TASKS = ("new-facts-512", "new-facts-2048")
ONE = "blocks.1.attention.v_proj"
FEW = 3  # directions: as many as the usual story speaks of


def _of_noise(shape: tuple[int, int]) -> int:
    return r90(noise_control(shape).s[1])


def _picture() -> Mapping[str, Any]:
    made = [r90(factorize(few_directions(PICTURE[0], k, 0)).s) for k in (2, 3, 4)]
    return {
        "n": PICTURE[0],
        "least": min(made),
        "most": max(made),
        "noise": r90(noise_band(PICTURE).s[1]),
        "even": break_even_rank(PICTURE),
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
    return {"r": 1, "right": rights["r = 1"], "full": rights[FULL]}


def _paid() -> Mapping[str, Any]:
    """Return how many of its directions LoRA uses, on average over layers and seeds: the least and the most."""
    means = [
        fmean(chain.from_iterable(load_spectra().of(task, LORA).r90.values()))
        for task in TASKS
        if LORA in ways(task)
    ]
    noise = [r90(noise_product_band(shape, R).s[1]) for shape in (SQUARE, TALL)]
    return {
        "r": R,
        "tasks": len(means),
        "low": min(means),
        "high": max(means),
        "noise_low": min(noise),
        "noise_high": max(noise),
    }


def _large_noise() -> Mapping[str, Any]:
    return {
        "directions": int(np.argmax(marchenko_pastur_band(LAYER).energy[1] >= 0.9)),
        "n": LAYER[0],
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
        "one": min(counts),
        "few": FEW,
        "within": sum(count <= FEW for count in counts),
        "beyond": sum(count > FEW for count in counts),
        "most": max(counts),
        "of_most": sum(count == max(counts) for count in counts),
        "noise_low": min(noise.values()),
        "noise_high": max(noise.values()),
    }


FEW_FACTS, MANY_FACTS, VOICE = SUBSPACE_TASKS  # that were learned in subspaces
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
        "voice_needed": _needed(VOICE),
        "nearly": NEARLY,
        "weights": load_subspace().weights,
        "seeds": len(SUBSPACES),
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


def _english() -> Mapping[str, Any]:
    recorded = load_english()
    return {
        "numbers": recorded.numbers,
        "tokens": READ_STEPS * READ_BATCH * ENGLISH_SIZES["block_size"],
        "seeds": len(ENGLISH_SEEDS),
        "before": recorded.before["loss"],
        "own": recorded.before["base_loss"],
    }


def _english_rank() -> Mapping[str, Any]:
    recorded = load_english()
    ways = {f"r{r}": recorded.of(way_of(r)) for r in ENGLISH_RANKS}
    full = recorded.of(ENGLISH_FULL)
    gaps = {name: apart(way.loss, full.loss) for name, way in ways.items()}
    losses = {name: fmean(way.loss) for name, way in ways.items()}
    last = f"r{ENGLISH_RANKS[-1]}"
    return {
        "ranks": ENGLISH_RANKS,
        "first": ENGLISH_RANKS[0],
        "last": ENGLISH_RANKS[-1],
        "first_loss": losses[f"r{ENGLISH_RANKS[0]}"],
        "last_loss": losses[last],
        "full": fmean(full.loss),
        "losses": [*losses.values()],
        "gap": gaps[last].mean,
        "low": gaps[last].low,
        "high": gaps[last].high,
        "verdicts": {gap.verdict for gap in gaps.values()},
    }


def _english_rate() -> Mapping[str, Any]:
    recorded = load_english()
    ratios = [recorded.of(way_of(r)).rate / recorded.of(ENGLISH_FULL).rate for r in ENGLISH_RANKS]
    ends = {"first": ENGLISH_RANKS[0], "last": ENGLISH_RANKS[-1]}
    return {"least": min(ratios), "most": max(ratios), "ratios": ratios, **ends}


def _english_left() -> Mapping[str, Any]:
    recorded = load_english()
    full = recorded.of(ENGLISH_FULL)
    before = recorded.before["base_loss"]
    ways = [recorded.of(way_of(r)) for r in ENGLISH_RANKS]
    rises = [fmean(way.base_loss) - before for way in ways]
    return {
        "full": fmean(full.base_loss) - before,
        "least": min(rises),
        "most": max(rises),
        "verdicts": {apart(way.base_loss, full.base_loss).verdict for way in ways},
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


def _english_formats() -> Mapping[str, Any]:
    recorded = load_english()
    stored = recorded.stored
    rises = {name: stored[name] - stored[FLOAT32] for name in ("nf4", "int4", "int3", "int2")}
    return {
        "name": BASE_NAMES["nf4"][1],
        **rises,
        "noise": {name: fmean(recorded.noise[name]) - stored[FLOAT32] for name in rises},
    }


CLAIMS: Mapping[str, Claim | Cited] = {
    "picture": Claim(
        _picture,
        lambda v: (v["least"], v["most"], v["noise"]) == (2, 3, 15),
    ),
    "picture-full": Claim(
        _picture,
        lambda v: v["even"] < v["noise"] < v["n"],
    ),
    "learned": Claim(
        _learned,
        lambda v: v["high"] < v["noise"] and v["wide_high"] < v["wide_noise"],
    ),
    "not-tiny": Claim(
        _learned,
        lambda v: v["tiny"] == 1,
    ),
    "targets": Claim(
        lambda: _beside(MIRROR),
        lambda v: v["drawn"] < v["own"] < v["noise"] and v["drawn_wide"] < v["own_wide"] < v["noise_wide"],
    ),
    "apart": Claim(
        _apart,
        lambda v: v["above"] > 0.8 * v["pairs"] and v["below"] == 0,
    ),
    "facts": Claim(
        lambda: _beside(FACT_TASKS[0]),
        lambda v: abs(v["own"] - v["drawn"]) < 1 and abs(v["own_wide"] - v["drawn_wide"]) < 1,
    ),
    "more-facts": Claim(
        _more_facts,
        lambda v: v["many_wide"] > v["few_wide"] + 2,
    ),
    "three": Claim(
        _three,
        lambda v: (
            v["r90"] < v["noise_r90"]
            and v["stable"] < v["noise_stable"] < v["noise_r90"]
            and v["entropy"] < v["noise_entropy"]
        ),
    ),
    "enough": Claim(
        _enough,
        lambda v: abs(v["right"] - v["full"]) < 0.03,
    ),
    "paid": Claim(
        _paid,
        lambda v: v["high"] < v["noise_low"],
    ),
    "large-noise": Claim(
        _large_noise,
        lambda v: v["directions"] == 2089 and v["n"] == 4096,
    ),
    "real": Claim(
        _real,
        lambda v: (
            v["r"] == v["r_most"] and v["within"] > v["layers"] / 2 and v["most"] == 6 and v["one"] == 1
        ),
    ),
    "real-noise": Claim(
        _real,
        lambda v: v["most"] < v["noise_low"] < v["noise_high"] == v["r"],
    ),
    "needed": Claim(
        _dimension,
        lambda v: 10 * v["few_needed"] < v["many_needed"] < v["weights"] / 5,
    ),
    "voice": Claim(
        _dimension,
        lambda v: v["voice_needed"] < v["weights"] / 10,
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
    "english": Claim(
        _english,
        lambda v: v["own"] < v["before"] - 0.3,
    ),
    "english-rank": Claim(
        _english_rank,
        lambda v: v["losses"] == sorted(v["losses"], reverse=True) and v["verdicts"] == {"above"},
    ),
    "english-rate": Claim(
        _english_rate,
        lambda v: v["ratios"] == sorted(v["ratios"], reverse=True) and v["least"] > 1,
    ),
    "english-left": Claim(
        _english_left,
        lambda v: v["verdicts"] == {"below"},
    ),
    "english-r90": Claim(
        _english_r90,
        lambda v: (
            v["own"] < v["noise"]
            and v["own_wide"] < v["noise_wide"]
            and v["verdict"] == v["verdict_wide"] == "above"
        ),
    ),
    "english-formats": Claim(
        _english_formats,
        lambda v: (
            v["nf4"] < v["int4"] < v["int3"] < v["int2"]
            and all(abs(v[name] / noise - 1) < 0.25 for name, noise in v["noise"].items())
        ),
    ),
    "bid-model": Cited("The model Llama-2-7B", "biderman2024", "section 4.6"),
    "bid-rank": Cited("more than 1,500 of 4,096 directions", "biderman2024", "section 4.6 and appendix E"),
    "bid-base": Cited("about 2,000 of 4,096", "biderman2024", "section 4.6"),
    "share": Cited("90 %", "biderman2024", "section 4.6"),
    "agh": Cited("only 200", "aghajanyan2020", "abstract"),
    "agh-level": Cited("90 %", "aghajanyan2020", "abstract"),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
## A bet

LoRA gives each matrix a change of rank $r$ and no more. That works well if a change of low rank can do the job. LoRA's
authors say so as a hypothesis [@hu2021, section 4.1].

Often it is told as a finding: full finetuning was taken apart, and its changes *are* low in rank. In the LoRA paper
you will not find that measurement. It compares the directions in the `lora_A` of different runs [@hu2021, section 7.2],
and LoRA's change with the weight below it [@hu2021, section 7.3]. Full finetuning is not taken apart there.

So let us do it. The figure below draws the singular values of a change, and beside them two controls: noise, and the
same training on random targets.

## Meet the usual picture

The usual picture shows four curves. Three fall steeply, and are named after tasks: legal, medical, code. The fourth is
noise. The lesson drawn from it is that real changes look like the first three.

Read its small print. The three were *synthesised* from a few patterns. Made as it says they were, three such matrices
of [[picture.n]] × [[picture.n]] hold nine tenths of their energy in [[picture.least]] to [[picture.most]] directions,
and noise of that size in [[picture.noise]]. So the counts are right. What they show is how the matrices were made.

Its label for the noise is a slip of a kind that is easily made. It calls that count “full rank”. But
[[picture-full.noise]] is not the rank of that noise, which is [[picture-full.n]]; and to store [[picture-full.noise]]
directions takes more numbers than the matrix has, since it breaks even at r = [[picture-full.even:.0f]].
"""
    )
    yield Figure("spectra", Spectra)
    yield Try(
        """
Guess for “Made up”. Then [choose “Learned: mirror voice”](#spectra?source=mirror-voice) and press “Guess for this
matrix”. [Set the axis to log](#spectra?scale=log): where do the made-up values end, and where do the learned ones? Go
through the layers in the last picture: where does the task lie below its random targets?
"""
    )
    yield Prose(
        """
## What full finetuning really learned

The learned changes come from the model that reads the world, with all its weights free. Nothing asked them to be low
in rank. Over [[learned.tasks]] tasks and [[learned.seeds]] seeds the square matrices need [[learned.low]] to
[[learned.high]] of [[learned.width]] directions for nine tenths of the energy, where noise needs [[learned.noise]].
The wide ones need [[learned.wide_low]] to [[learned.wide_high]], where noise needs [[learned.wide_noise]].

They lie below noise everywhere, and yet they are not tiny. Only [[not-tiny.tiny]] of all [[not-tiny.matrices]]
changes gets by with [[not-tiny.few]] directions or fewer. *Lower than noise* is true here. *Only a few directions* is
not.

Is it the task that makes them low? Noise cannot tell, because noise was never trained. A fairer control is a *random
twin* of each run: the same steps at the same rate on the same texts and questions, except that every word or answer
to be learned is drawn by lot, so that there is nothing in it to understand. On average over layers and seeds the
mirror voice takes [[targets.own:.0f]] directions in the square matrices, and its random twin takes
[[targets.drawn:.0f]]. In the wide matrices it is [[targets.own_wide:.0f]] against [[targets.drawn_wide:.0f]]. So
gradient descent gives a change far below noise whatever it is told to learn, and the task adds directions to it
rather than taking some away.

The formal voice and the question who had it first say the same. In [[apart.above]] of the [[apart.pairs]] matrices of
these [[apart.tasks]] tasks every seed of the task needs more directions than any seed of its random twin, and in none
does it need fewer. A sentence like “finetuning is low in rank” is therefore true beside noise, and says nothing about
the task.

New facts are a test of the control itself. They are drawn by lot to begin with, so that their random twin is the same
task with other answers and has to look the same. For [[facts.count:,d]] facts it is [[facts.own:.1f]] and
[[facts.drawn:.1f]] directions in the square matrices, [[facts.own_wide:.1f]] and [[facts.drawn_wide:.1f]] in the wide
ones. What does count is how much there is to learn. With [[more-facts.few:,d]] facts the wide matrices take
[[more-facts.few_wide:.0f]] directions, with [[more-facts.many:,d]] they take [[more-facts.many_wide:.0f]].

How can LoRA work, then? On the question who had a thing first, LoRA with r = [[enough.r]] answers
[[enough.right:.1%]] rightly and full finetuning [[enough.full:.1%]], each at its own best learning rate. It does not
rebuild the change that full finetuning found. It finds another one that does the same job. The bet is about what the
*task* needs. The spectrum shows what full finetuning *used*.

Nor does LoRA use all that it is paid for. With r = [[paid.r]] on [[paid.tasks]] of our tasks, LoRA puts nine tenths
of the energy into [[paid.low:.1f]] to [[paid.high:.1f]] of its directions on average, where two random factors would
need [[paid.noise_low]] or [[paid.noise_high]]. Choose “LoRA” in the figure, and you see a spectrum that falls within
the room it was given. That is a measure of its own fall, and no advice to cut $r$: how well a smaller one learns has
to be tried.

## Three ways to count

A spectrum is a list, and people want one number. There are several, and they are often called by one name: *effective
rank*. Here each has a name of its own. All three start from the share $p_i = s_i^2 / \\sum_j s_j^2$ of the energy that
a direction holds.

- `r90` is how many directions it takes, strongest first, to hold nine tenths of the energy. It asks how much must be
  stored.
- `stable_rank` is $1 / p_1$: all energy over that of the first direction [@rudelson2007, abstract]. It asks how far the
  first one stands out.
- `entropy_rank` is $\\exp(-\\sum_i p_i \\ln p_i)$: how many equal directions would be as spread out. Its inventors take
  $s_i / \\sum_j s_j$ for the share, which gives more [@roy2007, section 2].

In the change of one matrix by the mirror voice the three are [[three.r90]], [[three.stable:.1f]] and
[[three.entropy:.1f]]. In noise of its shape they are [[three.noise_r90]], [[three.noise_stable:.1f]] and
[[three.noise_entropy:.1f]], and its rank is [[three.width]]. So whoever says that the effective rank is small should
say which one, and what noise has.

## What noise does

Noise is not flat. Its first directions are stronger than its last, by chance alone. For large matrices the curve is
known: the Marchenko-Pastur law [@marchenko1967, theorem 1]. In the figure it is the dashed line. The band is made of
draws, and even at this size the two agree. That is why one draw of noise, the last in the list, has an `r90` far below
its rank.

## What was published

It has been measured a few times, with different answers in different settings. One study stores finetuned models by
what was added to each weight and finds these residuals strongly low in rank [@ryu2023, abstract]. Another takes full
finetuning apart and finds mainly the top singular values of the weight amplified [@si2025, abstract]. The most detailed
one finds the opposite of few directions.

[[bid-model]] was trained further on code, with all weights free. The change of one matrix was taken apart. It needed
[[bid-rank]] for [[share]] of its variance. Noise of that size would need [[large-noise.directions:,d]] of
[[large-noise.n:,d]], by the Marchenko-Pastur law. The weight itself, before and after, needed [[bid-base]].

So that change was nowhere near a few directions. This does not make it noise. One count is one point of a curve, and
“more than” leaves open how far below the noise it lay. Its authors show noise beside the weights, too: add Gaussian
noise to one, and its spectrum looks much as it does after training [@biderman2024, section 4.6]. They also find that
the rank rises with the amount of data and is higher in the MLP than in attention, as it is in our model.

They add three cautions [@biderman2024, sections 4.6 and 6]. This was continued pretraining, on much text. A
finetune on instructions may be lower in rank. And the rank that rebuilds a change may be higher than the rank that the
task needs.

## Adapters that other people trained

Choose one of the two real adapters in the figure. We did not train them. Their repositories state no licence, so this
project carries no weight of them, only their shapes and singular values.

Of their [[real.layers]] layers, [[real.within]] hold nine tenths of the energy in [[real.one]] to [[real.few]] of the
[[real.r]] directions that they are allowed. [[real.beyond]] need more, and the most that any needs is [[real.most]].
Two random factors of the same shapes would need [[real-noise.noise_low]] or [[real-noise.noise_high]] of
[[real-noise.r]]. So these two use fewer directions than they were given, in most layers.

Two adapters are two cases. And an adapter cannot show more directions than its r. It says how LoRA fills the room it
has, not what full finetuning would have done.

## Intrinsic dimension is not rank

There is another finding that is often told as the reason for LoRA. Take a model with all its weights. Draw a random
subspace with D dimensions, and let the weights move in it only. D numbers are trained:

$$\\theta = \\theta_0 + P z, \\qquad z \\in \\mathbb{R}^D$$

The smallest D that still learns a task is called its *intrinsic dimension* [@li2018, abstract]. For finetuning it can
be small. One language model got to [[agh-level]] of its full performance on one task with [[agh]] numbers.

Does that mean that the change had low rank? What do you expect of a change made with D numbers: rank D, or less, or
more?
"""
    )
    yield Figure("subspace", Subspace)
    yield Try(
        """
Play it for the fewer facts. They come right. What does `r90` do? Then choose the more facts, and find the D that
reaches full finetuning. Go on to the largest: when does the spectrum leave the noise?
"""
    )
    yield Prose(
        """
Of [[needed.few]] new facts, [[needed.few_needed:,d]] numbers bring [[needed.nearly:.0%]] of what full finetuning gets
right, where the model has [[needed.weights:,d]] weights. Of [[needed.many]] facts it takes [[needed.many_needed:,d]],
each the least D of those tried. So the intrinsic dimension is small beside the model, and it belongs to the task:
eight times as many facts, each as long, want more numbers to be held in. The formal voice takes
[[voice.voice_needed:,d]].

And the rank? With the [[full-rank.D:,d]] numbers that the fewer facts need, the change has rank [[full-rank.rank]] of
[[full-rank.width]] in each of the [[full-rank.layers]] layers. In the square ones [[full-rank.low]] to
[[full-rank.high]] directions hold nine tenths of the energy; in noise, [[full-rank.noise]]. That is noise, to the eye
and to the count. With [[as-noise.D:,d]] numbers [[as-noise.right:.0%]] of the more facts come right, against
[[as-noise.full_right:.0%]] with full finetuning. The square changes need [[as-noise.low]] to [[as-noise.high]]
directions, where noise needs [[as-noise.noise]]; those of full finetuning need [[as-noise.full:.0f]] on average. A
change can do nearly all that full finetuning does, and look much like noise.

The reason is simple. Our subspace deals each weight one of the D numbers and a sign, by lot: random groups, as in
[@chen2015, abstract]. Turn one number, and many weights all over the model move, some up and some down. In each
matrix that is a random pattern of signs, and random patterns have full rank. D counts the *knobs*. Rank describes the
*shape* of what a knob moves.

It holds the other way round too. All matrices of rank [[converse.r]] with [[converse.n]] rows and columns make a set
of [[converse.free]] dimensions. Low rank leaves many ways to move; it is not the same as few numbers.

So small intrinsic dimension does not prove that changes are low in rank. What it shares with LoRA is a milder fact,
and a useful one: a finetune can do with far fewer free numbers than the model has.

One thing to keep in mind: here the embeddings of the words move as well, as they do in full finetuning. In LoRA they
are frozen unless we free them. So do not read these curves against LoRA's.

## Does it carry over to English?

All this was a world of our own making, with few words. So here are the same questions in real English. A base has
read the yearly addresses of American presidents, and learns to go on as Melville does in *Moby-Dick*; both are in the
public domain. It has [[english.numbers:,d]] numbers, has read [[english.tokens:,d]] tokens, and expects addresses
that it has not read at [[english.own:.2f]] nats per token, and Melville at [[english.before:.2f]]. Every way has its
own best learning rate and three seeds, and what is told is told of later chapters, which nobody has trained on.

**Spectrum.** Here it carries over. Nine tenths of the energy lie in [[english-r90.own:.0f]] of [[english-r90.n]]
directions of the square matrices on average, and in [[english-r90.own_wide:.0f]] of the wide ones; after the same
steps on random targets in [[english-r90.drawn:.0f]] and [[english-r90.drawn_wide:.0f]], in noise in
[[english-r90.noise]] and [[english-r90.noise_wide]]. So once more the change lies far below noise, and above what
random targets give.

**Rank.** At r = [[english-rank.first]] it ends at [[english-rank.first_loss:.2f]] nats, at r = [[english-rank.last]]
at [[english-rank.last_loss:.2f]], and with full finetuning at [[english-rank.full:.2f]]. No rank holds all of it, and
there is no knee: a writer is not a habit, as [the formal voice](knee.html#wall) was. How much of the gap is due to the
embeddings, which LoRA leaves as they were, we have not measured here.

**Learning rate.** LoRA's best rate is [[english-rate.most:.0f]] times that of full finetuning at r =
[[english-rate.first]], and [[english-rate.least:.0f]] times at r = [[english-rate.last]]. All ranks have the same
scaling, with alpha at twice the rank. That LoRA wants the larger rate is as in [the world](scale.html); that the best
one falls as the rank grows is not.

**Forgetting.** On addresses full finetuning loses [[english-left.full:.2f]] nats per token, and LoRA
[[english-left.least:.2f]] to [[english-left.most:.2f]], by rank. Here LoRA forgets less at every rank, and it has
learned less, too. On [a skill of the world](scale.html#sizes) the two were level.

**Few bits.** [[english-formats.name]] costs it [[english-formats.nf4:.3f]] nats, four bits in even steps
[[english-formats.int4:.3f]], three [[english-formats.int3:.3f]] and two [[english-formats.int2:.2f]]. As in [the
world](qlora.html), four bits cost next to nothing; noise as large costs as much.

It is a small model that has read little, and one pair of texts.

## In short

- That changes have low rank is a bet. LoRA's authors called it a hypothesis.
- Measured changes of full finetuning are lower than noise, and not tiny. Training on random targets gives changes that
  are lower still, so that a low rank alone says nothing about a task. Always ask for both controls.
- `r90`, `stable_rank` and `entropy_rank` are three numbers. Say which.
- Two real adapters put most of their energy into a few of their eight directions, in most layers and not in all.
- Few numbers do not mean low rank. A change made with few numbers can look like noise.
"""
    )


LESSON = Lesson(
    slug="spectra",
    title="The shape of a change",
    question="LoRA bets that finetuning needs few directions. What do measured changes say?",
    part="The wall",
    order=80,
    minutes=15,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "Nine tenths of the energy of a change lie in a third of its directions. Is it low in rank?",
            (
                Answer(
                    "Yes, two thirds are left over",
                    "Noise leaves many over as well. Made as it says they were, three such matrices of "
                    "[[picture.n]] × [[picture.n]] hold nine tenths of their energy in [[picture.least]] to "
                    "[[picture.most]] directions, and noise of that size in [[picture.noise]].",
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
                    "That is the usual story. Run it: the spectrum looks like noise. With the [[full-rank.D:,d]] "
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
            "What finetuning really changes is of rank two or three, like the matrices in the picture.",
            "Those were made that way. Only [[not-tiny.tiny]] of all [[not-tiny.matrices]] changes gets "
            "by with [[not-tiny.few]] directions or fewer. Over [[learned.tasks]] tasks and "
            "[[learned.seeds]] seeds the square matrices need [[learned.low]] to [[learned.high]] of "
            "[[learned.width]] directions for nine tenths of the energy, where noise needs "
            "[[learned.noise]]. The wide ones need [[learned.wide_low]] to [[learned.wide_high]], where "
            "noise needs [[learned.wide_noise]].",
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
    ),
)
