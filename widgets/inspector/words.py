"""What the inspector says: title and caption, labels, sentences, why files are not opened, code."""

from typing import Any

from compute.adapters.formats.beside import POINTING
from compute.adapters.formats.combining import OTHER_EXPERTS
from compute.adapters.formats.llama_cpp import REFUSED as NOT_FOR_LLAMA
from compute.adapters.formats.writing import NO_EXPERT, NO_SCALE, NOT_LINEAR, OWN_EXPERTS

TITLE = "What is in an adapter"
CAPTION = (
    "First the scales: by what each program would multiply the factors, with a dash where it does not load the layer. "
    "Then a cell for each adapted layer, blocks from left to right, the deeper in colour the larger what is measured. "
    "Last the singular values of the layer that is chosen, over their norm; filled are those that the rule of the cut "
    "keeps, and the grey band holds nine of ten products of random factors of the same shape and rank. Left out: "
    "what a change does and, until its base lies beside it, all of a DoRA but the factors."
)
NOTES = {
    "own": "An adapter that this project trained on its own model. Recorded {recorded}.",
    "rooted": (
        "The same factors with another note beside them: a smaller alpha, and use_rslora. To PEFT it is the same "
        "adapter."
    ),
    "real": (
        "Somebody else's adapter on {base} ({repository}). Its weights are not here: the page has its shapes, its "
        "config and its singular values."
    ),
}

_MEASURES = {
    "r90": {"cell": "{r90} of {k} directions hold 90% of the energy"},
    "share": {"cell": "r90 is {share:.0%} of the rank paid, {rank}"},
    "stable": {"cell": "stable_rank {stable:.2f}"},
    "entropy": {"cell": "entropy_rank {entropy:.2f}"},
    "norm": {"cell": "norm {norm}"},
}

WORDS: dict[str, Any] = {
    "sentences": {
        "example": (
            "“{label}”: {format}, {layers} layers, {numbers:,d} numbers. It pays for rank {rank} in each layer; 90% "
            "of the energy lies in {used:.1f} directions on average ({spread}). PEFT multiplies the factors by "
            "{scale}."
        ),
        "own": (
            "“{label}”: {format}, {layers} layers, {numbers:,d} numbers in {size} of {dtype}. It pays for rank "
            "{rank}; 90% of the energy lies in {used:.1f} directions on average ({spread}). The tool that it belongs "
            "to multiplies the factors by {scale}. {verdict}"
        ),
        "reading": (
            "“{label}”: {format}, {layers} layers, {numbers:,d} numbers in {size} of {dtype}. {done} layers are read."
        ),
    },
    "verdicts": {
        "same": "Every program that loads it does the same.",
        "differ": "Not every program does: see the scales.",
        "one": "No other program loads it as it is.",
    },
    "open": {
        "label": "Open your adapter",
        "folder": "or a folder",
        "drop": (
            "Drop files here: .safetensors with its adapter_config.json, several shards, a .gguf adapter, or a .zip. "
            "They are read by this page, and never leave this computer."
        ),
        "close": "Back to the examples",
        "progress": "Layers read",
        "several": "{name} and {more} more",
    },
    "measures": _MEASURES,
    "cells": {
        "label": "Layers by block and matrix; arrow keys choose a layer",
        "corner": "matrix",
        "cell": "{name}, {shape}: {told}",
        "unknown": "{name}, {shape}: not measured",
        "range": "The deepest is {high}.",
    },
    "layerLabel": "Layer",
    "charts": {
        "s": {
            "title": "Singular values of {name}, over their norm",
            "x": "direction",
            "noise": "random factors",
            "probe": "Direction {i}: {s:.4f} of the norm, random factors {noise}; energy so far {energy:.1%}",
            "probeAlone": "Direction {i}: {s:.4f} of the norm; energy so far {energy:.1%}",
        },
    },
    "readouts": {
        "r90": "r90 / rank paid",
        "random": "r90 of random factors",
        "stable": "stable_rank",
        "entropy": "entropy_rank",
        "norm": "norm",
    },
    "readoutValues": {
        "r90": "{r90} / {rank}",
        "random": "{noise_r90}",
        "stable": "{stable:.2f}",
        "entropy": "{entropy:.2f}",
        "norm": "{norm}",
    },
    "scales": {
        "title": "By what each program multiplies",
        "layers": "layers",
        "some": "{many} as {name}",
        "every": "all {many}",
        "none": "–",
        "same": "The programs that load it agree.",
        "not": "They do not agree.",
        "differ": "They do not agree: times {factor} between the least and the largest.",
        "null": "The largest is {scale}, the least is 0: that program adds nothing.",
    },
    "doctor": {
        "title": "What is odd about it",
        "well": "Nothing: every layer has its factors, each is finite and none is zero, doubled or dead.",
        "found": "{many}: {names}",
        "more": "and {more} more",
        "kinds": {
            "infinite": "NaN or infinity among the numbers",
            "zero": "Layers that change nothing: a factor is zero",
            "half": "Parts without their partner",
            "misfit": "Factors whose shapes do not fit each other",
            "twice": "Parts that are there twice; the first counts",
            "alike": "Layers with the same change, as far as singular values tell",
            "spike": "Spikes: one direction holds almost everything, and far more than is usual here",
            "dead": "Layers a thousand times smaller than the middle one",
            "dora": "DoRA: a magnitude that is not applied here; put its base beside it to see the true change",
            "large": "Too large to be measured in a page",
            "stored": "Stored in a type that is not read here",
            "fused": "Several matrices in one, sharing the rank",
            "saved": "Trained whole (modules_to_save), no adapter",
            "base": "A weight of the base that lies in the file",
            "vector": "Changes of a bias, a norm or a whole weight, which have no rank",
            "unmatched": "Keys that belong to no layer",
            "aside": "Files without an adapter in them, left aside",
            "untried": "Patterns of the config that are not tried here: what they say of their layers is not known",
            "config": "No adapter_config.json beside the weights: alpha is not known, and the scale is taken as 1",
        },
    },
    "compare": {
        "title": "Compare it with another adapter",
        "label": "Open the other one",
        "head": [
            "layer",
            "cosine",
            "left: overlap",
            "by chance",
            "right: overlap",
            "by chance",
            "norm of the sum",
        ],
        "row": [
            "{name}",
            "{cosine:.3f}",
            "{left:.3f}",
            "{chance_left:.3f}",
            "{right:.3f}",
            "{chance_right:.3f}",
            "{sum:.1%}",
        ],
        "said": (
            "“{label}” has {shared} layers of the same name and shape. The changes have a cosine of {cosine:.3f} on "
            "average, from {low:.3f} to {high:.3f}. {only} of the layers here, and {other} of the layers there, have "
            "no partner."
        ),
        "note": (
            "Overlap is the mean squared cosine of the angles between the directions of both, on the side of the "
            "outputs and of the inputs; beside it what random directions would have. The norm of the sum is over the "
            "sum of the norms: where it is small, the two cancel each other."
        ),
        "none": "The two have no layer of the same name and shape.",
        "own": "Open an adapter of yours first; of the examples the page has no factors.",
    },
    "base": {
        "title": "Put its base beside it",
        "label": "Open the base: all its .safetensors, its config.json",
        "progress": "Layers put beside their weights",
        "head": [
            "layer",
            "norm of W",
            "delta_w over W",
            "its factors alone",
            "lost in bf16",
            "lost in fp16",
            "lost in fp8",
            "lost in int8",
        ],
        "row": [
            "{name}",
            "{size_W:.4~g}",
            "{share:.3~p}",
            "{factors:.3~p}",
            "{bf16}",
            "{fp16}",
            "{fp8}",
            "{int8}",
        ],
        "lost": "{share:.3~p}",
        "little": "under 0.001%",
        "said": "{shared} of {layers} layers have their weight in “{label}”.",
        "note": (
            "Norms are of Frobenius; of a DoRA delta_w is the true change, magnitude and direction. Lost is the energy "
            "of what a merge adds less delta_w, over that of delta_w: above 100% rounding moves the weights further "
            "than delta_w does. fp8 is E4M3 with one scale for the weight, int8 has one for each row."
        ),
        "pointing": {
            "label": "Where the change of the chosen layer points",
            "progress": "Directions looked at",
            "without": "{name} has no weight here: choose another layer.",
            "large": "{name} is too large for a page. The command inspect --base --intruders looks at it.",
            **POINTING,
            "between": "between {least} and {most}",
        },
        "none": "No layer has its weight there. Is it the base of this adapter?",
        "config": "The base is a {kind}, as its config.json says. Its weights are not here.",
        "gguf": "{name} is GGUF. Bring the base as .safetensors.",
        "missing": {
            "none": "No weight is called so: {names}.",
            "several": "More than one weight is called so: {names}.",
            "bits": "The weight is stored in few bits; bring the base that it was made of: {names}.",
            "shape": "The weight has another shape, or is too large for a page: {names}.",
            "kind": "Not looked at here: {names}.",
            "infinite": "A number is not finite, or the magnitude does not fit: {names}.",
        },
    },
    "cut": {
        "title": "Cut it, convert it",
        "said": (
            "Kept so, the ranks are {ranks}, the relative error of all layers together is {error:.2%}, and "
            "{before} of factors become {after}."
        ),
        "out": "{many} of the layers cannot be cut or converted here, and are left out.",
        "loose": "What is no such layer ({many}: biases, norms, whole weights) is handed on in its own format only.",
        "llama": (
            "Its layers keep llama.cpp’s names, under which no other program finds them: take it as GGUF, also cut or "
            "merged."
        ),
        "whole": "Nothing is cut: the numbers are handed on as they are, to the last bit.",
        "own": "Open an adapter of yours to take it away cut or converted.",
        "writing": "Layers written",
        "made": "Written: {names}.",
        "nothing": "Nothing was written: no layer can be.",
        "notes": {
            "lossy": (
                "The format has one scale for what has several here: it was multiplied into the factors, which rounds "
                "them."
            ),
            "filled": "Experts of a layer share a rank: those of a lower one are filled up with zeros.",
            "wide": "What llama.cpp does not compute with is stored in F32.",
        },
        "formats": {
            "peft": "As PEFT",
            "kohya": "As kohya",
            "diffusers": "As diffusers",
            "mlx": "As MLX",
            "gguf": "As GGUF",
        },
    },
    "merge": {
        "title": "Merge it with others",
        "label": "Add an adapter",
        "weight": "{i}. {name}: weight",
        "remove": "Leave {i} out",
        "way": "How",
        "ways": {
            "concatenation": "side by side: exact, ranks add up",
            "svd": "as a sum, cut to a rank",
            "ties": "TIES, cut to a rank",
            "dare": "DARE, cut to a rank",
        },
        "rank": "Rank, the largest of them if empty",
        "density": "Entries kept, in %",
        "seed": "Seed of the lot",
        "note": (
            "Products are summed, scales and weights inside; a negative weight subtracts, and a layer that only some "
            "have counts as zero in the others. TIES and DARE go through every entry of every matrix, which takes "
            "minutes for a large model; what they drop by lot is not what the command drops."
        ),
        "writing": "Layers merged",
        "weights": "Each weight is a number, the rank a whole number from 1 on, entries kept from 1 to 100%.",
    },
    # What adapter_config.json calls methods, by the names that people give them.
    "methods": {
        "PROMPT_TUNING": "a prompt (vectors that stand before the text)",
        "PREFIX_TUNING": "a prefix (vectors that stand before the keys and values)",
        "P_TUNING": "a prompt (vectors that stand before the text)",
        "VERA": "VeRA (two vectors a layer between random matrices that are not in the file)",
        "IA3": "IA3 (a vector a layer, by which activations are multiplied)",
    },
    "refused": {
        "pickle": (
            "{name} is a pickle, which may run code when it is opened. Save the adapter as .safetensors (in PEFT: "
            "safe_serialization=True) and bring that."
        ),
        "gguf": "{name} is a whole model in GGUF, not an adapter. Bring the adapter from before it was merged.",
        "pointer": (
            "{name} is a pointer of Git LFS: a few lines that stand for the file. Run “git lfs pull”, or download the "
            "file itself."
        ),
        "page": "{name} is a web page, perhaps of a login. Download the file itself.",
        "numpy": "{name} is a NumPy array, not an adapter. Its matrix can be opened in the lesson on rank.",
        "hdf": "{name} is an HDF5 file. Save the adapter as .safetensors.",
        "empty": "{name} is empty.",
        "archive": "{name} is an archive that is damaged, or of a kind that is not read here.",
        "nothing": (
            "There are no weights in {name}: a .safetensors file is needed, or an archive with one, and "
            "adapter_config.json if there is one."
        ),
        "alone": "{name} only says how the adapter was trained. Bring the weights, adapter_model.safetensors, with it.",
        "config": "{name} is no JSON with names and values.",
        "damaged": "{name} is no safetensors file, or is damaged.",
        "cut": "{name} is cut short: its header names more than there is. Download it again.",
        "stored": "{name} is stored as {dtype}, which is not read here. Save it as F32, F16 or BF16.",
        "method": (
            "{name} holds {kind}, which is no product of two factors: there is no delta_w of low rank to be looked at. "
            "Nothing is wrong with it; this page only knows LoRA and its relatives."
        ),
        "model": (
            "{name} is a whole model, or the weights of one: {tensors} tensors, {megabytes:,.1f} MB, and no adapter "
            "among them. An adapter can only be seen before it is merged."
        ),
        "broken": "{name} has parts of adapters, but no layer with both of its factors in shapes that fit each other.",
        "hollow": "{name} holds no tensors.",
        **NOT_FOR_LLAMA,
        "baseless": (
            "llama.cpp names layers by the model, and turns q_proj and k_proj of a Llama: open the config.json of the "
            "base under “Put its base beside it”."
        ),
        "unlinear": NOT_LINEAR,
        "unscaled": NO_SCALE,
        "experts": OWN_EXPERTS,
        "unstacked": NO_EXPERT,
        "otherExperts": OTHER_EXPERTS,
        "overflow": "A number is too large for {dtype}.",
        "unmerged": "{name} is no plain product of two factors; more is merged by python app.py inspect --merge.",
        "apart": "{name} has another shape in another adapter, so that the two cannot be merged.",
        "unfinished": "{name} has a number that is not finite; it cannot be merged.",
        "wide": "{name} is too large for TIES and DARE in a page; the command does it: python app.py inspect --merge.",
        "unreadable": "The browser could not read it: {name}. Choose the file again.",
    },
    "tableHead": [
        "layer",
        "out × in",
        "rank paid",
        "r90",
        "r90 of random factors",
        "stable_rank",
        "entropy_rank",
        "norm of delta_w",
        "scale",
    ],
    "tableRow": [
        "{name}",
        "{shape}",
        "{rank}",
        "{r90}",
        "{noise_r90}",
        "{stable:.3f}",
        "{entropy:.3f}",
        "{norm}",
        "{scale}",
    ],
    "downloads": {
        "layers": "Layers (CSV)",
        "values": "Singular values (CSV)",
        "picture": "Picture (SVG)",
        "report": "Report (HTML)",
    },
    "report": {
        "spectrum": "spectrum",
        "bars": "{many} singular values, the largest {first:.3~g}, the smallest {last:.3~g}",
        "layers": "The layers",
        "base": "The layers beside the weights of the base",
    },
}

SNIPPETS = {
    "learned": """# Run it in the folder of this project.
import numpy as np
from compute.experiments.spectra import load_spectra
from compute.matrices.spectrum import r90

layers = load_spectra().of("{task}", "{way}").s
print(f"r90, mean of the layers: {np.mean([r90(np.array(s)) for s in layers.values()]):.1f}")
""",
    "derived": """# Run it in the folder of this project.
import numpy as np
from compute.experiments.derived import load_derived
from compute.matrices.spectrum import r90

layers = load_derived()["{name}"].layers.values()
print(f"r90, mean of the layers: {np.mean([r90(np.array(layer.s)) for layer in layers]):.1f}")
""",
    "own": """# The same in a terminal, in the folder of this project:
#     python app.py inspect {name}
""",
    "pair": """# And in Python, of one layer:
import numpy as np
from safetensors.numpy import load_file

tensors = load_file({name})
A, B = (tensors[key].astype("f8") for key in ({a}, {b}))
A, B = A.reshape(len(A), -1), B.reshape(len(B), -1)
s = np.linalg.svd(np.linalg.qr(B)[1] @ np.linalg.qr(A.T)[1].T, compute_uv=False)
print(f"r90: {1 + np.argmax(np.cumsum(s**2) >= 0.9 * (s**2).sum())}")
""",
}
