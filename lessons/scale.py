"""The scaling and the learning rate: the reader can tell a rate too low from one too high, and what a larger r asks."""

from collections.abc import Iterator, Mapping
from statistics import fmean, geometric_mean
from typing import Any

from compute.adapters.scaling import first_gain_ratio, scaling_of
from compute.experiments.english import FULL as ENGLISH_FULL
from compute.experiments.english import RANKS as ENGLISH_RANKS
from compute.experiments.english import load_english, way_of
from compute.experiments.grid import (
    AT,
    RANKS,
    RATES,
    RATIOS,
    SCALINGS,
    Found,
    load_grid,
)
from compute.experiments.sizes import COUNT, WIDTHS, load_sizes
from compute.experiments.sizes import FULL as WHOLE
from compute.experiments.sizes import RANKS as SIZE_RANKS
from compute.experiments.sizes import SEEDS as SIZE_SEEDS
from compute.experiments.sizes import R as SKILL_R
from compute.numbers.interval import apart
from compute.training.config import TrainConfig
from lessons.press.blocks import Answer, Block, Cited, Claim, Correction, Figure, Lesson, Prose, Question, Try
from widgets.grid import Grid
from widgets.sizes import Sizes

PLAIN, ROOTED = "alpha/r", "alpha/sqrt(r)"
SHOWN = 16  # the rank that the figure opens with
LEAST, MOST = RANKS[0], RANKS[-1]


def _cell(optimizer: str, r: int, scaling: float) -> Found:
    return load_grid().lora[optimizer][r][SCALINGS.index(scaling)]


def _by(rule: str, optimizer: str, r: int) -> Found:
    """Return what a rule comes to at the alpha of all other lessons, each rank at its own best rate."""
    return _cell(optimizer, r, scaling_of(rule, TrainConfig.alpha, r))


def _apart(one: Found, other: Found) -> dict[str, float]:
    """Return by how much one ends above the other, seed by seed, with the 95 % interval of the mean."""
    gap = apart(one.loss, other.loss)
    return {"more": gap.mean, "low": gap.low, "high": gap.high}


def _gains() -> Mapping[str, Any]:
    grown = {optimizer: gains[-1] / gains[0] for optimizer, gains in load_grid().gains.items()}
    # At another scaling s the gradients are those of scaling 1, times s**2 for SGD and s for AdamW.
    plain, rooted = (scaling_of(rule, 1, MOST) / scaling_of(rule, 1, LEAST) for rule in (PLAIN, ROOTED))
    return {
        "least": LEAST,
        "most": MOST,
        "sgd_times": 1 / first_gain_ratio(PLAIN, "sgd", MOST),
        "sgd_measured": 1 / (grown["sgd"] * plain**2),
        "rooted_measured": grown["sgd"] * rooted**2,
        "plain_measured": grown["adamw"] * plain,
        "adamw_times": first_gain_ratio(ROOTED, "adamw", MOST),
        "adamw_measured": grown["adamw"] * rooted,
    }


def _moves(optimizer: str, rule: str) -> Mapping[str, Any]:
    rates = [_by(rule, optimizer, r).rate for r in RANKS]
    return {
        "alpha": TrainConfig.alpha,
        "ranks": len(rates),
        "small": LEAST,
        "large": MOST,
        "before": rates[0],
        "after": rates[-1],
        "low": min(rates),
        "high": max(rates),
        "times": max(rates) / min(rates),
    }


def _either() -> Mapping[str, Any]:
    plain, rooted = (_by(rule, "adamw", MOST) for rule in (PLAIN, ROOTED))
    return {
        "r": MOST,
        "plain": fmean(plain.loss),
        "rooted": fmean(rooted.loss),
        **_apart(plain, rooted),
        "right": min(fmean(plain.right), fmean(rooted.right)),
    }


def _rows(optimizer: str, r: int) -> list[float]:
    """Return the losses of all scalings, each at its own best rate: means over seeds."""
    return [fmean(found.loss) for found in load_grid().lora[optimizer][r]]


def _spread(r: int) -> float:
    """Return by how much the seeds of one setting differ, at most."""
    return max(max(found.loss) - min(found.loss) for found in load_grid().lora["adamw"][r])


def _free() -> Mapping[str, Any]:
    losses, rates = _rows("adamw", SHOWN), RATES["adamw"]
    place = rates.index(3e-3)
    fixed = [found.tried[place] for found in load_grid().lora["adamw"][SHOWN]]
    known = [loss for loss in fixed if loss is not None]
    low, high = min(losses), max(losses)
    return {
        "r": SHOWN,
        "low": low,
        "high": high,
        "best": SCALINGS[losses.index(low)],
        "worst": SCALINGS[losses.index(high)],
        "spread": _spread(SHOWN),
        "rate": rates[place],
        "fixed_low": min(known),
        "fixed_high": max(known),
    }


def _least_scaling() -> Mapping[str, Any]:
    """Return how far the least scaling ends above the best one, over the ranks."""
    found = load_grid()
    behind = [
        _apart(_cell("adamw", r, SCALINGS[0]), found.lora["adamw"][r][found.best("adamw", r)]) for r in RANKS
    ]
    return {
        "least": SCALINGS[0],
        "above": sum(each["low"] > 0 for each in behind),
        "ranks": len(RANKS),
        "from": min(each["more"] for each in behind),
        "to": max(each["more"] for each in behind),
    }


def _valley() -> Mapping[str, Any]:
    falls = {
        o: [_cell(o, r, SCALINGS[0]).rate / _cell(o, r, SCALINGS[-1]).rate for r in RANKS] for o in RATES
    }
    return {
        "times": SCALINGS[-1] / SCALINGS[0],
        "least": min(falls["adamw"]),
        "most": max(falls["adamw"]),
        "sgd_least": min(falls["sgd"]),
        "sgd_most": max(falls["sgd"]),
    }


def _sgd() -> Mapping[str, Any]:
    grid = load_grid()
    best = {o: grid.lora[o][SHOWN][grid.best(o, SHOWN)] for o in RATES}
    return {
        "r": SHOWN,
        "sgd": fmean(best["sgd"].loss),
        "sgd_right": fmean(best["sgd"].right),
        "adamw": fmean(best["adamw"].loss),
        "adamw_right": fmean(best["adamw"].right),
        "full": fmean(grid.full["sgd"].loss),
        **_apart(best["sgd"], best["adamw"]),
    }


def _shape() -> Mapping[str, Any]:
    """Return what the neighbours of the best rate of the grid cost, at the scaling that the figure opens with."""
    tried, rates = _cell("adamw", SHOWN, AT).tried, RATES["adamw"]
    known = [loss for loss in tried if loss is not None]
    best = tried.index(min(known))
    low, at, high = (known[best + i] for i in (-1, 0, 1))
    return {"r": SHOWN, "scaling": AT, "rate": rates[best], "at": at, "low": low, "high": high}


def _too_high() -> Mapping[str, Any]:
    """Return where LoRA runs at the largest rate of all end, and how many of all runs diverged."""
    grid = load_grid()
    every = [loss for o in RATES for r in RANKS for found in grid.lora[o][r] for loss in found.tried]
    last = [found.tried[-1] for r in RANKS for found in grid.lora["sgd"][r]]
    known = [loss for loss in last if loss is not None]
    return {
        "rate": RATES["sgd"][-1],
        "runs": len(every),
        "diverged": every.count(None),
        "broken": sum(sum(found.left.values()) for o in RATES for r in RANKS for found in grid.lora[o][r]),
        "least": min(known),
        "most": max(known),
        "frequencies": grid.frequencies,
        "before": grid.before["loss"],
    }


def _two_rates() -> Mapping[str, Any]:
    two = {r: load_grid().two[r] for r in RANKS}
    larger = [_apart(two[r][1], two[r][ratio]) for r in RANKS for ratio in RATIOS if ratio > 1]
    losses = {ratio: fmean(found.loss) for ratio, found in two[SHOWN].items()}
    return {
        "r": SHOWN,
        "best": min(losses, key=losses.__getitem__),
        "pairs": len(larger),
        "helped": sum(each["low"] > 0 for each in larger),
        "hurt": sum(each["high"] < 0 for each in larger),
    }


def _same_matrices() -> Mapping[str, Any]:
    row, full = load_grid().lora["adamw"][SHOWN], load_grid().full["adamw"]
    best = row[load_grid().best("adamw", SHOWN)]
    return {
        "r": SHOWN,
        "small": SCALINGS[0],
        "large": SCALINGS[-1],
        "small_rate": row[0].rate,
        "large_rate": row[-1].rate,
        "full": full.rate,
        "more": row[0].rate / full.rate,
        "less": row[-1].rate / full.rate,
        "adapted_loss": fmean(best.loss),
        "full_loss": fmean(full.loss),
    }


_WIDTHS = dict(zip(("small", "middle", "large"), WIDTHS, strict=True))
FEW = 3  # seeds, by which the ratio of the best rates seems to rise with the width


def _size() -> Mapping[str, Any]:
    before = load_sizes().before
    return {
        **_WIDTHS,
        "few": before[WIDTHS[0]].numbers,
        "many": before[WIDTHS[-1]].numbers,
        **{f"{name}_facts": before[width].facts for name, width in _WIDTHS.items()},
        **{f"{name}_stories": before[width].stories for name, width in _WIDTHS.items()},
    }


def _size_rank() -> Mapping[str, Any]:
    held = {(name, r): load_sizes().of(width, r) for name, width in _WIDTHS.items() for r in SIZE_RANKS}
    return {
        "count": COUNT,
        "first": SIZE_RANKS[0],
        "second": SIZE_RANKS[-1],
        **{f"{name}_{r}": fmean(each.right) for (name, r), each in held.items()},
        "few": held["small", 1].numbers,
        "many": held["large", 1].numbers,
        "clear": all(max(held["small", r].right) < min(held["middle", r].right) for r in SIZE_RANKS),
        "verdict": apart(held["large", 1].right, held["middle", 1].right).verdict,
    }


def _size_rate() -> Mapping[str, Any]:
    ratios = {name: load_sizes().ratios(width) for name, width in _WIDTHS.items()}
    return {
        "seeds": len(SIZE_SEEDS),
        **{f"{name}_ratio": geometric_mean(some) for name, some in ratios.items()},
        "least": min(min(some) for some in ratios.values()),
        "most": max(max(some) for some in ratios.values()),
        "few": FEW,
        **{f"{name}_few": geometric_mean(some[:FEW]) for name, some in ratios.items()},
    }


def _size_left() -> Mapping[str, Any]:
    recorded = load_sizes()
    left = {
        (name, r): [share / recorded.before[width].facts for share in recorded.skill(width, r).facts]
        for name, width in _WIDTHS.items()
        for r in (SKILL_R, WHOLE)
    }
    small, middle, large = (left[name, SKILL_R] for name in _WIDTHS)
    return {
        **{f"{name}_adapted": fmean(left[name, SKILL_R]) for name in _WIDTHS},
        "least": min(large),
        "most": max(large),
        "seeds": len(SIZE_SEEDS),
        "narrow": apart(small, middle).verdict,
        "wide": {apart(large, other).verdict for other in (small, middle)},
        "verdicts": {apart(left[name, SKILL_R], left[name, WHOLE]).verdict for name in _WIDTHS},
    }


def _english_rate() -> Mapping[str, Any]:
    recorded = load_english()
    full = recorded.of(ENGLISH_FULL)
    ways = [recorded.of(way_of(r)) for r in ENGLISH_RANKS]
    ratios = [way.rate / full.rate for way in ways]
    return {
        "first": ENGLISH_RANKS[0],
        "last": ENGLISH_RANKS[-1],
        "least": min(ratios),
        "most": max(ratios),
        "ratios": ratios,
        "left": {apart(way.base_loss, full.base_loss).verdict for way in ways},
        "learned": {apart(way.loss, full.loss).verdict for way in ways},
    }


CLAIMS: Mapping[str, Claim | Cited] = {
    "free": Claim(
        _free,
        lambda v: v["low"] < v["high"],
    ),
    "fixed": Claim(
        _free,
        lambda v: v["fixed_high"] - v["fixed_low"] > 3 * (v["high"] - v["low"]),
    ),
    "least-scaling": Claim(
        _least_scaling,
        lambda v: v["above"] >= 1,
    ),
    "valley": Claim(
        _valley,
        lambda v: v["most"] < v["times"] / 2 and v["sgd_least"] > 1.5 * v["most"],
    ),
    "same-matrices": Claim(
        _same_matrices,
        lambda v: v["more"] > 2 and v["less"] < 1,
    ),
    "gains-sgd": Claim(
        _gains,
        lambda v: (
            max(abs(v["sgd_measured"] / v["sgd_times"] - 1), abs(v["rooted_measured"] - 1)) < 0.15
            and first_gain_ratio(ROOTED, "sgd", MOST) == 1
            and v["sgd_times"] == v["most"] / v["least"]
        ),
    ),
    "gains-adamw": Claim(
        _gains,
        lambda v: (
            max(abs(v["adamw_measured"] / v["adamw_times"] - 1), abs(v["plain_measured"] - 1)) < 0.15
            and first_gain_ratio(PLAIN, "adamw", MOST) == 1
        ),
    ),
    "adamw-plain": Claim(
        lambda: _moves("adamw", PLAIN),
        lambda v: v["low"] == v["high"],
    ),
    "adamw-rooted": Claim(
        lambda: _moves("adamw", ROOTED),
        lambda v: v["before"] > 2.5 * v["after"],
    ),
    "sgd-plain": Claim(
        lambda: _moves("sgd", PLAIN),
        lambda v: v["after"] > 9 * v["before"],
    ),
    "sgd-rooted": Claim(
        lambda: _moves("sgd", ROOTED),
        lambda v: 4 < v["after"] / v["before"] < 16,
    ),
    "either": Claim(
        _either,
        lambda v: v["high"] < 0.12 and v["right"] > 0.95,
    ),
    "shape": Claim(
        _shape,
        lambda v: v["high"] > 1.5 * v["low"] > 1.5 * v["at"],
    ),
    "too-high": Claim(
        _too_high,
        lambda v: v["least"] > 2.5 and v["most"] < 7,
    ),
    "blown": Claim(
        _too_high,
        lambda v: v["diverged"] == 0 and v["broken"] <= 1,
    ),
    "sgd-behind": Claim(
        _sgd,
        lambda v: v["low"] > 0,
    ),
    "two-rates": Claim(
        _two_rates,
        lambda v: (v["best"], v["helped"], v["hurt"]) == (1, 1, 0),
    ),
    "size": Claim(
        _size,
        lambda v: (
            min(v["small_stories"], v["middle_stories"], v["large_stories"]) > 0.9
            and v["small_facts"] < 0.5 < 0.99 < min(v["middle_facts"], v["large_facts"])
        ),
    ),
    "size-rank": Claim(
        _size_rank,
        lambda v: v["clear"] and v["verdict"] == "level" and min(v["middle_2"], v["large_2"]) > 0.99,
    ),
    "size-rate": Claim(
        _size_rate,
        lambda v: (
            v["least"] >= 2
            and 0.9 < v["large_ratio"] / v["small_ratio"] < 1.1
            and v["large_few"] > 1.5 * v["middle_few"] > 1.5 * 1.5 * v["small_few"]
        ),
    ),
    "size-left": Claim(
        _size_left,
        lambda v: v["narrow"] == "below" and v["wide"] == v["verdicts"] == {"level"},
    ),
    "english-rate": Claim(
        _english_rate,
        lambda v: (
            v["ratios"] == sorted(v["ratios"], reverse=True)
            and v["least"] > 1
            and v["left"] == {"below"}
            and v["learned"] == {"above"}
        ),
    ),
    "plus-gain": Cited("1 to 2 %", "hayou2024plus", "abstract"),
    "tml-ten": Cited("9.8 times", "schulman2025", "the article"),
    "hu-forty": Cited("forty times", "hu2021", "table 12"),
    "tml-range": Cited("from 4 to 512", "schulman2025", "the article"),
    "peft-default": Cited("r = 8 and alpha = 8", "peft", "LoraConfig"),
    "qlora-default": Cited("r = 64 and alpha = 16", "dettmers2023", "repository, README"),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
You have a recipe that works, and you want to change one number in it: a larger r, another optimiser, half the alpha.
What has to follow? Three knobs decide how far a step of LoRA goes, and none of them can be set without the other two.

The layer adds `lora_B @ lora_A` times a number, the *scaling*. Usually that is $\\alpha / r$, and in the variant rsLoRA
$\\alpha / \\sqrt{r}$ [@kalajdzievski2023, abstract]. The third knob is the learning rate. Since `lora_B` starts at
zero, a rule and an alpha come to a single scaling at each rank, and to nothing else. So the figure needs no rules: it
tries every scaling with every rate and marks where the two rules would put you. The base learns facts about people of
whom it has never read.
"""
    )
    yield Figure("grid", Grid)
    yield Try(
        """
Slide the scaling from end to end and follow the framed cell. Does it walk down the diagonal, as a product that stays
the same would have it? Then change the rank, and watch where the two rules stand in the chart. Take
[SGD](#grid?runs=sgd-4), and guess again for both rules.
""",
        run={
            "a rate that is too large": {"size": "16", "rate": "0.1"},
            "a small alpha at a large r": {"size": "64", "alpha": "1", "rate": "0.001"},
            "the same by the root of r": {"size": "64", "alpha": "1", "rule": "root", "rate": "0.001"},
            "SGD": {"size": "16", "optimizer": "sgd", "rate": "1"},
        },
    )
    yield Prose(
        """
## What the first step says

In the first step only `lora_B` moves. Its gradient carries the scaling $s$ once, and what it moves is multiplied by $s$
again, so that with the learning rate $\\eta$ and the gradient $G$ for the whole weight a step of SGD lowers the loss by

$$\\eta \\, s^2 \\, \\lVert G \\, \\text{lora_A}^{\\top} \\rVert^2$$

The norm sums over the $r$ rows of `lora_A` and so grows as $r$, which leaves $s^2 r$. Raise r from [[gains-sgd.least]]
to [[gains-sgd.most]], and with alpha / r the first step of SGD gains as many times less by the formula; on the model it
is [[gains-sgd.sgd_measured:.0f]] times less. With alpha / √r it gains about the same. Adam divides each entry by its
own size, so that one $s$ drops out and $s \\, r$ remains. For AdamW it is alpha / r that keeps the gain, and alpha / √r
makes it grow [[gains-adamw.adamw_times:.0f]] times. Each rule keeps the first step of one optimiser, and neither keeps
that of both.

## What the steps after it say

Does the best rate follow the first step? With AdamW, alpha / r and alpha = [[adamw-plain.alpha:g]] it is
[[adamw-plain.low:g]] at every rank; with alpha / √r it falls, from [[adamw-rooted.before:g]] at the smallest to
[[adamw-rooted.after:g]] at the largest. For SGD the first step asks for the other way round. With alpha / r the rate
does rise, [[sgd-plain.times:.0f]] times over our ranks, but with alpha / √r, where it should stay, it still rises
[[sgd-rooted.times:.0f]] times.

Is one rule better, then? At r = [[either.r]], each rule at its own best rate, AdamW ends at [[either.plain:.3f]] nats
with alpha / r and at [[either.rooted:.3f]] with alpha / √r. Five seeds leave the difference between [[either.low:.3f]]
and [[either.high:.3f]], so the rule mostly says where to look for the rate. SGD is another matter. In so few steps it
does not get as far, whatever the scaling: its best cell at r = [[sgd-behind.r]] has [[sgd-behind.sgd_right:.0%]] of the
facts, and AdamW's [[sgd-behind.adamw_right:.0%]].

## Where the exchange ends

[At the wall](wall.html) the rate could undo most of what a scaling had done. Most is not all. At the least scaling of
the grid even the best rate ends above the best scaling's at every rank, by [[least-scaling.from:.2f]] to
[[least-scaling.to:.2f]] nats, and at [[least-scaling.above]] of [[least-scaling.ranks]] ranks clearly so. Nor do the
best rates keep the product constant: over the whole grid the scaling grows [[valley.times:.0f]] times, while AdamW's
best rate falls [[valley.least:.0f]] to [[valley.most:.0f]] times, by rank. One reading is that `lora_A` moves as well
after the first step, and a rate moves both factors where the scaling stands before their product once. An exact
exchange exists, but it also asks for another start of `lora_A` and for two rates [@schulman2025, the article].

The literature disagrees. LoRA's authors hold that under Adam tuning alpha is roughly tuning the rate, provided that the
start is scaled as well [@hu2021, section 4.1]. One study of a single model, with the optimiser LionW, raised the rate
in place of alpha, and found unstable and often worse runs [@biderman2024, section 4.7], and a newer one finds that the
scaling gains what no rate gains [@zhang2026, abstract]. Another derives that the best rate stays the same over ranks or
falls with them, by the start and the scaling that one takes [@chen2026, abstract].

LoRA+ gives `lora_B` a larger rate than `lora_A`, and reports gains of [[plus-gain]]. The last chart tries it, each
ratio at the rate that suits it best. At r = [[two-rates.r]] one rate for both does best. Of [[two-rates.pairs]]
comparisons over all ranks [[two-rates.helped]] is clearly in favour of a larger one, and [[two-rates.hurt]] clearly
against it. The argument of LoRA+ is one of width, and this model is narrow, so that little speaks for or against it
here.

## Too low, too high

A rate that is too low is late: its loss still falls at the end. One that is too high gets stuck and does not come back,
and it costs more. Take AdamW at r = [[shape.r]] and scaling [[shape.scaling:g]]: it ends at [[shape.at:.2f]] nats, one
place of our grid lower at [[shape.low:.2f]], one place higher at [[shape.high:.2f]].

Nor does it look like an explosion. At our largest rate for SGD every LoRA run ends between [[too-high.least:.1f]] and
[[too-high.most:.1f]] nats, ruined and calm, because the frozen last layers keep the answers within bounds. A loss that
is steady is not yet a loss that is good.

## Rules to begin with

*Ten times the rate of full finetuning.* A study of fourteen models fits [[tml-ten]]; LoRA's authors used [[hu-forty]]
as much for GPT-3. On one Llama-2 it was about ten times in finetuning on instructions, but the same rate for both where
pretraining went on [@biderman2024, section 4.7 and appendix A]. Here, where the same matrices learn whole or through
two factors, LoRA at r = [[same-matrices.r]] wants [[same-matrices.more:.1f]] times full finetuning's rate at the least
scaling of the grid, and [[same-matrices.less:.1f]] times at the largest. A ratio of two rates means little unless the
scaling is told with it.

*Alpha at twice the rank.* One study calls that crucial for high ranks [@biderman2024, section 4.7]. LoRA's authors set
alpha to the first r that they tried and did not tune it [@hu2021, section 4.1]; PEFT starts from [[peft-default]], the
QLoRA code from [[qlora-default]]. With alpha / r and Adam, one study finds a best rate that hardly depends on the rank,
for r [[tml-range]], which is what we see here.

## And in a larger model?

Three bases have read the same texts, of widths [[size.small]], [[size.middle]] and [[size.large]]. Each learns new
facts, which takes room, and the question who had a thing first, which takes next to none.
"""
    )
    yield Figure("sizes", Sizes)
    yield Try(
        """
Slide the width, and say for each chart whether it rises, falls or stays. Which of the three curves would you dare to
draw on, for a base that is very much wider?
"""
    )
    yield Prose(
        """
**Rank.** At r = [[size-rank.first]] the narrowest holds [[size-rank.small_1:.0%]] of [[size-rank.count:,d]] new facts,
and the next [[size-rank.middle_1:.0%]], because the same rank is more numbers in a wider matrix; the widest is not
clearly better than that. What is a small rank for one model can be enough for a larger.

**Rate.** LoRA's best rate is [[size-rate.small_ratio:.0f]], [[size-rate.middle_ratio:.0f]] and
[[size-rate.large_ratio:.0f]] times full finetuning's, averaged over [[size-rate.seeds]] seeds, which show no change
with the width. Single seeds have [[size-rate.least:.0f]] to [[size-rate.most:.0f]] times. The first [[size-rate.few]]
of them alone give [[size-rate.small_few:.0f]], [[size-rate.middle_few:.0f]] and [[size-rate.large_few:.0f]], which
would have passed for a law.

**Forgetting.** After the skill LoRA leaves [[size-left.small_adapted:.0%]] of what the narrowest base knew. The next
one keeps more, by the interval over seeds: [[size-left.middle_adapted:.0%]]. The widest keeps
[[size-left.large_adapted:.0%]], but from [[size-left.least:.0%]] to [[size-left.most:.0%]] by the seed, and can be told
from neither. Between LoRA and full finetuning, each at its own best rate, [[size-left.seeds]] seeds show no difference.

**Real English.** The [companion that read real texts](spectra.html) went through the same questions. There too LoRA
wants the larger rate, but the ratio falls with the rank, from [[english-rate.most:.0f]] times at r =
[[english-rate.first]] to [[english-rate.least:.0f]] at r = [[english-rate.last]], although all have the same scaling.
On the texts that it came from LoRA forgets less than full finetuning at every rank, and has learned less, too.

Ours is one task for the grid, small models, few steps at a constant rate and few seeds. Three widths of a toy are a
direction and no law.
"""
    )


LESSON = Lesson(
    slug="scale",
    title="Alpha, r and the learning rate",
    question="When r grows, must the learning rate follow?",
    part="Rooms",
    order=240,
    minutes=9,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "You train with AdamW and alpha / r, and raise r. What becomes of the best learning rate?",
            (
                Answer(
                    "It rises with r",
                    "That is SGD's answer. With SGD and alpha / r it rises from [[sgd-plain.before:g]] at r = "
                    "[[sgd-plain.small]] to [[sgd-plain.after:g]] at r = [[sgd-plain.large]].",
                ),
                Answer(
                    "It stays about where it was",
                    "The first step gains the same at every r, and the best rate followed it. With AdamW, alpha /"
                    " r and alpha = [[adamw-plain.alpha:g]] the best rate of all that we tried is "
                    "[[adamw-plain.low:g]], at every one of the [[adamw-plain.ranks]] ranks.",
                    right=True,
                ),
                Answer(
                    "It falls as r grows",
                    "That is what alpha / √r does with AdamW. With alpha / √r it falls from "
                    "[[adamw-rooted.before:g]] at r = [[adamw-rooted.small]] to [[adamw-rooted.after:g]] at r = "
                    "[[adamw-rooted.large]].",
                ),
            ),
        ),
        Question(
            "A loss falls fast, stops early, and stays flat. What do you try first?",
            (
                Answer(
                    "A smaller learning rate",
                    "To be stuck is the mark of a rate that is too high; the loss need not explode. At "
                    "[[too-high.rate:g]], our largest rate for SGD, every LoRA run ends between [[too-high.least:.1f]] "
                    "and [[too-high.most:.1f]] nats.",
                    right=True,
                ),
                Answer(
                    "A larger learning rate",
                    "With a rate that is too low the loss falls slowly, but it still falls. Take AdamW at r = "
                    "[[shape.r]] and scaling [[shape.scaling:g]]. At [[shape.rate:g]] it ends at [[shape.at:.2f]] "
                    "nats, one place of our grid below it at [[shape.low:.2f]], one place above it at "
                    "[[shape.high:.2f]].",
                ),
                Answer("More steps", "They help where a curve still falls. This one does not."),
            ),
        ),
        Question(
            "Two colleagues swear by two scaling rules. Both use AdamW and a large r. How do you compare them fairly?",
            (
                Answer(
                    "At the same learning rate",
                    "The rules want different rates. With alpha / √r it falls from [[adamw-rooted.before:g]] at r"
                    " = [[adamw-rooted.small]] to [[adamw-rooted.after:g]] at r = [[adamw-rooted.large]].",
                ),
                Answer(
                    "Each at its own best learning rate",
                    "Most of the difference between the rules is where that rate lies. At r = [[either.r]], each "
                    "rule at its own best rate, AdamW ends at [[either.plain:.3f]] nats with alpha / r and at "
                    "[[either.rooted:.3f]] with alpha / √r; the difference lies between [[either.low:.3f]] and "
                    "[[either.high:.3f]], over five seeds. Both have [[either.right:.1%]] of the facts or more.",
                    right=True,
                ),
                Answer(
                    "By the gain of the first step",
                    "It does not say where a run ends; at their own rates they ended close. At r = [[either.r]], "
                    "each rule at its own best rate, AdamW ends at [[either.plain:.3f]] nats with alpha / r and "
                    "at [[either.rooted:.3f]] with alpha / √r; the difference lies between [[either.low:.3f]] and"
                    " [[either.high:.3f]], over five seeds. Both have [[either.right:.1%]] of the facts or more.",
                ),
            ),
        ),
    ),
    corrections=(
        Correction(
            "The number that matters most is alpha over r.",
            "It is contested. Here the rank and the rate decided more: with the rate free, less was left "
            "of scaling. At one rate for all of them, [[fixed.rate:g]], they end between "
            "[[fixed.fixed_low:.2f]] and [[fixed.fixed_high:.2f]]. With AdamW at r = [[free.r]], each "
            "scaling at its own best rate, the loss ends between [[free.low:.2f]] nats, at scaling "
            "[[free.best:g]], and [[free.high:.2f]], at scaling [[free.worst:g]]. Seeds of one setting "
            "differ by up to [[free.spread:.2f]].",
            "grid",
        ),
        Correction(
            "A learning rate that is too high shows itself: the loss explodes.",
            "With LoRA it did not here. At [[too-high.rate:g]], our largest rate for SGD, every LoRA run "
            "ends between [[too-high.least:.1f]] and [[too-high.most:.1f]] nats. Of all [[blown.runs]] "
            "LoRA runs of the grid [[blown.diverged]] broke off, and of those with further seeds "
            "[[blown.broken]].",
            "grid",
        ),
    ),
)
