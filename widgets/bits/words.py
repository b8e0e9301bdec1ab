"""What the bits figure says: names of matrices and formats, templates, code."""

from typing import Any

# Label of the choice, name in a sentence, what it is.
MATRICES = {
    "base": (
        "The base's v_proj",
        "the base's v_proj",
        "A weight matrix of the mini-model: v_proj of the block in the middle, 64 × 64 numbers.",
    ),
    "learned": (
        "A learned change",
        "a learned change",
        "What full finetuning on new words added to that matrix, 64 × 64 numbers.",
    ),
    "gaussian": (
        "Gaussian",
        "the Gaussian matrix",
        "64 × 64 numbers from the bell curve that NF4 is made for.",
    ),
    "uniform": (
        "Uniform (control)",
        "the uniform matrix",
        "A control: 64 × 64 numbers from -1 to 1, all equally likely. NF4 is not made for it.",
    ),
    "heavy": (
        "Heavy tails (control)",
        "the heavy-tailed matrix",
        "A control: 64 × 64 numbers of which a few are very large (Student's t with two degrees of freedom).",
    ),
}
# Label of the choice, name in a sentence.
FORMATS = {
    "nf4": ("NF4", "NF4"),
    "int4": ("int4, 15 even levels with a zero", "int4"),
    "uniform": ("16 even levels, no zero", "the grid of 16 even levels"),
    "fp4": ("FP4 (E2M1)", "FP4"),
    "bnb-fp4": ("FP4 of bitsandbytes", "bitsandbytes' FP4"),
    "int3": ("int3, 7 even levels", "int3"),
    "int2": ("int2, 3 levels", "int2"),
}

TITLE = "A matrix in four bits"
CAPTION = (
    "Histogram: how many weights have which size, after each was divided by the largest in its block; below the "
    "line, the levels of the format in teal and those of the control in grey. Each weight goes to the nearest "
    "level. Bars: the share of the weights on each level; the dashed line is an equal share. Then the "
    "matrix, its copy and what is lost on one colour scale; then the relative error of each block, darker for "
    "more, blocks cut row by row. Relative errors are Frobenius norms over that of the matrix or block. Left out: "
    "the error of scales that are quantised themselves, which is far smaller, and other matrices of the model."
)
PUBLISHED = "all five matrices"
ENCLOSED = "this matrix and two others; the lesson has all five"

WORDS: dict[str, Any] = {
    "blockLabel": "Weights that share a scale",
    "block": "{block:,d}",
    "blockWhole": "all {block:,d}",
    "sentence": (
        "With a scale for every {block:,d} weights, {format} takes {bits:.3f} bits a number and changes {label} by "
        "{error:.1%} of its length; {other} changes it by {other_error:.1%}. The emptiest of its {levels} levels holds "
        "{least:.1%} of the weights, the fullest {most:.1%}."
    ),
    "readouts": {
        "error": "Relative error, {format}",
        "other_error": "Relative error, {other}",
        "bits": "Bits a number",
        "double": "With double quantisation",
    },
    "readoutValues": {
        "error": "{error:.1%}",
        "other_error": "{other_error:.1%}",
        "bits": "{bits:.3f}",
        "double": "{double:.3f}",
    },
    "arithmetic": {
        "error": "√ of the squared error over the squared weights = √{squared:.5f} = {error:.1%}",
        "bits": "a code, and a scale of 32 bits for each block = {code:.0f} + 32 / {block} = {bits:.3f}",
        "double": "the scales in 8 bits, and one of 32 for every 256 of them = {code:.0f} + 8 / {block} + 32 / "
        "({block} × 256) = {double:.3f}",
    },
    "maps": {
        "weights": "the matrix",
        "copy": "in {format}",
        "lost": "what is lost",
        "blocks": "error of each block, to {worst:.0%}",
    },
    "cells": {
        "weights": "Row {row}, column {column}: {weight}, stored as {stored}, which is level {level} times {absmax}.",
        "blocks": "Block {number}: scale {absmax}, relative error {block_error:.1%}.",
    },
    "noCell": "Point at a cell, or focus a picture and use the arrow keys.",
    "histogram": {
        "title": "The weights, each divided by the largest of its block",
        "x": "weight / largest of its block",
        "said": "Histogram of the divided weights with the {levels} levels of {format} below it",
    },
    "usage": {
        "title": "Share of the weights on each level",
        "x": "level",
        "even": "if all were alike",
        "probe": "level {number}, at {level:.3f}: {share:.1%} of the weights",
    },
    "tableHead": [
        "format",
        "levels",
        "bits",
        "with double quantisation",
        "relative error",
        "squared",
        "emptiest level",
        "fullest level",
        "entropy, bits",
    ],
    "tableRow": [
        "{format}",
        "{levels}",
        "{bits:.3f}",
        "{double:.3f}",
        "{error:.2%}",
        "{squared:.5f}",
        "{least:.2%}",
        "{most:.2%}",
        "{entropy:.2f}",
    ],
    "downloads": {"blocks": "Blocks (CSV)", "levels": "Levels (CSV)", "picture": "Picture (SVG)"},
}

SNIPPET = """# Run it in the folder of this project.
import numpy as np

from compute.numbers.quantising import LEVELS
from compute.experiments.sample_weights import sample_weights

rows = sample_weights("{matrix}").astype(float).reshape(-1, {block_size})  # a row is a block
absmax = abs(rows).max(axis=1, keepdims=True)
for name in ("{format_key}", "{other_key}"):
    levels = np.array(LEVELS[name])
    nearest = abs(rows[..., None] / absmax[..., None] - levels).argmin(axis=-1)
    lost = rows - levels[nearest] * absmax
    print(f"relative error, {name}: {np.linalg.norm(lost) / np.linalg.norm(rows):.1%}")
"""
