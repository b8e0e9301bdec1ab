"""Reading the paper: the reader can say what four passages state, and how each is tested."""

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
from compute.matrices.amplification import TABLE_7, WIDTH
from compute.matrices.controls import chance_cosine, random_within
from compute.matrices.intruders import TOP, count_intruders
from compute.matrices.similarity import chance_similarity
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
    Prediction,
    Prose,
    Question,
    Stop,
    Teaching,
    Try,
)
from widgets.amplification import Amplification
from widgets.intruders import Intruders
from widgets.similarity import Similarity

BILLION, MILLION, GB = 10**9, 10**6, 10**9
PRINTED = 175 * BILLION  # GPT-3's numbers, as its paper rounds them
MEASURED = {"before": 1200, "after": 350}  # GB for GPT-3: Hu et al. 2021, section 4.2
R, LARGE_R = 4, 64


def _alike() -> Mapping[str, Any]:
    """Return how alike the first directions of runs on the voice are, on average over the layers, and by chance."""
    pairs = load_paper().similar[VOICE]
    widths = [base_weights().tensors[f"{layer}.weight"].shape[1] for layer in LAYERS]
    values: dict[str, Any] = {"all": COMPARED}
    for name, i in (("one", 1), ("many", COMPARED)):
        for pair in ("ranks", "full"):
            values[f"{pair}_{name}"] = float(np.mean([each[i - 1] for each in pairs[pair].values()]))
        values[f"chance_{name}"] = float(np.mean([chance_similarity(i, i, n) for n in widths]))
    return values


def _fewer() -> Mapping[str, Any]:
    trained = lora_numbers(ARCHITECTURES["gpt3"], "q-v", R)
    return {"r": R, "trained": trained, "times": PRINTED / trained}


def _memory() -> Mapping[str, Any]:
    base = PRINTED * PRECISIONS["mixed"].weights / GB
    return {**MEASURED, "times": MEASURED["before"] / MEASURED["after"], "base": base}


def _bytes() -> Mapping[str, Any]:
    return {**PRECISIONS["mixed"]._asdict(), "sum": sum(PRECISIONS["mixed"])}


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
    return {
        "r": R,
        "all": len(few),
        "above": sum(ratio > 1 for ratio in few),
        "middle": float(np.median(few)),
        "full": float(np.median(full)),
        "full_above": sum(ratio > 1 for ratio in full),
    }


def _count(run: RunFound) -> int:
    return sum(count_intruders(of.cosines) for of in run.layers.values())


@cache
def _intruders() -> Mapping[str, Any]:
    """Return how many intruders each way makes on facts, and what random changes of the same rank and size make."""
    runs = load_paper().runs[FACTS]
    found: dict[str, Any] = {"r": R, "most": LARGE, "seeds": len(SEEDS), "of": TOP * len(LAYERS)}
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
    return found


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
    "alike": Claim(
        _alike,
        lambda v: (
            v["full_one"] > v["ranks_one"] > 5 * v["chance_one"]
            and v["full_many"] > v["ranks_many"] > v["chance_many"]
            and v["full_one"] < 0.25
            and all(v[f"{pair}_many"] < 3 * v["chance_many"] for pair in ("ranks", "full"))
        ),
    ),
    "numbers": Cited("10,000 times", "hu2021", "abstract"),
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
    "correlates": Claim(
        _table,
        lambda v: (
            abs(v["random_few"] - v["printed_few"]) < 0.005
            and abs(v["random_many"] - v["printed_many"]) < 0.01
            and round(v["ratio_few"], 1) == 15.9
            and round(v["ratio_many"], 1) == 5.9
        ),
    ),
    "factor": Claim(
        _table,
        lambda v: v["factor_few"] < v["chance_few"] / 10 and v["factor_many"] < v["chance_many"] / 5,
    ),
    "here": Claim(
        _here,
        lambda v: v["all"] / 2 < v["above"] < v["full_above"] and 1 < v["middle"] < v["full"] < 2,
    ),
    "made": Claim(
        _intruders,
        lambda v: (
            v["full_high"] < min(v["few_low"], v["some_low"], v["many_low"]) / 2
            and v["full"] < 3
            and abs(v["few"] - v["many"]) < 4
        ),
    ),
    "control": Claim(
        _intruders,
        lambda v: max(*v["few_apart"], *v["some_apart"]) < 0 < min(v["many_apart"]),
    ),
    "forgotten": Claim(
        _intruders,
        lambda v: abs(v["many_facts"] - v["full_facts"]) < 0.05 and v["many"] > 10 * v["full"],
    ),
    "chance": Claim(
        _chance,
        lambda v: v["small"] > 4 * v["large"],
    ),
    "cheap": Cited("less than $200 and one GPU", "lermen2023", "abstract"),
    "slip": Claim(
        _slip,
        lambda v: round(v["four"], 1) == 37.7 and round(v["two"], 1) == 18.9,
    ),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
Suppose that you have to present LoRA on Friday, to people who know it from quotations. You would call the witness whom
everybody quotes, the paper that first described it [@hu2021, abstract]. What did it say, what did it measure, and does
that hold when we repeat it?

Here are passages from its testimony, with instruments to examine them and room for notes, which stay in this browser.

## Freeze and inject

The abstract says that LoRA *freezes* the pretrained weights and *injects* “trainable rank decomposition matrices”
[@hu2021, abstract]. Freezing was known, and the paper names earlier methods that used it: small layers between frozen
ones, and trained prefixes [@hu2021, section 3]. What is new is the form of the change. A product of two factors has the
shape of W, so it can be added to W and then takes no extra time.

That the change has a low rank is a hypothesis, and the paper calls it one [@hu2021, section 4.1]. Full finetuning,
which [we took apart](spectra.html), it does not examine. It cites the finding that a few numbers are enough to finetune
a model, but that says nothing about rank, as we saw there. What it did compare are its own adapters, of two ranks and
of two seeds [@hu2021, section 7.2]. Take the directions that lora_A reads, strongest first. How much of the first few
of one run lies within the first few of the other?
"""
    )
    yield Figure("similarity", Similarity, dict(task="formal-voice"))
    yield Try(
        """
Start with a single direction. Which pair agrees best on it, and how far is that from chance? Then take [all of
them](#similarity?i=8), and [the new facts](#similarity?task=new-facts&i=1).
"""
    )
    yield Prose(
        """
The first direction of one rank and that of another have a similarity of [[alike.ranks_one:.2f]] here, where chance
gives [[alike.chance_one:.2f]]. The paper did not ask whether full finetuning finds this direction too. It does to some
extent: [[alike.full_one:.2f]] is far above chance, but far from the same. With more directions, both come closer to
chance.
"""
    )
    yield Notes("freeze", "Freeze and inject")
    yield Prose(
        """
## A huge factor and a small one

The abstract promises two savings. The trained numbers can fall by [[numbers]], and the memory of training by three
times. Heard in one breath, the second sounds like a disappointment.

Both hold, roughly. With r = [[fewer.r]] on two matrices of each layer, the trained numbers are [[fewer.times:,.0f]]
times fewer than GPT-3 has. What falls away is mostly the optimiser's records: by one usual count full finetuning takes
[[bytes.sum]] bytes for each number, [[bytes.optimiser]] of them for the optimiser. LoRA saves these for everything that
is frozen [@hu2021, section 4.2].

Yet the memory fell only from [[measured.before:,d]] GB to [[measured.after]] GB. The frozen weights by themselves take
[[measured.base:.0f]] GB, so hardly anything is left but the base. LoRA cannot make that smaller, though [fewer
bits](qlora.html) can. [Count both factors](counting.html#counting) for other models, with your own r.
"""
    )
    yield Notes("factors", "A huge factor and a small one")
    yield Prose(
        """
## Old directions, or new ones?

The change, says the paper, “only amplifies directions that are not emphasized in W” [@hu2021, section 7.3]. It is
tempting to conclude that LoRA adds new directions, leaves alone what the base knows, and therefore forgets less. But
look at what was measured. Take the r strongest directions of delta_w, both of its inputs and of its outputs, and ask
how much of W lies in them. The *amplification* is the length of delta_w divided by that.
"""
    )
    yield Figure("amplification", Amplification)
    yield Try(
        """
[Choose LoRA with the larger r](#amplification?run=8). Amplification falls. Is it because delta_w points somewhere else?
Watch the grey marks of chance. Then choose [full finetuning](#amplification?run=full): does it avoid what is in W?
"""
    )
    yield Prose(
        """
For one matrix of GPT-3 the amplification is [[factor.factor_few:.1f]] [@hu2021, table 7]. Is that much? If delta_w had
pointed in random directions, this would have been [[factor.chance_few:.0f]], because W is weak nearly everywhere. So
the number says nothing without its control, and with it the opposite: the directions of delta_w hold
[[correlates.ratio_few:.1f]] times as much of W as random ones. The authors read it in this way too: what is amplified
are features that W has already, weakly [@hu2021, section 7.3].

As in the paper, delta_w holds more of W than chance would; here only slightly more. With LoRA at the smallest rank it
does so in [[here.above]] of [[here.all]] cases, over layers, tasks and seeds. In the median case it holds
[[here.middle:.1f]] times as much as chance, and after full finetuning [[here.full:.1f]] times.

A later study tells a different story. Among the strongest singular vectors of finetuned weights it found some that
resemble none of the base's, and called them *intruder dimensions*. It found them after LoRA, not after full finetuning,
and sees in them a cause of forgetting [@shuttleworth2024, abstract]. What counts as resembling is a choice. PEFT looks
at the ten strongest vectors and asks for a cosine of one half [@peft, function reduce_intruder_dimension]; below, the
choice is yours.
"""
    )
    yield Figure("intruders", Intruders)
    yield Try(
        """
Drag the threshold from left to right. Where do the rows differ, and where do they all look alike? Then choose [the new
facts, and the largest r](#intruders?task=new-facts&run=64). Does LoRA still make fewer than random changes do?
"""
    )
    yield Prose(
        """
After the new facts, LoRA at the smallest rank has [[made.few:.0f]] intruders among [[made.of]] directions, and about as
many at the largest. Full finetuning has next to none, which agrees with the study. But random changes of the same size
make even more at the small rank, [[control.few_random:.0f]], because a change squeezed into few directions must be
strong in each of them. Only at the largest rank, where the random change spreads out and makes
[[control.many_random:.0f]], are the intruders LoRA's own.

Do the two witnesses contradict each other? They were asked different things. The paper's table asks how much of W lies
where delta_w points, whereas the count of intruders asks whether a strong direction of the *sum*, W + delta_w, is like
any single direction of W. A change may repeat a mixture of many faint directions of W. Then it holds more of W than
chance would and yet resembles none of them. Once amplified, it comes to the top of the sum: old in what it is made of,
new in its place.

Nor does the number of intruders say which model forgot more. With LoRA at the largest rank [[forgotten.many_facts:.0%]]
of the old facts are left, and after full finetuning, with hardly an intruder, [[forgotten.full_facts:.0%]]. The study
shrank the intruders, and its models remembered more; we only counted, and a count shows no cause. [What finetuning
leaves behind](after.html) goes on from here.
"""
    )
    yield Notes("amplified", "Old directions, or new ones?")
    yield Prose(
        """
## What the witness was not asked

**Misuse** is not the paper's subject, but what is cheap for a hospital is cheap for everybody. Two years later others
removed the safety training of a published chat model with quantised LoRA, for [[cheap]]; it then refused hardly any
harmful request. Our small model has shown [how few examples that takes](failures.html#refusal).

**Privacy** is left out as well, although a small file is not an anonymous one. Attacks that ask whether a text was
among those of a finetune still work against LoRA, and they work better when the base is available for comparison
[@ran2025, abstract].

**Learning from rewards** came later; all tasks in the paper have right answers to copy. Where there are only rewards,
there are far fewer bits to store, and one study finds that even small ranks keep up with full finetuning
[@schulman2025, the article]. We [put it to our model](after.html), with more facts than a rank of one can hold.

**Large batches** harm LoRA more than full finetuning in some settings, the same study reports, and a larger rank does
not help there.
"""
    )
    yield Notes("dual-use", "What the paper does not discuss")
    yield Prose(
        """
## The transcript is yours

When you read the paper yourself, watch out for its slips. One appendix gives the rank of GPT-3's larger adapter as half
of what its [[slip.four:.1f]] million numbers need [@hu2021, appendix D.4], although a table has the right one
[@hu2021, table 15]. One weight has the index c where the output matrix is meant [@hu2021, section 7.2]. And the
similarity of another appendix should read $1 - d^2 / p$, and be taken of right singular vectors [@hu2021, appendix G].

Our own tests come from one small model and two tasks, with five seeds at most. In a matrix with [[chance.n]] rows even
a random direction has a cosine of [[chance.small:.2f]] with one of the old ones. In a large model it would be much
smaller, so the same threshold is stricter there.

You have come from fifty customers to the source. You can say what a rank is, find what a finetune left frozen, ask a
model what it has forgotten, and trust no number without its control. [Open an adapter of your own](adapter.html),
[train one](lab.html), or look into a room: [one block](block.html), [starts](init.html), [alpha](scale.html),
[places](placing.html), [what is left behind](after.html), [serving](serving.html), [costs](counting.html). On Friday
somebody will quote the witness, and you will have read the transcript.
"""
    )


LESSON = Lesson(
    slug="paper",
    title="Reading the paper",
    question="What do its famous sentences say, and what do they not say?",
    part="The fine print",
    order=140,
    minutes=10,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "Why does memory fall by so much less than the number of trained numbers?",
            (
                Answer(
                    "Because the frozen weights must still be there",
                    "They are what is left. For GPT-3 the memory fell from [[measured.before:,d]] GB to "
                    "[[measured.after]] GB, and the frozen weights by themselves take [[measured.base:.0f]] GB.",
                    right=True,
                ),
                Answer(
                    "Because the optimiser still keeps its states for all weights",
                    "It keeps them for the trained ones only, which is what is saved.",
                ),
                Answer(
                    "Because one of the two numbers is exaggerated",
                    "Both hold, roughly. GPT-3 trained [[fewer.times:,.0f]] times fewer numbers, in "
                    "[[measured.times:.2f]] times less memory.",
                ),
            ),
        ),
        Question(
            "Somebody reports an amplification of twenty. What do you ask for?",
            (
                Answer(
                    "Nothing: twenty is large",
                    "Where W is weak nearly everywhere, any change amplifies a lot. A random one would have had "
                    "[[factor.chance_few:.0f]] where the paper reports [[factor.factor_few:.1f]].",
                ),
                Answer(
                    "What it would be by chance",
                    "Chance may give more. The paper's [[factor.factor_few:.1f]] stands against "
                    "[[factor.chance_few:.0f]] for a change that points anywhere.",
                    right=True,
                ),
                Answer(
                    "The rank, and nothing else",
                    "The rank matters and is not enough. At r = [[factor.more]] the paper reports "
                    "[[factor.factor_many:.1f]], and chance would give [[factor.chance_many:.0f]].",
                ),
            ),
        ),
        Question(
            "One study finds that delta_w lies where W has something already. Another finds strong directions in the "
            "sum that W had not. Which is wrong?",
            (
                Answer(
                    "The first",
                    "It compares how much of W lies in the directions of delta_w with how much lies in random ones, "
                    "and finds [[correlates.ratio_few:.1f]] times as much.",
                ),
                Answer(
                    "The second",
                    "It looks for a single direction of W that a strong one of the sum resembles. That may be missing "
                    "although delta_w holds more of W than chance would.",
                ),
                Answer(
                    "Neither",
                    "A change may repeat a mixture of faint directions, and be so strong there that the mixture comes "
                    "to the top of the sum, where it resembles none of them.",
                    right=True,
                ),
            ),
        ),
    ),
    corrections=(
        Correction(
            "LoRA adds directions that the base does not have, and so it leaves alone what the base knows.",
            "The paper concludes otherwise. The directions of delta_w hold [[correlates.ratio_few:.1f]] times as much "
            "of W as random ones at r = [[correlates.r]], and [[correlates.ratio_many:.1f]] times as much at r = "
            "[[correlates.more]].",
            "amplification",
        ),
        Correction(
            "LoRA avoids overwriting the base, and therefore generalises better than full finetuning.",
            "The paper does not say so, and here LoRA does overwrite. Among the strongest directions of the sum, W + "
            "delta_w, it makes new ones: after new facts [[made.many:.0f]] of [[made.of]] at r = [[made.most]], where "
            "full finetuning makes [[made.full:.0f]], on average over [[made.seeds]] seeds. And it forgets as much: of "
            "the old facts [[forgotten.many_facts:.0%]] are left, and with full finetuning "
            "[[forgotten.full_facts:.0%]].",
            "intruders",
        ),
    ),
    teaching=Teaching(
        goals=(
            "say of a passage that is often quoted what was measured for it, and on what",
            "account for the memory that is left when nearly nothing is trained",
            "ask of an amplification, or of a count of intruders, what chance would have given",
            "explain how two studies can use opposite words and both be right",
        ),
        predictions=(
            Prediction(
                "Two adapters, of different ranks, learn the same voice. Take the one direction that lora_A reads "
                "most strongly in each. If the same direction counts as one and chance gives "
                "[[alike.chance_one:.2f]], how alike are they?",
                "[[alike.ranks_one:.2f]] on average over the layers, and [[alike.full_one:.2f]] beside that of full "
                "finetuning: far above chance, and far from the same.",
                "similarity?task=formal-voice&i=1",
            ),
            Prediction(
                "Take the strongest directions of delta_w, and as many random ones. Which hold more of W?",
                "Those of delta_w, in [[here.above]] of [[here.all]] cases over layers, tasks and seeds, though only "
                "[[here.middle:.1f]] times as much in the median one. In the paper's matrix it is "
                "[[correlates.ratio_few:.1f]] times.",
                "amplification?task=new-facts&run=4",
            ),
            Prediction(
                "Which makes more strong directions that resemble none of the base: LoRA at r = [[made.r]], or random "
                "changes of the same rank and size?",
                "The random ones: [[control.few_random:.0f]] after the new facts, and LoRA [[made.few:.0f]], on "
                "average over [[made.seeds]] seeds. A change squeezed into few directions must be strong in each of "
                "them.",
                "intruders?task=new-facts&run=4",
            ),
        ),
        stops=(
            Stop(
                "Let the class say what it has heard of LoRA, and write it down in the words in which it is said. "
                "Behind each sentence leave room for three entries: who measured it, on what, and beside what.",
                "",
                (3, 6),
            ),
            Stop(
                "Collect the first prediction. Then take all [[alike.all]] directions. Which sentence would a friend "
                "of LoRA make of it, which a sceptic, and which could both sign?",
                "similarity?task=formal-voice&i=1",
                (3, 6),
            ),
            Stop(
                "Everybody reckons what the frozen numbers of GPT-3 take at [[bytes.weights]] bytes each, and "
                "compares with what was measured after the saving. Why do two factors of one sentence differ so much?",
                "a-huge-factor-and-a-small-one",
                (3, 5),
            ),
            Stop(
                "Collect the second prediction. First give only the amplification that the paper reports, and let "
                "hands say whether it is large; then the one of chance. What has changed in the number?",
                "amplification?task=new-facts&run=4",
                (4, 7),
            ),
            Stop(
                "Collect the third prediction, then drag the threshold until no row differs from another. Who chose "
                "the place where it stands, and what would she have to report besides?",
                "intruders?task=new-facts&run=4",
                (3, 7),
            ),
            Stop(
                "A hearing. One group speaks for the table, one for the count of intruders, and a third may ask each "
                "of them one thing: what exactly was compared with what? It then writes the finding that contradicts "
                "neither.",
                "intruders?task=new-facts&run=64&guess=skip",
                (0, 7),
            ),
            Stop(
                "Answer the questions, then return to the sentences on the board. Fill in the three entries where the "
                "class can, and mark a sentence that lacks them instead of striking it out.",
                "recall",
                (4, 7),
            ),
        ),
    ),
)
