"""The scaling and the learning rate: the reader can tell a rate too low from one too high, and what a larger r asks."""

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from statistics import fmean, geometric_mean
from typing import Any

from compute.adapters.scaling import first_gain_ratio, scaling_of
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


def _of_rank() -> Mapping[str, Any]:
    grid = load_grid()
    first, last = (grid.lora["adamw"][r][grid.best("adamw", r)] for r in (LEAST, MOST))
    return {
        "least": LEAST,
        "most": MOST,
        "first": fmean(first.loss),
        "last": fmean(last.loss),
        "first_right": fmean(first.right),
        "last_right": fmean(last.right),
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
    gains = {(r, ratio): _apart(two[r][1], two[r][ratio]) for r in RANKS for ratio in RATIOS if ratio != 1}
    ends = {f"of_{name}": fmean(two[SHOWN][ratio].loss) for name, ratio in _NAMED.items()}
    better = [each for (_, ratio), each in gains.items() if ratio > 1]
    best = max(gains, key=lambda pair: gains[pair]["more"])
    return {
        "r": SHOWN,
        "scaling": AT,
        **ends,
        "four": RATIOS[2],
        "sixteen": RATIOS[3],
        "pairs": len(better),
        "helped": sum(each["low"] > 0 for each in better),
        "hurt": sum(each["high"] < 0 for each in better),
        "best_r": best[0],
        "best_ratio": best[1],
        **{name: gains[best][name] for name in ("more", "low", "high")},
    }


_NAMED = {"quarter": 1 / 4, "one": 1, "four": 4, "sixteen": 16}


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


def _over_widths(found: Callable[[int], float]) -> dict[str, float]:
    return {name: found(width) for name, width in _WIDTHS.items()}


_WIDTHS = dict(zip(("small", "middle", "large"), WIDTHS, strict=True))


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
    rates = {
        (name, r): geometric_mean(load_sizes().skill(width, r).rate)
        for name, width in _WIDTHS.items()
        for r in (SKILL_R, WHOLE)
    }
    return {
        "r": SKILL_R,
        "seeds": len(SIZE_SEEDS),
        **_WIDTHS,
        **{f"{name}_ratio": geometric_mean(some) for name, some in ratios.items()},
        **{f"{name}_full": rates[name, WHOLE] for name in _WIDTHS},
        "least": min(min(some) for some in ratios.values()),
        "most": max(max(some) for some in ratios.values()),
    }


def _size_left() -> Mapping[str, Any]:
    recorded = load_sizes()
    left = {
        (name, r): [share / recorded.before[width].facts for share in recorded.skill(width, r).facts]
        for name, width in _WIDTHS.items()
        for r in (SKILL_R, WHOLE)
    }
    adapted = [left[name, SKILL_R] for name in _WIDTHS]
    return {
        **{f"{name}_adapted": fmean(left[name, SKILL_R]) for name in _WIDTHS},
        **{f"{name}_full": fmean(left[name, WHOLE]) for name in _WIDTHS},
        "clear": all(max(one) < min(next_one) for one, next_one in pairwise(adapted)),
        "verdicts": {apart(left[name, SKILL_R], left[name, WHOLE]).verdict for name in _WIDTHS},
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
    "of-rank": Claim(
        _of_rank,
        lambda v: v["first"] > 5 * v["last"] and v["last_right"] > v["first_right"] + 0.2,
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
        lambda v: v["of_one"] < min(v["of_four"], v["of_sixteen"]),
    ),
    "two-ranks": Claim(
        _two_rates,
        lambda v: v["helped"] == 1 and v["hurt"] == 0 and v["low"] > 0,
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
    "size-numbers": Claim(
        _size_rank,
        lambda v: v["many"] == 3 * v["few"],
    ),
    "size-rate": Claim(
        _size_rate,
        lambda v: v["least"] > 2 and v["most"] / v["least"] > 2 * v["large_ratio"] / v["small_ratio"],
    ),
    "size-left": Claim(
        _size_left,
        lambda v: v["clear"] and v["verdicts"] == {"level"},
    ),
    "plus-gain": Cited("1 to 2 %", "hayou2024plus", "abstract"),
    "plus-speed": Cited("up to twice as fast", "hayou2024plus", "abstract"),
    "tml-ten": Cited("9.8 times", "schulman2025", "blog post"),
    "tml-short": Cited("about fifteen times", "schulman2025", "blog post"),
    "hu-forty": Cited("forty times", "hu2021", "table 12"),
    "tml-range": Cited("from 4 to 512", "schulman2025", "blog post"),
    "peft-default": Cited("r = 8 and alpha = 8", "peft", "LoraConfig"),
    "qlora-default": Cited("r = 64 and alpha = 16", "dettmers2023", "repository, README"),
    "hu-ratios": Cited("1, 2 and 8", "hu2021", "tables 9 to 11"),
    "tml-alpha": Cited("alpha = 32", "schulman2025", "blog post"),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
## Three knobs for one step

What LoRA adds to a layer is `lora_B @ lora_A` times a number. Usually this number, the *scaling*, is $\\alpha / r$. A
variant, rsLoRA, takes $\\alpha / \\sqrt{r}$ [@kalajdzievski2023, abstract]. Then there is the learning rate. All three,
rank, alpha and rate, decide how far a step goes.

So say you raise $r$ from a small value to a large one and leave alpha alone. Must the learning rate follow? And if so,
up or down?

`lora_B` starts at zero, so a rule and an alpha come to one number at each rank, the scaling, and to nothing else. The
figure therefore needs no rules. It tries every scaling with every learning rate, and marks where the two rules would
put you. The model is the one of [the lab](lab.html), and it learns facts about people of whom it has never read.
They are there to be remembered, so there is no unseen text; the share of right answers stands beside the loss.
"""
    )
    yield Figure("grid", Grid)
    yield Try(
        """
Slide the scaling from end to end and follow the framed cell. Does it walk down the diagonal, as a product that stays
the same would have it? Then change the rank, and watch where the two rules stand in the chart. [Choose
SGD](#grid?runs=sgd-4) and guess again, for both rules.
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
again. With the learning rate $\\eta$ and the gradient $G$ for the whole weight, a step of SGD lowers the loss by

$$\\eta \\, s^2 \\, \\lVert G \\, \\text{lora_A}^{\\top} \\rVert^2$$

The norm sums over the $r$ rows of `lora_A`, so it grows as $r$. What is left is $s^2 r$. By the formula SGD's first
step with alpha / r gains [[gains-sgd.sgd_times:.0f]] times less at r = [[gains-sgd.most]] than at r =
[[gains-sgd.least]]; on the model it is [[gains-sgd.sgd_measured:.0f]] times. With alpha / √r it gains the same at
every r: [[gains-sgd.rooted_measured:.2f]] times as much, measured.

Adam divides each entry by its own size. So the gradient's scaling drops out, one $s$ remains, and the gain grows as
$s \\, r$. For AdamW it is alpha / r that keeps the gain: [[gains-adamw.plain_measured:.2f]] times as much, measured.
With alpha / √r it grows [[gains-adamw.adamw_times:.0f]] times by the formula, [[gains-adamw.adamw_measured:.1f]]
times measured.

So each rule keeps the first step of one optimiser. Neither keeps that of both.

## What the steps after it say

The first step is no finetune. Does the best rate follow it all the same? With AdamW, alpha / r and alpha =
[[adamw-plain.alpha:g]] the best rate of all that we tried is [[adamw-plain.low:g]], at every one of the
[[adamw-plain.ranks]] ranks. With alpha / √r it falls from [[adamw-rooted.before:g]] at r = [[adamw-rooted.small]] to
[[adamw-rooted.after:g]] at r = [[adamw-rooted.large]]. For SGD the first step asks for the other way round: a rate
that rises with alpha / r, and one that stays with alpha / √r. With SGD and alpha / r it rises from
[[sgd-plain.before:g]] at r = [[sgd-plain.small]] to [[sgd-plain.after:g]] at r = [[sgd-plain.large]]. With alpha / √r
it rises from [[sgd-rooted.before:g]] to [[sgd-rooted.after:g]]. So it does rise with both, if less with the second.

Is one rule better, then? At r = [[either.r]], each rule at its own best rate, AdamW ends at [[either.plain:.3f]] nats
with alpha / r and at [[either.rooted:.3f]] with alpha / √r; the difference lies between [[either.low:.3f]] and
[[either.high:.3f]], over five seeds. Both have [[either.right:.1%]] of the facts or more. The rate made up for the
rule, so that the rule only says where to look for it. SGD itself is another matter: in so few steps it does not get
as far, whatever the scaling. At r = [[sgd-behind.r]] its best cell ends at [[sgd-behind.sgd:.2f]] nats with
[[sgd-behind.sgd_right:.0%]] of the facts, where AdamW's has [[sgd-behind.adamw:.2f]] and
[[sgd-behind.adamw_right:.0%]].

## Can the rate undo the scaling?

If the scaling were a second learning rate and nothing more, every scaling would end at the same loss once the rate is
free. Without its own rate a scaling looks decisive. At one rate for all of them, [[fixed.rate:g]], they end between
[[fixed.fixed_low:.2f]] and [[fixed.fixed_high:.2f]]. With it, much less is left. With AdamW at r = [[free.r]], each
scaling at its own best rate, the loss ends between [[free.low:.2f]] nats, at scaling [[free.best:g]], and
[[free.high:.2f]], at scaling [[free.worst:g]]. Seeds of one setting differ by up to [[free.spread:.2f]]. The rest
does not vanish, though. At the least scaling, [[least-scaling.least:g]], even its best rate ends above the best
scaling's: by [[least-scaling.from:.2f]] to [[least-scaling.to:.2f]] nats, and clearly, over five seeds, at
[[least-scaling.above]] of [[least-scaling.ranks]] ranks. And what a rank lacks, neither gives, because it is room
that is missing. From r = [[of-rank.least]] to r = [[of-rank.most]] the best of all cells goes from
[[of-rank.first:.2f]] nats to [[of-rank.last:.2f]], and from [[of-rank.first_right:.0%]] of the facts to
[[of-rank.last_right:.0%]].

The best rates are not those of a product that stays the same. Over the whole grid the scaling grows
[[valley.times:.0f]] times. Meanwhile the best rate of AdamW falls [[valley.least:.0f]] to [[valley.most:.0f]] times,
by rank, and that of SGD [[valley.sgd_least:.0f]] to [[valley.sgd_most:.0f]] times. From the first step alone you
would expect AdamW's rate to fall as the scaling grows, one for one, and SGD's by the square. We did not measure why
it is less. One reading is that `lora_A` moves as well from then on, and a rate moves both factors where the scaling
stands before their product once. An exact exchange of the two exists, but it also asks for another start of `lora_A`
and for two rates [@schulman2025, blog post].

The literature disagrees here. One study raised the rate in place of alpha, and found unstable and often worse runs
[@biderman2024, section 4.7]. A newer one finds that the scaling gains what no rate gains [@zhang2026, abstract].
Another derives that the best rate stays the same over ranks, or falls as they grow, by the start and the scaling that
one takes [@chen2026, abstract].

## A rate for each factor

The factors start differently and stand in different places, so why should they learn at one rate? LoRA+ gives `lora_B`
a larger one: its authors derive for very wide models that one rate for both learns less than it could, and report gains
of [[plus-gain]] and runs [[plus-speed]] [@hayou2024plus, abstract].

The last chart tries it, each ratio at the rate that suits it best. At r = [[two-rates.r]] and scaling
[[two-rates.scaling:g]] the loss ends at [[two-rates.of_one:.2f]] nats with one rate, and at [[two-rates.of_four:.2f]]
and [[two-rates.of_sixteen:.2f]] when that of lora_B is [[two-rates.four:g]] or [[two-rates.sixteen:g]] times as
large. Of [[two-ranks.pairs]] comparisons, over all ranks, [[two-ranks.helped]] is clearly better than one rate and
[[two-ranks.hurt]] clearly worse, over five seeds: at r = [[two-ranks.best_r]] and [[two-ranks.best_ratio:g]] times
the loss ends lower by [[two-ranks.more:.2f]] nats ([[two-ranks.low:.2f]] to [[two-ranks.high:.2f]]). That is no
pattern over the ranks. The argument is one of width, and this model is narrow, so that little speaks for or against
it here.

## Too low, too high

A rate that is too low is easy to recognise: the loss still falls at the end, and it is late. It needs more steps, or a
larger rate. One that is too high gets stuck, and does not come back.

The two mistakes do not cost the same. Take AdamW at r = [[shape.r]] and scaling [[shape.scaling:g]]. At
[[shape.rate:g]] it ends at [[shape.at:.2f]] nats, one place of our grid below it at [[shape.low:.2f]], one place
above it at [[shape.high:.2f]].

What does “too high” look like at the end? The usual picture is a loss that shoots up and becomes no number at all. At
[[too-high.rate:g]], our largest rate for SGD, every LoRA run ends between [[too-high.least:.1f]] and
[[too-high.most:.1f]] nats. Of all [[blown.runs]] LoRA runs of the grid [[blown.diverged]] broke off, and of those
with further seeds [[blown.broken]]. They are ruined, and they look calm. In LoRA the last layers are frozen, and what
is frozen keeps the answers within bounds. A loss that is steady is not yet a loss that is good.

## Ten times full finetuning

A common rule says: take ten times the rate of full finetuning. A study of fourteen models fits [[tml-ten]], and
[[tml-short]] for very short runs, which it calls preliminary. LoRA's authors used [[hu-forty]] as much for GPT-3.
Another study finds one order of magnitude for instruction finetuning, and the same rate for both methods in its
training on code [@biderman2024, section 4.7].

Here everything else is equal: the same matrices learn, whole or through two factors. Full finetuning of the same
matrices, all else frozen, does best at [[same-matrices.full:g]]. LoRA at r = [[same-matrices.r]] does best at
[[same-matrices.small_rate:g]] with scaling [[same-matrices.small:g]], which is [[same-matrices.more:.1f]] times as
much, and at [[same-matrices.large_rate:g]] with scaling [[same-matrices.large:g]], which is
[[same-matrices.less:.1f]] times. So a ratio of the two rates means little unless the scaling is told with it. Take
the rule for what it is, a place to begin a sweep.

## What large models say

Not one thing. With $\\alpha / r$ and Adam, one study finds a best rate that hardly depends on the rank, for r
[[tml-range]]. That is what we see here. The study that proposes $\\alpha / \\sqrt{r}$ finds training better with it at
high ranks [@kalajdzievski2023, abstract]. A third recommends alpha at twice the rank, and calls that crucial for high
ranks [@biderman2024, section 4.7]. It keeps the scaling at two, whatever $r$.

The third rule is often told as a law. It is one recommendation among several. LoRA's authors set alpha to the first r
they tried and did not tune it [@hu2021, section 4.1]. Their ratios of alpha to r are [[hu-ratios]]. PEFT starts from
[[peft-default]], the QLoRA code from [[qlora-default]]. The study with the constant rate uses [[tml-alpha]].

And is alpha the knob that matters most? With Adam, tuning alpha is much like tuning the learning rate if the start is
scaled along [@hu2021, section 4.1]. Others disagree, as was said above. For QLoRA's authors what mattered most was how
many layers have adapters [@dettmers2023, section 4]. [The next lesson](placing.html) asks that.

Ours is one task, one small model, a few steps at a constant rate, and seeds that are few. You can change the rest in
[the live lab](lab.html?train.task=new+words&train.r=64&train.scaling_rule=alpha%2Fsqrt%28r%29): scaling, alpha,
optimiser and rate stand under “More settings”.

## And in a larger model?

Ours is small, so let us at least see which way things go as it grows. Three bases have read the same texts in as many
steps, of widths [[size.small]], [[size.middle]] and [[size.large]]: the smallest has [[size.few:,d]] numbers, the
largest [[size.many:,d]]. All three answer questions about stories ([[size.small_stories:.0%]],
[[size.middle_stories:.0%]] and [[size.large_stories:.0%]] right). Of the facts they know [[size.small_facts:.0%]],
[[size.middle_facts:.0%]] and [[size.large_facts:.0%]]. So the narrowest is not only smaller, it also knows less. Each
then learns new facts, which takes room, and the [question who had it first](knee.html#wall), which takes none.
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
**Rank.** At r = [[size-rank.first]] they hold [[size-rank.small_1:.0%]], [[size-rank.middle_1:.0%]] and
[[size-rank.large_1:.0%]] of [[size-rank.count:,d]] new facts, at r = [[size-rank.second]] [[size-rank.small_2:.0%]],
[[size-rank.middle_2:.0%]] and [[size-rank.large_2:.0%]]. From the narrowest to the next the difference is plain,
because the same rank is more numbers in a wider matrix. At r = [[size-numbers.first]] it is [[size-numbers.few:,d]]
numbers in the narrowest and [[size-numbers.many:,d]] in the widest. From there to the widest, over three seeds, it is
not. So what is a small rank for one model can be a sufficient one for a larger.

**Rate.** LoRA's best rate at r = [[size-rate.r]] is [[size-rate.small_ratio:.0f]], [[size-rate.middle_ratio:.0f]] and
[[size-rate.large_ratio:.0f]] times that of full finetuning on average over [[size-rate.seeds]] seeds, but single
seeds have [[size-rate.least:.0f]] to [[size-rate.most:.0f]]. That is a rise no larger than what chance does here:
near its best rate the loss is flat, and which of two rates wins is a matter of the seed. At all three widths LoRA
wants the larger rate.

**Forgetting.** Of the facts that they knew, LoRA leaves [[size-left.small_adapted:.0%]],
[[size-left.middle_adapted:.0%]] and [[size-left.large_adapted:.0%]], full finetuning [[size-left.small_full:.0%]],
[[size-left.middle_full:.0%]] and [[size-left.large_full:.0%]]. What a wider base has learned firmly, it keeps.
Between the two methods, each at its own best rate, three seeds show no difference.

Three widths of a toy are a direction and no law.

## In short

- The rate makes up for most of what a scaling does, and not for all of it. Whether the rest matters is contested.
- Scaling, rank and learning rate act together. Change one, and ask what becomes of the others.
- With AdamW and $\\alpha / r$ the best rate stayed about where it was over all ranks. With $\\alpha / \\sqrt{r}$ it
  fell.
- With SGD it rose under both rules, and more with $\\alpha / r$.
- Too low is late, too high is stuck. Here too high cost more, and it did not look like an explosion.
- Rules such as ten times the rate, or alpha at twice the rank, say where to begin.
"""
    )


LESSON = Lesson(
    slug="scale",
    title="Alpha, r and the learning rate",
    question="When r grows, must the learning rate follow?",
    part="Rooms",
    order=240,
    minutes=13,
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
                    "Stuck is the mark of a rate too high. It need not explode. At [[too-high.rate:g]], our "
                    "largest rate for SGD, every LoRA run ends between [[too-high.least:.1f]] and "
                    "[[too-high.most:.1f]] nats.",
                    right=True,
                ),
                Answer(
                    "A larger learning rate",
                    "A rate too low is late, but it still falls. Take AdamW at r = [[shape.r]] and scaling "
                    "[[shape.scaling:g]]. At [[shape.rate:g]] it ends at [[shape.at:.2f]] nats, one place of our "
                    "grid below it at [[shape.low:.2f]], one place above it at [[shape.high:.2f]].",
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
