"""What the rank instrument says: title and caption, labels, sentences, code."""

from typing import Any

from widgets.kit.guess import WORDS as GUESS
from widgets.kit.matrix import SEED

TITLE = "Slide the rank"
CAPTION = (
    "delta_w, its best copy of rank r, and what the copy misses share one colour scale. The two factors, whose "
    "product the copy is, have a scale of their own and are filled as far as they are stored. The curves show "
    "relative error, energy and singular values over r. The grey band is the control: matrices of independent "
    "noise of the same shape, 5th to 95th percentile of the draws. Left out: what a network does with the copy. "
    "The error is that of the numbers, not of a task."
)
PUBLISHED_SIZES = (16, 32, 64, 128)
PUBLISHED = (
    f"the sizes {', '.join(map(str, PUBLISHED_SIZES))} with seed {SEED}, and the learned matrices; the served app "
    "makes the others"
)
ENCLOSED = (
    f"of the made-up matrices size {{n}} with seed {SEED}; the exported site also has the learned ones, and the served "
    "app makes the others"
)

_STORES = "It stores {stored:,d} numbers in place of {total:,d}"
_MISSES = (
    "At r = {r} the copy of “{label}” misses {error:.1%} of it (relative error) "
    "and keeps {energy:.1%} of its energy. "
)
_NOISE = " {noise_name} would miss {noise_error:.1%}."

SENTENCES = {
    "nothing": "At r = 0 nothing of “{label}” is kept: the copy is all zeros and misses everything.",
    "saves": _MISSES + _STORES + ", {times:.1f} times fewer." + _NOISE,
    "even": _MISSES + _STORES + ": as many, so nothing is saved." + _NOISE,
    "costs": _MISSES + _STORES + ", {times:.1f} times more: nothing is saved." + _NOISE,
}
READOUT_VALUES = {
    "error": "{error:.1%}",
    "energy": "{energy:.1%}",
    "stored": "{stored:,d} of {total:,d}",
    "times": {
        "nothing": "nothing stored",
        "saves": "{times:.1f} times smaller",
        "even": "no smaller",
        "costs": "{times:.1f} times larger",
    },
}
WORDS: dict[str, Any] = {
    "sentences": SENTENCES,
    "readouts": {
        "error": "Relative error",
        "energy": "Energy kept",
        "stored": "Numbers stored",
        "times": "Against the matrix",
    },
    "readoutValues": READOUT_VALUES,
    "arithmetic": {
        "error": "√(1 − energy) = √(1 − {energy:.4f}) = {error:.1%}",
        "energy": "the squares of the first {r} singular values, over those of all = {energy:.1%}",
        "stored": "r (out + in) = {r} × ({out:,d} + {in:,d}) = {stored:,d}; "
        "the matrix has {out:,d} × {in:,d} = {total:,d}",
        "times": {
            "nothing": "nothing is stored",
            "saves": "{total:,d} / {stored:,d} = {times:.1f} times smaller",
            "even": "{total:,d} / {stored:,d} = 1",
            "costs": "{stored:,d} / {total:,d} = {times:.1f} times larger",
        },
    },
    "maps": {
        "delta_w": "delta_w, {out:,d} × {in:,d}",
        "copy": "best copy at r = {r}",
        "residual": "residual: delta_w − copy",
        "lora_B": "lora_B, {out:,d} × {r}",
        "lora_A": "lora_A, {r} × {in:,d}",
    },
    "legend": {"matrix": "delta_w, copy, residual", "factor": "lora_B, lora_A"},
    "noCell": "Point at a cell, or press the arrow keys on a picture, to read its value.",
    "cells": {
        "matrix": "Row {row}, column {column}: delta_w {delta_w}, copy {copy}, residual {residual}.",
        "lora_B": "lora_B, row {row}, column {column}: {lora_B}.",
        "lora_A": "lora_A, row {row}, column {column}: {lora_A}.",
        "unused": "{name}, row {row}, column {column}: not stored at this r.",
    },
    "charts": {
        "error": {
            "title": "Relative error: what the copy misses",
            "x": "rank r",
            "curve": "error",
            "probe": "r = {r}: error {error:.1%}; noise {noise_low:.1%} to {noise_high:.1%}",
        },
        "energy": {
            "title": "Energy: share of s² that is kept",
            "x": "rank r",
            "curve": "energy",
            "probe": "r = {r}: energy {energy:.1%}; noise {noise_energy:.1%}",
        },
        "s": {
            "title": "Singular values, over their norm",
            "x": "rank r",
            "probe": "direction {r}: {share:.3f} of the norm; noise {noise_s:.3f}",
        },
    },
    "breakEven": "break-even r = {break_even:.0f}",
    "tolerance": "{tolerance:.0%}",
    "guess": {
        **GUESS,
        "question": "Guess first. Look at “{label}”: from which r on is the relative error {tolerance:.0%} or less?",
        "field": "My guess: r =",
        "again": "Guess for this matrix",
        "right": "You said r = {guess} for “{label}”, and r = {truth} it is.",
        "tooLow": "You said r = {guess} for “{label}”. It takes more: r = {truth}.",
        "tooHigh": "You said r = {guess} for “{label}”. Fewer do: r = {truth}.",
        "truthMark": "r = {knee}",
        "guessMark": "your guess: {guess}",
    },
    "tableHead": [
        "r",
        "relative error",
        "energy kept",
        "singular value",
        "numbers stored",
        "noise: error",
        "5 % to 95 %",
    ],
    "tableRow": [
        "{r}",
        "{error:.2%}",
        "{energy:.2%}",
        "{s:.4f}",
        "{stored:,d}",
        "{noise_error:.2%}",
        "{noise_low:.2%} to {noise_high:.2%}",
    ],
    "downloads": {
        "curves": "Curves (CSV)",
        "copy": "The copy at this r (CSV)",
        "picture": "Picture (SVG)",
    },
}
