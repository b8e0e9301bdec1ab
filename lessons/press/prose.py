"""Markdown to HTML: formulas as MathML, claims and citations where the text marks them."""

import html
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from itertools import count
from typing import Any

from latex2mathml.converter import convert
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

from lessons.press.blocks import Cited, Claim, Lesson
from lessons.press.sources import SOURCES
from widgets.kit.languages import ENGLISH, say, spoken, written
from widgets.kit.text import fill

MARK = re.compile(r"\[\[([\w-]+)(?:\.(\w+)(?::([^\[\]]*))?)?\]\]")  # key, name of a value, how it is written
FOLLOWING = re.compile(r"\[\[#(\w+)\.(\w+)(?::([^\[\]]*))?\]\]")  # figure, name of a value, how it is written
CITATION = re.compile(r"\[@(\w+)(?:, ([^\]]+))?\]")
IN_FORMULA = re.compile(r"\\text\{([^{}]*)\}")  # words, of which names stay as they are
TITLE = re.compile(r"#+ ")
LINED = re.compile(r"[-+*] |[|>]|\d+[.)] |```|\$\$| {4}")  # a list, a table, ...: its lines mean something


def paragraphs(text: str) -> list[str]:
    """Return the paragraphs of Markdown: what stands between empty lines, those within code aside."""
    found: list[list[str]] = [[]]
    code = False
    for line in text.split("\n"):
        code ^= line.startswith("```")
        if line.strip() or code:
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return ["\n".join(lines) for lines in found if lines]


def message(paragraph: str) -> str:
    """Return the message of a paragraph in the catalogues: no matter how the source breaks its lines."""
    text = TITLE.sub("", paragraph, count=1) if TITLE.match(paragraph) else paragraph
    return text.strip() if LINED.match(text) else " ".join(text.split())


def say_prose(text: str) -> str:
    """Return Markdown in the language that is spoken, paragraph by paragraph."""
    if spoken() is ENGLISH:
        return text

    def told(paragraph: str) -> str:
        mark = TITLE.match(paragraph)
        return (mark[0] if mark else "") + say(message(paragraph))

    return "\n\n".join(map(told, paragraphs(text)))


def _formula(tex: str, display: str) -> str:
    """Return a formula as MathML, the words in it in the language that is spoken."""

    def told(found: re.Match) -> str:
        return rf"\text{{{html.escape(say(found[1]), quote=False)}}}"

    return convert(IN_FORMULA.sub(told, tex), display=display)


def _displayed(self, tokens, i, *_) -> str:
    """Set a formula on a line of its own; where it is wider than a phone it scrolls, with the keyboard too."""
    formula = _formula(tokens[i].content, "block")
    name = html.escape(say("Formula"))
    return f'<div class="formula" tabindex="0" role="group" aria-label="{name}">{formula}</div>\n'


@cache
def _markdown() -> MarkdownIt:
    reader = MarkdownIt("commonmark", {"html": False, "typographer": True}).enable(["table", "smartquotes"])
    reader.use(dollarmath_plugin)
    reader.add_render_rule("math_inline", lambda self, tokens, i, *_: _formula(tokens[i].content, "inline"))
    reader.add_render_rule("math_block", _displayed)
    return reader


def cite(source: str, place: str | None) -> str:
    """Return a citation as a link to the page's list of sources; the place is part of it."""
    known = SOURCES[source]
    text = f"{known.short}, {say(place)}" if place else known.short
    return f'<a class="cited" href="#{source}">({html.escape(text)})</a>'


@cache
def values_of(claim: Claim) -> Mapping[str, Any]:
    """Return the values of a claim, computed once."""
    return claim.values()


def _number(told: str) -> str:
    """Return a cited number, which may have words with it, as the language that is spoken writes it."""
    said = say(told)
    return written(told) if said == told else said


def _said(mark: re.Match, claims: Mapping[str, Claim | Cited]) -> str:
    """Return a value of a claim, marked as computed, or a cited number with its place."""
    key, name, spec = mark.groups()
    known = claims[key]
    if isinstance(known, Cited):
        return f"{html.escape(_number(known.value))} {cite(known.source, known.place)}"
    gap = f"{{{name}:{spec}}}" if spec else f"{{{name}}}"
    return f'<span class="claim">{html.escape(fill(gap, values_of(known)))}</span>'


def to_html(text: str, claims: Mapping[str, Claim | Cited]) -> str:
    """Render a lesson's Markdown."""
    return _filled(_markdown().render(say_prose(text)), claims)


def lesson_html(text: str, lesson: Lesson) -> str:
    """Render Markdown that stands on a lesson's page, where it may follow the page's figures."""
    return following(
        to_html(text, lesson.claims), cache(lambda id_: lesson.figures()[id_].make().shown_values())
    )


def to_inline(text: str, claims: Mapping[str, Claim | Cited]) -> str:
    """Render a line of Markdown that stands within a sentence or a heading: no paragraph around it."""
    return _filled(_markdown().renderInline(say_prose(text)), claims)


def _setting(link: re.Match) -> str:
    """Return the start of a link that sets a figure: without script it leads to the page in that state."""
    figure, query = link.groups()
    state = "&amp;".join(f"{figure}.{choice}" for choice in html.unescape(query).split("&"))
    return f'<a class="sets" href="?{state}#{figure}" data-figure="{figure}" data-sets="{query}">'


def following(page: str, values: Callable[[str], Mapping[str, Any]]) -> str:
    """Return prose as HTML whose marks of figures hold what the figures show; page.js lets them follow."""

    def shown(mark: re.Match) -> str:
        figure, name, spec = mark.groups()
        gap = f"{{{name}:{spec}}}" if spec else f"{{{name}}}"
        now = html.escape(fill(gap, values(figure)))
        return f'<span class="follows" data-figure="{figure}" data-gap="{html.escape(gap)}">{now}</span>'

    return FOLLOWING.sub(shown, page)


def _filled(page: str, claims: Mapping[str, Claim | Cited]) -> str:
    page = SETTING.sub(_setting, page)
    page = MARK.sub(lambda mark: _said(mark, claims), page)
    return CITATION.sub(lambda mark: cite(mark[1], mark[2]), page)


SETTING = re.compile(r'<a href="#(\w+)\?([^"]+)">')  # [set r to four](#rank?r=4)
HEADING = re.compile(r"<h([23])>(.*?)</h\1>", re.DOTALL)


class Headings:
    """The headings of a page, each under a name of its own that an address can carry.

    In another language they keep the names that the page has in English: a link leads to the same place in both.
    """

    def __init__(self, taken: Iterable[str], english: "Headings | None" = None):
        self.taken = set(taken)
        self.given = iter(english.names) if english else None
        self.names: list[str] = []
        self.found: list[tuple[str, str]] = []  # name, HTML of those of the second level

    def mark(self, page: str) -> str:
        """Return prose as HTML in which each heading has a name."""
        return HEADING.sub(self._named, page)

    def _named(self, heading: re.Match) -> str:
        level, text = heading.groups()
        words = re.sub(r"[^\w]+", "-", read(text).lower()).strip("-")
        name = next(self.given or (each for each in _numbered(words) if each not in self.taken))
        self.taken.add(name)
        self.names.append(name)
        if level == "2":
            self.found.append((name, text))
        return f'<h{level} id="{name}">{text}</h{level}>'


def _numbered(words: str) -> Iterator[str]:
    yield words
    yield from (f"{words}-{i}" for i in count(2))


def read(page: str) -> str:
    """Return what is read in HTML, blanks as one."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def sources_of(texts: Iterable[str], claims: Mapping[str, Claim | Cited]) -> list[dict[str, Any]]:
    """Return the sources that texts cite, by themselves or through their marks, in the order of the list."""
    keys = {key for text in texts for key, _ in CITATION.findall(text)}
    marks = [claims[key] for text in texts for key, *_ in MARK.findall(text)]
    keys |= {mark.source for mark in marks if isinstance(mark, Cited)}
    return [{"key": key, **SOURCES[key]._asdict()} for key in SOURCES if key in keys]
