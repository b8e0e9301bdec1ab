"""On a GPU the many small kernels of a step are recorded once, as a CUDA graph, and started again by one call."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch.nn.functional import pad

from compute.world.batches import Texts
from compute.world.tokens import BEGIN

RECORDING = ("cuda",)  # devices that a step can be recorded on
PLAIN = 3  # times that an act is done first: what libraries set up at the start belongs in no recording


class Replayed:
    """Do an act on a GPU: plainly at first, then recorded once, from then on by playing the recording.

    Parameters
    ----------
    act : callable
        Reads and writes tensors that are always the same ones, and waits for none of their numbers. What it has from
        Python stays as it was when it was recorded. It returns a tensor or None.

    Notes
    -----
    A step on the mini-model is some five hundred kernels of microseconds, and Python needs longer to start each than
    the GPU to run it. A recording starts them all by one call, and writes into the same memory every time: what it
    returned last is written over. The plain calls are the first of the act's own work and not a rehearsal, so that
    nothing has to be put back; recording itself computes nothing.

    References
    ----------
    PyTorch, "Accelerating PyTorch with CUDA Graphs" (2021); torch.cuda.graph.

    Examples
    --------
    >>> Replayed(torch.zeros).graph is None  # nothing is recorded yet
    True
    """

    def __init__(self, act: Callable[..., torch.Tensor | None]):
        self.act = act
        self.graph: torch.cuda.CUDAGraph | None = None
        self._answer: torch.Tensor | None = None
        self._side: torch.cuda.Stream | None = None
        self._calls = 0

    def __call__(self, *given: Any) -> Any:
        """Do the act; what is given must be the same tensors every time."""
        if self.graph is None and self._calls < PLAIN:
            self._calls += 1
            return self._aside(*given)
        if self.graph is None:
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self._answer = self.act(*given)
        self.graph.replay()
        return self._answer

    def _aside(self, *given: Any) -> torch.Tensor | None:
        """Do the act on a stream of its own, as recording will."""
        if self._side is None:  # one for all calls: each stream has memory of its own
            self._side = torch.cuda.Stream()
        here = torch.cuda.current_stream()
        self._side.wait_stream(here)
        with torch.cuda.stream(self._side):
            answer = self.act(*given)
        here.wait_stream(self._side)
        return answer


def in_place(batches: Iterable[Texts], where: torch.device, length: int) -> Iterator[Texts]:
    """Hold each step's texts in the same memory of a device, where a recording reads them.

    Parameters
    ----------
    batches : iterable of Texts
        What each step reads, on the CPU: as many texts each.
    where : torch.device
        The device.
    length : int
        Tokens that texts are filled up to, at least as many as the longest has. Those of which every word is learned
        are as long as each other anyway, and stay.

    Yields
    ------
    Texts
        Always the same tensors, with the numbers of the next step.

    Examples
    --------
    >>> from compute.world.batches import texts_of
    >>> facts = texts_of("new facts", "train", 8, 64)
    >>> held = in_place((facts.some(torch.tensor([i])) for i in range(2)), torch.device("cpu"), 65)
    >>> one = next(held).tokens
    >>> before = one.clone()
    >>> next(held).tokens is one, torch.equal(one, before), one.shape
    (True, False, torch.Size([1, 65]))
    """
    held: Texts | None = None
    for batch in batches:
        if batch.learned is not None:
            missing = (0, length - batch.tokens.shape[1])
            batch = Texts(pad(batch.tokens, missing, value=BEGIN), pad(batch.learned, missing))
        if held is None:
            held = batch.to(where)
        else:
            for own, new in zip(held, batch, strict=True):
                if own is not None:
                    own.copy_(new, non_blocking=True)  # waits for nothing: the source is copied at once
        yield held
