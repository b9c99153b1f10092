"""One Gaussian, where all is known by conditioning."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from refgen.backend import Stream
from refgen.distributions import Gaussian, named
from refgen.distributions.gaussian import correlated
from refgen.formulas import gaussian

COV = np.array([[2.0, 1.2], [1.2, 1.0]])


@pytest.mark.parametrize(("cov", "full"), [(COV, COV), (0.5, 0.5 * np.eye(2)), ([1, 2], np.diag([1.0, 2.0]))])
def test_every_form_of_covariance_is_the_density_of_scipy(cov, full):
    law, x = Gaussian([1.0, -0.5], cov), Stream(0).normal(30, 2)
    assert_allclose(law.log_prob(x), stats.multivariate_normal([1.0, -0.5], full).logpdf(x), rtol=1e-12)
    assert_allclose(law.mean, [1.0, -0.5])
    assert_allclose(law.cov, full)
    assert law.modes is None


def test_the_denoiser_is_conditioning_of_the_joint_gaussian():
    law, x_t, (signal, std) = Gaussian([1.0, -0.5], COV), Stream(1).normal(6, 2), (0.7, 0.4)
    joint = np.block([[COV, signal * COV], [signal * COV, signal**2 * COV + std**2 * np.eye(2)]])
    mean = np.concatenate([law.mean, signal * law.mean])
    for x, found in zip(x_t, law.posterior_mean(x_t, signal, std), strict=True):
        expected, cov = gaussian.condition(mean, joint, x)
        assert_allclose(found, expected, rtol=1e-11)
    assert_allclose(law.posterior_cov(x_t, signal, std)[3], cov, rtol=1e-11, atol=1e-13)


def test_the_named_one_has_the_correlation_it_states():
    law = correlated()
    assert law.cov[0, 1] / np.sqrt(law.cov[0, 0] * law.cov[1, 1]) == pytest.approx(0.85, abs=0.002)
    assert_allclose(named("gaussian").cov, law.cov)
    assert_allclose(named("gaussian").mean, law.mean)
