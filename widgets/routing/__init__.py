"""The routing instrument: prompts are sent to an adapter by their first words, and mistakes are counted and priced."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import param

from compute.experiments.routed import EXAMPLES, MOST_WORDS, SETS, TESTED, Routed, study
from compute.serving.routing import ROUTES, RULES, chances, chosen, evidence, word_places, word_weights
from compute.world.tokens import words_of
from widgets.kit.choices import one_of
from widgets.kit.instrument import Instrument, Values
from widgets.kit.languages import Quoted
from widgets.kit.text import fill, fill_code
from widgets.routing.words import EXAMPLE_LABELS, ROUTES_SAID, RULE_LABELS, SNIPPET, WORDS

LONGEST = 80  # letters of a prompt
SIGNS = r"[A-Za-z0-9 .,;?()'-]"  # what stands in a link; other signs are in no word of ours


class Routing(Instrument):
    """Send prompts to an adapter by their first words, count the mistakes, and say what they cost.

    Teal: prompts sent where they belong. Vermilion: what the choices cost. Bands: other sets of examples. Grey: someone
    who knows how the texts are drawn, and chance. Left out: prompts of other kinds, and a choice that is made anew on
    the way.
    """

    examples = one_of(
        EXAMPLE_LABELS,
        default="5",
        label="Learned from",
        doc="How many stories of each kind the classifier has seen the beginning of.",
    )
    rule = one_of(
        {rule: RULE_LABELS[rule] for rule in RULES},
        default="probable",
        label="It takes",
        doc="What the classifier does with the chances.",
    )
    n = param.Integer(
        default=1,
        bounds=(0, MOST_WORDS),
        label="Words read",
        doc="How many words of the prompt are looked at.",
    )
    prompt = param.String(
        default="the party anna is at said mill",
        regex=f"^{SIGNS}{{0,{LONGEST}}}$",
        label="Prompt",
        doc=f"at most {LONGEST} letters, digits, spaces and signs of a sentence",
    )

    sheets = ("routing/routing",)
    parts = ("classifier", "steps", "charts", "mistakes", "prompt", "table", "code", "share")
    says = ()
    pictured = ({"curve kept": 1, "curve control": 3}, {"curve cost": 4, "curve control": 6})

    def make_arrays(self) -> dict[str, Any]:
        """Return what every classifier learned, and how prompts were sent by it."""
        known = study()
        return {
            "k": MOST_WORDS,
            "routes": ROUTES,
            "each": TESTED,
            "words": list(word_places()),
            "signs": SIGNS,
            "longest": LONGEST,
            "counts": {str(m): known.counts[m].tolist() for m in EXAMPLES},
            "routed": {f"{m}-{rule}": _packed(each) for (m, rule), each in known.routed.items()},
            "best": {rule: _packed(each) for rule, each in known.best.items()},
            "extra": known.extra.tolist(),
            "random": known.random,
            "never": known.never,
            "snippet": SNIPPET,
        }

    def values(self, n: int) -> dict[str, Any]:
        """Return every number that a sentence may use; routing.js makes the same."""
        known, examples = study(), int(self.examples)
        routed, best = known.routed[examples, self.rule], known.best[self.rule]
        seen = WORDS["seen"]["none" if n == 0 else "one" if n == 1 else "several"]
        return {
            "n": n,
            "seen": fill(seen, {"n": n}),
            "examples": examples,
            "learned": fill(WORDS["learned"]["one" if examples == 1 else "several"], {"examples": examples}),
            "tested": TESTED * len(ROUTES),
            "each": TESTED,
            "sets": SETS,
            "never": known.never,
            "random": known.random,
            "best_right": best.right[0, n],
            "best_cost": best.cost[0, n],
            **_spread("right", routed.right[:, n]),
            **_spread("cost", routed.cost[:, n]),
        }

    def sentence(self) -> str:
        """Say in a few words what the picture shows now."""
        return fill(WORDS["sentence"], self.values(self.n))

    def prompted(self) -> str:
        """Say where the typed prompt is sent, and why."""
        words, known = words_of(self.prompt)[: self.n], study()
        said = WORDS["prompt"]
        likely = chances(evidence(word_weights(known.counts[int(self.examples)]), words))
        sent = int(chosen(likely, known.extra, self.rule))
        first = int(chosen(likely, known.extra, "probable"))
        unknown = [word for word in words if word not in word_places()]
        read = " ".join(word for word in words if word in word_places())
        told = {
            "read": Quoted(read),
            "unknown": Quoted(", ".join(unknown)),
            "likely": ROUTES_SAID[ROUTES[first]],
            "chance": float(likely[first]),
            "sent": ROUTES_SAID[ROUTES[sent]],
        }
        return fill(said["some" if read else "nothing"], told) + fill(said["unknown"], told) * bool(unknown)

    def rows(self) -> Iterable[Values]:
        """Return the values of each number of words read."""
        return map(self.values, range(MOST_WORDS + 1))

    def snippet(self) -> str:
        """Return code that prints the numbers of the sentence."""
        return fill_code(SNIPPET, {"examples": self.examples, "rule": self.rule, "n": self.n})


def _packed(routed: Routed) -> dict[str, Any]:
    """Return what the browser needs of one way to send prompts: least, first and most of all sets of examples."""

    def spread(values: np.ndarray) -> list[list[float]]:
        return [values.min(axis=0).tolist(), values[0].tolist(), values.max(axis=0).tolist()]

    return {
        "confusion": routed.confusion.tolist(),
        "right": spread(routed.right),
        "cost": spread(routed.cost),
    }


def _spread(name: str, values: np.ndarray) -> dict[str, float]:
    return {name: values[0], f"{name}_low": values.min(), f"{name}_high": values.max()}
