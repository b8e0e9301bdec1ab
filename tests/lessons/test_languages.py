"""The languages: every text is found and said, every catalogue is whole, and each language has the whole site."""

from __future__ import annotations

import json
import re
from collections import Counter
from contextlib import nullcontext
from functools import cache
from html.parser import HTMLParser

import pytest
from babel.messages.pofile import read_po

import app
from helpers.pseudo import KEPT, pseudo, with_markup
from helpers.site import published
from lessons import load_all
from lessons.press.languages import catalogue, leaves, main, messages, translatable
from lessons.press.prose import message, paragraphs
from lessons.press.site import Site
from widgets.kit.languages import ENGLISH, FOLDER, Catalogued, Language, codes, language, say, speaking
from widgets.merging import Merging
from widgets.patterns import Patterns
from widgets.rank import Rank

CODES = pytest.mark.parametrize("code", codes())
MARKED = re.compile(r"[áéíóúÁÉÍÓÚ]")
WORD = re.compile(r"[^\W\d_]{2,}")
UNSEEN = {"script", "style", "pre", "code", "mi", "kbd", "var"}
SAID = ("aria-label", "title", "alt", "placeholder", "content")
OURS = {"LoRA", "live", "AdamW"}
# Pages that lay out few lessons, and among these one with each kind of block.
PAGES = (
    *("aims", "cite", "corrections", "licences", "room", "search", "stored", "404"),
    *(
        "teach/index",
        "teach/rank",
        "handout/rank",
        "key/rank",
        "lesson/rank",
        "lesson/placing",
        "embed/rank/rank",
    ),
)


@cache
def accented() -> Language:
    """Return a language in which no vowel is left as it was, and each text ends in what HTML must escape."""
    return pseudo("en-x-accents", with_markup)


@cache
def spanish() -> Site:
    return Site(live=False, languages=[ENGLISH, language("es")])


def marks(text: str) -> Counter[str]:
    """Return what a translation must have as its source does: gaps, marks, formulas, code, tags, addresses."""
    return Counter(
        found[0] for found in KEPT.finditer(text) if not re.fullmatch(r"[\w./]+|\s*[-+*] ", found[0])
    )


@CODES
def test_a_catalogue_has_every_message_and_no_other(code):
    with (FOLDER / f"{code}.po").open("rb") as file:
        written = {each.id: each for each in read_po(file) if each.id}
    assert [text for text in messages() if text not in written] == [], "`make catalogues` adds them"
    assert [text for text in written if text not in messages()] == [], "`make catalogues` takes them out"


@CODES
def test_a_translation_has_the_marks_of_its_source(code):
    for source, said in language(code).messages.items():
        assert marks(said) == marks(source), source
        assert ('"' in said) <= ('"' in source), f"{source}: it also stands in attributes"
        assert (said != said.lstrip(" "), said != said.rstrip(" ")) == (source[:1] == " ", source[-1:] == " ")


def test_texts_are_found_where_they_stand():
    found = messages()
    rank = next(lesson for lesson in load_all() if lesson.slug == "rank")
    assert found["A thin change"] == ["lessons/rank.py"]
    assert found["What the rollers weigh"] == ["lessons/rank.py"], "a heading without its marks"
    assert message(rank.questions[0].answers[0].why) in found
    assert found["section 4.1"]
    assert "widgets/rank/words.py" in found["Slide the rank"]
    assert "frozen:" in found, "a word of the glossary that has no other form"
    assert "assets/site/present.html" in found["Second window"]
    assert "lessons/press/site.py" in found["Not found"]
    assert not [text for text in found if not text.strip() or "import numpy" in text]


def test_a_paragraph_is_one_message_however_its_lines_are_broken():
    text = "## A *head*\n\nOne\nsentence.\n\n- a\n- b\n\n```\nx\n\ny\n```"
    assert paragraphs(text) == ["## A *head*", "One\nsentence.", "- a\n- b", "```\nx\n\ny\n```"]
    assert [message(each) for each in paragraphs(text)[:3]] == ["A *head*", "One sentence.", "- a\n- b"]


def test_only_a_release_needs_every_translation(tmp_path, monkeypatch, capsys):
    for module in ("lessons.press.languages", "widgets.kit.languages"):
        monkeypatch.setattr(f"{module}.FOLDER", tmp_path)
    monkeypatch.setattr("lessons.press.languages.messages", lambda: {"Search": ["a.py"], "Words": ["a.py"]})
    fails = pytest.raises(SystemExit, match="everything in every language")
    for arguments, ends in ((["fr"], nullcontext()), ([], nullcontext()), (["--whole"], fails)):
        monkeypatch.setattr("sys.argv", ["languages", *arguments])
        with ends:
            main()
        assert capsys.readouterr().out == "assets/languages/fr.po: 2 messages, 2 to translate\n"


def test_an_old_translation_is_kept_as_a_guess_and_not_shown(tmp_path, monkeypatch):
    entry = '#: a.py\n{flag}msgid "{source}"\nmsgstr "{said}"\n\n'
    old = entry.format(flag="", source="Slide the rank", said="Desliza")
    old += entry.format(flag="", source="How to cites", said="Cómo citar")
    (tmp_path / "es.po").write_text(f'msgid ""\nmsgstr "Language: es\\n"\n\n{old}', encoding="utf-8")
    monkeypatch.setattr("lessons.press.languages.FOLDER", tmp_path)
    made = catalogue("es")
    assert made["Slide the rank"].string == "Desliza"
    assert made["How to cite"].fuzzy
    assert "How to cites" not in made
    monkeypatch.setattr("widgets.kit.languages.FOLDER", tmp_path)
    guess = entry.format(flag="#, fuzzy\n", source="Search", said="Buscar")
    (tmp_path / "xx.po").write_text(f'msgid ""\nmsgstr "Language: es\\n"\n\n{guess}', encoding="utf-8")
    (tmp_path / "es.po").write_text((tmp_path / "xx.po").read_text(encoding="utf-8"), encoding="utf-8")
    with speaking(Catalogued("es")):
        assert say("Search") == "Search"


class Visible(HTMLParser):
    """What a reader of a page sees or hears: pairs of a tag, or the name of an attribute, and a text."""

    def __init__(self, page: str):
        super().__init__()
        self.inside: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self.configs: list[dict] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        told = dict(attrs)
        if tag not in ("meta", "link", "input", "br", "path"):
            self.inside.append((tag, told.get("class", "")))
        if tag != "meta" or told.get("name") == "description":
            self.texts += [told[name] for name in told if name in SAID]
            self.texts += [
                told[name] for name in told if name.startswith("data-") and " " in (told[name] or "")
            ]

    def handle_endtag(self, tag):
        while self.inside and self.inside.pop()[0] != tag:
            pass

    def handle_data(self, data):
        tags, classes = ({each[at] for each in self.inside} for at in (0, 1))
        if "script" in tags and data.startswith("{"):
            self.configs.append(json.loads(data))
        if not tags & UNSEEN and not classes & {"cited", "sources"}:
            self.texts.append(data)


def unmarked(text: str) -> list[str]:
    """Return the words of a text that its language has not touched."""
    words = WORD.findall(KEPT.sub(" ", text))
    return [word for word in words if re.search("[aeiou]", word) and translatable(word) and word not in OURS]


def test_nothing_on_a_page_is_left_unsaid_or_unescaped():
    site = Site(live=True, languages=[accented()])
    for path in PAGES:
        page = site.read(f"{path}.html").decode()
        assert "<b>&\"'" not in page, path
        seen = Visible(page)
        assert MARKED.search(page)
        for text in seen.texts:
            assert path == "licences" or unmarked(text) == [], (path, text)
        for config in seen.configs:
            rules = config["spec"]["choices"].values()
            labels = [(rule["label"], [label for _, label in rule.get("options", ())]) for rule in rules]
            for text in leaves((config["spec"]["text"], labels, config["title"], config["have"])):
                assert not translatable(text) or MARKED.search(text), (path, text)


def test_each_language_has_the_whole_site():
    site = spanish()
    assert {path for path in site.paths if path.endswith(".html")} == {
        f"{folder}{path}" for path in published().paths if path.endswith(".html") for folder in ("", "es/")
    }
    assert not [path for path in site.paths if path.startswith("es/assets/") and "search_index" not in path]
    assert "arrays/routing" not in str([path for path in site.paths if path.startswith("es/")])
    english, page = (site.read(path).decode() for path in ("lesson/rank.html", "es/lesson/rank.html"))
    assert '<html lang="en">' in english
    assert '<html lang="es" data-numbers=' in page
    for there, at in (("en", "../../lesson/rank.html"), ("es", "../../es/lesson/rank.html")):
        assert f'<link rel="alternate" hreflang="{there}" href="{at}">' in page
    assert '<link rel="alternate" hreflang="x-default" href="../lesson/rank.html">' in english
    assert 'lang="es" hreflang="es" href="../es/lesson/rank.html">español</a>' in english
    assert 'href="../../assets/lora.css"' in page
    assert re.findall(r'<h2 id="([^"]*)"', page) == re.findall(r'<h2 id="([^"]*)"', english), (
        "links find them"
    )
    assert "Un cambio delgado" in site.read("es/cite.html").decode()
    lost = site.sites["es"].lost(root="/lora/")
    assert 'href="/lora/es/index.html"' in lost
    assert 'href="/lora/assets/lora.css"' in lost


def test_the_search_looks_through_what_its_own_language_says():
    for folder, chapter in (("", "Fifty customers"), ("es/", "Cincuenta clientes")):
        page, index = (spanish().read(folder + path) for path in ("search.html", "assets/search_index.js"))
        assert b'src="assets/search_index.js"' in page
        assert chapter in index.decode()


def test_an_address_is_that_of_a_page_in_a_language():
    site = spanish()
    assert site.parted("es/lesson/rank.html") == (site.sites["es"], "lesson/rank.html")
    assert site.parted("lesson/rank.html") == (site, "lesson/rank.html")
    assert site.parted("key/rank.html") == (site, "key/rank.html")


def test_where_there_is_one_language_nothing_speaks_of_others():
    page = published().read("lesson/rank.html").decode()
    assert "hreflang" not in page
    assert "to-language" not in page


def test_what_is_code_or_drawn_is_the_same_in_every_language():
    for kind in (Rank, Merging, Patterns):
        figure = kind()
        said = figure.snippet(), str(figure.picture())
        with speaking(accented()):
            other = kind()
            assert (other.snippet(), str(other.picture())) == said


def test_the_export_refuses_a_language_that_is_not_there(tmp_path):
    with pytest.raises(SystemExit, match="There is no language 'xx'. There are: en, es."):
        app.export(tmp_path, codes=["xx"])
