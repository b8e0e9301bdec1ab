"""An adapter that a reader brings to the live lab: two files, checked before a worker opens them."""

import base64
import contextlib
import hashlib
import io
import json
import zipfile
import zlib

from compute.experiments.runs import LAB_FACTS, LAB_TASKS
from compute.numbers.records import base_sum
from compute.numbers.refusal import FileRefused
from compute.training.config import Result
from compute.training.gathered import Run, opened
from compute.training.jobs import open_run
from widgets.kit.languages import say
from widgets.kit.text import fill
from widgets.live.fair import OURS, Reader
from widgets.live.registry import Registry, RunRefused, RunStopped, Waiting, run_key
from widgets.live.runner import WorkerDied

MOST = 4_000_000  # bytes of both files; r = 64 in every matrix, embeddings included, has 1.3 million
NAMES = {"config": "adapter_config.json", "weights": "adapter_model.safetensors"}

UNREADABLE = (
    f"Choose two files together: {NAMES['config']} and {NAMES['weights']}, as the peft library saves them, or an "
    "archive (.zip) that holds both."
)
TOO_LARGE = f"The two files may have {MOST // 10**6} MB together. An adapter of this model is smaller."
ADAPTED = ("{layers:,d} adapted layer", "{layers:,d} adapted layers")  # one, and several
OPENED = "Opened: {layers}, r = {r}, {bytes:,d} bytes. Measured on: {label}."
FAILED = "The adapter could not be opened, and why is not known. The server's log says more."


def read(text: str) -> tuple[str, str, bytes]:
    """Return task, config and weights from what a browser sends; raise FileRefused with a sentence."""
    if len(text) > 2 * MOST:
        raise FileRefused(say(TOO_LARGE))
    try:
        sent = json.loads(text)
        task = sent["task"]
        files = {name: base64.b64decode(sent[name], validate=True) for name in NAMES}
        if archive := base64.b64decode(sent.get("archive", ""), validate=True):
            files = _unzipped(archive)
        config = files["config"].decode("utf-8")
    except (ValueError, KeyError, TypeError, RecursionError):
        raise FileRefused(say(UNREADABLE)) from None
    if task not in LAB_TASKS or not config or not files["weights"]:
        raise FileRefused(say(UNREADABLE))
    if sum(map(len, files.values())) > MOST:
        raise FileRefused(say(TOO_LARGE))
    return task, config, files["weights"]


def _unzipped(archive: bytes) -> dict[str, bytes]:
    """Return an adapter's two files from an archive that holds each once, in any folder; empty where it does not."""
    files = dict.fromkeys(NAMES, b"")
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as inside:
            for name, file_name in NAMES.items():
                found = [each for each in inside.infolist() if each.filename.rpartition("/")[2] == file_name]
                if len(found) == 1:
                    with inside.open(found[0]) as file:
                        files[name] = file.read(MOST + 1)  # whatever it claims to hold
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, zlib.error):
        raise FileRefused(say(UNREADABLE)) from None
    return files


async def measure(registry: Registry, task: str, config: str, weights: bytes, reader: Reader = OURS) -> Run:
    """Return what the adapter does, measured by a worker; raise FileRefused with a sentence where that fails."""
    told = {"config": config, "weights": hashlib.sha256(weights).hexdigest(), "model": base_sum()}
    records = registry.watch(
        run_key(task=task, **told),
        open_run,
        reader=reader,
        task=task,
        weights=weights,
        config=config,
        n_texts=LAB_FACTS,
    )
    try:
        async with contextlib.aclosing(records):
            async for record in records:
                if isinstance(record, Result):
                    return opened(task, record)
                assert isinstance(record, Waiting)
    except FileRefused:
        raise
    except (RunRefused, RunStopped, WorkerDied) as death:
        raise FileRefused(str(death)) from None
    except Exception:  # of the worker: the reader gets a sentence, the registry's log the rest
        raise FileRefused(say(FAILED)) from None
    raise FileRefused(say(FAILED))


def adapted(layers: int) -> str:
    """Say how many layers an adapter adapts."""
    return fill(ADAPTED[layers != 1], {"layers": layers})


def said(run: Run, label: str) -> str:
    """Say what was opened."""
    told = {"layers": adapted(len(run.spectra)), "r": run.config["r"], "bytes": run.bytes, "label": label}
    return fill(OPENED, told)
