"""Chains on a line by matrices: against what is known of Gaussians, and the bound with networks."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.experiments import score_and_kl as costs
from refgen.experiments.outcome import surprises
from refgen.formulas.gaussian import kl_diagonal
from refgen.formulas.langevin import kl_of_score_error, ula_moments

X = np.linspace(-9, 9, 1201)
START = np.exp(-0.5 * (X - 1.0) ** 2 / 0.5)
START /= START.sum()


def quiet(*now):
    pass


def test_on_gaussians_the_laws_and_the_kl_are_those_in_closed_form():
    step, steps, var, mean, wide = 0.05, 30, 1.5, 0.4, 2.0
    found = costs.compared(-X / var, -(X - mean) / wide, X, step, steps, START)
    truth = ula_moments(1.0, 0.5, 0.0, var, step, steps)
    other = ula_moments(1.0, 0.5, mean, wide, step, steps)
    expected = kl_diagonal(*(np.array([value]) for value in (*truth, *other)))
    assert found["kl"][-1] == pytest.approx(float(np.sum(expected)), rel=1e-4)
    total, bend = 0.0, 1 / wide - 1 / var
    for i in range(steps):
        m, v = ula_moments(1.0, 0.5, 0.0, var, step, i) if i else (1.0, 0.5)
        total += float(kl_of_score_error((bend * m - mean / wide) ** 2 + bend**2 * v, step))
    assert found["bound"][-1] == pytest.approx(total, rel=1e-4)
    assert np.all(found["kl"] < found["bound"])


def test_a_shift_is_its_own_wasserstein_distance():
    found = costs.compared(-X, -(X - 0.3), X, 0.05, 400, START)
    assert found["w1"][-1] == pytest.approx(0.3, rel=1e-3)
    law = np.exp(-0.5 * X**2)
    to_law = costs.compared(-X, -(X - 0.3), X, 0.05, 400, START, law / law.sum())
    assert to_law["off"][-1] == pytest.approx(0.3, rel=1e-2)  # both chains are a little too wide
    assert to_law["exact off"][-1] < 0.03 < 0.2 < to_law["exact off"][0]


def test_the_same_score_costs_nothing_and_rows_are_laws():
    found = costs.compared(-X, -X, X, 0.05, 5, START)
    assert not np.any(found["kl"]) and not np.any(found["bound"]) and not np.any(found["w1"])
    np.testing.assert_array_equal(found["off"], found["exact off"])
    np.testing.assert_allclose(costs.kernel(-X, X, 0.05).sum(axis=1), 1)


def test_more_training_costs_less():
    outcome = costs.run(Stream(0), quiet, trainings=(20, 600), steps=100)
    little, much = outcome.numbers["networks"]
    assert much["score error"] < 0.5 * little["score error"]
    assert outcome.claims[0].holds
    assert much["off"] < 0.5 * little["off"]
    assert little["kl"] < little["bound"] and much["kl"] < much["bound"] < little["bound"]


@pytest.mark.slow
def test_every_claim_comes_out_as_is_known():
    assert not surprises(costs.run(Stream(0), quiet))
