"""The world in JavaScript, in a Worker: texts, questions and judgements are those of Python, bit for bit."""

from __future__ import annotations

import random
from collections import Counter
from types import SimpleNamespace

import pytest
import torch

from compute.training import answers
from compute.training.answers import known, last_story, samples, share_told, shares
from compute.world import batches
from compute.world.batches import Texts, texts_of, windows
from compute.world.dice import WORD, Dice
from compute.world.people import ATTRIBUTES, facts, new_people, old_people
from compute.world.stories import (
    EVERY_STORY_QUESTION,
    FACT_QUESTIONS,
    SPLITS,
    TOLD,
    Source,
)
from compute.world.tasks import ANSWERING, FACTS, NEW_WORDS, SKILL, TASKS, TELLING, asked, examples, new_facts
from compute.world.texts import Asked, judged, of_facts, questions, state_after, write
from compute.world.tokens import decode, encode, readable, vocab_size, words_of
from compute.world.voices import MIRROR, SLOTS, VALUES, VOICES, understood, vocabulary
from helpers import ROOT

LENGTH = 64
BUNDLE = ROOT / "assets" / "bundles" / "worker.js"
IN_A_WORKER = """source => {
  const blob = new Blob([source], { type: 'text/javascript' })
  window.worker = new Worker(URL.createObjectURL(blob))
}"""
SEEDS = [
    (),
    (0,),
    (WORD - 1,),
    (WORD // 2,),
    (7, 3),
    (1, 2, 3),
    (WORD - 1, WORD - 1, WORD - 1),
    (0, 20_000_000),
]
SIDES = [
    1,
    2,
    3,
    6,
    16,
    1000,
    WORD // 2 + 1,
    3 * (WORD // 4),
    WORD - 1,
    WORD,
]  # the large ones throw again often
MANY = 200
SOURCES = [
    *({"split": split} for split in SPLITS),
    *({"voices": [voice], "questions": [*EVERY_STORY_QUESTION]} for voice in VOICES),
    {"voices": ["legal", MIRROR, "rude"], "split": "test", "private": False},
    {"stories": 0, "facts": 1, "people": new_people()[:5]},
    {"stories": 1, "facts": 0, "questions": ["first place"], "split": "validation"},
]


@pytest.fixture(scope="module")
def world(browser):
    """Give a Worker that holds the bundle and nothing else."""
    page = browser.new_page()
    with page.expect_worker() as started:
        page.evaluate(IN_A_WORKER, BUNDLE.read_text(encoding="utf-8"))
    yield started.value
    page.close()


def source_of(given: dict) -> Source:
    """Return the source of what JavaScript is given."""
    return Source(
        **{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    )


def sent(given: dict) -> dict:
    """Return a source's choices as JavaScript takes them."""
    people = [each._asdict() for each in given.get("people", ())]
    return given | ({"people": people} if people else {})


def flat(texts: Texts) -> dict:
    """Return texts as they lie in the page's memory."""
    learned = None if texts.learned is None else texts.learned.int().flatten().tolist()
    n, T = texts.tokens.shape
    return {"n": n, "T": T, "tokens": texts.tokens.flatten().tolist(), "learned": learned}


FLAT = """(({ n, T, tokens, learned }) => {
  if (!(tokens instanceof Uint16Array) || !(learned === null || learned instanceof Uint8Array)) throw 'the kind'
  return { n, T, tokens: [...tokens], learned: learned && [...learned] }
})"""


def plain(found) -> list:
    """Return questions or judgements as JavaScript's objects come back."""
    return [
        {name: [*value] if isinstance(value, tuple) else value for name, value in each._asdict().items()}
        for each in found
    ]


def chance(rng: random.Random, voice: str) -> list[str]:
    """Return a text in which a few words, at places drawn by chance, are others, missing, twice or unknown."""
    source = Source((voice,), rng.choice([*SPLITS]), questions=EVERY_STORY_QUESTION)
    words = write(source, rng.randrange(1, 2 * LENGTH), Dice(rng.randrange(WORD)))
    families = [*SLOTS.values(), *VALUES.values()]
    for place in reversed(range(len(words))):
        if rng.random() > 0.06:
            continue
        alike = [some for some in families if words[place] in some]
        other = rng.choice([*rng.choice(alike), *SLOTS["P"]] if alike else vocabulary())
        words[place : place + 1] = rng.choice(
            [
                [other],
                [other],
                [other],
                [],
                [words[place]] * 2,
                [rng.choice(["quark", "constructor", "né?", "4"])],
            ]
        )
    return words


@pytest.fixture(scope="module")
def broken() -> list[list[str]]:
    """Give texts of every voice that chance has changed, an empty one, and words at random."""
    rng = random.Random(0)
    texts = [chance(rng, voice) for voice in VOICES for _ in range(30)]
    return [[], *texts, *(rng.choices(vocabulary(), k=LENGTH) for _ in range(10))]


def test_the_dice_fall_alike(world):
    thrown = """([seeds, sides, many]) => seeds.map((each) => {
      const dice = new lora_worker.Dice(...each)
      const some = Array.from({ length: many }, (_, i) => i)
      return [
        some.map(() => dice.throw()),
        sides.map((n) => some.map(() => dice.below(n))),
        some.map(() => dice.weighed([0, 3, 2, 0, 7])),
        some.map(() => dice.pick('abcdefg')),
        dice.shuffled(some),
      ]
    })"""
    found = world.evaluate(thrown, [SEEDS, SIDES, MANY])
    for seeds, one in zip(SEEDS, found, strict=True):
        dice, some = Dice(*seeds), range(MANY)
        assert one == [
            [dice.throw() for _ in some],
            [[dice.below(n) for _ in some] for n in SIDES],
            [dice.weighed([0, 3, 2, 0, 7]) for _ in some],
            [dice.pick("abcdefg") for _ in some],
            dice.shuffled(some),
        ], seeds


def test_a_throw_that_would_favour_small_numbers_does_not_count(world):
    """The first throw t of a seed is the first that does not count where it is to be below t, if t > 2**31."""
    sides = {seed: Dice(seed).throw() for seed in range(40)}
    unfair = [[seed, n] for seed, n in sides.items() if n > WORD // 2]
    found = world.evaluate("all => all.map(([seed, n]) => new lora_worker.Dice(seed).below(n))", unfair)
    assert found == [Dice(seed).below(n) for seed, n in unfair]
    assert len(unfair) > 10
    assert 0 not in found, "what is left of t by t"


def test_the_people_and_what_lasts_of_them_are_the_same(world):
    people = """([attributes]) => ['oldPeople', 'newPeople'].map((some) => lora_worker[some].map((person) => [
      person.first, person.last, ...attributes.map((attribute) => lora_worker.factOf(person, attribute)),
    ]))"""
    assert world.evaluate(people, [ATTRIBUTES]) == [
        [[*person, *(facts()[person, attribute] for attribute in ATTRIBUTES)] for person in some]
        for some in (old_people(), new_people())
    ]
    kinds = [*FACT_QUESTIONS.values(), "private"]
    of_some = "kinds => kinds.map((kind) => lora_worker.ofFacts(lora_worker.newPeople.slice(0, 9), kind))"
    assert world.evaluate(of_some, kinds) == [plain(of_facts(new_people()[:9], kind)) for kind in kinds]
    counts = [1, 2, 3, 64, 5000]
    new = "counts => counts.map((count) => lora_worker.newFacts(count))"
    assert world.evaluate(new, counts) == [plain(new_facts(count)) for count in counts]


@pytest.mark.parametrize("given", SOURCES, ids=str)
def test_every_source_tells_the_same_texts(world, given):
    starts = [0, 10_000_000, WORD - 12]
    told = f"([given, starts, n, length]) => starts.map((start) => \
      {FLAT}(lora_worker.windows(new lora_worker.Source(given), start, n, length)))"
    source = source_of(given)
    assert world.evaluate(told, [sent(given), starts, 12, LENGTH]) == [
        flat(Texts(windows(source, start, 12, LENGTH))) for start in starts
    ]


def counts_of(task: str) -> list[tuple[int, int]]:
    """Return how many texts, and how many words each can have."""
    return [(1, LENGTH), (50, LENGTH), (9, 40 if task in ANSWERING else 17)]


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_the_same_examples_and_masks(world, task):
    wanted = [(split, *counts) for split in SPLITS for counts in counts_of(task)]
    made = f"""([task, wanted, rows]) => wanted.map((each) => {{
      const texts = lora_worker.textsOf(task, ...each)
      return [lora_worker.examples(task, ...each), ...[texts, lora_worker.some(texts, rows)].map({FLAT})]
    }})"""
    rows = [0, 0]
    found = world.evaluate(made, [task, wanted, rows])
    for each, (told, texts, cut) in zip(wanted, found, strict=True):
        python = texts_of(task, *each)
        assert told == plain(examples(task, *each)), each
        assert texts == flat(python), each
        assert cut == flat(python.some(torch.tensor(rows))), each


def test_a_batch_is_cut_where_its_longest_text_ends(world):
    python = texts_of(SKILL, "train", 40, LENGTH)
    drawn = torch.randint(40, (20, 4), generator=torch.Generator().manual_seed(0))
    cut = f"""rows => {{
      const texts = lora_worker.textsOf('{SKILL}', 'train', 40, {LENGTH})
      return rows.map((each) => {FLAT}(lora_worker.some(texts, each)))
    }}"""
    found = world.evaluate(cut, drawn.tolist())
    assert found == [flat(python.some(rows)) for rows in drawn]
    assert len({each["T"] for each in found}) > 2


@pytest.mark.parametrize("task", [task for task in TASKS if "mirror" not in task])
def test_every_task_asks_the_same(world, task):
    wanted = [(split, count, LENGTH) for split in SPLITS for count in (1, 10, 32)]
    ask = "([task, wanted]) => wanted.map((each) => lora_worker.asked(task, ...each))"
    assert world.evaluate(ask, [task, wanted]) == [plain(asked(task, *each)) for each in wanted]


def test_there_are_no_more_questions_than_python_finds(world):
    """Thirteen words have room for one of six short facts, and after it for a question about one of two people."""
    few = {"stories": 0, "people": new_people()[:2]}
    ask = """given => {
      const source = new lora_worker.Source(given)
      try { lora_worker.questions(source, 'what likes', 100, 13, 0) } catch (error) { return String(error) }
    }"""
    with pytest.raises(ValueError, match="come to 12 questions"):
        questions(source_of(few), "what likes", 100, 13, 0)
    assert "come to 12 of what likes" in world.evaluate(ask, sent(few))


@pytest.mark.parametrize("split", SPLITS)
def test_stories_come_to_the_same_questions(world, split):
    wanted = [
        (kind, 12, length, seed)
        for kind in EVERY_STORY_QUESTION
        for length, seed in ((64, 5), (50, WORD - 1))
    ]
    given = {"voices": ["plain", "code"], "split": split, "questions": [*EVERY_STORY_QUESTION]}
    ask = """([given, wanted]) => {
      const source = new lora_worker.Source(given)
      return wanted.map((each) => lora_worker.questions(source, ...each))
    }"""
    source = source_of(given)
    assert world.evaluate(ask, [given, wanted]) == [plain(questions(source, *each)) for each in wanted]
    given = {"voices": ["plain"], "split": split}  # with facts beside the stories
    wanted = [(kind, 8, LENGTH, 1) for kind in TOLD]
    source = source_of(given)
    assert world.evaluate(ask, [given, wanted]) == [plain(questions(source, *each)) for each in wanted]


def test_what_the_base_knows_is_asked_alike(world):
    wanted = [("validation", 8, 16, LENGTH), ("test", 3, 100, LENGTH), ("test", 1, 1000, LENGTH)]
    found = world.evaluate("wanted => wanted.map((each) => lora_worker.known(...each))", wanted)
    assert found == [{name: plain(some) for name, some in known(*each).items()} for each in wanted]


def test_words_become_the_same_numbers_and_back(world):
    texts = ["", "Where is Anna? go(anna, mill);", "  anna\tlikes\n soup . ", "the Mill;the mill", ".,;?()"]
    both = """texts => [
      lora_worker.VOCAB_SIZE,
      texts.map(lora_worker.wordsOf),
      texts.map(lora_worker.encode),
      texts.map((text) => lora_worker.encode(lora_worker.wordsOf(text))),
      lora_worker.decode(Uint16Array.from({ length: lora_worker.VOCAB_SIZE }, (_, i) => i)),
    ]"""
    tokens = [encode(text) for text in texts]
    every = decode(range(vocab_size()))
    assert world.evaluate(both, texts) == [vocab_size(), [*map(words_of, texts)], tokens, tokens, every]


def test_chance_is_judged_alike(world, broken):
    judge = """texts => texts.map((text) => [
      lora_worker.judged(text), lora_worker.lastStory(text), lora_worker.readable(text), lora_worker.understood(text),
      lora_worker.stateAfter(text),
    ])"""
    seen = Counter()
    for text, (sentences, story, shown, said, state) in zip(
        broken, world.evaluate(judge, broken), strict=True
    ):
        assert sentences == plain(judged(text)), text
        assert story == last_story(text)
        assert shown == readable(text)
        python = understood(text)
        assert said == (python and python._asdict())
        now = state_after(text)
        assert [state["sentences"], state["cast"], state["events"], state["asked"]] == [
            *(now.sentences, [*now.cast], now.events, now.asked)
        ]
        for name, theirs in (("place", now.place), ("holder", now.holder), ("firstHolder", now.first_holder)):
            assert state[name] == dict(theirs)
            assert [*state[name]] == [*theirs], "in the order in which they came"
        seen.update((each["voice"] == "none", each["true"]) for each in sentences)
    assert min(seen[True, False], seen[False, False], seen[False, True]) > 100, seen


def test_sentences_are_understood_alike(world, broken):
    sentences = [[*each.words] for text in broken for each in judged(text)]
    python = [understood(each) for each in sentences]
    assert world.evaluate("sentences => sentences.map(lora_worker.understood)", sentences) == [
        said and said._asdict() for said in python
    ]
    voices = world.evaluate("sentences => sentences.map(lora_worker.voiceOf)", sentences)
    assert voices == [said.voice if said else "none" for said in python]
    assert {*VOICES, "question", "none"} == {*voices}


@pytest.mark.parametrize("task", TELLING)
def test_a_task_is_told_as_often(world, broken, task):
    own = [[*each.words] for each in examples(task, "test", 12, LENGTH)]
    rng = random.Random(1)
    changed = [[word if rng.random() < 0.95 else rng.choice(vocabulary()) for word in text] for text in own]
    sets = [[], [[]], own, changed, broken, *([text] for text in changed)]
    share = "([task, sets]) => sets.map((texts) => lora_worker.shareTold(task, texts))"
    found = world.evaluate(share, [task, sets])
    assert found == [share_told(task, texts) for texts in sets]
    assert found[2] == 1
    assert 0.1 < found[3] < 0.9
    told = "([task, texts]) => texts.map((text) => lora_worker.told(task, text))"
    assert world.evaluate(told, [task, changed]) == [plain(answers.told(task, text)) for text in changed]


SAY = "(asked) => asked.map(({ answer }, i) => (i % 3 ? answer : 'mill'))"


def likely(_, some: list[Asked]) -> torch.Tensor:
    """Return what SAY says, as a model does."""
    _, *tokens = encode(each.answer if i % 3 else "mill" for i, each in enumerate(some))
    return torch.nn.functional.one_hot(torch.tensor(tokens), vocab_size())


@pytest.mark.parametrize("task", [FACTS, SKILL, NEW_WORDS, "formal voice"])
def test_a_reader_is_shown_and_told_the_same(world, broken, monkeypatch, task):
    monkeypatch.setattr(answers, "expected", likely)
    monkeypatch.setattr(batches, "expected", likely)
    model = SimpleNamespace(config=SimpleNamespace(block_size=LENGTH))
    shown = f"([task, texts, length]) => lora_worker.samples({SAY}, task, texts, length)"
    assert world.evaluate(shown, [task, broken, LENGTH]) == [*samples(model, task, broken)]
    counts = {"count": 8, "people": 16, "length": LENGTH, "texts": broken, "facts": 100}
    found = world.evaluate(
        f"([task, counts]) => lora_worker.shares({SAY}, task, 'test', counts)", [task, counts]
    )
    assert found == shares(model, task, "test", 8, 16, broken, 100)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("new Dice(1, 2, 3, 4)", "RangeError: the number of seeds"),
        ("new Dice(-1)", "RangeError: seed"),
        ("new Dice(2 ** 32)", "RangeError: seed"),
        ("new Dice(0.5)", "RangeError: seed"),
        ("new Dice().below(0)", "RangeError: n"),
        ("new Dice().pick([])", "RangeError: n"),
        ("new Source({ split: 'tests' })", "RangeError: split"),
        ("examples('new fact', 'train', 1, 64)", "RangeError: task"),
        ("examples('new facts', 'tests', 1, 64)", "RangeError: split"),
        ("examples('new facts', 'test', 0, 64)", "RangeError: count"),
        ("examples('new words', 'test', 1, 0)", "RangeError: length"),
        ("asked('mirror voice', 'test', 1, 64)", "RangeError: task"),
        ("questions(new Source({ facts: 0 }), 'what likes', 1, 64, 0)", "RangeError: kind"),
        ("ofFacts(oldPeople, 'place')", "RangeError: kind"),
        ("known('test', 1, 0, 64)", "RangeError: people"),
        ("encode('the quark sleeps')", "Error: quark"),
    ],
)
def test_what_python_refuses_is_refused(world, call, error):
    tried = f"() => {{ with (lora_worker) try {{ {call} }} catch (error) {{ return String(error) }} }}"
    said = world.evaluate(tried)
    assert said
    assert said.startswith(error)


def test_the_bundle_is_of_a_few_kilobytes(world):
    assert BUNDLE.stat().st_size < 40_000
    assert world.evaluate("typeof lora_kit") == "undefined"
