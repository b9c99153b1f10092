"""Euler-Maruyama steps of the reverse SDE: by exact linear algebra, by order, and on the truth."""

import numpy as np
import pytest

from refgen import processes
from refgen.backend import Stream
from refgen.denoisers import ExactDenoiser
from refgen.distributions import Gaussian
from refgen.ladders import geometric
from refgen.samplers.euler_maruyama import euler_maruyama, reverse_sde_step
from refgen.schedules import linear
from tests.samplers.impulses import Impulses
from tests.samplers.test_ancestral import COUNT, EXACT, LIMIT, MIXTURE, surprise

LEVELS = {
    "grid": processes.VP().grid(8, "time", 0.05),
    "exploding": processes.VE(0.02, 8.0).grid(8),
    "schedule": linear(1000).respaced(50),
    "ladder": geometric(8, 8.0, 0.05),
}


def coefficients(levels, name, k):
    """(f dt, g^2 dt) of a step, by hand."""
    if name == "grid":
        t, s = levels.times[k], levels.times[k - 1]
        beta = (0.1 + 19.9 * t) * (t - s)
        return -beta / 2, beta
    if name == "exploding":
        dt = levels.times[k] - levels.times[k - 1]
        return 0.0, 2 * levels.std[k] ** 2 * np.log(8.0 / 0.02) * dt
    if name == "schedule":
        return -levels.beta[k] / 2, levels.beta[k]
    return 0.0, levels.std[k] ** 2 - levels.std[k - 1] ** 2


@pytest.mark.parametrize("name", LEVELS)
@pytest.mark.parametrize("var", [0.3, 1.0])
def test_law_on_a_gaussian_is_known_exactly(name, var):
    """No sampling: the chain is affine in its inputs, which are unit vectors here."""
    levels = LEVELS[name]
    x_T = np.zeros((levels.T, 1))
    x_T[0] = 1
    kept = {1: None}
    euler_maruyama(ExactDenoiser(Gaussian([0.0], [[var]])), levels, x_T, Impulses(), kept)
    slope, spread = 1.0, 0.0
    for k in range(levels.T, 1, -1):
        f, g2 = coefficients(levels, name, k)
        a = 1 - f - g2 / (levels.signal[k] ** 2 * var + levels.std[k] ** 2)
        slope, spread = a * slope, a**2 * spread + g2
    response = kept[1][:, 0]
    assert response[0] == pytest.approx(slope, rel=1e-11)
    assert response[1:] @ response[1:] == pytest.approx(spread, rel=1e-11)


@pytest.mark.parametrize("name", ["vp", "sub-vp", "ve", "cosine"])
def test_variance_has_order_one(name):
    """Again by unit vectors: the variance at the last level, less the true one, in the number of steps."""
    var, counts, errors = 0.25, (100, 200, 400), []
    process = processes.named(name, **({"largest": 8.0} if name == "ve" else {}))
    for count in counts:
        levels = process.grid(count + 1, "log_snr", process.time(4.0), process.time(-4.0))
        x_T = np.zeros((levels.T, 1))
        x_T[0] = np.sqrt(levels.signal[-1] ** 2 * var + levels.std[-1] ** 2)
        kept = {1: None}
        euler_maruyama(ExactDenoiser(Gaussian([0.0], [[var]])), levels, x_T, Impulses(), kept)
        errors.append(abs(np.sum(kept[1] ** 2) - levels.signal[1] ** 2 * var - levels.std[1] ** 2))
    assert -np.polyfit(np.log(counts), np.log(errors), 1)[0] == pytest.approx(1, abs=0.15)


class TooWeak(ExactDenoiser):
    """A score that is a fifth too small."""

    def score(self, x, signal, std):
        return 0.8 * super().score(x, signal, std)


def test_the_exact_score_reproduces_the_mixture():
    levels, x_T = processes.VP().grid(200), Stream(11).normal(COUNT, 2)
    assert surprise(euler_maruyama(EXACT, levels, x_T, Stream(12)), MIXTURE) < LIMIT
    assert surprise(euler_maruyama(TooWeak(MIXTURE), levels, x_T, Stream(12)), MIXTURE) > 2 * LIMIT


def test_a_step_is_the_line_of_the_docstring():
    levels, (x, z) = LEVELS["schedule"], Stream(0).normal(2, 6, 2)
    beta = levels.beta[30]
    expected = x + beta / 2 * x + beta * EXACT.score(x, *levels.level(30)) + np.sqrt(beta) * z
    np.testing.assert_allclose(reverse_sde_step(EXACT, levels, x, z, 30), expected, rtol=1e-13, atol=1e-13)
