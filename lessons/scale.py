"""The scaling and the learning rate: the reader can tell a rate too low from one too high, and what a larger r asks."""

from collections.abc import Iterator, Mapping
from statistics import fmean
from typing import Any

from compute.adapters.scaling import first_gain_ratio
from compute.experiments.grid import RANKS as GRID_RANKS
from compute.experiments.grid import RATES as GRID_RATES
from compute.experiments.grid import SAME, SCALINGS, load_grid
from compute.experiments.scale import FULL, RANKS, RATES, RateRun, best_range, best_rate, load_scale
from compute.training.config import OPTIMIZERS, SCALING_RULES
from lessons.press.blocks import Answer, Block, Cited, Claim, Correction, Figure, Lesson, Prose, Question, Try
from widgets.grid import Grid
from widgets.scale import FROM, TO, Scale, moved

PLAIN, ROOTED = "alpha/r", "alpha/sqrt(r)"
SHOWN = 16  # the rank that the figure opens with
MOST = RANKS[-1]


def _over(optimizer: str, rule: str, r: int) -> list[RateRun]:
    return load_scale().runs[optimizer][rule][r]


def _best(optimizer: str, rule: str, r: int) -> float:
    return RATES[optimizer][best_rate(_over(optimizer, rule, r))]


def _lowest(optimizer: str, rule: str, r: int) -> float:
    return min(run.final for run in _over(optimizer, rule, r) if run.final is not None)


def _gains() -> Mapping[str, Any]:
    grown = {
        (optimizer, rule): load_scale().gains[optimizer][rule][-1] / load_scale().gains[optimizer][rule][0]
        for optimizer in OPTIMIZERS
        for rule in SCALING_RULES
    }
    return {
        "least": RANKS[0],
        "most": MOST,
        "sgd_times": 1 / first_gain_ratio(PLAIN, "sgd", MOST),
        "sgd_measured": 1 / grown["sgd", PLAIN],
        "rooted_measured": grown["sgd", ROOTED],
        "plain_measured": grown["adamw", PLAIN],
        "adamw_times": first_gain_ratio(ROOTED, "adamw", MOST),
        "adamw_measured": grown["adamw", ROOTED],
    }


def _moves(optimizer: str, rule: str) -> Mapping[str, Any]:
    before, after = (best_range(_over(optimizer, rule, r)) for r in (FROM, TO))
    return {
        "small": FROM,
        "large": TO,
        "before": _best(optimizer, rule, FROM),
        "after": _best(optimizer, rule, TO),
        "how": moved(before, after),
    }


def _unsure() -> Mapping[str, Any]:
    middle = RANKS[-2]
    low, high = best_range(_over("sgd", ROOTED, FROM))
    return {
        "small": FROM,
        "spread": _spread(_over("sgd", ROOTED, FROM)),
        "share": (high - low + 1) / len(RATES["sgd"]),
        "middle": middle,
        "large": MOST,
        "rate": _best("sgd", ROOTED, MOST),
        "same": _best("sgd", ROOTED, middle) == _best("sgd", ROOTED, MOST),
    }


def _spread(over: list[RateRun]) -> float:
    """Return by how much two seeds differ, at most, where both were tried."""
    pairs = [(run.final, run.again) for run in over]
    return max(abs(one - other) for one, other in pairs if one is not None and other is not None)


def _everywhere() -> Mapping[str, Any]:
    bests = [_best("adamw", PLAIN, r) for r in RANKS]
    return {"rate": bests[0], "ranks": len(bests), "different": len(set(bests))}


def _either() -> Mapping[str, Any]:
    seeds = [_spread(_over("adamw", rule, r)) for r in RANKS for rule in SCALING_RULES]
    return {
        "r": MOST,
        "plain": _lowest("adamw", PLAIN, MOST),
        "rooted": _lowest("adamw", ROOTED, MOST),
        "spread": max(seeds),
    }


def _shape() -> Mapping[str, Any]:
    over = _over("adamw", PLAIN, SHOWN)
    best = best_rate(over)
    low, at, high = (run.final or 0.0 for run in over[best - 1 : best + 2])
    return {"r": SHOWN, "low": low - at, "high": high - at, "rate": RATES["adamw"][best]}


def _stuck() -> Mapping[str, Any]:
    last = [_over("adamw", rule, r)[-1].final or 0.0 for r in RANKS for rule in SCALING_RULES]
    return {
        "rate": RATES["adamw"][-1],
        "least": min(last),
        "most": max(last),
        "frequencies": load_scale().frequencies,
    }


def _blown() -> Mapping[str, Any]:
    adapted = [run for o in OPTIMIZERS for rule in SCALING_RULES for r in RANKS for run in _over(o, rule, r)]
    full = _over("sgd", PLAIN, FULL)
    first = min(i for i, run in enumerate(full) if run.final is None)
    return {
        "adapted": sum(run.final is None for run in adapted),
        "rate": RATES["sgd"][first],
        "all": all(run.final is None for run in full[first:]),
    }


def _ten() -> Mapping[str, Any]:
    adapted = _best("adamw", PLAIN, SHOWN)
    low, high = (RATES["adamw"][i] for i in best_range(_over("adamw", PLAIN, FULL)))
    return {
        "adapted": adapted,
        "low": low,
        "high": high,
        "least": adapted / high,
        "most": adapted / low,
        "adapted_loss": _lowest("adamw", PLAIN, SHOWN),
        "full_loss": _lowest("adamw", PLAIN, FULL),
    }


def _second() -> Mapping[str, Any]:
    # At r = 1 both rules are the same run.
    chosen = {(o, rule if r > 1 else PLAIN, r) for o in OPTIMIZERS for rule in SCALING_RULES for r in RANKS}
    agree = 0
    for over in (_over(*each) for each in chosen):
        again = {i: run.again for i, run in enumerate(over) if run.again is not None}
        agree += min(again, key=lambda i: again[i]) == best_rate(over)
    return {"agree": agree, "curves": len(chosen)}


def _rows(r: int) -> list[float]:
    """Return the losses of all scalings with AdamW, each at its own best rate: means over seeds."""
    return [fmean(found.loss) for found in load_grid().lora["adamw"][r]]


def _apart(r: int) -> float:
    """Return by how much the seeds of one setting differ, at most."""
    return max(max(found.loss) - min(found.loss) for found in load_grid().lora["adamw"][r])


def _free() -> Mapping[str, Any]:
    losses, rates = _rows(SHOWN), GRID_RATES["adamw"]
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
        "spread": _apart(SHOWN),
        "rate": rates[place],
        "fixed_low": min(known),
        "fixed_high": max(known),
        "above": [loss - low > _apart(SHOWN) for loss in losses],
    }


def _least_scaling() -> Mapping[str, Any]:
    """Return in how many ranks the least scaling ends above the best one by more than the seeds differ."""
    ranks = GRID_RANKS["adamw"]
    above = sum(_rows(r)[0] - min(_rows(r)) > _apart(r) for r in ranks)
    largest = [_rows(r)[-1] - min(_rows(r)) for r in ranks]
    return {
        "least": SCALINGS[0],
        "above": above,
        "ranks": len(ranks),
        "largest": SCALINGS[-1],
        "behind": max(largest),
    }


def _of_rank() -> Mapping[str, Any]:
    grid, ranks = load_grid(), GRID_RANKS["adamw"]
    first, last = (grid.lora["adamw"][r][grid.best("adamw", r)] for r in (ranks[0], ranks[-1]))
    return {
        "least": ranks[0],
        "most": ranks[-1],
        "first": fmean(first.loss),
        "last": fmean(last.loss),
        "first_right": fmean(first.right),
        "last_right": fmean(last.right),
    }


def _valley() -> Mapping[str, Any]:
    falls = [
        load_grid().lora["adamw"][r][0].rate / load_grid().lora["adamw"][r][-1].rate
        for r in GRID_RANKS["adamw"]
    ]
    times = SCALINGS[-1] / SCALINGS[0]
    return {"times": times, "least": min(falls), "most": max(falls), "ranks": len(falls), "root": times**0.5}


def _same_matrices() -> Mapping[str, Any]:
    row, full = load_grid().lora["adamw"][SHOWN], load_grid().full[SAME]
    return {
        "r": SHOWN,
        "small": SCALINGS[0],
        "large": SCALINGS[-1],
        "small_rate": row[0].rate,
        "large_rate": row[-1].rate,
        "full": full.rate,
        "more": row[0].rate / full.rate,
        "less": row[-1].rate / full.rate,
    }


CLAIMS: Mapping[str, Claim | Cited] = {
    "free": Claim(
        "With AdamW at r = {r}, each scaling at its own best rate, the loss ends between {low:.2f} nats, at scaling "
        "{best:g}, and {high:.2f}, at scaling {worst:g}. Seeds of one setting differ by up to {spread:.2f}.",
        _free,
        lambda v: v["low"] < v["high"],
    ),
    "fixed": Claim(
        "At one rate for all of them, {rate:g}, they end between {fixed_low:.2f} and {fixed_high:.2f}.",
        _free,
        lambda v: v["fixed_high"] - v["fixed_low"] > 3 * (v["high"] - v["low"]),
    ),
    "least-scaling": Claim(
        "At the least scaling, {least:g}, even its best rate ends above the best scaling's by more than seeds differ, "
        "at {above} of {ranks} ranks.",
        _least_scaling,
        lambda v: v["above"] >= 1,
    ),
    "of-rank": Claim(
        "From r = {least} to r = {most} the best of all cells goes from {first:.2f} nats to {last:.2f}, and from "
        "{first_right:.0%} of the facts to {last_right:.0%}.",
        _of_rank,
        lambda v: v["first"] > 5 * v["last"] and v["last_right"] > v["first_right"] + 0.2,
    ),
    "valley": Claim(
        "Over the whole grid the scaling grows {times:.0f} times, and the best rate of AdamW falls {least:.0f} to "
        "{most:.0f} times, whichever rank you take.",
        _valley,
        lambda v: v["root"] / 2.5 < v["least"] and v["most"] < v["root"] * 2.5,
    ),
    "same-matrices": Claim(
        "Full finetuning of the same matrices, all else frozen, does best at {full:g}. LoRA at r = {r} does best at "
        "{small_rate:g} with scaling {small:g}, which is {more:.1f} times as much, and at {large_rate:g} with scaling "
        "{large:g}, which is {less:.1f} times.",
        _same_matrices,
        lambda v: v["more"] > 2 and v["less"] < 1,
    ),
    "gains-sgd": Claim(
        "By the formula SGD's first step with alpha / r gains {sgd_times:.0f} times less at r = {most} than at "
        "r = {least}; on the mini-model it is {sgd_measured:.0f} times. With alpha / √r it gains the same at every r: "
        "{rooted_measured:.2f} times as much, measured.",
        _gains,
        lambda v: (
            max(abs(v["sgd_measured"] / v["sgd_times"] - 1), abs(v["rooted_measured"] - 1)) < 0.1
            and first_gain_ratio(ROOTED, "sgd", MOST) == 1
        ),
    ),
    "gains-adamw": Claim(
        "For AdamW it is alpha / r that keeps the gain: {plain_measured:.2f} times as much, measured. With alpha / √r "
        "it grows {adamw_times:.0f} times by the formula, {adamw_measured:.1f} times measured.",
        _gains,
        lambda v: (
            max(abs(v["adamw_measured"] / v["adamw_times"] - 1), abs(v["plain_measured"] - 1)) < 0.1
            and first_gain_ratio(PLAIN, "adamw", MOST) == 1
        ),
    ),
    "everywhere": Claim(
        "With AdamW and alpha / r the best of our learning rates is {rate:g}, at every one of the {ranks} ranks.",
        _everywhere,
        lambda v: v["different"] == 1,
    ),
    "adamw-rooted": Claim(
        "With alpha / √r it falls from {before:g} at r = {small} to {after:g} at r = {large}.",
        lambda: _moves("adamw", ROOTED),
        lambda v: v["how"] == "falls",
    ),
    "sgd-plain": Claim(
        "With SGD and alpha / r it rises from {before:g} at r = {small} to {after:g} at r = {large}.",
        lambda: _moves("sgd", PLAIN),
        lambda v: v["how"] == "rises" and v["after"] > 9 * v["before"],
    ),
    "sgd-rooted": Claim(
        "With SGD and alpha / √r nothing can be told at r = {small}: two seeds at one rate end {spread:.1f} nats "
        "apart. At r = {middle} and r = {large} the best rate is the same, {rate:g}.",
        _unsure,
        lambda v: v["share"] > 0.9 and v["same"],
    ),
    "either": Claim(
        "At r = {r}, each rule at its own best rate, AdamW ends at {plain:.2f} nats with alpha / r and at "
        "{rooted:.2f} with alpha / √r. Two seeds of one setting differ by up to {spread:.2f}.",
        _either,
        lambda v: abs(v["plain"] - v["rooted"]) < 0.1,
    ),
    "shape": Claim(
        "Take AdamW at r = {r}, with {rate:g} as the best rate. Half a decade below it costs {low:.2f} nats, half a "
        "decade above it {high:.2f}.",
        _shape,
        lambda v: v["high"] > 1.5 * v["low"] > 0,
    ),
    "stuck": Claim(
        "At {rate:g}, our largest rate for AdamW, every LoRA run ends between {least:.1f} and {most:.1f} nats. A "
        "writer who knows only how often each word comes has {frequencies:.1f}.",
        _stuck,
        lambda v: v["least"] > v["frequencies"],
    ),
    "blown": Claim(
        "Of all our LoRA runs {adapted} diverged. Full finetuning with SGD did, at {rate:g} and above.",
        _blown,
        lambda v: v["adapted"] == 0 and v["all"],
    ),
    "ten": Claim(
        "Here LoRA does best at {adapted:g} at every rank, full finetuning at {low:g} or {high:g}; two seeds disagree. "
        "So the ratio is {least:.0f} to {most:.1f}.",
        _ten,
        lambda v: v["low"] < v["high"] and v["most"] < 5,
    ),
    "floor": Claim(
        "After so few steps LoRA is at {adapted_loss:.2f} nats and full finetuning at {full_loss:.2f}.",
        _ten,
        lambda v: v["adapted_loss"] - v["full_loss"] > 0.4,
    ),
    "second": Claim(
        "Another seed, tried at the best two rates of each curve, prefers the same one in {agree} of {curves}.",
        _second,
        lambda v: v["agree"] > 0.7 * v["curves"],
    ),
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

The figure holds runs of the small model on the new language, all of them short. Only rank, rule, optimiser and rate
differ. Make your guess, then slide the rate.
"""
    )
    yield Figure("scale", Scale)
    yield Try(
        """
Slide the learning rate from end to end and watch the teal curve on its way down. What does a rate that is too low look
like, and what one that is too high? Then choose SGD and guess again, for both rules.
"""
    )
    yield Prose(
        """
## What the first step says

`lora_B` starts at zero, so only `lora_B` moves in the first step. Its gradient carries the scaling $s$ once, and
what it moves is multiplied by $s$ again. With the learning rate $\\eta$ and the gradient $G$ for the whole weight, a
step of SGD lowers the loss by

$$\\eta \\, s^2 \\, \\lVert G \\, \\text{lora_A}^{\\top} \\rVert^2$$

The norm sums over the $r$ rows of `lora_A`, so it grows as $r$. What is left is $s^2 r$. [[gains-sgd]]

Adam divides each entry by its own size. So the gradient's scaling drops out, one $s$ remains, and the gain grows as
$s \\, r$. [[gains-adamw]]

So each rule keeps the first step of one optimiser. Neither keeps that of both.

## What the steps after it say

The first step is no finetune. Does the best rate follow it all the same? [[everywhere]] [[adamw-rooted]] For SGD it
is the other way round once more. [[sgd-plain]] [[sgd-rooted]]

Is one rule better, then? [[either]] Here the rate made up for the rule, so that the rule only says where to look for
it. How far that goes is asked further down.

Our rates lie half a decade apart, so a smaller shift than that we cannot see. [[second]] The band in the last chart
shows what the seeds leave open.

## Too low, too high

A rate that is too low is easy to recognise: the curve is smooth, still falling, and late. It needs more steps, or a
larger rate. One that is too high falls fast, then gets stuck, and does not come back.

The two mistakes do not cost the same. [[shape]]

What does “too high” look like at the end? The usual picture is a loss that shoots up and becomes no number at all.
[[stuck]] They are ruined, and they look calm. [[blown]] In LoRA the last layers are frozen, and what is frozen keeps
the answers within bounds. A loss that is steady is not yet a loss that is good.

## Ten times full finetuning

A common rule says: take ten times the rate of full finetuning. A study of fourteen models fits [[tml-ten]], and
[[tml-short]] for very short runs, which it calls preliminary. LoRA's authors used [[hu-forty]] as much for GPT-3.
Another study finds one order of magnitude for instruction finetuning, and the same rate for both methods in its
training on code [@biderman2024, section 4.7].

[[ten]] That is less than the rule says. It is a rough number, of one task and one small model. So take the rule for
what it is: a place to begin a sweep.

The control also shows what no rate gave. [[floor]] [The lab](lab.html) tells why: the embeddings stay frozen.

## What large models say

Not one thing. With $\\alpha / r$ and Adam, one study finds a best rate that hardly depends on the rank, for r
[[tml-range]]. That is what we see here. The study that proposes $\\alpha / \\sqrt{r}$ finds training better with it at
high ranks [@kalajdzievski2023, abstract]. A third recommends alpha at twice the rank, and calls that crucial for high
ranks [@biderman2024, section 4.7]. It keeps the scaling at two, whatever $r$.

The third rule is often told as a law. It is one recommendation among several. LoRA's authors set alpha to the first r
they tried and did not tune it [@hu2021, section 4.1]. Their ratios of alpha to r are [[hu-ratios]]. PEFT starts from
[[peft-default]], the QLoRA code from [[qlora-default]]. The study with the constant rate uses [[tml-alpha]].

And is alpha the knob that matters most? With Adam, tuning alpha is much like tuning the learning rate if the start is
scaled along [@hu2021, section 4.1]. Others disagree, as the next section says. For QLoRA's authors what mattered most
was how many layers have adapters
[@dettmers2023, section 4]. [The next lesson](placing.html) asks that.

This was one task, one alpha, and short runs. You can change all of these in
[the live lab](lab.html?train.task=new+words&train.r=64&train.scaling_rule=alpha%2Fsqrt%28r%29): scaling, alpha,
optimiser and rate stand under “More settings”.

## Can the rate undo the scaling?

A rule and an alpha come to one number at each rank, the scaling. So one question lies under all that was said: is the
scaling a second learning rate? If it is, then every scaling ends at the same loss once the rate is free, because the
one makes up for the other.

This figure asks it of the model that [the lab](lab.html) trains. It learns facts about people of whom it has never
read. They are there to be remembered, so there is no unseen text; the share of right answers stands beside the loss.
"""
    )
    yield Figure("grid", Grid)
    yield Try(
        """
Slide the scaling from end to end and follow the framed cell. Does it walk down the diagonal, as a product that stays
the same would have it? Then change the rank, and watch where the two rules stand in the chart.
"""
    )
    yield Prose(
        """
Without its own rate a scaling looks decisive. [[fixed]] With it, much less is left. [[free]] The rest does not vanish,
though. [[least-scaling]] And what a rank lacks, neither gives, because it is room that is missing. [[of-rank]]

The best rates are not those of a product that stays the same. [[valley]] From the first step alone you would expect one
for one, since only `lora_B` moves in it. We did not measure why it is less. One reading is that `lora_A` moves as well
from then on, and a rate moves both factors where the scaling stands before their product once. An exact exchange of
the two exists, but it also asks for another start of `lora_A` and for two rates [@schulman2025, blog post].

This also says what the rule of ten times hides. [[same-matrices]] So a ratio of the two rates means little unless the
scaling is told with it.

The literature disagrees here. One study raised the rate in place of alpha, and found unstable and often worse runs
[@biderman2024, section 4.7]. A newer one finds that the scaling gains what no rate gains [@zhang2026, abstract].
Another derives that the best rate stays the same over ranks, or falls as they grow, by the start and the scaling that
one takes [@chen2026, abstract]. Ours is one task, one small model, a few steps at a constant rate, and scalings
that lie far apart.

## In short

- The rate makes up for most of what a scaling does, and not for all of it. Whether the rest matters is contested.
- Scaling, rank and learning rate act together. Change one, and ask what becomes of the others.
- With AdamW and $\\alpha / r$ the best rate stayed where it was over all ranks. With $\\alpha / \\sqrt{r}$ it fell.
- With SGD it is the other way round.
- Too low is late, too high is stuck. Here too high cost more, and it did not look like an explosion.
- Rules such as ten times the rate, or alpha at twice the rank, say where to begin.
"""
    )


LESSON = Lesson(
    slug="scale",
    title="Alpha, r and the learning rate",
    question="When r grows, must the learning rate follow?",
    part="How to set it up",
    order=52,
    minutes=14,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "You train with AdamW and alpha / r, and raise r. What becomes of the best learning rate?",
            (
                Answer("It rises with r", "That is SGD's answer. [[sgd-plain]]"),
                Answer(
                    "It stays about where it was",
                    "The first step gains the same at every r, and the best rate followed it. [[everywhere]]",
                    right=True,
                ),
                Answer("It falls as r grows", "That is what alpha / √r does with AdamW. [[adamw-rooted]]"),
            ),
        ),
        Question(
            "A loss falls fast, stops early, and stays flat. What do you try first?",
            (
                Answer(
                    "A smaller learning rate",
                    "Fast and then stuck is the mark of a rate too high. It need not explode. [[stuck]]",
                    right=True,
                ),
                Answer("A larger learning rate", "A rate too low is late, but it still falls. [[shape]]"),
                Answer("More steps", "They help where a curve still falls. This one does not."),
            ),
        ),
        Question(
            "Two colleagues swear by two scaling rules. Both use AdamW and a large r. How do you compare them fairly?",
            (
                Answer("At the same learning rate", "The rules want different rates. [[adamw-rooted]]"),
                Answer(
                    "Each at its own best learning rate",
                    "Most of the difference between the rules is where that rate lies. [[either]]",
                    right=True,
                ),
                Answer(
                    "By the gain of the first step",
                    "It does not say where a run ends; at their own rates they ended close. [[either]]",
                ),
            ),
        ),
    ),
    corrections=(
        Correction(
            "The number that matters most is alpha over r.",
            "It is contested. Here the rank and the rate decided more: with the rate free, less was left of scaling. "
            "[[fixed]] [[free]]",
            "grid",
        ),
        Correction(
            "A learning rate that is too high shows itself: the loss explodes.",
            "With LoRA it did not here. [[stuck]] [[blown]]",
            "scale",
        ),
    ),
)
