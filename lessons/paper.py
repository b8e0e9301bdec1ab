"""Reading the paper: the reader can say what five passages state, how they are often read, and how to test them."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np

from compute.costs.architectures import ARCHITECTURES
from compute.costs.counting import lora_numbers
from compute.costs.memory import PRECISIONS
from compute.costs.sizes import stored_numbers
from compute.experiments.paper import (
    COMPARED,
    FULL,
    LARGE,
    SEEDS,
    SMALL,
    TASKS,
    VOICE,
    RunFound,
    directions,
    load_paper,
)
from compute.experiments.spectra import load_spectra
from compute.experiments.subspace import DIMENSIONS, load_subspace
from compute.experiments.subspace import TASKS as SUBSPACE_TASKS
from compute.matrices.amplification import TABLE_7, WIDTH
from compute.matrices.controls import chance_cosine, noise_control, random_within
from compute.matrices.intruders import TOP, count_intruders
from compute.matrices.similarity import chance_similarity
from compute.matrices.spectrum import r90
from compute.model.forward import base_weights
from compute.model.layers import LAYERS
from compute.world.tasks import FACTS
from lessons.press.blocks import (
    Answer,
    Block,
    Cited,
    Claim,
    Correction,
    Figure,
    Lesson,
    Notes,
    Prose,
    Question,
    Try,
)
from widgets.amplification import Amplification
from widgets.intruders import Intruders
from widgets.similarity import Similarity

BILLION, MILLION, GB = 10**9, 10**6, 10**9
PRINTED = 175 * BILLION  # GPT-3's numbers, as its paper rounds them
MEASURED = {"before": 1200, "after": 350}  # GB for GPT-3: Hu et al. 2021, section 4.2
SQUARE = (64, 64)
QUERY, VALUE = "blocks.1.attention.q_proj", "blocks.1.attention.v_proj"
FEW_FACTS = next(iter(SUBSPACE_TASKS))  # of what was learned in subspaces, the easiest
SPECTRA = {VOICE: "formal-voice", FACTS: "new-facts-512"}  # the same tasks among the recorded spectra
R, LARGE_R = 4, 64


def _rank() -> Mapping[str, Any]:
    voice, facts = (load_spectra().of(SPECTRA[task], FULL).mean("attention") for task in TASKS)
    return {"voice": voice, "facts": facts, "side": SQUARE[0], "noise": r90(noise_control(SQUARE).s[1])}


def _alike(task: str, pair: str) -> Mapping[str, Any]:
    """Return how alike the first directions of two runs are, on average over the layers, and by chance."""
    found = load_paper().similar[task][pair]
    widths = [base_weights().tensors[f"{layer}.weight"].shape[1] for layer in LAYERS]
    values: dict[str, Any] = {"r": SMALL, "more": LARGE, "all": COMPARED}
    for name, i in (("one", 1), ("many", COMPARED)):
        values[name] = float(np.mean([each[i - 1] for each in found.values()]))
        values[f"chance_{name}"] = float(np.mean([chance_similarity(i, i, n) for n in widths]))
    return values


def _fewer() -> Mapping[str, Any]:
    trained = lora_numbers(ARCHITECTURES["gpt3"], "q-v", R)
    return {"r": R, "trained": trained, "billions": PRINTED // BILLION, "times": PRINTED / trained}


def _memory() -> Mapping[str, Any]:
    base = PRINTED * PRECISIONS["mixed"].weights / GB
    return {**MEASURED, "times": MEASURED["before"] / MEASURED["after"], "base": base}


def _bytes() -> Mapping[str, Any]:
    return {**PRECISIONS["mixed"]._asdict(), "sum": sum(PRECISIONS["mixed"])}


def _subspace() -> Mapping[str, Any]:
    runs = load_subspace().tasks[FEW_FACTS]
    ranks = {rank[0] for rank in runs.rank.values()}
    return {
        "D": DIMENSIONS[0],
        "rank": min(ranks),
        "ranks": ranks,
        "r90": runs.r90[VALUE][0],
        "noise": r90(noise_control(SQUARE).s[1]),
    }


def _table() -> Mapping[str, Any]:
    values: dict[str, float] = {"r": R, "more": LARGE_R, "width": WIDTH}
    for name, column in (("few", TABLE_7[R]), ("many", TABLE_7[LARGE_R])):
        random = random_within((WIDTH, WIDTH), column.r, column.whole)
        values |= {
            f"random_{name}": random,
            f"printed_{name}": column.random,
            f"ratio_{name}": column.kept / random,
            f"factor_{name}": column.factor,
            f"chance_{name}": column.size / random,
        }
    return values


@cache
def _ratios(name: int | str) -> list[float]:
    """Return how much of W the directions of delta_w hold, over random ones, in all layers, tasks and seeds."""
    found = []
    for task in TASKS:
        for run in load_paper().runs[task][name]:
            for layer, of in run.layers.items():
                W = base_weights().tensors[f"{layer}.weight"]
                whole = float(np.linalg.norm(W))
                found.append(of.kept / random_within(W.shape, directions(name), whole))
    return found


def _here() -> Mapping[str, Any]:
    few, full = _ratios(R), _ratios(FULL)
    of = load_paper().runs[FACTS][R][0].layers[QUERY]
    W = base_weights().tensors[f"{QUERY}.weight"]
    return {
        "r": R,
        "seeds": len(SEEDS),
        "all": len(few),
        "above": sum(ratio > 1 for ratio in few),
        "middle": float(np.median(few)),
        "full": float(np.median(full)),
        "full_above": sum(ratio > 1 for ratio in full),
        "factor": of.size / of.kept,
        "chance": of.size / random_within(SQUARE, R, float(np.linalg.norm(W))),
    }


def _count(run: RunFound) -> int:
    return sum(count_intruders(of.cosines) for of in run.layers.values())


@cache
def _intruders(task: str) -> Mapping[str, Any]:
    """Return how many intruders each way makes on a task, and what random changes of the same rank and size make."""
    runs = load_paper().runs[task]
    found: dict[str, Any] = {
        "r": R,
        "more": SMALL,
        "most": LARGE,
        "seeds": len(SEEDS),
        "of": TOP * len(LAYERS),
    }
    for key, name in (("few", R), ("some", SMALL), ("many", LARGE), ("full", FULL)):
        counts = [_count(run) for run in runs[name]]
        random = [run.random for run in runs[name]]
        found |= {
            key: float(np.mean(counts)),
            f"{key}_low": min(counts),
            f"{key}_high": max(counts),
            f"{key}_random": float(np.mean(random)),
            f"{key}_apart": [one - other for one, other in zip(counts, random, strict=True)],
            f"{key}_facts": float(np.mean([run.facts for run in runs[name]])),
        }
    return {**found, "before": load_paper().before["facts"]}


def _chance() -> Mapping[str, Any]:
    return {
        "small": chance_cosine(64, 64, 2000, 0),
        "n": 64,
        "large": chance_cosine(4096, 4096, 50, 0),
        "wide": 4096,
    }


def _slip() -> Mapping[str, Any]:
    each = 2 * ARCHITECTURES["gpt3"].n_layer * stored_numbers((WIDTH, WIDTH), 1)  # two matrices in each layer
    return {"r": R, "four": 2 * R * each / MILLION, "half": R // 2, "two": R * each / MILLION}


CLAIMS: Mapping[str, Claim | Cited] = {
    "rank": Claim(
        _rank,
        lambda v: min(v["voice"], v["facts"]) > 10 and max(v["voice"], v["facts"]) < v["noise"] / 1.5,
    ),
    "alike": Claim(
        lambda: _alike(VOICE, "ranks"),
        lambda v: v["one"] > 5 * v["chance_one"] and v["many"] > v["chance_many"],
    ),
    "alike-full": Claim(
        lambda: _alike(VOICE, "full"),
        lambda v: v["one"] > 5 * v["chance_one"] and v["many"] > v["chance_many"],
    ),
    "numbers": Cited("10,000 times", "hu2021", "abstract"),
    "memory": Cited("3 times", "hu2021", "abstract"),
    "fewer": Claim(
        _fewer,
        lambda v: v["trained"] == 18_874_368 and round(v["times"]) == 9272,
    ),
    "measured": Claim(
        _memory,
        lambda v: round(v["times"], 2) == 3.43 and v["base"] == v["after"],
    ),
    "bytes": Claim(
        _bytes,
        lambda v: v["sum"] == 16 and v["optimiser"] / v["sum"] == 0.75,
    ),
    "subspace": Claim(
        _subspace,
        lambda v: v["ranks"] == {64} and abs(v["r90"] - v["noise"]) <= 2,
    ),
    "consistent": Claim(
        _table,
        lambda v: (
            abs(v["random_few"] - v["printed_few"]) < 0.005
            and abs(v["random_many"] - v["printed_many"]) < 0.01
        ),
    ),
    "correlates": Claim(
        _table,
        lambda v: round(v["ratio_few"], 1) == 15.9 and round(v["ratio_many"], 1) == 5.9,
    ),
    "factor": Claim(
        _table,
        lambda v: v["factor_few"] < v["chance_few"] / 10 and v["factor_many"] < v["chance_many"] / 5,
    ),
    "here": Claim(
        _here,
        lambda v: v["all"] / 2 < v["above"] < v["full_above"] and 1 < v["middle"] < v["full"] < 2,
    ),
    "ours": Claim(
        _here,
        lambda v: v["factor"] < v["chance"],
    ),
    "made": Claim(
        lambda: _intruders(FACTS),
        lambda v: v["full_high"] < min(v["few_low"], v["some_low"], v["many_low"]) / 2,
    ),
    "made-voice": Claim(
        lambda: _intruders(VOICE),
        lambda v: v["full"] < min(v["few"], v["some"], v["many"]),
    ),
    "control": Claim(
        lambda: _intruders(FACTS),
        lambda v: max(*v["few_apart"], *v["some_apart"]) < 0 < min(v["many_apart"]),
    ),
    "forgotten": Claim(
        lambda: _intruders(FACTS),
        lambda v: abs(v["many_facts"] - v["full_facts"]) < 0.05 and v["many"] > 10 * v["full"],
    ),
    "chance": Claim(
        _chance,
        lambda v: v["small"] > 4 * v["large"],
    ),
    "cheap": Cited("less than $200 and one GPU", "lermen2023", "abstract"),
    "model": Cited("Llama-2-Chat-70B", "lermen2023", "abstract"),
    "refusal": Cited("about 1%", "lermen2023", "abstract"),
    "slip": Claim(
        _slip,
        lambda v: round(v["four"], 1) == 37.7 and round(v["two"], 1) == 18.9,
    ),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
Many people know LoRA from one page about it. The paper itself is worth an hour [@hu2021, abstract]. Some of its
sentences are quoted everywhere, and a few have come to mean what they do not say.

Here are five passages. For each: what the paper says, how it is often read, what is so, and the figure on which you
can test it. Below each is room for your own notes. They stay in this browser.

## Freeze and inject

**The paper says** that it *freezes* the pretrained weights and *injects* “trainable rank decomposition matrices”
[@hu2021, abstract].

**It is often read** as the idea of not touching the weights, and as proof that what finetuning changes is of low
rank.

**What is so.** Not touching the weights is older. Small layers between frozen ones and trained prefixes did it
before, and the paper says so [@hu2021, section 3]. What LoRA brought is a change that is a product of two factors: it
has the shape of W, and so it can be added to W and cost nothing more.

The low rank is a hypothesis there, and called one [@hu2021, section 4.1]. The paper took no full finetuning apart. It
compared what its own adapters learned, for two ranks and two seeds [@hu2021, section 7.2], and one of them with W
[@hu2021, section 7.3].

**Test it.** On average over the square matrices and the seeds, full finetuning of our small model on a new voice
keeps nine tenths of the energy in [[rank.voice:.0f]] of [[rank.side]] directions, on new facts in [[rank.facts:.0f]].
Noise needs [[rank.noise]]. Lower than noise, and not tiny. [Take spectra apart yourself](spectra.html#spectra), and
look [into a block](block.html) for where the factors are injected.

The comparison of two ranks can be made again. Take the directions that lora_A reads, strongest first, and ask how much
of the first few of one run lies within the first few of the other: the mean squared cosine of the angles between them.
"""
    )
    yield Figure("similarity", Similarity)
    yield Try(
        """
Take one direction first. Which pair agrees best on it, and how far is that from chance? Then choose another task.
"""
    )
    yield Prose(
        """
On our new voice the first direction that lora_A reads at r = [[alike.r]] and the first at r = [[alike.more]] have a
similarity of [[alike.one:.2f]], where chance gives [[alike.chance_one:.2f]]; the first [[alike.all]] have
[[alike.many:.2f]], and chance [[alike.chance_many:.2f]]. The comparison that the paper did not make is with full
finetuning. Between the adapter and full finetuning it is [[alike-full.one:.2f]] for the first direction and
[[alike-full.many:.2f]] for the first [[alike-full.all]].
"""
    )
    yield Notes("freeze", "Freeze and inject")
    yield Prose(
        """
## A huge factor and a small one

**The paper says** that the trained numbers can fall by [[numbers]], and the memory of training by [[memory]].

**It is often read** as one claim, and then the smaller factor disappoints. One explanation that is told: optimiser
and activations take most of the memory, so LoRA saves little unless you also change the optimiser.

**What is so.** Both numbers hold, roughly. GPT-3 has [[fewer.billions]] billion numbers; with r = [[fewer.r]] on two
matrices of each layer [[fewer.trained:,d]] are trained, [[fewer.times:,.0f]] times fewer. There the memory fell from
[[measured.before:,d]] GB to [[measured.after]] GB, [[measured.times:.2f]] times. The frozen weights by themselves
take [[measured.base:.0f]] GB. So after the saving there is hardly anything left but the frozen base. No other
optimiser makes that smaller; storing it with fewer bits does.

The explanation has the order of things right, for *full* finetuning. By one usual count a trained number takes
[[bytes.sum]] bytes: [[bytes.weights]] for itself, [[bytes.gradients]] for its gradient and [[bytes.optimiser]] for
the optimiser. That is three quarters for the optimiser. It is just this part that LoRA takes away, for every number
that is frozen [@hu2021, section 4.2].

**Test it.** [Count both factors](counting.html#counting) for eight models, with your own r.
"""
    )
    yield Notes("factors", "A huge factor and a small one")
    yield Prose(
        """
## Intrinsic dimension is not rank

**The paper says** that over-parametrised models “reside on a low intrinsic dimension”, and takes from it the hope
that the change of weights has a low “intrinsic rank” [@hu2021, section 1].

**It is often read** as if the first proved the second.

**What is so.** They are two counts of two things. The intrinsic dimension says how many numbers suffice, if each may
move all weights at once [@aghajanyan2020, abstract]. The rank says how many patterns a matrix has. Few numbers can
make a matrix of full rank: let one number be a volume knob for a fixed random matrix. With [[subspace.D]] trained
numbers, every matrix of the small model changed by a matrix of full rank, [[subspace.rank]]. In one of them nine
tenths of the energy took [[subspace.r90]] directions, and noise takes [[subspace.noise]].

So the step is an inspiration. LoRA was then tried, and it worked. That is a good reason to use it, and no proof.

**Test it.** [Finetune with a handful of numbers](spectra.html#subspace), and watch the rank.
"""
    )
    yield Notes("dimension", "Intrinsic dimension is not rank")
    yield Prose(
        """
## What does it amplify?

**The paper says** that delta_w does not repeat the strongest directions of W, and “only amplifies directions that
are not emphasized in W” [@hu2021, section 7.3]. One table shows it for one matrix of GPT-3 [@hu2021, table 7].

**It is often read** as follows. LoRA adds new directions beside those of the base. So it leaves alone what the base
knows, and therefore it forgets less.

First the measurement. Take the strongest directions of delta_w, r on each side, and ask how much of W lies in them.
Compare it with r random directions, and with the strongest of W. Then divide: the norm of delta_w over that of W in
the same directions is the *amplification*.
"""
    )
    yield Figure("amplification", Amplification)
    yield Try(
        """
[Choose LoRA with the larger r](#amplification?run=8). Amplification falls. Is it because delta_w points elsewhere?
Watch the grey marks. Then choose full finetuning, and look at the left chart: does it avoid what is in W?
"""
    )
    yield Prose(
        """
**What is so.** The table can be checked. What random directions hold needs no draw: on average it is r over the
width, times the norm of W. For r = [[consistent.r]] and r = [[consistent.more]] it gives
[[consistent.random_few:.4f]] and [[consistent.random_many:.4f]]. The table prints [[consistent.printed_few:.2f]] and
[[consistent.printed_many:.2f]]. So it is sound.

Now read it as its authors do. The directions of delta_w hold [[correlates.ratio_few:.1f]] times as much of W as
random ones at r = [[correlates.r]], and [[correlates.ratio_many:.1f]] times as much at r = [[correlates.more]]. That
is more than chance, not less. They conclude that delta_w amplifies features which are in W *already*, weakly
[@hu2021, section 7.3]. New directions would hold as little of W as random ones.

The factor by itself shows neither. The amplification is [[factor.factor_few:.1f]] at r = [[factor.r]] and
[[factor.factor_many:.1f]] at r = [[factor.more]]. Had delta_w pointed anywhere, it would have been
[[factor.chance_few:.0f]] and [[factor.chance_many:.0f]]. A random change has the largest amplification of all,
because W is weak nearly everywhere. So it must stand beside chance.

**Here it is hardly there.** In [[here.above]] of [[here.all]] cases, all layers, both tasks and [[here.seeds]] seeds,
the directions of delta_w hold more of W than random ones at r = [[here.r]], and in the median case
[[here.middle:.1f]] times as much. For full finetuning it is [[here.full_above]] of [[here.all]], and
[[here.full:.1f]] times. For the new facts, in the layer that the figure opens with, the amplification is
[[ours.factor:.1f]], and by chance it would be [[ours.chance:.1f]]. Our model is small: its r directions are a large
part of all there are, and there is less room to be special. Full finetuning, which has no r, follows W most.

## Intruders

The second half of the reading is that LoRA leaves alone what was there. A later study looked at the strongest
singular vectors of the finetuned weight. It found some that resemble none of the base, which it calls *intruder
dimensions*. It found them after LoRA and not after full finetuning, and it found that they cause forgetting
[@shuttleworth2024, abstract].

What counts as resembling is a choice: the largest cosine with a vector of the base, and a threshold. PEFT has a tool
that looks at the ten strongest, and takes one half [@peft, function reduce_intruder_dimension]. Both are yours
below.
"""
    )
    yield Figure("intruders", Intruders)
    yield Try(
        """
Drag the threshold slowly from left to right. At which place do the rows come apart, and where do they all look alike?
Then choose the new facts, and the largest r. Does LoRA still make fewer than random changes do?
"""
    )
    yield Prose(
        """
**What is so here.** On the new facts LoRA makes [[made.few:.0f]] intruders of [[made.of]] with r = [[made.r]],
[[made.some:.0f]] with r = [[made.more]] and [[made.many:.0f]] with r = [[made.most]], on average over [[made.seeds]]
seeds; full finetuning makes [[made.full:.1f]]. On the formal voice, a smaller change, it is [[made-voice.few:.1f]],
[[made-voice.some:.1f]] and [[made-voice.many:.1f]], and [[made-voice.full:.1f]]. That agrees with the study.

**The control.** Random changes of the same rank and size as on the facts make [[control.few_random:.0f]] and
[[control.some_random:.0f]] at the two lower ranks, with every seed more than LoRA does, and
[[control.many_random:.1f]] at r = [[control.most]], with every seed fewer. At a low rank a change of this size must
be strong in each of its few directions, whatever they are, and strong directions come to the top. There the count
says little of LoRA. At the largest rank it could spread out, as the random change does, and it does not. These strong
new directions are its own.

**How does that go with the table?** There delta_w lay in directions which W has already, and here the sum has
directions that W had not. The two ask different things. The table asks how much of W lies where delta_w points. The
count asks whether a strong direction of the sum is like any *single* one of W. A change may repeat a mixture of many
faint directions: then it holds more of W than chance would, and resembles none of them. And it is strong: a feature
that was faint in W stands at the top of the sum once it has been amplified. Old in what it is made of, new in its
place.

**And forgetting?** After the new facts r = [[forgotten.most]] answers [[forgotten.many_facts:.0%]] of the old ones,
with [[forgotten.many:.0f]] intruders, and full finetuning [[forgotten.full_facts:.0%]], with [[forgotten.full:.1f]].
So the number of intruders alone does not tell you which model forgot more. The study shrinks the intruders of a
model, and then it remembers more [@shuttleworth2024, abstract]; we only counted, and a count names no cause. [After a
finetune](after.html#forgetting) follows what is forgotten over rates and sizes of the change.

One caution. A random direction of [[chance.n]] numbers has a cosine of [[chance.small:.2f]] with the nearest of
[[chance.n]] old ones, one of [[chance.wide:,d]] numbers [[chance.large:.2f]]. In a small matrix even a random
direction looks a little like some old one. The same threshold is stricter in a large model.

So “it avoids overwriting, therefore it generalises better” has no support in the paper. LoRA usually forgets less and
also learns less [@biderman2024, abstract]. [The lab](lab.html) shows both sides.
"""
    )
    yield Notes("amplified", "What does it amplify?")
    yield Prose(
        """
## What the paper does not discuss

**The paper says** nothing about misuse, in all of its text.

**It is often read** past: making finetuning cheap is told as making it open to all, and as only that.

**What is so.** What is cheap for a hospital is cheap for everybody. Two years later, a study removed the safety
training of a published chat model, [[model]], with quantised LoRA, for [[cheap]]. It then refused [[refusal]] of
harmful requests, and general abilities stayed. The authors conclude that whoever publishes weights should assess what
finetuning can make of them [@lermen2023, abstract].

The method is no worse for it. A question has moved. Safety that is only trained into weights lasts as
long as nobody trains on. Who can train on is no longer a matter of cost.

**Test it.** On a model in which nothing is at stake, [the lesson on failures](failures.html) counts the examples that
it takes to open a refusal, beside as many wrong ones.
"""
    )
    yield Notes("dual-use", "What the paper does not discuss")
    yield Prose(
        """
## Small slips

Every paper has some. Here are a few, so that they do not cost you an evening:

- An appendix gives the rank of the larger GPT-3 adapter as half of what its count needs [@hu2021, appendix D.4]. Four
  matrices in each layer give [[slip.four:.1f]] million numbers at r = [[slip.r]]; at r = [[slip.half]] they give
  [[slip.two:.1f]]. A table has it right [@hu2021, table 15].
- One weight is written with the index c where the output matrix is meant [@hu2021, section 7.2].
- A formula of another appendix has the division in the wrong place. Similarity is $1 - d^2 / p$, with $d$ the
  distance of the subspaces and $p$ the smaller number of directions. The same appendix speaks of left singular
  vectors of lora_A where the experiment compares right ones [@hu2021, appendix G].

## In short

- Freezing is older than LoRA. Its own is a change that can be merged.
- The trained numbers fall by orders of magnitude, the memory by a few times, because the frozen base stays.
- A low intrinsic dimension does not make a low rank.
- In the paper delta_w holds more of W than chance would, and does not avoid it. Amplification needs its control.
- Intruders follow from large changes in few directions, and LoRA keeps to few directions even where it has many. Their
  number alone does not tell which model forgot more.
"""
    )


LESSON = Lesson(
    slug="paper",
    title="Reading the paper",
    question="What do its famous sentences say, and what do they not say?",
    part="The fine print",
    order=140,
    minutes=25,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "Why does memory fall by so much less than the number of trained numbers?",
            (
                Answer(
                    "Because the frozen weights must still be there",
                    "They are what is left. There the memory fell from [[measured.before:,d]] GB to "
                    "[[measured.after]] GB, [[measured.times:.2f]] times. The frozen weights by themselves take "
                    "[[measured.base:.0f]] GB.",
                    right=True,
                ),
                Answer(
                    "Because the optimiser still keeps its states for all weights",
                    "It keeps them for the trained ones only, which is what is saved.",
                ),
                Answer(
                    "Because one of the two numbers is exaggerated",
                    "Both hold, roughly. GPT-3 has [[fewer.billions]] billion numbers; with r = [[fewer.r]] on "
                    "two matrices of each layer [[fewer.trained:,d]] are trained, [[fewer.times:,.0f]] times "
                    "fewer. There the memory fell from [[measured.before:,d]] GB to [[measured.after]] GB, "
                    "[[measured.times:.2f]] times. The frozen weights by themselves take [[measured.base:.0f]] "
                    "GB.",
                ),
            ),
        ),
        Question(
            "A handful of numbers is enough to finetune a model. What follows for the rank of delta_w?",
            (
                Answer(
                    "It is at most that handful",
                    "Each number may move all of a matrix. With [[subspace.D]] trained numbers, every matrix of "
                    "the small model changed by a matrix of full rank, [[subspace.rank]]. In one of them nine "
                    "tenths of the energy took [[subspace.r90]] directions, and noise takes [[subspace.noise]].",
                ),
                Answer(
                    "Nothing",
                    "The two are different counts. With [[subspace.D]] trained numbers, every matrix of the small"
                    " model changed by a matrix of full rank, [[subspace.rank]]. In one of them nine tenths of "
                    "the energy took [[subspace.r90]] directions, and noise takes [[subspace.noise]].",
                    right=True,
                ),
                Answer(
                    "It is small, roughly",
                    "It was as high as it can be. With [[subspace.D]] trained numbers, every matrix of the small "
                    "model changed by a matrix of full rank, [[subspace.rank]]. In one of them nine tenths of the"
                    " energy took [[subspace.r90]] directions, and noise takes [[subspace.noise]].",
                ),
            ),
        ),
        Question(
            "Somebody reports an amplification of twenty. What do you ask for?",
            (
                Answer(
                    "What it would be by chance",
                    "Chance may give more. The amplification is [[factor.factor_few:.1f]] at r = [[factor.r]] and"
                    " [[factor.factor_many:.1f]] at r = [[factor.more]]. Had delta_w pointed anywhere, it would "
                    "have been [[factor.chance_few:.0f]] and [[factor.chance_many:.0f]]. For the new facts, in "
                    "the layer that the figure opens with, the amplification is [[ours.factor:.1f]], and by "
                    "chance it would be [[ours.chance:.1f]].",
                    right=True,
                ),
                Answer(
                    "The rank, and nothing else",
                    "The rank matters, and it is not enough. The amplification is [[factor.factor_few:.1f]] at r "
                    "= [[factor.r]] and [[factor.factor_many:.1f]] at r = [[factor.more]]. Had delta_w pointed "
                    "anywhere, it would have been [[factor.chance_few:.0f]] and [[factor.chance_many:.0f]].",
                ),
                Answer(
                    "Nothing: twenty is large",
                    "Where W is weak nearly everywhere, any change amplifies a lot. The amplification is "
                    "[[factor.factor_few:.1f]] at r = [[factor.r]] and [[factor.factor_many:.1f]] at r = "
                    "[[factor.more]]. Had delta_w pointed anywhere, it would have been [[factor.chance_few:.0f]] "
                    "and [[factor.chance_many:.0f]].",
                ),
            ),
        ),
    ),
    corrections=(
        Correction(
            "LoRA adds directions that the base does not have, and so it leaves alone what the base knows.",
            "The paper concludes otherwise. The directions of delta_w hold [[correlates.ratio_few:.1f]] "
            "times as much of W as random ones at r = [[correlates.r]], and [[correlates.ratio_many:.1f]]"
            " times as much at r = [[correlates.more]].",
            "amplification",
        ),
        Correction(
            "LoRA avoids overwriting the base, and therefore generalises better than full finetuning.",
            "It makes strong new directions of its own, and forgets as much. On the new facts LoRA makes "
            "[[made.few:.0f]] intruders of [[made.of]] with r = [[made.r]], [[made.some:.0f]] with r = "
            "[[made.more]] and [[made.many:.0f]] with r = [[made.most]], on average over [[made.seeds]] "
            "seeds; full finetuning makes [[made.full:.1f]]. After the new facts r = [[forgotten.most]] "
            "answers [[forgotten.many_facts:.0%]] of the old ones, with [[forgotten.many:.0f]] intruders,"
            " and full finetuning [[forgotten.full_facts:.0%]], with [[forgotten.full:.1f]].",
            "intruders",
        ),
    ),
)
