"""A guess before the reveal: the choice that it is, and the words that all have in common; guess.js asks for it."""

from collections.abc import Sequence

import param

WORDS = {"field": "My guess:", "reveal": "Reveal", "skip": "Skip"}


def guess_number(digits: int, said: str = "a whole number") -> param.String:
    """Return the choice of an instrument that has a number guessed."""
    return param.String(
        default="ask",
        regex=rf"^(ask|skip|\d{{1,{digits}}})$",
        label="Guess",
        doc=f"the words ask and skip, or {said}",
    )


def guess_option(options: Sequence[Sequence[str]], said: str = "") -> param.String:
    """Return the choice of an instrument that has one of some options guessed, each a value and its label."""
    values = ["ask", "skip", *(value for value, _ in options)]
    return param.String(
        default="ask",
        regex=f"^({'|'.join(values)})$",
        label="Guess",
        doc=f"ask, skip, or {said}" if said else ", ".join(values),
    )
