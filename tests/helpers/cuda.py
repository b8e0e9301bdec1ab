"""A stand-in for CUDA's graphs on a processor: what is recorded is not done, and what is played is not asked again."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from importlib import import_module
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from compute.training import loop, sweep, together

LOOKS = {
    "aten::_local_scalar_dense",
    "aten::item",
    "aten::nonzero",
    "aten::equal",
}  # a recording cannot wait for these


def written(func: Any, args: tuple, kwargs: dict) -> list[torch.Tensor]:
    """Return the tensors that an operation writes to."""
    named = list(zip(func._schema.arguments, args, strict=False))
    named += [(each, kwargs[each.name]) for each in func._schema.arguments if each.name in kwargs]
    changed = [value for each, value in named if each.alias_info and each.alias_info.is_write]
    return [leaf for leaf in tree_leaves(changed) if isinstance(leaf, torch.Tensor)]


class Recorder(TorchDispatchMode):
    """Note each operation with its tensors; put back what it wrote to, since recording computes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: list[tuple[Any, tuple, dict, Any]] = []
        self.before: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = func._schema.name
        if name in LOOKS:
            raise RuntimeError(f"operation not permitted when stream is capturing: {name}")
        for each in written(func, args, kwargs):
            self.before.setdefault(id(each), (each, each.detach().clone()))
        answer = func(*args, **kwargs)
        if name != "aten::detach":
            self.noted.append((func, args, kwargs, answer))
        return answer

    def put_back(self) -> None:
        for each, value in self.before.values():
            each.detach().copy_(value)

    def play(self) -> None:
        """Do every operation again with the same tensors, into the same memory."""
        with torch.no_grad():
            for func, args, kwargs, answer in self.noted:
                if any(each.alias_info and not each.alias_info.is_write for each in func._schema.returns):
                    continue  # a view: it sees what its source holds
                again = func(*tree_map(bare, args), **tree_map(bare, kwargs))
                if not written(func, args, kwargs):
                    for old, new in zip(tree_leaves(answer), tree_leaves(again), strict=True):
                        if isinstance(old, torch.Tensor):
                            bare(old).copy_(new)


def bare(thing: Any) -> Any:
    return thing.detach() if isinstance(thing, torch.Tensor) else thing


class Graph:
    """Stand in for torch.cuda.CUDAGraph."""

    made: list[Graph] = []

    def __init__(self) -> None:
        self.recorder = Recorder()
        self.played = 0
        self.made.append(self)

    def replay(self) -> None:
        self.played += 1
        self.recorder.play()


class Stream:
    def wait_stream(self, other: Stream) -> None:
        pass


@contextmanager
def recorded(graph: Graph):
    with graph.recorder:
        yield
    graph.recorder.put_back()


def on_cuda(patch: pytest.MonkeyPatch) -> list[Graph]:
    """Have runs take the processor for a GPU whose steps can be recorded; return the graphs as they are made."""
    graphs: list[Graph] = []
    patch.setattr(Graph, "made", graphs)
    patch.setattr(torch.cuda, "CUDAGraph", Graph)
    patch.setattr(torch.cuda, "graph", recorded)
    patch.setattr(torch.cuda, "Stream", Stream)
    patch.setattr(torch.cuda, "stream", lambda _: nullcontext())
    patch.setattr(torch.cuda, "current_stream", Stream)
    for where in (loop, together, sweep):
        patch.setattr(where, "RECORDING", ("cpu",))
    adam = import_module("torch.optim.adam")
    patch.setattr(adam, "_get_capturable_supported_devices", lambda *_, **__: ["cpu"])
    patch.setitem(loop.BUNCH, "cpu", loop.BUNCH["cuda"])
    return graphs
