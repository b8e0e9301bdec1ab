"""A package for learning platforms is whole: its manifest lists what it holds, and no link leads out of it."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest

import app
from helpers.prose import Page
from helpers.site import published
from lessons import load_all
from lessons.press.scorm import package
from lessons.press.site import Site

URL = "https://your-site.example/lora/"
SITE = Site(live=False, course=True)
LESSONS = pytest.mark.parametrize("lesson", load_all(), ids=lambda lesson: lesson.slug)
SPACES = {
    "ims": "http:" + "//www.imsproject.org/xsd/imscp_rootv1p1p2",
    "adlcp": "http:" + "//www.adlnet.org/xsd/adlcp_rootv1p2",
}
MOST = 4_000_000  # bytes of a package; platforms take far larger ones, students wait for them


def opened(packed: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(packed)) as files:
        assert files.testzip() is None
        return {name: files.read(name) for name in files.namelist()}


@LESSONS
def test_a_package_holds_what_its_manifest_lists(lesson):
    packed = package(SITE, lesson)
    assert len(packed) < MOST
    files = opened(packed)
    assert next(iter(files)) == "imsmanifest.xml"
    manifest = ElementTree.fromstring(files.pop("imsmanifest.xml"))
    assert manifest.findtext("ims:metadata/ims:schema", namespaces=SPACES) == "ADL SCORM"
    assert manifest.findtext("ims:metadata/ims:schemaversion", namespaces=SPACES) == "1.2"
    [item] = manifest.findall(".//ims:item", SPACES)
    assert item.findtext("ims:title", namespaces=SPACES) == lesson.title
    [resource] = manifest.findall(".//ims:resource", SPACES)
    assert resource.get("identifier") == item.get("identifierref")
    assert resource.get(f"{{{SPACES['adlcp']}}}scormtype") == "sco"
    assert resource.get("href") == f"lesson/{lesson.slug}.html"
    assert [each.get("href") for each in resource.findall("ims:file", SPACES)] == sorted(files)
    assert all(re.fullmatch(r"[\w./-]+", name) and ".." not in name for name in files)
    assert {"LICENSE", "LICENSE-TEXT", "assets/LICENSES.txt"} <= files.keys()


def outside(page: str, files: dict[str, bytes]) -> list[str]:
    """Return the addresses of a page that lead to nothing in the package and to no other host."""
    read = Page(files[page].decode())
    assert read.faults == []
    addresses = [each[name] for _, each in read.elements for name in ("href", "src") if each.get(name)]
    ids = {each["id"] for _, each in read.elements if "id" in each}
    found = []
    for address in addresses:
        parts = urlsplit(address)
        there = posixpath.normpath(posixpath.join(posixpath.dirname(page), parts.path))
        if not parts.scheme and not (there in files if parts.path else parts.fragment in ids):
            found.append(address)
    return found


@LESSONS
def test_no_link_leads_out_of_a_package(lesson):
    files = opened(package(SITE, lesson))
    page = f"lesson/{lesson.slug}.html"
    assert outside(page, files) == []
    text = Page(files[page].decode()).text()
    for figure in lesson.figures().values():
        assert figure.make().caption in text
    assert "index.html" not in files[page].decode()
    arrays = {
        f"arrays/{kind.script}/{key}.js"
        for (slug, _), kind in SITE.kinds.items()
        if slug == lesson.slug
        for key in kind.published()
    }
    assert arrays <= files.keys()


def test_where_the_site_is_known_links_lead_there_in_a_window_of_their_own():
    lesson = next(each for each in load_all() if each.slug == "merging")
    page = f"lesson/{lesson.slug}.html"
    html = opened(package(Site(live=False, url=URL, course=True), lesson))[page].decode()
    [link] = [
        each for each in Page(html).all("a") if (each["href"] or "").startswith(f"{URL}lesson/world.html")
    ]
    assert link["target"] == "_blank"
    assert f'"embed":"{URL}embed/merging/merging.html"' in html
    assert outside(page, opened(package(Site(live=False, url=URL, course=True), lesson))) == []


def test_a_link_that_leads_out_is_noticed():
    lesson = load_all()[0]
    files = opened(package(SITE, lesson))
    page = f"lesson/{lesson.slug}.html"
    files[page] = files[page].replace(b"</main>", b'<a href="nowhere.html">x</a></main>')
    assert outside(page, files) == ["nowhere.html"]


def test_a_package_is_the_same_each_time():
    lesson = load_all()[0]
    assert package(SITE, lesson) == package(Site(live=False, course=True), lesson)


def test_the_site_itself_knows_nothing_of_courses():
    plain = published()
    assert "assets/course.js" not in plain.paths
    for path in plain.paths:
        if path.startswith("lesson/"):
            assert b"data-graded" not in plain.read(path)
            assert b"course.js" not in plain.read(path)


def test_the_command_writes_the_lessons_that_are_named(tmp_path, capsys):
    app.main(["export", "--scorm", str(tmp_path / "zips"), "--lesson", "merging", "--lesson", "counting"])
    assert {file.name for file in (tmp_path / "zips").iterdir()} == {"lora-merging.zip", "lora-counting.zip"}
    assert capsys.readouterr().out.startswith("2 packages (SCORM 1.2) written to ")
    with pytest.raises(SystemExit) as ended:
        app.main(["export", "--scorm", str(tmp_path), "--lesson", "ranks"])
    assert str(ended.value.code).startswith("There is no lesson 'ranks'. There are: ")
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit) as ended:
        app.main(["export", "--scorm", str(tmp_path / "file"), "--lesson", "merging"])
    assert "cannot be written" in str(ended.value.code)


def test_the_first_language_stands_at_the_root_and_each_other_in_its_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("lessons.press.scorm.package", lambda site, _: site.language.code.encode())
    app.main(["export", "--scorm", str(tmp_path), "--lesson", "merging", "--languages", "es", "en"])
    found = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*.zip")}
    assert found == {"lora-merging.zip": "es", "en/lora-merging.zip": "en"}
    assert capsys.readouterr().out.startswith("2 packages (SCORM 1.2) written to ")


def test_a_lesson_is_chosen_of_packages_alone(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        app.main(["export", str(tmp_path), "--lesson", "merging"])
    assert ended.value.code == 2
    assert "--lesson chooses a package: it needs --scorm." in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


def test_without_names_it_writes_every_chapter(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("lessons.press.scorm.package", lambda site, lesson: b"")
    app.main(["export", "--scorm", str(tmp_path)])
    chapters = {f"lora-{lesson.slug}.zip" for lesson in load_all() if lesson.is_chapter}
    assert {file.name for file in tmp_path.iterdir()} == chapters
