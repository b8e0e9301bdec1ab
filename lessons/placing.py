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
    return {"mean": gap.mean, "verdict": gap.verdict}


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
    return ends | {"most": max(ends[name] for name in SETS if name not in STEER)}


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
        "all_right": load_placing().runs[task][ALL].mean("right"),
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
            min(v["first_right"], v["middle_right"]) > v["last_right"] + 0.1
            and v["first"] < v["middle"]
            and v["verdict"] == "above"
        ),
    ),
    "blocks-facts": Claim(
        lambda: _blocks(FACTS),
        lambda v: (
            v["first_right"] < v["middle_right"] < v["last_right"] > v["all_right"]
            and v["verdict"] == v["beside"] == "below"
        ),
    ),
    "paper-q": Cited("70.4 and 91.0", "hu2021", "table 5"),
    "paper-k": Cited("70.0 and 90.8", "hu2021", "table 5"),
    "paper-o": Cited("73.2 and 91.3", "hu2021", "table 5"),
    "paper-qv": Cited("73.7 and 91.3", "hu2021", "table 5"),
    "paper-qkvo": Cited("73.7 and 91.7", "hu2021", "table 5"),
    "tml-attention": Cited("r = 256 on attention, 0.25 billion numbers", "schulman2025", "the article"),
    "tml-mlp": Cited("r = 128 on the MLP, 0.24 billion", "schulman2025", "the article"),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
An adapter costs memory and time in each place where it sits, and somebody has to say which places these are. [Who did
it](frozen.html#placing) found that two matrices which only steer cannot store facts, and that the MLP stores them best.
Here is the rest: how the comparison was made, what is lost meanwhile, which blocks matter, and what others measured.

## One budget

A block of our model has six matrices, `q_proj`, `k_proj`, `v_proj` and `o_proj` in attention, `up_proj` and `down_proj`
in the MLP, and there are three blocks. To be fair between places, something has to be held fixed. We fix how much is
trained: few places then get a large rank, many places a small one. With [[budget.budget:,d]] numbers to spend, `q_proj`
alone gets r = [[budget.single]], and all six matrices get r = [[budget.six]]. Whole ranks bring each of our
[[off.sets]] sets within [[off.off:.0%]] of the budget.

No set should lose because of its learning rate either, so each has its own: more rates were tried, slower and faster,
until the best had a worse one on either side. They go from [[rates.slow:g]] to [[rates.fast:g]]. And there are three
tasks, because what is learned may matter as much as where: the *formal voice* is a style, *who had it first* a skill,
and *new facts* are memory.
"""
    )
    yield Figure("placing", Placing, dict(task="who-had-it-first", family="blocks", guess="skip"))
    yield Try(
        """
The rows compare whole blocks: all six matrices of one, with the same budget. Go from the skill to [the
voice](#placing?task=formal-voice&family=blocks) and to [the facts](#placing?task=new-facts&family=blocks), and say each
time which block you would choose. Then [compare single matrices](#placing?family=matrices), and measure by the old
facts that are still right.
""",
        run={
            "the last block alone": {"task": "who-had-it-first", "size": "4", "blocks": "2"},
            "the first block alone": {"task": "who-had-it-first", "size": "4", "blocks": "0"},
        },
    )
    yield Prose(
        """
## Which blocks

One could save by adapting a third of the blocks, and the middle third has its friends. Here the middle block was the
best at none of the three tasks. The formal voice ends at [[blocks-style.first:.2f]] nats with the first block alone and
at [[blocks-style.last:.2f]] with the last. The skill gets [[blocks-skill.first_right:.0%]] right with the first, and
with the last [[blocks-skill.last_right:.0%]]. New facts go the other way: the first block alone has
[[blocks-facts.first_right:.0%]] of them, and the last [[blocks-facts.last_right:.0%]], which is more than all three get
with the same numbers between them.

The reason may be what comes after. Who had a thing first must be looked up by the blocks that follow, and the last has
none behind it, whereas a fact needs no more than its question, which by then has been read. That is a guess, since the
runs show only how they ended. Another model can ask for another block: AdaLoRA, which moves its budget by itself,
prefers the MLP and the top layers [@zhang2023, section 4]. So we take one rule from this and no other, that it depends
on the task.

## Attention or the MLP

Looking elsewhere finds a new way of speaking as little as it finds a fact. From [[style-steer.before:.2f]] nats per
word `q_proj` and `k_proj` together bring the formal voice to [[style-steer.qk:.2f]], while every set with any other
matrix in it ends at [[style-steer.most:.2f]] or below. For the rest it hardly matters. In the voice the MLP ends at
[[style-mlp.one:.3f]] nats and attention at [[style-mlp.other:.3f]]. Of the skill they have [[skill-mlp.one_right:.0%]]
and [[skill-mlp.other_right:.0%]] right, and five seeds cannot tell them apart.

It does matter for what is lost. Of the facts that the base knew, the MLP leaves [[kept.style:.0%]] after the voice, and
attention [[kept.style_attention:.0%]], at the same learning rate. After the skill it is [[kept.skill:.0%]] against
[[kept.skill_attention:.0%]]. The two matrices that only steer leave [[skill-kept.one:.0%]] after the skill, and all six
[[skill-kept.other:.0%]].

With new facts, a few places at a large rank do better than all at a small one. `up_proj` alone, with r =
[[facts-up.r]], has [[facts-up.one_right:.0%]] of them, where all six have [[facts-up.other_right:.0%]], and the pair of
the paper, `q_proj` and `v_proj`, has [[facts-paper.one_right:.0%]].

## The paper's table

The table in the figure is that of LoRA's authors; its columns are accuracies on WikiSQL and MNLI.

- `k_proj` alone is the worst: [[paper-k]]. `q_proj` alone is close: [[paper-q]]. They call both clearly lower.
- `o_proj` alone beats `q_proj`: [[paper-o]]. So the change need not live in `q_proj` and `v_proj`.
- All four reach [[paper-qkvo]]. Beside the pair, [[paper-qv]], that is a tie on the first task, and on the second a
  gain that is larger than the stated spread.

It is a test at one budget, with ranks of eight, four and two; runs with rank one stand in the next table
[@hu2021, table 6]. And it says nothing of the MLP, whose matrices stayed frozen [@hu2021, section 4.2].

## What was found later

Those who tried the MLP disagree with adapting attention alone. One study finds that attention alone does worse than the
MLP alone, and worse than everything [@biderman2024, section 4.7]. Another compares [[tml-attention]], with [[tml-mlp]],
and finds attention worse. For QLoRA's authors the number of adapted layers mattered most [@dettmers2023, section 4].

So adapt everything, if you can pay for it. If you must choose, ask what is to be learned, and do not leave out the MLP
because of a table that never tried it. This was one small model, one budget and short runs; another set is a click
away, because what you tick in the figure can be trained in [the live part of the lab](lab.html).
"""
    )


LESSON = Lesson(
    slug="placing",
    title="Where to put it",
    question="One budget of trained numbers: which matrices, and which blocks?",
    part="Rooms",
    order=250,
    minutes=6,
    claims=CLAIMS,
    build=build,
    questions=(
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
                    "Otherwise you compare budgets, learning rates, or luck. The best rates here go from "
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
            "The paper that is cited for it did not try the MLP. With one budget and less "
            "rank, on new facts, the MLP ends at [[facts-mlp.one:.2f]] nats and [[facts-mlp.one_right:.0%]] right, "
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
