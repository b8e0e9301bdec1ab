"""Match the patterns of a config, which are a stranger's regular expressions, in time that a file cannot stretch.

Python's own engine tries one way after the other: (a+)+b on thirty letters takes longer than anyone waits. Here all
ways are followed at once, as Thompson did it, and each character of the name is looked at once.
"""

from collections.abc import Callable
from functools import lru_cache

MAX_PATTERN = 500  # characters; PEFT's own examples have fewer than 60
MAX_STEPS = 5000  # of the program that a pattern becomes: repeats in braces are written out
MAX_DEPTH = 50  # of parentheses
CLASSES: dict[str, Callable[[str], bool]] = {
    "d": str.isdecimal,
    "w": lambda c: c.isalnum() or c == "_",
    "s": str.isspace,
}
SPECIAL = "\\.^$*+?{}[]()|"

# A program is a list of steps: a function takes a character, ("split", i, j) goes on in two places, ("jump", i) in one,
# ("start",) and ("end",) hold at the ends of the name.
Step = Callable[[str], bool] | tuple
Program = list[Step]


@lru_cache(512)
def compiled(pattern: str) -> tuple[Step, ...]:
    r"""Return the program that a pattern becomes.

    Parameters
    ----------
    pattern : str
        Literals, ., classes, groups, alternatives, ^, $ and the repeats *, +, ? and {m,n}.

    Returns
    -------
    tuple of steps
        For `matches`. Its length is proportional to that of the pattern with repeats written out.

    Raises
    ------
    ValueError
        If the pattern is no regular expression, longer than 500 characters, or needs what cannot be followed at once:
        references back, and conditions on what stands before or after.

    References
    ----------
    Thompson 1968, doi:10.1145/363347.363387.

    Examples
    --------
    >>> len(compiled("q_proj"))
    6
    >>> compiled(r"(a)\1")
    Traceback (most recent call last):
    ValueError: the pattern '(a)\\1' of the config cannot be tried: \1 is not known here.
    """
    if len(pattern) > MAX_PATTERN:
        raise ValueError(
            f"the pattern {pattern[:20]!r} of the config has more than {MAX_PATTERN} characters."
        )
    try:
        program, place = _alternatives(pattern, 0, 0)
    except IndexError:
        raise _fault(pattern, "it ends too early") from None
    if place < len(pattern):
        raise _fault(pattern, "a parenthesis is closed that was not opened")
    return tuple(program)


def matches(pattern: str, name: str) -> bool:
    r"""Return whether a pattern matches the end of a name, from its start or from a full stop on.

    Parameters
    ----------
    pattern : str
        A regular expression.
    name : str
        Name of a layer.

    Returns
    -------
    bool
        As re.match(rf"(.*\.)?({pattern})$", name) would say, which is PEFT's rule.

    Raises
    ------
    ValueError
        If the pattern cannot be tried (`compiled`).

    Notes
    -----
    All places of the program that can be reached are kept together as a set, and each character moves them on. Cost:
    O(characters * steps), whatever the pattern.

    References
    ----------
    Thompson 1968, doi:10.1145/363347.363387; huggingface/peft 0.21.2, src/peft/utils/other.py, get_pattern_key.

    Examples
    --------
    >>> matches(r"layers\.[0-3]\..*", "model.layers.2.self_attn.q_proj"), matches("q", "h.0.q_proj")
    (True, False)
    >>> matches("(a+)+b", "a" * 100)
    False
    """
    program = compiled(pattern)
    places: set[int] = set()
    for i in range(len(name) + 1):
        if i == 0 or name[i - 1] == ".":
            _reach(program, 0, i, len(name), places)
        if i == len(name):
            break
        moved: set[int] = set()
        for place in places:
            step = program[place] if place < len(program) else None
            if callable(step) and step(name[i]):
                _reach(program, place + 1, i + 1, len(name), moved)
        places = moved
    return len(program) in places


def _reach(program: tuple[Step, ...], place: int, i: int, size: int, places: set[int]) -> None:
    """Add all places that are reached without a character."""
    waiting = [place]
    while waiting:
        place = waiting.pop()
        if place in places:
            continue
        places.add(place)
        step = program[place] if place < len(program) else None
        if not isinstance(step, tuple):
            continue
        if step[0] in ("split", "jump"):
            waiting += [place + away for away in step[1:]]
        elif (step[0] == "start" and i == 0) or (step[0] == "end" and i == size):
            waiting.append(place + 1)


def _fault(pattern: str, why: str) -> ValueError:
    return ValueError(f"the pattern {pattern[:20]!r} of the config cannot be tried: {why}.")


def _alternatives(pattern: str, place: int, depth: int) -> tuple[Program, int]:
    if depth > MAX_DEPTH:
        raise _fault(pattern, "its parentheses are too deep")
    program, place = _sequence(pattern, place, depth)
    if place < len(pattern) and pattern[place] == "|":
        other, place = _alternatives(pattern, place + 1, depth)
        # The steps go on by distances, so that parts can be put together as they are.
        program = [("split", 1, len(program) + 2), *program, ("jump", len(other) + 1), *other]
    return program, place


def _sequence(pattern: str, place: int, depth: int) -> tuple[Program, int]:
    program: Program = []
    while place < len(pattern) and pattern[place] not in "|)":
        part, place = _atom(pattern, place, depth)
        while place < len(pattern) and pattern[place] in "*+?{":
            part, place = _repeat(pattern, part, place)
        program += part
        if len(program) > MAX_STEPS:
            raise _fault(pattern, "it is too long when repeats are written out")
    return program, place


def _repeat(pattern: str, part: Program, place: int) -> tuple[Program, int]:
    mark = pattern[place]
    if mark == "{":
        end = pattern.find("}", place)
        low, _, high = pattern[place + 1 : end].partition(",")
        many = "," in pattern[place:end] and not high
        least = int(low) if low.isdecimal() and len(low) < 4 else -1
        most = (
            least
            if "," not in pattern[place:end] or many
            else int(high)
            if high.isdecimal() and len(high) < 4
            else -1
        )
        if end < 0 or least < 0 or most < least or (most + 1) * (len(part) + 2) > MAX_STEPS:
            raise _fault(pattern, "a repeat in braces is not understood, or too long")
        place = end
        optional: Program = []
        for _ in range(most - least):
            optional = [("split", 1, len(part) + len(optional) + 1), *part, *optional]
        program = part * least + (_star(part) if many else optional)
    elif mark == "*":
        program = _star(part)
    elif mark == "+":
        program = [*part, ("split", -len(part), 1)]
    else:
        program = [("split", 1, len(part) + 1), *part]
    if place + 1 < len(pattern) and pattern[place + 1] == "?":  # as little as possible: the same in the end
        place += 1
    return program, place + 1


def _star(part: Program) -> Program:
    return [("split", 1, len(part) + 2), *part, ("jump", -len(part) - 1)]


def _atom(pattern: str, place: int, depth: int) -> tuple[Program, int]:
    mark = pattern[place]
    if mark == "(":
        start = place + 1
        if pattern[start : start + 1] == "?":
            if pattern[start : start + 2] != "?:":
                raise _fault(pattern, f"{pattern[place : place + 4]} is not known here")
            start += 2
        program, place = _alternatives(pattern, start, depth + 1)
        if pattern[place] != ")":
            raise _fault(pattern, "a parenthesis is not closed")
        return program, place + 1
    if mark == "[":
        return _class(pattern, place + 1)
    if mark == "\\":
        return [_escaped(pattern, pattern[place + 1])], place + 2
    if mark == ".":
        return [lambda c: c != "\n"], place + 1
    if mark in "^$":
        return [("start",) if mark == "^" else ("end",)], place + 1
    if mark in "*+?":
        raise _fault(pattern, "there is nothing to repeat")
    return [mark.__eq__], place + 1


def _escaped(pattern: str, mark: str) -> Callable[[str], bool]:
    if mark in CLASSES:
        return CLASSES[mark]
    if mark.lower() in CLASSES:
        inner = CLASSES[mark.lower()]
        return lambda c: not inner(c)
    if mark.isalnum():
        raise _fault(pattern, f"\\{mark} is not known here")
    return mark.__eq__


def _class(pattern: str, place: int) -> tuple[Program, int]:
    turned = pattern[place] == "^"
    place += turned
    tests: list[Callable[[str], bool]] = []
    first = True
    while first or pattern[place] != "]":
        first = False
        low = pattern[place]
        if low == "\\":
            tests.append(_escaped(pattern, pattern[place + 1]))
            place += 2
        elif pattern[place + 1] == "-" and pattern[place + 2] not in "]\\":
            high = pattern[place + 2]
            tests.append(lambda c, low=low, high=high: low <= c <= high)  # type: ignore[misc]
            place += 3
        else:
            tests.append(low.__eq__)
            place += 1
    return [lambda c: any(test(c) for test in tests) != turned], place + 1
