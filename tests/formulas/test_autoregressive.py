"""Densities one coordinate after the other: extreme numbers, and the exact conditionals of the named laws."""

import mpmath
import numpy as np
import pytest
from scipy.stats import kstest

from refgen.backend import Stream
from refgen.distributions import named
from refgen.formulas import autoregressive
from refgen.formulas import mixture as formulas
from refgen.metrics import directions, sampling_floor, sliced_wasserstein

TOLERANCE = {np.float32: 2e-3, np.float64: 1e-12}
SETS = ["moons", "ring", "swiss_roll", "two_gaussians"]


def law_of(name):
    law = named(name).standardised()[0]
    return law, (law.weights, law.means, law.covs)


def far_and_narrow(dtype):
    """A point among, and one far from, components of all widths whose weights underflow in float32."""
    x = np.array([0.3, -40.0], dtype)
    logits = np.array([[0.0, 200.0, -300.0], [500.0, 0.0, -1.0]], dtype)
    means = np.array([[0.0, 5.0, 0.3], [30.0, -39.5, 0.0]], dtype)
    log_stds = np.array([[-2.0, 1.0, -6.0], [0.0, -3.0, 4.0]], dtype)
    return x, logits, means, log_stds


def by_mpmath(x, logits, means, log_stds):
    mpmath.mp.dps = 50
    found = []
    for here, *law in zip(x, logits, means, log_stds, strict=True):
        rows = [[mpmath.mpf(float(v)) for v in row] for row in zip(*law, strict=True)]
        whole = sum(mpmath.exp(a) for a, _, _ in rows)
        density = sum(mpmath.exp(a) / whole * mpmath.npdf(float(here), m, mpmath.exp(s)) for a, m, s in rows)
        found.append(float(mpmath.log(density)))
    return np.array(found)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_density_stays_exact_where_weights_underflow(dtype):
    given = far_and_narrow(dtype)
    with np.errstate(all="raise", under="ignore"):
        found = autoregressive.log_density(*given)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, by_mpmath(*given), rtol=50 * np.finfo(dtype).eps)
    assert autoregressive.log_prob(*given) == pytest.approx(np.sum(found), rel=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_chain_rule_in_many_dimensions(dtype):
    x = Stream(9).normal(7, 100, dtype=dtype)
    found = autoregressive.chain_rule_log_prob(
        x, lambda before, here: -0.5 * (here - np.sum(before, axis=-1)) ** 2
    )
    shifted = x - np.cumsum(x, axis=-1) + x
    np.testing.assert_allclose(
        found, -0.5 * np.sum(shifted**2, axis=-1), rtol=2e-3 if dtype == np.float32 else 1e-12
    )
    assert found.dtype == dtype


@pytest.mark.parametrize("name", SETS)
def test_exact_conditionals_multiply_to_the_density(name):
    law, told = law_of(name)
    x = np.concatenate([law.sample(Stream(0), 300), 4 * Stream(1).normal(300, 2)])
    found = autoregressive.mixture_log_prob(x, *told)
    np.testing.assert_allclose(found, law.log_prob(x), rtol=1e-10, atol=1e-10)


def test_the_order_of_the_coordinates_does_not_matter():
    rng = Stream(2)
    roots = rng.normal(4, 3, 3)
    weights, means = np.array([0.1, 0.2, 0.3, 0.4]), 2 * rng.normal(4, 3)
    covs, x = roots @ np.swapaxes(roots, 1, 2) + 0.1 * np.eye(3), 3 * rng.normal(50, 3)
    expected = formulas.log_prob(x, weights, means, covs)
    for order in ([0, 1, 2], [2, 0, 1], [1, 2, 0], [2, 1, 0]):
        turned = means[:, order], covs[:, order][:, :, order]
        found = autoregressive.mixture_log_prob(x[:, order], weights, *turned)
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


def exact_draws(told, rng, n):
    def conditional(before):
        return autoregressive.mixture_conditional(before, *told)

    return autoregressive.ancestral(rng.uniform(n, 2), rng.normal(n, 2), conditional)


@pytest.mark.parametrize("name", SETS)
def test_draws_from_the_exact_conditionals_are_as_close_as_exact_samples(name):
    law, told = law_of(name)
    x, lines = exact_draws(told, Stream(3), 4000), directions(2, 64, Stream(4))
    floor = sampling_floor(law, 4000, lines, Stream(5)).max
    assert sliced_wasserstein(x, law.sample(Stream(6), 4000), lines) < 1.5 * floor
    swapped = np.stack([x[:, 0], np.roll(x[:, 1], 1)], axis=1)  # the right marginals, told nothing
    assert sliced_wasserstein(swapped, law.sample(Stream(6), 4000), lines) > 1.5 * floor


@pytest.mark.parametrize("name", SETS)
def test_samples_go_through_their_distribution_functions_to_uniform_independent_numbers(name):
    law, told = law_of(name)
    x = law.sample(Stream(7), 1000)
    first = autoregressive.cdf(x[:, 0], *autoregressive.mixture_conditional(x[:, :0], *told))
    second = autoregressive.cdf(x[:, 1], *autoregressive.mixture_conditional(x[:, :1], *told))
    assert kstest(first, "uniform").pvalue > 1e-3 and kstest(second, "uniform").pvalue > 1e-3
    assert kstest(second[first < 0.3], "uniform").pvalue > 1e-3
    told_nothing = autoregressive.cdf(x[:, 1], *autoregressive.mixture_conditional(0 * x[:, :1], *told))
    assert kstest(told_nothing, "uniform").pvalue < 1e-6


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_component_without_weight_is_never_chosen_and_the_last_is_always_there(dtype):
    logits = np.array([-1000.0, 0.0, -1000.0, 1e-3, 2.0], dtype)
    means, log_stds = np.arange(5, dtype=dtype), np.full(5, -30.0, dtype)
    u = np.array([0.0, 0.3, 1 - np.finfo(dtype).eps / 2], dtype)
    law = [np.broadcast_to(a, (3, 5)) for a in (logits, means, log_stds)]
    x = autoregressive.draw(u, np.ones(3, dtype), *law)
    assert x.dtype == dtype
    np.testing.assert_allclose(x, [1, 4, 4], atol=1e-6)
    many = np.zeros((1, 3000), dtype)  # whose shares, rounded, add up to less than one
    x = autoregressive.draw(u[2:], np.zeros(1, dtype), many, np.arange(3000, dtype=dtype)[None], many)
    assert x[0] == 2999


def test_the_next_coordinate_of_all_is_refused():
    _, told = law_of("moons")
    with pytest.raises(
        ValueError, match=r"^before has 2 coordinates; they must be fewer than those of means, 2"
    ):
        autoregressive.mixture_conditional(np.zeros((3, 2)), *told)
    with pytest.raises(ValueError, match=r"^logits has shape \(3,\)"):
        autoregressive.log_prob(np.zeros(2), *np.zeros((3, 3, 4)))
