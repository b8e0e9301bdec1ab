"""The menu: the reader can say what each method changes, what it costs, whether it merges, and what was measured."""

from collections.abc import Iterator, Mapping
from statistics import fmean
from typing import Any

from compute.adapters.rank_budget import start_rank
from compute.experiments import retention
from compute.experiments.menu import (
    BATCHES,
    FACTS_TOLD,
    SEEDS,
    SIZES,
    STEP,
    VOICE,
    Learned,
    load_menu,
)
from compute.experiments.retention import EACH, OLD, ONE, REPLAY, SETS, SIZE, load_retention
from compute.world.tasks import FACTS
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
from widgets.menu import Menu
from widgets.sequence import Sequence

OTHERS = [method for method in SIZES if method != "full"]
VARIANTS = ("dora", "adalora")  # of LoRA, with a rank to choose
LEAST, MOST = SIZES["lora"]


def _best(task: str, method: str) -> Learned:
    return load_menu().best(task, method)


def _loss(task: str, method: str) -> float:
    return fmean(_best(task, method).loss)


def _right(task: str, method: str) -> float:
    return fmean(_best(task, method).task_right)


def _known() -> Mapping[str, Any]:
    """Return which part of the way from the base to full finetuning each method goes, at least, in the voice."""
    before, full = load_menu().before[VOICE]["loss"], _loss(VOICE, "full")
    way = {method: (before - _loss(VOICE, method)) / (before - full) for method in OTHERS}
    prompt = way.pop("soft prompt")
    return {"least": min(way.values()), "prompt": prompt, "methods": len(way)}


def _sentences() -> Mapping[str, Any]:
    shares = {method: _right(VOICE, method) for method in OTHERS if method != "soft prompt"}
    return {"plain": shares["lora"], "bitfit": shares["bitfit"], "others": [*shares.values()]}


def _variants() -> Mapping[str, Any]:
    """Return whether the seeds tell two variants from LoRA, each at its best size."""
    lora, menu = _best(VOICE, "lora"), load_menu()
    return {
        "seeds": len(SEEDS),
        "verdicts": {menu.apart(_best(VOICE, method), lora).verdict for method in VARIANTS},
    }


def _groups() -> Mapping[str, Any]:
    return {
        "n": FACTS_TOLD,
        "before": load_menu().before[FACTS]["task"],
        **{method.replace(" ", "_").replace("-", "_"): _right(FACTS, method) for method in OTHERS},
    }


def _small() -> Mapping[str, Any]:
    """Return how many facts DoRA and LoRA hold at the smaller rank, and whether they differ at the larger."""
    menu = load_menu()
    dora, lora = (menu.of(FACTS, method, LEAST) for method in ("dora", "lora"))
    large = menu.apart(menu.of(FACTS, "dora", MOST), menu.of(FACTS, "lora", MOST))
    return {
        "most": MOST,
        "apart": menu.apart(dora, lora, "task_right").verdict,
        "level": large.verdict,
    }


def _count() -> Mapping[str, Any]:
    """Return what VeRA holds beside LoRA at its smaller rank, how many numbers each trains, and the most of so few."""
    menu = load_menu()
    lora, vera = menu.of(FACTS, "lora", LEAST), menu.of(FACTS, "vera", SIZES["vera"][-1])
    every = [menu.of(FACTS, method, size) for method in OTHERS for size in SIZES[method]]
    return {
        "most": max(fmean(each.task_right) for each in every if each.numbers <= lora.numbers),
        "lora_numbers": lora.numbers,
        "lora_right": fmean(lora.task_right),
        "vera_numbers": vera.numbers,
        "vera": fmean(vera.task_right),
        "says": menu.apart(vera, lora, "task_right").verdict,
    }


def _ranks() -> Mapping[str, Any]:
    one = load_menu().of(FACTS, "adalora", MOST)

    def kept(part: str) -> float:
        """Return the mean over the layers whose names have a part, and over the seeds."""
        found = [r for ranks in one.ranks for name, r in ranks.items() if part in name]
        return sum(found) / len(found)

    return {
        "size": MOST,
        "first": start_rank(MOST or 0),
        "seeds": len(one.ranks),
        "attention": kept(".attention."),
        "mlp": kept(".mlp."),
        "low": kept("blocks.0."),
        "top": kept("blocks.2."),
    }


def _times() -> Mapping[str, Any]:
    """Return the time of passes over that of the plain base, all at the larger size."""
    menu = load_menu()
    first, many = BATCHES
    return {
        **{
            f"{method}_{name}": menu.timing(method, SIZES[method][-1], str(batch)).median
            for method in ("lora", "dora", "vera")
            for name, batch in (("first", first), ("many", many))
        },
        "most": max(each.median for each in menu.timings if each.merged and each.what != STEP),
    }


def _in_a_row() -> Mapping[str, Any]:
    """Return what is left after three sets of facts, by way to learn them."""
    one, each, replay = (load_retention().of(way) for way in (ONE, EACH, REPLAY))
    full, both = (load_retention().of(way) for way in (retention.FULL, retention.FULL_REPLAY))
    return {
        "sets": SETS,
        "facts": SIZE,
        "r": retention.R,
        "new": min(way.mean(SETS, SETS - 1) for way in load_retention().retained),
        "first": one.mean(SETS, 0),
        "full_first": full.mean(SETS, 0),
        "before": one.mean(0, OLD),
        "old": one.mean(SETS, OLD),
        "replayed": replay.mean(SETS, 0),
        "replayed_old": replay.mean(SETS, OLD),
        "both_first": both.mean(SETS, 0),
        "each_first": each.mean(SETS, 0),
        "each_old": each.mean(SETS, OLD),
        "share": retention.OLD_SHARE,
        "better": min(a - b for a, b in zip(replay.sets(), one.sets(), strict=True)),
        "full_better": min(a - b for a, b in zip(full.sets(), one.sets(), strict=True)),
        "both_better": min(a - b for a, b in zip(both.sets(), replay.sets(), strict=True)),
    }


CLAIMS: Mapping[str, Claim | Cited] = {
    "known": Claim(
        _known,
        lambda v: v["prompt"] < v["least"] - 0.1 and v["least"] > 0.9 and v["methods"] == 8,
    ),
    "sentences": Claim(
        _sentences,
        lambda v: v["bitfit"] == min(v["others"]) < v["plain"] - 0.2,
    ),
    "variants": Claim(
        _variants,
        lambda v: v["verdicts"] == {"level"},
    ),
    "groups": Claim(
        _groups,
        lambda v: (
            min(v["lora"], v["dora"]) > 0.99
            and v["adalora"] > 0.95
            and all(0.88 < v[method] < 0.95 for method in ("vera", "bottleneck"))
            and 0.05 < v["ia3"] - v["lora_xs"] < 0.12
            and v["ia3"] > v["lora_xs"] > v["bitfit"] > v["soft_prompt"]
            and v["bitfit"] < v["before"] + 0.15
        ),
    ),
    "small": Claim(
        _small,
        lambda v: v["apart"] == "above" and v["level"] == "level",
    ),
    "count": Claim(
        _count,
        lambda v: v["says"] == "above" and v["vera_numbers"] < v["lora_numbers"] and v["vera"] == v["most"],
    ),
    "ranks": Claim(
        _ranks,
        lambda v: 1.7 < v["mlp"] / v["attention"] < 2.3 and abs(v["low"] - v["top"]) < 1,
    ),
    "times": Claim(
        _times,
        lambda v: v["dora_first"] > v["lora_first"] > 1.1 and v["vera_many"] > v["lora_many"] > 1.1,
    ),
    "merged": Claim(
        _times,
        lambda v: v["most"] < 1.05,
    ),
    "in-a-row": Claim(
        _in_a_row,
        lambda v: v["first"] < v["full_first"] < 0.5 and v["full_better"] > 0,
    ),
    "newest": Claim(
        _in_a_row,
        lambda v: v["new"] > 0.995,
    ),
    "old-facts": Claim(
        _in_a_row,
        lambda v: v["old"] < 0.3,
    ),
    "replayed": Claim(
        _in_a_row,
        lambda v: (
            v["share"] == 1 / 4
            and v["better"] > 0.1
            and v["both_first"] > v["replayed"]
            and v["both_better"] > 0
        ),
    ),
    "library": Claim(
        _in_a_row,
        lambda v: v["each_first"] > 0.95 and v["each_old"] == v["before"],
    ),
    "lee": Cited("within 1 to 2 %", "lee2026", "abstract"),
    "bitfit-sql": Cited("71.3 beside 73.8", "hu2021", "table 4, WikiSQL"),
    "bitfit-mnli": Cited("91.0 beside 89.5", "hu2021", "table 4, MNLI"),
    "prompt-numbers": Cited("20,480 numbers a task", "lester2021", "figure 2"),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
Somebody has a model to finetune and an afternoon to decide how. The library's documentation reads like the menu of a
large restaurant: LoRA, DoRA, AdaLoRA, VeRA, prompts, biases, bottlenecks, each said to be as good as the others for
less. No prices are printed, and each dish was praised in a different kitchen.

So let us order them all at one table, with the same base and the same two tasks, and give each dish what its cook would
ask for: the learning rate and the size that suit it best.

## What is in each dish

All of them leave most of the model as it is, and train something small.

- **LoRA** adds a product of two thin matrices, $s\\,B A$, to each weight.
- **DoRA** lets such a product turn the rows of the weight, and learns the length of each row as a separate number
  [@liu2024, equation 5].
- **AdaLoRA** writes the product like a singular value decomposition, $s\\,P \\Lambda Q$, and switches off directions
  while it learns [@zhang2023, section 3].
- **VeRA** draws both thin matrices at random, once for all layers, and freezes them; each layer learns two lists of
  numbers that scale their rows [@kopiczko2023, figure 1].
- **LoRA-XS** takes them from the strongest directions of the weight, freezes them too, and learns a small square in
  between [@balazy2024, abstract].
- **(IA)³** adds no matrix; it makes keys, values and the inside of each MLP louder or softer, feature by feature
  [@liu2022, figure 1].
- **BitFit** trains biases only [@benzaken2021, abstract]; our base has few, so each layer is given one.
- **Bottleneck adapters** let a small network answer after attention and after the MLP of each block
  [@houlsby2019, figure 2].
- **A soft prompt** is a row of learned vectors that stands before the words [@lester2021, section 2].

LoRA at its smallest rank is cheap already. Of the dishes that train no more numbers than that, which one remembers
most?
"""
    )
    yield Figure("menu", Menu)
    yield Try(
        """
[Choose the formal voice, and the loss](#menu?task=formal-voice&shown=loss). How far apart are the marks now? Then look
at [the time of one pass](#menu?shown=time-1) through the model. Each of these runs can be trained in [the live
lab](lab.html?train.method=vera&train.task=new+facts&train.r=64&train.learning_rate=0.03), under “Method”.
""",
        run={
            "LoRA with one direction": {"facts": "512", "size": "1"},
            "DoRA with one": {"facts": "512", "size": "1", "lengths": "yes"},
            "full finetuning": {"facts": "512", "size": "full"},
        },
    )
    yield Prose(
        """
## Where the base is no help, the dishes part

With [new facts](#menu?task=new-facts&shown=right) nothing in the base helps. LoRA, DoRA and AdaLoRA learn nearly all of
the [[groups.n]] facts; VeRA and the bottlenecks follow with nine tenths. Then comes a gap. (IA)³ learns
[[groups.ia3:.0%]] and LoRA-XS a little less, while BitFit and the prompt are not far from the [[groups.before:.0%]]
that the base guesses right. To store a fact, a method has to turn what one place in the model says into something new.
Making features louder or softer goes only part of the way, and so does a change within directions that the weight
already has; a prompt only adds something to read.

Now to the prices. LoRA's cheapest plate, at the smallest rank, trains [[count.lora_numbers:,d]] numbers and gets
[[count.lora_right:.0%]] of the facts right. [VeRA](#menu?task=new-facts&shown=right&method=vera&size=large) trains
[[count.vera_numbers:,d]] and gets [[count.vera:.0%]] right, because what the numbers can do matters as much as how many
there are. LoRA spends them on one pair of directions in each layer. VeRA gets many random directions for free, and
spends its numbers on weighting them.

## Where it helps, they are close

The base has never told a story in the formal voice, but it knows the words, the people, and how a story goes. So there
is little to add, and each of the [[known.methods]] methods that change the model itself goes at least
[[known.least:.0%]] of the way from the loss of the base to that of full finetuning. But close is not the same, because
the last bit of loss decides whether a whole sentence comes out right. Of the sentences that the model then writes,
[[sentences.plain:.0%]] are in the voice with LoRA and [[sentences.bitfit:.0%]] with BitFit.

In this voice, [[variants.seeds]] seeds cannot tell LoRA's nearest relatives, DoRA and AdaLoRA, from LoRA itself. On the
facts DoRA does better at the smallest rank, and at r = [[small.most]] the two are level again. A recent study tuned the
learning rates of LoRA and its variants on large models. The best results then lay [[lee]] of each other, and the title
says that plain LoRA may suffice. DoRA was invented because its authors saw the length and the direction of rows change
together in LoRA, but rather in opposite ways in full finetuning; [whether ours do](after.html#magnitude) is another
matter.

Who chooses the rank? In DoRA you set it, as in LoRA, and (IA)³ has none. Only
[AdaLoRA](#menu?task=new-facts&shown=right&method=adalora&size=large) chooses for itself. Here it starts each layer with
[[ranks.first]] directions, lets [[ranks.size]] survive on average, and leaves layers in the MLP about twice as many as
layers in attention. Its authors, with another model, saw it prefer the MLP and the upper layers
[@zhang2023, section 4]; we see only the first of these.

## The bill

A change that is kept apart from the weights costs time at every pass. For one text, LoRA takes [[times.lora_first:.2f]]
times as long as the base alone and DoRA [[times.dora_first:.2f]] times, since it needs the lengths of all rows. Here
VeRA pays for its many directions: for a batch of texts it takes [[times.vera_many:.2f]] times as long as the base, and
LoRA [[times.lora_many:.2f]] times. Our model is so small that a few extra function calls matter a lot. On GPT-2, LoRA's
authors found that bottlenecks took a fifth to almost a third more time for one short text, and next to none for many
long ones [@hu2021, table 1].

Once merged, no method takes more than [[merged.most:.2f]] times as long as the base. But bottlenecks cannot be merged,
because something nonlinear sits between their matrices, and neither can a prompt. A merged model, in turn, does only
one task, whereas without merging one batch can mix texts from many tasks, each with its own few numbers. Soft prompts
are praised for that [@lester2021, figure 2], and LoRA can do it too, as long as it is not merged
[@hu2021, section 4.2].

## One course after another

Guests seldom come only once. Next month there is another task, and another after that. Can we keep training the same
adapter, or does each task need its own? In the next figure, three sets of facts are learned in a row.
"""
    )
    yield Figure("sequence", Sequence)
    yield Try(
        """
Take the slider back to [none](#sequence?stage=0) and step through the sets. Which way of learning is best at the newest
set? And which at the first?
"""
    )
    yield Prose(
        """
The newest set shows nothing wrong, because every way gets [[newest.new:.0%]] of it right. Of the first set, a single
adapter has [[in-a-row.first:.0%]] left, and full finetuning, which forgets less here, [[in-a-row.full_first:.0%]]. A
study of large models finds that LoRA's strong new directions pile up from task to task, and that such models tend to do
worse [@shuttleworth2024, abstract].

The cheapest remedy is to keep asking the old questions. If they make up a quarter of each step, the same adapter keeps
[[replayed.replayed:.0%]] of the first set, and full finetuning [[replayed.both_first:.0%]]. Another remedy is O-LoRA,
which learns each task in directions at right angles to those of earlier tasks [@wang2023, abstract]. The surest is a
separate adapter for each set, which keeps [[library.each_first:.0%]] by construction: nothing is overwritten, as long
as somebody knows [which adapter to ask](mixing.html).

All this is one small model with two tasks and few steps, and only facts were learned in a row. It shows what the
methods can do, not which one to choose for a large model, and it leaves out [what has come
since](after.html#what-came-after). Every dish was compared with LoRA, which goes back to a single paper, and everybody
quotes the same few sentences of it. [What did that paper really show?](paper.html)
"""
    )


LESSON = Lesson(
    slug="menu",
    title="The menu",
    question="There are other ways to train few numbers. What does each change, and what does it cost?",
    part="The fine print",
    order=130,
    minutes=9,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "Which of these chooses ranks while it learns?",
            (
                Answer(
                    "DoRA",
                    "Its rank stays the one that was set. What it adds is the length of each row, apart from its "
                    "direction.",
                ),
                Answer(
                    "(IA)³",
                    "It has no rank at all. It makes features louder or softer by learned numbers.",
                ),
                Answer(
                    "AdaLoRA",
                    "It gives the layers more directions than they may keep, and switches off those that matter least.",
                    right=True,
                ),
            ),
        ),
        Question(
            "A team trains one adapter on each new task in turn, so as to keep only one file. What should they expect?",
            (
                Answer(
                    "The older tasks fade",
                    "The newest task writes over the same numbers. After [[in-a-row.sets]] sets of facts our adapter "
                    "of r = [[in-a-row.r]] had [[in-a-row.first:.0%]] of the first one left.",
                    right=True,
                ),
                Answer(
                    "All tasks are kept, since the base is frozen",
                    "The base is frozen, but the tasks are in the adapter, and that is not. An adapter for each task "
                    "would keep them: in our experiment [[library.each_first:.0%]] of the first set.",
                ),
                Answer(
                    "The newest task is learned badly",
                    "It is learned as well as ever, and that hides the rest: of the set learned last, every way had "
                    "[[newest.new:.0%]].",
                ),
            ),
        ),
        Question(
            "A variant beats LoRA by a little, both at the learning rate that LoRA's authors used. What follows?",
            (
                Answer("The variant is better", "Its rate may simply suit it, and not LoRA."),
                Answer(
                    "Nothing yet: each needs the rate that suits it best",
                    "Tuned with the same care, the variants of one study lay [[lee]] of each other.",
                    right=True,
                ),
                Answer(
                    "All variants are the same",
                    "They are not, and some train fewer numbers. Only, a table with one rate cannot show it.",
                ),
            ),
        ),
    ),
    corrections=(
        Correction(
            "AdaLoRA, (IA)³ and DoRA choose the rank adaptively.",
            "One of the three does. AdaLoRA switches off directions while it learns. On new facts each layer started "
            "with [[ranks.first]] directions, and [[ranks.size]] were left on average. The layers of the MLP kept "
            "[[ranks.mlp:.1f]] and those of attention [[ranks.attention:.1f]], over [[ranks.seeds]] seeds. (IA)³ has "
            "no rank, and DoRA keeps the one it is given.",
            "menu",
        ),
        Correction(
            "BitFit works on small models and breaks on large ones.",
            "No source that we know tests that. What its authors vary is the amount of data [@benzaken2021, "
            "section on data size]. On GPT-3 it is mixed: [[bitfit-sql]] for full finetuning, and [[bitfit-mnli]].",
            "menu",
        ),
        Correction(
            "Prompts are awkward to batch; LoRA has no such trouble.",
            "Mixed batches are what soft prompts are praised for: one model, and [[prompt-numbers]]. It is "
            "merged LoRA that cannot mix tasks [@hu2021, section 4.2].",
            "menu",
        ),
        Correction(
            "Finetuning with adapters cannot break what the model could do before.",
            "A library of adapters cannot. One adapter that is trained on task after task can. After "
            "[[in-a-row.sets]] sets of [[in-a-row.facts]] facts it had [[in-a-row.first:.0%]] of the first set left. "
            "Of the facts that the base knew, [[old-facts.old:.0%]] were left, of [[old-facts.before:.0%]] before.",
            "sequence",
        ),
    ),
    teaching=Teaching(
        goals=(
            "say of each method what it adds or turns, and whether that can be written into the weights",
            "refuse a comparison in which only one side had the learning rate that suits it",
            "say why the count of trained numbers does not tell how much they can hold",
            "predict what one adapter keeps of earlier tasks, and name two remedies with their price",
        ),
        predictions=(
            Prediction(
                "LoRA at its smallest rank trains [[count.lora_numbers:,d]] numbers and has [[count.lora_right:.0%]] "
                "of the new facts right. Of the methods that train no more than that, which remembers most, and how "
                "much?",
                "VeRA: [[count.vera:.0%]], with [[count.vera_numbers:,d]] numbers. Its many directions cost nothing, "
                "as they are drawn by chance, and it spends its numbers on weighing them.",
                "menu?task=new-facts&shown=right",
            ),
            Prediction(
                "Now the formal voice, whose words the base knows. From the loss of the base to that of full "
                "finetuning, how much of the way does even the worst of the [[known.methods]] methods go that change "
                "the model?",
                "At least [[known.least:.0%]]. Yet of the sentences that a model then writes, [[sentences.plain:.0%]] "
                "are in the voice with LoRA, and [[sentences.bitfit:.0%]] with BitFit.",
                "menu?task=formal-voice&shown=loss",
            ),
            Prediction(
                "One adapter learns a set of [[in-a-row.facts]] facts, then a second set and a third. What share of "
                "the first has it left, and what share of the newest?",
                "Of the first [[in-a-row.first:.0%]], of the newest [[newest.new:.0%]]. The base is frozen, but the "
                "tasks are in the adapter, and that is not.",
                "sequence?stage=3",
            ),
        ),
        stops=(
            Stop(
                "One line of the list to each group. It draws in a block what its method adds or turns, and stands to "
                "the left if that can be written into W, else to the right. Let the class move those who stand wrong.",
                "",
                (3, 7),
            ),
            Stop(
                "Collect the first prediction, then show the marks from left to right. Where is the gap, and what do "
                "those below it have in common in the drawings?",
                "menu?task=new-facts&shown=right",
                (5, 7),
            ),
            Stop(
                "A salesman says: fewer numbers, so less can be learned. Let somebody answer him with two marks of "
                "this figure, and somebody else with what each of the two spends its numbers on.",
                "menu?task=new-facts&shown=right&method=vera&size=large&guess=skip",
                (0, 5),
            ),
            Stop(
                "Collect the second prediction and read off the losses. Then show the share that is right, and ask "
                "which of the two charts each dish would print on the menu.",
                "menu?task=formal-voice&shown=loss&guess=skip",
                (4, 6),
            ),
            Stop(
                "Who pays at every pass, and who no longer does once it is merged? Three students play customers, one "
                "of whom wants many tasks in a batch, and the class serves each of them.",
                "menu?task=new-facts&shown=time-1&guess=skip",
                (0, 6),
            ),
            Stop(
                "Collect the third prediction. Step through the sets and cover all but the newest one with a hand: "
                "what does this report hide? Then let the class bargain over remedies, each named with its price.",
                "sequence?stage=3",
                (4, 7),
            ),
            Stop(
                "Answer the questions on paper. For the third, each pair writes the referee's one sentence to the "
                "authors.",
                "recall",
                (4, 7),
            ),
        ),
    ),
)
