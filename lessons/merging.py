"""Merge it, and take it back: the reader can say what merging saves, what rounding takes, and when not to merge."""

from collections.abc import Iterator, Mapping
from typing import Any

from compute.adapters.merge_state import CYCLES
from compute.adapters.merging import relative_change
from compute.costs.macs import merged_macs, unmerged_macs
from compute.experiments.merging import Record, load_record, state_key, worn_key
from compute.experiments.mixing import R
from compute.numbers.precision import PRECISIONS
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
from widgets.merging import Merging
from widgets.wear import Wear

LARGE, LARGE_RANK = (4096, 4096), 16  # an attention matrix of a mid-size model, and a usual rank
FULL, SMALL, FAINT, TINY = 1.0, 0.1, 0.01, 0.001  # strengths
ONE = "1"  # text at once
TASK = "formal"


def _record() -> Record:
    return load_record()


def _state(precision: str, strength: float) -> Mapping[str, Any]:
    return _record().states[state_key(TASK, precision, strength)]


def _gain(state: Mapping[str, Any]) -> float:
    return (state["base"] - state["merged"]) / (state["base"] - state["unmerged"])


def _counts() -> Mapping[str, Any]:
    """Return what share of multiplications the second path adds, in this layer and in one of a large model."""

    def more(shape: tuple[int, int], r: int) -> float:
        return unmerged_macs(shape, r) / merged_macs(shape) - 1

    out, into = _record().layers[TASK].W.shape
    return {"more": more((out, into), R), "large": more(LARGE, LARGE_RANK)}


def _times() -> Mapping[str, Any]:
    seconds = _record().times["model"][ONE]
    return {"model": seconds["unmerged"] / seconds["merged"]}


def _exact() -> Mapping[str, Any]:
    state = _state("fp32", FULL)
    return {
        "precision": "fp32",
        "difference": 1e6 * state["difference"],
        "beside": state["unmerged"],
        "merged": state["merged"],
    }


def _strong() -> Mapping[str, Any]:
    state, layer = _state("bf16", FULL), _record().layers[TASK]
    return {
        "size": relative_change(layer.W, layer.W + layer.delta_w),
        "precision": "bf16",
        "beside": state["unmerged"],
        "merged": state["merged"],
    }


def _weak(precision: str, strength: float) -> Mapping[str, Any]:
    state = _state(precision, strength)
    return {"precision": precision, "strength": strength, "gain": _gain(state), **state}


def _format() -> Mapping[str, Any]:
    return {
        "precision": "bf16",
        "bits": PRECISIONS["bf16"].bits,
        "other": "fp16",
        "half": PRECISIONS["fp16"].bits,
    }


def _back() -> Mapping[str, Any]:
    single, half = _state("fp32", FULL), _state("bf16", FULL)
    return {
        "single": single["changed_back"],
        "half": half["changed_back"],
        "single_off": 1e6 * single["off_back"],
        "half_off": 1e6 * half["off_back"],
        "precision": "fp32",
        "other": "bf16",
    }


def _same() -> Mapping[str, Any]:
    drifts = [_state(precision, FULL)["same"] for precision in PRECISIONS]
    return {"cycles": CYCLES[-1], "times": [drift[-1] / drift[0] for drift in drifts]}


def _unrounded() -> Mapping[str, Any]:
    """Return how far W goes by PEFT's default in both half precisions, and what the base then knows."""
    found: dict[str, Any] = {"cycles": CYCLES[-1], "precision": "bf16", "other": "fp16"}
    for precision in ("bf16", "fp16"):
        drift = _state(precision, FULL)["unrounded"]
        found |= {f"times_{precision}": drift[-1] / drift[0], f"last_{precision}": drift[-1]}
    found["first"] = _state("bf16", FULL)["unrounded"][0]
    for way in ("none", "unrounded"):
        found[f"facts_{way}"] = _record().worn[worn_key(TASK, "bf16", way)]["facts"]
    return found


def _different() -> Mapping[str, Any]:
    drift = _state("bf16", FULL)["different"]
    return {"precision": "bf16", "times": drift[-1] / drift[0]}


def _stacked() -> Mapping[str, Any]:
    state = _state("fp32", FULL)
    return {name: state[name] for name in ("merged", "stacked", "base", "second_alone", "second_stacked")}


def _peeled() -> Mapping[str, Any]:
    state = _state("bf16", FULL)
    return {
        "precision": "bf16",
        "changed": state["changed_peeled"],
        "alone": state["second_alone"],
        "peeled": state["second_peeled"],
    }


CLAIMS: Mapping[str, Claim | Cited] = {
    "counts": Claim(_counts, lambda v: 0.1 < v["more"] < 0.15 and 0 < v["large"] < 0.01),
    "times": Claim(_times, lambda v: v["model"] > 1 + 2 * _counts()["more"]),
    "latency": Cited("20.7 % and 30.3 % more time", "hu2021", "table 1"),
    "exact": Claim(
        _exact,
        lambda v: v["difference"] < 1 and f"{v['beside']:.4f}" == f"{v['merged']:.4f}",
    ),
    "strong": Claim(
        _strong,
        lambda v: v["size"] < 0.15 and abs(v["beside"] - v["merged"]) < 1e-3,
    ),
    "bits": Claim(_format, lambda v: v["bits"] < v["half"] < PRECISIONS["fp32"].bits),
    "small": Claim(
        lambda: _weak("bf16", SMALL),
        lambda v: v["unchanged"] > 0.15 and v["error"] > 0.1 and min(v["arrived"], v["gain"]) > 0.99,
    ),
    "faint": Claim(  # what the figure has guessed
        lambda: _weak("bf16", FAINT),
        lambda v: min(v["unchanged"], v["gain"]) > 0.7,
    ),
    "tiny": Claim(
        lambda: _weak("bf16", TINY),
        lambda v: v["unchanged"] > 0.9 and max(v["arrived"], v["gain"]) < 0.4,
    ),
    "tiny-half": Claim(
        lambda: _weak("fp16", TINY),
        lambda v: v["gain"] > 2 * _gain(_state("bf16", TINY)),
    ),
    "back": Claim(
        _back,
        lambda v: 0 < v["single"] < v["half"] and v["half_off"] > 10_000 * v["single_off"],
    ),
    "back-tiny": Claim(
        lambda: _weak("bf16", TINY),
        lambda v: v["changed_back"] < 0.001 and v["unchanged"] > 0.9,
    ),
    "same": Claim(_same, lambda v: all(abs(times - 1) < 0.005 for times in v["times"])),
    "unrounded": Claim(
        _unrounded,
        lambda v: min(v["times_bf16"], v["times_fp16"]) > 2,
    ),
    "worn": Claim(
        _unrounded,
        lambda v: 0 <= v["facts_none"] - v["facts_unrounded"] < 0.01,
    ),
    "different": Claim(_different, lambda v: v["times"] > _unrounded()["times_bf16"]),
    "stacked": Claim(
        _stacked,
        lambda v: (
            v["base"] > v["stacked"] > v["merged"] + 0.01
            and v["stacked"] < v["merged"] + 0.1
            and v["second_stacked"] > v["second_alone"] + 1
        ),
    ),
    "peeled": Claim(
        _peeled,
        lambda v: v["changed"] > 0.1 and abs(v["peeled"] - v["alone"]) < 1e-4,
    ),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
An adapter that works on somebody's desk is not yet a product. Tomorrow it will answer for a shop, all day long, and
behind every request somebody is waiting. So far each layer takes two paths: the frozen weights do their part, the two
thin matrices do theirs, and the results are added. The second path takes time. Do we need it?

Think of the frozen weights as a drawing, and of the adapter as a sheet of tracing paper that lies on top. You see both
at once, and you can lift the tracing off whenever you like; but you always carry two sheets. The other way is to use
ink. Copy the tracing onto the drawing, line by line, and you are left with one sheet that shows the same picture. What
does the ink cost, and can it be scraped off again?

## One sheet shows the same picture

Both paths of a layer are linear, and their results are added. So we may just as well add the matrices first, which is
called *merging*:

$$y = W x + s\\,B A\\,x = (W + s\\,B A)\\,x.$$

The matrix in brackets has the shape of the old one, so that the merged model is a plain model again, of the base's size
and the base's speed. LoRA's authors describe it like this: a merged model adds no delay, and if you need the base back,
you subtract what was added [@hu2021, section 4.1].

In exact arithmetic every word of that is right. A computer, however, rounds. Here is a real layer of [our
model](world.html), with an adapter that has learned the formal voice, which the base had never read. Guess, then
merge.
"""
    )
    yield Figure("merging", Merging)
    yield Try(
        """
Walk through the six steps in `fp32`, the format with the most digits. Then [merge with the
fewest](#merging?precision=bf16&strength=1&step=2), and turn the strength down, one choice after the other, until the
picture of what rounding did begins to look like that of `delta_w`.
"""
    )
    yield Prose(
        """
With all its digits the ink is faithful. In [[exact.precision]] the merged layer and the layer with two paths give
outputs that are never more than [[exact.difference:.2f]] millionths apart, which is the rounding of the format itself,
and the loss is [[exact.merged:.4f]] nats either way.

What merging saves is time, and more of it than counting multiplications would suggest. In this small layer the second
path adds [[counts.more:.1%]] to them. In a large model it adds only [[counts.large:.1%]] to a layer, because a thick
matrix grows with both its sides and a thin one with only one. But each of the two thin products is a call of its own,
and a call takes time before it has multiplied anything. By the clock, with one short text, our whole model took
[[times.model:.1f]] times as long with its adapter kept apart as it took merged. That is the ratio of one small model on
one machine. LoRA's authors measured a similar effect for two other kinds of adapter, which cannot be merged: with one
short text at a time they cost [[latency]].

## Lines finer than the pen

A pen has a width, and so has a number format. [[bits.precision]] keeps [[bits.bits]] binary digits of a number and
[[bits.other]] keeps [[bits.half]], so there are gaps between the numbers that a format can store. If an entry of
`delta_w` is smaller than half the gap, then W plus that little is stored as W again, and the line is not drawn at all.

The lines of the adapter as it was trained are broad enough for any of these pens. Its `delta_w` is [[strong.size:.0%]]
as long as W, and even in [[strong.precision]] merging moves the loss by less than a thousandth of a nat. Now make the
lines finer. [At a tenth of the strength](#merging?precision=bf16&strength=0.1&step=2) [[small.unchanged:.0%]] of the
entries do not move, and the error that rounding makes is [[small.error:.0%]] as long as `delta_w` itself. Yet the
adapter still lowers the loss by [[small.gain:.0%]] of what it should. How can both be true? Rounding goes up as often
as down, so the entries that do move go a little too far, and on the whole they make up for those that stay. An error in
the weights and a loss of skill are two different numbers, and users notice only the second.

This luck runs out where hardly any line is broad enough. [At a thousandth of the
strength](#merging?precision=bf16&strength=0.001&step=2) [[tiny.unchanged:.0%]] of the entries stay where they were, and
only [[tiny.gain:.0%]] of the gain in loss is left. [A finer pen](#merging?precision=fp16&strength=0.001&step=2) draws
more of it: in [[tiny-half.precision]], [[tiny-half.gain:.0%]] of the gain is left. So the adapter is not too small as
such. It is too small for the format that it is merged into, and on its own sheet of tracing paper it would have worked
in full. We made it faint on purpose, with [the strength dial](lab.html#strength). If you merge a faint adapter into a
format with few digits, look at both numbers.

## Scraping it off, day after day

Subtracting `delta_w` gives the base back, almost. After merging and unmerging in [[back.precision]],
[[back.single:.0%]] of the entries are not what they were, and in [[back.other]] it is [[back.half:.0%]]. The faint
adapter is easy to take out: at a thousandth of its strength only [[back-tiny.changed_back:.2%]] of the entries do not
come back. That is no merit of subtraction: most of it never went in.

One round leaves marks that nobody will ever see. But a server may ink a customer's adapter in every morning and scrape
it off every night. Does the paper wear thin?
"""
    )
    yield Figure("wear", Wear)
    yield Try(
        """
Follow the rounds from the first to the last in half precision (`bf16`), and see which of the three lines stays level.
Then [keep more digits](#wear?precision=fp32): why are two of the lines one?
"""
    )
    yield Prose(
        """
It depends on a detail that is easily missed. If `delta_w` is rounded *before* it is added, then exactly what was added
can be taken away again, and after [[same.cycles]] rounds W is as far off as after the first, in every format. PEFT's
`merge` does so only when it is called with `safe_merge=True`. By default it adds all the digits and rounds the sum,
while its `unmerge` subtracts a rounded `delta_w` [@peft, Linear.merge and Linear.unmerge]. What goes in and what comes
out differ by the same little every time, and this adds up: in [[unrounded.precision]] the last round leaves W
[[unrounded.times_bf16:.1f]] times as far off as the first. Many different adapters wear W down even if each is rounded
first, because each one rounds different entries, up or down by chance. After the same number of rounds with a different
adapter each time, W ends [[different.times:.1f]] times as far off as after one.

Our model does not suffer from it yet. With all its layers worn in this way by PEFT's default, it gets
[[worn.facts_unrounded:.1%]] of the base's facts right, where the untouched base gets [[worn.facts_none:.1%]]. Still,
nothing brings W back. There is one cure for every kind of wear, and it costs one copy: keep the original drawing, and
start each merge from it.

## Two tracings on one sheet

Nothing stops you from inking in a second adapter on top of the first, here one that has learned new facts. [The first
figure does it](#merging?precision=fp32&strength=1&step=5). For the weights that is plain addition; for what the model
can do it is not. The formal voice hardly suffers: its loss goes from [[stacked.merged:.2f]] to [[stacked.stacked:.2f]]
nats. But the loss on the new facts rises from [[stacked.second_alone:.2f]] to [[stacked.second_stacked:.2f]]. Each
adapter was trained without the other in the way, and much of what lies between the layers is not linear. [Peel the
first off](#merging?precision=bf16&strength=1&step=6) from under the second, and the facts are there again: even in
[[peeled.precision]], where [[peeled.changed:.0%]] of the weights are not those of the facts' adapter alone, the loss is
the same to a ten-thousandth of a nat.

All of this is one small model with two adapters, each from one seed, and only its weights were rounded. In a model that
computes with few digits the results of its layers are rounded too, and another layer may wear faster or more slowly.
One thing is the same everywhere: an inked sheet shows one picture. If the texts of a batch want different adapters, it
cannot serve them all at once, and the authors name that as the price of merging [@hu2021, section 4.2].

So merge when everybody wants the same adapter. The company of the first chapter, however, has fifty customers, and
fifty inked drawings would be [fifty models](customers.html) all over again. Can one drawing serve them all, with [fifty
tracings kept at hand](mixing.html)?
"""
    )


LESSON = Lesson(
    slug="merging",
    title="Ship it",
    question="What does folding an adapter into the weights save, and does taking it out give the base back?",
    part="At work",
    order=90,
    minutes=9,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "You merge a very faint adapter into weights that are stored with few digits. What can happen?",
            (
                Answer(
                    "Nothing, since addition is exact",
                    "A computer rounds each sum to the digits that it keeps, which are [[bits.bits]] binary ones in "
                    "[[bits.precision]] and [[bits.half]] in [[bits.other]].",
                ),
                Answer(
                    "Most entries do not move, and much of what it learned is lost",
                    "At strength [[tiny.strength]] in [[tiny.precision]], [[tiny.unchanged:.0%]] of the entries stay "
                    "where they were. Of what the adapter takes off the loss, [[tiny.gain:.0%]] is left.",
                    right=True,
                ),
                Answer(
                    "As much is lost as the rounding error says",
                    "Errors go up as often as down. At strength [[small.strength]] the rounding error is "
                    "[[small.error:.0%]] of `delta_w`, and still [[small.gain:.0%]] of the gain arrives.",
                ),
            ),
        ),
        Question(
            "A server merges the same adapter every morning and takes it out every night. What keeps W as it was?",
            (
                Answer(
                    "Nothing is needed: what was added is subtracted again",
                    "The first round already leaves W a little off. And by PEFT's default what goes in is not what "
                    "comes out: after [[unrounded.cycles]] rounds in [[unrounded.precision]] W is "
                    "[[unrounded.times_bf16:.1f]] times as far off as after one.",
                ),
                Answer(
                    "A copy of the original, from which each merge starts",
                    "It is the only cure for every kind of wear. Rounding `delta_w` first helps with one adapter, and "
                    "not with many different ones.",
                    right=True,
                ),
                Answer(
                    "More rounds, until the errors cancel",
                    "They do not. The same little difference is added each time; with other adapters in turn W wanders "
                    "off by chance, [[different.times:.1f]] times as far in [[different.precision]].",
                ),
            ),
        ),
        Question(
            "When is it better not to merge?",
            (
                Answer(
                    "When one batch serves many tasks",
                    "A merged model does one task. Kept apart, each request can have an adapter of its own.",
                    right=True,
                ),
                Answer(
                    "When answers must come fast",
                    "Merging is what makes them fast: with its adapter beside it our model took [[times.model:.1f]] "
                    "times as long for one short text.",
                ),
                Answer(
                    "When r is large",
                    "Then the second path costs most, so that merging saves most.",
                ),
            ),
        ),
    ),
    corrections=(
        Correction(
            "Unmerging gives the base back.",
            "Almost: a computer rounds. After merging and unmerging in [[back.precision]], [[back.single:.0%]] of the "
            "entries are not what they were; in [[back.other]], [[back.half:.0%]]. W is off by [[back.single_off:.2f]] "
            "millionths of its norm in the first and by [[back.half_off:,.0f]] millionths in the second.",
            "merging",
        ),
        Correction(
            "Merging and unmerging the same adapter again and again does no further harm.",
            "Only if `delta_w` is rounded before it is added, and by PEFT's default it is not. After "
            "[[unrounded.cycles]] rounds that way W is [[unrounded.times_bf16:.1f]] times as far off as after the "
            "first in [[unrounded.precision]], [[unrounded.last_bf16:.2%]] of its norm from [[unrounded.first:.2%]], "
            "and [[unrounded.times_fp16:.1f]] times in [[unrounded.other]].",
            "wear",
        ),
        Correction(
            "Merging changes nothing but the speed.",
            "That is so for an adapter that can be seen beside W. A faint one is rounded away: at strength "
            "[[tiny.strength]] in [[tiny.precision]], [[tiny.unchanged:.0%]] of the entries do not move, and "
            "[[tiny.arrived:.0%]] of `delta_w` arrives, with [[tiny.gain:.0%]] of what it takes off the loss.",
            "merging",
        ),
    ),
    teaching=Teaching(
        goals=(
            "say why a merged model is as fast as its base, and what a second path costs by the count and by the clock",
            "predict from the size of `delta_w` and from the format whether a merge will lose it",
            "tell an error of weights from a loss of skill, and say which of the two is felt",
            "decide when to merge, when to keep an adapter apart, and from what each merge must start",
        ),
        predictions=(
            Prediction(
                "The adapter for the formal voice is turned down to strength [[faint.strength]] and merged in "
                "[[faint.precision]]. What share of the entries of W does the merge leave exactly as they were?",
                "[[faint.unchanged:.0%]] of them do not move at all. Even so [[faint.gain:.0%]] of what the adapter "
                "takes off the loss is left, because the entries that do move go a little too far.",
                "merging?precision=bf16&strength=0.01&step=2",
            ),
            Prediction(
                "The same adapter is merged and taken out again, [[unrounded.cycles]] times over, in "
                "[[unrounded.precision]]. Is W then further off than after the first time?",
                "That depends on what was added. If `delta_w` is rounded first, W is as far off as after the first "
                "time. By PEFT's default it is [[unrounded.times_bf16:.1f]] times as far off.",
                "wear?precision=bf16",
            ),
            Prediction(
                "An adapter with new facts is merged on top of the one with the formal voice. Which of the two loses "
                "more by that?",
                "The facts, which came second: their loss rises from [[stacked.second_alone:.2f]] to "
                "[[stacked.second_stacked:.2f]]. That of the voice rises from [[stacked.merged:.2f]] to "
                "[[stacked.stacked:.2f]].",
                "merging?precision=fp32&strength=1&step=5",
            ),
        ),
        stops=(
            Stop(
                "Tell of the shop: an adapter answers all day long, each layer is computed twice over, and somebody "
                "waits. Ask what must be true of the two paths if one of them is to go away.",
                "",
                (2, 4),
            ),
            Stop(
                "Collect the first prediction on paper, read out the lowest and the highest, then enter one that many "
                "share. Only now does the figure show how many entries moved.",
                "merging?precision=bf16&strength=0.01&step=2",
                (4, 6),
            ),
            Stop(
                "Put two numbers side by side: how large the rounding error is beside `delta_w`, and how much of the "
                "gain arrives. Let pairs explain how both can be true before you do.",
                "merging?precision=bf16&strength=0.1&step=2&guess=skip",
                (5, 8),
            ),
            Stop(
                "Let the class find the format and the strength at which the adapter is lost, and then the format that "
                "saves part of it.",
                "merging?precision=bf16&strength=0.001&step=2&guess=skip",
                (0, 5),
            ),
            Stop(
                "Collect the second prediction. Follow the rounds to the last and ask which of the three lines a "
                "server would draw. What would bring W back?",
                "wear?precision=bf16",
                (5, 9),
            ),
            Stop(
                "Collect the third prediction, then stack and peel. Ask why plain addition in the weights is not plain "
                "addition in what the model can do.",
                "merging?precision=fp32&strength=1&step=5&guess=skip",
                (0, 7),
            ),
            Stop(
                "Each student writes an answer to every question on the handout. Then show the answers, one question "
                "after the other, and have a wrong one defended first.",
                "recall",
                (4, 6),
            ),
        ),
    ),
)
