"""Formulas of noise-contrastive estimation: accuracy far out, the extreme cases, precision, shapes."""

import mpmath
import numpy as np
import pytest
from autograd.test_util import check_grads

from refgen.formulas import noise_contrastive as nce

mpmath.mp.dps = 50


@pytest.mark.parametrize("ratio", [1.0, 0.1, 20.0])
def test_loss_against_fifty_digits_far_out_too(ratio):
    data, noise = np.array([-800.0, -1.0, 0.0, 40.0]), np.array([-50.0, 0.5, 300.0])
    soft = [
        sum(mpmath.log1p(mpmath.exp(s * mpmath.mpf(a))) for a in array)
        for s, array in ((-1, data), (1, noise))
    ]
    exact = soft[0] / 4 + mpmath.mpf(ratio) * soft[1] / 3
    assert float(nce.loss(data, noise, ratio)) == pytest.approx(float(exact), rel=1e-14)


def test_the_loss_has_the_right_slope_also_where_the_odds_are_even():
    check_grads(lambda a, b: nce.loss(a, b, 3.0), modes=["rev"], order=2)(
        np.array([0.0, 2.0]), np.array([0.0, -1.0])
    )


def test_equal_laws_cannot_be_told_apart_and_disjoint_ones_can():
    p = np.array([0.25, 0.75, 0.0])
    assert nce.js_divergence(p, p) == 0
    assert nce.least_loss(0.0) == pytest.approx(2 * np.log(2), abs=1e-15)
    apart = nce.js_divergence(np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    assert apart == pytest.approx(np.log(2), abs=1e-15)
    assert nce.least_loss(apart) == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("ratio", [0.1, 1.0, 3.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_masses_too_small_to_be_halved_count_nothing(ratio, dtype):
    least = np.finfo(dtype).smallest_subnormal
    p, q = np.array([0.5, 0.5, least, 0.0, least], dtype), np.array([0.25, 0.75, 0.0, least, least], dtype)
    with np.errstate(all="raise", under="ignore"):
        found = nce.js_divergence(p, q, ratio)
    assert found == pytest.approx(nce.js_divergence(p[:2], q[:2], ratio), rel=1e-6) and found > 0.01
    assert found.dtype == dtype


@pytest.mark.parametrize("ratio", [0.5, 1.0, 4.0])
def test_the_least_loss_is_that_of_the_true_odds_and_no_other_is_less(ratio):
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 9, (2, 4))
    p, q = counts / counts.sum(axis=1, keepdims=True)
    states = [np.repeat(np.arange(4), row) for row in counts]
    odds = nce.log_odds(np.log(p), np.log(q), ratio)

    def loss(odds):
        return nce.loss(*(odds[s] for s in states), ratio)

    least = nce.least_loss(nce.js_divergence(p, q, ratio), ratio)
    assert loss(odds) == pytest.approx(least, abs=1e-14)
    for _ in range(20):
        assert loss(odds + 0.1 * rng.normal(size=4)) > least


def test_float32_stays():
    a = np.linspace(-1, 1, 4, dtype=np.float32)
    p = np.full(4, 0.25, np.float32)
    for found in (
        nce.log_odds(a, a, 2.0),
        nce.loss(a, a, 2.0),
        nce.js_divergence(p, p, 2.0),
        nce.least_loss(a, 2.0),
    ):
        assert found.dtype == np.float32


def test_laws_on_different_states_are_refused():
    with pytest.raises(ValueError, match=r"^q has shape \(3,\)"):
        nce.js_divergence(np.ones(2) / 2, np.ones(3) / 3)
