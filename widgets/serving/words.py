"""What the serving instrument says: title and caption, labels, sentences, code."""

from typing import Any

from compute.experiments.serving import ADAPTERS, WAYS
from widgets.kit.guess import WORDS as GUESS

TITLE = "Serve many adapters"
CAPTION = (
    "Horizontal: how many different adapters the requests of one batch ask for. First chart, vertical: words read per "
    "second on one core, as a share of what the base alone reads of the same batch; lines are medians, bands the "
    "middle 90 % of the rounds. Dotted: the speed of answering together if only multiplications counted. Second "
    "chart: numbers that must be in memory. Left out: a GPU; a cache of keys and values; requests that arrive while "
    "others are answered; and adapters of different ranks."
)

WORDS: dict[str, Any] = {
    "sentence": (
        "{requests} requests, {length}, {asked} of r = {r}. Answered together, the batch goes at {together:.0%} of the "
        "base's pace, which is {together_rate:,.0f} words a second; swapped at {swapped:.0%}, as merged copies at "
        "{merged:.0%}. Held in memory are {together_held:,d}, {swapped_held:,d} and {merged_held:,d} numbers."
    ),
    "lengths": {"1": "one word each", "32": "32 words each"},
    "asked": {"one": "all for one adapter", "several": "for {adapters} different adapters"},
    "note": (
        "The base's pace is that of the same batch without any adapter, {base_rate:,.0f} words a second of one core. "
        "Recorded: {recorded}. Run python -m compute.experiments.serving to measure your own machine."
    ),
    "places": "{adapters}",
    "guess": {
        **GUESS,
        "question": (
            "Guess first. {requests} requests arrive at once and are answered together, {length}. First all of them "
            "want the same adapter, then each wants a different one. How much longer does the second batch take?"
        ),
        "options": [
            ["same", "about as long"],
            ["few", "a few times as long"],
            ["many", f"about {ADAPTERS[-1]} times as long"],
        ],
        "again": "Guess for this batch",
        "right": "You said {guess}. So it is: {times:.2f} times.",
        "wrong": "You said {guess}. It is {truth}: {times:.2f} times.",
    },
    "readouts": {"together": "Together", "swapped": "Swapped", "merged": "Merged copies"},
    "readoutValues": {way: f"{{{way}:.0%}}" for way in WAYS},
    "beside": {way: f"{{{way}_held:,d}} numbers held" for way in WAYS},
    "charts": {
        "pace": {
            "title": "Pace, as a share of the base's",
            "x": "different adapters in the batch",
            "together": "together",
            "swapped": "swapped",
            "merged": "merged copies",
            "base": "the base, no adapter",
            "counted": "by count",
            "probe": "{adapters}: together {together:.0%}, swapped {swapped:.0%}, merged copies {merged:.0%}",
        },
        "held": {
            "title": "Numbers held in memory",
            "x": "different adapters",
            "together": "together",
            "swapped": "swapped",
            "merged": "merged copies",
            "probe": (
                "{adapters}: together {together_held:,d}, swapped {swapped_held:,d}, merged copies {merged_held:,d}"
            ),
        },
    },
    "tableHead": [
        "adapters",
        *(
            cell
            for way in ("together", "swapped", "merged")
            for cell in (way, f"{way}, middle 90 %", f"{way}, numbers")
        ),
    ],
    "tableRow": [
        "{adapters}",
        *(
            cell
            for way in WAYS
            for cell in (f"{{{way}:.1%}}", f"{{{way}_low:.1%}} to {{{way}_high:.1%}}", f"{{{way}_held:,d}}")
        ),
    ],
    "downloads": {"paces": "Measurements (CSV)", "picture": "Picture (SVG)"},
}

SNIPPET = """from compute.experiments.serving import ADAPTERS, load_serving, numbers_held

served = load_serving()  # kept and shared
adapters, words, r = {adapters}, {words}, {r}
for way, paces in served.paces[words, r].items():
    pace = paces[ADAPTERS.index(adapters)].middle
    held = numbers_held(way, served.model, r, adapters)
    print(f"{way}: {pace:.0%} of the base's pace, {held:,d} numbers held")
"""
