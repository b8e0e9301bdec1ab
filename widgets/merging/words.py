"""The words of the merging instrument: six steps, what each shows, and the code behind the numbers."""

from typing import Any

from compute.experiments.merging import TASKS
from widgets.kit.guess import WORDS as GUESS

LABELS = {"formal": "Formal voice", "facts": "New facts"}
ASKED = {"precision": "bf16", "strength": "0.01"}  # the state that the guess is about

SENTENCES = [
    "W has {out} rows and {in} columns and is frozen; beside it lora_B and lora_A hold {stored:,d} numbers. A token "
    "takes {merged_macs:,d} multiply-accumulates for W and {stored:,d} for the factors. Loss on “{label}”: "
    "{base:.4f} without the adapter, {unmerged:.4f} with it at strength {strength}.",
    "Merged in {precision} at strength {strength}: {unchanged:.1%} of W's entries are exactly what they were. The "
    "rounding error is {error:.1%} of delta_w, and {arrived:.1%} of delta_w arrives. Of the gain in loss that the "
    "adapter brings, {gain:.1%} is left.",
    "Only one matrix is left: a token takes {merged_macs:,d} multiply-accumulates in place of {unmerged_macs:,d}. The "
    "same {tokens} tokens through both paths: the outputs, up to {largest:.2f} large, differ by at most "
    "{difference:,.2f} millionths. Loss on “{label}”: {unmerged:.4f} beside, {merged:.4f} merged.",
    "Taken out again: {changed_back:.1%} of W's entries are not what they were, and W is off by {off_back:,.3f} "
    "millionths of its norm. Loss on “{label}”: {base:.4f} before it all, {restored:.4f} now.",
    "“{second}” is merged on top. Loss on “{label}”: {merged:.4f} with one adapter, {stacked:.4f} with both. Loss on "
    "“{second}”: {second_alone:.4f} with its adapter alone, {second_stacked:.4f} with both.",
    "“{label}” is peeled off again. Against “{second}” merged alone, {changed_peeled:.1%} of the entries differ, by "
    "{off_peeled:,.3f} millionths of the norm. Loss on “{second}”: {second_alone:.4f} alone, {second_peeled:.4f} now.",
]

_ROUNDED = "off by rounding"
_PLUS = "+ delta_w × {strength}, {label}"
_CELL = "Row {row}, column {column}: "

TITLE = "Merge it"
CAPTION = (
    "A real layer of the mini-model, value projection of the middle block, with an adapter of rank 4. W, merged "
    "weights and sums share one colour scale; delta_w, the factors, and what is off have scales of their own, as "
    "written below. Share that did not change: the chosen precision in colour, the others in grey. Rounding error is "
    "the size of what rounding changed; most of it cancels, so how much of delta_w arrives is a second number. Left "
    "out: activations, which are rounded too when a model runs in half precision. Here they stay exact, so that only "
    "the merge shows."
)
PUBLISHED = ", ".join(TASKS)
ENCLOSED = "the adapter “{task}”; the lesson has both"

WORDS: dict[str, Any] = {
    "sentences": SENTENCES,
    "steps": ["train", "merge", "deploy", "unmerge", "stack", "peel"],
    "stages": [
        "1. Train: W is frozen, lora_B and lora_A beside it",
        "2. Merge: the factors are multiplied out and added to W",
        "3. Deploy: the same input through both paths",
        "4. Unmerge: delta_w is subtracted again",
        "5. Stack: a second adapter on top of the merged one",
        "6. Peel: the first adapter is taken out from under it",
    ],
    "maps": [
        {"first": "W, {precision}", "lora_B": "lora_B, {out} × {r}", "lora_A": "lora_A, {r} × {in}"},
        {"first": "W, {precision}", "second": _PLUS, "result": "= merged", "difference": _ROUNDED},
        {
            "first": "outputs, adapter beside W",
            "second": "outputs, merged",
            "difference": "their difference",
        },
        {
            "first": "merged",
            "second": "− delta_w × {strength}, {label}",
            "result": "= W again?",
            "difference": "off from W",
        },
        {
            "first": "merged",
            "second": "+ delta_w × {strength}, {second}",
            "result": "= both merged",
            "difference": _ROUNDED,
        },
        {
            "first": "both merged",
            "second": "− delta_w × {strength}, {label}",
            "result": "= {second} alone?",
            "difference": "off from it",
        },
    ],
    "legends": [
        {"first": "W", "lora_B": "lora_B, lora_A"},
        {"first": "W, merged", "second": "delta_w", "difference": "rounding"},
        {"first": "outputs", "difference": "difference"},
        {"first": "W, merged", "second": "delta_w", "difference": "off by"},
        {"first": "W, merged", "second": "delta_w", "difference": "rounding"},
        {"first": "W, merged", "second": "delta_w", "difference": "off by"},
    ],
    "noCell": "Point at a cell, or press the arrow keys on a picture, to see its arithmetic.",
    "factorCell": "{name}, row {row}, column {column}: {value}.",
    "cells": [
        _CELL + "W {first}.",
        _CELL + "{first} plus {second} is stored as {result}, off by {difference}.",
        "Token {row}, output {column}: {first} with the adapter beside W, {second} merged, difference {difference}.",
        _CELL + "{first} minus {second} is stored as {result}, off from W by {difference}.",
        _CELL + "{first} plus {second} is stored as {result}, off by {difference}.",
        _CELL + "{first} minus {second} is stored as {result}, off by {difference}.",
    ],
    "readouts": {
        "unmerged": "MACs a token, beside",
        "merged": "MACs a token, merged",
        "layer": "Time of the layer, beside over merged",
        "model": "Time of the model, beside over merged",
        "unchanged": "Entries that did not change",
        "error": "Rounding error, of delta_w",
        "arrived": "delta_w that arrives",
        "loss": "Loss, beside and merged",
    },
    "readoutValues": {
        "unmerged": "{unmerged_macs:,d}",
        "merged": "{merged_macs:,d}",
        "layer": "{layer_one:.2f}× and {layer_many:.2f}×",
        "model": "{model_one:.2f}× and {model_many:.2f}×",
        "unchanged": "{unchanged:.1%}",
        "error": "{error:.1%}",
        "arrived": "{arrived:.1%}",
        "loss": "{unmerged:.4f}, {merged:.4f}",
    },
    "arithmetic": {
        "merged": "out × in = {out} × {in} = {merged_macs:,d}",
        "unmerged": "out × in + r (out + in) = {out} × {in} + {r} × ({out} + {in}) = {unmerged_macs:,d}",
    },
    "charts": {
        "unchanged": {
            "title": "Entries of W that the merge leaves as they were",
            "x": "strength",
            "probe": "strength {at}: fp32 {fp32:.1%}, bf16 {bf16:.1%}, fp16 {fp16:.1%}",
        },
    },
    "guess": {
        **GUESS,
        "question": (
            "Guess first. “{label}” is turned down to strength "
            f"{ASKED['strength']} and merged in {ASKED['precision']}. "
            "Of each hundred entries of W, how many does the merge leave exactly as they were?"
        ),
        "again": "Guess for this adapter",
        "right": "You said {guess} of a hundred for “{label}”, and {truth} it is.",
        "tooLow": "You said {guess} of a hundred for “{label}”. It is more: {truth} do not move at all.",
        "tooHigh": "You said {guess} of a hundred for “{label}”. It is fewer: {truth} do not move at all.",
        "truthMark": "{truth} of 100",
    },
    "tableHead": [
        "precision",
        "strength",
        "unchanged",
        "rounding error",
        "delta_w arrives",
        "loss, beside",
        "loss, merged",
        "outputs differ (millionths)",
        "not given back",
        "off after unmerge (millionths)",
        "off after peeling (millionths)",
    ],
    "tableRow": [
        "{precision}",
        "{strength}",
        "{unchanged:.1%}",
        "{error:.1%}",
        "{arrived:.1%}",
        "{unmerged:.4f}",
        "{merged:.4f}",
        "{difference:,.2f}",
        "{changed_back:.1%}",
        "{off_back:,.3f}",
        "{off_peeled:,.3f}",
    ],
    "downloads": {
        "numbers": "Numbers of all states (CSV)",
        "merged": "The merged W (CSV)",
        "picture": "Picture (SVG)",
    },
}

NOTE = (
    "Losses are those of the whole model with all {layers} linear layers merged; pictures and shares are those of "
    "{layer}. Time ratios: one text, then {texts}. Recorded {recorded}; on another machine they differ."
)

SNIPPET = """import torch

from compute.experiments.merging import load_layer

layer, strength = load_layer("{task}"), {strength}
dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}["{precision}"]
W = torch.tensor(layer.W).to(dtype)
delta_w = (strength * torch.tensor(layer.delta_w)).to(dtype)
merged = W + delta_w
back = merged - delta_w

x, lora_A, lora_B = (torch.tensor(part).double() for part in (layer.x, layer.lora_A, layer.lora_B))
beside = x @ W.double().T + strength * layer.scaling * x @ lora_A.T @ lora_B.T
off = (x @ merged.double().T - beside).abs().max()
print(f"entries that did not change: {(merged == W).double().mean():.1%}")
print(f"largest difference of the outputs: {1e6 * off:,.2f} millionths")
print(f"entries that unmerging does not give back: {(back != W).double().mean():.1%}")
"""
