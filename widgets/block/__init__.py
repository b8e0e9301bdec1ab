"""The block instrument: one transformer block seen through, its six projections, and what each adapter does there."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import param

from compute.model.forward import PROJECTIONS
from compute.world.tokens import words_of
from widgets.block.passage import SIDE, all_next_words, all_values, falls, most, seen, ship
from widgets.block.words import ENCLOSED, SHOWN_LABELS, SNIPPET, TEXT_LABELS, TEXTS, WORDS
from widgets.kit.choices import one_of
from widgets.kit.guess import guess_option
from widgets.kit.instrument import Instrument, Values
from widgets.kit.layers import BLOCK_NAMES
from widgets.kit.text import fill, fill_code

LONGEST = max(len(words_of(text)) for text in TEXTS.values())


class Block(Instrument):
    """Follow a text through one block of the mini-model, and take each of its six adapters by itself.

    Strips: what stands at each place, a row for each token, each strip with a colour scale of its own. Teal is what was
    learned, grey its control: random matrices as large as delta_w. Left out: the two norms' own weights, and what
    two or three adapters do together.
    """

    text = one_of(TEXT_LABELS, default="formal", label="Text", doc="What passes through the block.")
    block = one_of(
        {str(i): name for i, name in enumerate(BLOCK_NAMES)},
        default="0",
        label="Block",
        doc="Which of the three blocks.",
    )
    projection = one_of(
        {name: name for name in PROJECTIONS},
        default="v_proj",
        label="Projection",
        doc="Which of the six linear layers is taken apart.",
    )
    shown = one_of(
        SHOWN_LABELS,
        default="base",
        label="The strips show",
        doc="Which model's numbers stand in the strips.",
    )
    word = param.Integer(
        default=2, bounds=(0, LONGEST), label="Word", doc="After which word the next one is expected."
    )
    guess = guess_option(WORDS["guess"]["options"], "a projection")

    keyed_by = ("text", "block")
    parts = ("choices", "diagram", "maps", "guess", "next", "effects", "table", "code", "share")
    says = ("block_name", "reads_name", "words", "writes_name")

    sheets = ("block/block", "kit/effects")

    def enclosed_words(self) -> str:
        """Say which arrays the single file carries."""
        text, block = TEXT_LABELS[self.text].lower(), BLOCK_NAMES[int(self.block)]
        return fill(ENCLOSED, {"text": text, "block": block})

    def make_arrays(self) -> dict[str, Any]:
        """Return the chosen text in the chosen block."""
        return ship(self.text, int(self.block), SNIPPET)

    def values(self) -> dict[str, Any]:
        """Return every number that the sentence may use; passage.js makes the same."""
        words = seen(self.text, int(self.block)).words()
        at = min(self.word, len(words) - 1)
        expected = all_next_words(self.text, int(self.block))[at]
        shares = {
            "base": expected["base"],
            "alone": expected["alone"][self.projection],
            "every": expected["every"],
        }
        likeliest: dict[str, Any] = {}
        for name, each in shares.items():
            best = max(range(len(each)), key=each.__getitem__)
            likeliest |= {f"word_{name}": expected["words"][best], f"p_{name}": each[best]}
        return {**all_values(self.text, int(self.block))[self.projection], "word": words[at], **likeliest}

    def sentence(self) -> str:
        """Say what the chosen adapter does by itself; its effect on the loss only after the guess."""
        return fill(WORDS["sentences"]["veiled" if self.asks() else "told"], self.values())

    def verdict(self) -> str:
        """Say whether the guess was right."""
        found, truth = falls(int(self.block)), most(int(self.block))
        told = {"guess": self.guess, "truth": truth, "fall": found[truth]["value"]}
        told["fall_guess"] = found[self.guess]["value"]
        return fill(WORDS["guess"]["right" if self.guess == truth else "wrong"], told)

    def rows(self) -> Iterable[Values]:
        """Return the values of the six projections."""
        return all_values(self.text, int(self.block)).values()

    def picture(self) -> list[Any]:
        """Return what the text looks like on its way through the block, place below place."""
        of = seen(self.text, int(self.block))
        strips = [of.place(of.every, name)[:, :SIDE] for name in ("into", "q", "mixed", "out")]
        return [np.vstack([np.pad(strip / np.abs(strip).max(), ((0, 2), (0, 0))) for strip in strips])]

    def snippet(self) -> str:
        """Return NumPy code that prints the changes on the screen."""
        return fill_code(ship(self.text, int(self.block), SNIPPET)["snippet"], self.values())
