"""The routes to an entropy: each is taken where it should be, and they agree where two can be taken."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.distributions import Boxes, GaussianMixture, entropy

MIXTURE = GaussianMixture([[0.0, 1.0], [1.0, -1.0]], 0.4, [3, 1])
FULL = GaussianMixture([[0.0, 1.0], [1.0, -1.0]], [np.eye(2) * 0.4] * 2, [3, 1])
BOXES = Boxes([[0.0, 0.0]], [[2.0, 1.0]]).diffused(1.0, 0.3)


@pytest.mark.parametrize("law", [MIXTURE, FULL, BOXES])
def test_monte_carlo_agrees_with_quadrature_within_its_stated_error(law):
    exact, small = law._entropy()
    value, error = entropy.by_monte_carlo(law)
    assert small == entropy.QUADRATURE_ERROR
    assert 1e-4 < error < 5e-3
    assert abs(value - exact) < 4 * error


def test_monte_carlo_is_always_the_same_and_its_error_is_that_of_a_mean(monkeypatch):
    value, error = entropy.by_monte_carlo(MIXTURE)
    assert (value, error) == entropy.by_monte_carlo(MIXTURE)
    log_prob = MIXTURE.log_prob(MIXTURE.sample(Stream(5), 100_000))
    assert error == pytest.approx(log_prob.std() / 100_000**0.5, rel=0.02)
    monkeypatch.setattr(entropy, "DRAWS", 1000)
    assert entropy.by_monte_carlo(MIXTURE)[1] == pytest.approx(10 * error, rel=0.15)


@pytest.mark.parametrize("limit", ["MOST_POINTS", "MOST_WORK"])
def test_a_grid_that_would_be_too_large_is_not_made(monkeypatch, limit):
    monkeypatch.setattr(entropy, limit, 10)
    for law in (MIXTURE, FULL):
        assert entropy.of_mixture(law) == entropy.by_monte_carlo(law)
    if limit == "MOST_POINTS":
        assert entropy.of_boxes(BOXES) == entropy.by_monte_carlo(BOXES)


@pytest.mark.parametrize("law", [MIXTURE, FULL])
def test_the_grid_is_fine_and_wide_enough(monkeypatch, law):
    value, _ = entropy.of_mixture(law)
    monkeypatch.setattr(entropy, "FINENESS", 9.0)
    monkeypatch.setattr(entropy, "REACH", 12.0)
    assert entropy.of_mixture(law)[0] == pytest.approx(value, abs=1e-12)
    monkeypatch.setattr(entropy, "FINENESS", 0.5)
    assert abs(entropy.of_mixture(law)[0] - value) > entropy.QUADRATURE_ERROR


def test_density_zero_adds_nothing():
    assert entropy._p_log_p(np.array([0.0, 1.0, np.e])).tolist() == pytest.approx([0.0, 0.0, np.e])


def test_gauss_nodes_of_the_panels_are_exact_for_a_polynomial():
    ends = np.array([-1.0, 0.3, 2.0])
    x = entropy._gauss(ends, entropy.NODES)
    weights = entropy._gauss(ends, entropy.NODES, entropy.NODE_WEIGHTS)
    assert weights @ x**14 == pytest.approx((2.0**15 + 1) / 15, rel=1e-13)
