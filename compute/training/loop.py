"""Finetune the mini-model, one record a step. Nothing here knows who watches: the caller takes records, or stops."""

import math
import time
from collections.abc import Iterator

import torch
from safetensors.torch import save

from compute.adapters.adalora import Allocation
from compute.adapters.adapted import adapted_layers
from compute.adapters.layer import delta_w, merge
from compute.adapters.methods import with_method
from compute.adapters.peft_format import EMBEDDINGS, adapter_state, on_base, save_adapter
from compute.matrices.svd import factorize
from compute.model.checkpoint import load_base
from compute.model.gpt import GPT
from compute.model.quantised import quantised_model
from compute.model.sampling import samples
from compute.text.batches import steps_of, windows
from compute.training.config import (
    EVALUATE_EVERY,
    STRENGTHS,
    TARGET_MODULES,
    Diverged,
    Evaluation,
    Result,
    StepRecord,
    TrainConfig,
)

SAMPLES, SAMPLE_SEED = 3, 1  # sentences in an evaluation
OPTIMIZERS = {"adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}
RUINED = 1.0  # nats: a loss that is this far above both its start and a blind guess does not come back


def device() -> torch.device:
    """Return what runs are computed on.

    Returns
    -------
    torch.device
        CUDA if there is one, then Apple's MPS, then the CPU.

    Examples
    --------
    >>> device().type in ("cuda", "mps", "cpu")
    True
    """
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def prepare(config: TrainConfig, base: GPT) -> GPT:
    """Return the model that a run trains, as it is before the first step.

    Parameters
    ----------
    config : TrainConfig
        The run.
    base : GPT
        A plain model on the CPU. It is not touched.

    Returns
    -------
    GPT
        A copy. What can learn asks for gradients: what the method trains, and perhaps the embeddings.

    Examples
    --------
    >>> model = prepare(TrainConfig(r=1, target_modules=("q_proj",)), load_base())
    >>> sum(p.numel() for p in model.parameters() if p.requires_grad)
    384
    """
    model = with_method(config, base)
    for name in EMBEDDINGS if config.train_embeddings else ():
        model.get_submodule(name).requires_grad_()
    return model


def train(config: TrainConfig, base: GPT | None = None) -> Iterator[StepRecord | Result | Diverged]:
    """Run a finetuning and yield what happens.

    Parameters
    ----------
    config : TrainConfig
        The run.
    base : GPT, optional
        A plain model on the CPU, which is not touched. If left out, the base model of the lessons.

    Yields
    ------
    StepRecord or Result or Diverged
        A StepRecord for each step, then one Result. Instead of a record that would hold something else than
        finite numbers comes one Diverged, and nothing after it.

    Notes
    -----
    The same config gives the same numbers, bit for bit, on the same machine with the same number of threads; only
    the times differ. Closing the generator ends the run. The weight decay of AdamW is torch's default, 0.01.
    A learning rate that is too large seldom gives infinite losses here: the last norm of the model bounds its
    logits as long as lm_head is frozen. So a run has diverged as soon as a loss is RUINED nats above that of the
    first step and above ln(vocab_size), the loss of a blind guess.

    References
    ----------
    Loshchilov & Hutter 2017, arXiv:1711.05101 (AdamW).

    Examples
    --------
    >>> *steps, result = train(TrainConfig(task="legal", steps=2, batch_size=4))
    >>> [record.step for record in steps], result.step
    ([0, 1], 2)
    >>> steps[0].gradient_norms["lora_A"], steps[0].evaluation == result.base_evaluation  # lora_B starts at 0
    (0.0, True)
    """
    start = time.perf_counter()
    base = load_base() if base is None else base
    if config.method == "lora":
        base = quantised_model(base, config.base_format)
    model = prepare(config, base).to(device())
    learning = {name: p for name, p in model.named_parameters() if p.requires_grad}
    optimizer = OPTIMIZERS[config.optimizer](learning.values(), lr=config.learning_rate)
    allocation = Allocation(model, config.r, config.steps) if config.method == "adalora" else None
    worst, blind_guess = math.inf, math.log(base.config.vocab_size)
    last_loss, training, waiting = None, 0.0, 0.0
    for step, texts in enumerate(steps_of(config, base.config.block_size)):
        evaluation = None if step % EVALUATE_EVERY else evaluate(model, config.task)
        began = time.perf_counter()
        optimizer.zero_grad()
        loss = model.loss(texts.to(device()))
        (loss + allocation.penalty() if allocation else loss).backward()
        norms = _gradient_norms(learning)
        value = loss.item()
        bad = value > worst or not all(map(math.isfinite, (value, *norms.values())))
        if bad or (evaluation and not evaluation.finite):
            yield Diverged(step, value if math.isfinite(value) else None, last_loss)
            return
        optimizer.step()
        if allocation:
            allocation.after(step + 1)
        now = time.perf_counter()
        if last_loss is None:
            worst = max(value, blind_guess) + RUINED
        training, last_loss = training + now - began, value
        speed = (step + 1) * config.batch_size * base.config.block_size / training
        yield StepRecord(step, value, norms, now - start - waiting, speed, evaluation)
        waiting += time.perf_counter() - now
    yield _result(config, base, model, last_loss, start + waiting)


def evaluate(model: GPT, task: str) -> Evaluation:
    """Return what a model can do: its loss on the task and on the base's voices, and what it writes.

    Parameters
    ----------
    model : GPT
        The model, with or without an adapter.
    task : str
        One of `compute.text.voices.VOICES`.

    Returns
    -------
    Evaluation
        Always on the same texts. Without samples where a loss is not finite.

    Examples
    --------
    >>> evaluation = evaluate(load_base(), "new language")
    >>> evaluation.validation_loss > 5 > 2 > evaluation.base_loss
    True
    """
    where, block_size = model.lm_head.weight.device, model.config.block_size
    with torch.no_grad():
        losses = [
            model.loss(windows(voice, "validation", block_size).to(where)).item() for voice in (task, "base")
        ]
    finite = all(map(math.isfinite, losses))
    return Evaluation(losses[0], losses[1], samples(model, SAMPLES, SAMPLE_SEED) if finite else ())


def learned(model: GPT, base: GPT) -> dict[str, torch.Tensor]:
    """Return what finetuning added to each linear layer of the blocks.

    Parameters
    ----------
    model : GPT
        The finetuned model: with adapters of any kind, or plain and of the same sizes as the base.
    base : GPT
        The model that it was finetuned from.

    Returns
    -------
    dict of str to (out, in) tensor
        delta_w by the name of the layer, on the CPU. Of an adapted model only the layers with an adapter, of another
        only those that changed.

    Examples
    --------
    >>> base = load_base()
    >>> learned(base, base)
    {}
    """
    adapted = {name: delta_w(layer).cpu() for name, layer in adapted_layers(model)}
    if adapted:
        return adapted
    before, after = base.state_dict(), model.state_dict()
    names = [
        name for name in before if name in after and name.removesuffix(".weight").endswith(TARGET_MODULES)
    ]
    changes = {name.removesuffix(".weight"): after[name].cpu() - before[name].cpu() for name in names}
    return {name: change for name, change in changes.items() if change.any()}


def measured(model: GPT, base: GPT, task: str, files: tuple[bytes, str | None]) -> Result | None:
    """Return all there is to say about a finetuned model.

    Parameters
    ----------
    model : GPT
        The model, on whatever device.
    base : GPT
        The model that it was finetuned from, on the CPU.
    task : str
        What it is evaluated on, one of TASKS.
    files : tuple of bytes and (str or None)
        Its weights and adapter_config.json, to be handed on.

    Returns
    -------
    Result or None
        Its step and seconds are 0. None if a loss is not finite, at any strength.

    Examples
    --------
    >>> base = load_base()
    >>> measured(base, base, "legal", (b"", None)).strengths  # nothing is adapted
    ()
    """
    evaluation = evaluate(model, task)
    strengths = STRENGTHS if any(adapted_layers(model)) else ()
    evaluations = tuple(evaluate(merge(model, strength), task) for strength in strengths)
    if not all(each.finite for each in (evaluation, *evaluations)):
        return None
    spectra = {
        name: factorize(matrix.double().numpy()).s.tolist() for name, matrix in learned(model, base).items()
    }
    trainable, total = _sizes(model)
    weights, text = files
    return Result(
        step=0,
        seconds=0.0,
        evaluation=evaluation,
        base_evaluation=evaluate(base, task),
        strengths=evaluations,
        trainable=trainable,
        total=total,
        spectra=spectra,
        weights=weights,
        adapter_config=text,
        device=device().type,
    )


def _gradient_norms(learning: dict[str, torch.nn.Parameter]) -> dict[str, float]:
    kinds: dict[str, list[torch.Tensor]] = {}
    for name, p in learning.items():
        kind = name.rpartition(".")[2]
        kinds.setdefault(kind if kind.startswith("lora_") else "other", []).append(p.grad)
    norms = {kind: torch.stack(torch._foreach_norm(grads)).norm() for kind, grads in kinds.items()}
    return dict(zip(norms, torch.stack([*norms.values()]).tolist(), strict=True))


def _sizes(model: GPT) -> tuple[int, int]:
    """Return how many numbers can learn, and how many there are."""
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return sum(size for size, learns in sizes if learns), sum(size for size, _ in sizes)


def _result(
    config: TrainConfig, base: GPT, model: GPT, last_loss: float | None, start: float
) -> Result | Diverged:
    files: tuple[bytes, str | None]
    trainable, total = _sizes(model)
    if config.method == "lora" and config.init == "PiSSA":
        model = on_base(model, base)  # from here on, what was learned is a change of the base
    if config.method == "lora":
        files = save_adapter(model)
    else:
        state = adapter_state(model)
        files = save({name: tensor.contiguous() for name, tensor in state.items()}), None
    seconds = time.perf_counter() - start
    result = measured(model, base, config.task, files)
    if result is None:
        return Diverged(config.steps, None, last_loss)
    return result._replace(step=config.steps, seconds=seconds, trainable=trainable, total=total)
