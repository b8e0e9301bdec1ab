"""What the spectra instrument says: title and caption, labels, sentences, code."""

from typing import Any

from compute.matrices.controls import DRAWS
from widgets.kit.guess import WORDS as GUESS
from widgets.spectra.sources import LABELS

TITLE = "Spectra against two controls"
CAPTION = (
    "First chart: singular values, divided by their norm so that matrices of any size can be compared; the bars are "
    "filled as far as r90 goes. Second chart: the share of energy that the first directions hold. Grey is the control: "
    f"the band holds nine of ten of {DRAWS} draws at each direction, the dotted line is their median, the dashed "
    "one what the Marchenko-Pastur law says of large noise. The ranks of noise are those of the median. The law "
    "does not cover products, so an adapter's control has no dashed line. The solid grey line is the second control: "
    "full finetuning on random targets, of the first of five seeds. Below: r90 of every layer, each "
    "band from the lowest to the highest of the seeds. Left out: how large a change is, and what it does."
)
PUBLISHED = ", ".join(LABELS)
ENCLOSED = "{sources}; the lesson has the others"

_OTHER_RANKS = (
    " Its stable_rank is {stable:.1f}, where the noise has {noise_stable:.1f}, and its entropy_rank {entropy:.1f}, "
    "where the noise has {noise_entropy:.1f}."
)
_BOTH = (
    "In “{label}” {r90} of {k} directions hold {level:.0%} of the energy, where {noise_name} needs {noise_r90}. Full "
    "finetuning on random targets "
)

SENTENCES = {
    "ask": "“{label}” has {k} singular values. How many of them hold {level:.0%} of its energy is yours to guess.",
    "below": "In “{label}” {r90} of {k} directions hold {level:.0%} of the energy; {noise_name} needs {noise_r90}."
    + _OTHER_RANKS,
    "fewer": _BOTH
    + "needs {targets_low} to {targets_high} in this matrix, more than the task in any of {seeds} seeds."
    + _OTHER_RANKS,
    "more": _BOTH
    + "needs {targets_low} to {targets_high} in this matrix, fewer than the task in any of {seeds} seeds."
    + _OTHER_RANKS,
    "even": _BOTH
    + "needs {targets_low} to {targets_high} in this matrix, the task {own_low} to {own_high}, over {seeds} "
    "seeds: the two overlap." + _OTHER_RANKS,
    "like": "In “{label}” it takes {r90} of {k} directions to hold {level:.0%} of the energy, and {noise_name} needs "
    "{noise_r90}: no difference that chance does not make." + _OTHER_RANKS,
}
WORDS: dict[str, Any] = {
    "sentences": SENTENCES,
    "readouts": {
        "r90": "r90: directions holding {level:.0%} of the energy",
        "stable": "stable_rank: energy over that of the first",
        "entropy": "entropy_rank: equal ones, as spread out",
    },
    "readoutValues": {"r90": "{r90} of {k}", "stable": "{stable:.1f}", "entropy": "{entropy:.1f}"},
    "readoutNoise": {
        "r90": "noise {noise_r90}",
        "stable": "noise {noise_stable:.1f}",
        "entropy": "noise {noise_entropy:.1f}",
    },
    "readoutBoth": {
        "r90": "noise {noise_r90}, random targets {targets_r90}",
        "stable": "noise {noise_stable:.1f}",
        "entropy": "noise {noise_entropy:.1f}",
    },
    "charts": {
        "s": {
            "title": "Singular values, over their norm",
            "x": "direction",
            "probe": "direction {i}: {s:.4f} of the norm; noise {noise_low:.4f} to {noise_high:.4f}",
        },
        "energy": {
            "title": "Energy: share of s² in the first directions",
            "x": "directions",
            "curve": "energy",
            "probe": "{i} directions: {energy:.1%} of the energy; noise {noise_energy:.1%}",
        },
        "layers": {
            "title": "r90 of every layer: of the task, of random targets, of noise",
            "x": "layer, block after block",
            "task": "task",
            "probe": "{name}: {low} to {high}; random targets {targets_low} to {targets_high}; noise {noise_r90}",
        },
    },
    "targets": "random targets",
    "targetsMark": "random targets: {targets_r90}",
    "noise": "noise",
    "law": "Marchenko-Pastur",
    "level": "{level:.0%}",
    "noiseMark": "noise: {noise_r90}",
    "guess": {
        **GUESS,
        "question": (
            "Guess first. Look at the singular values of “{label}”. How many of its {k} directions hold {level:.0%} of "
            "the energy?"
        ),
        "again": "Guess for this matrix",
        "right": "You said {guess} for “{label}”, and {truth} it is.",
        "tooLow": "You said {guess} for “{label}”. It takes more: {truth}.",
        "tooHigh": "You said {guess} for “{label}”. Fewer do: {truth}.",
        "truthMark": "r90 = {r90}",
        "guessMark": "your guess: {guess}",
    },
    "tableHead": [
        "direction",
        "s over its norm",
        "energy so far",
        "noise: 5 %",
        "median",
        "95 %",
        "Marchenko-Pastur",
        "random targets: s",
        "random targets: energy",
    ],
    "tableRow": ["{i}", "{s:.5f}", "{energy:.2%}", "{noise_low:.5f}", "{noise_s:.5f}", "{noise_high:.5f}"],
    "tableLaw": "{law:.5f}",
    "tableLawless": "not for products",
    "tableTargets": ["{targets_s:.5f}", "{targets_energy:.2%}"],
    "tableTargetless": ["–", "–"],
    "downloads": {"spectrum": "Spectrum (CSV)", "picture": "Picture (SVG)"},
}
PRINT_R90 = """energy = np.cumsum(s**2) / (s**2).sum()
print(f"r90: {1 + np.argmax(energy >= 0.9)}")
"""
