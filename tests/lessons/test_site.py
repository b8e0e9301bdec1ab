"""The published site: every page stands by itself, asks nobody else, and is the same served and exported."""

from __future__ import annotations

import copy
import gzip
import itertools
import json
import posixpath
import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

import app
from helpers import ROOT
from helpers.prose import Page
from helpers.site import published, served
from lessons import load_all
from lessons.press.prose import MARK
from lessons.press.site import MOVED, START_FIGURE, Site
from lessons.press.sources import SOURCES

SITES = {True: served(), False: published()}
PAGES = [path for path in SITES[False].paths if path.endswith(".html")]
PUBLISHED = [path for path in PAGES if not path.startswith("file/")]
ARRAYS = [path for path in SITES[False].paths if path.startswith("arrays/")]
KNOWN = {source.url for source in SOURCES.values()} | {"https://creativecommons.org/licenses/by/4.0/"}
PAGE_WEIGHT = 150_000  # bytes, compressed, with style, scripts and data (issue 2)
FILE_WEIGHT = 200_000  # bytes of a figure in one file (issue 2)
ENGINE_WEIGHT = 700_000  # more, in one that trains: the model, and the compiled trainer in two versions
ALL_PAGES = pytest.mark.parametrize("path", PAGES)
BOTH = pytest.mark.parametrize("live", [True, False], ids=["served", "exported"])


@cache
def page(path: str, live: bool = False) -> Page:
    return Page(SITES[live].read(path).decode())


def links(read: Page) -> list[str]:
    """Return every address in a page."""
    return [
        each[name]
        for _, each in read.elements
        for name in ("href", "src", "action", "data-address")
        if each.get(name)
    ]


def target(path: str, address: str) -> str:
    """Return the path that a relative address leads to from a page."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), unquote(urlsplit(address).path)))


def configs(read: Page) -> list[dict]:
    """Return the JSON blocks of a page."""
    return [
        json.loads(text)
        for text in (text for tag, text in read.texts if tag == "script")
        if text.lstrip().startswith("{") and '"spec"' in text
    ]


def test_there_is_a_page_for_everything():
    for lesson in load_all():
        expected = {f"lesson/{lesson.slug}.html"}
        for figure in lesson.figures():
            expected |= {f"embed/{lesson.slug}/{figure}.html", f"file/{lesson.slug}-{figure}.html"}
        assert expected <= set(PAGES)
    assert "index.html" in PAGES


@BOTH
@ALL_PAGES
def test_a_page_is_whole(path, live):
    read = page(path, live)
    assert read.faults == []
    assert SITES[live].read(path).startswith(b"<!doctype html>")
    assert read.all("html")[0]["lang"] == "en"
    (title,) = [text for tag, text in read.texts if tag == "title"]
    assert title.strip()
    assert any(each.get("charset") == "utf-8" for each in read.all("meta"))
    ids = [each["id"] for _, each in read.elements if "id" in each]
    assert len(set(ids)) == len(ids)
    assert len(read.all("h1")) == (0 if path.startswith(("embed/", "file/")) else 1)
    assert len(read.all("main")) == 1
    assert not re.search(r"[?!]\.", read.text()), "a title that asks needs no full stop"
    levels = [int(tag[1]) for tag, _ in read.elements if re.fullmatch(r"h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


@BOTH
@pytest.mark.parametrize("path", PUBLISHED)
def test_a_page_needs_no_inline_script_and_no_inline_style(path, live):
    read = page(path, live)
    for tag, attributes in read.elements:
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        if tag == "script":
            assert attributes.get("type") == "application/json" or "src" in attributes
    assert not read.all("style", "base", "object", "embed", "form", "iframe")
    inline = [text for tag, text in read.texts if tag == "script" and text.strip()]
    assert len(configs(read)) == len(inline)


@BOTH
@pytest.mark.parametrize("path", PUBLISHED)
def test_a_page_carries_neither_panel_nor_bokeh(path, live):
    for address in links(page(path, live)):
        assert not re.search(r"bokeh|panel|cdn|static/", address, re.IGNORECASE)
    assert len(page(path, live).all("script")) <= 2 + 2 * len(SITES[live].instruments)


@BOTH
@ALL_PAGES
def test_a_page_names_no_other_place_but_its_sources(path, live):
    read = page(path, live)
    foreign = {address for address in links(read) if urlsplit(address).scheme not in ("", "data")}
    assert foreign <= KNOWN
    assert not [address for address in links(read) if address.startswith("/")], "it also lives in a folder"
    for tag, attributes in read.elements:
        if attributes.get("href") in foreign:
            assert tag == "a", "a source is a link, and never loaded"


@BOTH
@ALL_PAGES
def test_every_link_leads_somewhere(path, live):
    read = page(path, live)
    ids = {each["id"] for _, each in read.elements if "id" in each}
    for address in links(read):
        parts = urlsplit(address)
        if parts.scheme:
            continue
        if not parts.path:
            assert parts.fragment in ids, address
            continue
        there = target(path, address)
        if there.startswith("live/"):
            assert live
            assert any(there == f"live/{one.slug}/{part}" for one in load_all() for part in one.live_parts())
        else:
            assert there in SITES[live].paths, address


@BOTH
@ALL_PAGES
def test_the_data_of_each_figure_is_json_and_leads_to_its_files(path, live):
    read = page(path, live)
    found = configs(read)
    assert len(found) == len([each for each in read.all("figure") if "instrument" in each.get("class", "")])
    for config in found:
        assert config["state"].keys() == config["spec"]["choices"].keys()
        assert json.dumps(config, allow_nan=False)
        if path.startswith("file/"):
            continue
        instrument = SITES[live].instruments[config["name"]]
        for key in instrument.published():
            assert target(path, f"{config['files']}{key}.js") in SITES[live].paths
        assert target(path, config["embed"]) in SITES[live].paths


@pytest.mark.parametrize("path", ARRAYS)
def test_arrays_are_a_script_that_hands_over_json(path):
    text = SITES[False].read(path).decode()
    script, key = path.removeprefix("arrays/").removesuffix(".js").split("/")
    start = f'lora_arrays("{script}/{key}", '
    assert text.startswith(start)
    assert text.endswith(")\n")
    arrays = json.loads(text[len(start) : -2])
    assert arrays["key"] == key
    assert "<" not in text


@BOTH
def test_the_prose_is_there_before_any_script(live):
    for lesson in load_all():
        text = page(f"lesson/{lesson.slug}.html", live).text().replace("’", "'")
        assert lesson.question in text
        for block in lesson.texts():
            for heading in re.findall(r"^#+ (.*)$", block, re.MULTILINE):
                assert heading in text
        for figure in lesson.figures().values():
            made = figure.make()
            assert made.sentence() in text
            assert made.caption in text


def test_only_a_server_offers_what_needs_python():
    for lesson in load_all():
        served, exported = (page(f"lesson/{lesson.slug}.html", live) for live in (True, False))
        parts = lesson.live_parts()
        addresses = [each["data-address"] for each in served.all("section") if each.get("data-address")]
        assert addresses == [f"../live/{lesson.slug}/{id_}" for id_ in parts]
        assert not [each for each in exported.all("section") if each.get("data-address")]
        for part in parts.values():
            assert part.invitation in served.text()
            assert part.invitation not in exported.text()
    assert b"live/rank" not in b"".join(SITES[False].read(path) for path in PAGES)


def test_the_start_page_opens_on_one_figure_and_leads_to_every_lesson():
    read = page("index.html")
    (config,) = configs(read)
    _, id_, hide = START_FIGURE
    assert set(hide) <= set(config["spec"]["parts"]), "a part of that name is there to be hidden"
    assert set(hide) <= set(config["hide"])
    assert config["prefix"] == f"{id_}."
    for lesson in load_all():
        assert f"lesson/{lesson.slug}.html" in links(read)
        assert lesson.title in read.text()


@pytest.mark.parametrize("path", PUBLISHED)
def test_a_page_is_light(path):
    read = page(path)
    files = {path} | {target(path, address) for address in links(read) if address.endswith((".js", ".css"))}
    assert sum(len(gzip.compress(SITES[False].read(file))) for file in files) < PAGE_WEIGHT


@pytest.mark.parametrize("path", [path for path in PAGES if path.startswith("file/")])
def test_a_single_file_is_light(path):
    more = ENGINE_WEIGHT if path in SITES[False].training else 0
    assert len(SITES[False].read(path)) < FILE_WEIGHT + more


def test_a_page_is_made_once_and_the_same_each_time():
    assert SITES[False].read("index.html") is SITES[False].read("index.html")
    assert SITES[False].read("nowhere.html") is None
    again = Site(live=False)
    for path in PAGES:
        assert again.read(path) == SITES[False].read(path)


@pytest.mark.parametrize(
    ("script", "key"),
    [
        ("rank", "../../etc/passwd"),
        ("rank", ""),
        ("rank", "blur-32"),
        ("rank", "blur-3200-0"),
        ("rank", "blur-032-0"),
        ("rank", "<script>"),
        ("rank", "blur-32-0\0"),
        ("", "blur-32-0"),
        ("../rank", "blur-32-0"),
        ("__class__", "blur-32-0"),
        ("patterns", "blur-32-0"),
    ],
)
def test_there_are_no_arrays_for_a_key_that_names_none(script, key):
    assert SITES[True].arrays(script, key) is None
    assert SITES[True].read(f"arrays/{script}/{key}.js") is None


@BOTH
@pytest.mark.parametrize("old", MOVED, ids="/".join)
def test_the_address_of_a_figure_that_is_gone_leads_to_what_took_its_place(old, live):
    path, now = ("embed/{}/{}.html".format(*each) for each in (old, MOVED[old]))
    read = page(path, live)
    [link] = read.all("a")
    [refresh] = [each for each in read.all("meta") if each.get("http-equiv") == "refresh"]
    assert refresh["content"] == f"0; url={link['href']}"
    assert target(path, link["href"]) == now
    assert old not in SITES[live].kinds
    assert MOVED[old] in SITES[live].kinds


def test_arrays_that_are_not_published_are_made_on_request():
    made = SITES[True].arrays("rank", "noise-48-7")
    assert made.startswith(b'lora_arrays("rank/noise-48-7", {"key":"noise-48-7"')


def test_the_export_writes_the_same_bytes_and_nothing_else(tmp_path, capsys):
    app.export(tmp_path / "a" / "site", codes=["en"])
    folder = tmp_path / "a" / "site"
    assert str(folder) in capsys.readouterr().out
    written = {file.relative_to(folder).as_posix() for file in Path(folder).rglob("*") if file.is_file()}
    assert written == set(SITES[False].paths)
    for path in written:
        assert (folder / path).read_bytes() == SITES[False].read(path), path


def test_each_correction_leads_to_a_figure_that_is_there():
    page = Page(published().read("corrections.html").decode())
    links = [a["href"] for a in page.all("a") if a["href"].startswith("lesson/") and "#" in a["href"]]
    told = [(lesson, each) for lesson in load_all() for each in lesson.corrections]
    assert len(told) >= len(load_all()), "every lesson has something to put right"
    assert links == [f"lesson/{lesson.slug}.html#{each.figure}" for lesson, each in told]
    for lesson, each in told:
        assert each.figure in lesson.figures()
        assert MARK.search(each.truth), "what is so is a claim, and tested"


def test_the_start_page_has_a_small_picture_of_every_lesson():
    page = Page(published().read("index.html").decode())
    small = [each for each in page.all("svg") if each.get("class") == "small"]
    made = ([block.make() for block in lesson.figures().values()] for lesson in load_all())
    figures = [next(figure for figure in of if not figure.engine()) for of in made]
    for figure in figures:
        if "guess" in figure.choices:
            figure.guess = "skip"
    assert [each["aria-label"] for each in small] == [figure.sentence() for figure in figures]
    assert {each["role"] for each in small} == {"img"}


def test_the_search_looks_through_every_section_and_word():
    text = SITES[False].read("assets/search_index.js").decode()
    places = json.loads(text.removeprefix("var lora_places="))
    assert len({place["at"] for place in places}) == len(places)
    for lesson in load_all():
        read = page(f"lesson/{lesson.slug}.html")
        headings = [
            each["id"]
            for each in read.all("h2")
            if each.get("id") not in ("recall", "answers", "sources", "notes-end")
        ]
        of_lesson = [place["at"] for place in places if place["at"].startswith(f"lesson/{lesson.slug}.html")]
        assert of_lesson == [
            f"lesson/{lesson.slug}.html{end}" for end in ("", *(f"#{id}" for id in headings))
        ]
    assert not any(re.search(r"</?\w+[ >]|[?!]\.", place["text"]) for place in places)


def test_how_to_cite_says_what_the_citation_file_says():
    said = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    text = page("cite.html").text()
    assert f"author = {{{{{said['authors'][0]['name']}}}}}" in text
    assert f"title = {{{said['title']}}}" in text
    year = re.search(r"Copyright \(c\) (\d{4})", (ROOT / "LICENSE").read_text(encoding="utf-8"))[1]
    assert f"year = {{{year}}}" in text
    assert said["license"] == "BSD-3-Clause"


def test_chapters_lead_to_the_one_before_and_the_one_after():
    chapters = [lesson for lesson in load_all() if lesson.is_chapter]
    for before, after in itertools.pairwise(chapters):
        there = {each.get("rel"): each["href"] for each in page(f"lesson/{before.slug}.html").all("a")}
        back = {each.get("rel"): each["href"] for each in page(f"lesson/{after.slug}.html").all("a")}
        assert there["next"] == f"{after.slug}.html"
        assert back["prev"] == f"{before.slug}.html"


def test_a_room_leads_back_to_the_chapters_that_lead_to_it():
    chapters = [lesson for lesson in load_all() if lesson.is_chapter]
    for room in (lesson for lesson in load_all() if not lesson.is_chapter):
        read = page(f"lesson/{room.slug}.html").text()
        leading = [each for each in chapters if any(f"]({room.slug}.html" in text for text in each.texts())]
        assert leading, f"no chapter has a link to {room.slug}"
        assert all(f"Back to {each.title}" in read for each in leading)


def test_pages_know_of_rooms_for_classes_only_where_there_are_some():
    assert re.search(r'<body[^>]* data-rooms="\.\./"', SITES[True].read("lesson/first.html").decode())
    assert 'data-rooms="./"' in SITES[True].read("index.html").decode()
    for path in (
        "lesson/first.html",
        *(path for path in SITES[False].paths if re.fullmatch(r"\w+\.html", path)),
    ):
        assert b"data-rooms" not in SITES[False].read(path), path
    assert "assets/room.js" not in SITES[False].paths
    assert "Rooms need a server" in SITES[False].read("room.html").decode()
    assert "need the served app" in SITES[False].read("teach/index.html").decode()
    without = copy.copy(SITES[True])
    without.rooms = False
    without.paths = without._paths()
    assert "assets/room.js" not in without.paths
    for path, said in {"room.html": "This server has no rooms.", "teach/index.html": "has no rooms"}.items():
        made = without.paths[path]()
        assert said in made
        assert "data-rooms" not in made
