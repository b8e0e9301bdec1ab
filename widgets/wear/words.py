"""What the wear instrument says: title and caption, labels, sentences, code."""

from typing import Any

LABELS = {"formal": "Formal voice", "facts": "New facts"}

TITLE = "In and out again"
CAPTION = (
    "The weights of one layer of the mini-model, value projection of the middle block, with an adapter of rank 4 at "
    "full strength. Horizontal: how many times an adapter was merged and taken out again. Vertical: how far W then is "
    "from what it was, relative to its norm. Both axes are logarithmic. Teal: the same adapter, with delta_w rounded "
    "before it is added, as PEFT's safe_merge does. Vermilion: the same adapter by PEFT's default, which adds delta_w "
    "as it is and subtracts it rounded. Grey, the control: a different, random adapter in each round, of the same "
    "rank and size, rounded first. Left out: other layers, and activations, which stay exact."
)

WORDS: dict[str, Any] = {
    "sentence": (
        "After {cycles} in and out in {precision}, W is off by {same_m:,.3f} millionths of its norm if delta_w is "
        "rounded before it is added, {same_times:.2f} times as far as after the first; by PEFT's default it is off by "
        "{unrounded_m:,.3f}, {unrounded_times:.2f} times as far. With another adapter each time it is off by "
        "{different_m:,.3f} millionths, {different_times:.2f} times as far."
    ),
    "rounds": "{cycles}",
    "times": {"one": "one time", "several": "{number} times"},
    "note": (
        "Facts: all {layers} linear layers of the model merged and taken out {last} times with “{label}”. Recorded "
        "{recorded}."
    ),
    "readouts": {
        "same": "Times as far as after the first, rounded first",
        "unrounded": "By PEFT's default",
        "different": "Another each time",
        "facts": "Facts right after {last} times, PEFT's default",
    },
    "readoutValues": {
        "same": "{same_times:.2f}×",
        "unrounded": "{unrounded_times:.2f}×",
        "different": "{different_times:.2f}×",
        "facts": "{facts_unrounded:.1%}, before {facts_none:.1%}",
    },
    "chart": {
        "title": "How far W has gone, over its norm (both axes logarithmic)",
        "x": "times merged and taken out",
        "same": "the same, rounded first",
        "unrounded": "the same, PEFT's default",
        "either": "the same, either way",
        "different": "another each time",
        "probe": (
            "{cycles} in {precision}: rounded first {same_m:,.3f} millionths, PEFT's default {unrounded_m:,.3f}, "
            "another each time {different_m:,.3f}"
        ),
    },
    "tableHead": [
        "times in and out",
        "rounded first, millionths",
        "PEFT's default, millionths",
        "another each time, millionths",
    ],
    "tableRow": ["{number}", "{same_m:,.3f}", "{unrounded_m:,.3f}", "{different_m:,.3f}"],
    "downloads": {"wear": "All precisions (CSV)", "picture": "Picture (SVG)"},
}

SNIPPET = """from compute.adapters.merging import drift, merge_unrounded, merge_weights
from compute.experiments.merging import load_layer

layer = load_layer("{task}")
again = [layer.delta_w] * {number}  # the same adapter, in and out so many times
for name, merge in (("rounded first", merge_weights), ("PEFT's default", merge_unrounded)):
    *_, off = drift(layer.W, again, "{precision}", merge)
    print(f"{name}: {1e6 * off:,.3f} millionths of the norm")
"""
