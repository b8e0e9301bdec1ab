"""The rules of a lesson's text. tests/lessons/test_lessons.py applies them, test_prose.py shows that each can fail."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import parse_qsl

import param

from lessons.press.blocks import Cited, Claim, Lesson, Prose, Try
from lessons.press.prose import CITATION, FOLLOWING, MARK, values_of
from lessons.press.sources import SOURCES

LONGEST = 40  # words in a sentence; longer ones are read twice

# What may hold a digit, because a claim, a citation, a formula or code says what it is.
SAID_ELSEWHERE = (
    re.compile(r"```.*?```", re.DOTALL),
    re.compile(r"`[^`]*`"),
    re.compile(r"\$\$.*?\$\$", re.DOTALL),
    re.compile(r"\$[^$]*\$"),
    re.compile(MARK.pattern + r"(?:\s(?:million|billion)s?\b)?"),  # with the unit that it is told in
    FOLLOWING,
    CITATION,
    re.compile(r"\]\([^)]*\)"),  # the address of a link
)
NAME = re.compile(r"\b[^\W\d]+-\d+\b")  # GPT-3, Llama-2
NUMBER = re.compile(r"\S*\d\S*|\b(?:hundred|thousand|million|billion|trillion|per ?cent)s?\b", re.IGNORECASE)

# A spelling that DESIGN.md, section 4, does not know, and the one that it has.
SPELLINGS = {
    r"\bA and B\b|\bB and A\b|\bmatrix [AB]\b": "lora_A and lora_B",
    r"\b(?!lora_[AB]\b)(?i:lora)[ _-]?[abAB]\b": "lora_A, lora_B",
    r"\b(?:lora|Lora|LORA)\b": "LoRA",
    r"\b(?!delta_w\b)(?i:delta)[ _-]?[wW]\b|\bdW\b|[\u0394\u2206] ?W\b": "delta_w",
    r"(?i:\bfine[- ]tun)": "finetune",
    r"(?i:\bbreak ?even\b)": "break-even",
    r"\bR90\b|(?i:\br[ _]90\b|\brank[ _]?90\b)": "r90",
    r"(?i:\bstable[ -]rank\b)": "stable_rank",
    r"(?i:\bentropy[ -]rank\b)": "entropy_rank",
    r"\bV(?:\^T|T|t)\b": "Vh",
}
VOID = {"br", "hr", "img", "input", "link", "meta", "wbr", "mspace", "col"}


def bare(text: str) -> str:
    """Return a text without what may hold numbers and symbols: marks, citations, formulas, code."""
    for pattern in SAID_ELSEWHERE:
        text = pattern.sub(" ", text)
    return text


def typed_numbers(text: str) -> list[str]:
    """Return the numbers that somebody typed into prose."""
    return NUMBER.findall(NAME.sub(" ", bare(text)))


def misspelled(text: str) -> list[str]:
    """Return the names that are not spelled as DESIGN.md, section 4, spells them."""
    seen = CITATION.sub(" ", re.sub(r"\$\$?[^$]*\$\$?", " ", text))
    return [
        f"{match[0]!r}: it is {right}"
        for wrong, right in SPELLINGS.items()
        for match in re.finditer(wrong, seen)
    ]


def sentences(text: str) -> list[str]:
    """Return the sentences of Markdown text, without headings."""
    plain = re.sub(r"^#.*$", "", bare(text), flags=re.MULTILINE)
    parts = re.split(r"(?<=[.?!:])\s+|\n\s*\n|^- ", plain, flags=re.MULTILINE)
    return [part for part in parts if part.strip(" \n.")]


def _as_read(text: str) -> str:
    """Return Markdown without headings, code and addresses; a mark or a formula is one word."""
    text = re.sub(r"(?s:```.*?```)|^#.*$", "", text, flags=re.MULTILINE)
    text = CITATION.sub("", re.sub(r"\$\$?[^$]*\$\$?", "formula", text))
    return re.sub(r"\]\([^)]*\)|[*\[\]]", "", MARK.sub("mark", FOLLOWING.sub("mark", text)))


def lengths(lesson: Lesson) -> list[int]:
    """Return the words of each sentence that is read from top to bottom, the questions left out."""
    texts = [_as_read(block.text) for block in lesson.build() if isinstance(block, Prose | Try)]
    parts = [
        part for text in texts for part in re.split(r"(?<=[.?!])\s+|\n\s*\n|^- ", text, flags=re.MULTILINE)
    ]
    return [len(part.split()) for part in parts if part.strip(" \n.")]


class Page(HTMLParser):
    """Read HTML and note what does not fit: elements that are not closed, or closed and never opened."""

    def __init__(self, html: str):
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.faults: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []  # innermost element, text
        self.feed(html)
        self.close()
        self.faults += [f"<{tag}> is never closed" for tag in self.open]

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if len(dict(attrs)) < len(attrs):
            self.faults.append(f"<{tag}> has an attribute twice")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        if not self.open or self.open[-1] != tag:
            self.faults.append(f"</{tag}> closes {self.open[-1:]}")
            if tag not in self.open:
                return
            while self.open[-1] != tag:
                self.open.pop()
        self.open.pop()

    def handle_data(self, data):
        self.texts.append((self.open[-1] if self.open else "", data))

    def all(self, *tags: str) -> list[dict[str, str | None]]:
        """Return the attributes of all elements with these names."""
        return [attributes for tag, attributes in self.elements if tag in tags]

    def text(self) -> str:
        """Return what is read: no script, no style, blanks as one."""
        return " ".join("".join(t for tag, t in self.texts if tag not in ("script", "style")).split())


def shown_markup(html: str) -> list[str]:
    """Return tags that a reader sees as text, because somebody wrote HTML into Markdown."""
    texts = [text for tag, text in Page(html).texts if tag != "code"]
    return [match[0] for text in texts for match in re.finditer(r"</?[a-zA-Z][^>]*>", text)]


def markdown(lesson: Lesson) -> list[str]:
    """Return all Markdown of a lesson, also what a copy without Python says, what it corrects, and for a class."""
    without = [part.without for part in lesson.live_parts().values()]
    corrected = [text for each in lesson.corrections for text in (each.story, each.truth)]
    return lesson.texts() + without + corrected + (lesson.teaching.texts() if lesson.teaching else [])


def plain(lesson: Lesson) -> list[str]:
    """Return the texts of a lesson that are shown as they are."""
    parts = lesson.live_parts().values()
    titles = [note.title for note in lesson.notes()]
    return [
        lesson.title,
        lesson.question,
        *titles,
        *(t for part in parts for t in (part.title, part.invitation)),
    ]


def _names(mark: Claim | Cited) -> list[str]:
    """Return what may stand after the key of a mark: the name of a value, nothing for a cited number."""
    return [*values_of(mark)] if isinstance(mark, Claim) else [""]


def not_shown(lesson: Lesson) -> list[str]:
    """Return the marks that would follow what no figure of the lesson shows."""
    figures, found = lesson.figures(), []
    marks = {mark.groups() for text in markdown(lesson) for mark in FOLLOWING.finditer(text)}
    for figure, name, _ in sorted(marks, key=str):
        if figure not in figures:
            found.append(f"there is no figure {figure!r}")
        elif name not in figures[figure].make().shown_values():
            found.append(f"{figure} shows no value {name!r}")
    return found


SETTING = re.compile(r"\]\(#(\w+)\?([^)]+)\)")


def impossible(lesson: Lesson) -> list[str]:
    """Return the phrases, and the places for a class, that would set a figure to what it has not."""
    figures, found = lesson.figures(), []
    settings = [setting for text in markdown(lesson) for setting in SETTING.findall(text)]
    places = lesson.teaching.places() if lesson.teaching else []
    settings += [tuple(place.split("?")) for place in places if "?" in place]
    for figure, query in settings:
        if figure not in figures:
            found.append(f"there is no figure {figure!r}")
            continue
        made = figures[figure].make()
        for name, value in parse_qsl(query, keep_blank_values=True):
            try:
                parameter = made.param[name] if name in made.choices else None
                setattr(made, name, int(value) if isinstance(parameter, param.Integer) else value)
            except ValueError as error:
                found.append(f"{figure}: {error}")
            if name not in made.choices:
                found.append(f"{figure} has no choice {name!r}")
    return found


def faults(lesson: Lesson) -> list[str]:
    """Return what is wrong with the text of a lesson."""
    texts = markdown(lesson)
    marks = sorted({(key, name) for text in texts for key, name, _ in MARK.findall(text)})
    used = {key for key, _ in marks}
    found = [f"[[{key}]] is no claim" for key in sorted(used - lesson.claims.keys())]
    found += [f"the claim {key!r} is never made" for key in sorted(lesson.claims.keys() - used)]
    found += [
        f"[[{key}.{name}]]: {key} has no such value"
        for key, name in marks
        if key in lesson.claims and name not in _names(lesson.claims[key])
    ]
    cited = [(key, place) for text in texts for key, place in CITATION.findall(text)]
    cited += [(mark.source, mark.place) for mark in lesson.claims.values() if isinstance(mark, Cited)]
    found += [f"{key} is no source" for key, _ in cited if key not in SOURCES]
    found += [f"{key} is cited without a place" for key, place in cited if not place.strip()]
    found += impossible(lesson) + not_shown(lesson)
    for text in [*texts, *plain(lesson)]:
        found += [f"typed in: {number}" for number in typed_numbers(text)]
        found += misspelled(text)
        found += [
            f"{len(said.split())} words: {said}" for said in sentences(text) if len(said.split()) > LONGEST
        ]
    return found
