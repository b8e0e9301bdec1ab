"""Lessons and their live parts as Panel pages, for `panel serve app.py` and for /live/."""

from collections.abc import Callable
from typing import Any

import param
from panel import Template, state
from panel.viewable import Viewable

from lessons import load_all
from lessons.press.blocks import Figure, Lesson, Live, Notes
from lessons.press.prose import lesson_html, sources_of
from lessons.press.site import asked
from widgets.kit.instrument import SITE, WORDS, Instrument, bundle, render, stylesheet
from widgets.kit.languages import ENGLISH, Language, codes, language, say, speaking
from widgets.kit.text import fill

GONE = (
    "The server is no longer there: it was restarted, or the network is gone. What is drawn here stays, a run that "
    "went on does not. The other figures need no server, and “Finetune it here” trains in your own browser."
)


def live_page(block: Live) -> Template:
    """Return one live part as a page without anything around it; each reader has her own."""
    root = {"live": block.make()}
    return _page([{"kind": "root", "name": "live"}], root, title=say(block.title), body="embed")


def lesson_page(lesson: Lesson) -> Template:
    """Return a whole lesson as a Panel page; each reader has her own instruments."""
    blocks, roots = [], {}
    for block in lesson.build():
        if isinstance(block, Figure | Live):
            roots[block.id] = block.make()
            if isinstance(block, Figure):
                _keep_in_address(roots[block.id], block.id)
            blocks.append(
                {"kind": "root", "name": block.id, "caption": getattr(roots[block.id], "caption", "")}
            )
        elif isinstance(block, Notes):
            blocks.append({"kind": block.kind, "id": block.id, "title": block.title})
        else:
            blocks.append({"kind": block.kind, "html": lesson_html(block.text, lesson)})
    sources = sources_of(lesson.texts(), lesson.claims)
    questions = [asked(question, lesson) for question in lesson.questions]
    return _page(
        blocks,
        roots,
        title=lesson.title,
        body="",
        lead=lesson.question,
        slug=lesson.slug,
        questions=questions,
        sources=sources,
    )


def _keep_in_address(figure: Instrument, prefix: str) -> None:
    """Take the figure's choices from the address as far as they are possible, and write them all there."""

    def one_by_one(values: dict[str, Any]) -> None:
        for name, value in values.items():
            try:
                setattr(figure, name, str(value) if isinstance(figure.param[name], param.String) else value)
            except ValueError:
                given = {
                    "given": str(value)[:40],
                    "name": figure.param[name].label,
                    "value": getattr(figure, name),
                }
                figure.notice = fill(WORDS["notPossible"], given)

    if state.location:
        state.location.sync(
            figure, {name: f"{prefix}.{name}" for name in figure.choices}, on_error=one_by_one
        )


def _page(blocks: list[dict], roots: dict[str, Viewable], **values: Any) -> Template:
    # Panel fills the page in a second pass, with marks of its own for what it embeds.
    text = render(
        "panel.html",
        blocks=blocks,
        css=stylesheet("site/theme", "site/figure", "site/page"),
        script=bundle("kit") + bundle("page") + (SITE / "live.js").read_text(encoding="utf-8"),
        gone=say(GONE),
        **values,
    )
    template = Template(text)
    template.location = True
    for name, root in roots.items():
        template.add_panel(name, root)
    return template


def live_apps() -> dict[str, Callable[[], Template]]:
    """Return a page maker for the address of each live part."""
    return {
        f"live/{lesson.slug}/{block.id}": _maker(block)
        for lesson in load_all()
        for block in lesson.live_parts().values()
    }


def _maker(block: Live) -> Callable[[], Template]:
    """Return a plain function: of any other callable Panel would show the object, not what it returns."""

    def make() -> Template:
        with speaking(asked_language(state.session_args.get("lang", [b""])[0].decode("utf-8", "replace"))):
            return live_page(block)

    return make


def asked_language(code: str) -> Language:
    """Return the language that an address asks for, or English."""
    return language(code) if code in codes() else ENGLISH


def asked_page() -> Template:
    """Return the lesson that the address asks for, `?lesson=rank`, or the first."""
    slug = state.session_args.get("lesson", [b""])[0].decode("utf-8", "replace")
    lessons = {lesson.slug: lesson for lesson in load_all()}
    return lesson_page(lessons.get(slug) or load_all()[0])
