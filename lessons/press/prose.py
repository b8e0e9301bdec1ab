"""Markdown to HTML: formulas as MathML, claims and citations where the text marks them."""

import html
import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from latex2mathml.converter import convert
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

from lessons.press.blocks import Cited, Claim
from lessons.press.sources import SOURCES
from widgets.kit.text import fill

MARK = re.compile(r"\[\[([\w-]+)\]\]")
CITATION = re.compile(r"\[@(\w+)(?:, ([^\]]+))?\]")


def _displayed(self, tokens, i, *_) -> str:
    """Set a formula on a line of its own; where it is wider than a phone it scrolls, with the keyboard too."""
    formula = convert(tokens[i].content, display="block")
    return f'<div class="formula" tabindex="0" role="group" aria-label="Formula">{formula}</div>\n'


@cache
def _markdown() -> MarkdownIt:
    reader = MarkdownIt("commonmark", {"html": False, "typographer": True}).enable(["table", "smartquotes"])
    reader.use(dollarmath_plugin)
    reader.add_render_rule("math_inline", lambda self, tokens, i, *_: convert(tokens[i].content))
    reader.add_render_rule("math_block", _displayed)
    return reader


def cite(source: str, place: str | None) -> str:
    """Return a citation as a link to the page's list of sources; the place is part of it."""
    known = SOURCES[source]
    text = f"{known.short}, {place}" if place else known.short
    return f'<a class="cited" href="#{source}">({html.escape(text)})</a>'


class _Computed:
    """A number of a claim, marked on the page as computed."""

    def __init__(self, value: Any):
        self.value = value

    def __format__(self, spec: str) -> str:
        text = fill(f"{{value:{spec}}}", {"value": self.value})  # so that a tie is rounded as in the figures
        return f'<span class="claim">{html.escape(text)}</span>'


def said(mark: Claim | Cited) -> str:
    """Return a claim's sentence with its computed numbers, or a cited number with its place."""
    if isinstance(mark, Cited):
        return f"{html.escape(mark.value)} {cite(mark.source, mark.place)}"
    values = {name: _Computed(value) for name, value in mark.values().items()}
    return fill(html.escape(mark.sentence), values)


def to_html(text: str, claims: Mapping[str, Claim | Cited]) -> str:
    """Render a lesson's Markdown."""
    return _filled(_markdown().render(text), claims)


def to_inline(text: str, claims: Mapping[str, Claim | Cited]) -> str:
    """Render a line of Markdown that stands within a sentence or a heading: no paragraph around it."""
    return _filled(_markdown().renderInline(text), claims)


def _filled(page: str, claims: Mapping[str, Claim | Cited]) -> str:
    page = MARK.sub(lambda mark: said(claims[mark[1]]), page)
    return CITATION.sub(lambda mark: cite(mark[1], mark[2]), page)


def sources_of(texts: Iterable[str], claims: Mapping[str, Claim | Cited]) -> list[dict[str, Any]]:
    """Return the sources that texts cite, by themselves or through their marks, in the order of the list."""
    keys = {key for text in texts for key, _ in CITATION.findall(text)}
    marks = [claims[key] for text in texts for key in MARK.findall(text)]
    keys |= {mark.source for mark in marks if isinstance(mark, Cited)}
    return [{"key": key, **SOURCES[key]._asdict()} for key in SOURCES if key in keys]
