"""An adapter that a reader brings, put on the base model and measured like one that was trained here."""

from collections.abc import Iterator

from compute.adapters.dora import DoRALinear
from compute.adapters.layer import lora_layers
from compute.adapters.peft_format import AdapterFiles, load_adapter
from compute.model.checkpoint import load_base
from compute.model.gpt import GPT
from compute.numbers.refusal import FileRefused
from compute.training.config import Result, TrainConfig
from compute.training.loop import device, measured
from compute.world.tasks import TRAINING_TEXTS


def open_adapter(
    task: str, weights: bytes, config: str, base: GPT | None = None, n_texts: int = TRAINING_TEXTS
) -> Iterator[Result]:
    """Yield what an adapter does to the base model.

    Parameters
    ----------
    task : str
        What it is evaluated on, one of a TrainConfig's.
    weights : bytes
        Bytes of adapter_model.safetensors, as PEFT or this project writes it.
    config : str
        Text of adapter_config.json.
    base : GPT, optional
        A plain model on the CPU, which is not touched. If left out, the base model of the lessons.
    n_texts : int
        Of new facts, how many are asked.

    Yields
    ------
    Result
        One. Its step and seconds are 0: nothing was trained here. The spectra end at the r of their layer, but those of
        DoRA, which is not of low rank.

    Raises
    ------
    FileRefused
        If a file is damaged, does not fit the model, or asks for what this model does not do; or if the model
        with it gives losses that are no numbers.
    ValueError
        If the task is unknown.

    Examples
    --------
    >>> from compute.training.config import TrainConfig
    >>> from compute.training.loop import train
    >>> *_, run = train(TrainConfig(steps=2, batch_size=4, r=2, n_texts=64))
    >>> (opened,) = open_adapter("new facts", run.weights, run.adapter_config, n_texts=64)
    >>> opened.evaluation == run.evaluation, opened.trainable == run.trainable
    (True, True)
    """
    TrainConfig(task=task)  # refuses an unknown one
    base = load_base() if base is None else base
    model = load_adapter(base, AdapterFiles(weights, config)).to(device())
    ranks = {name: None if isinstance(layer, DoRALinear) else layer.r for name, layer in lora_layers(model)}
    if not ranks:
        raise FileRefused("The adapter holds no lora_A and lora_B.")
    result = measured(model, base, task, (weights, config), n_texts=n_texts)
    if result is None:
        raise FileRefused("With this adapter, up to twice its strength, the loss is no finite number.")
    yield result._replace(spectra={name: s[: ranks[name]] for name, s in result.spectra.items()})
