"""A score that is linear in its parameters."""

import numpy as np
import pytest

from refgen.backend import Stream
from refgen.experiments import linear_score
from refgen.formulas import denoising, score_matching, sliced


@pytest.fixture(scope="module")
def setting():
    fields = linear_score.on_a_grid(side=3, limit=2.0)
    return fields, linear_score.law().sample(Stream(0), 300)


def test_jacobians_are_the_derivatives_of_the_values(setting):
    fields, x = setting
    jacobians, h = fields.jacobians(x), 1e-6
    assert fields.values(x).shape == (300, 2, 12) and fields.size == 12
    for j, step in enumerate(h * np.eye(2)):
        numeric = (fields.values(x + step) - fields.values(x - step)) / (2 * h)
        assert np.swapaxes(jacobians[..., j], 1, 2) == pytest.approx(numeric, abs=1e-8)


def test_every_fit_is_a_minimum_of_its_objective(setting):
    fields, x = setting
    values, jacobians = fields.values(x), fields.jacobians(x)
    v, eps = Stream(1).normal(2, 300, 2), Stream(2).normal(300, 2)
    x_noisy = x + 0.3 * eps

    def implicit(theta):
        return score_matching.empirical(values @ theta, np.einsum("nkii,k->n", jacobians, theta))

    def along(theta):
        return np.mean(sliced.objective(v, values @ theta, np.einsum("nkij,k->nij", jacobians, theta)))

    def noisy(theta):
        return np.mean(denoising.denoising(fields.values(x_noisy) @ theta, x, x_noisy, 0.3))

    for objective, theta in [
        (implicit, linear_score.fit_implicit(fields, x)),
        (along, linear_score.fit_sliced(fields, x, v)),
        (noisy, linear_score.fit_denoising(fields, x, eps, 0.3)),
    ]:
        least = objective(theta)
        for step in 1e-3 * Stream(3).normal(20, fields.size):
            assert objective(theta + step) > least


def test_the_error_is_that_of_the_score(setting):
    fields, _ = setting
    law = linear_score.law()
    x = law.sample(Stream(4), 40_000)
    theta = np.stack([np.zeros(fields.size), 0.1 * Stream(5).normal(fields.size)])
    errors = linear_score.clean_error(fields, theta, law)
    assert errors.shape == (2,) and linear_score.clean_error(fields, theta[0], law).shape == ()
    for one, error in zip(theta, errors, strict=True):
        each = score_matching.explicit(fields.values(x) @ one, law.score(x))
        assert abs(np.mean(each) - error) < 5 * np.std(each) / np.sqrt(len(x))


def test_one_gaussian_is_in_the_model_and_found():
    from refgen.distributions.mixture import GaussianMixture

    law, fields = GaussianMixture([[0.3, -0.2]], 0.8), linear_score.Fields(np.zeros((0, 2)), 1.0)
    theta = linear_score.fit_implicit(fields, law.sample(Stream(6), 100_000))
    assert theta == pytest.approx([0.3 / 0.8, -0.2 / 0.8, -1 / 0.8], abs=0.02)
    assert linear_score.clean_error(fields, theta, law) < 1e-3
