"""The kernels of the page's trainer against torch, on random inputs of random shapes.

torch computes in float64: what remains is the rounding of float32, in the trainer alone. A sum of k products of numbers
near 1 is off by some sqrt(k) units of 6e-8; the approximations of exp and erf by 2 or 3 units.
"""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from helpers.native import PLAIN, RELAXED, Native

ROUNDING = 3e-6  # of numbers near 1, after sums of at most 600
SIZES = st.integers(1, 40)
SEEDS = st.integers(0, 2**32 - 1)
torch.set_num_threads(1)


@pytest.fixture(scope="module", params=[PLAIN, RELAXED], ids=["plain", "relaxed"])
def native(request) -> Native:
    return Native(request.param)


def drawn(seed: int, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


def doubled(*arrays: np.ndarray) -> list[torch.Tensor]:
    return [torch.tensor(each, dtype=torch.float64, requires_grad=True) for each in arrays]


def near(found: np.ndarray, wanted: torch.Tensor) -> None:
    np.testing.assert_allclose(found, wanted.detach().numpy(), rtol=ROUNDING, atol=ROUNDING)


few = settings(max_examples=25, deadline=None)


@few
@given(
    st.integers(1, 70),
    st.integers(1, 70),
    st.integers(1, 600),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    SEEDS,
)
def test_a_product_is_torch_s_whichever_way_its_matrices_lie(native, M, N, K, a_turned, b_turned, add, seed):
    A, B, C = drawn(seed, (K, M) if a_turned else (M, K), (N, K) if b_turned else (K, N), (M, N))
    at = native.put(C)
    a = (native.put(A), *((1, M) if a_turned else (K, 1)))
    b = (native.put(B), *((1, K) if b_turned else (N, 1)))
    native.call("product_of", M, N, K, 0.5, *a, *b, add, at, N)
    wanted = 0.5 * (A.T if a_turned else A).astype(float) @ (B.T if b_turned else B) + (C if add else 0)
    bound = ROUNDING * np.sqrt(K)
    np.testing.assert_allclose(native.view(at, M, N), wanted, rtol=bound, atol=bound)


@few
@given(SIZES, st.integers(1, 20), SEEDS)
def test_layer_norm_and_its_gradients(native, n, fours, seed):
    C = 4 * fours
    arrays = x, w, b, dy, before = drawn(seed, (n, C), (C,), (C,), (n, C), (n, C))
    at = [native.put(each) for each in arrays]
    y, stats, dw, db = (native.put(np.zeros(shape, np.float32)) for shape in ((n, C), (n, 2), (C,), (C,)))
    native.call("layer_norm", n, C, *at[:3], y, stats)
    native.call("layer_norm_back", n, C, at[0], at[1], stats, at[3], at[4], dw, db)
    X, W, B = doubled(x, w, b)
    Y = F.layer_norm(X, (C,), W, B)
    Y.backward(torch.tensor(dy).double())
    near(native.view(y, n, C), Y)
    rstd = 1 / np.sqrt(x.var(1) + 1e-5).min(initial=1)  # narrow rows have steep gradients
    for found, wanted in (
        (native.view(at[4], n, C), X.grad + torch.tensor(before)),
        (native.view(dw, C), W.grad),
        (native.view(db, C), B.grad),
    ):
        bound = ROUNDING * max(rstd, 1, np.sqrt(n)) ** 2
        np.testing.assert_allclose(found, wanted.numpy(), rtol=bound, atol=bound)


@few
@given(SIZES, SEEDS)
def test_gelu_and_its_slope(native, fours, seed):
    n = 4 * fours
    (u,) = drawn(seed, (n,))
    u *= 3
    at, y, dy = native.put(u), native.put(u), native.put(np.ones(n, np.float32))
    native.call("gelu", n, at, y)
    native.call("multiply", n, dy, at)
    (U,) = doubled(u)
    Y = F.gelu(U)
    Y.sum().backward()
    near(native.view(y, n), Y)
    near(native.view(dy, n), U.grad)


@few
@given(st.integers(1, 3), st.integers(1, 40), st.integers(1, 4), st.integers(1, 4), SEEDS)
def test_attention_and_its_gradients(native, n, T, heads, fours, seed):
    C, ld = 4 * fours * heads, (T + 3) // 4 * 4
    arrays = drawn(seed, *[(n, T, C)] * 4)
    q, k, v, dy = (native.put(each) for each in arrays)
    y, dq, dk, dv = (native.put(np.zeros((n, T, C), np.float32)) for _ in range(4))
    p = native.put(np.zeros((n, heads, T, ld), np.float32))
    square, turned = (native.put(np.zeros((size, ld), np.float32)) for size in (T, C))
    native.call("attention", n, 0, T, C, heads, T, q, k, v, turned, p, y)
    native.call("attention_back", n, T, C, heads, q, k, v, p, dy, square, turned, dq, dk, dv)
    tensors = doubled(*arrays[:3])
    split = [x.view(n, T, heads, -1).transpose(1, 2) for x in tensors]
    Y = F.scaled_dot_product_attention(*split, is_causal=True).transpose(1, 2).reshape(n, T, C)
    Y.backward(torch.tensor(arrays[3]).double())
    near(native.view(y, n, T, C), Y)
    for found, tensor in zip((dq, dk, dv), tensors, strict=True):
        near(native.view(found, n, T, C), tensor.grad)
    # Asked word by word, with the keys and values of the words before, it answers the same.
    alone, row = (
        native.put(np.zeros((n, 1, C), np.float32)),
        native.put(np.zeros((n, heads, T, 4), np.float32)),
    )
    last = native.put(arrays[0][:, -1:].copy())
    native.call("attention", n, T - 1, T, C, heads, T, last, k, v, turned, row, alone)
    near(native.view(alone, n, 1, C), Y[:, -1:])


@few
@given(SIZES, st.integers(2, 30), SEEDS)
def test_cross_entropy_and_its_gradient(native, n, V, seed):
    ld = (V + 3) // 4 * 4
    (z,) = drawn(seed, (n, V))
    rng = np.random.default_rng(seed)
    target, weight = rng.integers(0, V, n), rng.random(n) * (rng.random(n) < 0.7)
    padded = np.zeros((n, ld), np.float32)
    padded[:, :V] = z * 4
    at = native.put(padded)
    weights, targets = native.put(weight.astype(np.float32)), native.put(target.astype(np.int32))
    loss = native.call("cross_entropy", n, V, ld, weights, targets, at)
    (Z,) = doubled(z * 4)
    wanted = (F.cross_entropy(Z, torch.tensor(target), reduction="none") * torch.tensor(weight)).sum()
    wanted.backward()
    assert loss == pytest.approx(wanted.item(), rel=ROUNDING, abs=ROUNDING)
    near(native.view(at, n, ld)[:, :V], Z.grad)


@few
@given(st.integers(1, 4), st.integers(1, 9), SEEDS)
def test_embedding_and_its_gradients(native, n, T, seed):
    V, C = 7, 8
    arrays = words, places, dx = drawn(seed, (V, C), (T, C), (n, T, C))
    tokens = np.random.default_rng(seed).integers(0, V, (n, T))
    at, w, p, d = native.put(tokens.astype(np.int32)), *(native.put(each) for each in arrays)
    x, dw, dp = (native.put(np.zeros(shape, np.float32)) for shape in ((n, T, C), (V, C), (T, C)))
    native.call("embed", n, T, C, at, w, p, x)
    native.call("embed_back", n, T, C, at, d, dw, dp)
    W, P = doubled(words, places)
    X = F.embedding(torch.tensor(tokens), W) + P
    X.backward(torch.tensor(dx).double())
    near(native.view(x, n, T, C), X)
    near(native.view(dw, V, C), W.grad)
    near(native.view(dp, T, C), P.grad)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_ten_updates_are_torch_s(native, optimizer):
    p, *gradients = drawn(0, *[(64,)] * 11)
    gradients[3][:] = 0
    at, m, v = native.put(p), *(native.put(np.zeros(64, np.float32)) for _ in range(2))
    (P,) = doubled(p)
    kind = {"adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}[optimizer]
    torch_s = kind([P], lr=0.01)
    for t, gradient in enumerate(gradients, start=1):
        g = native.put(gradient)
        if optimizer == "adamw":
            native.call("adamw", 64, at, g, m, v, 0.01, 0.9**t, 0.999**t)
        else:
            native.call("sgd", 64, at, g, 0.01)
        P.grad = torch.tensor(gradient).double()
        torch_s.step()
    near(native.view(at, 64), P)


def test_what_is_no_number_stays_none(native):
    z = np.zeros((1, 8), np.float32)
    z[0, 3] = np.nan
    weight, target = native.put(np.ones(1, np.float32)), native.put(np.zeros(1, np.int32))
    assert np.isnan(native.call("cross_entropy", 1, 8, 8, weight, target, native.put(z)))
