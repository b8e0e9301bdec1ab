"""Languages that nobody speaks, made from the English: what they do not touch was never said as it should be."""

from __future__ import annotations

import re
from collections.abc import Callable

from lessons.press.languages import CODE, NAME, messages
from widgets.kit.languages import Language, Numbers
from widgets.kit.text import GAP

# What a translation leaves as it is: code, formulas, marks, tags, gaps, names, addresses of links, beginnings of lines.
KEPT = re.compile(
    rf"(?:{CODE.pattern}|{GAP.pattern}|\]\([^)]*\)|{NAME.pattern}|^ *(?:[-+*] |\|[ |:-]+$)|&\w+;)",
    re.DOTALL | re.MULTILINE,
)
SPANISH = Numbers(",", ".", "\u00a0%", 5)
VOWELS = str.maketrans("aeiouAEIOU", "áéíóúÁÉÍÓÚ")
LETTERS = "אבגדהוזחטיכלמנסעפצקרשתןםףץ"
HEBREW = str.maketrans(dict(zip("abcdefghijklmnopqrstuvwxyz", LETTERS, strict=True)))


def _outside(change: Callable[[str], str], text: str) -> str:
    """Change a text where a translation would."""
    made, at = "", 0
    for kept in KEPT.finditer(text):
        made += change(text[at : kept.start()]) + kept[0]
        at = kept.end()
    return made + change(text[at:])


def accented(text: str) -> str:
    """Return a text in which no vowel is left as it was."""
    return _outside(lambda piece: piece.translate(VOWELS), text)


def doubled(text: str) -> str:
    """Return a text that is twice as long: each word two times."""
    return _outside(
        lambda piece: re.sub(r"[^\W\d_]+", lambda word: f"{word[0]}{word[0].lower()}", piece), text
    )


def from_the_right(text: str) -> str:
    """Return a text whose letters run from right to left."""
    return _outside(lambda piece: piece.lower().translate(HEBREW), text)


def with_markup(text: str) -> str:
    """Return a text that a page must escape, unless it is HTML itself."""
    return accented(text) + ("" if "<" in text else "<b>&\"'")


def pseudo(code: str, change: Callable[[str], str], direction: str = "ltr") -> Language:
    """Return the language that a change makes of all messages."""
    return Language(code, code, direction, SPANISH, {text: change(text) for text in messages()})
