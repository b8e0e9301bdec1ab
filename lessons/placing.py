"""Where the adapters sit: the reader can spend one budget in many places, and say what the places were worth here."""

from collections.abc import Iterator, Mapping
from typing import Any

from compute.adapters.placing import BUDGET, code_of, numbers_at, rank_within
from compute.experiments.placing import (
    ATTENTION,
    BLOCK_SETS,
    CODES,
    GROUPS,
    MLP,
    OTHER_RATES,
    RATE,
    Placed,
    load_placing,
)
from compute.model.layers import BLOCKS, TARGET_MODULES
from lessons.press.blocks import Answer, Block, Cited, Claim, Correction, Figure, Lesson, Prose, Question, Try
from widgets.placing import Placing

KNOWN, NEW = "legal", "new language"
QUERY, KEY, PAPER = ("q_proj",), ("k_proj",), ("q_proj", "v_proj")
STEER = (QUERY, KEY, QUERY + KEY)  # what decides where the model looks, and nothing else
WRITERS = [names for names in GROUPS if names not in STEER]


def _placed(task: str, names: tuple[str, ...], blocks: tuple[int, ...] = BLOCKS) -> Placed:
    return load_placing().runs[task][code_of(names, blocks)]


def _named(task: str, of: Mapping[str, tuple[str, ...]], lowest: bool = False) -> dict[str, float]:
    """Return what sets reach in all blocks, at RATE or at the best of the rates that were tried."""
    found = {name: _placed(task, names) for name, names in of.items()}
    return {name: placed.lowest if lowest else placed.final for name, placed in found.items()}


SETS = {
    "q": QUERY,
    "k": KEY,
    "v": ("v_proj",),
    "o": ("o_proj",),
    "up": ("up_proj",),
    "down": ("down_proj",),
    "qk": QUERY + KEY,
    "qv": PAPER,
    "attention": ATTENTION,
    "mlp": MLP,
    "six": TARGET_MODULES,
}


def _budget() -> Mapping[str, Any]:
    ranks = {name: rank_within(code_of(names)) for name, names in SETS.items()}
    off = [numbers_at(code, rank_within(code)) / BUDGET - 1 for code in CODES]
    return {
        "budget": BUDGET,
        "paper": ranks["qv"],
        "six": ranks["six"],
        "single": rank_within(code_of(QUERY, (0,))),
        "off": max(map(abs, off)),
        "sets": len(CODES),
    }


def _known() -> Mapping[str, Any]:
    written = [_placed(KNOWN, names).final for names in WRITERS]
    seeds = [abs(each.finals[0] - each.finals[1]) for each in load_placing().runs[KNOWN].values()]
    return _named(KNOWN, SETS) | {
        "start": load_placing().start[KNOWN],
        "full": load_placing().full[KNOWN],
        "least": min(written),
        "most": max(written),
        "spread": max(seeds),
    }


def _new() -> Mapping[str, Any]:
    seeds = [abs(placed.finals[0] - placed.finals[1]) for placed in load_placing().runs[NEW].values()]
    return _named(NEW, SETS) | {"start": load_placing().start[NEW], "spread": max(seeds)}


def _tuned() -> Mapping[str, Any]:
    low, high = OTHER_RATES
    return _named(NEW, SETS, lowest=True) | {"rate": RATE, "low": low, "high": high}


def _blocks() -> Mapping[str, Any]:
    def order(task: str, names: tuple[str, ...]) -> list[float]:
        return [_placed(task, names, (block,)).final for block in BLOCKS]

    first, middle, last = order(NEW, MLP)
    falling = [order(NEW, names) for names in (ATTENTION, MLP, TARGET_MODULES)]
    known = [_placed(KNOWN, names, blocks).final for names in (MLP, TARGET_MODULES) for blocks in BLOCK_SETS]
    return {
        "first": first,
        "middle": middle,
        "last": last,
        "rising": sum(one < two < three for one, two, three in falling),
        "groups": len(falling),
        "attention_first": order(NEW, ATTENTION)[0],
        "attention_last": order(NEW, ATTENTION)[-1],
        "known": max(known) - min(known),
    }


def _alone() -> Mapping[str, Any]:
    runs = {(name, block): _placed(NEW, (name,), (block,)) for name in TARGET_MODULES for block in BLOCKS}
    name, block = min(runs, key=lambda place: runs[place].final)
    return {
        "name": name,
        "first": block == 0,
        "loss": runs[name, block].final,
        "worst": max(placed.final for placed in runs.values()),
        "paper": _placed(NEW, PAPER).final,
    }


CLAIMS: Mapping[str, Claim | Cited] = {
    "budget": Claim(
        "With {budget:,d} numbers to spend, q_proj and v_proj in all blocks get r = {paper}, all six matrices get "
        "r = {six}, and a single q_proj in one block gets r = {single}.",
        _budget,
        lambda v: v["single"] > v["paper"] > v["six"],
    ),
    "off": Claim(
        "Whole ranks bring each of our {sets} sets within {off:.0%} of it.",
        _budget,
        lambda v: v["off"] < 0.101,
    ),
    "known-steer": Claim(
        "On the legal voice q_proj alone comes from {start:.3f} to {q:.3f} nats, k_proj alone to {k:.3f}, and "
        "both together to {qk:.3f}.",
        _known,
        lambda v: min(v["q"], v["k"], v["qk"]) > v["start"] - 0.02,
    ),
    "known-rest": Claim(
        "Every other set in all blocks ends between {least:.3f} and {most:.3f}. Two seeds of one set differ by up to "
        "{spread:.3f}.",
        _known,
        lambda v: v["most"] - v["least"] <= v["spread"] + 0.0015 and v["most"] < v["q"] - 0.05,
    ),
    "known-full": Claim(
        "{full:.3f}.",
        _known,
        lambda v: v["least"] - v["full"] < v["spread"],
    ),
    "new": Claim(
        "The MLP alone ends at {mlp:.2f} nats, all six matrices at {six:.2f}, attention alone at {attention:.2f}, "
        "q_proj and v_proj at {qv:.2f}.",
        _new,
        lambda v: max(v["mlp"], v["six"]) + 0.3 < v["attention"] < v["qv"] - 0.3,
    ),
    "new-seeds": Claim(
        "Here two seeds of one set differ by up to {spread:.2f} nats.",
        _new,
        lambda v: v["spread"] < v["attention"] - v["mlp"],
    ),
    "worst": Claim(
        "k_proj alone is the worst here, too: {k:.2f} nats, and q_proj alone {q:.2f}. v_proj alone has {v:.2f}, "
        "o_proj alone {o:.2f}.",
        _new,
        lambda v: v["k"] > v["q"] > v["v"] + 1 and v["v"] > v["o"],
    ),
    "tuned": Claim(
        "At the best of the rates {low:g}, {rate:g} and {high:g} for each, q_proj and v_proj come to {qv:.2f}, "
        "attention to {attention:.2f}, the MLP to {mlp:.2f}, and down_proj alone to {down:.2f}.",
        _tuned,
        lambda v: abs(v["qv"] - v["attention"]) < 0.1 and v["down"] < v["mlp"] < v["attention"] - 0.3,
    ),
    "blocks": Claim(
        "In the new language the MLP of the first block alone ends at {first:.2f} nats, that of the middle one at "
        "{middle:.2f}, that of the last at {last:.2f}. The first is the best block and the last the worst for "
        "{rising} of {groups} groups of matrices.",
        _blocks,
        lambda v: v["rising"] == v["groups"],
    ),
    "blocks-known": Claim(
        "On the legal voice all choices of blocks, for the MLP and for all six, lie within {known:.3f} nats.",
        _blocks,
        lambda v: v["known"] < 0.01,
    ),
    "alone": Claim(
        "The best single place is {name} in the first block: {loss:.2f} nats, where q_proj and v_proj in all "
        "blocks have {paper:.2f}. The worst has {worst:.2f}.",
        _alone,
        lambda v: v["first"] and v["loss"] < v["paper"],
    ),
    "paper-q": Cited("70.4 and 91.0", "hu2021", "table 5"),
    "paper-k": Cited("70.0 and 90.8", "hu2021", "table 5"),
    "paper-o": Cited("73.2 and 91.3", "hu2021", "table 5"),
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

A fair answer holds something fixed. We fix what is trained. Few places then get a large rank, many places a small one.
[[budget]] [[off]]

LoRA's authors compared in the same way, on attention only, and took `q_proj` and `v_proj`. Many still do. Make your
guess, then tick.
"""
    )
    yield Figure("placing", Placing)
    yield Try(
        """
Tick `q_proj` and `v_proj` as the paper does. Then find a set that beats it on the new language with the same numbers,
and the smallest set that still does. Then choose the legal voice: does your set still win?
"""
    )
    yield Prose(
        """
## What cannot speak

[[known-steer]] That is next to nothing. The two decide where the model looks. What it then takes from there and
writes down is up to the others.

[[known-rest]] Full finetuning is no better: [[known-full]] So for a voice that the base half knows, any place that can
write will do. This sweep cannot rank them.

## What a new language asks for

A harder task tells more. [[new]] [[new-seeds]] So the MLP is as good as everything together, and better than attention.

[[worst]]

Is that the places, or the learning rate? One rate need not suit all. [[tuned]] The MLP stays ahead of attention, and
the paper's pair catches up with attention. One kind of matrix, at its own rate, even does better than the mixtures.

## Beside the paper

The table in the figure is that of LoRA's authors. Its two columns are accuracies on WikiSQL and MNLI.

- `k_proj` alone is the worst: [[paper-k]]. `q_proj` alone is close: [[paper-q]]. They call both clearly lower. Ours
  agree.
- `o_proj` alone beats `q_proj`: [[paper-o]]. So the change does not live in `q_proj` and `v_proj`. Ours agree.
- `q_proj` and `v_proj` together: [[paper-qv]]. All four: [[paper-qkvo]]. That is a tie on the first task, and a loss on
  the second that is larger than the stated spread. At its best rate, ours is a tie, too.

The table is sometimes told as a test of adapters with rank one. It is a test at one budget: the ranks were eight,
four and two. Runs with rank one stand in the next table [@hu2021, table 6].

And it says nothing of the MLP, whose matrices stayed frozen [@hu2021, section 4.2].

## What was found later

Those who tried the MLP disagree with attention only. One study finds that attention alone does worse than the MLP
alone, and worse than everything [@biderman2024, section 4.7]. Another finds [[tml-attention]], worse than
[[tml-mlp]]. AdaLoRA moves its budget by itself: it prefers the MLP and the top layers [@zhang2023, section 4]. For
QLoRA's authors the number of adapted layers mattered most [@dettmers2023, section 4].

A usual story gives a reason against this: the MLP would need more rank for the same effect. Under one budget it has
less rank than attention here, and does better.

## Which blocks

Some say: adapt the middle third. [[blocks]] That is not the middle. [[blocks-known]]

The reason may be the task. In a new language every word has changed, and the first block is where words come in.
Another task can ask for another block, and another model, too: AdaLoRA liked the top. So we take no rule from this.

[[alone]]

## What to do with it

Adapt everything, if you can pay for it: the studies above point there. If you must choose, do not leave out the MLP
because of a table that never tried it. And give each choice its own learning rate before you judge.

This was one small model, two tasks, one budget and short runs. Another set is a click away: tick it and follow the
link to the live lab.

## In short

- Compare places under one budget, at more than one learning rate.
- Alone, `q_proj` and `k_proj` learn least. They steer; they do not write.
- Here the MLP did better than attention with the same numbers. Later studies of large models agree.
- For a voice that the base half knows, most places are as good as another.
- Which block is best depended on the task.
"""
    )


LESSON = Lesson(
    slug="placing",
    title="Where to put it",
    question="One budget of trained numbers: which matrices, and which blocks?",
    part="How to set it up",
    order=55,
    minutes=14,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "You adapt only `q_proj` and `k_proj`. What can the model learn?",
            (
                Answer("As much as with any other two", "They ended far behind. [[worst]]"),
                Answer(
                    "Where to look, and little else",
                    "They decide what attention weighs. What is read and written stays frozen. [[known-steer]]",
                    right=True,
                ),
                Answer("Nothing at all", "The loss moves, a little. [[known-steer]]"),
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
                    "It compares the matrices of attention. Those who tried the MLP later prefer it. [[new]]",
                    right=True,
                ),
            ),
        ),
        Question(
            "Two sets of places end at different losses. When does that say something about the places?",
            (
                Answer("When both have the same rank", "Then the larger set trains more numbers. [[budget]]"),
                Answer(
                    "When both train as many numbers, each at a rate that suits it",
                    "Otherwise you compare budgets, or learning rates. [[tuned]]",
                    right=True,
                ),
                Answer("Always", "Seeds alone move a loss. [[new-seeds]]"),
            ),
        ),
    ),
    corrections=(
        Correction(
            "What a task needs is written in attention, so the MLP can stay frozen. It would need more rank.",
            "The paper that is cited for it did not try the MLP. With one budget, and less rank: [[new]]",
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
