"""Parts that run on a server speak the language of the page that they stand in, also when they are called later."""

from __future__ import annotations

import asyncio
import json

from widgets.kit.languages import Language, in_this_language, speaking, spoken
from widgets.live import settings
from widgets.live.own_matrix import WORDS, OwnMatrix
from widgets.live.trainer import ID, Trainer

OTHER = Language(
    "xx", "xx", messages={text: f"¡{text}!" for text in (settings.UNREADABLE, "Rank r", WORDS["empty"], ID)}
)


def test_what_is_called_later_speaks_as_it_was_begun():
    async def asked() -> Language:
        await asyncio.sleep(0)
        return spoken()

    with speaking(OTHER):
        later, at_length = in_this_language(spoken), in_this_language(asked)
    assert later() is OTHER
    assert asyncio.run(at_length()) is OTHER
    assert spoken() is not OTHER


def test_the_trainer_is_labelled_and_refuses_in_its_language():
    async def press() -> None:
        with speaking(OTHER):
            trainer = Trainer()
        spec = json.loads(trainer.form.spec)
        assert spec["id"] == ID, "links to settings are the same in every language"
        labels = [field["label"] for field in spec["fields"]]
        assert "¡Rank r!" in labels
        trainer.form.asked = json.dumps({"action": "train", "settings": {}})
        assert json.loads(trainer.form.told)["said"] == f"¡{settings.UNREADABLE}!"
        trainer.close()

    asyncio.run(press())


def test_a_file_is_refused_in_its_language():
    with speaking(OTHER):
        part = OwnMatrix()
    part.upload.file = json.dumps({"name": "a.npy", "size": 0})
    assert part.upload.said == f"¡{WORDS['empty']}!"
