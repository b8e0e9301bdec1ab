"""Merge it, and take it back: the reader can say what merging saves, what rounding takes, and when not to merge."""

from collections.abc import Iterator, Mapping
from typing import Any

from compute.adapters.merge_state import CYCLES
from compute.adapters.merging import relative_change
from compute.costs.macs import FLOPS_PER_MAC, merged_macs, merging_macs, unmerged_macs
from compute.experiments.merging import ROUNDING, Record, load_record, state_key, worn_key
from compute.experiments.mixing import R
from compute.numbers.precision import PRECISIONS
from lessons.press.blocks import Answer, Block, Cited, Claim, Correction, Figure, Lesson, Prose, Question, Try
from widgets.merging import Merging

LARGE, LARGE_RANK = (4096, 4096), 16  # an attention matrix of a mid-size model, and a usual rank
FULL, SMALL, TINY = 1.0, 0.1, 0.001  # strengths
ONE, MANY = "1", "32"  # texts at once
TASK = "formal"


def _record() -> Record:
    return load_record()


def _state(precision: str, strength: float) -> Mapping[str, Any]:
    return _record().states[state_key(TASK, precision, strength)]


def _gain(state: Mapping[str, Any]) -> float:
    return (state["base"] - state["merged"]) / (state["base"] - state["unmerged"])


def _counts() -> Mapping[str, Any]:
    shape = _record().layers[TASK].W.shape
    merged, unmerged = merged_macs(shape), unmerged_macs(shape, R)
    return {
        "out": shape[0],
        "in": shape[1],
        "r": R,
        "merged": merged,
        "unmerged": unmerged,
        "more": unmerged / merged - 1,
        "flops": FLOPS_PER_MAC * unmerged,
    }


def _large() -> Mapping[str, Any]:
    more = unmerged_macs(LARGE, LARGE_RANK) / merged_macs(LARGE) - 1
    return {
        "out": LARGE[0],
        "in": LARGE[1],
        "r": LARGE_RANK,
        "more": more,
        "once": merging_macs(LARGE, LARGE_RANK) / 1e6,
    }


def _times() -> Mapping[str, Any]:
    def ratio(what: str, texts: str) -> float:
        seconds = _record().times[what][texts]
        return seconds["unmerged"] / seconds["merged"]

    return {
        "layer": ratio("layer", ONE),
        "layer_many": ratio("layer", MANY),
        "model": ratio("model", ONE),
        "model_many": ratio("model", MANY),
        "one": int(ONE),
        "many": int(MANY),
    }


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
        "error": state["error"],
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
        "half": PRECISIONS["fp16"].bits,
        "other": "fp16",
        "single": PRECISIONS["fp32"].bits,
        "third": "fp32",
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
    return {"cycles": CYCLES[-1], "worst": max(drift[-1] / drift[0] for drift in drifts)}


def _unrounded() -> Mapping[str, Any]:
    """Return how far W goes by PEFT's default, and what the base then knows, in both half precisions."""
    found: dict[str, Any] = {"cycles": CYCLES[-1]}
    for precision in ("bf16", "fp16"):
        drift = _state(precision, FULL)["unrounded"]
        found |= {f"times_{precision}": drift[-1] / drift[0], f"last_{precision}": drift[-1]}
    found |= {"first": _state("bf16", FULL)["unrounded"][0], "precision": "bf16", "other": "fp16"}
    for way in ("none", *ROUNDING):
        found[f"facts_{way}"] = _record().worn[worn_key(TASK, "bf16", way)]["facts"]
    single = _state("fp32", FULL)
    return found | {"single": single["unrounded"][-1] / single["unrounded"][0], "third": "fp32"}


def _different() -> Mapping[str, Any]:
    drift = _state("bf16", FULL)["different"]
    return {
        "precision": "bf16",
        "cycles": CYCLES[-1],
        "first": drift[0],
        "last": drift[-1],
        "times": drift[-1] / drift[0],
    }


def _stacked() -> Mapping[str, Any]:
    state = _state("fp32", FULL)
    return {name: state[name] for name in ("merged", "stacked", "base", "second_alone", "second_stacked")}


def _peeled() -> Mapping[str, Any]:
    state = _state("bf16", FULL)
    return {
        "precision": "bf16",
        "changed": state["changed_peeled"],
        "off": state["off_peeled"],
        "alone": state["second_alone"],
        "peeled": state["second_peeled"],
    }


CLAIMS: Mapping[str, Claim | Cited] = {
    "counts": Claim(
        _counts,
        lambda v: v["unmerged"] - v["merged"] == v["r"] * (v["out"] + v["in"]),
    ),
    "flops": Claim(_counts, lambda v: v["flops"] == 2 * v["unmerged"]),
    "large": Claim(
        _large,
        lambda v: 0 < v["more"] < 0.01,
    ),
    "once": Claim(
        _large,
        lambda v: v["once"] > 1,
    ),
    "times": Claim(
        _times,
        lambda v: min(v["layer"], v["layer_many"]) > 1.2 and min(v["model"], v["model_many"]) > 1.1,
    ),
    "latency": Cited("20.7 % and 30.3 % more time", "hu2021", "Table 1"),
    "exact": Claim(
        _exact,
        lambda v: v["difference"] < 1 and abs(v["beside"] - v["merged"]) < 1e-5,
    ),
    "strong": Claim(
        _strong,
        lambda v: v["error"] < 0.03 and abs(v["beside"] - v["merged"]) < 1e-3,
    ),
    "bits": Claim(
        _format,
        lambda v: v["bits"] < v["half"] < v["single"],
    ),
    "small": Claim(
        lambda: _weak("bf16", SMALL),
        lambda v: v["unchanged"] > 0.15 and v["error"] > 0.1 and min(v["arrived"], v["gain"]) > 0.95,
    ),
    "tiny": Claim(
        lambda: _weak("bf16", TINY),
        lambda v: v["unchanged"] > 0.9 and max(v["arrived"], v["gain"]) < 0.4,
    ),
    "tiny-half": Claim(
        lambda: _weak("fp16", TINY),
        lambda v: min(v["arrived"], v["gain"]) > 0.4,
    ),
    "back": Claim(
        _back,
        lambda v: v["single"] < v["half"] and v["half_off"] > 10_000 * v["single_off"],
    ),
    "back-tiny": Claim(
        lambda: _weak("bf16", TINY),
        lambda v: v["changed_back"] < 0.01,
    ),
    "same": Claim(
        _same,
        lambda v: abs(v["worst"] - 1) < 0.005,
    ),
    "unrounded": Claim(
        _unrounded,
        lambda v: min(v["times_bf16"], v["times_fp16"]) > 2,
    ),
    "single": Claim(
        _unrounded,
        lambda v: abs(v["single"] - 1) < 0.005,
    ),
    "worn": Claim(
        _unrounded,
        lambda v: abs(v["facts_unrounded"] - v["facts_none"]) < 0.01,
    ),
    "different": Claim(
        _different,
        lambda v: 4 < v["times"] < 12,
    ),
    "stacked": Claim(
        _stacked,
        lambda v: (
            v["base"] > v["stacked"] > v["merged"] + 0.01 and v["second_stacked"] > v["second_alone"] + 0.03
        ),
    ),
    "peeled": Claim(
        _peeled,
        lambda v: v["changed"] > 0.1 and v["off"] < 0.01 and abs(v["peeled"] - v["alone"]) < 1e-3,
    ),
    "punica": Cited("12 times the throughput", "chen2023", "abstract"),
    "slora": Cited("thousands of adapters", "sheng2023", "abstract"),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
## Two paths, or one

A trained adapter is a second path beside W. Each token goes through both, and the results are added. But both
paths are linear. So the factors can be multiplied out once and added to the weight.

$$W' = W + \\Delta W$$

Then the model is a plain model again. It has the base's shape and the base's speed. To get the base back, subtract.
This is how LoRA's authors present it: no additional latency, and tasks are switched by subtracting one adapter and
adding another [@hu2021, section 4.1].

In exact arithmetic every word of it is right. A computer rounds. Does that matter? Here is a real layer of our
model, with an adapter trained on it. Guess, then merge.
"""
    )
    yield Figure("merging", Merging)
    yield Try(
        """
Walk through the six steps in `fp32`. Then choose `bf16`, stay at the second step, and turn the strength down, one
choice after the other. From where on do you see the picture of `delta_w` again in the picture of what rounding did?
"""
    )
    yield Prose(
        """
## What the second path costs

For a layer of [[counts.out]] × [[counts.in]] and r = [[counts.r]] a token takes [[counts.unmerged:,d]]
multiply-accumulates with the adapter beside W and [[counts.merged:,d]] with it merged: [[counts.more:.1%]] more. One
multiply-accumulate is a multiplication and an addition, so two FLOPs. The [[flops.unmerged:,d]] are
[[flops.flops:,d]] FLOPs. Counts that call one the other are wrong by a factor of two.

The larger the matrix, the smaller the share. For [[large.out:,d]] × [[large.in:,d]] and r = [[large.r]] it is
[[large.more:.2%]] more. Multiplying the factors out takes [[once.once:.0f]] million multiply-accumulates there, once.

A count is not a time. When we recorded it, the layer with its adapter beside it took [[times.layer:.1f]] times as
long for [[times.one]] text and [[times.layer_many:.1f]] times for [[times.many]]; the whole model took
[[times.model:.1f]] and [[times.model_many:.1f]] times. The two thin products are little work, but each is a call of
its own, and a small model spends much of its time on calls. Only the ratio means anything, and another machine has
another one. It is the reason to merge: small requests feel the calls most. LoRA's authors make the same point about
adapter layers that cannot be merged: with one short text at a time, two designs took [[latency]].

## The same answer

In [[exact.precision]] the outputs of both paths differ by [[exact.difference:.2f]] millionths at most, and the loss
is [[exact.beside:.4f]] beside and [[exact.merged:.4f]] merged. That is the rounding of the format itself. At full
strength, where delta_w is [[strong.size:.0%]] as large as W, [[strong.precision]] does no harm either: a rounding
error of [[strong.error:.1%]] of delta_w, and a loss of [[strong.merged:.4f]] merged, [[strong.beside:.4f]] beside. So
for an adapter that can be seen beside W the usual story holds.

## What rounding takes

[[bits.precision]] keeps [[bits.bits]] binary digits, [[bits.other]] keeps [[bits.half]], [[bits.third]]
[[bits.single]]. A number has neighbours, and between them there is nothing. The fewer digits, the further apart they
stand. An entry of `delta_w` that is smaller than half that distance vanishes: W plus a little is stored as W.

At strength [[small.strength]], [[small.unchanged:.0%]] of the entries in [[small.precision]] do not move, and the
rounding error is [[small.error:.0%]] of delta_w. Yet [[small.arrived:.0%]] of delta_w arrives, and [[small.gain:.0%]]
of what it takes off the loss. Error and loss are two numbers. Rounding goes up as often as down. The entries that do
move, move too far, and on the whole they make up for those that do not.

That ends where hardly any entry is large enough. At strength [[tiny.strength]], [[tiny.unchanged:.0%]] do not move;
[[tiny.arrived:.0%]] of delta_w arrives and [[tiny.gain:.0%]] of what it takes off the loss. In
[[tiny-half.precision]], at the same strength, [[tiny-half.arrived:.0%]] of delta_w arrives and [[tiny-half.gain:.0%]]
of what it takes off the loss. So it is not the adapter that is too small. It is too small for the format that it is
folded into. Beside W it would have worked in full.

## Taking it out again

Subtracting gives W back almost. After merging and unmerging in [[back.precision]], [[back.single:.0%]] of the entries
are not what they were; in [[back.other]], [[back.half:.0%]]. W is off by [[back.single_off:.2f]] millionths of its
norm in one and by [[back.half_off:,.0f]] in the other. (Our base is stored in `fp16`, so that in `fp32` it has digits
to spare.) As a rule an entry comes back exactly if the sum needs no coarser steps than W did. Where adding carried it
past the next power of two, its last digit may be gone.

A small adapter is the easiest to take out. At strength [[back-tiny.strength]] in [[back-tiny.precision]] only
[[back-tiny.changed_back:.1%]] do not come back. That is no merit of subtraction: most of it never went in.

## Again and again

Does it get worse with every round? That depends on a detail that is easily missed. After [[same.cycles]] rounds with
the same adapter, rounded before it is added, W is [[same.worst:.2f]] times as far off as after the first, in every
precision. What the first round left behind adds and subtracts without further loss.

But PEFT's `merge` does not round `delta_w` first, unless it is called with `safe_merge=True`. It adds all digits,
rounds the sum, and its `unmerge` subtracts a rounded `delta_w` [@peft, Linear.merge and Linear.unmerge]. What goes in
and what comes out differ by a little, and by the same little every time. After [[unrounded.cycles]] rounds that way,
W is [[unrounded.times_bf16:.1f]] times as far off as after the first in [[unrounded.precision]],
[[unrounded.last_bf16:.2%]] of its norm from [[unrounded.first:.2%]], and [[unrounded.times_fp16:.1f]] times in
[[unrounded.other]]. In [[single.third]] there is nothing to round, and W stays where the first round left it.

A server that swaps one adapter in and out all day should know which of the two it does. In our model nothing is lost
yet. With all its layers worn so in [[worn.precision]], the base still answers [[worn.facts_unrounded:.1%]] of the
facts that it knew; untouched it answers [[worn.facts_none:.1%]]. But nothing brings W back either.

With [[different.cycles]] different ones in [[different.precision]] it ends [[different.times:.1f]] times as far:
[[different.last:.2%]] of its norm, from [[different.first:.2%]]. Each adapter rounds other entries, up or down by
chance. So W wanders off: roughly like the square root of their number.

There is a cure for both, and it costs one copy: keep the original W, and start each merge from it.

## Stacked, and peeled off

Two adapters can be merged one after the other. In the weights this is plain addition. In what the model can do it is
not. The formal voice is at [[stacked.merged:.2f]] with its own adapter and at [[stacked.stacked:.2f]] with both; the
base is at [[stacked.base:.2f]]. The loss on the new facts goes from [[stacked.second_alone:.2f]] to
[[stacked.second_stacked:.2f]]. Each was trained without the other in the way, and the layers between them are not
linear.

Then take the first one out from under the second. In [[peeled.precision]], [[peeled.changed:.0%]] of the entries are
not what the second adapter alone would give, by [[peeled.off:.2%]] of the norm. The loss notices nothing:
[[peeled.peeled:.4f]] against [[peeled.alone:.4f]].

## When not to merge

A merged model serves one task. A batch in which each text wants another adapter needs W and the adapters apart; the
authors name this as a limit of merging [@hu2021, section 4.2]. Servers for many adapters therefore leave them beside W
and gather the thin products of all requests into one call. One such server reports [[punica]] of those it was compared
with; another is built for [[slora]].

## In short

- Merging makes the second path disappear. What it saves in time is more than a count of multiplications says.
- An adapter that is small beside the steps of the format is rounded away. Error is not loss: look at both.
- Subtracting gives W back almost, and whether it gets worse with every round depends on how `delta_w` was added. Keep
  the original.
- Merge for one task. Leave adapters apart for many.
"""
    )


LESSON = Lesson(
    slug="merging",
    title="Ship it",
    question="What does folding an adapter into the weights save, and does taking it out give the base back?",
    part="At work",
    order=90,
    minutes=15,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "You merge a very weak adapter into weights of few bits. What can happen?",
            (
                Answer(
                    "Nothing, addition is exact",
                    "A computer rounds each sum to the digits it has. [[bits.precision]] keeps [[bits.bits]] "
                    "binary digits, [[bits.other]] keeps [[bits.half]], [[bits.third]] [[bits.single]].",
                ),
                Answer(
                    "Most entries do not move, and part of the adapter is lost",
                    "At strength [[tiny.strength]], [[tiny.unchanged:.0%]] do not move; [[tiny.arrived:.0%]] of "
                    "delta_w arrives and [[tiny.gain:.0%]] of what it takes off the loss.",
                    right=True,
                ),
                Answer(
                    "As much is lost as the rounding error says",
                    "The errors mostly cancel. At strength [[small.strength]], [[small.unchanged:.0%]] of the "
                    "entries in [[small.precision]] do not move, and the rounding error is [[small.error:.0%]] of"
                    " delta_w. Yet [[small.arrived:.0%]] of delta_w arrives, and [[small.gain:.0%]] of what it "
                    "takes off the loss.",
                ),
            ),
        ),
        Question(
            "When is it better not to merge?",
            (
                Answer(
                    "When one batch serves many tasks",
                    "A merged model can do one task. Apart, each request has its own adapter.",
                    right=True,
                ),
                Answer(
                    "When answers must be fast",
                    "Merging is what makes them fast. When we recorded it, the layer with its adapter beside it "
                    "took [[times.layer:.1f]] times as long for [[times.one]] text and [[times.layer_many:.1f]] "
                    "times for [[times.many]]; the whole model took [[times.model:.1f]] and "
                    "[[times.model_many:.1f]] times.",
                ),
                Answer(
                    "When r is large",
                    "Then the second path costs most, and merging saves most. For a layer of [[counts.out]] × "
                    "[[counts.in]] and r = [[counts.r]] a token takes [[counts.unmerged:,d]] multiply-accumulates"
                    " with the adapter beside W and [[counts.merged:,d]] with it merged: [[counts.more:.1%]] "
                    "more.",
                ),
            ),
        ),
    ),
    corrections=(
        Correction(
            "Unmerging gives the base back.",
            "Almost: a computer rounds. After merging and unmerging in [[back.precision]], "
            "[[back.single:.0%]] of the entries are not what they were; in [[back.other]], "
            "[[back.half:.0%]]. W is off by [[back.single_off:.2f]] millionths of its norm in one and by "
            "[[back.half_off:,.0f]] in the other.",
            "merging",
        ),
        Correction(
            "Merging and unmerging the same adapter again and again does no further harm.",
            "Only if it is rounded before it is added. By PEFT's default it is not. After "
            "[[unrounded.cycles]] rounds that way, W is [[unrounded.times_bf16:.1f]] times as far off as "
            "after the first in [[unrounded.precision]], [[unrounded.last_bf16:.2%]] of its norm from "
            "[[unrounded.first:.2%]], and [[unrounded.times_fp16:.1f]] times in [[unrounded.other]].",
            "merging",
        ),
        Correction(
            "Merging changes nothing but the speed.",
            "For an adapter that can be seen beside W. A small one is rounded away. At strength "
            "[[tiny.strength]], [[tiny.unchanged:.0%]] do not move; [[tiny.arrived:.0%]] of delta_w "
            "arrives and [[tiny.gain:.0%]] of what it takes off the loss.",
            "merging",
        ),
    ),
)
