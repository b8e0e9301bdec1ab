"""What every instrument has in common: its choices, what it ships to the browser, and how it is shown."""

import hashlib
import html
import importlib
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Self

import param
from jinja2 import Environment, FileSystemLoader, select_autoescape
from markupsafe import escape
from panel.custom import AnyWidgetComponent

from widgets.kit.languages import ENGLISH, PLAIN, kept, say, say_all, speaking, spoken
from widgets.kit.text import closed, fill

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "assets" / "site"

Values = Mapping[str, Any]  # what fills the gaps of a template

# Words that belong to no instrument in particular; widgets/kit/ takes them from here.
WORDS = {
    "play": "Play",
    "pause": "Pause",
    "step": "Step",
    "reset": "Reset",
    "sums": "The arithmetic",
    "table": "Numbers as a table",
    "tableCut": "The table stops here. The CSV under “Share and download” has every row.",
    "code": "The code behind this number",
    "codeLabel": "Paste this into Python; it prints the number on the screen",
    "share": "Share and download",
    "linkLabel": "A link to exactly this state",
    "embedLabel": "Embed this figure, in this state, in a page of your own",
    "embedCode": (
        '<iframe src="{address}" title="{title}" style="width:100%;height:{height}px;border:0" loading="lazy">'
        "</iframe>"
    ),
    "scriptLabel": "Or with a script: then its height, and whether it is light or dark, follow your page",
    "scriptCode": (
        '<script src="{address}" data-figure="{figure}" data-query="{query}" data-title="{title}"></script>'
    ),
    "outOfRange": "{name} = {given} is not possible here: it is {low} to {high}. Shown: {value}.",
    "notAChoice": "{name} = {given} is not known here. Possible: {allowed}. Shown: {value}.",
    "notPossible": "{name} = {given} is not possible here. Shown: {value}.",
    "notAPart": "There is no part {given} to hide. Parts: {allowed}.",
    "missing": "This copy has no data for {given}; nothing was changed. It has {have}.",
    "copy": "Copy",
    "copied": "Copied.",
    "selected": "Selected: press Ctrl+C or ⌘C to copy.",
}


@cache
def bundle(name: str) -> str:
    """Return the classic script that defines lora_<name>; all but the kit's need lora_kit to be there before."""
    return (ROOT / "assets" / "bundles" / f"{name}.js").read_text(encoding="utf-8")


def without_sources(script: str) -> str:
    """Return a bundle without the lines that say what it was made of; whose parts it contains stays."""
    return re.sub(r"^/\* (\w+: )?sources\b.*\*/\n", "", script, flags=re.MULTILINE)


@cache
def stylesheet(*names: str) -> str:
    """Return style sheets, one after the other, without comments and spare blanks: room/name, site is the page's."""
    rooms = {"site": SITE.parent}
    paths = (rooms.get(name.split("/")[0], ROOT / "widgets") / f"{name}.css" for name in names)
    text = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    text = " ".join(re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL).split())
    return re.sub(r" ?([{};,]) ?|(?<=:) ", r"\1", text).replace(";}", "}")


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=FileSystemLoader(SITE),
        autoescape=select_autoescape(["html"]),
        trim_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    templates.filters |= {"say": say, "closed": closed}
    templates.globals["plain"] = PLAIN
    templates.install_gettext_callables(_translated, _translated, newstyle=True)  # type: ignore[attr-defined]
    return templates


def _translated(message: str) -> str:
    """Return what a template says in the language that is spoken: HTML if the English is, else text to be escaped."""
    said = say(message)
    return said if said is message or "<" in message else escape(said)


def render(template: str, **values: Any) -> str:
    """Fill a template of assets/site; values are escaped unless the template trusts them."""
    return _templates().get_template(template).render(language=spoken(), **values)


def esm(name: str, engine: str = "") -> str:
    """Return the instrument's script, with the kit and its engine in it, as an ES module in anywidget's form."""
    here = (
        f"{engine}globalThis.lora_engine = lora_engine\n" if engine else ""
    )  # a module keeps its names to itself
    return f"{bundle('kit')}\n{here}{bundle(name)}\nexport default lora_{name}.default\n"


class _Said:
    """What words.py has under a name, of an instrument or of its class, in the language that is spoken."""

    def __init__(self, name: str):
        self.name = name

    def __get__(self, figure: "Instrument | None", kind: "type[Instrument]") -> Any:
        return _said(kind.room, self.name)


@kept()
def _said(room: str, name: str) -> Any:
    return say_all(getattr(importlib.import_module(f"{room}.words"), name, ""))


class Instrument(AnyWidgetComponent):
    """A figure that a reader plays with: its parameters are her choices, one script draws.

    It has a room, widgets/<name>/: the script is <name>.js there, and words.py says `TITLE`, `CAPTION` and `WORDS`.
    A subclass declares the choices and the parts that a teacher may hide, and writes `make_arrays`, `sentence`,
    `rows` and `snippet`.

    Where some choices decide which arrays are needed, it names them (`keyed_by`). Then words.py also says what a
    published copy carries, `PUBLISHED`: the arrays of all values of these choices. A single file carries them all,
    too, unless they are too much for it; then `ENCLOSED` says what it carries: those of the state that it shows.
    """

    spec = param.String(doc="Labels, templates and the schema of the choices, as JSON for the browser.")
    arrays = param.String(doc="The arrays of the present choices, as JSON for the browser.")
    notice = param.String(doc="What the reader must be told: a value that was not possible, a file refused.")
    links = param.String(
        "{}", doc="Link and codes to embed the present state, as JSON; set by a published page."
    )
    hide = param.List([], item_type=str, doc="Parts that a teacher switched off.")

    keyed_by: ClassVar[tuple[str, ...]] = ()
    # Choices that change nothing under a value of the first one in keyed_by: {"blur": ("seed",)}. A published page
    # takes the arrays of their defaults, whatever they are.
    idle: ClassVar[dict[str, tuple[str, ...]]] = {}
    # The names under which words stand in the arrays; where there are none, all languages share them.
    says: ClassVar[tuple[str, ...]] = (
        "about",
        "head",
        "label",
        "labels",
        "names",
        "note",
        "recorded",
        "rows",
        "said",
    )
    parts: ClassVar[tuple[str, ...]]
    # What a small still picture draws of the table: for each panel the columns, by form and colour.
    pictured: ClassVar[Sequence[Mapping[str, int]]] = ()
    sheets: ClassVar[tuple[str, ...]] = ()  # what only some instruments need: room/name

    # These follow from the room and from the parameters.
    room: ClassVar[str]
    script: ClassVar[str]
    choices: ClassVar[tuple[str, ...]]
    title = _Said("TITLE")
    caption = _Said("CAPTION")
    words = _Said("WORDS")

    _stylesheets: ClassVar[list[str]] = [stylesheet("site/theme", "kit/instrument")]
    __abstract = True

    def __init_subclass__(cls, **options: Any):
        super().__init_subclass__(**options)
        cls._stylesheets = [stylesheet("site/theme", "kit/instrument", *cls.sheets)]
        cls.choices = tuple(dict.fromkeys(_choices(cls)))
        # A class that is defined elsewhere lives in the room of the one it changes.
        if cls.__module__.startswith("widgets."):
            cls.room, cls.script = cls.__module__, cls.__module__.rpartition(".")[2]
            cls._esm = esm(cls.script, cls.engine())

    def __init__(self, **params: Any):
        super().__init__(**{"sizing_mode": "stretch_width"} | params)
        self._language = spoken()
        self.spec = json.dumps(self.describe(), ensure_ascii=False)
        self._make()
        if self.keyed_by:
            self.param.watch(self._make, list(self.keyed_by))

    def _make(self, *_: param.parameterized.Event) -> None:
        with speaking(self._language):  # also when a reader's choice asks for other arrays
            self.arrays = compact(self.spoken_arrays())

    @staticmethod
    def engine() -> str:
        """Return a script that a published page loads only when a reader comes near the figure; few have one."""
        return ""

    def make_arrays(self) -> dict[str, Any]:
        """Return what the browser draws for the present choices, ready for JSON."""
        raise NotImplementedError

    def spoken_arrays(self) -> dict[str, Any]:
        """Return the arrays with their words in the language that is spoken."""
        return self.make_arrays() if spoken() is ENGLISH else said_under(self.says, self.make_arrays())

    def sentence(self) -> str:
        """Say in one sentence what the picture shows now."""
        raise NotImplementedError

    def shown_values(self) -> Values:
        """Return the numbers of the present state, which prose beside the figure may follow."""
        raise NotImplementedError

    def rows(self) -> Iterable[Values]:
        """Return the numbers behind the picture: those of each row of the table."""
        raise NotImplementedError

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return head and rows of the numbers behind the picture, from the templates of its words."""
        rows = [[fill(cell, values) for cell in self.words["tableRow"]] for values in self.rows()]
        return self.words["tableHead"], rows

    def asks(self) -> bool:
        """Say whether the reader is still to guess, so that the sentence must not tell."""
        return getattr(self, "guess", "") == "ask" and "guess" not in self.hide

    def snippet(self) -> str:
        """Return Python code that prints the number on the screen."""
        raise NotImplementedError

    def picture(self) -> list[Any]:
        """Return the panels of a small still picture: a matrix, or numbers or points by form and colour."""
        with speaking(ENGLISH):  # whose numbers are read here
            _, rows = self.table()
        return [
            {name: [_number(row[at]) for row in rows] for name, at in panel.items()}
            for panel in self.pictured
        ]

    @classmethod
    def schema(cls) -> dict[str, dict[str, Any]]:
        """Return the rules of the choices, from their parameters: one source for Python, browser and address."""
        return {name: _rule(cls.param[name]) for name in cls.choices}

    def describe(self) -> dict[str, Any]:
        """Return everything about the instrument that does not change with the reader's choices."""
        return {
            "name": self.script,
            "choices": self.schema(),
            "keyedBy": self.keyed_by,
            "idle": self.idle,
            "parts": self.parts,
            "text": say_all(WORDS) | self.words,
        }

    @classmethod
    def published(cls) -> list[str]:
        """Return the keys of the arrays that a published copy carries; others need a server."""
        values = itertools.product(*(cls.param[name].objects for name in cls.keyed_by))
        return ["-".join(each) for each in values if each]

    @classmethod
    def published_words(cls) -> str:
        """Say which arrays a published copy carries."""
        return _said(cls.room, "PUBLISHED")

    def enclosed(self) -> list[str]:
        """Return the keys of further arrays that the single file carries."""
        return [] if _said(self.room, "ENCLOSED") else [key for key in self.published() if key != self.key()]

    def enclosed_words(self) -> str:
        """Say which arrays the single file carries."""
        return fill(_said(self.room, "ENCLOSED") or self.published_words(), self.state())

    def key(self) -> str:
        """Return the key of the present arrays."""
        return "-".join(str(getattr(self, name)) for name in self.keyed_by)

    @classmethod
    def from_key(cls, key: str) -> Self:
        """Return the instrument with the choices that a key names; raise ValueError if it names none."""
        values = key.rsplit("-", len(cls.keyed_by) - 1)
        if len(values) != len(cls.keyed_by):
            raise ValueError(f"a key has {len(cls.keyed_by)} parts, got {key[:40]!r}")
        rules = {name: cls.param[name] for name in cls.keyed_by}
        choices = {
            name: int(value) if isinstance(rules[name], param.Integer) else value
            for (name, value) in zip(rules, values, strict=True)
        }
        # int() also takes 032, 3_2 and the digits of other scripts: one matrix would have many addresses.
        if key != "-".join(map(str, choices.values())):
            raise ValueError(f"a key is spelled in one way, got {key[:40]!r}")
        return cls(**choices)

    def state(self) -> dict[str, Any]:
        """Return the present choices."""
        return {name: getattr(self, name) for name in self.choices}

    def figure_html(self) -> str:
        """Return one HTML file that holds the whole figure and asks for nothing else."""
        return self_contained(self)

    def _repr_mimebundle_(self, include=None, exclude=None):
        """Show the figure in a notebook cell.

        After pn.extension() Panel shows it, and the parameters follow the reader. Without it the cell holds the
        self-contained figure in a frame, which also works in a saved notebook with no kernel.
        """
        from panel import extension

        if getattr(extension, "_loaded", False):
            return super()._repr_mimebundle_(include, exclude)
        return {"text/html": framed(self.figure_html(), self.title), "text/plain": self.sentence()}, {}


def said_under(names: Sequence[str], value: Any) -> Any:
    """Return a structure in which all that stands under one of these names is said in the language that is spoken."""
    if isinstance(value, Mapping):
        return {
            name: say_all(each) if name in names else said_under(names, each) for name, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [said_under(names, each) for each in value]
    return value


def _number(cell: str) -> float:
    """Return the number that stands in a cell of a table."""
    return float(cell.removesuffix("%").replace(",", ""))


def _choices(cls: type[Instrument]) -> Iterator[str]:
    """Yield the parameters that a class adds to Instrument, in order; objects and free text come from Python alone."""
    for base in reversed(cls.__mro__):
        for name, added in vars(base).items():
            if not isinstance(added, param.Parameter) or name in Instrument.param:
                continue
            if not isinstance(added, param.ClassSelector) and getattr(added, "regex", "") is not None:
                yield name


def _rule(parameter: param.Parameter) -> dict[str, Any]:
    """Translate one parameter into a rule of the schema."""
    rule = {"label": say(parameter.label), "doc": parameter.doc, "default": parameter.default}
    if isinstance(parameter, param.Selector):
        return rule | {
            "type": "select",
            "options": [[value, say(label)] for label, value in parameter.names.items()],
        }
    if isinstance(parameter, param.Integer):
        return rule | {"type": "integer", "bounds": parameter.bounds}
    if isinstance(parameter, param.String):
        return rule | {"type": "pattern", "pattern": parameter.regex, "allowed": say(parameter.doc)}
    raise TypeError(f"{parameter.name}: a choice is a Selector, an Integer or a String with a regex.")


def compact(value: Any) -> str:
    """Return JSON without a space that says nothing."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def json_block(value: Any) -> str:
    """Return JSON that can stand inside a script element: no `<` is left to end it."""
    return in_script(compact(value))


def in_script(text: str) -> str:
    """Return JSON as it can stand inside a script element: no `<` is left to end it."""
    return text.replace("<", "\\u003c")


def self_contained(figure: Instrument) -> str:
    """Return one HTML file with style, scripts and data of a figure; its policy forbids any request."""
    config = figure_config(figure) | {
        "prefix": "",
        "title": figure.title,
        "datasets": {key: json.loads(figure.from_key(key).arrays) for key in figure.enclosed()},
        "have": figure.enclosed_words(),
    }
    return render(
        "figure.html",
        figure=figure,
        config=json_block(config),
        css=stylesheet("site/theme", "site/figure", "kit/instrument", *figure.sheets),
        scripts=[
            without_sources(bundle("kit")),
            *filter(None, [figure.engine()]),
            without_sources(bundle(figure.script)),
            without_sources(bundle("alone")),
        ],
        policy=file_policy(bool(figure.engine())),
    )


def file_policy(trains: bool) -> str:
    """Return the policy of a single file: it carries its script inside and may ask for nothing."""
    more, worker = (" 'wasm-unsafe-eval'", "; worker-src blob:") if trains else ("", "")
    script = f"script-src 'unsafe-inline'{more}"
    return f"default-src 'none'; {script}; style-src 'unsafe-inline'; img-src data: blob:{worker}"


def figure_config(figure: Instrument) -> dict[str, Any]:
    """Return what the page's script needs to bring a figure to life."""
    return {
        "name": figure.script,
        "spec": json.loads(figure.spec),
        "state": figure.state(),
        "arrays": json.loads(figure.arrays),
        "hide": figure.hide,
    }


def framed(document: str, title: str) -> str:
    """Return a document as a frame whose height follows its content."""
    name = "lora-" + hashlib.sha256(document.encode()).hexdigest()[:12]
    listener = (
        "addEventListener('message', e => { const f = document.getElementById('%s');"
        " if (f && e.source === f.contentWindow && e.data && e.data.loraHeight)"
        " f.style.height = e.data.loraHeight + 'px' })" % name
    )
    return (
        f'<iframe id="{name}" title="{html.escape(title)}" sandbox="allow-scripts allow-downloads"'
        f' style="width:100%;height:900px;border:0" srcdoc="{html.escape(document)}"></iframe>'
        f"<script>{listener}</script>"
    )
