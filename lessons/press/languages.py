"""The catalogues: every text that a reader can meet, gathered for those who translate it.

`python -m lessons.press.languages` renews assets/languages/*.po after texts have changed (`make catalogues`), and
`python -m lessons.press.languages fr` begins another one. With `--whole` it fails where something is not translated:
who changes an English sentence need not know Spanish, but a release has all of it.

What is translated is found where it stands: the paragraphs of lessons, the words of instruments and of parts that run
on a server (public names in widgets/; a text of several lines is code), the labels of choices, the templates, and what
else is said by its own name, as say("...") or fill("...", ...). The translation of a text that has changed stays as a
guess (fuzzy), which is not shown before somebody has looked at it.
"""

import argparse
import ast
import importlib
import io
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract

from lessons import load_all
from lessons.press import panel, room_words
from lessons.press.blocks import PARTS, Cited, Lesson, Live, Notes, Prose, Try
from lessons.press.doors import FULL as NO_PLACE
from lessons.press.doors import MEANWHILE
from lessons.press.glossary import TERMS
from lessons.press.prose import CITATION, IN_FORMULA, message, paragraphs
from lessons.press.site import BESIDE, STORED
from widgets.kit.instrument import ROOT, SITE, Instrument
from widgets.kit.languages import FOLDER, codes, labelled
from widgets.kit.text import GAP

Found = Iterator[tuple[str, str]]  # messages, each with the place where it stands

CODE = re.compile(r"\$\$.*?\$\$|\$[^$]*\$|`[^`]*`|\[\[[^\]]*\]\]|\[@[^\]]*\]|%\(\w+\)s|<[^>]*>", re.DOTALL)
NAME = re.compile(r"[^\W\d]\w*[\d_]\w*(?:\.\w+)*|[\w/]+(?:\.\w+)+")  # lora_A, int4, adapter_config.json
SAME = frozenset(  # names that are the same in every language, as those in capitals are
    "lora dora rslora qlora adalora vera lora-xs lora-ga loftq loraconfig pissa bitfit adamw llama wikisql kb nats "
    "alpha english".split()
)
UNSAID = re.compile(r"_|.*(?:CODE|BOOT|TEXTS)")  # public names of what no reader reads, or only the model
DRAWN = frozenset(("kept", "kept second", "kept thin", "control-0", "control-1"))  # curves, not words


def translatable(text: str) -> bool:
    r"""Return whether a text has words of a language in it: not only numbers, names and code.

    >>> (
    ...     translatable("up to {r}"),
    ...     translatable("LoRA, r = {r}"),
    ...     translatable("a\nb"),
    ...     translatable("delta_w, {out:,d}"),
    ... )
    (True, False, False, False)
    """
    bare = NAME.sub(" ", GAP.sub(" ", CODE.sub(" ", text)))
    words = re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*", bare)
    told = any(len(word) > 1 and not word.isupper() and word.lower() not in SAME for word in words)
    return told and "\n" not in text and text not in DRAWN


@cache
def messages() -> dict[str, list[str]]:
    """Return every message with the places where it stands; made once, so do not write to it."""
    found: dict[str, list[str]] = {}
    for texts in (of_lessons(), of_glossary(), of_instruments(), of_rooms(), of_templates(), of_sources()):
        for text, place in texts:
            places = found.setdefault(text, [])
            if place not in places:
                places.append(place)
    return found


def of_lessons() -> Found:
    """Yield the texts of lessons."""
    for lesson in load_all():
        place = f"lessons/{lesson.slug}.py"
        for text in _texts(lesson):
            for paragraph in paragraphs(text):
                said = message(paragraph)
                if said.startswith("$$"):
                    yield from ((words, place) for words in IN_FORMULA.findall(said) if translatable(words))
                elif translatable(said.replace("\n", " ")) and not said.startswith("```"):
                    yield said, place
            yield from ((where, place) for _, where in CITATION.findall(text) if translatable(where))


def _texts(lesson: Lesson) -> Iterator[str]:
    yield from (lesson.title, lesson.question)
    for block in lesson.build():
        if isinstance(block, Prose | Try):
            yield block.text
        elif isinstance(block, Notes):
            yield block.title
        elif isinstance(block, Live):
            yield from (block.title, block.invitation, block.without)
    for question in lesson.questions:
        yield from question.texts()
    for each in lesson.corrections:
        yield from (each.story, each.truth)
    yield from lesson.teaching.texts() if lesson.teaching else ()
    for claim in lesson.claims.values():
        if isinstance(claim, Cited):
            yield from (claim.value, claim.place)


def of_glossary() -> Found:
    """Yield the words of the glossary with their forms, and what they mean."""
    for term in TERMS:
        yield term.message, "lessons/press/glossary.py"
        yield message(term.meaning), "lessons/press/glossary.py"


def leaves(value: Any) -> Iterator[str]:
    """Yield the texts within words; of two texts in a list of lists the first is a value, as `say_all` has it."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from (text for each in value.values() for text in leaves(each))
    elif is_dataclass(value) and not isinstance(value, type):
        yield from (text for each in fields(value) for text in leaves(getattr(value, each.name)))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from leaves(each[1] if labelled(each) else each)


def of_instruments() -> Found:
    """Yield the words of instruments and of parts that run on a server, and the labels of choices."""
    for path in sorted((ROOT / "widgets").glob("*/*.py")):
        place = path.relative_to(ROOT).as_posix()
        yield from ((text, place) for text in _public(path) if translatable(text))
    for kind in dict.fromkeys(kind for lesson in load_all() for kind in lesson.kinds.values()):
        yield from (
            (text, f"widgets/{kind.script}/__init__.py") for text in _choices(kind) if translatable(text)
        )


def _public(path: Path) -> Iterator[str]:
    """Yield the texts of the public names that a module gives to something; a word by itself only where WORDS are."""
    place = path.parent if path.name == "__init__.py" else path.with_suffix("")
    module = importlib.import_module(".".join(place.relative_to(ROOT).parts))
    for line in ast.parse(path.read_text(encoding="utf-8")).body:
        targets = line.targets if isinstance(line, ast.Assign) else [getattr(line, "target", None)]
        for name in (target.id for target in targets if isinstance(target, ast.Name)):
            if name.isupper() and not UNSAID.match(name):
                words = path.name == "words.py" or name.endswith(("WORDS", "HEAD", "LABELS"))
                if not words and path.parent.name not in ("kit", "live") and not name.endswith("NOTE"):
                    continue
                yield from (
                    text for text in leaves(getattr(module, name)) if words or " " in text or text.istitle()
                )


def _choices(kind: type[Instrument]) -> Iterator[str]:
    for rule in kind.schema().values():
        yield from (rule["label"], rule.get("allowed", ""), *(label for _, label in rule.get("options", ())))


def of_rooms() -> Found:
    """Yield what pages say that stands in Python beside the lessons."""
    words: tuple[Any, ...] = (PARTS, BESIDE, STORED, panel.GONE, *NO_PLACE, MEANWHILE)
    words += (room_words.REFUSED, room_words.OVER, room_words.ELSEWHERE, room_words.WORDS)
    yield from ((text, "lessons/press/") for text in leaves(words) if translatable(text))


def of_templates() -> Found:
    """Yield what templates say."""
    for path in sorted(SITE.glob("*.html")):
        for _, _, text, _ in babel_extract(io.BytesIO(path.read_bytes()), ("gettext",), (), {}):
            yield str(text), path.relative_to(ROOT).as_posix()


def of_sources() -> Found:
    """Yield what Python says by its own name."""
    for path in sorted([*(ROOT / "widgets").rglob("*.py"), *(ROOT / "lessons").rglob("*.py")]):
        for _, text, _, _ in extract("python", io.BytesIO(path.read_bytes()), {"say": None, "fill": (1,)}):
            if isinstance(text, str) and translatable(text):
                yield text, path.relative_to(ROOT).as_posix()


def catalogue(code: str) -> Catalog:
    """Return the catalogue of a language with all messages of today: its translations, or empty where it has none."""
    path = FOLDER / f"{code}.po"
    kept = read_po(io.BytesIO(path.read_bytes())) if path.exists() else Catalog(code, fuzzy=False)
    kept.project, kept.version = "LoRA, live", "1"
    kept.msgid_bugs_address = kept.last_translator = kept.language_team = ""
    begun = kept.creation_date
    today = Catalog(code)
    for text, places in messages().items():
        today.add(text, locations=[(place, 0) for place in places])
    kept.update(today)
    # A catalogue that is renewed and has nothing new stays as it is.
    kept.creation_date = kept.revision_date = begun
    return kept


def renew(code: str) -> int:
    """Write the catalogue of a language anew, and return how many of its messages are to be translated."""
    FOLDER.mkdir(exist_ok=True)
    made = catalogue(code)
    with (FOLDER / f"{code}.po").open("wb") as file:
        write_po(file, made, width=0, include_lineno=False, ignore_obsolete=True)
    missing = sum(1 for each in made if each.id and (not each.string or each.fuzzy))
    sys.stdout.write(f"assets/languages/{code}.po: {len(made)} messages, {missing} to translate\n")
    return missing


def main() -> None:
    """Renew catalogues."""
    parser = argparse.ArgumentParser(prog="make catalogues", description="Gather what there is to translate.")
    parser.add_argument(
        "codes", nargs="*", metavar="CODE", help="languages, such as fr; all that are there if none"
    )
    parser.add_argument("--whole", action="store_true", help="fail where something is not translated")
    given = parser.parse_args()
    missing = [renew(code) for code in given.codes or codes()]
    if given.whole and any(missing):
        sys.exit("A release says everything in every language.")


if __name__ == "__main__":
    main()
