"""Bands against matrices that are really drawn, and the limit law against its density."""

import numpy as np
import pytest
from scipy.integrate import quad

from compute.matrices.controls import (
    DRAWS,
    LARGEST_DRAWN,
    marchenko_pastur_band,
    noise_band,
    noise_control,
    noise_energy_lost,
    noise_product_band,
)
from compute.matrices.examples import iid_noise
from compute.matrices.spectrum import energy, r90, relative_error, stable_rank

# Fluctuation of a percentile over N draws: the 5th and the 95th have a standard error of about 2.1 standard
# deviations / sqrt(N), the median 1.25. Bands are 3.3 deviations wide, two estimates are compared, and 5 of their
# joint errors at most are allowed: 5 * sqrt(2) * 2.1 / 3.3 = 4.5 widths / sqrt(N).
WIDTHS = 4.5


def drawn(shape: tuple[int, int], r: int | None, draws: int) -> np.ndarray:
    """Return normalised singular values of matrices, or of products, that are drawn entry by entry."""
    rng = np.random.default_rng(1)
    rows = []
    for _ in range(draws):
        if r is None:
            matrix = rng.standard_normal(shape)
        else:
            matrix = rng.standard_normal((shape[0], r)) @ rng.standard_normal((r, shape[1]))
        s = np.linalg.svd(matrix, compute_uv=False)[: min(*shape, r or min(shape))]
        rows.append(s / np.linalg.norm(s))
    return np.array(rows)


@pytest.mark.parametrize(
    ("shape", "r"),
    [
        ((24, 24), None),
        ((20, 60), None),
        ((60, 20), None),
        ((9, 1), None),
        ((24, 24), 4),
        ((40, 16), 16),
        ((12, 30), 20),  # r is larger than out
        ((30, 12), 20),  # r is larger than in
        ((6, 8), 50),  # r is larger than both
    ],
)
def test_bands_are_those_of_matrices_that_are_really_drawn(shape, r):
    draws = 2000
    s = drawn(shape, r, draws)
    band = noise_band(shape, draws) if r is None else noise_product_band(shape, r, draws)
    for name, rows in {
        "s": s,
        "energy": np.array([energy(row) for row in s]),
        "error": np.array([relative_error(row) for row in s]),
    }.items():
        expected, found = np.percentile(rows, [5, 50, 95], axis=0), getattr(band, name)
        assert found.shape == expected.shape
        allowed = WIDTHS / np.sqrt(draws) * (expected[2] - expected[0]) + 1e-12
        assert (np.abs(found - expected) <= allowed).all(), name


def test_rows_are_ordered_and_ends_are_exact():
    for band in (noise_band((24, 24)), noise_product_band((24, 24), 8), marchenko_pastur_band((300, 400))):
        for rows in band:
            assert (np.diff(rows, axis=0) >= 0).all()
        assert (np.diff(band.s, axis=1) <= 0).all()
        np.testing.assert_array_equal(band.energy[:, [0, -1]], [[0, 1]] * 3)
        np.testing.assert_array_equal(band.error[:, [0, -1]], [[1, 0]] * 3)


@pytest.mark.parametrize(
    "band",
    [noise_band((8, 9)), noise_product_band((8, 9), 3), marchenko_pastur_band((8, 9)), noise_control((8, 9))],
)
def test_bands_are_read_only(band):
    assert not any(rows.flags.writeable for rows in band)


def test_bands_are_kept_and_repeat_by_seed():
    assert noise_band((10, 10)) is noise_band((10, 10))
    assert (noise_band((10, 10), seed=1).s != noise_band((10, 10), seed=2).s).all()
    first = noise_band((10, 10), seed=3).s
    noise_band.cache_clear()
    np.testing.assert_array_equal(noise_band((10, 10), seed=3).s, first)


def test_no_factor_is_formed():
    band = noise_product_band((10**12, 10**12), 8)  # such tall factors are orthogonal: eight equal values
    np.testing.assert_allclose(band.s, np.sqrt(1 / 8), rtol=1e-4)


def test_noise_of_side_28_keeps_ninety_per_cent_in_fifteen_ranks():
    s = [np.linalg.svd(iid_noise(28, seed), compute_uv=False) for seed in range(2000)]
    ranks = np.array([r90(row) for row in s])
    error = ranks.std() / np.sqrt(2000)
    assert ranks.mean() == pytest.approx(14.66, abs=5 * error)
    assert np.mean(ranks == 15) == pytest.approx(0.64, abs=5 * np.sqrt(0.64 * 0.36 / 2000))
    assert np.mean([energy(row)[1] for row in s]) == pytest.approx(0.129, abs=0.001)
    assert np.mean([stable_rank(row) for row in s]) == pytest.approx(7.8, abs=0.05)


def test_noise_of_side_32_is_better_off_at_rank_four_than_a_shift():
    assert noise_band((32, 32)).error[1, 4] == pytest.approx(0.787, abs=0.002)  # a shift has 0.935


@pytest.mark.parametrize(
    ("shape", "draws"),
    [((400, 300), 20), ((512, 512), 10), ((64, 64), 400), ((4096, 64), 100), ((64, 4096), 100)],
)
def test_the_limit_law_agrees_with_draws(shape, draws):
    law, band = marchenko_pastur_band(shape), noise_band(shape, draws)
    # The largest values stay below the edge by terms of order k**(-2/3) of the shape; sums over ranks by 1 / k.
    np.testing.assert_allclose(law.energy[1], band.energy[1], atol=0.5 / min(shape))
    np.testing.assert_allclose(law.error[1], band.error[1], atol=0.5 / min(shape))
    np.testing.assert_allclose(law.s[1], band.s[1], atol=0.015 * law.s[1, 0])


def test_square_noise_needs_half_of_its_ranks():
    n = 4096
    law = marchenko_pastur_band((n, n))
    assert r90(law.s[1]) / n == pytest.approx(0.5098, abs=1 / n)
    assert r90(law.s[1]) == 2089  # the first whole rank above 2088.1
    assert stable_rank(law.s[1]) == pytest.approx(n / 4, rel=0.01)
    assert noise_energy_lost((n, n), n)[round(0.5098 * n)] == pytest.approx(0.1, abs=1e-4)


@pytest.mark.parametrize("c", [1.0, 0.999, 0.5, 0.01])
def test_the_limit_law_is_the_integral_of_its_density(c):
    m = 2000
    n = round(m / c)
    c = m / n
    low, high = (1 - np.sqrt(c)) ** 2, (1 + np.sqrt(c)) ** 2

    def density(x):
        return np.sqrt(max(high - x, 0) * max(x - low, 0)) / (2 * np.pi * c * x)

    lost = noise_energy_lost((m, n), m)
    for share in (0.8, 0.5, 0.2):
        edge = low + share * (high - low)
        # The small end is integrated over s, because over x the density of a square matrix has a pole at 0.
        count = quad(density, edge, high, limit=200)[0]
        rest = 2 * quad(lambda s: s**3 * density(s**2), np.sqrt(low), np.sqrt(edge), limit=200)[0]
        assert np.interp(count, np.arange(m + 1) / m, lost) == pytest.approx(rest, abs=1e-5)


@pytest.mark.parametrize("shape", [(4096, 1), (1, 4096), (1, 1)])
def test_a_single_column_has_a_single_value(shape):
    band = marchenko_pastur_band(shape)
    np.testing.assert_array_equal(band.s, np.ones((3, 1)))
    np.testing.assert_array_equal(band.energy, [[0, 1]] * 3)


@pytest.mark.parametrize("shape", [(4096, 4096), (4096, 4095), (4096, 2), (262_144, 4096)])
def test_the_limit_law_gives_a_spectrum_for_every_shape(shape):
    band = marchenko_pastur_band(shape)
    assert (np.diff(band.s) <= 0).all()
    assert np.linalg.norm(band.s[0]) == pytest.approx(1)
    np.testing.assert_allclose(band.error**2 + band.energy, 1, atol=1e-12)
    np.testing.assert_array_equal(band.s[0], band.s[2])


def test_the_first_ranks_of_the_limit_law_are_the_same_alone():
    part, whole = marchenko_pastur_band((1000, 800), k=5), marchenko_pastur_band((1000, 800))
    assert part.s.shape == (3, 5)
    np.testing.assert_array_equal(part.energy, whole.energy[:, :6])


def test_the_control_is_drawn_while_that_is_quick():
    n = LARGEST_DRAWN
    assert noise_control((40, 24)) is noise_band((40, 24))
    assert noise_control((2 * n, n + 1)) is marchenko_pastur_band((2 * n, n + 1))


def test_large_products_are_drawn_once():
    few, many = noise_product_band((500, 400), 8), noise_product_band((300, 300), LARGEST_DRAWN + 1)
    assert (few.s[0] < few.s[2]).all()
    np.testing.assert_array_equal(many.s[0], many.s[2])
    np.testing.assert_array_equal(few.s, noise_product_band((500, 400), 8, DRAWS).s)


@pytest.mark.parametrize(
    "call",
    [noise_band, lambda shape: noise_product_band(shape, 2), marchenko_pastur_band, noise_control],
)
@pytest.mark.parametrize("shape", [(0, 3), (3, -1), (2, 2, 2)])
def test_shapes_that_are_none_are_refused(call, shape):
    with pytest.raises(ValueError, match="shape must be .* both at least 1, got"):
        call(shape)


def test_counts_out_of_range_are_refused():
    with pytest.raises(ValueError, match="draws must be at least 1, got 0"):
        noise_band((4, 4), draws=0)
    with pytest.raises(ValueError, match="draws must be at least 1, got -1"):
        noise_product_band((4, 4), 2, draws=-1)
    with pytest.raises(ValueError, match="r must be at least 1, got 0"):
        noise_product_band((4, 4), 0)
    with pytest.raises(ValueError, match="k must be between 1 and 3, got 4"):
        marchenko_pastur_band((3, 5), k=4)
