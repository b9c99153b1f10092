"""The curve-shaped sets are smooth: their nodes cannot be seen."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from refgen.distributions import GaussianMixture, named


@pytest.mark.parametrize("name", ["moons", "circles", "swiss_roll", "two_spirals", "pinwheel"])
def test_neighbouring_nodes_are_close(name):
    law = named(name)
    gaps = np.sqrt(((law.means[:, None] - law.means) ** 2).sum(-1) + 1e9 * np.eye(len(law.means))).min(1)
    assert gaps.max() < 0.8 * np.sqrt(law.covs[0])
    assert len(law.means) <= 2000


def test_the_circle_is_round():
    """On the outer circle the density is the same at, and between, the nodes."""
    angle = np.linspace(0, 2 * np.pi, 1001)
    for radius in (3.0, 1.5):
        ring = radius * np.stack([np.cos(angle), np.sin(angle)], 1)
        assert_allclose(named("circles").log_prob(ring), named("circles").log_prob(ring[:1])[0], atol=1e-11)


def test_twice_the_nodes_are_the_same_moons():
    angle = np.pi * (np.arange(1024) + 0.5) / 1024
    upper = np.stack([np.cos(angle), np.sin(angle)], 1)
    dense = GaussianMixture(2 * np.concatenate([upper, [1, 0.5] - upper]) - [1, 0.5], 0.2**2)
    x = dense.means[100:1900:100] + 0.1
    # Only the ends differ: a node more or less beyond the middle of the last one.
    assert_allclose(named("moons").log_prob(x), dense.log_prob(x), atol=2e-3)
    assert named("moons").entropy == pytest.approx(dense.entropy, abs=1e-3)
