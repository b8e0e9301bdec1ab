"""The asked instrument: questions to the base of the world, its likeliest answers, and how many of all are right."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import param

from compute.experiments.world import FACTS, SHOWN, Report, load_report
from compute.world.tokens import readable
from compute.world.voices import BASE_VOICES, STOPS, values_of
from widgets.asked.words import FACTS_SAID, KINDS, NOTES, SNIPPETS, VOICES_SAID, WORDS
from widgets.kit.choices import one_of
from widgets.kit.instrument import Instrument, Values
from widgets.kit.languages import Quoted
from widgets.kit.text import fill, fill_code, name_of, slug

FACT_ROW = "facts"  # of a report: questions that stand alone
TOLD_OF = 2  # people of a story


class Asked(Instrument):
    """Ask the base of the world one of eight recorded questions of a kind, and see how it does on all of them.

    Above: text and question, and the three likeliest answers, the right one filled. Below: the share of right answers
    in each voice, or for each fact, in teal; the grey line is the control, somebody who has not read. Left out: new
    questions, which need the model itself.
    """

    kind = one_of(KINDS, default="place", label="What is asked", doc="Kind of question.")
    voice = one_of(
        {voice: voice.capitalize() for voice in BASE_VOICES},
        default="plain",
        label="Voice of the story",
        doc="Voice that tells the story; a question on a fact has no story.",
    )
    question = param.Integer(
        default=0,
        bounds=(0, SHOWN - 1),
        label="Question",
        doc="Which of the recorded questions, the first being 0.",
    )

    keyed_by = ("kind",)
    parts = ("kind", "steps", "readouts", "rates", "table", "code", "share")
    says = (*Instrument.says, "name")
    pictured = ({"bars kept": 3, "curve control": 4},)
    sheets = ("asked/asked",)

    def make_arrays(self) -> dict[str, Any]:
        """Return the shares of a kind in all voices, or those of all facts, and the questions that can be seen."""
        form, rows = self.form(), list(self.rows())
        return {
            "key": self.kind,
            "form": form,
            "note": fill(NOTES[self.kind], rows[0]),
            "recorded": load_report().recorded,
            "values": rows,
            "shown": {row: self.shown(row) for row in (BASE_VOICES if form == "story" else (FACT_ROW,))},
            "snippet": fill_code(SNIPPETS[form], {"kind": name_of(self.kind)}),
        }

    def form(self) -> str:
        """Say whether a story is asked about, or a fact."""
        return "fact" if name_of(self.kind) in FACTS else "story"

    def shown(self, row: str) -> list[dict[str, Any]]:
        """Return the questions of a row that a reader can look at."""
        return [
            {"told": _sentences(each["words"].split()), "answer": each["answer"], "said": each["said"]}
            for each in load_report().shown[row][name_of(self.kind)]
        ]

    def rows(self) -> Iterable[Values]:
        """Return the numbers of each voice, or those of each fact."""
        report = load_report()
        if self.form() == "fact":
            return [_counted(report, FACT_ROW, kind, FACTS_SAID[kind]) for kind in FACTS]
        kind = name_of(self.kind)
        return [
            _counted(report, voice, kind, VOICES_SAID[voice])
            | {"loss": report.loss[voice], "floor": report.floor[voice]}
            for voice in BASE_VOICES
        ]

    def values(self) -> dict[str, Any]:
        """Return every number that the sentence may use; asked.js makes the same."""
        story = self.form() == "story"
        here = self.voice if story else self.kind
        row = next(row for row in self.rows() if row["key"] == here)
        one = self.shown(self.voice if story else FACT_ROW)[self.question]
        (said, p), *_ = one["said"]
        verdict = WORDS["verdicts"]["right" if said == one["answer"] else "wrong"]
        answered = {"said": Quoted(said), "p": p, "answer": Quoted(one["answer"])}
        return {**row, **answered, "voice": row["name"], "verdict": fill(verdict, answered)}

    def sentence(self) -> str:
        """Say how many of all are answered rightly, and what the model says here."""
        return fill(WORDS["sentences"][self.form()], self.values())

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return head and rows of the shares."""
        form = self.form()
        return self.words["heads"][form], [
            [fill(cell, values) for cell in WORDS["cells"][form]] for values in self.rows()
        ]

    def snippet(self) -> str:
        """Return code that asks the model all questions of the kind."""
        return fill_code(SNIPPETS[self.form()], {"kind": name_of(self.kind), "voice": self.voice})


def _counted(report: Report, row: str, kind: str, name: str) -> dict[str, Any]:
    right, asked = report.right[row][kind], report.asked[row][kind]
    among = _among(kind)
    key = slug(kind) if row == FACT_ROW else row
    shares = {"share": right / asked, "chance": 1 / among}
    return {"key": key, "name": name, "right": right, "asked": asked, "among": among, **shares}


def _among(kind: str) -> int:
    """Return how many answers somebody blind would choose from."""
    if kind == "private":  # all are answered alike
        return 1
    return len(values_of(kind)) if kind in FACTS else TOLD_OF


def _sentences(words: list[str]) -> list[str]:
    """Return a text sentence by sentence, the question last."""
    ends = [i + 1 for i, word in enumerate(words) if word in STOPS]
    return [readable(words[start:end]) for start, end in pairwise([0, *ends, len(words)])]
