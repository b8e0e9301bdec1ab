"""Each word of the glossary opens its meaning where a lesson first uses it, once, and nowhere else."""

import re

import pytest

from helpers.prose import Page, misspelled, shown_markup, typed_numbers
from helpers.site import published
from lessons import load_all
from lessons.press.glossary import TERMS, Glossary, anchor, told

SITE = published()
OPENING = re.compile(r'<button type="button" class="term" popovertarget="([^"]*)">([^<]*)</button>')


def opened(html: str) -> list[tuple[str, str]]:
    return OPENING.findall(Glossary().mark(html))


def test_a_word_opens_its_meaning_at_its_first_use_in_any_form():
    html = "<p>Finetuning a model, <code>lora_A</code>, a finetuned one and lora_A.</p>"
    assert opened(html) == [("term-finetune", "Finetuning"), ("term-lora_a", "lora_A")]
    assert Page(Glossary().mark(html)).faults == []


def test_the_longest_form_counts_and_a_part_of_a_word_does_not():
    assert opened("<p>full finetuning</p>") == [("term-full-finetuning", "full finetuning")]
    assert opened("<p>prefinetuned, finetune-like, lora_A2, Frank</p>") == []


@pytest.mark.parametrize("inside", ["a", "h2", "math", "button", "pre"])
def test_where_something_else_happens_no_word_opens(inside):
    assert opened(f"<{inside}>rank</{inside}> <p>rank</p>") == [("term-rank", "rank")]
    assert Glossary().mark(f"<{inside}>rank</{inside}>") == f"<{inside}>rank</{inside}>"


def test_words_have_places_of_their_own_and_meanings_without_fault():
    forms = [form for term in TERMS for form in (term.word, *term.forms)]
    assert len({anchor(term) for term in TERMS}) == len(TERMS)
    assert len(set(forms)) == len(forms)
    for term in TERMS:
        assert term.meaning.endswith(".")
        assert typed_numbers(term.meaning) == []
        assert misspelled(term.meaning) == []
        meaning = told(term)["meaning"]
        assert Page(meaning).faults == shown_markup(meaning) == []


@pytest.mark.parametrize("lesson", load_all(), ids=lambda lesson: lesson.slug)
def test_no_lesson_uses_a_word_before_it_can_be_opened(lesson):
    # Seen from the finished page: of each form, what comes first in prose stands in a button.
    page = SITE.read(f"lesson/{lesson.slug}.html").decode()
    assert "popovertarget" in page
    places = [each["id"] for each in Page(page).all("div") if "popover" in each]
    targets = [target for target, _ in OPENING.findall(page)]
    assert sorted(targets) == sorted(places)
    assert len(set(targets)) == len(targets)
    bare = re.sub(
        r"<(a|h[1-6]|math|button|pre)\b.*?</\1>", lambda tag: " ‹" + tag[0][:7] + "› ", page, flags=re.DOTALL
    )
    for block in re.findall(r'<div class="(?:prose|try)[^"]*">.*?</div>', bare, re.DOTALL):
        left = {target for target, _ in opened(block)}
        assert left <= set(targets)


def test_the_page_of_words_has_all_of_them_and_the_lessons_that_use_them():
    page = Page(SITE.read("glossary.html").decode())
    assert {anchor(term) for term in TERMS} <= {each.get("id") for each in page.all("div")}
    unused = [
        term.word
        for term in TERMS
        if not any(anchor(term) in SITE.read(f"lesson/{lesson.slug}.html").decode() for lesson in load_all())
    ]
    assert unused == [], "a word that no lesson uses"
