"""What mixes of three adapters do, and the adapters.

The recorded runs with r = 4 are trained again, about 10 seconds each, and an adapter whose losses are not the recorded
ones is refused. Then 157 models are measured, each on 400 sentences of its own, which takes most of the time.
"""

import hashlib
import json
import sys
from collections.abc import Mapping
from functools import cache
from itertools import combinations, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from compute.adapters.mixing import LOSSES, METHODS, VOICES_MIXED, Factors, Layers, Measured
from compute.experiments.making import Bar, Recipe, finished
from compute.experiments.runs import load
from compute.numbers.files import FileRefused, read_adapter
from compute.numbers.records import RECORDS, NotWhole, read_record, recorded_here, write_record
from compute.text.voices import NO_VOICE, VOICES
from compute.training.config import TrainConfig

if TYPE_CHECKING:
    from compute.model.gpt import GPT

FOLDER = RECORDS / "mixing"
WEIGHTS = (0.25, 0.5, 0.75, 1.0)  # besides 0, which leaves an adapter out
MEASURED_METHODS = ("products", "factors", "svd")  # "concatenation" gives the same weights as "products"
R = 4
SENTENCES, SEED = 400, 0  # a share of one half is then known to within 5 in 100
SAME_LOSS = 5e-4  # nats: the record has four decimals, and another machine rounds otherwise on the way
DECIMALS = 4  # of losses


class Mix(NamedTuple):
    """Name a mix: which adapters, in the order of VOICES_MIXED, their weights above 0, and the method.

    Attributes
    ----------
    voices : tuple of str
        None for the base alone, one or two of VOICES_MIXED.
    weights : tuple of float
        One of WEIGHTS for each.
    method : str
        One of MEASURED_METHODS; "products" where there are not two adapters.
    """

    voices: tuple[str, ...]
    weights: tuple[float, ...]
    method: str


class Record(NamedTuple):
    """Hold everything that was measured, and how.

    Attributes
    ----------
    sentences : int
        Written by each model.
    seed : int
        Of the dice, the same for each model.
    recorded : str
        When and on what.
    mixes : dict of Mix to Measured
        One for each of `every_mix`.
    """

    sentences: int
    seed: int
    recorded: str
    mixes: Mapping[Mix, Measured]


def every_mix() -> list[Mix]:
    """Return the mixes that are measured.

    Returns
    -------
    list of Mix
        The base alone, each adapter alone at each weight, and each pair at all weights in each method.

    Examples
    --------
    >>> len(every_mix()), every_mix()[-1]
    (157, Mix(voices=('medical', 'code'), weights=(1.0, 1.0), method='svd'))
    """
    alone = [Mix((voice,), (weight,), "products") for voice in VOICES_MIXED for weight in WEIGHTS]
    pairs = product(combinations(VOICES_MIXED, 2), MEASURED_METHODS, product(WEIGHTS, repeat=2))
    return [Mix((), (), "products"), *alone, *(Mix(voices, ws, method) for voices, method, ws in pairs)]


def mix_of(weights: Mapping[str, float], method: str) -> Mix:
    """Return the name under which a mix is measured.

    Parameters
    ----------
    weights : dict of str to float
        Weight of each adapter, 0 or one of WEIGHTS; at most two above 0.
    method : str
        One of METHODS.

    Returns
    -------
    Mix
        The order of the adapters does not matter, nor does the method where fewer than two have a weight.

    Raises
    ------
    ValueError
        If no such mix is measured.

    Notes
    -----
    "concatenation" adds the same to the weights as "products" (`compute.adapters.mixing.difference` is 0 up to
    rounding), so that both are one measurement.

    Examples
    --------
    >>> mix_of({"medical": 0.5, "legal": 1, "code": 0}, "concatenation")
    Mix(voices=('legal', 'medical'), weights=(1.0, 0.5), method='products')
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}.")
    used = [voice for voice in VOICES_MIXED if weights.get(voice, 0)]
    same = len(used) < 2 or method == "concatenation"
    mix = Mix(tuple(used), tuple(float(weights[v]) for v in used), "products" if same else method)
    if not weights.keys() <= set(VOICES_MIXED) or mix not in every_mix():
        raise ValueError(f"no such mix is measured: {weights}.")
    return mix


def load_factors(voice: str, folder: Path = FOLDER) -> Layers:
    """Return one of the adapters that are mixed.

    Parameters
    ----------
    voice : str
        One of VOICES_MIXED.
    folder : Path
        Where the folders of the adapters are. If left out, assets/recorded/mixing.

    Returns
    -------
    dict of str to Factors
        By the name of the layer.

    Raises
    ------
    ValueError
        If there is no such adapter, or its file is missing or damaged.

    Notes
    -----
    The folders are those of the peft library: adapter_model.safetensors and adapter_config.json.

    Examples
    --------
    >>> factors = load_factors("legal")
    >>> len(factors), factors["blocks.0.attention.q_proj"].r
    (18, 4)
    """
    if voice not in VOICES_MIXED:
        raise ValueError(f"voice must be one of {', '.join(VOICES_MIXED)}, got {voice!r}.")
    try:
        config = json.loads((folder / voice / "adapter_config.json").read_text(encoding="utf-8"))
        scaling = config["lora_alpha"] / config["r"]
        layers = read_adapter((folder / voice / "adapter_model.safetensors").read_bytes()).layers
    except FileNotFoundError:
        fault = "is missing"
    except (ValueError, TypeError, KeyError, FileRefused):
        fault = "is damaged"
    else:
        return {name: Factors(layer.lora_B, layer.lora_A, scaling) for name, layer in layers.items()}
    raise ValueError(f"The adapter {voice} {fault}. Run `python -m compute.experiments.mixing`.")


def adapter_sums(folder: Path = FOLDER) -> dict[str, str]:
    """Return which adapters there are.

    Parameters
    ----------
    folder : Path
        Where the folders of the adapters are. If left out, assets/recorded/mixing.

    Returns
    -------
    dict of str to str
        SHA-256 of the weights of each.

    Examples
    --------
    >>> sorted(adapter_sums())
    ['code', 'legal', 'medical']
    """
    return {
        voice: hashlib.sha256((folder / voice / "adapter_model.safetensors").read_bytes()).hexdigest()
        for voice in VOICES_MIXED
    }


@cache
def load_record(folder: Path = FOLDER) -> Record:
    """Return what was measured.

    Parameters
    ----------
    folder : Path
        Where measured.json and the folders of the adapters are. If left out, assets/recorded/mixing.

    Returns
    -------
    Record
        All of it; do not write to it: it is kept and shared.

    Raises
    ------
    ValueError
        If the file is missing, damaged, incomplete, or measured with another base model or other adapters.

    Examples
    --------
    >>> record = load_record()
    >>> sum(record.mixes[mix_of({"legal": 1}, "products")].counts.values()) == record.sentences
    True
    """

    def build(data: dict[str, Any]) -> Record:
        if data["adapters"] != adapter_sums(folder):
            raise NotWhole("was measured with other adapters")
        mixes = dict(map(_read, data["mixes"]))
        record = Record(data["sentences"], data["seed"], data["recorded"], mixes)
        if mixes.keys() != set(every_mix()) or not all(
            _is_whole(each, record.sentences) for each in mixes.values()
        ):
            raise NotWhole
        return record

    return read_record(folder / "measured.json", "mixing", build)


def _read(row: dict[str, Any]) -> tuple[Mix, Measured]:
    mix = Mix(tuple(row["voices"]), tuple(map(float, row["weights"])), row["method"])
    return mix, Measured(
        dict(row["counts"]), dict(row["losses"]), tuple((voice, text) for voice, text in row["samples"])
    )


def _is_whole(measured: Measured, sentences: int) -> bool:
    counts, losses, samples = measured
    return (
        set(counts) == {*VOICES, NO_VOICE}
        and all(isinstance(count, int) and count >= 0 for count in counts.values())
        and sum(counts.values()) == sentences > 0
        and tuple(losses) == LOSSES
        and all(isinstance(loss, float) and loss > 0 for loss in losses.values())
        and len(samples) > 0
        and all(voice in counts and isinstance(text, str) and text for voice, text in samples)
    )


# Reading needs no torch: whatever loads it is imported where something is recorded.


def _train_adapter(voice: str, base: "GPT") -> str:
    """Train a recorded run again, write its adapter, and tell its loss."""
    run = load(voice, R)
    end = finished(TrainConfig(**run.config), base)
    loss, recorded = end.evaluation.validation_loss, run.validation_loss[-1]
    if abs(loss - recorded) > SAME_LOSS:
        sys.exit(f"{voice}: loss {loss:.4f}, recorded {recorded:.4f}: make runs first.")
    folder = FOLDER / voice
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_model.safetensors").write_bytes(end.weights)
    (folder / "adapter_config.json").write_text(str(end.adapter_config), encoding="utf-8")
    return f"{voice}: loss {loss:.4f}"


def _make(_: list[str]) -> None:
    from compute.adapters.mixed_model import measure, mixed_model
    from compute.model.checkpoint import load_base

    base, mixes = load_base(), every_mix()
    bar = Bar(len(VOICES_MIXED) + len(mixes))
    for voice in VOICES_MIXED:
        bar.did(_train_adapter(voice, base))
    adapters = {voice: load_factors(voice) for voice in VOICES_MIXED}
    rows = []
    for mix in mixes:
        model = mixed_model(base, [adapters[voice] for voice in mix.voices], mix.weights, mix.method)
        measured = measure(model, SENTENCES, SEED)
        losses = {voice: round(loss, DECIMALS) for voice, loss in measured.losses.items()}
        rows.append({**mix._asdict(), **measured._replace(losses=losses)._asdict()})
        used = {voice: count for voice, count in measured.counts.items() if count}
        bar.did(f"{mix.method} {mix.voices} {mix.weights}: {used}")
    about = {
        "sentences": SENTENCES,
        "seed": SEED,
        "recorded": recorded_here(),
        "adapters": adapter_sums(),
        "mixes": rows,
    }
    write_record(FOLDER / "measured.json", about)


RECIPE = Recipe("mixing", __doc__, 4, (FOLDER,), _make, after=("runs",))
if __name__ == "__main__":
    RECIPE.run()
