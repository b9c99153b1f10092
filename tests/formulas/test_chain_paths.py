"""The model's joint law and single paths, on chains too long for a sum over all paths."""

import numpy as np
import pytest

from refgen.formulas import chain, chain_paths


def drawn(K, T):
    rng = np.random.default_rng(T)
    forward, reverse = rng.dirichlet(np.ones(K), (2, T, K))
    return forward, reverse, rng.dirichlet(np.ones(K)), 1


def test_likelihood_and_gap_are_the_bound_of_a_long_chain():
    tables = drawn(4, 60)
    assert -chain_paths.negative_elbo(*tables) == pytest.approx(chain.denoising_elbo(*tables), rel=1e-12)
    assert chain_paths.posterior_gap(*tables) > 0


def test_the_mean_log_ratio_over_paths_of_q_is_minus_the_bound():
    forward, reverse, prior, x_0 = drawn(3, 20)
    rng, n = np.random.default_rng(0), 100_000
    states = np.empty((21, n), int)
    states[0] = x_0
    for t in range(1, 21):
        edges = np.cumsum(forward[t - 1], axis=1)[states[t - 1]]
        states[t] = np.minimum((rng.uniform(size=(n, 1)) > edges).sum(1), 2)
    sample = chain_paths.log_ratio(forward, reverse, prior, states)
    exact = chain_paths.negative_elbo(forward, reverse, prior, x_0)
    assert abs(sample.mean() - exact) < 5 * sample.std() / np.sqrt(n)


def test_joint_and_tables_are_laws():
    _, reverse, prior, _ = drawn(4, 5)
    joint = chain_paths.forward_joint(reverse, prior)
    assert joint.shape == (4,) * 6
    assert joint.sum() == pytest.approx(1, rel=1e-14)
    np.testing.assert_allclose(joint.sum((0, 1, 2, 3, 4)), prior, rtol=1e-13)
    for table in chain_paths.model_transitions(reverse, prior):
        np.testing.assert_allclose(table.sum(1), 1, rtol=1e-14)


def test_float32_stays_and_one_path_is_a_number():
    forward, reverse, prior = (a.astype(np.float32) for a in drawn(3, 4)[:3])
    assert chain_paths.negative_elbo(forward, reverse, prior, 1).dtype == np.float32
    assert chain_paths.forward_joint(reverse, prior).dtype == np.float32
    states = np.zeros((5, 7), int)
    for result in (
        chain_paths.log_ratio(forward, reverse, prior, states),
        chain_paths.telescoped_log_ratio(forward, 0, states),
    ):
        assert (result.shape, result.dtype) == ((7,), np.float32)
    assert np.ndim(chain_paths.log_ratio(forward, reverse, prior, states[:, 0])) == 0
