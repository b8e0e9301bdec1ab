"""The published site: every page and file by its path, made when it is asked for, the same served and exported."""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache, cached_property, partial
from typing import Any, NamedTuple

from lessons import load_all
from lessons.press.blocks import PARTS, PLANS, Block, Figure, Lesson, Live, Notes, Question
from lessons.press.card import card
from lessons.press.classroom import taught, texts_of
from lessons.press.glossary import TERMS, Glossary, told
from lessons.press.prose import Headings, lesson_html, read, sources_of, to_html, to_inline
from lessons.press.rooms import LONGEST, MOST, WAITS
from lessons.press.thumbnail import thumbnail
from widgets.kit.instrument import (
    SITE,
    Instrument,
    bundle,
    figure_config,
    in_script,
    json_block,
    render,
    self_contained,
    stylesheet,
)
from widgets.kit.languages import ENGLISH, Language, say, say_all, speaking
from widgets.kit.text import closed, fill

# What the start page opens on: lesson, figure, and what is left to the lesson.
START_FIGURE = ("first", "finetune", ["table", "code", "share"])

# The pages that are no lessons, in the order in which the contents name them.
BESIDE = (
    ("glossary.html", "Words"),
    ("corrections.html", "What we corrected"),
    ("teach/index.html", "For a class"),
    ("room.html", "A room for a class"),
    ("aims.html", "Aims and design"),
    ("search.html", "Search"),
    ("cite.html", "How to cite"),
    ("stored.html", "What is stored and sent"),
    ("licences.html", "Licences"),
)
# What the scripts of pages keep in a browser, by the beginnings of the names.
STORED = (
    ("lora-theme, lora-view", "colours and size that you chose at the top of a page"),
    ("lora-recall", "which questions at the end of a lesson you have answered"),
    ("lora-notes", "your own notes"),
    ("lora-room", "the room for a class that you opened or joined, until it is over or you leave it"),
    ("lora-live-training", "the settings that you last trained with on a server"),
)
# Names that the page itself has.
TAKEN = ("text", "present-bar", "room", "theme", "projector", "recall", "sources", "notes-end")
# Figures that other pages may have embedded or linked under an old address: lesson and figure then, and now.
MOVED = {
    ("scale", "scale"): ("scale", "grid"),
    ("lab", "finetune"): ("first", "finetune"),
    ("knee", "wall"): ("wall", "wall"),
    ("mixing", "storage"): ("customers", "storage"),
    ("after", "sequence"): ("menu", "sequence"),
}


class Laid(NamedTuple):
    """A lesson laid out: its blocks as a template needs them, its headings, the words that it uses, its sources."""

    blocks: list[dict[str, Any]]
    headings: Headings
    glossary: Glossary
    sources: list[dict[str, Any]]


class Site:
    """All files of the site.

    `live` says whether a server stands behind it that runs Python for a reader. `url` is the address under which it
    will be read, if that is known: then links to it travel with a picture. For a `course` on a learning platform its
    lessons stand each by itself, and tell the platform what was found. `rooms` says whether the server has rooms for
    classes.

    The first of `languages` has the root, each other a folder of its name, with the same paths and what holds words;
    scripts, style and arrays without words are those of the root. `of` is the site of which this one is the folder.
    """

    def __init__(
        self,
        live: bool,
        url: str = "",
        course: bool = False,
        rooms: bool = True,
        languages: Sequence[Language] = (ENGLISH,),
        of: "Site | None" = None,
    ):
        self.live, self.url, self.course, self.rooms = live, url, course, rooms and live
        self.language, *others = languages
        self.root = of or self
        self.lessons = load_all()
        self.chapters = [lesson for lesson in self.lessons if lesson.is_chapter]
        self.kinds = {
            (lesson.slug, id_): kind for lesson in self.lessons for id_, kind in lesson.kinds.items()
        }
        self.instruments = {kind.script: kind for kind in self.kinds.values()}
        self.training: set[str] = set()  # paths of the pages on which a figure trains
        self.hours = round(sum(lesson.minutes for lesson in self.chapters) / 60)
        self.paths = self._paths()
        self._laid_out = cache(self._lay_out)
        self._made = cache(self._make)
        self.sites = {self.language.code: self}  # of the root: each language's
        for each in others:
            site = self.sites[each.code] = Site(live, url, course, rooms, [each], of=self)
            self.paths |= {f"{each.code}/{path}": partial(site._made, path) for path in site.paths}
            self.training |= {f"{each.code}/{path}" for path in site.training}

    def _make(self, path: str) -> bytes:
        with speaking(self.language):
            made = self.paths[path]()
        return made if isinstance(made, bytes) else made.encode("utf-8")

    def _paths(self) -> dict[str, Callable[[], str | bytes]]:
        """Return the maker of each page and file by path."""
        paths: dict[str, Callable[[], str | bytes]] = {
            "index.html": self._start,
            "corrections.html": self._corrections,
            "glossary.html": self._glossary,
            "search.html": self._search,
            "cite.html": self._cite,
            "teach/index.html": self._teachers,
            "room.html": self._class_room,
            "aims.html": self._aims,
            "stored.html": self._stored,
            "licences.html": self._licences,
            "404.html": self.lost,
            "assets/search_index.js": self._index,
            "embed.js": lambda: (SITE / "embed.js").read_text(encoding="utf-8"),
            **(self._shared() if self is self.root else {}),
        }
        for script, instrument in self.instruments.items():
            if self is self.root or instrument.says:
                for key in instrument.published():
                    paths[f"arrays/{script}/{key}.js"] = partial(self._arrays, instrument, key)
        for lesson in self.lessons:
            page = f"lesson/{lesson.slug}.html"
            paths[page] = partial(self._lesson, lesson)
            for sheet in ("teach", "handout", "key"):
                paths[f"{sheet}/{lesson.slug}.html"] = partial(self._sheet, sheet, lesson)
            if self.url:
                paths[f"cards/{lesson.slug}.png"] = partial(self._card, lesson)
            for figure in lesson.figures().values():
                embed, file = f"embed/{lesson.slug}/{figure.id}.html", f"file/{lesson.slug}-{figure.id}.html"
                paths[embed] = partial(self._embed, lesson, figure)
                paths[file] = partial(self._file, figure)
                if self.kinds[lesson.slug, figure.id].engine():
                    self.training |= {page, embed, file}
        for (slug, gone), now in MOVED.items():
            at = f"embed/{slug}/{gone}.html"
            paths[at] = partial(self._moved, at, *now)
        if self.kinds[START_FIGURE[:2]].engine():
            self.training.add("index.html")
        return paths

    def _shared(self) -> dict[str, Callable[[], str | bytes]]:
        """Return the makers of what is the same in all languages."""
        names = ["kit", "page", "present", "search", *["course"] * self.course, *["room"] * self.rooms]
        engines = {
            f"{script}_engine": each.engine for script, each in self.instruments.items() if each.engine()
        }
        scripts = {name: partial(bundle, name) for name in (*names, *self.instruments)} | engines
        return {
            "assets/lora.css": self._style,
            **{f"assets/{name}.js": made for name, made in scripts.items()},
        }

    @cached_property
    def contents(self) -> list[tuple[str, list[dict[str, Any]]]]:
        """Return what the contents of every page list: the parts, and the lessons of each."""
        listed = [
            {
                "part": say(lesson.part),
                "slug": lesson.slug,
                "title": say(lesson.title),
                "question": say(lesson.question),
                "minutes": lesson.minutes,
                "questions": len(lesson.questions),
                "planned": lesson.teaching is not None,
                "number": number if lesson.is_chapter else 0,
            }
            for number, lesson in enumerate(self.lessons, start=1)
        ]
        return [(part, [each for each in listed if each["part"] == part]) for part in map(say, PARTS)]

    def _style(self) -> str:
        """Return the style of all pages, with what only some instruments need."""
        own = dict.fromkeys(name for instrument in self.instruments.values() for name in instrument.sheets)
        site = (f"site/{name}" for name in ("theme", "figure", "page", "sheet", "present", "room"))
        return stylesheet(*site, "kit/instrument", *own)

    def read(self, path: str) -> bytes | None:
        """Return the file at a path, made once, or None if the site has none there."""
        return self._made(path) if path in self.paths else None

    def arrays(self, script: str, key: str) -> bytes | None:
        """Return arrays that are not among the published ones, made now and not kept; None if there are no such."""
        instrument = self.instruments.get(script)
        try:
            with speaking(self.language):
                return self._arrays(instrument, key).encode("utf-8") if instrument else None
        except ValueError:
            return None

    @staticmethod
    def _arrays(instrument: type[Instrument], key: str) -> str:
        arrays = in_script(instrument.from_key(key).arrays)
        return f"lora_arrays({json_block(f'{instrument.script}/{key}')}, {arrays})\n"

    def said(self, text: str) -> str:
        """Return a text in the language of the site."""
        with speaking(self.language):
            return say(text)

    def _render(self, template: str, path: str, **values: Any) -> str:
        """Return the page at a path, by its template."""
        up = "../" * path.count("/")
        common = {  # no page may use these names
            "parts": self.contents,
            "beside": say_all(BESIDE),
            "rooms": self.rooms,
            "translated": self.language is not ENGLISH,
        }
        leading = {"up": up, "base": up + self._above, "translations": self._translations(path, up)}
        return render(template, **common, **leading | values)

    @property
    def _above(self) -> str:
        """Return what leads from the folder of a language to the root."""
        return "" if self is self.root else "../"

    def parted(self, path: str) -> tuple["Site", str]:
        """Return the site of the language in whose folder a path is, and the path within it."""
        code, _, inside = path.partition("/")
        site = self.sites.get(code, self)
        return (self, path) if site is self else (site, inside)

    @property
    def folder(self) -> str:
        """Return the folder of the language, as it stands in an address."""
        return "" if self is self.root else f"{self.language.code}/"

    def _translations(self, path: str, up: str) -> list[dict[str, Any]]:
        """Return where a page stands in each language, itself too; nothing where there is one language."""
        sites = self.root.sites
        if len(sites) == 1 or self.course:
            return []
        return [
            {
                "language": site.language,
                "at": f"{self.url or up + self._above}{site.folder}{path}",
                "here": site is self,
            }
            for site in sites.values()
        ]

    def _figure(
        self, lesson: Lesson, block: Figure, path: str, prefix: str, hide: list[str] | None = None
    ) -> dict[str, Any]:
        """Return what a template needs to place a figure."""
        figure = block.make()
        figure.hide = [*figure.hide, *(hide or [])]
        up = "../" * path.count("/")
        base = up + self._above
        config = figure_config(figure) | {
            "prefix": prefix,
            "title": figure.title,
            "files": f"{up if figure.says else base}arrays/{figure.script}/" if figure.keyed_by else "",
            "keys": None if self.live else figure.published(),
            "have": figure.published_words(),
            "later": f"{base}assets/{figure.script}_engine.js" if figure.engine() else "",
            "embed": self._outside(f"embed/{lesson.slug}/{block.id}.html", up),
            "script": self._outside("embed.js", up),
        }
        still = (
            "" if figure.engine() else thumbnail(_without_guess(block.make()) if figure.asks() else figure)
        )
        return {
            "kind": block.kind,
            "id": block.id,
            "figure": figure,
            "config": json_block(config),
            "still": still,
        }

    def _outside(self, path: str, up: str) -> str:
        """Return the address of a file that a course's package does not have; nothing where it is nowhere."""
        if not self.course:
            return up + path
        return self.url and self.url + path

    def _placed(self, lesson: Lesson, block: Block, headings: Headings, glossary: Glossary) -> dict[str, Any]:
        if isinstance(block, Figure):
            return self._figure(lesson, block, f"lesson/{lesson.slug}.html", prefix=f"{block.id}.")
        if isinstance(block, Live):
            address = f"../{self._above}live/{lesson.slug}/{block.id}" if self.live else ""
            return {
                "kind": block.kind,
                "address": address,
                "title": say(block.title),
                "invitation": say(block.invitation),
                "without": to_html(block.without, lesson.claims),
            }
        if isinstance(block, Notes):
            return {"kind": block.kind, "id": block.id, "title": say(block.title)}
        html = glossary.mark(headings.mark(lesson_html(block.text, lesson)))
        return {"kind": block.kind, "html": html}

    def _lay_out(self, slug: str) -> Laid:
        english = None if self.language is ENGLISH else self._english(slug)
        with speaking(self.language):
            return self._laid(slug, english)

    def _english(self, slug: str) -> Headings:
        """Return the headings that a lesson has in English."""
        if self.root.language is ENGLISH:
            return self.root._laid_out(slug).headings
        with speaking(ENGLISH):
            return self._laid(slug, None).headings

    def _laid(self, slug: str, english: Headings | None) -> Laid:
        lesson = next(lesson for lesson in self.lessons if lesson.slug == slug)
        sources = sources_of(lesson.texts(), lesson.claims)
        headings = Headings([*TAKEN, *lesson.kinds, *(source["key"] for source in sources)], english)
        glossary = Glossary()
        placed = [self._placed(lesson, block, headings, glossary) for block in lesson.build()]
        chapter = f"{self.chapters.index(lesson) + 1}." if lesson.is_chapter else ""
        for count, block in enumerate((each for each in placed if each["kind"] == Figure.kind), start=1):
            block["number"] = f"{chapter}{count}"
        return Laid(placed, headings, glossary, sources)

    def _lesson(self, lesson: Lesson) -> str:
        laid = self._laid_out(lesson.slug)
        at = self.chapters.index(lesson) if lesson.is_chapter else None
        return self._render(
            "lesson.html",
            f"lesson/{lesson.slug}.html",
            title=f"{say(lesson.title)} · LoRA, live",
            heading=say(lesson.title),
            lead=say(lesson.question),
            card=f"{self.url}{self.folder}cards/{lesson.slug}.png" if self.url and not self.course else "",
            slug=lesson.slug,
            number=0 if at is None else at + 1,
            count=len(self.chapters),
            minutes=lesson.minutes,
            headings=laid.headings.found,
            blocks=laid.blocks,
            questions=[asked(question, lesson) for question in lesson.questions],
            guesses=any("guess" in kind.choices for kind in lesson.kinds.values()),
            before=self.chapters[at - 1] if at else None,
            after=None if at is None else next(iter(self.chapters[at + 1 :]), None),
            leading=[each for each in self.chapters if at is None and _leads(each, lesson)],
            moved={gone: now for (slug, gone), (now, _) in MOVED.items() if slug == lesson.slug},
            scripts=scripts_of(laid.blocks) + ["course"] * self.course,
            course=self.course,
            sources=laid.sources,
            meanings=laid.glossary.meanings(),
        )

    @staticmethod
    def _card(lesson: Lesson) -> bytes:
        return card(say(lesson.title), say(lesson.question), _still(lesson).picture())

    def _start(self) -> str:
        slug, id_, hide = START_FIGURE
        lesson = next(lesson for lesson in self.lessons if lesson.slug == slug)
        block = self._figure(lesson, lesson.figures()[id_], "index.html", prefix=f"{id_}.", hide=hide)
        return self._render(
            "index.html",
            "index.html",
            title="LoRA, live",
            heading="LoRA, live",
            lead=say(
                "LoRA, low-rank adaptation, teaches a large model something new by training two thin matrices for each "
                "of its own, and leaves the model itself as it is."
            ),
            block=block,
            scripts=scripts_of([block]),
            pictures={lesson.slug: thumbnail(_still(lesson)) for lesson in self.lessons},
            hours=self.hours,
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
        lead = say(
            "Things that are often said about LoRA, what is true instead, and the figure that shows it."
        )
        return self._room(
            "corrections.html",
            say("What we corrected"),
            lead,
            corrections=listed,
            sources=list(cited.values()),
        )

    def _glossary(self) -> str:
        """Return the page of all words, each with the lessons that use it."""
        using = [(lesson, self._laid_out(lesson.slug).glossary.opened) for lesson in self.lessons]
        terms = [
            told(term) | {"lessons": [lesson for lesson, opened in using if term in opened]}
            for term in sorted(TERMS, key=lambda term: term.word.lower())
        ]
        lead = say("What the words of the lessons mean, and where each of them is used.")
        return self._room("glossary.html", say("Words"), lead, terms=terms)

    def _search(self) -> str:
        lead = say("Search all lessons and words in your browser; nothing is sent.")
        return self._room("search.html", say("Search"), lead, index="search_index", scripts=["search"])

    def _cite(self) -> str:
        return self._room("cite.html", say("How to cite"), say("In a paper, in a course page, on a slide."))

    def _teachers(self) -> str:
        lead = say("Plans, handouts and keys, with the numbers of the pages; and how to present a page.")
        return self._room(
            "teachers.html",
            say("For a class"),
            lead,
            path="teach/index.html",
            url=self.url,
            live=self.live,
        )

    def _class_room(self) -> str:
        lead = say("A teacher and her students on the same page: without accounts, without names.")
        lasts: dict[str, Any] = {"waits": round(WAITS / 3600), "longest": round(LONGEST / 3600)}
        return self._room("room.html", say("A room for a class"), lead, live=self.live, most=MOST, **lasts)

    def _sheet(self, sheet: str, lesson: Lesson) -> str:
        """Return a lesson's teacher's page, its handout or its key."""
        told = {"title": say(lesson.title)}
        heading = {
            "teach": fill("For a class: {title}", told),
            "handout": told["title"],
            "key": fill("Key: {title}", told),
        }
        sources = sources_of(texts_of(lesson)[sheet], lesson.claims)
        shown = taught(lesson, self.url) | {"sources": sources, "sheet": True, "here": ""}
        path = f"{sheet}/{lesson.slug}.html"
        return self._room(f"{sheet}.html", heading[sheet], say(lesson.question), path, **shown)

    def _aims(self) -> str:
        """Return the page of what a learner can do afterwards, chapter by chapter, and of how that is reached."""
        goals = [
            (lesson, [to_inline(goal, lesson.claims) for goal in lesson.teaching.goals])
            for lesson in self.chapters
            if lesson.teaching
        ]
        return self._room(
            "aims.html",
            say("Aims and design"),
            say(
                "What it is for, what a learner can do afterwards, how that is reached, and how others teach with it."
            ),
            objectives=goals,
            hours=self.hours,
            figures=len(self.kinds),
            questions=sum(len(lesson.questions) for lesson in self.lessons),
            most=max(len(lesson.kinds) for lesson in self.chapters),
            besides=[lesson for lesson in self.lessons if not lesson.is_chapter],
            plans=PLANS,
        )

    def _stored(self) -> str:
        lead = say("Of you, nothing: what stays of your visit stays in your browser.")
        return self._room("stored.html", say("What is stored and sent"), lead, stored=say_all(STORED))

    def _licences(self) -> str:
        text = (SITE.parent / "bundles" / "LICENSES.txt").read_text(encoding="utf-8")
        packages = re.findall(r"^([a-z@][\w@/-]*) \d+\.\d+[\w.-]*$", text, re.MULTILINE)
        lead = say("What this site is made of, and under which licences.")
        return self._room("licences.html", say("Licences"), lead, packages=packages, licences=text)

    def lost(self, root: str = "") -> str:
        """Return the page that stands where nothing is; `root` leads from there to the folder of all languages."""
        with speaking(self.language):
            where = {"up": root + self.folder, "base": root, "translations": []} if root else {}
            return self._room(
                "lost.html", say("Not found"), say("There is no such page here."), "404.html", **where
            )

    def _room(self, template: str, heading: str, lead: str, path: str = "", **values: Any) -> str:
        """Return a page that is no lesson; it stands under the name of its template, or `path`."""
        shown = {
            "title": f"{heading} · LoRA, live",
            "heading": heading,
            "lead": lead,
            "here": path or template,
        }
        return self._render(template, path or template, **{"scripts": [], **shown, **values})

    def _index(self) -> str:
        """Return what the search looks through: the sections of the lessons, and the words."""
        places = [
            {"at": at, "page": say(lesson.title), "heading": heading, "text": text}
            for lesson in self.lessons
            for at, heading, text in self._sections(lesson)
        ]
        places += [
            {
                "at": f"glossary.html#{each['id']}",
                "page": say("Words"),
                "heading": read(each["word"]),
                "text": read(each["meaning"]),
            }
            for each in map(told, TERMS)
        ]
        return f"var lora_places={json_block(places)}\n"

    def _sections(self, lesson: Lesson) -> Iterator[tuple[str, str, str]]:
        """Yield address, heading and text of each section of a lesson."""
        page, address, heading, texts = f"lesson/{lesson.slug}.html", "", say(lesson.question), []
        for block in self._laid_out(lesson.slug).blocks:
            if block["kind"] == "instrument":
                texts.append(f"{closed(block['figure'].title)} {block['figure'].caption}")
            for at, piece in enumerate(re.split(r'<h2 id="([^"]*)">(.*?)</h2>', block.get("html", ""))):
                if at % 3 == 0:
                    texts.append(read(piece))
                elif at % 3 == 1:
                    yield page + address, heading, " ".join(texts)
                    address, texts = f"#{piece}", []
                else:
                    heading = read(piece)
        yield page + address, heading, " ".join(texts)

    def _embed(self, lesson: Lesson, block: Figure) -> str:
        path = f"embed/{lesson.slug}/{block.id}.html"
        placed = self._figure(lesson, block, path, prefix="")
        return self._render(
            "embed.html",
            path,
            title=placed["figure"].title,
            block=placed,
            scripts=scripts_of([placed]),
            home=f"../../lesson/{lesson.slug}.html#{block.id}",
            lesson=say(lesson.title),
        )

    def _moved(self, path: str, slug: str, figure: str) -> str:
        """Return a page that leads on to where a figure is now."""
        title = self.kinds[slug, figure].title
        return self._render("moved.html", path, title=title, there=f"../{slug}/{figure}.html")

    @staticmethod
    def _file(block: Figure) -> str:
        return self_contained(block.make())


def _leads(chapter: Lesson, room: Lesson) -> bool:
    """Return whether a chapter has a link to a room."""
    return any(f"]({room.slug}.html" in text for text in chapter.texts())


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


def _still(lesson: Lesson) -> Instrument:
    """Return the figure of a lesson's still picture: its first; one that trains has nothing to show before."""
    first = next(id_ for id_, kind in lesson.kinds.items() if not kind.engine())
    return _without_guess(lesson.figures()[first].make())


def _without_guess(figure: Instrument) -> Instrument:
    """Return the figure as it is after the guess: before it there is little to see."""
    if "guess" in figure.choices:
        figure.guess = "skip"
    return figure


def scripts_of(blocks: list[dict[str, Any]]) -> list[str]:
    """Return the scripts that the figures among the blocks need, each once, in order."""
    return list(dict.fromkeys(block["figure"].script for block in blocks if block["kind"] == "instrument"))
