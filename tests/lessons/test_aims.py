"""What the Journal of Open Source Education asks of a learning module: the page that answers, and the article."""

from __future__ import annotations

import re

import pytest
import yaml

from helpers import ROOT
from helpers.prose import Page
from helpers.site import published
from lessons import load_all
from lessons.press.prose import to_inline
from lessons.press.sources import SOURCES

# The journal's checklist for reviewers: where the page answers each of its points.
ASKED = {
    "A statement of need": "need",
    "who the target audience is": "audience",
    "Learning objectives": "objectives",
    "Content scope and length": "scope",
    "Pedagogy, cognitive load": "pedagogy",
    "Instructional design": "design",
    "Usage: how someone would adopt the module": "teaching",
    "License": "licence",
    "Installation instructions, community guidelines": "contribute",
}
PAPER = (ROOT / "paper" / "paper.md").read_text(encoding="utf-8")
_, HEAD, TEXT = PAPER.split("---\n", 2)
BIB = (ROOT / "paper" / "paper.bib").read_text(encoding="utf-8")
ENTRY = re.compile(r"^@\w+\{(\w+),\n(.*?)^\}", re.MULTILINE | re.DOTALL)
FIELD = re.compile(r"^  (\w+) = \{(.*?)\},?$", re.MULTILINE | re.DOTALL)
ENTRIES = {key: dict(FIELD.findall(text)) for key, text in ENTRY.findall(BIB)}


@pytest.fixture(scope="module")
def aims() -> str:
    return published().read("aims.html").decode()


def test_every_point_of_the_journals_checklist_has_a_section(aims):
    assert re.findall(r'<h2 id="(\w+)">', aims) == [*ASKED.values()]


def test_the_objectives_are_those_of_every_chapter(aims):
    said = Page(aims).text()
    for lesson in load_all():
        if lesson.is_chapter:
            for goal in lesson.teaching.goals:
                assert Page(to_inline(goal, lesson.claims)).text() in said


def test_what_is_counted_is_counted(aims):
    lessons = load_all()
    chapters = [lesson for lesson in lessons if lesson.is_chapter]
    figures = sum(len(lesson.figures()) for lesson in lessons)
    questions = sum(len(lesson.questions) for lesson in lessons)
    said = Page(aims).text()
    assert f"One story in {len(chapters)} chapters" in said
    assert f"with {figures} figures and {questions} questions" in said
    assert f"at most {max(len(lesson.figures()) for lesson in chapters)} figures" in said


def test_what_the_page_names_of_the_source_is_there(aims):
    for name in re.findall(r"<code>([\w./]+\.md)</code>", aims):
        assert (ROOT / name).is_file(), name
    assert (ROOT / "LICENSE").is_file()
    assert (ROOT / "lessons" / "LICENSE").is_file()


def test_the_article_has_the_journals_form():
    head = yaml.safe_load(HEAD)
    assert {"title", "tags", "authors", "affiliations", "date", "bibliography"} == head.keys()
    assert head["bibliography"] == "paper.bib"
    known = {each["index"] for each in head["affiliations"]}
    assert all(each["affiliation"] in known for each in head["authors"])
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert [each["name"] for each in head["authors"]] == [each["name"] for each in cited["authors"]]
    for heading in (
        "Summary",
        "Statement of need",
        "Content and sequence",
        "Instructional design",
        "Use in teaching",
    ):
        assert f"\n# {heading}\n" in TEXT
    assert TEXT.rstrip().endswith("# References")
    assert 250 <= len(TEXT.split()) <= 1000, "what the journal asks for"


def test_the_article_cites_what_its_bibliography_has_as_the_lessons_do():
    assert {*re.findall(r"@(\w+)", TEXT)} == ENTRIES.keys()
    for key, entry in ENTRIES.items():
        source = SOURCES[key]
        assert (entry["title"].strip("{}"), int(entry["year"])) == (source.title, source.year)
        assert entry.get("url", source.url) == source.url
        named = entry.get("doi", "").removeprefix("10.48550/arXiv.")
        assert named in source.url, "an article has a DOI, what is no article has the address"
        assert entry["author"].split(",")[0] == re.split(r", | et al\.| and ", source.authors)[0]
