"""An adapter brought to the live lab: peft's files are opened, all others get a sentence and change nothing."""

from __future__ import annotations

import base64
import io
import itertools
import json
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model

from compute.model.checkpoint import load_base
from compute.numbers.refusal import FileRefused
from compute.training.config import TrainConfig
from compute.training.jobs import open_run
from compute.training.loop import train
from helpers.scripted import Runner, ended, press, rows, told
from helpers.streams import run, until
from widgets.live import trainer as module
from widgets.live import training as _training
from widgets.live.brought import MOST, TOO_LARGE, UNREADABLE, read
from widgets.live.registry import Registry
from widgets.live.takeaway import zipped
from widgets.live.trainer import Trainer

_times = itertools.count()
pytestmark = pytest.mark.usefixtures("brief_evaluations")


class Opening(Runner):
    """Train from a script, but open adapters with real torch."""

    async def stream(self, fn, /, **kwargs):
        if fn is not open_run:
            async for record in super().stream(fn, **kwargs):
                yield record
        else:
            for record in fn(**kwargs):
                yield record


@pytest.fixture(autouse=True)
def runner(monkeypatch) -> Opening:
    runner = Opening()
    registry = Registry(runner, most_at_once=2, grace=0.05)
    for where in (module, _training):
        monkeypatch.setattr(where, "registry", lambda: registry)
    return runner


def sent(config: bytes | str, weights: bytes, task: str = "new facts") -> str:
    config = config if isinstance(config, bytes) else config.encode()
    packed = {
        name: base64.b64encode(data).decode() for name, data in (("config", config), ("weights", weights))
    }
    return json.dumps({**packed, "task": task, "at": next(_times)})


async def bring(reader: Trainer, text: str) -> str:
    """Bring files and return what is said in the end."""
    reader.form.brought = text
    if reader._opening:
        await until(lambda: reader._opening.done(), seconds=40)
    return told(reader)["said"]


@pytest.fixture(scope="module")
def of_peft(tmp_path_factory) -> tuple[str, bytes]:
    """Return the two files that the peft library saves: r = 3 in q_proj and v_proj of every block."""
    folder = tmp_path_factory.mktemp("adapter")
    config = LoraConfig(r=3, lora_alpha=6, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    get_peft_model(load_base(), config).save_pretrained(folder)
    return (folder / "adapter_config.json").read_text(), (folder / "adapter_model.safetensors").read_bytes()


def test_an_adapter_of_the_peft_library_is_put_on_the_dial(of_peft):
    async def main():
        reader = Trainer()
        said = await bring(reader, sent(*of_peft, task="new words"))
        assert said == f"Opened: 6 adapted layers, r = 3, {len(of_peft[1]):,} bytes. Measured on: New words."
        assert (reader.dial.visible, reader.lab.visible) == (True, False)
        assert "“your adapter, r = 3”" in reader.dial.sentence()
        assert reader.dial.run.config["task"] == "new words"

    run(main())


def test_an_adapter_taken_away_comes_back_with_the_same_losses():
    *_, trained = train(TrainConfig(task="who had it first", r=2, steps=3, batch_size=8))

    async def main():
        reader = Trainer()
        await bring(reader, sent(trained.adapter_config, trained.weights, task="who had it first"))
        assert reader.dial.run.validation_loss == [trained.evaluation.validation_loss]
        assert reader.dial.run.samples == [trained.evaluation.samples]

    run(main())


def archived(**files: bytes) -> str:
    """Return a message with an archive that holds files of these names; "__" stands for a slash, "_s_" for a point."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "/").replace("_s_", "."), data)
    nothing = {"config": "", "weights": "", "task": "new facts"}
    return json.dumps({**nothing, "archive": base64.b64encode(packed.getvalue()).decode()})


def test_the_archive_that_was_taken_away_can_be_brought_as_it_is():
    *_, trained = train(TrainConfig(task="new facts", n_texts=8, r=2, steps=3, batch_size=8))
    text = json.dumps(
        {
            "config": "",
            "weights": "",
            "task": "new facts",
            "archive": base64.b64encode(zipped(trained, "new facts")).decode(),
        }
    )
    assert read(text) == ("new facts", trained.adapter_config, trained.weights)


@pytest.mark.parametrize(
    "text",
    [
        archived(adapter__adapter_config_s_json=b"{}"),  # one of two
        archived(
            a__adapter_config_s_json=b"{}", b__adapter_config_s_json=b"{}", adapter_model_s_safetensors=b"x"
        ),
        json.dumps({"config": "", "weights": "", "task": "new facts", "archive": "UEsDBAAA"}),
    ],
)
def test_an_archive_without_both_files_is_refused(text):
    with pytest.raises(FileRefused) as refused:
        read(text)
    assert str(refused.value) == UNREADABLE


def test_an_archive_that_swells_is_refused_before_it_fills_the_memory():
    with pytest.raises(FileRefused) as refused:
        read(archived(adapter_config_s_json=b"{}", adapter_model_s_safetensors=bytes(100 * MOST)))
    assert str(refused.value) == TOO_LARGE


def test_files_that_are_no_adapter_change_nothing(of_peft):
    config, weights = of_peft
    bad = [
        sent("{}", weights),
        sent("[" * 10**5, weights),
        sent(config, weights[:-9]),
        sent(config, b"PK\3\4" + weights),
        sent(config.replace('"r": 3', '"r": 4').replace("LORA", "IA3"), weights),
    ]

    async def main():
        reader = Trainer()
        await bring(reader, sent(config, weights))
        shown = reader.dial.run
        for text in bad:
            said = await bring(reader, text)
            assert said.endswith("."), said
            assert not said.startswith("Opened")
            assert "Traceback" not in said
            assert reader.dial.run is shown

    run(main())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", UNREADABLE),
        ("[]", UNREADABLE),
        ("[" * 10**5, UNREADABLE),
        (json.dumps({"task": "new facts", "config": "", "weights": ""}), UNREADABLE),
        (json.dumps({"task": "new facts", "config": "é", "weights": "AAAA"}), UNREADABLE),
        (sent("{}", b"x", task="klingon"), UNREADABLE),
        (sent(b"\xff\xfe", b"x"), UNREADABLE),
        (sent("{}", b"x" * (MOST + 1)), TOO_LARGE),
        ("x" * (2 * MOST + 1), TOO_LARGE),
    ],
)
def test_what_a_browser_could_not_have_meant_is_refused(text, told):
    with pytest.raises(FileRefused) as refused:
        read(text)
    assert str(refused.value) == told


@given(st.binary(max_size=30), st.binary(min_size=1, max_size=30))
def test_what_is_sent_is_what_is_read(config, weights):
    try:
        expected = ("new facts", config.decode("utf-8"), weights)
    except UnicodeDecodeError:
        expected = None
    if expected and config:
        assert read(sent(config, weights)) == expected
    else:
        with pytest.raises(FileRefused):
            read(sent(config, weights))


def test_a_refused_adapter_leaves_a_run_as_it_is(runner):
    async def main():
        reader = Trainer()
        runner.pace = 0.01
        press(reader, "train", method="lora", steps=50)
        await until(lambda: reader.lab.pair is not None)
        assert await bring(reader, sent("{}", b"x"))
        assert not reader._job.done()
        await ended(reader)
        assert rows(reader)["LoRA"].startswith("finished: 50 steps")
        assert reader.dial.visible, "a finished adapter can be turned up and down"

    run(main())
