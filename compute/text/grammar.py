"""Small grammars: sentences drawn from rules, told apart by the same rules, and counted exactly."""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np

STOP = "."  # ends every sentence and stands nowhere else
START = "SENTENCE"


class Grammar:
    r"""Hold rules that make sentences, every choice of a rule being equally likely.

    Parameters
    ----------
    text : str
        One rule a line: NAME -> first choice | second choice. Names are in capitals; everything else is a word.
        The first rule is SENTENCE and all its choices end with a full stop. No rule leads back to itself, so a
        grammar makes finitely many sentences.

    Notes
    -----
    Where no sentence can be made in two ways, as in the grammars of `compute.text.voices` (a test enumerates them),
    the probability of a sentence is the product of 1 / (number of choices) along its making.

    References
    ----------
    Booth & Thompson 1973, doi:10.1109/T-C.1973.223746 (probabilities on the rules of a grammar).

    Examples
    --------
    >>> grammar = Grammar("SENTENCE -> the WHO sleeps . | the WHO runs .\n WHO -> dog | old dog")
    >>> sorted(" ".join(words) for words in grammar.sentences())[0]
    'the dog runs .'
    >>> grammar.probability("the old dog runs .".split()), grammar.probability("the old".split())
    (0.25, 0.5)
    """

    def __init__(self, text: str):
        lines = [line.split("->") for line in text.strip().splitlines()]
        self.rules = {
            name.strip(): [choice.split() for choice in choices.split("|")] for name, choices in lines
        }

    @cached_property
    def words(self) -> list[str]:
        """The words of the rules in reading order, each once."""
        choices = (choice for rule in self.rules.values() for choice in rule)
        return list(dict.fromkeys(word for choice in choices for word in choice if word not in self.rules))

    def translated(self, dictionary: Mapping[str, str]) -> "Grammar":
        """Return the grammar that says the same in other words; words not in the dictionary stay."""
        other = Grammar(f"{START} -> {STOP}")
        other.rules = {
            name: [[dictionary.get(word, word) for word in choice] for choice in rule]
            for name, rule in self.rules.items()
        }
        return other

    def sample(self, rng: np.random.Generator) -> list[str]:
        """Return the words of one sentence."""
        words: list[str] = []
        waiting = [START]
        while waiting:
            word = waiting.pop()
            rule = self.rules.get(word)
            if rule is None:
                words.append(word)
            else:
                waiting += reversed(rule[rng.integers(len(rule))] if len(rule) > 1 else rule[0])
        return words

    def probability(self, words: Sequence[str]) -> float:
        """Return the probability that a sentence begins with these words, 0 if none does."""
        return sum(share for rest, share in self._readings([START], words) if not rest)

    def sentences(self) -> Iterator[tuple[str, ...]]:
        """Yield every sentence, once for each way to make it."""
        yield from self._expansions([START])

    @cached_property
    def entropy(self) -> float:
        """Nats of choice in one sentence, on average."""
        return self._mean(START, lambda rule: math.log(len(rule)), lambda word: 0.0)

    @cached_property
    def length(self) -> float:
        """Words of one sentence with its full stop, on average."""
        return self._mean(START, lambda rule: 0.0, lambda word: 1.0)

    @cached_property
    def longest(self) -> int:
        """Words of the longest sentence with its full stop."""
        return self._longest(START)

    def _longest(self, name: str) -> int:
        rule = self.rules.get(name)
        return 1 if rule is None else max(sum(map(self._longest, choice)) for choice in rule)

    def _mean(self, name, of_choice, of_word) -> float:
        rule = self.rules.get(name)
        if rule is None:
            return of_word(name)
        parts = (self._mean(part, of_choice, of_word) for choice in rule for part in choice)
        return of_choice(rule) + sum(parts) / len(rule)

    def _readings(self, parts: Sequence[str], words: Sequence[str]) -> Iterator[tuple[Sequence[str], float]]:
        """Yield the words left over and the probability, for each way to read the words as these parts."""
        if not parts or not words:  # out of words: whatever follows is certain to be something
            yield words, 1.0
        elif (rule := self.rules.get(parts[0])) is not None:
            for choice in rule:
                for rest, share in self._readings([*choice, *parts[1:]], words):
                    yield rest, share / len(rule)
        elif parts[0] == words[0]:
            yield from self._readings(parts[1:], words[1:])

    def _expansions(self, parts: Sequence[str]) -> Iterator[tuple[str, ...]]:
        if not parts:
            yield ()
            return
        ends = list(self._expansions(parts[1:]))
        for choice in self.rules.get(parts[0], ()):
            for start in self._expansions(choice):
                yield from (start + end for end in ends)
        if parts[0] not in self.rules:
            yield from ((parts[0], *end) for end in ends)
