"""The menu: the reader can say what each method changes, what it costs, whether it merges, and what was measured."""

from collections.abc import Iterator, Mapping
from typing import Any

from compute.adapters.rank_budget import start_rank
from compute.experiments.menu import (
    BATCHES,
    MENU_TASKS,
    MERGE,
    SEEDS,
    SIZES,
    Entry,
    entry,
    load_menu,
    middle_of,
    timing,
)
from lessons.press.blocks import Answer, Block, Cited, Claim, Correction, Figure, Lesson, Prose, Question, Try
from widgets.menu import Menu

KNOWN, NEW = MENU_TASKS
OTHERS = [method for method in SIZES if method != "full"]
THIN = ("lora", "dora", "adalora", "bottleneck")  # those that have two thin matrices somewhere


def _of(task: str, method: str) -> list[Entry]:
    """Return what was recorded of a method at each of its sizes."""
    return [entry(load_menu(), task, method, size) for size in SIZES[method]]


def _middle(method: str) -> Entry:
    return entry(load_menu(), NEW, method, middle_of(method))


def _lowest(task: str, method: str) -> float:
    return min(each.validation_loss for each in _of(task, method))


def _known() -> Mapping[str, Any]:
    ends = [each for method in OTHERS for each in _of(KNOWN, method)]
    return {
        "before": load_menu().before[KNOWN][0],
        "full": _lowest(KNOWN, "full"),
        "low": min(each.validation_loss for each in ends),
        "high": max(each.validation_loss for each in ends),
        "smallest": min(each.trainable for each in ends),
        "whole": _of(KNOWN, "full")[0].trainable,
    }


def _groups() -> Mapping[str, Any]:
    thin = [_lowest(NEW, method) for method in THIN]
    return {
        "before": load_menu().before[NEW][0],
        "full": _lowest(NEW, "full"),
        "low": min(thin),
        "high": max(thin),
        **{method.replace(" ", "_"): _lowest(NEW, method) for method in ("ia3", "bitfit", "soft prompt")},
    }


def _luck() -> Mapping[str, Any]:
    lora, dora = _middle("lora"), _middle("dora")
    return {
        "r": middle_of("lora"),
        "seeds": len(SEEDS[NEW]),
        "lora_end": lora.validation_loss,
        "dora": dora.validation_loss,
        "low": lora.lowest,
        "high": lora.highest,
    }


def _count() -> Mapping[str, Any]:
    ia3, bitfit = _middle("ia3"), _middle("bitfit")
    prompt = _of(NEW, "soft prompt")[-1]
    lora = _of(NEW, "lora")[0]
    return {
        "ia3_trainable": ia3.trainable,
        "ia3": ia3.validation_loss,
        "bitfit_trainable": bitfit.trainable,
        "bitfit": bitfit.validation_loss,
        "prompt_trainable": prompt.trainable,
        "prompt": prompt.validation_loss,
        "r": SIZES["lora"][0],
        "lora_trainable": lora.trainable,
        "lora_end": lora.validation_loss,
    }


def _ranks() -> Mapping[str, Any]:
    size = middle_of("adalora")
    rate = _middle("adalora").rate
    runs = [
        run.ranks
        for run in load_menu().runs
        if (run.task, run.method, run.size, run.rate) == (NEW, "adalora", size, rate)
    ]

    def kept(part: str) -> float:
        """Return the mean over the layers whose names have a part."""
        found = [r for ranks in runs for name, r in ranks.items() if part in name]
        return sum(found) / len(found)

    return {
        "size": size,
        "first": start_rank(size or 0),
        "seeds": len(runs),
        "attention": kept(".attention."),
        "mlp": kept(".mlp."),
        "low": kept("blocks.0."),
        "top": kept("blocks.2."),
    }


def _forgetting() -> Mapping[str, Any]:
    ends = {method: _middle(method) for method in SIZES}
    return {
        "r": middle_of("lora"),
        "before": load_menu().before[NEW][1],
        **{method.replace(" ", "_"): each.base_loss for method, each in ends.items()},
        "lora_kept": ends["lora"].base_loss,
        "lora_loss": ends["lora"].validation_loss,
        "adalora_loss": ends["adalora"].validation_loss,
    }


def _times() -> Mapping[str, Any]:
    def at(method: str, batch: int, merged: bool = False) -> float:
        return timing(load_menu(), method, middle_of(method), merged, batch).median

    merged = [
        timing(load_menu(), method, size, True, batch).median
        for method in MERGE
        for size in SIZES[method]
        for batch in BATCHES
    ]
    first, many = BATCHES
    return {
        "first": first,
        "many": many,
        **{f"{method}_{batch}": at(method, batch) for method in THIN for batch in BATCHES},
        "least": min(merged),
        "most": max(merged),
        "vectors": SIZES["soft prompt"][-1],
        "prompt": timing(load_menu(), "soft prompt", SIZES["soft prompt"][-1], False, many).median,
        "words": 32,
    }


CLAIMS: Mapping[str, Claim | Cited] = {
    "known": Claim(
        "In the legal voice the base is at {before:.2f} nats. Full finetuning brings it to {full:.3f}, and "
        "every other method at every size to between {low:.3f} and {high:.3f}. The smallest of them trains "
        "{smallest:,d} numbers in place of {whole:,d}.",
        _known,
        lambda v: v["high"] < v["full"] + 0.02 < v["before"] - 0.05,
    ),
    "groups": Claim(
        "LoRA, DoRA, AdaLoRA and bottlenecks end between {low:.2f} and {high:.2f} nats, each at its best "
        "size. (IA)³ ends at {ia3:.2f}, BitFit at {bitfit:.2f}, the soft prompt at {soft_prompt:.2f}. Full "
        "finetuning ends at {full:.2f}; the base was at {before:.2f}.",
        _groups,
        lambda v: (
            v["full"] + 0.4
            < v["low"]
            <= v["high"]
            < v["ia3"] - 0.5
            < v["bitfit"] - 1
            < v["soft_prompt"] - 1.5
        ),
    ),
    "luck": Claim(
        "At r = {r} LoRA ends at {lora_end:.3f} and DoRA at {dora:.3f}. Three seeds of LoRA alone reach from "
        "{low:.3f} to {high:.3f}.",
        _luck,
        lambda v: v["seeds"] == 3 and v["low"] <= v["dora"] <= v["high"],
    ),
    "count": Claim(
        "(IA)³ trains {ia3_trainable:,d} numbers and ends at {ia3:.2f} nats; BitFit trains "
        "{bitfit_trainable:,d} and ends at {bitfit:.2f}. A soft prompt with {prompt_trainable:,d} numbers "
        "ends at {prompt:.2f}, LoRA at r = {r} with {lora_trainable:,d} at {lora_end:.2f}.",
        _count,
        lambda v: (
            v["ia3_trainable"] < v["bitfit_trainable"] < v["lora_trainable"] < v["prompt_trainable"]
            and v["lora_end"] < v["ia3"] < v["bitfit"] < v["prompt"]
        ),
    ),
    "ranks": Claim(
        "In the new language each layer starts with {first} directions, and {size} are to be left on average. The "
        "layers of the MLP kept {mlp:.1f}, those of attention {attention:.1f}, over {seeds} seeds.",
        _ranks,
        lambda v: v["mlp"] > v["attention"] + 2,
    ),
    "blocks": Claim(
        "The first block kept {low:.1f} a layer, the last one {top:.1f}.",
        _ranks,
        lambda v: v["low"] > v["top"] + 1,
    ),
    "forgetting": Claim(
        "In the new language the loss on the base's own voices rises from {before:.2f} to {lora_kept:.1f} with "
        "LoRA at r = {r}, to {dora:.1f} with DoRA and to {ia3:.1f} with (IA)³, but only to {adalora:.1f} with "
        "AdaLoRA, which learns the language nearly as well: {adalora_loss:.2f} nats beside {lora_loss:.2f}.",
        _forgetting,
        lambda v: v["adalora"] < v["lora_kept"] - 2 and v["adalora_loss"] < v["lora_loss"] + 0.1,
    ),
    "times": Claim(
        "Kept apart, a pass for {first} text takes {lora_1:.2f} times the base's with LoRA, {adalora_1:.2f} "
        "with AdaLoRA, {bottleneck_1:.2f} with bottlenecks and {dora_1:.2f} with DoRA, all at their middle "
        "size. For {many} texts it is {lora_32:.2f}, {adalora_32:.2f}, {bottleneck_32:.2f} and {dora_32:.2f}.",
        _times,
        lambda v: all(v[f"{method}_1"] > 1.1 for method in THIN) and v["dora_1"] > v["lora_1"],
    ),
    "merged": Claim(
        "Merged, all that merge take between {least:.2f} and {most:.2f} times the base's time, which is what "
        "the machine cannot tell from one.",
        _times,
        lambda v: 0.85 < v["least"] < v["most"] < 1.2,
    ),
    "long": Claim(
        "With {vectors} vectors before {words} words, a pass for {many} texts takes {prompt:.1f} times as long.",
        _times,
        lambda v: v["prompt"] > 2,
    ),
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
this is so, and some is not. Here all of them learn the same two tasks, from the same base.

What does each of them change? A line of a formula says it. $W$ stays as it is; everything else on the right learns.

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

**(IA)³** adds no matrix. It multiplies keys, values and the inside of each MLP by learned numbers, feature by feature
[@liu2022, abstract].

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

Which of them comes closest to full finetuning on a language that the base has never read?
"""
    )
    yield Figure("menu", Menu)
    yield Try(
        """
Choose the legal voice. How far are the marks apart now, and how many numbers does the leftmost of them train? Then look
at the time of a pass for one text, and for many. Each of these runs can be trained in
[the live lab](lab.html?train.method=dora&train.task=new+words&train.learning_rate=0.01), under “Method”. Only an
adapter of LoRA can be taken away from there.
"""
    )
    yield Prose(
        """
## Close together where the base helps

[[known]] The base has read a little of this voice. To bring it out, almost anything will do. A comparison on such a
task tells you little about the methods.

## Far apart where it does not

The new language is another matter. [[groups]]

Four of the methods can turn what one place in the model says into something else: they have two thin matrices
somewhere. They end close together. (IA)³ and BitFit can only make features louder or shift them. The prompt cannot
change the model at all; it can only add something to read.

Which of the four is best? [[luck]] So this experiment cannot tell LoRA from DoRA. Whoever shows you a table of methods
without seeds shows you something else as well: luck.

None of them reaches full finetuning here. All of them leave the words' own vectors alone, and in
[the lesson on knees](knee.html) you can see that this is what holds them back.

Does the count of numbers decide? [[count]] It matters what the numbers can do, not how many they are.

## Who chooses the rank

It is often told that AdaLoRA, (IA)³ and DoRA choose ranks. Only the first does. It starts with half as many directions
again as it may keep. At each step it notes for every number how much the loss would change without it. Directions whose
numbers matter least are switched off, wherever they are, and so some layers end with many and some with few.

[[ranks]] Its authors, on another model, saw that the MLP and the upper layers got most [@zhang2023, section 4]. The
first half of that we see as well. The second we do not. [[blocks]] Choose AdaLoRA in the figure and look for
yourself.

## What is forgotten

[[forgetting]] We had not expected that, and we did not look for the reason. Mostly the rule is simple: who learns less
forgets less. The prompt and BitFit show it.

## What it costs in time

[[times]] Our model is so small that a pass for one text is mostly the calling of functions, and a few more calls are
much. DoRA also needs the lengths of all rows at each pass, for however few words.

[[merged]] In the paper on LoRA, two kinds of bottlenecks on GPT-2 took [[one-text]] for one short text, and
[[many-texts]] for a batch of many long ones. A prompt makes every text longer. [[long]]

## Merge or mix

To *merge* is to turn what was learned into weights of the base. LoRA, DoRA and AdaLoRA add something to a weight; (IA)³
scales its rows or columns. BitFit becomes biases, which stay. Bottlenecks do not merge: a nonlinear function stands
between their matrices. Nor do prompts.

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

Ours is one small model with two tasks, few steps and a few seeds. It shows what the parts do. It does not say what to
choose for a large model.

## In short

- Where the base almost knows the task, every method will do. Where it does not, they differ widely.
- What the numbers can do matters more than how many there are.
- AdaLoRA chooses ranks. DoRA and (IA)³ do not.
- What merges costs no time, and then holds one task. What is kept apart can be mixed.
- Look for seeds before you believe that one method beats another.
"""
    )


LESSON = Lesson(
    slug="menu",
    title="Beside LoRA: the menu",
    question="There are other ways to train few numbers. What does each change, and what does it cost?",
    part="How far it goes",
    order=90,
    minutes=14,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "Which of these chooses ranks while it learns?",
            (
                Answer(
                    "AdaLoRA",
                    "It gives the layers more directions than they may keep, and switches off the least important.",
                    right=True,
                ),
                Answer(
                    "DoRA",
                    "Its rank stays the one you set. What it adds is the length of each row, apart from its direction.",
                ),
                Answer(
                    "(IA)³",
                    "It has no rank at all. It scales features by learned numbers.",
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
                    "The merged weights hold one task [@hu2021, section 4.2]. Kept apart, each text can have an "
                    "adapter of its own.",
                    right=True,
                ),
                Answer(
                    "(IA)³, kept apart", "A few numbers multiply the features of each text. They may differ."
                ),
            ),
        ),
        Question(
            "LoRA and DoRA end a few thousandths apart, the seeds of LoRA alone some hundredths. What follows?",
            (
                Answer("DoRA is better", "Another seed could turn it round. [[luck]]"),
                Answer(
                    "They are the same",
                    "They are two methods, and one of them trains more. This experiment just does not divide them.",
                ),
                Answer(
                    "This experiment cannot tell which is better",
                    "Chance does more than the method. [[luck]]",
                    right=True,
                ),
            ),
        ),
    ),
    corrections=(
        Correction(
            "AdaLoRA, (IA)³ and DoRA choose the rank adaptively.",
            "One of the three does. AdaLoRA switches off directions while it learns. [[ranks]] (IA)³ has no rank, and "
            "DoRA keeps the one it is given.",
            "menu",
        ),
        Correction(
            "BitFit works on small models and breaks on large ones.",
            "No source that we know tests that. What its authors vary is the amount of data [@benzaken2021, section "
            "on data size]. On GPT-3 it is mixed: [[bitfit-sql]] for full finetuning, and [[bitfit-mnli]].",
            "menu",
        ),
        Correction(
            "Prompts are awkward to batch; LoRA has no such trouble.",
            "Mixed batches are what soft prompts are praised for: one model, and [[prompt-numbers]]. It is merged LoRA "
            "that cannot mix tasks [@hu2021, section 4.2].",
            "menu",
        ),
    ),
)
