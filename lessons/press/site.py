"""The published site: every page and file by its path, made when it is asked for, the same served and exported."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

from lessons import load_all
from lessons.press.blocks import PARTS, Block, Figure, Lesson, Live, Notes, Question
from lessons.press.prose import sources_of, to_html, to_inline
from lessons.press.thumbnail import thumbnail
from widgets.kit.instrument import (
    SITE,
    Instrument,
    bundle,
    figure_config,
    json_block,
    render,
    self_contained,
    stylesheet,
)

# What the start page opens on, a slider and a button: lesson, figure, what its choices begin with in the address, and
# what is left to the lesson.
START_FIGURES = (
    ("rank", "rank", "", ["matrix", "guess", "factors", "table", "code", "share"]),
    ("lab", "finetune", "finetune.", ["table", "code", "share"]),
)

# Figures that are gone and may be embedded elsewhere: lesson and figure, and those that tell the same story now.
MOVED = {("scale", "scale"): ("scale", "grid")}


class Site:
    """All files of the site. `live` says whether a server stands behind it that runs Python for a reader."""

    def __init__(self, live: bool):
        self.live = live
        self.lessons = load_all()
        self.kinds = {
            (lesson.slug, block.id): type(block.make())
            for lesson in self.lessons
            for block in lesson.figures().values()
        }
        self.instruments = {kind.script: kind for kind in self.kinds.values()}
        self.training: set[str] = set()  # paths of the pages on which a figure trains
        self.paths = self._paths()
        self._made = cache(lambda path: self.paths[path]().encode("utf-8"))

    def _paths(self) -> dict[str, Callable[[], str]]:
        """Return the maker of each page and file by path."""
        paths: dict[str, Callable[[], str]] = {
            "index.html": self._start,
            "corrections.html": self._corrections,
            "embed.js": lambda: (SITE / "embed.js").read_text(encoding="utf-8"),
            "assets/lora.css": self._style,
            **{f"assets/{name}.js": partial(bundle, name) for name in ("kit", "page")},
        }
        for script, instrument in self.instruments.items():
            paths[f"assets/{script}.js"] = partial(bundle, script)
            if instrument.engine():
                paths[f"assets/{script}_engine.js"] = instrument.engine
            for key in instrument.published():
                paths[f"arrays/{script}/{key}.js"] = partial(self._arrays, instrument, key)
        for lesson in self.lessons:
            page = f"lesson/{lesson.slug}.html"
            paths[page] = partial(self._lesson, lesson)
            for figure in lesson.figures().values():
                embed, file = f"embed/{lesson.slug}/{figure.id}.html", f"file/{lesson.slug}-{figure.id}.html"
                paths[embed] = partial(self._embed, lesson, figure)
                paths[file] = partial(self._file, figure)
                if self.kinds[lesson.slug, figure.id].engine():
                    self.training |= {page, embed, file}
        for (slug, gone), now in MOVED.items():
            paths[f"embed/{slug}/{gone}.html"] = partial(self._moved, *now)
        if any(self.kinds[slug, figure].engine() for slug, figure, *_ in START_FIGURES):
            self.training.add("index.html")
        return paths

    def _style(self) -> str:
        """Return the style of all pages, with what only some instruments need."""
        own = dict.fromkeys(name for instrument in self.instruments.values() for name in instrument.sheets)
        return stylesheet("site/theme", "site/figure", "site/page", "kit/instrument", *own)

    def read(self, path: str) -> bytes | None:
        """Return the file at a path, made once, or None if the site has none there."""
        return self._made(path) if path in self.paths else None

    def arrays(self, script: str, key: str) -> bytes | None:
        """Return arrays that are not among the published ones, made now and not kept; None if there are no such."""
        instrument = self.instruments.get(script)
        try:
            return self._arrays(instrument, key).encode("utf-8") if instrument else None
        except ValueError:
            return None

    @staticmethod
    def _arrays(instrument: type[Instrument], key: str) -> str:
        arrays = json_block(instrument.from_key(key).make_arrays())
        return f"lora_arrays({json_block(f'{instrument.script}/{key}')}, {arrays})\n"

    def _render(self, template: str, depth: int, **values: Any) -> str:
        return render(template, up="../" * depth, **values)

    def _figure(
        self, lesson: Lesson, block: Figure, depth: int, prefix: str, hide: list[str] | None = None
    ) -> dict[str, Any]:
        """Return what a template needs to place a figure."""
        figure = block.make()
        figure.hide = [*figure.hide, *(hide or [])]
        up = "../" * depth
        config = figure_config(figure) | {
            "prefix": prefix,
            "title": figure.title,
            "files": f"{up}arrays/{figure.script}/" if figure.keyed_by else "",
            "keys": None if self.live else figure.published(),
            "have": figure.published_words(),
            "later": f"{up}assets/{figure.script}_engine.js" if figure.engine() else "",
            "embed": f"{up}embed/{lesson.slug}/{block.id}.html",
        }
        return {"kind": block.kind, "id": block.id, "figure": figure, "config": json_block(config)}

    def _placed(self, lesson: Lesson, block: Block) -> dict[str, Any]:
        if isinstance(block, Figure):
            return self._figure(lesson, block, depth=1, prefix=f"{block.id}.")
        if isinstance(block, Live):
            address = f"../live/{lesson.slug}/{block.id}" if self.live else ""
            return {
                "kind": block.kind,
                "address": address,
                "title": block.title,
                "invitation": block.invitation,
                "without": to_html(block.without, lesson.claims),
            }
        if isinstance(block, Notes):
            return {"kind": block.kind, "id": block.id, "title": block.title}
        return {"kind": block.kind, "html": to_html(block.text, lesson.claims)}

    def _lesson(self, lesson: Lesson) -> str:
        placed = [self._placed(lesson, block) for block in lesson.build()]
        return self._render(
            "lesson.html",
            depth=1,
            title=f"{lesson.title} · LoRA, live",
            heading=lesson.title,
            lead=lesson.question,
            slug=lesson.slug,
            blocks=placed,
            questions=[asked(question, lesson) for question in lesson.questions],
            after=self._after(lesson),
            scripts=scripts_of(placed),
            sources=sources_of(lesson.texts(), lesson.claims),
        )

    def _after(self, lesson: Lesson) -> Lesson | None:
        """Return the lesson that follows, None after the last."""
        follows = self.lessons.index(lesson) + 1
        return self.lessons[follows] if follows < len(self.lessons) else None

    def _start(self) -> str:
        lessons = {lesson.slug: lesson for lesson in self.lessons}
        placed = [
            self._figure(lessons[slug], lessons[slug].figures()[figure], depth=0, prefix=prefix, hide=hide)
            for slug, figure, prefix, hide in START_FIGURES
        ]
        return self._render(
            "index.html",
            depth=0,
            title="LoRA, live",
            heading="LoRA, live",
            lead="Low-rank adaptation, taken apart: every figure is an instrument, every number is computed or cited.",
            blocks=placed,
            scripts=scripts_of(placed),
            parts=[
                (part, [(lesson, _small(lesson)) for lesson in self.lessons if lesson.part == part])
                for part in PARTS
            ],
            minutes=sum(lesson.minutes for lesson in self.lessons),
        )

    def _corrections(self) -> str:
        listed = [
            {
                "story": to_html(each.story, lesson.claims),
                "truth": to_html(each.truth, lesson.claims),
                "lesson": lesson,
                "figure": each.figure,
            }
            for lesson in self.lessons
            for each in lesson.corrections
        ]
        cited = {
            source["key"]: source
            for lesson in self.lessons
            for each in lesson.corrections
            for source in sources_of((each.story, each.truth), lesson.claims)
        }
        return self._render(
            "corrections.html",
            depth=0,
            title="What we corrected · LoRA, live",
            heading="What we corrected",
            lead="Things that are often told of LoRA, what is so instead, and the figure in which you can see it.",
            corrections=listed,
            scripts=[],
            sources=list(cited.values()),
        )

    def _embed(self, lesson: Lesson, block: Figure) -> str:
        placed = self._figure(lesson, block, depth=2, prefix="")
        return self._render(
            "embed.html", depth=2, title=placed["figure"].title, block=placed, scripts=scripts_of([placed])
        )

    def _moved(self, slug: str, figure: str) -> str:
        """Return a page that leads on to the figure which took the place of its own."""
        title = self.kinds[slug, figure]().title
        return self._render("moved.html", depth=2, title=title, there=f"../{slug}/{figure}.html")

    @staticmethod
    def _file(block: Figure) -> str:
        return self_contained(block.make())


def asked(question: Question, lesson: Lesson) -> dict[str, Any]:
    """Return what a template needs to ask a question."""
    answers = [
        {
            "text": to_inline(answer.text, lesson.claims),
            "why": to_html(answer.why, lesson.claims),
            "right": answer.right,
        }
        for answer in question.answers
    ]
    return {"ask": to_inline(question.ask, lesson.claims), "answers": answers}


def _small(lesson: Lesson) -> str:
    """Return a small still picture of a lesson, of its first figure; one that trains has nothing to show before."""
    figure = next(figure for block in lesson.figures().values() if not (figure := block.make()).engine())
    if "guess" in figure.choices:
        figure.guess = "skip"  # before the guess there is little to see
    return thumbnail(figure)


def scripts_of(blocks: list[dict[str, Any]]) -> list[str]:
    """Return the scripts that the figures among the blocks need, each once, in order."""
    return list(dict.fromkeys(block["figure"].script for block in blocks if block["kind"] == "instrument"))
