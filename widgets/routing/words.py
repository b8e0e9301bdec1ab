"""The text of the routing figure: labels, templates of its sentences, and the code that prints its numbers."""

from typing import Any

from compute.experiments.routed import EXAMPLES

_ROUTE_LABELS = {"none": "No adapter", "legal": "Legal", "medical": "Medical", "code": "Code"}
ROUTES_SAID = {
    "none": "no adapter",
    "legal": "the legal adapter",
    "medical": "the medical adapter",
    "code": "the code adapter",
}
RULE_LABELS = {"probable": "The likeliest adapter", "cheapest": "What costs least on average"}
EXAMPLE_LABELS = {
    str(m): "One story of each kind" if m == 1 else f"{m} stories of each kind" for m in EXAMPLES
}

TITLE = "Send a prompt to its adapter"
CAPTION = (
    "First chart: share of unseen prompts that are sent where they belong, over the words that are read. Second "
    "chart: how much higher the loss is than with the right choice, on average. Bands: ten sets of examples, least to "
    "most; lines and tables: the first set. Grey: the best that anyone could do from these words alone, knowing "
    "exactly how each voice begins a story. Tables: row, what the prompt asks for; column, where it is sent. Left "
    "out: voices that the base has not read, and adapters that are chosen anew for each word."
)

WORDS: dict[str, Any] = {
    "sentence": (
        "Having read {seen} and learned from {learned}, the classifier sends {right:.1%} of {tested:,d} prompts where "
        "they belong (with other examples {right_low:.1%} to {right_high:.1%}); somebody who knows the voices would "
        "send {best_right:.1%} there. Its choices cost {cost:.3f} nats per word (with other examples {cost_low:.3f} "
        "to {cost_high:.3f}). Using no adapter at all costs {never:.3f}, choosing one at random {random:.3f}."
    ),
    "seen": {"none": "no word", "one": "one word", "several": "{n} words"},
    "learned": {"one": "one story of each kind", "several": "{examples} stories of each kind"},
    "routes": _ROUTE_LABELS,
    "routesSaid": ROUTES_SAID,
    "charts": {
        "right": {
            "title": "Prompts sent where they belong",
            "x": "words read",
            "curve": "classifier",
            "best": "knowing the voices",
            "random": "by lot",
            "probe": "{n} words: {right:.1%} right, knowing the voices {best_right:.1%}",
        },
        "cost": {
            "title": "What its choices cost, nats per word",
            "x": "words read",
            "curve": "classifier",
            "best": "knowing the voices",
            "random": "by lot",
            "never": "no adapter for anyone",
            "probe": "{n} words: {cost:.3f}, knowing the voices {best_cost:.3f}",
        },
    },
    "confusion": {
        "title": "Where prompts are sent, of {each} of each kind",
        "corner": "asks for",
        "cell": "{count}",
    },
    "extra": {
        "title": "What that costs, nats per word",
        "corner": "asks for",
        "cell": "{extra:.2f}",
    },
    "prompt": {
        "label": "Type a prompt; it reads as many words as the slider says",
        "some": "It reads “{read}”. Likeliest is {likely}, at {chance:.1%}. It is sent to {sent}.",
        "nothing": "It reads no word that a voice has, so all four are equally likely. It is sent to {sent}.",
        "unknown": " No voice has {unknown}; that says nothing.",
        "head": ["adapter", "probability", "cost if chosen"],
        "word": "{word}",
        "row": ["{label}", "{chance:.1%}", "{cost:.3f}"],
        "weight": "{weight:+.1f}",
        "title": "Chances, what a choice would cost on average, and what each word says for it (nats, above the mean)",
    },
    "tableHead": [
        "words read",
        "right",
        "with other examples",
        "knowing the voices",
        "cost",
        "cost with other examples",
        "cost knowing the voices",
    ],
    "tableRow": [
        "{n}",
        "{right:.1%}",
        "{right_low:.1%} to {right_high:.1%}",
        "{best_right:.1%}",
        "{cost:.3f}",
        "{cost_low:.3f} to {cost_high:.3f}",
        "{best_cost:.3f}",
    ],
    "downloads": {"confusion": "Counts (CSV)", "picture": "Picture (SVG)"},
}

SNIPPET = """from compute.experiments.routed import study

known = study()
examples, rule, words = {examples}, "{rule}", {n}
routed, best = known.routed[examples, rule], known.best[rule]
print(f"sent where they belong: {routed.right[0, words]:.2%}")
print(f"knowing the voices: {best.right[0, words]:.2%}")
print(f"nats per word: {routed.cost[0, words]:.3f}")
print(f"no adapter for anyone: {known.never:.3f}")
print(f"by lot: {known.random:.3f}")
"""
