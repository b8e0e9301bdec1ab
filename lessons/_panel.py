"""Lessons and their live parts as Panel pages, for `panel serve app.py` and for /live/."""

from collections.abc import Callable
from functools import partial
from typing import Any

from jinja2 import Environment, FileSystemLoader, select_autoescape
from panel import Template
from panel.viewable import Viewable

from lessons import load_all
from lessons._blocks import Figure, Lesson, Live
from lessons._prose import sources_of, to_html
from widgets._instrument import ASSETS, bundle, stylesheet

# Panel fills the page in a second pass, with marks of its own for what it embeds.
_shell = Environment(
    loader=FileSystemLoader(ASSETS / "templates"), autoescape=select_autoescape(["html"]), trim_blocks=True
)


def live_page(block: Live) -> Template:
    """Return one live part as a page without anything around it; each reader has her own."""
    return _page([{"kind": "root", "name": "live"}], {"live": block.make()}, title=block.title, body="embed")


def lesson_page(lesson: Lesson) -> Template:
    """Return a whole lesson as a Panel page; each reader has her own instruments."""
    blocks, roots = [], {}
    for block in lesson.build():
        if isinstance(block, Figure | Live):
            roots[block.id] = block.make()
            blocks.append(
                {"kind": "root", "name": block.id, "caption": getattr(roots[block.id], "caption", "")}
            )
        else:
            blocks.append({"kind": block.kind, "html": to_html(block.text, lesson.claims)})
    sources = sources_of(lesson.texts(), lesson.claims)
    return _page(blocks, roots, title=lesson.title, body="", lead=lesson.question, sources=sources)


def _page(blocks: list[dict], roots: dict[str, Viewable], **values: Any) -> Template:
    text = _shell.get_template("panel.html").render(
        blocks=blocks, css=stylesheet("theme", "page"), script=bundle("page"), **values
    )
    template = Template(text)
    for name, root in roots.items():
        template.add_panel(name, root)
    return template


def live_apps() -> dict[str, Callable[[], Template]]:
    """Return a page maker for the address of each live part."""
    return {
        f"live/{lesson.slug}/{block.id}": partial(live_page, block)
        for lesson in load_all()
        for block in lesson.live_parts().values()
    }
