"""Who did it: the reader asks what stays frozen, and which places of an adapter suit what is to be learned."""

from collections.abc import Iterator, Mapping
from statistics import fmean
from typing import Any

from compute.adapters.placing import BUDGET, code_of, rank_within
from compute.experiments.placing import ATTENTION, MLP, TASKS, load_placing
from compute.experiments.placing import SEEDS as PLACING_SEEDS
from compute.experiments.tasks import EMBEDDED, FULL, RANKS, SEEDS, SUSPECTS, load_tasks, way_of
from compute.model.layers import TARGET_MODULES
from compute.world.tasks import FACTS, NEW_WORDS, SKILL
from lessons.press.blocks import (
    Answer,
    Block,
    Cited,
    Claim,
    Correction,
    Figure,
    Lesson,
    Prediction,
    Prose,
    Question,
    Stop,
    Teaching,
    Try,
)
from widgets.placing import Placing
from widgets.wall import Wall

EMBEDDINGS, NORMS, BOTH = SUSPECTS
AT = len(RANKS)  # the place of the first suspect on the slider
PAIR, PAPER = ("q_proj", "k_proj"), ("q_proj", "v_proj")


def _end(way: str, what: str = "loss") -> float:
    return fmean(getattr(load_tasks().of(NEW_WORDS, way), what))


def _suspects() -> Mapping[str, Any]:
    recorded = load_tasks()
    alone, norms, both = (recorded.of(NEW_WORDS, way) for way in SUSPECTS)
    ranks = [recorded.of(NEW_WORDS, way_of(r)) for r in RANKS]
    return {
        "alone": fmean(alone.loss),
        "best": min(fmean(learned.loss) for learned in ranks),
        "norms": fmean(norms.loss),
        "norms_numbers": norms.numbers,
        "r": EMBEDDED,
        "both": fmean(both.loss),
        "full": _end(FULL),
        "spared": recorded.apart(NEW_WORDS, EMBEDDINGS, BOTH).verdict,
        "beyond": recorded.apart(NEW_WORDS, BOTH).verdict,
        "clear": max(alone.loss) < min(min(learned.loss) for learned in ranks),
        "unclear": min(norms.loss) > max(max(learned.loss) for learned in ranks),
    }


def _spoken() -> Mapping[str, Any]:
    """Return how many sentences in the new language are right, and of the old facts after what spares most."""
    return {
        "alone": _end(EMBEDDINGS, "task_right"),
        "full": _end(FULL, "task_right"),
        "ranks": max(_end(way_of(r), "task_right") for r in RANKS),
        "verdict": load_tasks().apart(NEW_WORDS, EMBEDDINGS, what="task_right").verdict,
        "facts": _end(EMBEDDINGS, "facts"),
        "before": load_tasks().before[NEW_WORDS]["facts"],
    }


def _gaps() -> Mapping[str, Any]:
    first, last = (load_tasks().apart(NEW_WORDS, way_of(r)) for r in (RANKS[0], RANKS[-1]))
    return {
        "first": RANKS[0],
        "last": RANKS[-1],
        "first_gap": first.mean,
        "last_gap": last.mean,
        "verdicts": {first.verdict, last.verdict},
    }


def _right(task: str, names: tuple[str, ...]) -> float:
    return load_placing().runs[task][code_of(names)].mean("right")


def _steered(task: str) -> Mapping[str, Any]:
    """Return shares right where only steering is adapted, and elsewhere."""
    return {
        "before": load_placing().before[task]["right"],
        "pair": _right(task, PAIR),
        "q": _right(task, ("q_proj",)),
        "k": _right(task, ("k_proj",)),
        "six": _right(task, TARGET_MODULES),
        "facts": TASKS[task].get("n_texts"),
        "verdict": load_placing().apart(task, code_of(PAIR), code_of(TARGET_MODULES)).verdict,
    }


def _memory() -> Mapping[str, Any]:
    codes = code_of(MLP), code_of(ATTENTION)
    return {
        "mlp": _right(FACTS, MLP),
        "attention": _right(FACTS, ATTENTION),
        "paper": _right(FACTS, PAPER),
        "verdict": load_placing().apart(FACTS, *codes).verdict,
        "ranks": [rank_within(code) for code in codes],
    }


CLAIMS: Mapping[str, Claim | Cited] = {
    "embeddings": Claim(
        _suspects,
        lambda v: v["clear"],
    ),
    "norms": Claim(
        _suspects,
        lambda v: v["unclear"],
    ),
    "both": Claim(
        _suspects,
        lambda v: v["spared"] == v["beyond"] == "below",
    ),
    "spoken": Claim(
        _spoken,
        lambda v: v["verdict"] == "above" and v["ranks"] < 0.1 and v["facts"] < 0.1 < 0.9 < v["before"],
    ),
    "language": Claim(
        _gaps,
        lambda v: v["verdicts"] == {"above"} and v["last_gap"] > v["first_gap"] / 2,
    ),
    "runs": Claim(
        lambda: {"seeds": len(SEEDS), "placing": len(PLACING_SEEDS)},
        lambda v: v["seeds"] == v["placing"] == 5,
    ),
    "budget": Claim(
        lambda: {
            "budget": BUDGET,
            "pair": rank_within(code_of(PAIR)),
            "six": rank_within(code_of(TARGET_MODULES)),
        },
        lambda v: v["pair"] > v["six"],
    ),
    "facts-steer": Claim(
        lambda: _steered(FACTS),
        lambda v: max(v["q"], v["k"], v["pair"]) < 0.2 and v["six"] > 0.6,
    ),
    "skill-steer": Claim(
        lambda: _steered(SKILL),
        lambda v: v["pair"] > 0.9 and v["before"] < 0.1 and v["verdict"] == "level",
    ),
    "facts-mlp": Claim(
        _memory,
        lambda v: (
            v["verdict"] == "below"
            and v["mlp"] > v["attention"] > v["paper"] > _right(FACTS, PAIR)
            and v["ranks"][0] < v["ranks"][1]
        ),
    ),
    "paper-qk": Cited("91.3", "hu2021", "table 5, MNLI"),
}


def build() -> Iterator[Block]:
    """Yield the lesson in reading order."""
    yield Prose(
        """
The model still does not speak the language, and the woman who asked for it is still waiting. At [the wall](wall.html)
rank, learning rate and place were heard, and each went home with an alibi. Every room of the house had been searched:
the adapter reached all matrices of all blocks.

But a house has doors. When everybody who was inside has an alibi, look at how people get in and out.

## Two doors that nobody tried

A word enters the model as a row of numbers, its *embedding*, which is looked up in a table with one row for every word.
It leaves through a second table, which also has a row for every word: the numbers that come out of the last block are
compared with each row, and the word whose row fits best is the one that is said. Neither table belongs to a block, and
LoRA as it is usually set up leaves both as they were.

For an old word that is fine, because its rows were learned when the base was trained. About a new word the base has
learned nothing, except that it never comes. So whatever the rooms between the two doors may learn, they have to tell
the new words apart by rows that mean nothing, and say them through rows that were only ever taught to keep quiet.

So far that is only an accusation. But it makes a bold prediction: if these rows learn and nothing else does, with no
adapter anywhere, the wall should fall.
"""
    )
    yield Figure("wall", Wall, dict(task="new-words", guess="skip", place=AT))
    yield Try(
        """
The slider now goes on beyond the ranks. Compare [the highest rank](#wall?task=new-words&place=4) with [the embeddings
alone](#wall?task=new-words&place=5), and then look at [the norms alone](#wall?task=new-words&place=6), which are there
to make you doubt. How many of the old facts does each of them leave?
""",
        run={
            "one direction, and embeddings that learn": {
                "task": "new-words",
                "size": "1",
                "embeddings": "yes",
            },
            "the same with the doors shut": {"task": "new-words", "size": "1"},
        },
    )
    yield Prose(
        """
The wall falls. With the embeddings alone, that is, with both tables, the language ends at a loss of
[[embeddings.alone:.2f]] nats per word, where the best rank ended at [[embeddings.best:.2f]]. The model also speaks it:
[[spoken.alone:.0%]] of the sentences are right, more than after full finetuning.

A good detective still asks whether she has only caught the one who happened to run. Perhaps anything would do, as long
as it had been frozen before? The *norms* had been frozen as well: [[norms.norms_numbers:,d]] scales and biases with
which the model evens out its numbers from layer to layer. When they alone may learn, the loss ends at
[[norms.norms:.2f]] nats, worse than with any rank. So it was the embeddings.

And there is a surprise at the end, as there should be. Put an adapter of r = [[both.r]] back in while the doors stay
open, and the loss ends at [[both.both:.2f]], higher than without it. Full finetuning, which may change everything but
has one learning rate for all of it, ends at [[both.full:.2f]]. The base already knew all that these stories need, only
under other names, and in this number of steps whatever leaves that knowledge alone comes out best. So even full
finetuning does not show how far one could have got.

That does not mean that the old facts are spared. Only [[spoken.facts:.0%]] of them are right afterwards, against
[[spoken.before:.0%]] before, because the two doors serve the old words as well as the new.

## What a flat curve tells you

When a loss stops falling as r grows, the rank is large enough *for what is being adapted*. That does not mean that the
task is done. The next question is not how many directions the adapter has, but what the task needs that no adapter can
reach. With a language, look first at which of its *tokens* are new, the words or pieces of words for which a model has
rows. Other finetunes have new tokens without looking like a language: a mark for each speaker, a special format, the
name of a tool. PEFT can train whole tables along with an adapter, under the name `modules_to_save`, or just the rows of
chosen tokens, under `trainable_token_indices` [@peft, LoraConfig].

One caution: our model reads whole words, while a large one spells a word that it has never seen with pieces that it
knows. Its wall may be lower, or stand somewhere else; we have not tried.

## The rooms matter after all

The third suspect went free because at the wall every room was occupied. For other tasks the choice of rooms matters a
great deal, and the same way of thinking finds out why. Two of the matrices, `q_proj` and `k_proj`, decide where a word
looks; what it takes from there and does with it is up to the other four. To compare fairly, we fix how much is trained
at [[budget.budget:,d]] numbers. If we spend them on few matrices, these get a large rank; if we spread them over all
six, each gets a small one. Every choice has its own best learning rate.
"""
    )
    yield Figure("placing", Placing, dict(task="new-facts", shown="right"))
    yield Try(
        """
Guess, and then compare [the two that look](#placing?task=new-facts&places=770000) with [the MLP
alone](#placing?task=new-facts&places=000077). Now choose [a skill](#placing?task=who-had-it-first&places=770000)
instead of facts: answering who had a thing first. Which choice is worst now, and by how much?
""",
        run={
            "the pair of the paper": {"task": "who-had-it-first", "size": "4", "matrices": "qv"},
            "the MLP alone": {"task": "who-had-it-first", "size": "4", "matrices": "mlp"},
        },
    )
    yield Prose(
        """
Of the new facts `q_proj` and `k_proj` together get [[facts-steer.pair:.0%]] right, while the base, which can only
guess, gets [[facts-steer.before:.0%]]. If a fact is not in the text before the question, no looking around will find
it. It has to be stored, and the best place for that is the MLP: with a smaller rank than attention gets, the MLP
reaches [[facts-mlp.mlp:.0%]], and attention [[facts-mlp.attention:.0%]].

Asked who had a thing first, the same two get [[skill-steer.pair:.0%]] right, and the base [[skill-steer.before:.0%]].
By their loss, [[runs.placing]] seeds cannot tell them from all six matrices. Here the answer is a name in the story, so
learning the skill means learning where to look. It would be wrong, then, to say that these two matrices can steer but
not learn. LoRA's authors have a similar case in a table: on one of their two tasks `q_proj` and `k_proj` reach
[[paper-qk]], exactly as much as `q_proj` and `v_proj`, the pair that they went on with. Their table has no line for the
MLP, which they left frozen. [Where to put it](placing.html) goes through the blocks, the rest of that table, and what
was found later.

## What this does not show

There was one culprit, in one small model, with [[runs.seeds]] seeds and few steps. We did not test the two doors
separately, so we do not know which did more harm. And a language that a model has read a little of is a different case
from one of which it has never read a word.

The habit worth keeping is to ask two questions: what may change, and what must. We now know where a change has to be
allowed. But what does a change look like when everything was free to move, and is it thin at all? [The next
chapter](spectra.html) takes some apart.
"""
    )


LESSON = Lesson(
    slug="frozen",
    title="Who did it",
    question="Rank, rate and place have an alibi. What stayed frozen all the while?",
    part="The wall",
    order=70,
    minutes=9,
    claims=CLAIMS,
    build=build,
    questions=(
        Question(
            "The loss stops falling as r grows, far above that of full finetuning. What do you know?",
            (
                Answer(
                    "That r is large enough for what is being adapted",
                    "It does not tell you whether the task is done. With the new words r = [[language.first]] ends "
                    "[[language.first_gap:.2f]] nats above full finetuning, and r = [[language.last]] still "
                    "[[language.last_gap:.2f]].",
                    right=True,
                ),
                Answer(
                    "That the task is learned",
                    "It may have met a wall. With the new words r = [[language.first]] ends "
                    "[[language.first_gap:.2f]] nats above full finetuning, and r = [[language.last]] still "
                    "[[language.last_gap:.2f]].",
                ),
                Answer(
                    "That a still larger r would help",
                    "Here it did not, because something else had to learn. The embeddings alone, without any "
                    "adapter, end at [[embeddings.alone:.2f]] nats per word, where the best rank ends at "
                    "[[embeddings.best:.2f]].",
                ),
            ),
        ),
        Question(
            "You finetune on dialogues in which each speaker is marked by a token that the base has never read, and "
            "the adapters stall. What do you try first?",
            (
                Answer(
                    "Twice the rank",
                    "Rank gives room in the blocks. It does not reach the rows by which a new token is read and "
                    "said.",
                ),
                Answer(
                    "To let the rows of the new tokens learn as well",
                    "They were never trained, and an adapter in the linear layers leaves them so. With a language "
                    "of such tokens, letting these tables learn took the share of right sentences from "
                    "[[spoken.ranks:.0%]] at best to [[spoken.alone:.0%]].",
                    right=True,
                ),
                Answer(
                    "Full finetuning, which no method can beat",
                    "It can be beaten. With the new words the embeddings alone end at [[embeddings.alone:.2f]] nats, "
                    "and full finetuning at [[both.full:.2f]].",
                ),
            ),
        ),
        Question(
            "You adapt only `q_proj` and `k_proj`. What can the model learn?",
            (
                Answer(
                    "As much as with any other two",
                    "Not facts. Of [[facts-steer.facts]] new ones `q_proj` alone has [[facts-steer.q:.0%]] right, "
                    "`k_proj` alone [[facts-steer.k:.0%]], and both together [[facts-steer.pair:.0%]]; all six "
                    "matrices have [[facts-steer.six:.0%]].",
                ),
                Answer(
                    "Nothing at all",
                    "A skill, about as well as with all six: asked who had it first, they are right "
                    "[[skill-steer.pair:.0%]] of the time, and all six [[skill-steer.six:.0%]].",
                ),
                Answer(
                    "To look elsewhere, and that can be enough",
                    "What is read and written stays frozen. Where the answer stands in the text, to look is enough: "
                    "asked who had it first, they are right [[skill-steer.pair:.0%]] of the time, where the base has "
                    "[[skill-steer.before:.0%]].",
                    right=True,
                ),
            ),
        ),
    ),
    corrections=(
        Correction(
            "If LoRA does not reach full finetuning, a larger r will.",
            "Not always. With the new words r = [[language.first]] ends [[language.first_gap:.2f]] nats "
            "above full finetuning, and r = [[language.last]] still [[language.last_gap:.2f]]. The "
            "embeddings alone, without any adapter, end at [[embeddings.alone:.2f]] nats per word, where "
            "the best rank ends at [[embeddings.best:.2f]].",
            "wall",
        ),
        Correction(
            "No way to finetune ends lower than full finetuning.",
            "Not with the same number of steps. The embeddings alone, without any adapter, end at "
            "[[embeddings.alone:.2f]] nats per word, where the best rank ends at [[embeddings.best:.2f]]."
            " With an adapter of r = [[both.r]] beside them the embeddings end at [[both.both:.2f]]. Full"
            " finetuning, which has one learning rate for everything, ends at [[both.full:.2f]].",
            "wall",
        ),
    ),
    teaching=Teaching(
        goals=(
            "say through which two tables a word comes in and goes out, and why adapters in the blocks leave both "
            "alone",
            "name the control that keeps one from arresting the first suspect who runs",
            "ask of a flat curve what is frozen, before asking for more rank",
            "choose places for an adapter by whether an answer is looked up in the text or has to be stored",
        ),
        predictions=(
            Prediction(
                "The two tables of embeddings learn and nothing else, without any adapter. Where does the language "
                "end: above the [[embeddings.best:.2f]] nats of the best rank, between that and the [[both.full:.2f]] "
                "of full finetuning, or below both?",
                "Below both, at [[embeddings.alone:.2f]] nats. All that these stories ask was in the base already, "
                "under other words.",
                "wall?task=new-words&place=5&measure=loss",
            ),
            Prediction(
                "A budget of [[budget.budget:,d]] trained numbers goes into q_proj and k_proj, or into q_proj and "
                "v_proj, or into the MLP. Which of the three learns the fewest new facts?",
                "The first pair, with [[facts-steer.pair:.0%]] right. The second has [[facts-mlp.paper:.0%]], the MLP "
                "[[facts-mlp.mlp:.0%]]. A fact that stands in no text is not found by looking elsewhere.",
                "placing?task=new-facts&shown=right",
            ),
            Prediction(
                "Now a skill in place of facts: who had a thing first. What share can q_proj and k_proj get right, "
                "where the base has [[skill-steer.before:.0%]]?",
                "[[skill-steer.pair:.0%]], and all six matrices [[skill-steer.six:.0%]]; in their loss the seeds "
                "cannot tell the two apart. Here the answer stands in the story, so that to learn is to learn where "
                "to look.",
                "placing?task=who-had-it-first&shown=right",
            ),
        ),
        stops=(
            Stop(
                "Give back the folded verdicts of the last chapter and count on the board whom they accuse. Draw the "
                "model as a house: which rooms had an adapter, and how does a word get in and out? Hand out the "
                "sheets only then.",
                "",
                (3, 5),
            ),
            Stop(
                "Before the chart is on the wall, collect the first prediction and take two votes by hand: would the "
                "norms alone do as well, and would an adapter beside the embeddings help? Then show it all, and let "
                "whoever accused the rank say what the curve would have had to look like if it were guilty.",
                "wall?task=new-words&place=5&measure=loss",
                (4, 6),
            ),
            Stop(
                "The first vote: what would we have to conclude if the norms, which were frozen too, had done as "
                "well? Have the word “control” put into a sentence that a juror understands.",
                "wall?task=new-words&place=6&measure=loss",
                (3, 5),
            ),
            Stop(
                "The second vote: the adapter beside the open doors. Let pairs explain how something that changes "
                "less can end below full finetuning.",
                "wall?task=new-words&place=7&measure=loss",
                (0, 6),
            ),
            Stop(
                "Read the price off the second chart. Who would still take this model, and for which use? Write down "
                "what she has to tell whoever uses it after her.",
                "wall?task=new-words&place=5&measure=right",
                (0, 4),
            ),
            Stop(
                "Collect the second prediction, and compare with the MLP. Let somebody draw by which matrices a word "
                "decides where to look, and by which it takes and keeps something.",
                "placing?task=new-facts&shown=right",
                (6, 7),
            ),
            Stop(
                "Collect the third prediction. What has changed, if not the matrices? Find a task of your own for "
                "each of the two cases.",
                "placing?task=who-had-it-first&places=770000&shown=right&guess=skip",
                (0, 6),
            ),
            Stop(
                "Answer the questions on paper. Take the one on marked speakers as a case: each pair writes the mail "
                "in which it asks for one more run.",
                "recall",
                (4, 6),
            ),
        ),
    ),
)
