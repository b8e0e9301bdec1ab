"""Finetune the mini-model, one record a step. Nothing here knows who watches: the caller takes records, or stops."""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from typing import Any, TypeVar

import torch
from safetensors.torch import save
from torch.nn.utils import get_total_norm

from compute.adapters.adalora import Allocation, SVDLinear
from compute.adapters.adapted import adapted_layers
from compute.adapters.layer import delta_w, merge
from compute.adapters.peft_format import EMBEDDINGS, adapter_state, on_base, save_adapter
from compute.matrices.svd import factorize
from compute.model.checkpoint import load_base
from compute.model.gpt import GPT
from compute.model.layers import TARGET_MODULES
from compute.model.quantised import quantised_model
from compute.numbers.bounds import number, whole
from compute.training import answers
from compute.training.captured import RECORDING, Replayed, in_place
from compute.training.config import (
    EVALUATE_EVERY,
    STRENGTHS,
    Diverged,
    Evaluation,
    Result,
    StepRecord,
    TrainConfig,
)
from compute.training.methods import with_method
from compute.world.batches import Texts, batches, texts_of, together, windows
from compute.world.stories import Source
from compute.world.tasks import ANSWERING, FACTS, TELLING, TRAINING_TEXTS

SAMPLE_SEED = 1
VALIDATION = 64  # texts in an evaluation
WRITTEN, QUESTIONS, PEOPLE = 16, 32, 64  # texts written, questions of a kind asked, people asked about
OWN_TEXTS = 4096  # of the base's own, where some are mixed in
T = TypeVar("T")
OPTIMIZERS = {"adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}
BUNCH = {
    "cpu": 1,
    "cuda": 25,
    "mps": 25,
}  # steps whose numbers leave a device together: a processor waits for none
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


def stored(config: TrainConfig, base: GPT) -> GPT:
    """Return the frozen model of a run: the base, with its linear layers as the run's base_format holds them.

    Parameters
    ----------
    config : TrainConfig
        The run.
    base : GPT
        A plain model on the CPU. It is not touched.

    Returns
    -------
    GPT
        The base itself for "float32" and for every method but "lora", which have no use for base_format.

    Examples
    --------
    >>> base = load_base()
    >>> stored(TrainConfig(), base) is base, stored(TrainConfig(base_format="nf4"), base) is base
    (True, False)
    """
    return quantised_model(base, config.base_format) if config.method == "lora" else base


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
        A copy, its frozen layers in the run's base_format. What can learn asks for gradients: what the method
        trains, and perhaps the embeddings.

    Examples
    --------
    >>> model = prepare(TrainConfig(r=1, target_modules=("q_proj",)), load_base())
    >>> sum(p.numel() for p in model.parameters() if p.requires_grad)
    384
    """
    model = with_method(config, stored(config, base))
    for name in EMBEDDINGS if config.train_embeddings else ():
        model.get_submodule(name).requires_grad_()
    return model


def steps_of(config: TrainConfig, block_size: int, count: int | None = None) -> Iterator[Texts]:
    """Return the texts of each step of a run.

    Parameters
    ----------
    config : TrainConfig
        The run.
    block_size : int
        Words in each text.
    count : int, optional
        Number of steps; if left out, those of the run.

    Returns
    -------
    iterator of Texts
        batch_size texts of the task; the base's own in place of the first base_share of them. All are written by now,
        and put together step by step.

    Notes
    -----
    The base's own texts are the first of those that the base was trained on. The others are the same whatever the
    share, and those of the first steps whatever the count.

    Examples
    --------
    >>> first, second = steps_of(TrainConfig("legal voice", steps=2, batch_size=4, base_share=0.25), 32)
    >>> [(text == own_texts(32).tokens).all(1).any().item() for text in first.tokens]
    [True, False, False, False]
    """
    replaced = round(config.base_share * config.batch_size)
    texts = own = texts_of(config.task, "train", config.n_texts, block_size)
    if replaced:  # text that nobody reads is not written
        own = own_texts(block_size)
    steps = config.steps if count is None else count
    chosen = batches(texts.tokens, config.batch_size, steps, config.seed)
    instead = batches(own.tokens, replaced, steps, config.seed)
    if not replaced:
        return (texts.some(step) for step in chosen)
    return (
        together(own.some(other), texts.some(step[replaced:]))
        for step, other in zip(chosen, instead, strict=True)
    )


@lru_cache(2)
def own_texts(block_size: int) -> Texts:
    """Return the texts of the base's own that are mixed into a task's: the first OWN_TEXTS that it was trained on.

    Parameters
    ----------
    block_size : int
        Words in each text.

    Returns
    -------
    Texts
        Written once, which takes seconds, and kept; not to be changed.

    Examples
    --------
    >>> len(own_texts(32).tokens)
    4096
    """
    return Texts(windows(Source(), 0, OWN_TEXTS, block_size))


def longest(config: TrainConfig, block_size: int) -> int:
    """Return how many tokens the texts of a run have at most.

    Parameters
    ----------
    config : TrainConfig
        The run.
    block_size : int
        Words in each text.

    Returns
    -------
    int
        Fewer than block_size + 1 where questions are asked, and no text of the base's own is among them.

    Examples
    --------
    >>> longest(TrainConfig(task="new facts"), 64), longest(TrainConfig(task="new facts", base_share=0.5), 64)
    (8, 65)
    """
    if config.base_share:
        return block_size + 1
    return texts_of(config.task, "train", config.n_texts, block_size).tokens.shape[1]


def steps(
    loss_of: Callable[[T], torch.Tensor],
    batches: Iterable[T],
    optimizer: torch.optim.Optimizer,
    allocation: Allocation | None = None,
) -> Iterator[float]:
    """Take one step of training after the other, and say what it costs.

    Parameters
    ----------
    loss_of : callable
        What is to fall, for what a step reads.
    batches : iterable
        What each step reads: a tensor of texts, or whatever else `loss_of` takes.
    optimizer : torch.optim.Optimizer
        Holds what learns.
    allocation : Allocation, optional
        AdaLoRA's budget: its penalty is learned from too, and it is spent after each update.

    Returns
    -------
    iterator of float
        The loss of each step, when `taken` has it.

    Examples
    --------
    >>> model = prepare(TrainConfig(r=1), load_base())
    >>> learning = [p for p in model.parameters() if p.requires_grad]
    >>> texts = [windows(Source(), 0, 4, 64)] * 3
    >>> first, *_, last = steps(model.loss, texts, torch.optim.SGD(learning, lr=0.1))
    >>> last < first
    True
    """
    return (loss.item() for loss in taken(loss_of, batches, optimizer, allocation))


def taken(
    loss_of: Callable[[T], torch.Tensor],
    batches: Iterable[T],
    optimizer: torch.optim.Optimizer,
    allocation: Allocation | None = None,
    seen: Callable[[torch.Tensor], torch.Tensor] = torch.Tensor.detach,
    replays: bool = False,
) -> Iterator[torch.Tensor]:
    """Take one step of training after the other: the loop of every run there is.

    Parameters
    ----------
    loss_of : callable
        As for `steps`.
    batches : iterable
        As for `steps`.
    optimizer : torch.optim.Optimizer
        As for `steps`.
    allocation : Allocation, optional
        As for `steps`.
    seen : callable
        What is wanted of a step, from its loss, the penalty left out, while the gradients are there.
    replays : bool
        Whether a step is recorded once and played again (`compute.training.captured`): on CUDA, where batches are
        always the same tensors and there is no allocation.

    Yields
    ------
    tensor
        What is wanted of each step, on the device, when the gradients are there and the update is not made yet. The
        update follows when the next one is asked for; a caller that stops asking leaves it out. Where steps are
        played again, the next one writes over it.

    Examples
    --------
    >>> model = prepare(TrainConfig(r=1), load_base())
    >>> learning = [p for p in model.parameters() if p.requires_grad]
    >>> texts = [windows(Source(), 0, 4, 64)]
    >>> norms = taken(model.loss, texts, torch.optim.SGD(learning), seen=lambda _: learning[0].grad.norm())
    >>> next(norms)  # lora_B starts at 0
    tensor(0.)
    """
    acts: tuple[Callable[..., Any], ...] = (
        partial(_look, loss_of, optimizer, allocation, seen),
        optimizer.step,
    )
    look, update = map(Replayed, acts) if replays else acts
    for done, texts in enumerate(batches, start=1):
        yield look(texts)
        update()
        if allocation:
            allocation.after(done)


def _look(
    loss_of: Callable[[T], torch.Tensor],
    optimizer: torch.optim.Optimizer,
    allocation: Allocation | None,
    seen: Callable[[torch.Tensor], torch.Tensor],
    texts: T,
) -> torch.Tensor:
    """Compute the gradients of a step, and return what is wanted of it."""
    optimizer.zero_grad()
    loss = loss_of(texts)
    (loss + allocation.penalty() if allocation else loss).backward()
    return seen(loss)


def warmed(
    model: torch.nn.Module,
    loss_of: Callable[[T], torch.Tensor],
    batches: Iterable[T],
    rate: float,
    warm_up: int,
    count: int,
) -> Iterator[float]:
    """Train what asks for gradients at a rate that rises over the first steps and falls to nothing at the last.

    Parameters
    ----------
    model : Module
        What asks for gradients learns, in place, by AdamW without weight decay.
    loss_of : callable
        As for `steps`.
    batches : iterable
        What each step reads. It may end early.
    rate : float
        The learning rate, of which step i of n takes min(1, (i + 1) / warm_up) * (1 - i / n).
    warm_up : int
        Steps over which it rises, at least 1.
    count : int
        Steps n over which it falls.

    Returns
    -------
    iterator of float
        The loss of each step, as `steps` yields it.

    Examples
    --------
    >>> model = prepare(TrainConfig(r=1), load_base())
    >>> texts = [windows(Source(), 0, 4, 64)] * 9
    >>> first, *_, last = warmed(model, model.loss, texts, 5e-3, 2, 9)
    >>> last < first
    True
    """
    optimizer = torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad], lr=rate, weight_decay=0.0
    )

    def scheduled() -> Iterator[T]:
        for step, batch in enumerate(batches):
            for group in optimizer.param_groups:
                group["lr"] = rate * min(1.0, (step + 1) / warm_up) * (1 - step / count)
            yield batch

    return steps(loss_of, scheduled(), optimizer)


def updates(model: GPT, config: TrainConfig, count: int | None = None) -> Iterator[float]:
    """Train what a model has to train on the texts of a run.

    Parameters
    ----------
    model : GPT
        As `prepare` makes it, on any device, or trained before: this is how a task is learned after another. What asks
        for gradients learns, in place.
    config : TrainConfig
        What to learn. The optimiser starts anew.
    count : int, optional
        Number of steps; if left out, those of the run.

    Returns
    -------
    iterator of float
        The loss of each step, as `steps` yields it.

    Raises
    ------
    ValueError
        If either the model or the config is AdaLoRA's, and the other is not.

    Examples
    --------
    >>> config = TrainConfig(steps=2, batch_size=4)
    >>> len([*updates(prepare(config, load_base()), config)])
    2
    """
    return (loss.item() for loss in _updates(model, config, torch.Tensor.detach, count))


def _updates(
    model: GPT,
    config: TrainConfig,
    seen: Callable[[torch.Tensor], torch.Tensor],
    count: int | None = None,
) -> Iterator[torch.Tensor]:
    """Train as `updates` does; yield what `taken` yields."""
    of_adalora = any(isinstance(layer, SVDLinear) for _, layer in adapted_layers(model))
    if of_adalora != (config.method == "adalora"):
        has = "has" if of_adalora else "has no"
        raise ValueError(f"The model {has} layers of AdaLoRA, and method is {config.method!r}.")
    where, block_size = model.lm_head.weight.device, model.config.block_size
    replays = where.type in RECORDING and not of_adalora
    learning = [p for p in model.parameters() if p.requires_grad]
    more = {"capturable": True} if replays and config.optimizer == "adamw" else {}
    optimizer = OPTIMIZERS[config.optimizer](learning, lr=config.learning_rate, **more)
    allocation = Allocation(model, config.r, config.steps) if of_adalora else None
    texts = steps_of(config, block_size, count)
    if replays:
        texts = in_place(texts, where, longest(config, block_size))
    return taken(lambda batch: model.loss(*batch.to(where)), texts, optimizer, allocation, seen, replays)


def out_of_bounds(first: float, vocab_size: int, answers: bool = False) -> float:
    """Return the loss above which a run has diverged.

    Parameters
    ----------
    first : float
        The loss of the first step, in nats per token.
    vocab_size : int
        Words that the model knows.
    answers : bool
        Whether only answers are learned from: those of one step are few, and can surprise by chance much more than
        those of the first did.

    Returns
    -------
    float
        RUINED nats above the first loss, twice that for answers, and above ln(vocab_size), the loss of a blind guess.

    Raises
    ------
    ValueError
        If the first loss is not finite, or the model knows no word.

    Examples
    --------
    >>> out_of_bounds(0.5, 256) == math.log(256) + RUINED
    True
    """
    number("first", first)
    whole("vocab_size", vocab_size, 1)
    return max(first * (2 if answers else 1), math.log(vocab_size)) + RUINED


def train(
    config: TrainConfig,
    base: GPT | None = None,
    *,
    evaluate_every: int = EVALUATE_EVERY,
    strengths: tuple[float, ...] = STRENGTHS,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[StepRecord | Result | Diverged]:
    """Run a finetuning and yield what happens.

    Parameters
    ----------
    config : TrainConfig
        The run.
    base : GPT, optional
        A plain model on the CPU, which is not touched. If left out, the base model of the lessons.
    evaluate_every : int
        Steps from one evaluation to the next, at least 1. The first is before the first update.
    strengths : tuple of float
        What delta_w is multiplied by for the evaluations of the Result.
    clock : callable
        Gives the seconds that the times are differences of.

    Yields
    ------
    StepRecord or Result or Diverged
        A StepRecord for each step, then one Result. Instead of a record that would hold something else than
        finite numbers comes one Diverged, and nothing after it.

    Raises
    ------
    ValueError
        If evaluate_every is below 1.

    Notes
    -----
    The same config gives the same numbers, bit for bit, on the same machine with the same number of threads; only
    the times differ. From a GPU the records of BUNCH steps come together, at the latest with an evaluation: a run that
    diverges is noticed as many steps later, and ends at the same one. Closing the generator ends the run. The weight
    decay of AdamW is torch's default, 0.01.
    A learning rate that is too large seldom gives infinite losses here: the last norm of the model bounds its
    logits as long as lm_head is frozen. So a run has diverged as soon as a loss is above `out_of_bounds`.

    References
    ----------
    Loshchilov & Hutter 2017, arXiv:1711.05101 (AdamW).

    Examples
    --------
    >>> *steps, result = train(TrainConfig(steps=2, batch_size=4, n_texts=64))
    >>> [record.step for record in steps], result.step
    ([0, 1], 2)
    >>> steps[0].gradient_norms["lora_A"], steps[0].evaluation == result.base_evaluation  # lora_B starts at 0
    (0.0, True)
    """
    whole("evaluate_every", evaluate_every, 1)
    start = clock()
    base = load_base() if base is None else base
    where = device()
    model, base = prepare(config, base).to(where), stored(config, base)
    kinds = _kinds(model)
    bunch, held = BUNCH[where.type], list[torch.Tensor]()
    tokens = config.batch_size * base.config.block_size
    worst, last_loss = math.inf, None
    training, waiting = 0.0, 0.0
    running = _updates(model, config, partial(_numbers, kinds))  # writes the texts, which is no training
    began = clock()
    for step, numbers in enumerate(running):
        held.append(numbers.clone())
        evaluates = step % evaluate_every == 0
        if len(held) < bunch and not evaluates and step + 1 < config.steps:
            continue
        rows, held = torch.stack(held).tolist(), []  # the one moment that waits for the device
        training += clock() - began
        for at, (loss, *norms) in enumerate(rows, start=step + 1 - len(rows)):
            bad = loss > worst or not all(map(math.isfinite, (loss, *norms)))
            wanted = evaluates and at == step and not bad
            evaluation = evaluate(model, config.task, config.n_texts) if wanted else None
            if bad or (evaluation and not evaluation.finite):
                yield Diverged(at, loss if math.isfinite(loss) else None, last_loss)
                return
            if last_loss is None:
                worst = out_of_bounds(loss, base.config.vocab_size, config.task in ANSWERING)
            last_loss, now = loss, clock()
            gradients = dict(zip(kinds, norms, strict=True))
            speed = (step + 1) * tokens / training
            yield StepRecord(at, loss, gradients, now - start - waiting, speed, evaluation)
            began = clock()
            waiting += began - now
    yield _result(config, base, model, last_loss, strengths, lambda: clock() - start - waiting)


def validation_texts(task: str, n_texts: int, block_size: int) -> Texts:
    """Return the texts on which the loss of an evaluation is measured.

    Parameters
    ----------
    task : str
        One of a TrainConfig's.
    n_texts : int
        As of the TrainConfig.
    block_size : int
        Words in each text.

    Returns
    -------
    Texts
        Of new facts those that were to be learned, which is what they are for; else texts that are for validation.

    Examples
    --------
    >>> [len(validation_texts(task, 8, 64).tokens) for task in ("new facts", "formal voice")]
    [8, 64]
    """
    return texts_of(task, "validation", n_texts if task == FACTS else VALIDATION, block_size)


def evaluate(model: GPT, task: str, n_texts: int = TRAINING_TEXTS) -> Evaluation:
    """Return what a model can do: its loss on the task and on the base's own texts, what it writes and answers.

    Parameters
    ----------
    model : GPT
        The model, with or without an adapter.
    task : str
        One of a TrainConfig's.
    n_texts : int
        As of the TrainConfig: of new facts, those that were to be learned are asked.

    Returns
    -------
    Evaluation
        Always on the same texts. Without samples and answers where a loss is not finite.

    Examples
    --------
    >>> evaluate(load_base(), "new facts", 8).samples[0]
    'where does nora marsh live? mill. (No: church.)'
    """
    where, block_size = model.lm_head.weight.device, model.config.block_size
    texts = validation_texts(task, n_texts, block_size)
    with torch.no_grad():
        loss = model.loss(*texts.to(where)).item()
    of_base = answers.base_loss(model, "validation", VALIDATION)
    if not math.isfinite(loss + of_base):
        return Evaluation(loss, of_base, ())
    written = answers.write_texts(model, WRITTEN, SAMPLE_SEED) if task in TELLING else []
    shown = answers.samples(model, task, written)
    shares = answers.shares(model, task, "validation", QUESTIONS, PEOPLE, written, n_texts)
    return Evaluation(loss, of_base, shown, shares)


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


def measured(
    model: GPT,
    base: GPT,
    task: str,
    files: tuple[bytes, str | None],
    strengths: tuple[float, ...] = STRENGTHS,
    n_texts: int = TRAINING_TEXTS,
) -> Result | None:
    """Return all there is to say about a finetuned model.

    Parameters
    ----------
    model : GPT
        The model, on whatever device.
    base : GPT
        The model that it was finetuned from, on the CPU.
    task : str
        What it is evaluated on, one of a TrainConfig's.
    files : tuple of bytes and (str or None)
        Its weights and adapter_config.json, to be handed on.
    strengths : tuple of float
        What delta_w is multiplied by for further evaluations, where there is one.
    n_texts : int
        As for `evaluate`.

    Returns
    -------
    Result or None
        Its step and seconds are 0. None if a loss is not finite, at any strength.

    Examples
    --------
    >>> base = load_base()
    >>> measured(base, base, "new facts", (b"", None), n_texts=64).strengths  # nothing is adapted
    ()
    """
    evaluation = evaluate(model, task, n_texts)
    turned = strengths if any(adapted_layers(model)) else ()
    evaluations = tuple(evaluate(merge(model, strength), task, n_texts) for strength in turned)
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
        base_evaluation=evaluate(base, task, n_texts),
        strengths=evaluations,
        trainable=trainable,
        total=total,
        spectra=spectra,
        weights=weights,
        adapter_config=text,
        device=device().type,
    )


def _kinds(model: GPT) -> dict[str, list[torch.nn.Parameter]]:
    """Return what learns, by the name that its gradients' norm has in a record."""
    kinds: dict[str, list[torch.nn.Parameter]] = {}
    for name, p in model.named_parameters():
        if p.requires_grad:
            kind = name.rpartition(".")[2]
            kinds.setdefault(kind if kind.startswith("lora_") else "other", []).append(p)
    return kinds


def _numbers(kinds: dict[str, list[torch.nn.Parameter]], loss: torch.Tensor) -> torch.Tensor:
    """Return the loss and the norm of each kind's gradients, (1 + kinds,)."""
    norms = [get_total_norm([p.grad for p in some if p.grad is not None]) for some in kinds.values()]
    return torch.stack([loss.detach(), *norms])


def _sizes(model: GPT) -> tuple[int, int]:
    """Return how many numbers can learn, and how many there are."""
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return sum(size for size, learns in sizes if learns), sum(size for size, _ in sizes)


def _result(
    config: TrainConfig,
    base: GPT,
    model: GPT,
    last_loss: float | None,
    strengths: tuple[float, ...],
    spent: Callable[[], float],
) -> Result | Diverged:
    files: tuple[bytes, str | None]
    trainable, total = _sizes(model)
    if config.method == "lora" and config.init == "PiSSA":
        model = on_base(model, base)  # from here on, what was learned is a change of the base
    if config.method in ("lora", "dora"):
        files = save_adapter(model)
    else:
        state = adapter_state(model)
        files = save({name: tensor.contiguous() for name, tensor in state.items()}), None
    seconds = spent()
    result = measured(model, base, config.task, files, strengths, config.n_texts)
    if result is None:
        return Diverged(config.steps, None, last_loss)
    return result._replace(step=config.steps, seconds=seconds, trainable=trainable, total=total)
