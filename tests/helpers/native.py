"""The page's trainer as Python calls it: the same .wasm, run by wasmtime, with arrays of NumPy for its pointers."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
from wasmtime import Engine, Instance, Module, Store

from compute.model.gpt import GPT
from compute.model.layers import layer_name
from compute.training.config import INITS, SCALING_RULES, TrainConfig
from compute.training.loop import steps_of
from compute.world.batches import Texts
from helpers import ROOT

METHODS = ("lora", "full", "embeddings", "norms", "dora")
OPTIMIZERS = ("adamw", "sgd")
PLAIN, RELAXED = (ROOT / "assets" / "bundles" / f"{name}.wasm" for name in ("trainer", "trainer_relaxed"))


@lru_cache
def compiled(path: Path) -> tuple[Engine, Module]:
    """Return a module, compiled once."""
    engine = Engine()
    return engine, Module(engine, path.read_bytes())


HEADER = (ROOT / "compute" / "native" / "trainer.h").read_text(encoding="utf-8")
CODES = {int(code): name for name, code in re.findall(r"^  ([A-Z_]+) = (\d+),", HEADER, re.MULTILINE)}


class Refused(ValueError):
    """Hold the name of the code with which the trainer refused."""

    def __init__(self, code: int):
        super().__init__(CODES[code])


class Native:
    """An instance of the trainer."""

    def __init__(self, path: Path = PLAIN):
        engine, module = compiled(path)
        self.store = Store(engine)
        self.exports = Instance(self.store, module, []).exports(self.store)

    def call(self, name: str, *arguments: float) -> float:
        """Call an exported function."""
        return self.exports[name](self.store, *arguments)

    def do(self, name: str, *arguments: float) -> None:
        """Call an exported function that may refuse."""
        code = self.call(name, *arguments)
        if code:
            raise Refused(code)

    def view(self, at: int, *shape: int, kind: type = np.float32) -> np.ndarray:
        """Return numbers of the module's memory, to be read or written until it grows."""
        size = int(np.prod(shape)) * np.dtype(kind).itemsize
        memory = self.exports["memory"]
        if not 0 < at % 2**32 <= memory.data_len(self.store) - size:
            raise IndexError(f"{at} is no pointer to {shape} numbers.")
        start = ctypes.addressof(memory.data_ptr(self.store).contents) + at % 2**32
        return np.frombuffer((ctypes.c_char * size).from_address(start), kind).reshape(shape)

    def put(self, array: np.ndarray) -> int:
        """Return a pointer to a copy of an array, for functions that take one."""
        at = self.call("room_for", max(array.nbytes, 16))
        self.view(at, *array.shape, kind=array.dtype.type)[...] = array
        return at

    def tensors(self, kind: str) -> dict[str, np.ndarray]:
        """Return the tensors of the "base", or what is "learned", by name."""
        found = {}
        for i in range(self.call(f"{kind}_count")):
            rows, columns = self.call(f"{kind}_rows", i), self.call(f"{kind}_columns", i)
            name = (
                bytes(self.view(self.call(f"{kind}_name", i), 48, kind=np.uint8)).partition(b"\0")[0].decode()
            )
            found[name] = self.view(self.call(f"{kind}_at", i), *([rows] if rows else []), columns)
        return found

    def load(self, base: GPT) -> Native:
        """Take over a plain model."""
        sizes = base.config
        self.do("create", sizes.vocab_size, sizes.block_size, sizes.n_layer, sizes.n_head, sizes.n_embd)
        own = self.tensors("base")
        state = base.state_dict()
        assert list(own) == list(state)
        for name, values in state.items():
            own[name][...] = values.numpy()
        return self

    def prepare(
        self,
        config: TrainConfig,
        texts: int | None = None,
        adapters: Mapping[str, tuple[int, float]] | None = None,
    ) -> Native:
        """Make a run of the model, as `compute.training.loop.prepare` does; or with r and alpha of layers by name."""
        if adapters is None:
            adapters = {
                layer_name(block, target): (config.r, config.alpha)
                for block in config.layers
                for target in config.target_modules
            }
        self.adapt(adapters)
        self.do(
            "prepare",
            METHODS.index(config.method),
            SCALING_RULES.index(config.scaling_rule),
            INITS.index(config.init),
            config.seed - 2**32 * (config.seed >= 2**31),
            config.train_embeddings,
            config.batch_size if texts is None else texts,
        )
        return self

    def adapt(self, adapters: Mapping[str, tuple[int, float]]) -> None:
        """Write r and alpha of each layer that has an adapter."""
        names = [*self.tensors("base")]
        ranks = self.view(self.call("ranks_at"), len(names), kind=np.int32)
        alphas = self.view(self.call("alphas_at"), len(names), kind=np.float64)
        for i, name in enumerate(names):
            ranks[i], alphas[i] = adapters.get(name.removesuffix(".weight"), (0, 0))

    def write(self, texts: Texts) -> tuple[int, int, bool]:
        """Write texts for the next call; return how many, their length, and whether they have masks."""
        n, T = texts.tokens.shape[0], texts.tokens.shape[1] - 1
        self.view(self.call("tokens_at"), n, T + 1, kind=np.int32)[...] = texts.tokens.numpy()
        if texts.learned is not None:
            self.view(self.call("masks_at"), n, T, kind=np.uint8)[...] = texts.learned.numpy()
        return n, T, texts.learned is not None

    def gradients(self, texts: Texts, total: int | None = None) -> float:
        """Compute the gradients of a step; return its loss."""
        self.do("gradients", *self.write(texts), len(texts.tokens) if total is None else total)
        return self.call("loss")

    def evaluate(self, texts: Texts, total: int | None = None) -> float:
        """Return the loss of what was applied."""
        self.do("evaluate", *self.write(texts), len(texts.tokens) if total is None else total)
        return self.call("loss")

    @property
    def gradient(self) -> np.ndarray:
        """All gradients."""
        return self.view(self.call("gradient_at"), self.call("learned_size"))

    def gradient_of(self) -> dict[str, np.ndarray]:
        """Return copies of the gradients by name."""
        found, at = {}, 0
        for name, value in self.tensors("learned").items():
            found[name] = self.gradient[at : at + value.size].reshape(value.shape).copy()
            at += value.size
        return found

    def update(self, config: TrainConfig) -> None:
        """Make the update that follows `gradients`."""
        self.do("update", OPTIMIZERS.index(config.optimizer), config.learning_rate)

    def updates(self, config: TrainConfig) -> Iterator[float]:
        """Train on the texts of a run; yield the loss of each step, as `compute.training.loop.updates` does."""
        for texts in steps_of(config, self.block_size):
            yield self.gradients(texts)
            self.update(config)

    @property
    def block_size(self) -> int:
        """Longest text of the model."""
        return self.call("base_rows", 1)

    def spectrum(self, i: int) -> np.ndarray:
        """Return the singular values of what was learned of base tensor i."""
        at = self.call("spectrum", i)
        return self.view(at, self.call("spectrum_size"), kind=np.float64).copy()
