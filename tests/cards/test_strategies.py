"""The strategies draw what they say, over the whole range, and shrink to simple values."""

import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from refgen.cards import strategies as s

QUIET = settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))


def draws(strategy, n=300):
    found = []

    @settings(QUIET, max_examples=n)
    @given(strategy)
    def draw(value):
        found.append(value)

    draw()
    return found


def simplest(strategy, condition=lambda value: True):
    from hypothesis import find

    return find(strategy, condition, settings=settings(QUIET, max_examples=500))


def test_levels_reach_the_edges_and_stay_inside():
    levels = np.array(draws(s.levels()))
    log_snr = np.log(levels) - np.log1p(-levels)
    assert np.all((levels > 0) & (levels < 1))
    assert log_snr.min() < -10 and log_snr.max() > 10


def test_counterexamples_shrink_to_simple_values():
    assert simplest(s.levels()) == 0.5
    assert simplest(s.alphas()) == 0.5
    assert simplest(s.reals(), lambda x: x != 0) == 1.0
    assert simplest(s.positives()) == 1.0
    assert simplest(s.points(3)).tolist() == [0, 0, 0]
    assert np.array_equal(simplest(s.covariances(2)), np.eye(2))


@pytest.mark.parametrize("d", [1, 2, 5])
def test_covariances_are_positive_definite(d):
    for cov in draws(s.covariances(d), 60):
        assert cov.shape == (d, d) and np.array_equal(cov, cov.T) and np.linalg.eigvalsh(cov).min() > 0


def test_tables_and_laws_are_distributions():
    for table in draws(s.tables(2, 3), 60):
        assert table.shape == (2, 3) and np.all(table > 0) and np.allclose(table.sum(-1), 1)
    for mixture in draws(s.mixtures(2, 3), 30):
        assert mixture["means"].shape == (3, 2) and mixture["covs"].shape == (3, 2, 2)
        assert mixture["weights"].sum() == pytest.approx(1)


def test_chains_and_schedules_come_smallest_first():
    first = draws(s.chains()[0], 5)[0]
    assert first["forward"].shape == first["reverse"].shape == (1, 2, 2)
    assert all(len(chain["forward"]) >= 2 for rung in s.chains(smallest_T=2) for chain in draws(rung, 3))
    lengths = [len(draws(rung, 3)[0]["beta"]) for rung in s.schedules()]
    assert lengths == [2, 3, 4, 5, 6, 1000]
    for beta in draws(st.one_of(*s.schedules()), 60):
        assert np.all((beta["beta"] > 0) & (beta["beta"] < 1))


def test_steps_come_in_one_two_and_five_dimensions():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert [len(draws(rung, 3)[0]["x_t"]) for rung in s.steps()] == [1, 2, 5]
