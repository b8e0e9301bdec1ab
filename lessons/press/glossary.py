"""The words of the course, each told once: where a lesson first uses one, it opens its meaning."""

import html
import re
from collections.abc import Iterator
from typing import NamedTuple

from lessons.press.prose import to_html
from widgets.kit.languages import kept, say


class Term(NamedTuple):
    """A word, its other forms, and what it means; Markdown."""

    word: str
    meaning: str
    forms: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        """Return the word and its forms as catalogues have them: a language has forms of its own."""
        return f"{self.word}: {', '.join(self.forms)}".rstrip()

    def said(self) -> tuple[str, ...]:
        """Return the word and then its forms, in the language that is spoken."""
        word, _, forms = say(self.message).partition(":")
        return word, *(form.strip() for form in forms.split(",") if form.strip())


TERMS = (
    # What is changed.
    Term(
        "finetune",
        "To train a model that has been trained before a little further, on texts of one's own.",
        ("finetuning", "finetuned", "finetunes"),
    ),
    Term(
        "full finetuning",
        "Finetuning in which every number of the model may change: what LoRA is compared with.",
    ),
    Term(
        "base",
        "The model as it was before it was finetuned. With LoRA its weights stay as they are.",
        ("base model",),
    ),
    Term(
        "weights",
        "The numbers of a model that training sets. Most of them stand in matrices, one in each linear "
        "layer.",
        ("weight matrix", "weight matrices", "weight"),
    ),
    Term(
        "linear layer",
        "A part of a model that multiplies its input by a matrix of weights: $y = W x$.",
        ("linear layers",),
    ),
    Term("frozen", "Kept as it is while other numbers are trained."),
    Term(
        "transformer",
        "The kind of network that most language models are: blocks of attention and MLP, one after the other.",
        ("transformers",),
    ),
    Term(
        "token",
        "A piece of text that the model reads or writes as one. In our small model it is a word or a mark.",
        ("tokens",),
    ),
    Term(
        "embeddings",
        "The list of numbers with which a model begins to read: a row for each word that it knows. A second such list "
        "stands at its end, by which it chooses the word that it says.",
        ("embedding",),
    ),
    Term(
        "attention",
        "The part of a block in which each word looks back at the words before it and takes over what "
        "it needs from them.",
    ),
    Term(
        "query",
        "Attention makes three lists of numbers of each word: a query, what it looks for; a key, what others "
        "find it by; a value, what they take from it.",
        ("queries", "key and value", "query, key and value"),
    ),
    Term(
        "q_proj",
        "The matrix that makes the queries of attention; k_proj makes its keys, v_proj its values, and o_proj "
        "mixes what the heads have found.",
        ("k_proj", "v_proj", "o_proj"),
    ),
    Term(
        "MLP",
        "The part of a block that works on each word by itself: up_proj makes the list of numbers longer, a smooth "
        "bend holds the negative ones back, down_proj makes it short again.",
        ("up_proj", "down_proj"),
    ),
    # What training does.
    Term(
        "loss",
        "How badly the model guesses the next word, on average: minus the logarithm of the chance that it gave "
        "to the right one.",
        ("losses",),
    ),
    Term(
        "nats",
        "The unit of the loss, when the logarithm is the natural one. One nat less means that the right "
        "word was given $e$ times the chance.",
        ("nat",),
    ),
    Term(
        "gradient",
        "How the loss would change with each number of the model: training steps against it.",
        ("gradients",),
    ),
    Term("learning rate", "How far one step of training goes.", ("learning rates",)),
    Term(
        "seed",
        "The number from which all chance in an experiment is drawn. The same seed gives the same run.",
    ),
    Term(
        "optimiser",
        "The rule that makes a step of the gradients. AdamW, the usual one, gives each number a step size of its own, "
        "from the gradients that it has had; SGD, the plainest, takes the gradient times the learning rate.",
        ("AdamW", "SGD"),
    ),
    Term(
        "validation",
        "Texts that are kept apart to choose by, a learning rate for instance. What is reported comes from "
        "a third kind, the test texts.",
    ),
    Term(
        "batch",
        "The texts that go through a model together, in a step of training or a pass of a server.",
        ("batches",),
    ),
    # What LoRA adds.
    Term(
        "adapter",
        "What is added to a model and trained in its place. Of LoRA: a pair of thin matrices in each chosen "
        "layer.",
        ("adapters",),
    ),
    Term(
        "delta_w",
        "What finetuning adds to a matrix of weights: the new one minus the old. With LoRA it is lora_B times lora_A, "
        "times the scaling.",
    ),
    Term("lora_A", "The first thin matrix of a pair: it reads the input, and has $r$ rows."),
    Term("lora_B", "The second thin matrix of a pair: it writes to the output, and has $r$ columns."),
    Term(
        "alpha",
        "The number by which a run's strength is set: delta_w is multiplied by alpha over $r$, or by alpha over "
        "the root of $r$.",
    ),
    Term(
        "scaling",
        "What the product of the two thin matrices is multiplied by: alpha over $r$, or with rsLoRA alpha over "
        "the root of $r$.",
    ),
    Term(
        "merge",
        "To add delta_w to the weights for good, so that the layer costs no more than before.",
        ("merged", "merging"),
    ),
    Term("PEFT", "The library in which most adapters are trained and kept, `peft` of Hugging Face."),
    Term("rsLoRA", "LoRA with the scaling alpha over the root of $r$, in place of alpha over $r$."),
    # What a matrix is made of.
    Term("rank", "How many patterns, a column times a row each, it takes to build a matrix.", ("ranks",)),
    Term(
        "singular value",
        "The strength of one pattern of a matrix, when the patterns are chosen as well as they can be.",
        ("singular values",),
    ),
    Term(
        "singular value decomposition",
        "A matrix written as a sum of patterns at right angles to each other, from the strongest to the "
        "weakest.",
    ),
    Term("spectrum", "The singular values of a matrix, from the largest to the smallest.", ("spectra",)),
    Term(
        "energy",
        "The share of a matrix that its first patterns hold, counted in squares: the sum of their squared "
        "singular values over the sum of all.",
    ),
    Term(
        "relative error",
        "The length of what a copy misses over the length of the matrix. It is the root of one minus "
        "the energy.",
    ),
    Term("residual", "What is left when a copy is taken from a matrix: what the copy misses."),
    Term(
        "noise",
        "A matrix of independent random numbers: the control that says how much any matrix would show.",
    ),
    Term(
        "break-even rank",
        "The rank from which on two thin matrices hold no fewer numbers than the thick one.",
    ),
    Term("knee", "The smallest rank that is good enough, by an error that is stated."),
    Term("r90", "How many patterns it takes to hold nine tenths of the energy.", ()),
    Term(
        "stable_rank",
        "A smooth count of patterns: the sum of the squared singular values over the square of the largest.",
    ),
    Term(
        "entropy_rank",
        "Another smooth count of patterns, by how evenly the squared singular values are spread.",
    ),
    Term("tolerance", "The error that one is ready to accept."),
    Term(
        "cosine",
        "How alike two directions are: one if they are the same, zero at right angles. Of two matrices it is that of "
        "all their numbers, taken as two long lists.",
        ("cosines",),
    ),
    Term(
        "random twin",
        "A run that is like another in everything, except that what it is to learn is drawn by lot.",
        ("random twins",),
    ),
    Term(
        "intrinsic dimension",
        "The smallest number of dimensions of a random subspace of all weights in which a task is still learned.",
    ),
    Term("amplification", "The norm of delta_w over that of what W has in the same directions."),
    Term(
        "intruder dimension",
        "A strong direction of finetuned weights that resembles none of the base's.",
        ("intruder dimensions", "intruders"),
    ),
    # What it costs, and what else there is.
    Term(
        "multiply-accumulate",
        "One multiplication and the addition of its result: the unit in which work is counted.",
        ("multiply-accumulates",),
    ),
    Term(
        "quantise",
        "To store numbers in few bits: each is rounded to one of a few levels, which a scale stretches.",
        ("quantised", "quantising", "quantisation"),
    ),
    Term(
        "bf16",
        "A format of sixteen bits for a number. `fp16` has as many, keeps more digits and reaches less far; `fp32` has "
        "twice as many.",
        ("fp16", "fp32"),
    ),
    Term(
        "NF4", "A format of four bits for each weight whose levels are spaced as normal numbers are spread."
    ),
    Term("QLoRA", "LoRA on a base that is stored in four bits."),
    Term("DoRA", "A variant of LoRA that trains the length of each row of weights apart from its direction."),
    Term(
        "AdaLoRA", "A variant of LoRA that gives each layer a rank of its own, by switching off directions."
    ),
    Term(
        "soft prompt",
        "A row of learned vectors that stands before the words, in place of a change of weights.",
        ("soft prompts",),
    ),
    Term("forgetting", "What the base could do and the finetuned model no longer can."),
    Term(
        "floor",
        "The loss of a reader who knows the rule by which the texts were made: no model can do better.",
    ),
)

SKIPPED = re.compile(r"a|h[1-6]|math|button|pre|dt|summary")  # in these no meaning opens
TAG = re.compile(r"(<[^>]*>)")


def anchor(term: Term) -> str:
    """Return the name of a term's place on a page."""
    return "term-" + re.sub(r"\W+", "-", term.word.lower())


@kept()
def _forms() -> tuple[dict[str, Term], re.Pattern]:
    forms = {form: term for term in TERMS for form in term.said()}
    longest = sorted(forms, key=len, reverse=True)
    either = "|".join(f"[{form[0].upper()}{form[0]}]{re.escape(form[1:])}" for form in longest)
    return forms, re.compile(rf"(?<![\w-])(?:{either})(?![\w-])")


class Glossary:
    """The terms that a page has used so far."""

    def __init__(self) -> None:
        self.opened: dict[Term, None] = {}

    def mark(self, page: str) -> str:
        """Return prose as HTML in which each word that the page has not had yet opens its meaning."""
        return "".join(self._marked(page))

    def _marked(self, page: str) -> Iterator[str]:
        inside = 0
        for piece in TAG.split(page):
            if piece.startswith("<"):
                name = piece.strip("</>").split()[0] if piece.strip("</>") else ""
                if SKIPPED.fullmatch(name):
                    inside += -1 if piece.startswith("</") else 1
                yield piece
            else:
                yield piece if inside else _forms()[1].sub(self._opening, piece)

    def _opening(self, found: re.Match) -> str:
        forms, _ = _forms()
        term = forms.get(found[0]) or forms[found[0][0].lower() + found[0][1:]]
        if term in self.opened:
            return found[0]
        self.opened[term] = None
        return f'<button type="button" class="term" popovertarget="{anchor(term)}">{found[0]}</button>'

    def meanings(self) -> list[dict[str, str]]:
        """Return the terms that were marked, as a template needs them."""
        return [told(term) for term in self.opened]


def told(term: Term) -> dict[str, str]:
    """Return a term as a template needs it."""
    return {"id": anchor(term), "word": html.escape(term.said()[0]), "meaning": to_html(term.meaning, {})}
