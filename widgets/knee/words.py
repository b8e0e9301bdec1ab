"""What the knee figure says: names, sentences by verdict, labels, and the code behind its number."""

from typing import Any

from widgets.kit.guess import WORDS as GUESS
from widgets.kit.matrix import SEED

# As a reader of the usual story knows them; the first lesson has names of its own.
LABELS = {
    "few-patterns": "Few patterns",
    "blur": "Blur",
    "reorder": "Shift by one place",
    "flat": "Random rotation",
    "noise": "IID noise",
}
MEASURE_NAMES = {"norm": "relative error", "squared": "relative squared error"}

_STORES = "the factors hold {stored:,d} numbers in place of {total:,d}"
_REACHES = "The {measure} of “{label}” falls to {tolerance:.0%} or less at r = {knee}. There " + _STORES
_OTHERS = (
    " For the {other_measure}, {tolerance:.0%} takes r = {other}; noise of the same shape takes r = {noise}."
)
_SENTENCES = {
    "saves": _REACHES + ", {times:.1f} times fewer." + _OTHERS,
    "costs": _REACHES + ": this knee is at or above break-even and saves nothing." + _OTHERS,
    "full": "No knee at {tolerance:.0%}: the {measure} of “{label}” gets that low only when all {k} directions are "
    "kept, where " + _STORES + "." + _OTHERS,
    "flat": "No knee: all {k} singular values of “{label}” are equal, so every direction counts the same. "
    "To bring the {measure} to {tolerance:.0%} takes r = {knee}, where " + _STORES + "." + _OTHERS,
}

TITLE = "Where is the knee?"
CAPTION = (
    "First chart: what the best copy of rank r misses, over r. The solid line is the relative error, a length over a "
    "length; the dashed line is its square, which is one minus the energy. The dotted line is the tolerance. "
    "Second: numbers in lora_B and lora_A together. Third: the singular values, filled as far as they are kept. "
    "The golden upright line is break-even. The grey band is the control, noise of the same shape: 5th to 95th "
    "percentile of the draws, in the measure chosen. No knee means: all singular values are equal, or the "
    "tolerance is met only at full rank. Left out: what a network does with the copy."
)
PUBLISHED_SIZES = (16, 24, 32, 64, 128)
PUBLISHED = (
    f"the sizes {', '.join(map(str, PUBLISHED_SIZES))} with seed {SEED}; the served app makes the others"
)
ENCLOSED = f"size {{n}} with seed {SEED}; the served app makes the others"

WORDS: dict[str, Any] = {
    "sentences": _SENTENCES,
    "measures": MEASURE_NAMES,
    "toleranceLabel": "Tolerance",
    "tolerance": "{tolerance:.0%}",
    "readouts": {
        "knee": "Knee",
        "error": "Relative error there",
        "squared": "Squared error there",
        "stored": "Numbers stored there",
    },
    "readoutValues": {
        "knee": {
            "saves": "r = {knee}",
            "costs": "r = {knee}, saves nothing",
            "full": "none",
            "flat": "none",
        },
        "error": "{error:.1%}",
        "squared": "{squared:.1%}",
        "stored": "{stored:,d} of {total:,d}",
    },
    "arithmetic": {
        "squared": "the error, squared: {error:.4f} × {error:.4f} = {squared:.1%}",
        "stored": "r (out + in) = {knee} × ({k} + {k}) = {stored:,d}; the matrix has {k} × {k} = {total:,d}",
    },
    "marks": {"saves": "knee r = {knee}", "costs": "r = {knee}", "full": "no knee", "flat": "no knee"},
    "charts": {
        "error": {
            "title": "Error of the best copy",
            "x": "rank r",
            "norm": "relative error",
            "squared": "squared",
            "probe": "r = {r}: relative error {error:.1%}, squared {squared:.1%}; "
            "noise {noise_error:.1%}, squared {noise_squared:.1%}",
        },
        "stored": {
            "title": "Numbers stored",
            "x": "rank r",
            "curve": "lora_B and lora_A",
            "matrix": "the matrix",
            "probe": "r = {r}: {stored:,d} numbers; the matrix has {total:,d}",
        },
        "s": {
            "title": "Singular values, over their norm",
            "x": "rank r",
            "noise": "noise",
            "probe": "direction {r}: {share:.3f} of the norm; noise {noise_s:.3f}",
        },
    },
    "noise": "noise",
    "breakEven": "break-even r = {even:.0f}",
    "guess": {
        **GUESS,
        "question": (
            "Guess first. “{label}”: from which r on is the relative error of the best copy {tolerance:.0%} or less?"
        ),
        "field": "My guess: r =",
        "again": "Guess for this matrix",
        "right": "You said r = {guess} for “{label}” at {tolerance:.0%}, and r = {truth} is right.",
        "tooLow": "You said r = {guess} for “{label}” at {tolerance:.0%}. It takes more: r = {truth}.",
        "tooHigh": "You said r = {guess} for “{label}” at {tolerance:.0%}. Fewer do: r = {truth}.",
        "guessMark": "your guess: {guess}",
    },
    "tableHead": [
        "r",
        "relative error",
        "squared",
        "singular value",
        "numbers stored",
        "noise: error",
        "noise: squared",
    ],
    "tableRow": [
        "{r}",
        "{error:.2%}",
        "{squared:.2%}",
        "{s:.4f}",
        "{stored:,d}",
        "{noise_error:.2%}",
        "{noise_squared:.2%}",
    ],
    "downloads": {"curves": "Curves (CSV)", "picture": "Picture (SVG)"},
}

# By the measure: how the error comes from the shares that are lost, and what it is called.
PRINT_KNEE = {
    "norm": """lost = np.append(np.cumsum(s[::-1] ** 2)[::-1], 0) / (s**2).sum()
error = np.sqrt(lost)
knee = int(np.argmax(error <= {tolerance} * (1 + 1e-9)))
print(f"relative error within {tolerance:.0%}: r = {knee}, {2 * n * knee} numbers in place of {n * n}")
""",
    "squared": """lost = np.append(np.cumsum(s[::-1] ** 2)[::-1], 0) / (s**2).sum()
knee = int(np.argmax(lost <= {tolerance} * (1 + 1e-9)))
print(f"relative squared error within {tolerance:.0%}: r = {knee}, {2 * n * knee} numbers in place of {n * n}")
""",
}
