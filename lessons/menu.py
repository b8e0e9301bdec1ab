"""The menu: the reader can say what each method changes, what it costs, whether it merges, and what was measured."""

from collections.abc import Iterator, Mapping
from statistics import fmean
from typing import Any

from compute.adapters.rank_budget import start_rank
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
from compute.world.tasks import FACTS
from lessons.press.blocks import Answer, Block, Cited, Claim, Correction, Figure, Lesson, Prose, Question, Try
from widgets.menu import Menu

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
    before, full = load_menu().before[VOICE]["loss"], _loss(VOICE, "full")
    way = {method: (before - _loss(VOICE, method)) / (before - full) for method in OTHERS}
    prompt = way.pop("soft prompt")
    least = min(way, key=way.__getitem__)
    return {
        "before": before,
        "full": full,
        "lora_end": _loss(VOICE, "lora"),
        "r": _best(VOICE, "lora").size,
        "least": way[least],
        "prompt": prompt,
        "methods": len(way),
    }


def _sentences() -> Mapping[str, Any]:
    shares = {method: _right(VOICE, method) for method in OTHERS}
    return {**shares, "lora_right": shares["lora"]}


def _variants() -> Mapping[str, Any]:
    """Return how much higher two variants end than LoRA, each at its best size, on both tasks."""
    found: dict[str, Any] = {"seeds": len(SEEDS)}
    for name, task in (("voice", VOICE), ("facts", FACTS)):
        for method in VARIANTS:
            apart = load_menu().apart(_best(task, method), _best(task, "lora"))
            found |= {f"{method}_{name}": apart.mean, f"{method}_{name}_low": apart.low}
            found |= {f"{method}_{name}_high": apart.high, f"{method}_{name}_says": apart.verdict}
    return found


def _groups() -> Mapping[str, Any]:
    return {
        "n": FACTS_TOLD,
        "before": load_menu().before[FACTS]["task"],
        **{method.replace(" ", "_").replace("-", "_"): _right(FACTS, method) for method in OTHERS},
        "lora_right": _right(FACTS, "lora"),
        "full": _right(FACTS, "full"),
    }


def _small() -> Mapping[str, Any]:
    menu = load_menu()
    ends = {size: [menu.of(FACTS, method, size) for method in ("dora", "lora")] for size in (LEAST, MOST)}
    (dora, lora), (larger, beside) = ends[LEAST], ends[MOST]
    large = menu.apart(larger, beside)
    return {
        "r": LEAST,
        "most": MOST,
        "dora_small": fmean(dora.task_right),
        "lora_small": fmean(lora.task_right),
        "dora_numbers": dora.numbers,
        "lora_numbers": lora.numbers,
        "apart": menu.apart(dora, lora, "task_right").verdict,
        "gap": large.mean,
        "low": large.low,
        "high": large.high,
        "level": large.verdict,
    }


def _count() -> Mapping[str, Any]:
    lora = load_menu().of(FACTS, "lora", LEAST)
    found: dict[str, Any] = {"r": LEAST, "lora_numbers": lora.numbers, "lora_right": fmean(lora.task_right)}
    for method in ("vera", "lora-xs", "ia3", "bitfit"):
        one = load_menu().of(FACTS, method, SIZES[method][-1])
        name = method.replace("-", "_")
        found |= {f"{name}_numbers": one.numbers, name: fmean(one.task_right)}
        found[f"{name}_says"] = load_menu().apart(one, lora, "task_right").verdict
    return found


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


def _forgetting() -> Mapping[str, Any]:
    ends = {method: _best(FACTS, method) for method in SIZES}
    return {
        "before": load_menu().before[FACTS]["facts"],
        **{method.replace(" ", "_").replace("-", "_"): fmean(each.facts) for method, each in ends.items()},
        "lora_kept": fmean(ends["lora"].facts),
    }


def _times() -> Mapping[str, Any]:
    menu = load_menu()
    merged = [each.median for each in menu.timings if each.merged and each.what != STEP]
    first, many = BATCHES
    shown = ("lora", "dora", "adalora", "vera", "bottleneck")
    return {
        "first": first,
        "many": many,
        "r": MOST,
        **{
            f"{method}_{batch}": menu.timing(method, SIZES[method][-1], str(batch)).median
            for method in shown
            for batch in BATCHES
        },
        **{f"{method}_step": menu.timing(method, SIZES[method][-1], STEP).median for method in SIZES},
        "most": max(merged),
        "vectors": SIZES["soft prompt"][-1],
        "prompt": menu.timing("soft prompt", SIZES["soft prompt"][-1], str(many)).median,
        "words": 64,
    }


CLAIMS: Mapping[str, Claim | Cited] = {
    "known": Claim(
        _known,
        lambda v: v["prompt"] < v["least"] - 0.1 and v["least"] > 0.9,
    ),
    "sentences": Claim(
        _sentences,
        lambda v: min(v["lora_right"], v["dora"], v["adalora"]) > v["vera"] > v["ia3"] > v["bitfit"] + 0.1,
    ),
    "variants": Claim(
        _variants,
        lambda v: v["dora_voice_says"] == v["adalora_voice_says"] == "level",
    ),
    "groups": Claim(
        _groups,
        lambda v: (
            min(v[m] for m in ("lora", "dora", "adalora", "vera", "bottleneck")) > v["ia3"] + 0.1
            and v["ia3"] > v["lora_xs"] > v["bitfit"] > v["soft_prompt"]
            and v["soft_prompt"] < v["before"] + 0.1
        ),
    ),
    "small": Claim(
        _small,
        lambda v: v["apart"] == "above" and v["level"] == "level",
    ),
    "count": Claim(
        _count,
        lambda v: v["vera_says"] == "above" and v["bitfit_says"] == "below",
    ),
    "ranks": Claim(
        _ranks,
        lambda v: v["mlp"] > v["attention"] + 1,
    ),
    "blocks": Claim(
        _ranks,
        lambda v: abs(v["low"] - v["top"]) < 1,
    ),
    "forgetting": Claim(
        _forgetting,
        lambda v: max(v[m] for m in ("lora", "dora", "adalora", "vera", "full")) < v["before"] / 2,
    ),
    "times": Claim(
        _times,
        lambda v: (
            all(v[f"{m}_1"] > 1.1 for m in ("lora", "dora", "adalora", "vera", "bottleneck"))
            and v["dora_1"] > v["lora_1"]
        ),
    ),
    "steps": Claim(
        _times,
        lambda v: v["dora_step"] > 1.05,
    ),
    "merged": Claim(
        _times,
        lambda v: v["most"] < 1.1,
    ),
    "long": Claim(
        _times,
        lambda v: v["prompt"] > 1.1,
    ),
    "lee": Cited("within 1 to 2 %", "lee2026", "abstract"),
    "vera-ten": Cited("a tenth of LoRA's numbers", "kopiczko2023", "abstract, first version"),
    "xs-hundred": Cited("less than a hundredth", "balazy2024", "abstract"),
    "one-text": Cited("20.7 % and 30.3 % more time", "hu2021", "Table 1"),
    "many-texts": Cited("2.2 % and 3.0 %", "hu2021", "Table 1"),
    "houlsby": Cited("within 0.4 % of full finetuning with 3.6 % of its numbers", "houlsby2019", "abstract"),
    "bitfit-sql": Cited("71.3 beside 73.8", "hu2021", "Table 4, WikiSQL"),
    "bitfit-mnli": Cited("91.0 beside 89.5", "hu2021", "Table 4, MNLI"),
    "prompt-numbers": Cited("20,480 numbers a task", "lester2021", "figure 2"),
    "prefix": Cited("63.1 with 256 of them, 55.9 with 512", "hu2021", "Table 15"),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
## Before LoRA, and beside it

LoRA is one dish of a menu. Some of the others are older, some came out beside it, some were made from it. All of them
leave most of the model as it is and train something small.

The usual telling goes through the older ones in a hurry. Adapters stand between the blocks and slow the model down.
Prompts cannot be put into batches. BitFit works while a model is small. And LoRA had none of these troubles. Some of
this is so, and some is not. Here all of them learn the same two tasks, from the same base, each at the learning rate
and the size that suit it best.

What does each of them change? A line of a formula says it. $W$ stays as it is, and so does what we call frozen;
everything else on the right learns.

**Full finetuning** changes every number.

**LoRA** adds a product of two thin matrices [@hu2021, section 4.1].

$$W' = W + s\\,B A$$

**DoRA** lets such a product turn the rows of the weight, and learns the length of each row by a number of its own
[@liu2024, equation 5]. With $V = W + s\\,B A$, row $i$ of the new weight is

$$W'_i = m_i \\frac{V_i}{\\lVert V_i \\rVert}$$

Here a row makes one output feature. The paper writes its weights the other way round and says “column”; it is the same
number [@peft, dora.py].

**AdaLoRA** writes the product like a singular value decomposition, pulls $P$ and $Q$ towards right angles, and switches
off single values of $\\Lambda$ while it learns [@zhang2023, section 3].

$$W' = W + s\\,P \\Lambda Q$$

**VeRA** draws $A$ and $B$ by chance, once for all layers; they are frozen. Each layer learns how much each row of $A$
counts, and each of its own features [@kopiczko2023, section 3].

$$W' = W + \\operatorname{diag}(b)\\, B \\operatorname{diag}(d)\\, A$$

**LoRA-XS** takes $U$, $\\Sigma$ and $V$ from the weight itself, its first singular directions; they are frozen. A small
square $R$ between them learns [@balazy2024, section 3].

$$W' = W + U \\Sigma R V^\\top$$

**(IA)³** adds no matrix. It multiplies keys, values and the inside of each MLP by learned numbers, feature by feature
[@liu2022, section 3.3].

$$k' = l \\odot k$$

**BitFit** trains biases only [@benzaken2021, abstract].

$$y = W x + b$$

Our base has biases in its norms alone. So we give each linear layer one more, zero at first. That of the keys can do
nothing, by the way: it adds the same to all scores of a query, and softmax takes it away again.

**Bottleneck adapters** let a small network answer after each part of a block [@houlsby2019, figure 2].

$$h' = h + U\\,\\sigma(D h)$$

They stand inside each block, not between blocks: one after attention, one after the MLP, each before the residual is
added [@hu2021, section 3].

**A soft prompt** is a row of learned vectors that stands before the words [@lester2021, section 2].

$$[\\,p_1, \\dots, p_n,\\ x_1, \\dots, x_T\\,]$$

Where a model numbers its places, a prompt uses some of them up. Ours gives it no numbers, so that all methods are
measured on the same texts.

LoRA at its smallest rank trains few numbers. Which of those that train no more of them remembers most?
"""
    )
    yield Figure("menu", Menu)
    yield Try(
        """
[Choose the formal voice, and the loss](#menu?task=formal-voice&shown=loss). How far are the marks apart now, and how
many numbers does the leftmost of them train? Then look at the time of a pass for one text, and for many. Each of
these runs can be trained in [the live
lab](lab.html?train.method=vera&train.task=new+facts&train.r=64&train.learning_rate=0.03), under “Method”. Only an
adapter of LoRA can be taken away from there.
"""
    )
    yield Prose(
        """
## Close in nats where the base helps

The base has never told a story in the formal voice. But it knows every word of it, the people, and how a story goes.
In the formal voice the base is at [[known.before:.2f]] nats a word. Full finetuning brings it to [[known.full:.3f]],
LoRA at r = [[known.r]] to [[known.lora_end:.3f]]. Of the [[known.methods]] methods that change the model, each goes
at least [[known.least:.0%]] of the way from the base to full finetuning. The soft prompt, which changes nothing, goes
[[known.prompt:.0%]]. That looks close. But where nearly all of a loss is gone, what is left of it decides whether a
whole sentence comes out right. Of the sentences that it writes, [[sentences.lora_right:.0%]] are in the voice with
LoRA, [[sentences.dora:.0%]] with DoRA and [[sentences.adalora:.0%]] with AdaLoRA, [[sentences.vera:.0%]] with VeRA,
[[sentences.ia3:.0%]] with (IA)³ and [[sentences.bitfit:.0%]] with BitFit.

LoRA's near relatives are closest. In the formal voice DoRA ends [[variants.dora_voice:+.4f]] nats from LoRA
([[variants.dora_voice_low:+.4f]] to [[variants.dora_voice_high:+.4f]], over [[variants.seeds]] seeds), AdaLoRA
[[variants.adalora_voice:+.4f]] ([[variants.adalora_voice_low:+.4f]] to [[variants.adalora_voice_high:+.4f]]). The
seeds tell neither from LoRA. A recent study tuned the rates of LoRA and its variants on large models, with care for
each. Then the gains that had been told of them shrank: the best of each lay [[lee]] of the others.

## Far apart where it does not

New facts are another matter: nothing in the base helps with them. Of [[groups.n]] new facts the base answers
[[groups.before:.0%]], by chance. At its best size, full finetuning answers [[groups.full:.0%]], LoRA
[[groups.lora_right:.0%]], DoRA [[groups.dora:.0%]], AdaLoRA [[groups.adalora:.0%]], VeRA [[groups.vera:.0%]] and
bottlenecks [[groups.bottleneck:.0%]]. (IA)³ has [[groups.ia3:.0%]], LoRA-XS [[groups.lora_xs:.0%]], BitFit
[[groups.bitfit:.0%]], the soft prompt [[groups.soft_prompt:.0%]]. Between LoRA and DoRA it is the rank that decides
whether there is anything to choose. At r = [[small.r]] they part: DoRA has [[small.dora_small:.0%]] of the facts,
LoRA [[small.lora_small:.0%]], with [[small.dora_numbers:,d]] numbers beside [[small.lora_numbers:,d]]. At r =
[[small.most]] the difference is [[small.gap:+.3f]] nats ([[small.low:+.3f]] to [[small.high:+.3f]]).

Whoever turns what one place in the model says into something else, and has room for it, can store facts. (IA)³ and
BitFit can only make features louder or shift them. LoRA-XS can only turn the directions that the weight already has.
The prompt cannot change the model at all; it can only add something to read.

## Below the smallest rank

A thin matrix of LoRA cannot be thinner than one row. For less, other methods are made. Their authors tell of LoRA's
quality with [[vera-ten]], and with [[xs-hundred]] on a large model. LoRA at r = [[count.r]] trains
[[count.lora_numbers:,d]] numbers and has [[count.lora_right:.0%]] of the facts. VeRA has [[count.vera:.0%]] with
[[count.vera_numbers:,d]], (IA)³ [[count.ia3:.0%]] with [[count.ia3_numbers:,d]], LoRA-XS [[count.lora_xs:.0%]] with
[[count.lora_xs_numbers:,d]], BitFit [[count.bitfit:.0%]] with [[count.bitfit_numbers:,d]].

So it matters what the numbers can do, not only how many they are. LoRA spends them on two directions for each layer.
VeRA has many directions for nothing, drawn by chance, and spends its numbers on how much each feature takes of their
mix. It pays elsewhere: its frozen matrices have to be multiplied all the same.

## Who chooses the rank

It is often told that AdaLoRA, (IA)³ and DoRA choose ranks. Only the first does. It starts with half as many directions
again as it may keep. At each step it notes for every number how much the loss would change without it. Directions whose
numbers matter least are switched off, wherever they are, and so some layers end with many and some with few.

Learning new facts, each layer starts with [[ranks.first]] directions, and [[ranks.size]] are to be left on average.
The layers of the MLP kept [[ranks.mlp:.1f]], those of attention [[ranks.attention:.1f]], over [[ranks.seeds]] seeds.
Its authors, on another model, saw that the MLP and the upper layers got most [@zhang2023, section 4]. The first block
kept [[blocks.low:.1f]] a layer, the last one [[blocks.top:.1f]]: next to no preference for the upper layers. Choose
AdaLoRA in the figure and look for yourself.

## What is forgotten

Of the facts that the base knew it answered [[forgetting.before:.0%]]. After the new ones LoRA answers
[[forgetting.lora_kept:.0%]] of the old, DoRA [[forgetting.dora:.0%]], AdaLoRA [[forgetting.adalora:.0%]], VeRA
[[forgetting.vera:.0%]], full finetuning [[forgetting.full:.0%]]; the soft prompt, which learned next to nothing,
[[forgetting.soft_prompt:.0%]].

## What it costs in time

Kept apart, a pass for [[times.first]] text takes [[times.lora_1:.2f]] times the base's with LoRA,
[[times.adalora_1:.2f]] with AdaLoRA, [[times.vera_1:.2f]] with VeRA, [[times.bottleneck_1:.2f]] with bottlenecks and
[[times.dora_1:.2f]] with DoRA, all at their larger size. For [[times.many]] texts it is [[times.lora_32:.2f]],
[[times.adalora_32:.2f]], [[times.vera_32:.2f]], [[times.bottleneck_32:.2f]] and [[times.dora_32:.2f]]. Our model is
so small that a pass for one text is mostly the calling of functions, and a few more calls are much. DoRA also needs
the lengths of all rows at each pass, for however few words. A step of training takes [[steps.dora_step:.2f]] times
LoRA's with DoRA, [[steps.adalora_step:.2f]] with AdaLoRA, [[steps.vera_step:.2f]] with VeRA; with full finetuning
[[steps.full_step:.2f]].

Merged, none of those that merge takes more than [[merged.most:.2f]] times the base's time. In the paper on LoRA, two
kinds of bottlenecks on GPT-2 took [[one-text]] for one short text, and [[many-texts]] for a batch of many long ones.
A prompt makes every text longer. With [[long.vectors]] vectors before [[long.words]] words, a pass for [[long.many]]
texts takes [[long.prompt:.2f]] times as long.

## Merge or mix

To *merge* is to turn what was learned into weights of the base. LoRA and its relatives, VeRA and LoRA-XS among them,
add something to a weight; (IA)³ scales its rows or columns. BitFit becomes biases, which stay. Bottlenecks do not
merge: a nonlinear function stands between their matrices. Nor do prompts.

To *mix* is to have texts of different tasks in one batch: the base is multiplied once for all of them, and each text
adds its own few numbers. All methods but full finetuning can do that, as long as their numbers are kept apart. Soft
prompts are praised for it: one large model serves all tasks, with [[prompt-numbers]]. A merged adapter cannot, and the
paper on LoRA says so [@hu2021, section 4.2]. So LoRA has a weakness, too. It is only that you may choose when to have
it.

## What others measured

- *Bottlenecks.* On a collection of language tasks they came [[houlsby]].
- *BitFit.* It is not older than LoRA; it came out a day later [@benzaken2021, first version]. On GPT-3 it scores
  [[bitfit-sql]] for full finetuning on one task, and [[bitfit-mnli]] on another. So it is mixed. That it breaks on
  large models is often told; we know no source that tests it.
- *Prompts.* On the largest models that were tried they match full finetuning [@lester2021, abstract]. More vectors are
  not always better: on GPT-3, one kind scored [[prefix]].

Ours is one small model with two tasks and few steps. It shows what the parts do. It does not say what to choose for a
large model.

## In short

- Where the base helps, LoRA, DoRA and AdaLoRA cannot be told apart. The others follow.
- What the numbers can do matters, not only how many there are.
- AdaLoRA chooses ranks. DoRA and (IA)³ do not.
- What merges costs no time, and then holds one task. What is kept apart can be mixed.
- Look for the rate of each, and for seeds, before you believe that one method beats another.
"""
    )


LESSON = Lesson(
    slug="menu",
    title="The menu",
    question="There are other ways to train few numbers. What does each change, and what does it cost?",
    part="The fine print",
    order=130,
    minutes=14,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "Which of these chooses ranks while it learns?",
            (
                Answer(
                    "DoRA",
                    "Its rank stays the one you set. What it adds is the length of each row, apart from its "
                    "direction.",
                ),
                Answer(
                    "(IA)³",
                    "It has no rank at all. It scales features by learned numbers.",
                ),
                Answer(
                    "AdaLoRA",
                    "It gives the layers more directions than they may keep, and switches off the least "
                    "important.",
                    right=True,
                ),
            ),
        ),
        Question(
            "One batch shall hold texts of many tasks. With which of these can it not?",
            (
                Answer(
                    "Soft prompts",
                    "They are made for it: each text brings its own vectors, and the model stays one "
                    "[@lester2021, figure 2].",
                ),
                Answer(
                    "LoRA, merged",
                    "The merged weights hold one task [@hu2021, section 4.2]. Kept apart, each text can have "
                    "an adapter of its own.",
                    right=True,
                ),
                Answer(
                    "(IA)³, kept apart", "A few numbers multiply the features of each text. They may differ."
                ),
            ),
        ),
        Question(
            "A variant beats LoRA by a little, both at the learning rate that LoRA's authors used. What follows?",
            (
                Answer("The variant is better", "Its rate may simply suit it, and not LoRA."),
                Answer(
                    "All variants are the same",
                    "They are not, and some train fewer numbers. Only, a table with one rate cannot show it.",
                ),
                Answer(
                    "Nothing yet: each needs the rate that suits it best",
                    "Tuned with the same care, the variants of one study lay [[lee]] of each other.",
                    right=True,
                ),
            ),
        ),
    ),
    corrections=(
        Correction(
            "AdaLoRA, (IA)³ and DoRA choose the rank adaptively.",
            "One of the three does. AdaLoRA switches off directions while it learns. Learning new facts, "
            "each layer starts with [[ranks.first]] directions, and [[ranks.size]] are to be left on "
            "average. The layers of the MLP kept [[ranks.mlp:.1f]], those of attention "
            "[[ranks.attention:.1f]], over [[ranks.seeds]] seeds. (IA)³ has no rank, and DoRA keeps the "
            "one it is given.",
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
    ),
)
