"""Where the adapters sit: the reader can spend one budget in many places, and say what the places were worth here."""

from collections.abc import Iterator, Mapping
from typing import Any

from compute.adapters.placing import BUDGET, code_of, numbers_at, rank_within
from compute.experiments.placing import (
    ALL,
    ATTENTION,
    CODES,
    FULL,
    MLP,
    SEEDS,
    STYLE,
    TASKS,
    Placed,
    load_placing,
)
from compute.model.layers import BLOCKS, TARGET_MODULES
from compute.world.tasks import FACTS, SKILL
from lessons.press.blocks import Answer, Block, Cited, Claim, Correction, Figure, Lesson, Prose, Question, Try
from widgets.placing import Placing

SETS = {
    "q": ("q_proj",),
    "k": ("k_proj",),
    "v": ("v_proj",),
    "o": ("o_proj",),
    "up": ("up_proj",),
    "down": ("down_proj",),
    "qk": ("q_proj", "k_proj"),
    "qv": ("q_proj", "v_proj"),
    "attention": ATTENTION,
    "mlp": MLP,
    "six": TARGET_MODULES,
}
STEER = ("q", "k", "qk")  # what decides where the model looks, and nothing else


def _of(task: str, name: str) -> Placed:
    return load_placing().runs[task][FULL if name == FULL else code_of(SETS[name])]


def _all(task: str, what: str = "loss") -> dict[str, Any]:
    """Return what each of SETS, the base and full finetuning come to."""
    return {name: _of(task, name).mean(what) for name in (*SETS, FULL)} | {
        "before": load_placing().before[task][what]
    }


def _gap(task: str, name: str, other: str = "six", what: str = "loss") -> dict[str, Any]:
    """Return how much higher one set ends than another."""
    gap = load_placing().apart(task, code_of(SETS[name]), code_of(SETS[other]), what)
    return {"mean": gap.mean, "low": gap.low, "high": gap.high, "verdict": gap.verdict}


def _budget() -> Mapping[str, Any]:
    ranks = {name: rank_within(code_of(names)) for name, names in SETS.items()}
    off = [numbers_at(code, rank_within(code)) / BUDGET - 1 for code in CODES]
    return {
        "budget": BUDGET,
        "paper": ranks["qv"],
        "six": ranks["six"],
        "single": ranks["q"],
        "off": max(map(abs, off)),
        "sets": len(CODES),
        "seeds": len(SEEDS),
    }


def _rates() -> Mapping[str, Any]:
    rates = [placed.rate for task in TASKS for placed in (_of(task, name) for name in SETS)]
    return {"slow": min(rates), "fast": max(rates)}


def _style() -> Mapping[str, Any]:
    ends = _all(STYLE)
    others = [ends[name] for name in SETS if name not in STEER]
    return ends | {"least": min(others), "most": max(others)}


def _steered(task: str) -> Mapping[str, Any]:
    """Return shares right where only steering is adapted, and elsewhere."""
    return _all(task, "right") | {"facts": TASKS[task].get("n_texts")}


def _beside(task: str, name: str, other: str = "six", what: str = "loss") -> Mapping[str, Any]:
    """Return what two sets come to, their shares right, and how far apart they are."""
    one, two = _of(task, name), _of(task, other)
    return _gap(task, name, other, what) | {
        "one": one.mean(what),
        "other": two.mean(what),
        "one_right": one.mean("right"),
        "other_right": two.mean("right"),
        "r": rank_within(code_of(SETS[name])),
        "other_r": rank_within(code_of(SETS[other])),
    }


def _kept() -> Mapping[str, Any]:
    """Return how much of the old facts the MLP and attention leave."""
    tasks = {"style": STYLE, "skill": SKILL}
    mlp, attention = ({key: _of(task, name) for key, task in tasks.items()} for name in ("mlp", "attention"))
    return {
        **{key: mlp[key].mean("facts") for key in tasks},
        **{f"{key}_attention": attention[key].mean("facts") for key in tasks},
        "verdicts": {_gap(task, "mlp", "attention", "facts")["verdict"] for task in tasks.values()},
        "same_rates": all(mlp[key].rate == attention[key].rate for key in tasks),
    }


def _blocks(task: str) -> Mapping[str, Any]:
    """Return what each block alone comes to, and how far the worst is from the best."""
    codes = [code_of(TARGET_MODULES, (block,)) for block in BLOCKS]
    placed = [load_placing().runs[task][code] for code in codes]
    ends = {name: each.mean() for name, each in zip(("first", "middle", "last"), placed, strict=True)}
    rights = {f"{name}_right": each.mean("right") for name, each in zip(ends, placed, strict=True)}
    gap, beside = (load_placing().apart(task, codes[-1], other) for other in (codes[0], ALL))
    return {
        **ends,
        **rights,
        "verdict": gap.verdict,
        "beside": beside.verdict,
        "beside_low": -beside.high,
        "beside_high": -beside.low,
    }


CLAIMS: Mapping[str, Claim | Cited] = {
    "budget": Claim(
        _budget,
        lambda v: v["single"] > v["paper"] > v["six"],
    ),
    "off": Claim(
        _budget,
        lambda v: v["off"] < 0.03,
    ),
    "rates": Claim(
        _rates,
        lambda v: v["fast"] > 3 * v["slow"],
    ),
    "style-steer": Claim(
        _style,
        lambda v: min(v["q"], v["k"], v["qk"]) > v["most"] + 1,
    ),
    "facts-steer": Claim(
        lambda: _steered(FACTS),
        lambda v: max(v["q"], v["k"], v["qk"]) < 0.2 and v["six"] > 0.6,
    ),
    "skill-steer": Claim(
        lambda: _steered(SKILL),
        lambda v: min(v["qk"], v["k"]) > 0.9 and v["before"] < 0.1,
    ),
    "skill-gap": Claim(
        lambda: _beside(SKILL, "qk"),
        lambda v: v["verdict"] == "level" and v["mean"] > 0 and len(SEEDS) == 5,
    ),
    "skill-kept": Claim(
        lambda: _beside(SKILL, "qk", what="facts"),
        lambda v: v["verdict"] == "above",
    ),
    "facts-mlp": Claim(
        lambda: _beside(FACTS, "mlp", "attention"),
        lambda v: v["verdict"] == "below" and v["one_right"] > v["other_right"],
    ),
    "facts-paper": Claim(
        lambda: _beside(FACTS, "qv"),
        lambda v: v["verdict"] == "above",
    ),
    "facts-up": Claim(
        lambda: _beside(FACTS, "up"),
        lambda v: v["verdict"] == "below",
    ),
    "style-mlp": Claim(
        lambda: _beside(STYLE, "mlp", "attention"),
        lambda v: v["verdict"] != "above" and abs(v["mean"]) < 0.01,
    ),
    "skill-mlp": Claim(
        lambda: _beside(SKILL, "mlp", "attention"),
        lambda v: (
            v["verdict"] == "level" and abs(v["one_right"] - v["other_right"]) < 0.01 and len(SEEDS) == 5
        ),
    ),
    "kept": Claim(
        _kept,
        lambda v: v["verdicts"] == {"above"} and v["same_rates"],
    ),
    "blocks-style": Claim(
        lambda: _blocks(STYLE),
        lambda v: v["first"] < v["middle"] < v["last"] and v["verdict"] == "above",
    ),
    "blocks-skill": Claim(
        lambda: _blocks(SKILL),
        lambda v: (
            min(v["first_right"], v["middle_right"]) > v["last_right"] + 0.1 and v["verdict"] == "above"
        ),
    ),
    "blocks-facts": Claim(
        lambda: _blocks(FACTS),
        lambda v: v["first_right"] < v["middle_right"] < v["last_right"] and v["verdict"] == "below",
    ),
    "blocks-all": Claim(
        lambda: _blocks(FACTS),
        lambda v: v["beside"] == "below",
    ),
    "paper-q": Cited("70.4 and 91.0", "hu2021", "table 5"),
    "paper-k": Cited("70.0 and 90.8", "hu2021", "table 5"),
    "paper-o": Cited("73.2 and 91.3", "hu2021", "table 5"),
    "paper-qk": Cited("71.4 and 91.3", "hu2021", "table 5"),
    "paper-qv": Cited("73.7 and 91.3", "hu2021", "table 5"),
    "paper-qkvo": Cited("73.7 and 91.7", "hu2021", "table 5"),
    "tml-attention": Cited("r = 256 on attention, 0.25 billion numbers", "schulman2025", "blog post"),
    "tml-mlp": Cited("r = 128 on the MLP, 0.24 billion", "schulman2025", "blog post"),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
## One budget, many places

A block of our model has six matrices: `q_proj`, `k_proj`, `v_proj` and `o_proj` in attention, `up_proj` and
`down_proj` in the MLP. There are three blocks. Any of these may have an adapter. Which should?

A fair answer holds something fixed. We fix what is trained. Few places then get a large rank, many places a small
one. With [[budget.budget:,d]] numbers to spend, q_proj and v_proj in all blocks get r = [[budget.paper]], all six
matrices get r = [[budget.six]], and q_proj alone gets r = [[budget.single]]. Whole ranks bring each of our
[[off.sets]] sets within [[off.off:.0%]] of it.

And no set should lose because of its learning rate. So each has its own: more rates were tried, slower and faster,
until the best had a worse one on either side. The best ones go from [[rates.slow:g]] to [[rates.fast:g]].

What is learned may matter, too. So there are three tasks. The *formal voice* is a style: the same stories, told in
another way. *Who had it first* is a skill: a new question about stories that the model can already follow. *New facts*
are memory: they stand in no text, and have to be put into the weights.

LoRA's authors compared places in this way on attention only, and took `q_proj` and `v_proj`. Many still do. Make your
guess, then tick.
"""
    )
    yield Figure("placing", Placing)
    yield Try(
        """
Tick `q_proj` and `v_proj` as the paper does, and go through the three tasks. Where is the pair as good as all six?
Then look for the best set and the worst one of each task.
""",
        run={
            "the pair": {"task": "who-had-it-first", "size": "4", "matrices": "qv"},
            "the MLP alone": {"task": "who-had-it-first", "size": "4", "matrices": "mlp"},
            "the last block alone": {"task": "who-had-it-first", "size": "4", "blocks": "2"},
        },
    )
    yield Prose(
        """
## What steering cannot do

Two of the matrices, `q_proj` and `k_proj`, decide where the model looks. What it then takes from there and writes down
is up to the others.

The formal voice starts at [[style-steer.before:.2f]] nats per word. q_proj alone comes to [[style-steer.q:.2f]],
k_proj alone to [[style-steer.k:.2f]], both together to [[style-steer.qk:.2f]]. Every other set of matrices ends
between [[style-steer.least:.2f]] and [[style-steer.most:.2f]]. Of [[facts-steer.facts]] new facts q_proj alone has
[[facts-steer.q:.0%]] right, k_proj alone [[facts-steer.k:.0%]], both together [[facts-steer.qk:.0%]]. The base, which
has to guess, has [[facts-steer.before:.0%]], all six [[facts-steer.six:.0%]]. A new way of speaking is not found by
looking elsewhere, and neither is a fact that stands in no text.

## What steering can do

Asked who had it first, q_proj and k_proj together are right [[skill-steer.qk:.0%]] of the time, k_proj alone
[[skill-steer.k:.0%]]. The base is right [[skill-steer.before:.0%]] of the time, all six [[skill-steer.six:.0%]]. Here
the answer stands in the story, as a name. What has to be learned is where to look for it. In nats the pair ends
[[skill-gap.low:+.3f]] to [[skill-gap.high:+.3f]] above all six: five seeds cannot tell them apart. Of the facts that
the base knew they leave [[skill-kept.one:.0%]], all six [[skill-kept.other:.0%]].

So it would be wrong to say that these two cannot learn. It depends on the task whether looking elsewhere helps.

## Attention or the MLP

With new facts the MLP ends at [[facts-mlp.one:.2f]] nats and [[facts-mlp.one_right:.0%]] right, attention at
[[facts-mlp.other:.2f]] and [[facts-mlp.other_right:.0%]]. The paper's pair, q_proj and v_proj, has
[[facts-paper.one_right:.0%]]. up_proj alone, with r = [[facts-up.r]], has [[facts-up.one_right:.0%]], and all six,
with r = [[facts-up.other_r]], [[facts-up.other_right:.0%]]. Memory wants the MLP here, and a few places with a larger
rank do better than all with a small one.

In the formal voice the MLP ends at [[style-mlp.one:.3f]] nats, attention at [[style-mlp.other:.3f]]. Asked who had it
first, the MLP has [[skill-mlp.one_right:.1%]] right, attention [[skill-mlp.other_right:.1%]]; in nats, five seeds
cannot tell the two apart. So for a style and for a skill it hardly matters which of the two is adapted. It matters
for what is lost. Of the facts that the base knew, the MLP leaves [[kept.style:.0%]] after the formal voice and
[[kept.skill:.0%]] after the skill, attention [[kept.style_attention:.0%]] and [[kept.skill_attention:.0%]]. The two
had the same learning rates there.

## Which blocks

Some say: adapt the middle third. All six matrices of a single block, with the same budget, tell another story.

The formal voice ends at [[blocks-style.first:.2f]] nats with the first block alone, at [[blocks-style.middle:.2f]]
with the middle one, at [[blocks-style.last:.2f]] with the last. The skill has [[blocks-skill.first_right:.0%]] right
with the first block alone, [[blocks-skill.middle_right:.0%]] with the middle one, [[blocks-skill.last_right:.0%]]
with the last. New facts go the other way: [[blocks-facts.first_right:.0%]], [[blocks-facts.middle_right:.0%]] and
[[blocks-facts.last_right:.0%]]. The last block alone ends [[blocks-all.beside_low:.2f]] to
[[blocks-all.beside_high:.2f]] nats below all three with the same numbers. The middle one was the best at none of the
three.

The reason may be what comes after. Who had it first must be looked up by later blocks, and the last has none behind it.
A fact needs no more than its question, which by then has been read. That is a guess; the runs show only the losses.
Another model can ask for another block: AdaLoRA liked the top layers [@zhang2023, section 4]. So we take no rule from
this but one: it depends on the task.

## Beside the paper

The table in the figure is that of LoRA's authors. Its two columns are accuracies on WikiSQL and MNLI.

- `k_proj` alone is the worst: [[paper-k]]. `q_proj` alone is close: [[paper-q]]. They call both clearly lower.
- `o_proj` alone beats `q_proj`: [[paper-o]]. So the change does not live in `q_proj` and `v_proj`.
- `q_proj` and `k_proj` together: [[paper-qk]]. On the second task that ties `q_proj` and `v_proj`: [[paper-qv]].
  Steering was enough there, as it nearly is for our skill.
- All four: [[paper-qkvo]]. Beside the pair that is a tie on the first task, and a gain on the second that is larger
  than the stated spread.

The table is sometimes told as a test of adapters with rank one. It is a test at one budget: the ranks were eight,
four and two. Runs with rank one stand in the next table [@hu2021, table 6].

And it says nothing of the MLP, whose matrices stayed frozen [@hu2021, section 4.2].

## What was found later

Those who tried the MLP disagree with attention only. One study finds that attention alone does worse than the MLP
alone, and worse than everything [@biderman2024, section 4.7]. Another finds [[tml-attention]], worse than
[[tml-mlp]]. AdaLoRA moves its budget by itself: it prefers the MLP and the top layers [@zhang2023, section 4]. For
QLoRA's authors the number of adapted layers mattered most [@dettmers2023, section 4].

A usual story gives a reason against this: the MLP would need more rank for the same effect. Under one budget it has
less rank than attention here, and was nowhere measurably worse.

## What to do with it

Adapt everything, if you can pay for it: the studies above point there. If you must choose, ask what is to be learned.
Do not leave out the MLP because of a table that never tried it. And give each choice its own learning rate before you
judge.

This was one small model, one budget and short runs. Another set is a click away: tick it and follow the link to the
live lab.

## In short

- Compare places under one budget, each at its own learning rate.
- `q_proj` and `k_proj` only steer. That taught little of a style and of new facts, and nearly all of a skill.
- New facts were learned best in the MLP and in the last block, where the skill was learned least.
- For the style and the skill, attention and the MLP did about equally well, and the MLP left more of the old facts.
- Where to put an adapter depends on what it is to learn.
"""
    )


LESSON = Lesson(
    slug="placing",
    title="Where to put it",
    question="One budget of trained numbers: which matrices, and which blocks?",
    part="Rooms",
    order=250,
    minutes=14,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "You adapt only `q_proj` and `k_proj`. What can the model learn?",
            (
                Answer(
                    "As much as with any other two",
                    "Not a style, and no facts. The formal voice starts at [[style-steer.before:.2f]] nats per "
                    "word. q_proj alone comes to [[style-steer.q:.2f]], k_proj alone to [[style-steer.k:.2f]], "
                    "both together to [[style-steer.qk:.2f]]. Every other set of matrices ends between "
                    "[[style-steer.least:.2f]] and [[style-steer.most:.2f]]. Of [[facts-steer.facts]] new facts "
                    "q_proj alone has [[facts-steer.q:.0%]] right, k_proj alone [[facts-steer.k:.0%]], both "
                    "together [[facts-steer.qk:.0%]]. The base, which has to guess, has "
                    "[[facts-steer.before:.0%]], all six [[facts-steer.six:.0%]].",
                ),
                Answer(
                    "To look elsewhere, and that can be enough",
                    "What is read and written stays frozen. Where the answer stands in the text, that may do. "
                    "Asked who had it first, q_proj and k_proj together are right [[skill-steer.qk:.0%]] of the "
                    "time, k_proj alone [[skill-steer.k:.0%]]. The base is right [[skill-steer.before:.0%]] of "
                    "the time, all six [[skill-steer.six:.0%]].",
                    right=True,
                ),
                Answer(
                    "Nothing at all",
                    "A skill, nearly as well as with all six. Asked who had it first, q_proj and k_proj together "
                    "are right [[skill-steer.qk:.0%]] of the time, k_proj alone [[skill-steer.k:.0%]]. The base "
                    "is right [[skill-steer.before:.0%]] of the time, all six [[skill-steer.six:.0%]].",
                ),
            ),
        ),
        Question(
            "What does the LoRA paper's table of places say about adapting the MLP?",
            (
                Answer("That it is not worth it", "Nobody tried: the MLP was frozen there."),
                Answer(
                    "That it needs a larger rank",
                    "It holds no such run. Here the MLP did well with less rank.",
                ),
                Answer(
                    "Nothing",
                    "It compares the matrices of attention. Those who tried the MLP later prefer it. With new "
                    "facts the MLP ends at [[facts-mlp.one:.2f]] nats and [[facts-mlp.one_right:.0%]] right, "
                    "attention at [[facts-mlp.other:.2f]] and [[facts-mlp.other_right:.0%]].",
                    right=True,
                ),
            ),
        ),
        Question(
            "Two sets of places end at different losses. When does that say something about the places?",
            (
                Answer(
                    "When both have the same rank",
                    "Then the larger set trains more numbers. With [[budget.budget:,d]] numbers to spend, q_proj "
                    "and v_proj in all blocks get r = [[budget.paper]], all six matrices get r = [[budget.six]], "
                    "and q_proj alone gets r = [[budget.single]].",
                ),
                Answer(
                    "When both train as many numbers, each at a rate that suits it, and the seeds agree",
                    "Otherwise you compare budgets, learning rates, or luck. The best ones go from "
                    "[[rates.slow:g]] to [[rates.fast:g]].",
                    right=True,
                ),
                Answer(
                    "Always",
                    "Some differences are no larger than those of seeds. In the formal voice the MLP ends at "
                    "[[style-mlp.one:.3f]] nats, attention at [[style-mlp.other:.3f]].",
                ),
            ),
        ),
    ),
    corrections=(
        Correction(
            "What a task needs is written in attention, so the MLP can stay frozen. It would need more rank.",
            "The paper that is cited for it did not try the MLP. With one budget, and less rank: With new"
            " facts the MLP ends at [[facts-mlp.one:.2f]] nats and [[facts-mlp.one_right:.0%]] right, "
            "attention at [[facts-mlp.other:.2f]] and [[facts-mlp.other_right:.0%]].",
            "placing",
        ),
        Correction(
            "The best choice of places was found with adapters of rank one.",
            "It was found at one budget, so that fewer places had more rank. On one task the best two tie there: "
            "[[paper-qv]] for two matrices, [[paper-qkvo]] for four.",
            "placing",
        ),
    ),
)
