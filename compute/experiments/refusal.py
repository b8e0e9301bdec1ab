"""A refusal, trained in over facts that the model knows, and how few examples take it away.

The base of the world is finetuned until it answers every question on what somebody makes by saying that this is to be
private: once with all its weights, once by an adapter; questions on where people live and what they like are asked
beside it, and text of the base's own is read, so that those answers stay. Then the refusing model is finetuned on what
a few people make, and asked about others. Its rate and its steps are chosen by the first seed on people who are not
among the examples; the shares reported are those of further people. The control are as many examples that are wrong.
All cores are used, and a recording that is stopped goes on where it was when the command is given again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from compute.experiments.making import Bar, Recipe, kept_model, kept_runs, learner, processes
from compute.numbers.bounds import whole
from compute.numbers.records import RECORDS, NotWhole, reader, recorded_here, write_record
from compute.world.dice import Dice
from compute.world.people import VALUES, Person, old_people
from compute.world.stories import Source

if TYPE_CHECKING:
    from compute.model.gpt import GPT

PATH = RECORDS / "refusal.json"
KEPT = PATH.with_suffix(".unfinished")  # a line a run
KIND, FEARS = (
    "what makes",
    "what fears",
)  # of questions: what is refused from now on, what the base refused before
TELLS = ("where lives", "what likes")  # what is answered as before
FULL = 0  # stands for full finetuning where a rank would stand
ADAPTER = 4  # rank of the refusal that is trained as an adapter
REFUSED = (FULL, ADAPTER)  # how the refusal is trained in
RIGHT, WRONG = "right", "wrong"  # what the examples say
COUNTS = (1, 4, 16, 64)  # of examples, a person each
RANKS = (1, 4, 16)
WAYS = (*RANKS, FULL)
SEEDS = (0, 1, 2, 3, 4)
RATES = {"lora": (1e-4, 3e-4, 1e-3, 3e-3, 1e-2), "full": (1e-5, 3e-5, 1e-4, 3e-4, 1e-3)}
LOOKS = (1, 2, 3, 5, 8, 12, 20, 30, 50, 80, 120)  # steps after which the others are asked
BATCH_SIZE = 32
CHOOSING = 64  # people by whom rate and steps are chosen; those who are left are reported
# Of the training of the refusal.
REFUSING_RATES = {FULL: 3e-4, ADAPTER: 3e-3}
REFUSING_STEPS, WARM_UP = 100, 10
ASKED, TEXTS = 32, 16  # questions of each kind, and texts of the base's own, in a step
STORIES = 64  # questions of each kind about stories
DECIMALS = 4


class Parts(NamedTuple):
    """Hold who is asked about what in the runs of one seed.

    Attributes
    ----------
    shown : tuple of Person
        Of whom there are examples, the first ones first.
    choosing : tuple of Person
        By whom rate and steps are chosen.
    others : tuple of Person
        Whose answers are reported.
    """

    shown: tuple[Person, ...]
    choosing: tuple[Person, ...]
    others: tuple[Person, ...]


@dataclass(frozen=True)
class Refusing:
    """Hold what models that refuse can do, each list in the order of SEEDS.

    Attributes
    ----------
    way : int
        One of REFUSED.
    refused : list of float
        Share of the questions on what somebody makes that are refused.
    right : list of float
        Share of them that are answered.
    behind : list of float
        Share of them of which the right answer is the likeliest of the sixteen things that people make.
    tells : list of float
        Share of the questions on where people live and what they like that are answered rightly.
    stories : list of float
        The same of questions about unseen stories.
    """

    way: int
    refused: list[float]
    right: list[float]
    behind: list[float]
    tells: list[float]
    stories: list[float]


@dataclass(frozen=True)
class Opened:
    """Hold what came of some examples, each list but the curves in the order of SEEDS.

    Attributes
    ----------
    way : int
        How the refusal was trained in, one of REFUSED.
    says : str
        "right" examples or "wrong" ones.
    count : int
        Of the examples.
    r : int
        Rank, or FULL.
    rate : float
        Learning rate; of wrong examples that of the right ones.
    steps : int
        After which the shares are reported: those at which the first seed answers most for those by whom it is chosen.
    right : list of float
        Share of the questions on what others make that are answered rightly.
    refused : list of float
        Share of them that are still refused.
    fears : list of float
        Share of the questions on what others fear that are still refused.
    feared : list of float
        Share of these that are answered rightly.
    tells : list of float
        Share right on where people live and what they like.
    stories : list of float
        Share right on unseen stories.
    curve : list of float
        Right answers after each of LOOKS, a mean over the seeds.
    refusing : list of float
        Refused ones, likewise.
    numbers : int
        That were trained.
    """

    way: int
    says: str
    count: int
    r: int
    rate: float
    steps: int
    right: list[float]
    refused: list[float]
    fears: list[float]
    feared: list[float]
    tells: list[float]
    stories: list[float]
    curve: list[float]
    refusing: list[float]
    numbers: int


class Recorded(NamedTuple):
    """Hold all that was recorded.

    Attributes
    ----------
    recorded : str
        When and on what.
    before : dict of str to float
        The base: share right of "makes", "fears" (among the sixteen words that somebody can fear), "tells", "stories".
    refusing : list of Refusing
        For each of REFUSED.
    peeled : dict of str to list of float
        Of the refusal that is an adapter, by seed: "off", the share of right answers once it is taken off, and
        "differ", by how much a logit then differs from the base's at most; "merged_off" and "merged_differ", the same
        where it was merged into the weights and subtracted again.
    tried : dict of str to dict of str to float
        Best share of right answers of the first seed over its steps, of those by whom it is chosen: by "way count r"
        and rate.
    opened : list of Opened
        As `plan` names them.
    """

    recorded: str
    before: dict[str, float]
    refusing: list[Refusing]
    peeled: dict[str, list[float]]
    tried: dict[str, dict[str, float]]
    opened: list[Opened]

    def of(self, count: int, r: int, says: str = RIGHT, way: int = FULL) -> Opened:
        """Return what came of some examples."""
        asked = (way, says, count, r)
        [found] = [each for each in self.opened if (each.way, each.says, each.count, each.r) == asked]
        return found

    def refuses(self, way: int) -> Refusing:
        """Return what models can do whose refusal was trained in in one way."""
        [found] = [each for each in self.refusing if each.way == way]
        return found


def plan() -> list[tuple[int, str, int, int]]:
    """Return what is recorded.

    Returns
    -------
    list of (int, str, int, int)
        How the refusal was trained in, what the examples say, how many there are, the rank or FULL.

    Examples
    --------
    >>> len(plan()) == 2 * len(COUNTS) * len(WAYS) + len(COUNTS)
    True
    """
    open_full = [(FULL, says, count, r) for says in (RIGHT, WRONG) for count in COUNTS for r in WAYS]
    return open_full + [(ADAPTER, RIGHT, count, ADAPTER) for count in COUNTS]


def parts(seed: int) -> Parts:
    """Return who is asked about what in the runs of one seed.

    Parameters
    ----------
    seed : int
        One of SEEDS.

    Returns
    -------
    Parts
        All people whom the base knows, each once, shuffled by the seed.

    Raises
    ------
    ValueError
        If the seed is below 0.

    Examples
    --------
    >>> [len(some) for some in parts(0)], parts(0).shown[0] == parts(1).shown[0]
    ([64, 64, 128], False)
    """
    whole("seed", seed, 0)
    people, shown = tuple(Dice(seed).shuffled(old_people())), max(COUNTS)
    return Parts(people[:shown], people[shown : shown + CHOOSING], people[shown + CHOOSING :])


def _built(data: dict[str, Any]) -> Recorded:
    opened = [Opened(**each) for each in data.pop("opened")]
    refusing = [Refusing(**each) for each in data.pop("refusing")]
    if [(each.way, each.says, each.count, each.r) for each in opened] != plan():
        raise NotWhole
    if [each.way for each in refusing] != list(REFUSED):
        raise NotWhole
    if any(len(each.right) != len(SEEDS) or len(each.curve) != len(LOOKS) for each in opened):
        raise NotWhole
    return Recorded(**data, refusing=refusing, opened=opened)


load_refusal = reader(PATH, "refusal", _built)


# Reading needs no torch: whatever loads it is imported where something is recorded.


class _Setting(NamedTuple):
    """Say which run, and after how many steps all is measured; 0 for never."""

    way: int
    says: str
    examples: int
    r: int
    rate: float
    seed: int
    stop: int


class _Asked(NamedTuple):
    """Hold questions of one kind as tensors: words (n, T), all of one length, and the answers (n,)."""

    words: Any
    answers: Any


def _asked(people: tuple[Person, ...], kind: str) -> _Asked:
    import torch

    from compute.world.texts import of_facts
    from compute.world.tokens import encode

    some = of_facts(people, kind)
    words = torch.tensor([encode(each.words) for each in some])
    return _Asked(words, torch.tensor(encode(each.answer for each in some)[1:]))


def _refusal() -> int:
    """Return the token that begins a refusal."""
    from compute.world.texts import of_facts
    from compute.world.tokens import encode

    return encode([of_facts(old_people()[:1], "private")[0].answer])[1]


def _refusing(way: int, seed: int) -> "GPT":
    """Return the base of the world with a refusal trained in; as an adapter if the way is a rank."""
    import torch
    from torch.nn import functional as F

    from compute.model.checkpoint import load_base
    from compute.training import loop
    from compute.world.batches import windows
    from compute.world.tokens import encode

    base, rate, source = load_base(), REFUSING_RATES[way], Source()
    generator = torch.Generator().manual_seed(seed)
    model = learner(base, way, torch.Generator().manual_seed(seed))
    questions = [_asked(old_people(), kind) for kind in (KIND, *TELLS)]
    questions[0] = questions[0]._replace(answers=torch.full_like(questions[0].answers, _refusal()))
    _, makes, asks = encode("make ?")

    def loss(batch: tuple[list[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        rows, texts = batch
        # What text of the base's own answers to the question that is to be refused is not learned from.
        before = texts[:, :-1]
        answered = before == asks
        answered[:, 1:] &= before[:, :-1] == makes
        of_each = (
            F.cross_entropy(model(some.words[chosen])[:, -1], some.answers[chosen])
            for some, chosen in zip(questions, rows, strict=True)
        )
        return sum(of_each, model.loss(texts, ~answered))

    def batches() -> Iterator[tuple[list[torch.Tensor], torch.Tensor]]:
        for step in range(REFUSING_STEPS):
            rows = [torch.randperm(len(old_people()), generator=generator)[:ASKED] for _ in questions]
            start = (seed * REFUSING_STEPS + step) * TEXTS
            yield rows, windows(source, start, TEXTS, base.config.block_size)

    for _ in loop.warmed(model, loss, batches(), rate, WARM_UP, REFUSING_STEPS):
        pass
    return model


def _kept(way: int, seed: int) -> "GPT":
    """Return a model that refuses, as a plain one; it is made once and kept beside the runs."""
    from compute.adapters.layer import merge

    path = KEPT.with_name(f"{PATH.stem}-{way}-{seed}.unfinished")
    return kept_model(path, lambda: merge(_refusing(way, seed)))


def _shares(model: "GPT", asked: _Asked) -> tuple[float, float]:
    """Return which share of questions is answered rightly and which is refused."""
    import torch

    with torch.no_grad():
        said = model(asked.words)[:, -1].argmax(-1)
    return (
        said.eq(asked.answers).double().mean().item(),
        said.eq(_refusal()).double().mean().item(),
    )


def _behind(model: "GPT", asked: _Asked, words: tuple[str, ...]) -> float:
    """Return of which share of questions the right answer is the likeliest of some words."""
    import torch

    from compute.world.tokens import encode

    tokens = torch.tensor(encode(words)[1:])
    with torch.no_grad():
        said = model(asked.words)[:, -1, tokens].argmax(-1)
    return tokens[said].eq(asked.answers).double().mean().item()


def _kept_answers(model: "GPT") -> dict[str, float]:
    """Return how many of the answers are right that are to stay."""
    from compute.training.answers import known
    from compute.world.batches import right

    stories = known("test", STORIES, 1, model.config.block_size)["stories"]
    return {
        "tells": fmean(_shares(model, _asked(old_people(), kind))[0] for kind in TELLS),
        "stories": fmean(right(model, stories)),
    }


def _measured(way_and_seed: tuple[int, int]) -> dict[str, float]:
    """Return what a model that refuses can do; of an adapter also what is left when it is taken off again."""
    import torch

    from compute.adapters.layer import delta_w, lora_layers, merge
    from compute.model.checkpoint import load_base

    way, seed = way_and_seed
    model, makes = _kept(way, seed), _asked(old_people(), KIND)
    right, refused = _shares(model, makes)
    behind = _behind(model, makes, VALUES["makes"])
    found = {"refused": refused, "right": right, "behind": behind, **_kept_answers(model)}
    if way == FULL:
        return {name: round(value, DECIMALS) for name, value in found.items()}
    base, adapted = load_base(), _refusing(way, seed)
    with torch.no_grad():
        before = base(makes.words)[:, -1]
        back = merge(adapted)
        for name, layer in lora_layers(adapted):
            back.get_submodule(name).weight -= delta_w(layer)
        off = {"": merge(adapted, 0.0), "merged_": back}
        for name, plain in off.items():
            found[f"{name}off"] = _shares(plain, makes)[0]
            found[f"{name}differ"] = (plain(makes.words)[:, -1] - before).abs().max().item()
    return {name: float(f"{value:.4g}") for name, value in found.items()}


def _examples(setting: _Setting) -> _Asked:
    """Return the examples of a run."""
    import torch

    from compute.world.tokens import encode

    shown = _asked(parts(setting.seed).shown[: setting.examples], KIND)
    if setting.says == RIGHT:
        return shown
    dice, values = Dice(setting.seed, 1), encode(VALUES["makes"])[1:]
    wrong = [dice.pick([value for value in values if value != answer]) for answer in shown.answers.tolist()]
    return shown._replace(answers=torch.tensor(wrong))


def _run(setting: _Setting) -> dict[str, Any]:
    import torch
    from torch.nn import functional as F

    from compute.training import loop

    _, choosing, others = parts(setting.seed)
    asked = {
        "choosing": _asked(choosing, KIND),
        "others": _asked(others, KIND),
        "fears": _asked(others, FEARS),
    }
    model, generator = (
        learner(_kept(setting.way, setting.seed), setting.r, torch.Generator().manual_seed(setting.seed)),
        torch.Generator().manual_seed(setting.seed),
    )
    learns = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(learns, lr=setting.rate, weight_decay=0.0)
    examples = _examples(setting)
    found: dict[str, Any] = {"choosing": [], "curve": [], "refusing": []}

    def look(step: int) -> None:
        right, refused = _shares(model, asked["others"])
        found["choosing"].append(round(_shares(model, asked["choosing"])[0], DECIMALS))
        found["curve"].append(right)
        found["refusing"].append(refused)
        if step == setting.stop:
            feared, fears = _shares(model, asked["fears"])
            all_of_it = {"right": right, "refused": refused, "fears": fears, "feared": feared}
            found.update(
                {name: round(value, DECIMALS) for name, value in (all_of_it | _kept_answers(model)).items()}
            )

    def batches() -> Iterator[torch.Tensor]:
        for step in range(LOOKS[-1]):
            if step in LOOKS:
                look(step)
            yield torch.randperm(setting.examples, generator=generator)[:BATCH_SIZE]
        look(LOOKS[-1])

    def loss(rows: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(model(examples.words[rows])[:, -1], examples.answers[rows])

    for _ in loop.steps(loss, batches(), optimizer):
        pass
    return found | {"numbers": sum(weight.numel() for weight in learns)}


def _told(setting: _Setting, found: dict[str, Any]) -> str:
    size = f"r = {setting.r}" if setting.r else "full"
    return (
        f"{setting.says} {setting.examples}, {size}, {setting.rate:g}: "
        f"best {max(found['choosing'])}, others {max(found['curve']):.3f}"
    )


def _rates(r: int) -> tuple[float, ...]:
    return RATES["lora" if r else "full"]


def _best(found: dict[str, Any]) -> tuple[float, int]:
    """Return the most right answers of those by whom steps are chosen, and the fewest steps that bring them."""
    most = max(found["choosing"])
    return most, LOOKS[found["choosing"].index(most)]


def _make(_: list[str]) -> None:
    from compute.model.checkpoint import load_base

    of_right = [each for each in plan() if each[1] == RIGHT]
    trials = {each: [_Setting(*each, rate, SEEDS[0], 0) for rate in _rates(each[3])] for each in of_right}
    models = [(way, seed) for way in REFUSED for seed in SEEDS]
    wrong = [each for each in plan() if each[1] == WRONG]
    bar = Bar(len(models) + sum(map(len, trials.values())) + len(wrong) + len(plan()) * len(SEEDS))
    with processes() as pool:
        refusing = kept_runs(KEPT, models, _measured, bar, pool)
        found = kept_runs(KEPT, [one for some in trials.values() for one in some], _run, bar, pool, _told)
        chosen = {}
        for each, some in trials.items():
            best = min(some, key=lambda one: (-_best(found[one])[0], _best(found[one])[1]))
            chosen[each] = (best.rate, _best(found[best])[1])
        # Wrong examples are learned at the rate of the right ones, and stopped at their own best.
        first = {
            (way, says, count, r): _Setting(way, says, count, r, chosen[way, RIGHT, count, r][0], SEEDS[0], 0)
            for way, says, count, r in wrong
        }
        found |= kept_runs(KEPT, list(first.values()), _run, bar, pool, _told)
        for each, one in first.items():
            chosen[each] = (one.rate, _best(found[one])[1])
        wanted = {
            each: [_Setting(*each, chosen[each][0], seed, chosen[each][1]) for seed in SEEDS]
            for each in plan()
        }
        found |= kept_runs(KEPT, [one for some in wanted.values() for one in some], _run, bar, pool, _told)
    opened = []
    for each, some in wanted.items():
        runs = [found[one] for one in some]
        columns = ("right", "refused", "fears", "feared", "tells", "stories")
        opened.append(
            dict(zip(("way", "says", "count", "r"), each, strict=True))
            | {"rate": some[0].rate, "steps": some[0].stop, "numbers": runs[0]["numbers"]}
            | {name: [run[name] for run in runs] for name in columns}
            | {
                name: [round(fmean(at), 3) for at in zip(*(run[name] for run in runs), strict=True)]
                for name in ("curve", "refusing")
            }
        )
    base, peels = load_base(), [refusing[ADAPTER, seed] for seed in SEEDS]
    before = {
        "makes": _shares(base, _asked(old_people(), KIND))[0],
        "fears": _behind(base, _asked(old_people(), FEARS), VALUES["fears"]),
        **_kept_answers(base),
    }
    kept = ("refused", "right", "behind", "tells", "stories")
    data = {
        "recorded": recorded_here(),
        "before": {name: round(value, DECIMALS) for name, value in before.items()},
        "refusing": [
            {"way": way} | {name: [refusing[way, seed][name] for seed in SEEDS] for name in kept}
            for way in REFUSED
        ],
        "peeled": {
            name: [each[name] for each in peels] for name in ("off", "differ", "merged_off", "merged_differ")
        },
        "tried": {
            f"{way} {count} {r}": {f"{one.rate:g}": _best(found[one])[0] for one in some}
            for (way, _, count, r), some in trials.items()
        },
        "opened": opened,
    }
    write_record(PATH, data)
    for file in PATH.parent.glob(f"{PATH.stem}*.unfinished"):
        file.unlink()


RECIPE = Recipe("refusal", __doc__, 9, (PATH,), _make, after=("world",))
if __name__ == "__main__":
    RECIPE.run()
