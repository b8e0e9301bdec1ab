"""The language that is spoken: what its catalogue has for an English text, and how it writes numbers.

English is what the sources are written in, and needs no catalogue. Whoever makes something in another language does
so within `speaking`; all that is said there goes through `say`, as `fill` does by itself. A catalogue is a file of
gettext, assets/languages/<code>.po, whose messages are the English texts; `python -m lessons.press.languages` keeps it
whole.

Where the count decides the sentence, words.py has a key for one and a key for several, which fits every language of two
plural forms. One of more forms writes the second so that it fits all counts (“Examples learned: {count}”).
"""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar

if TYPE_CHECKING:
    from babel import Locale

P = ParamSpec("P")
T = TypeVar("T")
FOLDER = Path(__file__).resolve().parents[2] / "assets" / "languages"
NUMBER = re.compile(r"(\d[\d,]*)(?:\.(\d+))?(%?)")  # as Python's format() and d3-format write it

LEAST_GROUPED = {"es": 2}  # CLDR's minimumGroupingDigits, which Babel leaves out, where they are not 1

# When and on what something was recorded: compute/numbers/records.py writes it so, and figures tell it.
ON_A_CPU = "{date}, on one thread of a CPU with {cores} cores, torch {torch}"
RECORDED = re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[\\w.+-]+)", re.escape(ON_A_CPU)))


class Numbers(NamedTuple):
    """What stands in a number: before its decimals, between thousands, and behind a percentage.

    `grouped` is the least count of digits whose thousands are set apart (12.345 in Spanish, but 4096).
    """

    decimal: str = "."
    group: str = ","
    percent: str = "%"
    grouped: int = 4


PLAIN = Numbers()


@dataclass(frozen=True, eq=False)
class Language:
    """A language by its code, as `<html lang>` has it, with its name in itself and its messages by their English."""

    code: str
    name: str
    direction: str = "ltr"
    numbers: Numbers = PLAIN
    messages: Mapping[str, str] = field(default_factory=dict)


ENGLISH = Language("en", "English")
_spoken: ContextVar[Language] = ContextVar("language", default=ENGLISH)


def spoken() -> Language:
    """Return the language that is spoken here and now."""
    return _spoken.get()


@contextmanager
def speaking(language: Language) -> Iterator[None]:
    """Speak a language within this block."""
    before = _spoken.set(language)
    try:
        yield
    finally:
        _spoken.reset(before)


def codes() -> list[str]:
    """Return the codes of the languages that have a catalogue."""
    return sorted(path.stem for path in FOLDER.glob("*.po"))


def shipped() -> list[Language]:
    """Return English and all languages that have a catalogue."""
    return [ENGLISH, *map(language, codes())]


@cache
def language(code: str) -> Language:
    """Return a language that has a catalogue; raise ValueError if it has none."""
    if code == ENGLISH.code:
        return ENGLISH
    if code not in codes():
        raise ValueError(f"There is no language {code!r}. There are: {', '.join([ENGLISH.code, *codes()])}.")
    return Catalogued(code)


class Catalogued(Language):
    """A language with a catalogue, read when something is first said in it: until then it costs nothing.

    What the catalogue lacks, and what it holds only as a guess (fuzzy), is said in English.
    """

    def __init__(self, code: str):
        object.__setattr__(self, "code", code)

    @cached_property
    def _locale(self) -> "Locale":
        from babel import Locale

        return Locale.parse(self.code, sep="-")

    @cached_property
    def name(self) -> str:
        """Its name in itself."""
        return self._locale.display_name or self.code

    @cached_property
    def direction(self) -> str:
        """Which way it is written: ltr or rtl."""
        return self._locale.text_direction

    @cached_property
    def numbers(self) -> Numbers:
        """How it writes numbers, with the digits that all browsers and Python write."""
        symbols = self._locale.number_symbols["latn"]
        pattern = self._locale.percent_formats[None].pattern.lstrip("#,.0")
        percent = pattern.replace("%", symbols["percentSign"])
        return Numbers(symbols["decimal"], symbols["group"], percent, 3 + LEAST_GROUPED.get(self.code, 1))

    @cached_property
    def messages(self) -> Mapping[str, str]:
        """What it says for an English text."""
        from babel.messages.pofile import read_po

        with (FOLDER / f"{self.code}.po").open("rb") as file:
            found = read_po(file)
        return {
            str(each.id): str(each.string) for each in found if each.id and each.string and not each.fuzzy
        }


class Quoted(str):
    """Words of the model, or of a reader: the same in every language, also where the catalogue has such a word."""

    __slots__ = ()


def known(text: str) -> str | None:
    """Return what the catalogue of the language that is spoken has for an English text, or None."""
    if isinstance(text, Quoted):
        return None
    messages = spoken().messages
    if messages and (made := RECORDED.fullmatch(text)):
        return messages.get(ON_A_CPU, ON_A_CPU).format(**made.groupdict())
    return messages.get(text)


def say(text: str) -> str:
    """Return an English text in the language that is spoken; a number by itself is written as that writes it."""
    said = known(text)
    return said if said is not None else written(text) if NUMBER.fullmatch(text) else text


def in_this_language(hear: Callable[P, T]) -> Callable[P, T]:
    """Return a function, or a coroutine's, that is called later and speaks then what is spoken now."""
    now = spoken()
    if inspect.iscoroutinefunction(hear):

        @wraps(hear)
        async def heard_at_length(*given: P.args, **named: P.kwargs) -> Any:
            with speaking(now):
                return await hear(*given, **named)

        return heard_at_length  # type: ignore[return-value]  # a coroutine's, as what was given

    @wraps(hear)
    def heard(*given: P.args, **named: P.kwargs) -> T:
        with speaking(now):
            return hear(*given, **named)

    return heard


def say_all(value: Any) -> Any:
    """Return words, and lists and dictionaries of them, in the language that is spoken.

    Keys stay, and so does the first of two texts in a list of lists: that is a value, and the second its label.
    """
    if spoken() is ENGLISH:
        return value
    if isinstance(value, str):
        said = known(value)  # a number in it may have been written already
        return value if said is None else said
    if isinstance(value, Mapping):
        return {key: say_all(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [[each[0], say_all(each[1])] if labelled(each) else say_all(each) for each in value]
    return value


def labelled(value: Any) -> bool:
    """Return whether something in a list is a value with its label: two texts, of which only the second is said."""
    return (
        isinstance(value, list | tuple) and len(value) == 2 and all(isinstance(each, str) for each in value)
    )


def written(number: str) -> str:
    """Return a text in which Python wrote numbers with the numbers as the language that is spoken writes them.

    kit/text.js does the same.

    >>> with speaking(Language("es", "español", numbers=Numbers(",", ".", " %", 5))):
    ...     written("−4,096.5"), written("93.5%"), written("12,345")
    ('−4096,5', '93,5 %', '12.345')
    """
    numbers = spoken().numbers
    return number if numbers == PLAIN else NUMBER.sub(lambda found: _one(found, numbers), number)


def _one(found: re.Match, numbers: Numbers) -> str:
    whole, decimals, percent = found.groups()
    few = len(whole.replace(",", "")) < numbers.grouped
    return (
        whole.replace(",", "" if few else numbers.group)
        + (numbers.decimal + decimals if decimals else "")
        + (numbers.percent if percent else "")
    )


def kept(most: int | None = None) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Keep what a function returns, as functools.lru_cache does, for each language that is spoken."""

    def keeping(function: Callable[P, T]) -> Callable[P, T]:
        made: Callable[..., T] = function
        known: Callable[..., T] = lru_cache(most)(lambda _, *given, **named: made(*given, **named))

        @wraps(function)
        def asked(*given: P.args, **named: P.kwargs) -> T:
            return known(spoken(), *given, **named)

        return asked

    return keeping
